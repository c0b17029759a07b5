//! The form of an encrypted export.
//!
//! ```text
//! agamid-export/1 passphrase argon2id m=65536,t=3,p=1 SALT \n     or      agamid-export/1 key \n
//! length (4 bytes) sealed chunk, again and again; an empty length is the end of a chunk that was the last
//! ```
//!
//! Each chunk is sealed with its number, whether it is the last, and the first line: chunks that are missing, moved or
//! added are noticed, and so is an end that came too early.

use std::io::{self, BufRead, Read};

use agamid_core::Env;
use agamid_core::random::bytes;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::Secret;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::error::StoreError;
use crate::read::to_hex;

const MAGIC: &str = "agamid-export/1 ";
const PURPOSE: &str = "export";

/// Bytes of text in a chunk.
const CHUNK: usize = 64 << 10;
/// What sealing adds, at most.
const OVERHEAD: usize = 256;

/// What a passphrase costs who guesses. A file may ask for more or less, within bounds.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 16;

/// What protects an export.
#[derive(Clone)]
pub enum Protection {
    /// Nothing: whoever has the file can read all of it.
    Plaintext,
    /// A passphrase, by argon2id.
    Passphrase(Secret),
    /// A key, from a file of its own.
    Key(EnvelopeKey),
}

impl Protection {
    /// Why a passphrase won't do: a file can be guessed at for years.
    pub fn check(&self) -> Result<(), StoreError> {
        match self {
            Protection::Passphrase(secret) if secret.expose().chars().count() < 12 => Err(StoreError::Invalid(
                "the passphrase of an export needs 12 characters or more; a key file (--key-file) is better still"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// Turns text into the bytes of the file.
pub struct Sealing(Form);

enum Form {
    Plain,
    Sealed { sealer: Sealer, header: Vec<u8>, begun: bool, number: u64, pending: Vec<u8> },
}

impl Sealing {
    /// Begins a file. Takes a moment: a passphrase is meant to be slow.
    ///
    /// # Errors
    /// `Invalid` where the passphrase is too short.
    pub fn begin(protection: &Protection, env: &Env) -> Result<Self, StoreError> {
        protection.check()?;
        let (key, header) = match protection {
            Protection::Plaintext => return Ok(Self(Form::Plain)),
            Protection::Key(key) => (key.clone(), format!("{MAGIC}key\n")),
            Protection::Passphrase(secret) => {
                let salt: [u8; 16] = bytes(&*env.rng);
                let key = stretch(secret, &salt, MEMORY, PASSES)?;
                let salt = STANDARD_NO_PAD.encode(salt);
                (key, format!("{MAGIC}passphrase argon2id m={MEMORY},t={PASSES},p=1 {salt}\n"))
            }
        };
        let sealer = Sealer::new(key, env.clone());
        let header = header.into_bytes();
        Ok(Self(Form::Sealed { sealer, header, begun: false, number: 0, pending: Vec::new() }))
    }

    /// What can be written of the text so far.
    ///
    /// # Errors
    /// Where sealing fails.
    pub fn push(&mut self, text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let Form::Sealed { sealer, header, begun, number, pending } = &mut self.0 else {
            return Ok(text.to_vec());
        };
        let mut out = Vec::new();
        if !*begun {
            out.extend_from_slice(header);
            *begun = true;
        }
        pending.extend_from_slice(text);
        // The last chunk is known at the end only, so one always waits.
        while pending.len() > CHUNK {
            let rest = pending.split_off(CHUNK);
            out.extend(seal(sealer, header, *number, false, pending)?);
            *number += 1;
            *pending = rest;
        }
        Ok(out)
    }

    /// The rest: what marks the end.
    ///
    /// # Errors
    /// Where sealing fails.
    pub fn finish(&mut self) -> Result<Vec<u8>, StoreError> {
        match &self.0 {
            Form::Plain => Ok(Vec::new()),
            Form::Sealed { sealer, header, number, pending, .. } => {
                seal(sealer, header, *number, true, pending)
            }
        }
    }
}

fn seal(sealer: &Sealer, header: &[u8], number: u64, last: bool, text: &[u8]) -> Result<Vec<u8>, StoreError> {
    let sealed = sealer
        .seal(PURPOSE, &belongs(header, number, last), text)
        .map_err(|error| StoreError::Invalid(error.to_string()))?;
    let length = u32::try_from(sealed.len()).map_err(|error| StoreError::Invalid(error.to_string()))?;
    let mut out = length.to_be_bytes().to_vec();
    out.extend(sealed);
    Ok(out)
}

/// Where a chunk belongs.
fn belongs(header: &[u8], number: u64, last: bool) -> Vec<u8> {
    let mut place = header.to_vec();
    place.extend(number.to_be_bytes());
    place.push(u8::from(last));
    place
}

fn stretch(secret: &Secret, salt: &[u8], memory: u32, passes: u32) -> Result<EnvelopeKey, StoreError> {
    let invalid = |cause: String| StoreError::Invalid(format!("the passphrase: {cause}"));
    let params = Params::new(memory, passes, 1, Some(32)).map_err(|error| invalid(error.to_string()))?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret.expose().as_bytes(), salt, &mut key)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(EnvelopeKey::of_secret(&to_hex(&key)))
}

/// Turns the bytes of a file back into text.
pub(super) fn open<R: BufRead + Send + 'static>(
    mut file: R,
    protection: &Protection,
    env: &Env,
) -> Result<Box<dyn BufRead + Send>, StoreError> {
    let refused = |reason: &str| StoreError::Invalid(reason.to_owned());
    let start = file.fill_buf().map_err(|error| StoreError::Invalid(error.to_string()))?;
    if start.first() == Some(&b'{') {
        // A file that anybody could have written must not pass for one that only the key's holder could.
        return match protection {
            Protection::Plaintext => Ok(Box::new(file)),
            _ => Err(refused("it is not encrypted: say --plaintext if that is as it should be")),
        };
    }
    let mut header = Vec::new();
    let read = (&mut file).take(200).read_until(b'\n', &mut header);
    read.map_err(|error| StoreError::Invalid(error.to_string()))?;
    let form = std::str::from_utf8(&header).ok().and_then(|text| text.strip_prefix(MAGIC));
    let Some(form) = form.and_then(|form| form.strip_suffix('\n')) else {
        return Err(refused("it is no export of Agamid, or one of a newer version"));
    };
    let key = match (form.split(' ').collect::<Vec<_>>().as_slice(), protection) {
        (["key"], Protection::Key(key)) => key.clone(),
        (["key"], _) => return Err(refused("it is encrypted to a key: give --key-file")),
        (["passphrase", "argon2id", cost, salt], Protection::Passphrase(secret)) => {
            let (memory, passes) = costs(cost).ok_or_else(|| refused("its first line asks for too much"))?;
            let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| refused("its first line is damaged"))?;
            stretch(secret, &salt, memory, passes)?
        }
        (["passphrase", ..], _) => {
            return Err(refused("it is encrypted to a passphrase: give --passphrase-file"));
        }
        _ => return Err(refused("it is encrypted in a way that this version does not know")),
    };
    let sealer = Sealer::new(key, env.clone());
    let opened = Opening { file, sealer, header, number: 0, over: false };
    Ok(Box::new(io::BufReader::with_capacity(CHUNK, opened.text())))
}

/// Memory and passes, if they are within bounds.
fn costs(text: &str) -> Option<(u32, u32)> {
    let (memory, rest) = text.strip_prefix("m=")?.split_once(",t=")?;
    let (memory, passes): (u32, u32) = (memory.parse().ok()?, rest.strip_suffix(",p=1")?.parse().ok()?);
    (memory <= MOST_MEMORY && passes <= MOST_PASSES).then_some((memory, passes))
}

struct Opening<R> {
    file: R,
    sealer: Sealer,
    header: Vec<u8>,
    number: u64,
    over: bool,
}

impl<R: BufRead> Opening<R> {
    fn text(self) -> Text<R> {
        Text { opening: self, chunk: io::Cursor::default() }
    }

    /// The text of the next chunk; `None` behind the last.
    fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if self.over {
            let more = !self.file.fill_buf()?.is_empty();
            return if more { Err(damaged("something follows its end")) } else { Ok(None) };
        }
        let mut length = [0; 4];
        self.file.read_exact(&mut length).map_err(|_| damaged("it ends too early"))?;
        let length = u32::from_be_bytes(length);
        if usize::try_from(length).map_or(true, |length| length > CHUNK + OVERHEAD) {
            return Err(damaged("a chunk is longer than any can be"));
        }
        let mut sealed = Vec::new();
        (&mut self.file).take(u64::from(length)).read_to_end(&mut sealed)?;
        for last in [false, true] {
            let place = belongs(&self.header, self.number, last);
            if let Ok(text) = self.sealer.open(PURPOSE, &place, &sealed) {
                self.number += 1;
                self.over = last;
                return Ok(Some(text.to_vec()));
            }
        }
        Err(damaged(
            "it can't be opened: the key or passphrase is another one, or the file is damaged or cut off",
        ))
    }
}

/// The text as a stream.
struct Text<R> {
    opening: Opening<R>,
    chunk: io::Cursor<Vec<u8>>,
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(out)?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            match self.opening.chunk()? {
                Some(text) => self.chunk = io::Cursor::new(text),
                None => return Ok(0),
            }
        }
    }
}

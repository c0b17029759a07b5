//! Sealing: authenticated encryption of what the store must keep but nobody may read in it, and MACs.
//!
//! All keys come from one envelope key. Each sealed value has a key of its own, derived by HKDF-SHA-256 from the
//! envelope key, the purpose and a random 32-byte salt; so AES-256-GCM runs with a fixed nonce, once per key, and the
//! number of values is no concern. Form: version byte, salt, ciphertext and tag.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::Env;
use crate::random::bytes;

/// The version that is written.
const VERSION: u8 = 1;
/// Bytes of salt.
const SALT: usize = 32;
/// Bytes of the GCM tag.
const TAG: usize = 16;

/// The key above all sealed values of a server: 32 random bytes.
#[derive(Clone)]
pub struct EnvelopeKey(Zeroizing<[u8; 32]>);

/// The envelope key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeKeyError {
    /// The file can't be read or written.
    #[error("envelope key {path}: {cause}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Others can read it.
    #[error("envelope key {path} is readable by others (mode {mode:o}); do: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// It is not a key.
    #[error("envelope key {path} is not 64 hexadecimal characters; restore it from your copy")]
    Malformed {
        /// Which file.
        path: String,
    },
}

impl EnvelopeKey {
    /// A key that only the holder of a secret of high entropy (an opaque token) can make.
    pub fn of_secret(secret: &str) -> Self {
        let text = Zeroizing::new(format!("key of:{secret}"));
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(digest.as_ref());
        Self(key)
    }

    /// A new key.
    pub fn generate(env: &Env) -> Self {
        Self(Zeroizing::new(bytes(&*env.rng)))
    }

    /// Reads a key file; refuses one that others can read.
    pub fn load(path: &Path) -> Result<Self, EnvelopeKeyError> {
        let shown = path.display().to_string();
        let file = |cause| EnvelopeKeyError::File { path: shown.clone(), cause };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path).map_err(file)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(EnvelopeKeyError::Exposed { path: shown, mode });
            }
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(file)?);
        let key = from_hex(text.trim()).ok_or(EnvelopeKeyError::Malformed { path: shown })?;
        Ok(Self(key))
    }

    /// Writes the key to a new file of mode 0600; never overwrites.
    pub fn save_new(&self, path: &Path) -> Result<(), EnvelopeKeyError> {
        let file = |cause| EnvelopeKeyError::File { path: path.display().to_string(), cause };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut out = options.open(path).map_err(file)?;
        let hex: Zeroizing<String> =
            Zeroizing::new(self.0.iter().map(|byte| format!("{byte:02x}")).collect());
        std::io::Write::write_all(&mut out, hex.as_bytes()).map_err(file)?;
        out.sync_all().map_err(file)
    }

    /// Loads the key, or makes and saves one where the file does not exist yet.
    pub fn load_or_create(path: &Path, env: &Env) -> Result<Self, EnvelopeKeyError> {
        if path.exists() {
            return Self::load(path);
        }
        let key = Self::generate(env);
        key.save_new(path)?;
        Ok(key)
    }
}

fn from_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

/// A sealed value could not be opened: altered, moved to another place, or sealed under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value can't be opened: it was altered, or sealed under another envelope key")]
pub struct SealError;

/// Seals, opens and authenticates under one envelope key. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    env: Env,
    key: EnvelopeKey,
}

struct Len(usize);

impl hkdf::KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

impl Sealer {
    /// A sealer under this key.
    pub fn new(key: EnvelopeKey, env: Env) -> Self {
        Self { env, key }
    }

    /// Seals a value. `purpose` and `aad` (what the value belongs to) must be given again to open it.
    pub fn seal(&self, purpose: &str, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let salt: [u8; SALT] = bytes(&*self.env.rng);
        let key = self.aead(purpose, &salt)?;
        let mut sealed = Vec::with_capacity(1 + SALT + plaintext.len() + TAG);
        sealed.push(VERSION);
        sealed.extend_from_slice(&salt);
        let mut body = plaintext.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::from(aad), &mut body)
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens a sealed value.
    pub fn open(&self, purpose: &str, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError)?;
        if *version != VERSION || rest.len() < SALT + TAG {
            return Err(SealError);
        }
        let (salt, body) = rest.split_at(SALT);
        let key = self.aead(purpose, salt)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = key
            .open_in_place(Nonce::assume_unique_for_key([0; 12]), Aad::from(aad), &mut body)
            .map_err(|_| SealError)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// HMAC-SHA-256 of `data` under a key for `purpose`.
    pub fn mac(&self, purpose: &str, data: &[u8]) -> Result<[u8; 32], SealError> {
        let key = self.derive(&format!("mac {purpose}"), &[])?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), data);
        tag.as_ref().try_into().map_err(|_| SealError)
    }

    /// Whether `mac` is the MAC of `data`, in constant time.
    pub fn verify_mac(&self, purpose: &str, data: &[u8], mac: &[u8]) -> bool {
        self.derive(&format!("mac {purpose}"), &[])
            .is_ok_and(|key| hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &*key), data, mac).is_ok())
    }

    fn aead(&self, purpose: &str, salt: &[u8]) -> Result<LessSafeKey, SealError> {
        let key = self.derive(&format!("seal {purpose}"), salt)?;
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| SealError)?))
    }

    fn derive(&self, info: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(&*self.key.0)
            .expand(&[info.as_bytes()], Len(32))
            .and_then(|okm| okm.fill(&mut *key))
            .map_err(|_| SealError)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        let env = Env::system();
        Sealer::new(EnvelopeKey::generate(&env), env)
    }

    #[test]
    fn what_is_sealed_opens_only_for_the_same_purpose_and_place_and_key() {
        let sealer = sealer();
        let sealed = sealer.seal("seed", b"alice", b"the seed").unwrap();
        assert_eq!(&**sealer.open("seed", b"alice", &sealed).unwrap(), b"the seed");
        assert_eq!(sealer.open("key", b"alice", &sealed), Err(SealError));
        assert_eq!(sealer.open("seed", b"bob", &sealed), Err(SealError));
        assert_eq!(super::tests::sealer().open("seed", b"alice", &sealed), Err(SealError));
    }

    #[test]
    fn every_altered_or_truncated_byte_is_noticed() {
        let sealer = sealer();
        let sealed = sealer.seal("seed", b"", b"text").unwrap();
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(sealer.open("seed", b"", &altered), Err(SealError));
            assert_eq!(sealer.open("seed", b"", &sealed[..at]), Err(SealError));
        }
    }

    #[test]
    fn a_mac_holds_for_its_purpose_only() {
        let sealer = sealer();
        let mac = sealer.mac("step", b"data").unwrap();
        assert!(sealer.verify_mac("step", b"data", &mac));
        assert!(!sealer.verify_mac("step", b"date", &mac));
        assert!(!sealer.verify_mac("stop", b"data", &mac));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("envelope.key");
        let env = Env::system();
        EnvelopeKey::load_or_create(&path, &env).unwrap();
        EnvelopeKey::load(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = EnvelopeKey::load(&path).err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}

//! The forms of password hashes that other systems write, with bounds on what checking one may cost.

use std::num::NonZeroU32;

use argon2::password_hash::PasswordVerifier as _;
use argon2::{Argon2, PasswordHash};
use aws_lc_rs::{digest, pbkdf2};
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use subtle::ConstantTimeEq as _;

use super::{MEMORY, PASSES};

/// The dearest bcrypt: about a second.
const MOST_BCRYPT_COST: u32 = 14;
/// The most memory that one scrypt or argon2 may take, in bytes.
const MOST_MEMORY: u64 = 128 << 20;
/// The most memory that one scrypt or argon2 may go through in all its passes and lanes, in bytes.
const MOST_TRAFFIC: u64 = 1 << 30;
/// The most rounds of PBKDF2.
const MOST_ROUNDS: u32 = 2_000_000;
/// The longest hash text, in bytes.
const MOST_TEXT: usize = 512;
/// The shortest hash worth the name, in bytes: a shorter one fits many passwords.
const LEAST_DIGEST: usize = 16;
/// The longest hash and salt, in bytes.
const MOST_BYTES: usize = 64;
/// The shortest salt, in bytes.
const LEAST_SALT: usize = 4;

/// Why a hash is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No form that we know.
    #[error(
        "not a password hash that can be imported; the forms are argon2 ($argon2id$…), bcrypt ($2a$, $2b$, $2y$), scrypt \
         ($scrypt$…), PBKDF2 ($pbkdf2-sha256$…, {{PBKDF2-SHA256}}…) and salted SHA ({{SSHA}}, {{SSHA256}}, {{SSHA512}})"
    )]
    Unknown,
    /// Without salt: all are broken at once by a table.
    #[error("{0} hashes have no salt, so they protect nothing: let these people set a new password")]
    Unsalted(String),
    /// A form that we know, with a mistake in it.
    #[error("a malformed {form} hash: {reason}")]
    Malformed {
        /// `bcrypt`.
        form: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// Checking it would cost too much.
    #[error("this {form} hash costs too much to check: {cost}; allowed is {most}")]
    TooDear {
        /// `bcrypt`.
        form: &'static str,
        /// What it wants.
        cost: String,
        /// What it may.
        most: String,
    },
}

/// What checking a hash costs, by name: hashes of one shape cost the same. Ours has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shape {
    /// Algorithm, memory in KiB, passes, lanes.
    Argon2(Variant, u32, u32, u32),
    /// Cost.
    Bcrypt(u32),
    /// Logarithm of N, r, p.
    Scrypt(u8, u32, u32),
    /// Rounds, up to the next power of two.
    Pbkdf2(Prf, u32),
}

/// An argon2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Variant {
    Id,
    I,
    D,
}

/// The hash inside PBKDF2 or a salted SHA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Prf {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Prf {
    fn name(self) -> &'static str {
        match self {
            Prf::Sha1 => "sha1",
            Prf::Sha256 => "sha256",
            Prf::Sha384 => "sha384",
            Prf::Sha512 => "sha512",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Prf::Sha1, Prf::Sha256, Prf::Sha384, Prf::Sha512].into_iter().find(|prf| prf.name() == name)
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Prf::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Prf::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Prf::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
            Prf::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Prf::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Prf::Sha256 => &digest::SHA256,
            Prf::Sha384 => &digest::SHA384,
            Prf::Sha512 => &digest::SHA512,
        }
    }
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::Id => "argon2id",
            Variant::I => "argon2i",
            Variant::D => "argon2d",
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Argon2(variant, memory, passes, lanes) => {
                write!(f, "{}:{memory}:{passes}:{lanes}", variant.name())
            }
            Shape::Bcrypt(cost) => write!(f, "bcrypt:{cost}"),
            Shape::Scrypt(log_n, r, p) => write!(f, "scrypt:{log_n}:{r}:{p}"),
            Shape::Pbkdf2(prf, rounds) => write!(f, "pbkdf2-{}:{rounds}", prf.name()),
        }
    }
}

impl Shape {
    /// Does the work of checking a hash of this shape.
    pub(crate) fn work(&self, password: &[u8]) {
        let (salt, digest) = (vec![7; 16], vec![0; 32]);
        let hash = match self {
            Shape::Bcrypt(cost) => Hash::Bcrypt { text: nobodys_bcrypt(*cost), cost: *cost },
            Shape::Scrypt(log_n, r, p) => Hash::Scrypt { log_n: *log_n, r: *r, p: *p, salt, digest },
            Shape::Pbkdf2(prf, rounds) => Hash::Pbkdf2 { prf: *prf, rounds: *rounds, salt, digest },
            Shape::Argon2(variant, memory, passes, lanes) => {
                let shape = self.clone();
                Hash::Argon2 { text: nobodys_argon2(*variant, *memory, *passes, *lanes), shape: Some(shape) }
            }
        };
        // The salt and hash are of nobody; whatever comes out is no proof of anything.
        let _ = hash.is_of(password);
    }
}

fn nobodys_bcrypt(cost: u32) -> String {
    format!("$2b${cost:02}${}", ".".repeat(53))
}

fn nobodys_argon2(variant: Variant, memory: u32, passes: u32, lanes: u32) -> String {
    let (salt, digest) = ("A".repeat(22), "A".repeat(43));
    format!("${}$v=19$m={memory},t={passes},p={lanes}${salt}${digest}", variant.name())
}

/// A hash, read and found to be affordable.
#[derive(Clone, PartialEq)]
pub(crate) enum Hash {
    /// Any argon2; no shape where it is one of ours.
    Argon2 { text: String, shape: Option<Shape> },
    /// As `$2b$…`.
    Bcrypt { text: String, cost: u32 },
    /// scrypt.
    Scrypt { log_n: u8, r: u32, p: u32, salt: Vec<u8>, digest: Vec<u8> },
    /// PBKDF2.
    Pbkdf2 { prf: Prf, rounds: u32, salt: Vec<u8>, digest: Vec<u8> },
    /// SHA of password and salt: next to no work.
    Salted { prf: Prf, salt: Vec<u8>, digest: Vec<u8> },
}

impl Hash {
    /// Reads a hash.
    pub(crate) fn parse(text: &str) -> Result<Self, HashError> {
        let text = text.trim();
        if text.len() > MOST_TEXT || !text.is_ascii() {
            return Err(HashError::Unknown);
        }
        if let Some((scheme, rest)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            return Self::with_scheme(&scheme.to_ascii_lowercase(), rest);
        }
        let fields: Vec<&str> = text.split('$').collect();
        match fields.as_slice() {
            ["", "argon2id" | "argon2i" | "argon2d", ..] => argon2(text),
            ["", "2a" | "2b" | "2y", cost, rest] => bcrypt(cost, rest),
            ["", "scrypt", params, salt, digest] => scrypt_phc(params, salt, digest),
            ["", "s0", params, salt, digest] => scrypt_packed(params, salt, digest),
            // passlib: $pbkdf2-sha256$29000$salt$hash, $pbkdf2$ for SHA-1; PHC: $pbkdf2-sha256$i=29000,l=32$salt$hash
            ["", name, rounds, salt, digest] => {
                let prf = match name.strip_prefix("pbkdf2") {
                    Some("") => Prf::Sha1,
                    Some(prf) => prf.strip_prefix('-').and_then(Prf::parse).ok_or(HashError::Unknown)?,
                    None => return Err(HashError::Unknown),
                };
                pbkdf2(prf, rounds, decoded("PBKDF2", salt)?, digest)
            }
            // Django: pbkdf2_sha256$600000$salt$hash, its salt being text.
            [name, rounds, salt, digest] => {
                let prf = name.strip_prefix("pbkdf2_").and_then(Prf::parse).ok_or(HashError::Unknown)?;
                pbkdf2(prf, rounds, salt.as_bytes().to_vec(), digest)
            }
            _ => Err(HashError::Unknown),
        }
    }

    /// `{SCHEME}rest`, as directories and Spring write it.
    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, HashError> {
        match scheme {
            "sha" | "sha1" | "sha256" | "sha384" | "sha512" | "md5" => {
                Err(HashError::Unsalted(scheme.to_uppercase()))
            }
            "ssha" => salted(Prf::Sha1, rest),
            "ssha256" => salted(Prf::Sha256, rest),
            "ssha384" => salted(Prf::Sha384, rest),
            "ssha512" => salted(Prf::Sha512, rest),
            "scrypt" => match rest.split('$').collect::<Vec<&str>>().as_slice() {
                ["", params, salt, digest] => scrypt_packed(params, salt, digest),
                _ if rest.starts_with('$') => Self::parse(rest),
                _ => Err(HashError::Unknown),
            },
            "bcrypt" | "crypt" | "argon2" if rest.starts_with('$') => Self::parse(rest),
            _ => {
                let prf = match scheme.strip_prefix("pbkdf2") {
                    Some("") => Prf::Sha1,
                    Some(prf) => prf.strip_prefix('-').and_then(Prf::parse).ok_or(HashError::Unknown)?,
                    None => return Err(HashError::Unknown),
                };
                match rest.split('$').collect::<Vec<&str>>().as_slice() {
                    [rounds, salt, digest] => pbkdf2(prf, rounds, decoded("PBKDF2", salt)?, digest),
                    _ => Err(malformed("PBKDF2", "it is {PBKDF2-SHA256}rounds$salt$hash")),
                }
            }
        }
    }

    /// What checking costs; nothing where it is one of ours, or next to no work.
    pub(crate) fn shape(&self) -> Option<Shape> {
        match self {
            Hash::Argon2 { shape, .. } => shape.clone(),
            Hash::Bcrypt { cost, .. } => Some(Shape::Bcrypt(*cost)),
            Hash::Scrypt { log_n, r, p, .. } => Some(Shape::Scrypt(*log_n, *r, *p)),
            Hash::Pbkdf2 { prf, rounds, .. } => Some(Shape::Pbkdf2(*prf, rounds.next_power_of_two())),
            Hash::Salted { .. } => None,
        }
    }

    /// Whether it is one that we would make ourselves.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Hash::Argon2 { shape: None, .. })
    }

    /// Whether it is the hash of `password`.
    pub(crate) fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Hash::Argon2 { text, .. } => PasswordHash::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            // What bcrypt repeats until it has 72 bytes ends with a NUL, so one inside could look like an end.
            Hash::Bcrypt { text, .. } => {
                bcrypt::verify(password, text).unwrap_or(false) & !password.contains(&0)
            }
            Hash::Scrypt { log_n, r, p, salt, digest } => {
                let mut found = vec![0; digest.len()];
                let done = scrypt::Params::new(*log_n, *r, *p)
                    .is_ok_and(|params| scrypt::scrypt(password, salt, &params, &mut found).is_ok());
                done & bool::from(found.ct_eq(digest))
            }
            Hash::Pbkdf2 { prf, rounds, salt, digest } => {
                let found = derive(*prf, *rounds, salt, password, digest.len());
                // Up to the shape's rounds: two hashes of one shape can't be told apart.
                derive(*prf, rounds.next_power_of_two() - rounds, salt, password, digest.len());
                found.ct_eq(digest).into()
            }
            Hash::Salted { prf, salt, digest } => {
                let mut context = digest::Context::new(prf.digest());
                context.update(password);
                context.update(salt);
                context.finish().as_ref().ct_eq(digest).into()
            }
        }
    }
}

fn derive(prf: Prf, rounds: u32, salt: &[u8], password: &[u8], length: usize) -> Vec<u8> {
    let mut found = vec![0; length];
    if let Some(rounds) = NonZeroU32::new(rounds) {
        pbkdf2::derive(prf.pbkdf2(), rounds, salt, password, &mut found);
    }
    found
}

fn malformed(form: &'static str, reason: &'static str) -> HashError {
    HashError::Malformed { form, reason }
}

/// Base64 as all of them write it: with padding or without, `.` for `+`.
fn decoded(form: &'static str, text: &str) -> Result<Vec<u8>, HashError> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&STANDARD, LENIENT);
    let bytes = Engine::decode(&engine, text.replace('.', "+"));
    bytes.map_err(|_| malformed(form, "salt and hash are base64"))
}

fn checked_digest(form: &'static str, text: &str) -> Result<Vec<u8>, HashError> {
    let digest = decoded(form, text)?;
    if !(LEAST_DIGEST..=MOST_BYTES).contains(&digest.len()) {
        return Err(malformed(form, "a hash has 16 to 64 bytes"));
    }
    Ok(digest)
}

fn check_salt(form: &'static str, salt: &[u8]) -> Result<(), HashError> {
    if (LEAST_SALT..=MOST_BYTES).contains(&salt.len()) {
        return Ok(());
    }
    Err(malformed(form, "a salt has 4 to 64 bytes"))
}

fn check_memory(form: &'static str, memory: Option<u64>, traffic: Option<u64>) -> Result<(), HashError> {
    if memory.is_some_and(|m| m <= MOST_MEMORY) && traffic.is_some_and(|t| t <= MOST_TRAFFIC) {
        return Ok(());
    }
    let bytes = |count: Option<u64>| count.map_or("far more".to_owned(), |n| (n >> 20).to_string());
    Err(HashError::TooDear {
        form,
        cost: format!("{} MiB of memory, {} MiB in all passes", bytes(memory), bytes(traffic)),
        most: format!("{} MiB, {} MiB in all passes", MOST_MEMORY >> 20, MOST_TRAFFIC >> 20),
    })
}

fn argon2(text: &str) -> Result<Hash, HashError> {
    const FORM: &str = "argon2";
    let hash = PasswordHash::new(text).map_err(|_| malformed(FORM, "it is no PHC string"))?;
    let params = argon2::Params::try_from(&hash).map_err(|_| malformed(FORM, "m, t or p is wrong"))?;
    let whole = hash.salt.is_some() && hash.hash.as_ref().is_some_and(|hash| hash.len() >= LEAST_DIGEST);
    if !whole || !matches!(hash.version, Some(16 | 19)) {
        return Err(malformed(FORM, "it has a version (16 or 19), a salt, and a hash of 16 bytes or more"));
    }
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    let bytes = u64::from(memory) << 10;
    check_memory(FORM, Some(bytes), bytes.checked_mul(u64::from(passes)))?;
    if lanes > 16 {
        let cost = format!("{lanes} lanes");
        return Err(HashError::TooDear { form: FORM, cost, most: "16".to_owned() });
    }
    let variant = match text.split('$').nth(1) {
        Some("argon2id") => Variant::Id,
        Some("argon2i") => Variant::I,
        _ => Variant::D,
    };
    let ours = variant == Variant::Id
        && hash.version == Some(19)
        && (memory, passes, lanes) == (MEMORY, PASSES, 1)
        && hash.hash.as_ref().is_some_and(|hash| hash.len() == 32);
    let shape = (!ours).then_some(Shape::Argon2(variant, memory, passes, lanes));
    Ok(Hash::Argon2 { text: text.to_owned(), shape })
}

fn bcrypt(cost: &str, rest: &str) -> Result<Hash, HashError> {
    const FORM: &str = "bcrypt";
    let number: u32 = cost.parse().map_err(|_| malformed(FORM, "the cost is no number"))?;
    if cost.len() != 2 || number < 4 {
        return Err(malformed(FORM, "the cost has two digits and is at least 04"));
    }
    if number > MOST_BCRYPT_COST {
        let (cost, most) = (format!("cost {number}"), MOST_BCRYPT_COST.to_string());
        return Err(HashError::TooDear { form: FORM, cost, most });
    }
    let alphabet = |c: u8| c.is_ascii_alphanumeric() || c == b'.' || c == b'/';
    if rest.len() != 53 || !rest.bytes().all(alphabet) {
        return Err(malformed(FORM, "53 characters follow the cost"));
    }
    // 2a, 2b and 2y differ in mistakes that their authors made with texts of 8-bit characters or over 255 bytes, none
    // of which is repeated here.
    Ok(Hash::Bcrypt { text: format!("$2b${cost}${rest}"), cost: number })
}

fn scrypt_phc(params: &str, salt: &str, digest: &str) -> Result<Hash, HashError> {
    let (mut log_n, mut r, mut p) = (None, None, None);
    for param in params.split(',') {
        let (name, value) = param.split_once('=').ok_or(malformed("scrypt", "parameters are ln, r and p"))?;
        let value = value.parse::<u32>().map_err(|_| malformed("scrypt", "a parameter is no number"))?;
        match name {
            "ln" => log_n = Some(value),
            "r" => r = Some(value),
            "p" => p = Some(value),
            _ => return Err(malformed("scrypt", "parameters are ln, r and p")),
        }
    }
    match (log_n, r, p) {
        (Some(log_n), Some(r), Some(p)) => scrypt(log_n, r, p, salt, digest),
        _ => Err(malformed("scrypt", "parameters are ln, r and p")),
    }
}

/// Parameters as one hexadecimal number: logarithm of N, then r and p as a byte each (`e0801`).
fn scrypt_packed(params: &str, salt: &str, digest: &str) -> Result<Hash, HashError> {
    let packed = u32::from_str_radix(params, 16).map_err(|_| malformed("scrypt", "bad parameters"))?;
    scrypt(packed >> 16, (packed >> 8) & 255, packed & 255, salt, digest)
}

fn scrypt(log_n: u32, r: u32, p: u32, salt: &str, digest: &str) -> Result<Hash, HashError> {
    const FORM: &str = "scrypt";
    if log_n == 0 || r == 0 || p == 0 {
        return Err(malformed(FORM, "N is at least 2, r and p at least 1"));
    }
    let memory = 1_u64.checked_shl(log_n).and_then(|n| n.checked_mul(128)?.checked_mul(u64::from(r)));
    check_memory(FORM, memory, memory.and_then(|memory| memory.checked_mul(u64::from(p))))?;
    let log_n = u8::try_from(log_n).map_err(|_| malformed(FORM, "bad parameters"))?;
    let salt = decoded(FORM, salt)?;
    check_salt(FORM, &salt)?;
    Ok(Hash::Scrypt { log_n, r, p, salt, digest: checked_digest(FORM, digest)? })
}

fn pbkdf2(prf: Prf, params: &str, salt: Vec<u8>, digest: &str) -> Result<Hash, HashError> {
    const FORM: &str = "PBKDF2";
    let named = params.split(',').find_map(|param| param.strip_prefix("i="));
    let rounds = named.unwrap_or(params);
    let rounds: u64 = rounds.parse().map_err(|_| malformed(FORM, "the number of rounds is no number"))?;
    if rounds == 0 {
        return Err(malformed(FORM, "there is at least one round"));
    }
    let affordable = u32::try_from(rounds).ok().filter(|rounds| *rounds <= MOST_ROUNDS);
    let rounds = affordable.ok_or_else(|| HashError::TooDear {
        form: FORM,
        cost: format!("{rounds} rounds"),
        most: MOST_ROUNDS.to_string(),
    })?;
    check_salt(FORM, &salt)?;
    Ok(Hash::Pbkdf2 { prf, rounds, salt, digest: checked_digest(FORM, digest)? })
}

fn salted(prf: Prf, text: &str) -> Result<Hash, HashError> {
    let mut digest = decoded("salted SHA", text)?;
    let length = prf.digest().output_len();
    if digest.len() <= length {
        return Err(malformed("salted SHA", "the salt is missing, or the hash cut off"));
    }
    let salt = digest.split_off(length);
    check_salt("salted SHA", &salt)?;
    Ok(Hash::Salted { prf, salt, digest })
}

#[cfg(test)]
mod tests;

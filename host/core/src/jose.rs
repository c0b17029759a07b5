//! Signing keys and JWTs (RFC 7515, 7517, 7519).
//!
//! Signing uses key pairs parsed once; verification goes through `jsonwebtoken`, plus the checks it leaves out: `typ`,
//! `crit`, `nbf`, `iat`, and time from our own clock.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::time::Timestamp;

/// Chooses the process's JOSE provider. First thing in `main`; harmless when called again.
pub fn install_crypto_provider() {
    // An error says that one is installed already.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

/// A signature algorithm (RFC 7518 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048-bit keys.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256, 2048-bit keys.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519 (RFC 8037).
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The name in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn of_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// A key operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// A key could not be made, read or used.
    #[error("the {0} key can't be used: {1}")]
    Key(&'static str, &'static str),
    /// The claims are no JSON object.
    #[error("the claims can't be written as JSON")]
    Claims,
}

/// Why a JWT was not accepted. Told to nobody but the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtRefused {
    /// Not three parts of JSON, or not JSON objects.
    #[error("not a JWT")]
    Malformed,
    /// `alg` is not among those allowed for the key named by `kid`.
    #[error("algorithm or key not accepted")]
    Key,
    /// `typ` is another.
    #[error("the typ header is not {0}")]
    Type(String),
    /// `crit` names something.
    #[error("the crit header names an extension")]
    Critical,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// `exp` is missing or over, or `nbf` or `iat` are in the future.
    #[error("not valid at this time ({0})")]
    Time(&'static str),
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn signature::RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A private key, ready to sign.
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
    public: Value,
    kid: String,
}

impl SigningKey {
    /// A new key. RSA takes 0.1 s and more: never on a request path.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, JoseError> {
        let failed = |_| JoseError::Key(algorithm.name(), "generation failed");
        let pkcs8 = match algorithm {
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).map_err(failed)?;
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            SigningAlgorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
                Zeroizing::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())
            }
            SigningAlgorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
                Zeroizing::new(pkcs8.as_ref().to_vec())
            }
        };
        Self::from_pkcs8(algorithm, &pkcs8)
    }

    /// Reads a key.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Self, JoseError> {
        let rejected = |_| JoseError::Key(algorithm.name(), "not a PKCS#8 key of this algorithm");
        let (pair, public) = match algorithm {
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
                let encoding: &'static dyn signature::RsaEncoding = match algorithm {
                    SigningAlgorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?;
                let (n, e) = {
                    let key = pair.public_key();
                    (
                        key.modulus().big_endian_without_leading_zero().to_vec(),
                        key.exponent().big_endian_without_leading_zero().to_vec(),
                    )
                };
                let public =
                    json!({ "e": URL_SAFE_NO_PAD.encode(e), "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n) });
                (Pair::Rsa(pair, encoding), public)
            }
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(rejected)?;
                let point = pair.public_key().as_ref().to_vec();
                let (x, y) = point
                    .strip_prefix(&[4])
                    .and_then(|xy| xy.split_at_checked(32))
                    .ok_or(JoseError::Key("ES256", "the public point is not uncompressed"))?;
                let public = json!({
                    "crv": "P-256", "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
                });
                (Pair::Ec(pair), public)
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(rejected)?;
                let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
                (Pair::Ed(pair), json!({ "crv": "Ed25519", "kty": "OKP", "x": x }))
            }
        };
        let kid = thumbprint(&public);
        Ok(Self { algorithm, pair, pkcs8: Zeroizing::new(pkcs8.to_vec()), public, kid })
    }

    /// The private key, to be sealed.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Its id: the RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK, for the JWKS document.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("alg".to_owned(), self.algorithm.name().into());
            members.insert("kid".to_owned(), self.kid.clone().into());
            members.insert("use".to_owned(), "sig".into());
        }
        jwk
    }

    /// A signed JWT in compact form.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, JoseError> {
        let header = json!({ "alg": self.algorithm.name(), "kid": self.kid, "typ": typ });
        let claims = serde_json::to_vec(claims).map_err(|_| JoseError::Claims)?;
        let mut jwt =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(jwt.as_bytes())?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let failed = |_| JoseError::Key(self.algorithm.name(), "signing failed");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut out).map_err(failed)?;
                Ok(out)
            }
            Pair::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ec(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
        }
    }
}

/// RFC 7638: SHA-256 of the required members in lexical order. The members above are written in that order.
fn thumbprint(public: &Value) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public.to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// What a JWT must be to be accepted.
pub struct Expected<'a> {
    /// Accepted `typ` headers, without `application/`; an empty one accepts a JWT that has none.
    pub typ: &'a [&'a str],
    /// Accepted algorithms.
    pub algorithms: &'a [SigningAlgorithm],
    /// Whether a JWT without `kid` is refused. Otherwise it is accepted where exactly one key fits.
    pub kid_required: bool,
    /// The time of the check.
    pub now: Timestamp,
    /// Seconds of tolerance on `nbf`, `iat` and `exp`.
    pub skew: i64,
    /// Accept it although its time is over: an `id_token_hint` (OpenID Connect RP-Initiated Logout section 2).
    pub expired_too: bool,
}

/// Longer JWTs are not looked at, in bytes.
const MAX_JWT: usize = 64 * 1024;

/// The `kid` that a JWT names; nothing is verified.
pub fn kid(jwt: &str) -> Result<Option<String>, JwtRefused> {
    if jwt.len() > MAX_JWT {
        return Err(JwtRefused::Malformed);
    }
    let header = strict_object(jwt.split('.').next().unwrap_or_default())?;
    kid_of(&header).map(|kid| kid.map(str::to_owned))
}

fn kid_of(header: &Value) -> Result<Option<&str>, JwtRefused> {
    header.get("kid").map(|kid| kid.as_str().ok_or(JwtRefused::Malformed)).transpose()
}

/// Verifies a JWT against a JWKS document; answers its claims. Issuer and audience are the caller's to check. Only the
/// keys of `jwks` count: `jku`, `jwk`, `x5u` and `x5c` headers are never looked at.
pub fn verify(jwt: &str, jwks: &Value, expected: &Expected<'_>) -> Result<Value, JwtRefused> {
    if jwt.len() > MAX_JWT {
        return Err(JwtRefused::Malformed);
    }
    let mut parts = jwt.split('.');
    let (Some(header), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(JwtRefused::Malformed);
    };
    let header = strict_object(header)?;
    let claims = strict_object(payload)?;
    if header.get("crit").is_some() {
        return Err(JwtRefused::Critical);
    }
    let typ = header.get("typ").map_or(Some(""), Value::as_str).ok_or(JwtRefused::Malformed)?;
    let bare = typ.strip_prefix("application/").unwrap_or(typ);
    if !expected.typ.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
        return Err(JwtRefused::Type(expected.typ.join(", ")));
    }
    let named = header.get("alg").and_then(Value::as_str).ok_or(JwtRefused::Key)?;
    let algorithm = expected.algorithms.iter().find(|algorithm| algorithm.name() == named);
    let algorithm = *algorithm.ok_or(JwtRefused::Key)?;
    let kid = kid_of(&header)?;
    if kid.is_none() && expected.kid_required {
        return Err(JwtRefused::Key);
    }
    let key = find_key(jwks, kid, algorithm).ok_or(JwtRefused::Key)?;
    let (message, signature) = jwt.rsplit_once('.').ok_or(JwtRefused::Malformed)?;
    let right =
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm.of_jsonwebtoken());
    if !right.unwrap_or(false) {
        return Err(JwtRefused::Signature);
    }
    check_times(&claims, expected)?;
    Ok(claims)
}

/// One part of a JWT: a JSON object in base64url in which no name stands twice.
fn strict_object(part: &str) -> Result<Value, JwtRefused> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtRefused::Malformed)?;
    let Strict(value) = serde_json::from_slice(&bytes).map_err(|_| JwtRefused::Malformed)?;
    if value.is_object() { Ok(value) } else { Err(JwtRefused::Malformed) }
}

/// JSON in which a name that stands twice in one object is an error.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> serde::de::Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut found = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            found.push(item);
        }
        Ok(Value::Array(found))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut found = serde_json::Map::new();
        while let Some((name, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if found.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(found))
    }
}

/// The key that the header names; without a name the only one that fits.
fn find_key(
    jwks: &Value,
    kid: Option<&str>,
    algorithm: SigningAlgorithm,
) -> Option<jsonwebtoken::DecodingKey> {
    let mut fitting = jwks.get("keys")?.as_array()?.iter().filter(|key| {
        (kid.is_none() || key.get("kid").and_then(Value::as_str) == kid)
            && key.get("alg").and_then(Value::as_str).is_none_or(|alg| alg == algorithm.name())
            && key.get("use").and_then(Value::as_str).is_none_or(|use_| use_ == "sig")
            && fits(key, algorithm)
    });
    let key = fitting.next()?;
    if kid.is_none() && fitting.next().is_some() {
        return None;
    }
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => {
            jsonwebtoken::DecodingKey::from_rsa_components(text("n")?, text("e")?).ok()
        }
        SigningAlgorithm::Es256 => jsonwebtoken::DecodingKey::from_ec_components(text("x")?, text("y")?).ok(),
        SigningAlgorithm::EdDsa => jsonwebtoken::DecodingKey::from_ed_components(text("x")?).ok(),
    }
}

/// Whether a key is of the algorithm's type.
fn fits(key: &Value, algorithm: SigningAlgorithm) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => text("kty") == Some("RSA"),
        SigningAlgorithm::Es256 => (text("kty"), text("crv")) == (Some("EC"), Some("P-256")),
        SigningAlgorithm::EdDsa => (text("kty"), text("crv")) == (Some("OKP"), Some("Ed25519")),
    }
}

/// A NumericDate, which may have a fraction (RFC 7519 section 2).
pub fn seconds(value: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates, and such times are refused anyway"
    )]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
}

fn check_times(claims: &Value, expected: &Expected<'_>) -> Result<(), JwtRefused> {
    let now = expected.now.seconds();
    let number = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or(JwtRefused::Time(name)),
    };
    let exp = number("exp")?.ok_or(JwtRefused::Time("exp"))?;
    if !expected.expired_too && exp.saturating_add(expected.skew) <= now {
        return Err(JwtRefused::Time("exp"));
    }
    for name in ["nbf", "iat"] {
        if number(name)?.is_some_and(|time| time > now.saturating_add(expected.skew)) {
            return Err(JwtRefused::Time(name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn expected<'a>(typ: &'a [&'a str], algorithms: &'a [SigningAlgorithm]) -> Expected<'a> {
        Expected { typ, algorithms, kid_required: true, now: NOW, skew: 10, expired_too: false }
    }

    fn claims(exp: i64) -> Value {
        json!({ "sub": "alice", "exp": NOW.seconds() + exp, "iat": NOW.seconds() })
    }

    #[test]
    fn what_is_signed_verifies_with_the_published_key_also_after_a_round_trip() {
        install_crypto_provider();
        for algorithm in SigningAlgorithm::ALL {
            let made = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pkcs8(algorithm, made.pkcs8()).unwrap();
            assert_eq!(made.kid(), key.kid());
            let jwt = key.sign("JWT", &claims(60)).unwrap();
            let jwks = json!({ "keys": [made.jwk()] });
            assert_eq!(verify(&jwt, &jwks, &expected(&["JWT"], &[algorithm])).unwrap()["sub"], "alice");
        }
    }

    #[test]
    fn wrong_type_algorithm_key_signature_and_time_are_refused() {
        install_crypto_provider();
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let other = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let jwks = json!({ "keys": [key.jwk()] });
        let es = [SigningAlgorithm::Es256];
        let jwt = key.sign("JWT", &claims(60)).unwrap();
        assert_eq!(
            verify(&jwt, &jwks, &expected(&["at+jwt"], &es)),
            Err(JwtRefused::Type("at+jwt".to_owned()))
        );
        assert_eq!(
            verify(&jwt, &jwks, &expected(&["JWT"], &[SigningAlgorithm::Rs256])),
            Err(JwtRefused::Key)
        );
        assert_eq!(
            verify(&jwt, &json!({ "keys": [other.jwk()] }), &expected(&["JWT"], &es)),
            Err(JwtRefused::Key)
        );
        let mut forged = other.jwk();
        forged["kid"] = key.kid().into();
        assert_eq!(
            verify(&jwt, &json!({ "keys": [forged] }), &expected(&["JWT"], &es)),
            Err(JwtRefused::Signature)
        );
        for (exp, name) in [(-10, "exp"), (-3600, "exp")] {
            let jwt = key.sign("JWT", &claims(exp)).unwrap();
            assert_eq!(verify(&jwt, &jwks, &expected(&["JWT"], &es)), Err(JwtRefused::Time(name)));
        }
        let future = json!({ "exp": NOW.seconds() + 600, "nbf": NOW.seconds() + 60 });
        let jwt = key.sign("JWT", &future).unwrap();
        assert_eq!(verify(&jwt, &jwks, &expected(&["JWT"], &es)), Err(JwtRefused::Time("nbf")));
    }

    #[test]
    fn an_unknown_critical_header_is_refused() {
        install_crypto_provider();
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let header = json!({ "alg": "ES256", "kid": key.kid(), "typ": "JWT", "crit": ["x"], "x": 1 });
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims(60).to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(key.signature(message.as_bytes()).unwrap());
        let refused = verify(
            &format!("{message}.{signature}"),
            &json!({ "keys": [key.jwk()] }),
            &expected(&["JWT"], &[SigningAlgorithm::Es256]),
        );
        assert_eq!(refused, Err(JwtRefused::Critical));
    }

    #[test]
    fn a_key_is_chosen_by_its_name_or_because_it_is_the_only_one_that_fits() {
        install_crypto_provider();
        let key = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let other = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let ed = SigningKey::generate(SigningAlgorithm::EdDsa).unwrap();
        let es = [SigningAlgorithm::Es256];
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#),
            URL_SAFE_NO_PAD.encode(claims(60).to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(key.signature(message.as_bytes()).unwrap());
        let nameless = format!("{message}.{signature}");
        let lenient = Expected { kid_required: false, ..expected(&["JWT"], &es) };
        assert!(verify(&nameless, &json!({ "keys": [key.jwk(), ed.jwk()] }), &lenient).is_ok());
        let both = json!({ "keys": [key.jwk(), other.jwk()] });
        assert_eq!(verify(&nameless, &both, &lenient), Err(JwtRefused::Key));
        let one = json!({ "keys": [key.jwk()] });
        assert_eq!(verify(&nameless, &one, &expected(&["JWT"], &es)), Err(JwtRefused::Key));
        let encryption = json!({ "keys": [{ "use": "enc", "kty": "EC", "crv": "P-256", "kid": key.kid() }] });
        assert_eq!(
            verify(&key.sign("JWT", &claims(60)).unwrap(), &encryption, &lenient),
            Err(JwtRefused::Key)
        );
    }

    #[test]
    fn tricks_with_headers_and_json_are_refused() {
        install_crypto_provider();
        let key = SigningKey::generate(SigningAlgorithm::Rs256).unwrap();
        let jwks = json!({ "keys": [key.jwk()] });
        let all = SigningAlgorithm::ALL;
        let forge = |header: &str, claims: &str, signature: &str| {
            let (header, claims) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            verify(&format!("{header}.{claims}.{signature}"), &jwks, &expected(&["JWT"], &all))
        };
        let good = claims(60).to_string();
        let kid = key.kid();
        for alg in ["none", "None", "HS256", "RS512", "rs256", ""] {
            let header = format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#);
            assert_eq!(forge(&header, &good, ""), Err(JwtRefused::Key), "{alg}");
        }
        for header in [
            format!(r#"{{"alg":"RS256","alg":"none","typ":"JWT","kid":"{kid}"}}"#),
            r#"["RS256"]"#.to_owned(),
            format!(r#"{{"alg":"RS256","typ":"JWT","kid":["{kid}"]}}"#),
            format!(r#"{{"alg":"RS256","typ":1,"kid":"{kid}"}}"#),
        ] {
            assert_eq!(forge(&header, &good, ""), Err(JwtRefused::Malformed), "{header}");
        }
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{kid}"}}"#);
        for claims in [r#"{"exp":1,"exp":99999999999}"#, r#"{"a":{"b":1,"b":2}}"#, "[]", "1", ""] {
            assert_eq!(forge(&header, claims, ""), Err(JwtRefused::Malformed), "{claims}");
        }
        assert_eq!(forge(&header, &good, "AAAA"), Err(JwtRefused::Signature));
        for kid in ["../../etc/passwd", "' OR 1=1 --", &"x".repeat(10_000)] {
            let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{kid}"}}"#);
            assert_eq!(forge(&header, &good, ""), Err(JwtRefused::Key));
        }
        let own = format!(
            r#"{{"alg":"RS256","typ":"JWT","kid":"x","jwk":{},"jku":"https://evil.example"}}"#,
            key.jwk()
        );
        assert_eq!(forge(&own, &good, ""), Err(JwtRefused::Key), "a key in the header counts for nothing");
        for text in ["", ".", "..", "a.b", "a.b.c.d", &"a".repeat(70_000)] {
            assert_eq!(verify(text, &jwks, &expected(&["JWT"], &all)), Err(JwtRefused::Malformed));
        }
    }

    #[test]
    fn the_thumbprint_is_that_of_the_example_in_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = json!({ "e": "AQAB", "kty": "RSA", "n": n });
        assert_eq!(thumbprint(&key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}

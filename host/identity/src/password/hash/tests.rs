use proptest::prelude::*;

use super::*;

const PASSWORD: &[u8] = b"correct horse";

/// Made by other programs: OpenSSL's PBKDF2, scrypt and SHA through Python, bcrypt by libxcrypt, argon2i from the
/// reference implementation's documentation.
const IMPORTED: &[(&str, Option<&str>)] = &[
    ("$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC", Some("bcrypt:6")),
    ("$2a$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC", Some("bcrypt:6")),
    ("$2y$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC", Some("bcrypt:6")),
    ("{bcrypt}$2a$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC", Some("bcrypt:6")),
    ("{CRYPT}$2y$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC", Some("bcrypt:6")),
    (
        "$pbkdf2-sha256$29000$c2FsdHNhbHRzYWx0c2FsdA$wdimsZz82dUhh09vxCX.tZ6CiAyYHJSfs9wD5qYnfzg",
        Some("pbkdf2-sha256:32768"),
    ),
    (
        "$pbkdf2-sha512$i=1000,l=64$c2FsdHNhbHRzYWx0c2FsdA$EHLBej+uEvxlmr0QnHnceg1vM6h1wbwSP5XErh3SmizNDWZsIi28RPGARe0E\
         ssjGRoiACzxgHjNvqwJY1zxKig",
        Some("pbkdf2-sha512:1024"),
    ),
    (
        "{PBKDF2-SHA256}10000$c2FsdHNhbHRzYWx0c2FsdA$M5fgfTQFdt/UZ9ItXSpJUbfh.t3SP1e/381emb1bpCs",
        Some("pbkdf2-sha256:16384"),
    ),
    ("{PBKDF2}10000$c2FsdHNhbHRzYWx0c2FsdA$gDFfgm8HrERTOgVL7s/ItS.fLqY", Some("pbkdf2-sha1:16384")),
    ("pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=", Some("pbkdf2-sha256:1024")),
    (
        "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$A9lBa6RTbfBovWqamVIqXKovIl4Vk6OZyVojLJmYmSI",
        Some("scrypt:10:8:1"),
    ),
    (
        "$s0$a0801$c2FsdHNhbHRzYWx0c2FsdA==$A9lBa6RTbfBovWqamVIqXKovIl4Vk6OZyVojLJmYmSI=",
        Some("scrypt:10:8:1"),
    ),
    (
        "{scrypt}$a0801$c2FsdHNhbHRzYWx0c2FsdA==$A9lBa6RTbfBovWqamVIqXKovIl4Vk6OZyVojLJmYmSI=",
        Some("scrypt:10:8:1"),
    ),
    ("{SSHA}awc/Cj0kafyFd5d8fGn07xoHBJJzYWx0c2FsdA==", None),
    ("{ssha256}YflVcOMs6k7tbGkQbQNVn6/ehAnUAVltiLPKHBWGi2tzYWx0c2FsdA==", None),
    (
        "{SSHA512}50rsRNBf8j3I5xE+QwaHdFyMhOzITssZ8BB3UxwQ+SI1JKygYm6ZeRYTDuUyFZIIqDonoTuXwB0Z/MAPhgQCFHNhbHRzYWx0",
        None,
    ),
];

#[test]
fn hashes_of_other_systems_are_those_of_their_passwords_and_of_no_other() {
    for (text, shape) in IMPORTED {
        let hash = Hash::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(hash.is_of(PASSWORD), "{text}");
        assert!(!hash.is_of(b"correct horsf") && !hash.is_of(b""), "{text}");
        assert_eq!(hash.shape().map(|shape| shape.to_string()).as_deref(), *shape, "{text}");
        assert!(!hash.is_ours());
    }
    let other = "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG";
    for text in [other.to_owned(), format!("{{ARGON2}}{other}")] {
        let hash = Hash::parse(&text).unwrap();
        assert!(hash.is_of(b"password") && !hash.is_of(b"Password"));
        assert_eq!(hash.shape().unwrap().to_string(), "argon2i:65536:2:4");
    }
}

#[test]
fn hashes_that_cost_too_much_are_refused_with_what_is_allowed() {
    let b64 = "c2FsdHNhbHRzYWx0c2FsdA";
    let bcrypt = format!("$2b$31${}", "a".repeat(53));
    let dear = [
        (bcrypt, "cost 31; allowed is 14"),
        (format!("$scrypt$ln=30,r=8,p=1${b64}${b64}"), "1048576 MiB"),
        (format!("$scrypt$ln=63,r=4294967295,p=4294967295${b64}${b64}"), "far more MiB"),
        (format!("$scrypt$ln=16,r=8,p=255${b64}${b64}"), "in all passes"),
        (format!("$s0$1effff${b64}${b64}"), "MiB"),
        (format!("$pbkdf2-sha256$1000000000${b64}${b64}"), "1000000000 rounds; allowed is 2000000"),
        (format!("{{PBKDF2-SHA512}}99999999999999${b64}${b64}"), "rounds"),
        (format!("$argon2id$v=19$m=4194304,t=1,p=1${b64}${b64}"), "4096 MiB of memory"),
        (format!("$argon2id$v=19$m=65536,t=4000,p=1${b64}${b64}"), "in all passes"),
        (format!("$argon2id$v=19$m=65536,t=1,p=200${b64}${b64}"), "200 lanes"),
    ];
    for (text, reason) in dear {
        match Hash::parse(&text) {
            Err(error @ HashError::TooDear { .. }) => {
                assert!(error.to_string().contains(reason), "{text}: {error}");
            }
            Err(error) => panic!("{text}: {error}"),
            Ok(_) => panic!("{text} was taken"),
        }
    }
}

#[test]
fn hashes_without_salt_and_what_is_no_hash_are_refused_with_a_reason() {
    let sha = Hash::parse("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=").err().unwrap();
    assert!(sha.to_string().contains("no salt"), "{sha}");
    for text in [
        "",
        "plain",
        "$2b$12$x",
        "$2x$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC",
        "$6$salt$hash",
        "{SSHA}",
        "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
        "{SSHA}!!",
        "{MD5}x",
        "{CRYPT}ab1234567",
        "{X",
        "{}",
        "$$$$",
        "$scrypt$$$",
        "$scrypt$ln=10,r=8$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$s0$zz$a$b",
        "$pbkdf2-sha256$0$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
        "$pbkdf2-md5$10$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
        "$pbkdf2-sha256$10$c2FsdHNhbHQ$c2Fs",
        "$pbkdf2-sha256$-1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRz",
        "pbkdf2_sha256$$$",
        "$2b$99$é",
    ] {
        assert!(Hash::parse(text).is_err(), "{text:?} was taken");
    }
    assert!(Hash::parse(&"$".repeat(100_000)).is_err());
}

#[test]
fn the_work_of_a_shape_is_that_of_a_real_hash() {
    // What nobody's hashes are made of is read like any other, so checking them does the work.
    assert!(matches!(Hash::parse(&nobodys_bcrypt(5)), Ok(Hash::Bcrypt { cost: 5, .. })));
    let argon2 = Hash::parse(&nobodys_argon2(Variant::I, 64, 1, 1)).unwrap();
    assert_eq!(argon2.shape(), Some(Shape::Argon2(Variant::I, 64, 1, 1)));
    for shape in [Shape::Scrypt(4, 8, 1), Shape::Pbkdf2(Prf::Sha512, 16)] {
        shape.work(PASSWORD);
    }
}

#[test]
fn bcrypt_looks_at_72_bytes_and_at_every_letter_as_it_always_did() {
    let long = Hash::parse("$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe").unwrap();
    let cut = "a".repeat(72);
    assert!(long.is_of("a".repeat(80).as_bytes()) && long.is_of(format!("{cut}b").as_bytes()));
    assert!(!long.is_of("a".repeat(71).as_bytes()));
    let umlauts = Hash::parse("$2y$04$abcdefghijklmnopqrstuubruKkXMfLn.l3WIPLWOzv2Ez/pRsb6q").unwrap();
    assert!(umlauts.is_of("äöü".as_bytes()) && !umlauts.is_of("aou".as_bytes()));
    let empty = Hash::parse("$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq").unwrap();
    assert!(empty.is_of(b"") && !empty.is_of(b"\0"));
}

proptest! {
    #[test]
    fn any_text_is_read_as_what_can_be_afforded_or_refused(text in r"(\PC{0,80}|[${}a-zA-Z0-9+/.,=_-]{0,120})") {
        let _ = Hash::parse(&text).map(|hash| hash.shape());
    }

    #[test]
    fn a_hash_with_any_one_byte_changed_is_read_or_refused(which in 0..IMPORTED.len(), at in 0..200_usize, byte in any::<u8>()) {
        let mut bytes = IMPORTED[which].0.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Hash::parse(&text).map(|hash| hash.shape());
        }
    }
}

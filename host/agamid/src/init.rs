//! `agamid init`: what a new server starts with.

use std::path::{Path, PathBuf};

use agamid_core::Env;
use agamid_core::seal::EnvelopeKey;

use crate::{out, seed_hash};

/// Characters of the administrator's password: no two look alike.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY34679";
/// Its length.
const LENGTH: usize = 20;

/// Fills a folder; never overwrites.
pub(crate) async fn init(dir: PathBuf) -> Result<(), String> {
    let env = Env::system();
    let config = dir.join("agamid.toml");
    if config.exists() {
        return Err(format!("{} exists already; init never overwrites", config.display()));
    }
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap_or(path))
            .and_then(|()| std::fs::OpenOptions::new().write(true).create_new(true).open(path))
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|error| format!("{}: {error}", path.display()))
    };
    let key = dir.join("data/envelope.key");
    std::fs::create_dir_all(dir.join("data")).map_err(|error| format!("{}: {error}", dir.display()))?;
    if !key.exists() {
        EnvelopeKey::generate(&env).save_new(&key).map_err(|error| error.to_string())?;
    }
    let flow = dir.join("flows/login");
    write(&flow.join("project.json"), PROJECT)?;
    write(&flow.join("code/login.password.flow"), FLOW)?;
    write(&flow.join("web/login/password.html"), PAGE)?;
    let password = password(&env);
    write(&config, &CONFIG.replace("@HASH@", &seed_hash(&env, &password)?))?;
    out::line(&format!("wrote {}", config.display()));
    out::line(&format!("wrote {} (keep a copy of it apart from the data)", key.display()));
    out::line(&format!("wrote {}", flow.display()));
    out::line("the first administrator; the password is shown only now:");
    out::line("  username  admin");
    out::line(&format!("  password  {password}"));
    out::line(&format!("start: cd {} && agamid serve", dir.display()));
    Ok(())
}

fn password(env: &Env) -> String {
    let mut password = String::with_capacity(LENGTH);
    while password.len() < LENGTH {
        let [byte] = agamid_core::random::bytes::<1>(&*env.rng);
        // Bytes beyond the last whole multiple are drawn again, so that each character is equally likely.
        let whole = 256 - 256 % ALPHABET.len();
        if usize::from(byte) < whole
            && let Some(c) = ALPHABET.get(usize::from(byte) % ALPHABET.len())
        {
            password.push(char::from(*c));
        }
    }
    password
}

const CONFIG: &str = include_str!("init/agamid.toml");
const PROJECT: &str = include_str!("init/project.json");
const FLOW: &str = include_str!("init/login.password.flow");
const PAGE: &str = include_str!("../../../flows/demo/web/demo/password.html");

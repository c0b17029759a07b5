//! A paused run: what is sealed, and the token that a page must send back.

use agama_lang::state::State;
use agamid_core::seal::{SealError, Sealer};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::ports::Proof;
use crate::records::RunRecord;

/// What a paused run keeps, out of everybody's reach.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Paused {
    /// [`State::encode`].
    pub(crate) state: Vec<u8>,
    /// Who was proved to be here.
    pub(crate) ledger: Vec<Proof>,
    /// Fields of the page shown whose values are secret.
    pub(crate) secret_fields: Vec<String>,
}

/// A saved run can't go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PausedError {
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error("the saved run can't be read: {0}")]
    Unreadable(String),
    #[error(transparent)]
    State(#[from] agama_lang::state::StateError),
}

const PURPOSE: &str = "run";

fn place(run: &RunRecord) -> Vec<u8> {
    format!("{}/{}/{}", run.id, run.step, run.release).into_bytes()
}

/// Seals a pause for the run's current step.
pub(crate) fn seal(sealer: &Sealer, run: &RunRecord, paused: &Paused) -> Result<String, PausedError> {
    let bytes = postcard::to_stdvec(paused).map_err(|error| PausedError::Unreadable(error.to_string()))?;
    Ok(STANDARD.encode(sealer.seal(PURPOSE, &place(run), &bytes)?))
}

/// Opens the pause of a run, as it was stored.
pub(crate) fn open(sealer: &Sealer, run: &RunRecord) -> Result<(State, Paused), PausedError> {
    let sealed = STANDARD.decode(&run.sealed).map_err(|error| PausedError::Unreadable(error.to_string()))?;
    let bytes = sealer.open(PURPOSE, &place(run), &sealed)?;
    let paused: Paused =
        postcard::from_bytes(&bytes).map_err(|error| PausedError::Unreadable(error.to_string()))?;
    let state = State::decode(&paused.state)?;
    Ok((state, paused))
}

/// Which step a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFits {
    /// The current one.
    Now,
    /// The one before: a double click.
    JustBefore,
    /// An older one: a stale tab.
    Earlier,
    /// None of this run in this browser.
    Never,
}

fn token_data(run: &RunRecord, step: u64) -> Vec<u8> {
    format!("{}/{step}/{}", run.id, run.browser).into_bytes()
}

/// The token of the run's current step: HMAC over run, step and browser.
pub(crate) fn token(sealer: &Sealer, run: &RunRecord) -> Result<String, SealError> {
    Ok(URL_SAFE_NO_PAD.encode(sealer.mac("step", &token_data(run, run.step))?))
}

/// How a token that a form brings fits the run.
pub(crate) fn token_fits(sealer: &Sealer, run: &RunRecord, token: &str) -> TokenFits {
    let Ok(mac) = URL_SAFE_NO_PAD.decode(token) else { return TokenFits::Never };
    let fits = |step: u64| sealer.verify_mac("step", &token_data(run, step), &mac);
    if fits(run.step) {
        TokenFits::Now
    } else if run.step > 0 && fits(run.step - 1) {
        TokenFits::JustBefore
    } else if (0..run.step.saturating_sub(1)).rev().take(100).any(fits) {
        TokenFits::Earlier
    } else {
        TokenFits::Never
    }
}

/// Names of a page's fields whose values must stay secret: passwords and one-time codes. HTML in any of its spellings:
/// upper case, quotes of either kind or none.
pub(crate) fn secret_fields(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = html.to_ascii_lowercase();
    for (at, _) in lower.match_indices("<input") {
        let attributes = attributes(html.get(at + "<input".len()..).unwrap_or_default());
        let value = |name: &str| {
            attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        let secret = value("type").is_some_and(|kind| kind.eq_ignore_ascii_case("password"))
            || value("autocomplete").is_some_and(|hint| hint.to_ascii_lowercase().contains("one-time-code"));
        if let (true, Some(name)) = (secret, value("name")) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The attributes of a tag, up to its end.
pub(crate) fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = tag.trim_start();
    while !rest.is_empty() && !rest.starts_with('>') {
        let end = rest.find(|c: char| c == '=' || c == '>' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            // A slash, or an attribute without a value.
            found.push((name.to_owned(), String::new()));
            rest = if end == 0 { after.get(1..).unwrap_or_default() } else { after };
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = value.get(1..).unwrap_or_default();
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            _ => value.split_at(value.find(|c: char| c == '>' || c.is_whitespace()).unwrap_or(value.len())),
        };
        found.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::secret_fields;

    #[test]
    fn secret_fields_are_found_however_the_page_writes_them() {
        for tag in [
            r#"<input type="password" name="x">"#,
            "<input name=x type=password>",
            "<INPUT NAME='x' TYPE='PASSWORD'/>",
            "<input\n  value=\"a > b\"\n  type = \"password\"\n  name = \"x\">",
            r#"<input required autocomplete="section-a one-time-code" name="x">"#,
        ] {
            assert_eq!(secret_fields(tag), ["x"], "{tag}");
        }
        for tag in [
            "<input name=x>",
            "<p>type=password name=x</p>",
            "<input name=x type=text> type=password",
            "<input",
        ] {
            assert!(secret_fields(tag).is_empty(), "{tag}");
        }
    }
}

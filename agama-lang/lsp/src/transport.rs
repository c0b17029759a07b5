//! Messages over a pair of streams. A message that is no JSON is answered with an error; the next one is read as if
//! nothing had been.

use std::io::{self, BufRead, Write};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value, json};

use crate::server::{End, Server};

/// A longer message ends the connection: no editor sends one.
const LONGEST: usize = 64 * 1024 * 1024;

/// Why the server stopped early.
#[derive(Debug)]
pub enum Error {
    /// A stream broke, or what came is no message at all.
    Stream(io::Error),
    /// The client went away, or said `exit`, without `shutdown` first.
    NoShutdown,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Stream(cause) => write!(f, "the connection to the editor broke: {cause}"),
            Error::NoShutdown => f.write_str("the editor left without asking the server to shut down"),
        }
    }
}

impl std::error::Error for Error {}

/// Serves until the client says `exit`.
pub(crate) fn serve(
    server: &mut Server,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<(), Error> {
    while let Some(body) = read(input).map_err(Error::Stream)? {
        match message(&body) {
            Ok(message) => answer(output, &server.handle(message)),
            Err(refusal) => write(output, &refusal.to_string()),
        }
        .map_err(Error::Stream)?;
        match server.end() {
            Some(End::Orderly) => return Ok(()),
            Some(End::Early) => return Err(Error::NoShutdown),
            None => {}
        }
    }
    Err(Error::NoShutdown)
}

fn answer(mut output: &mut dyn Write, messages: &[Message]) -> io::Result<()> {
    messages.iter().try_for_each(|message| message.write(&mut output))
}

/// The message in a body; what is sent back when there is none.
fn message(body: &[u8]) -> Result<Message, Value> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        refusal(&Value::Null, ErrorCode::ParseError, &format!("this is no JSON: {error}"))
    })?;
    let id = value.get("id").cloned();
    match (serde_json::from_value(value), id) {
        (Err(_), id) => {
            let reason = "this is no request, response or notification";
            Err(refusal(&id.unwrap_or_default(), ErrorCode::InvalidRequest, reason))
        }
        // A request whose id is none would pass for a notification, and never be answered.
        (Ok(Message::Notification(_)), Some(id)) => {
            let reason = "the id of a request is a text, or an integer of 32 bits";
            Err(refusal(&id, ErrorCode::InvalidRequest, reason))
        }
        (Ok(message), _) => Ok(message),
    }
}

/// An error whose id may be null, which `lsp_server::Response` can't say.
fn refusal(id: &Value, code: ErrorCode, reason: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code as i32, "message": reason}})
}

fn write(output: &mut dyn Write, body: &str) -> io::Result<()> {
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

/// The body of the next message; `None` at the end of the stream.
fn read(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        // A header line is short; what is longer is no header.
        io::Read::take(&mut *input, 4096).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        if !text.ends_with('\n') {
            return Err(bad("a header line is cut off"));
        }
        let text = text.trim_end();
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').ok_or_else(|| bad("a header line has no colon"))?;
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.ok_or_else(|| bad("a message has no Content-Length"))?;
    if length > LONGEST {
        return Err(bad("a message is longer than 64 MiB"));
    }
    let mut body = vec![0; length];
    io::Read::read_exact(&mut *input, &mut body)?;
    Ok(Some(body))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Disk, Settings};

    fn spoken(parts: &[&str]) -> (Result<(), Error>, String) {
        let input: String =
            parts.iter().map(|body| format!("Content-Length: {}\r\n\r\n{body}", body.len())).collect();
        spoken_raw(input.as_bytes())
    }

    fn spoken_raw(mut input: &[u8]) -> (Result<(), Error>, String) {
        let settings =
            Settings { files: Box::new(Disk), routines: Vec::new(), flows: Vec::new(), format: None };
        let mut output = Vec::new();
        let result = serve(&mut Server::new(settings), &mut input, &mut output);
        (result, String::from_utf8(output).unwrap())
    }

    const SHUTDOWN: &str = r#"{"jsonrpc":"2.0","id":7,"method":"shutdown"}"#;
    const START: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#;
    const EXIT: &str = r#"{"jsonrpc":"2.0","method":"exit"}"#;

    #[test]
    fn a_message_that_is_none_is_answered_and_the_next_one_read() {
        let (result, said) =
            spoken(&[START, "{not json", "[1,2]", r#"{"id":null,"method":"x"}"#, SHUTDOWN, EXIT]);
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(said.matches("-32700").count(), 1, "{said}");
        assert_eq!(said.matches("\"id\":null").count(), 3, "{said}");
        assert!(said.contains(r#""id":7,"result":null"#), "{said}");
    }

    #[test]
    fn leaving_without_shutdown_is_told() {
        assert!(matches!(spoken(&[START, EXIT]).0, Err(Error::NoShutdown)));
        assert!(matches!(spoken(&[START]).0, Err(Error::NoShutdown)), "the stream ends");
        assert!(spoken(&[START, SHUTDOWN, EXIT]).0.is_ok());
    }

    #[test]
    fn what_is_no_message_at_all_ends_the_connection_with_the_reason() {
        for (input, reason) in [
            ("hello\r\n\r\n", "no colon"),
            ("X: 1\r\n\r\n", "no Content-Length"),
            ("Content-Length: 99999999999\r\n\r\n", "64 MiB"),
            ("Content-Length: 5\r\n\r\n{}", "fill"),
            ("Content-Le", "cut off"),
        ] {
            let (result, _) = spoken_raw(input.as_bytes());
            let said = result.unwrap_err().to_string();
            assert!(said.contains(reason), "{input:?}: {said}");
        }
    }
}

//! The bytes between a server and the library: TLS, and messages that are checked before the library sees them.
//!
//! The library parses by recursion and waits for as much as a message says it holds. So what comes in is cut into messages
//! here (RFC 4511 section 5.1), and one that is too long or too deep ends the connection: neither a hostile server nor
//! somebody on the way, before TLS, can fill the memory or the stack.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::connection::Route;
use super::settings::TlsMode;

/// The longest message, in bytes: an entry with pictures fits.
const MAX_MESSAGE: usize = 16 << 20;
/// The longest answer to StartTLS, which anybody on the way may have written.
const MAX_STARTTLS: usize = 4096;
/// How deep values may be nested; an entry needs six.
const MAX_DEPTH: usize = 16;

/// The extended request for TLS (RFC 4511 section 4.14.1), message 1.
const STARTTLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// How a positive answer begins after the length of the message: message 1, extended response.
const STARTTLS_ANSWER: &[u8] = &[0x02, 0x01, 0x01, 0x78];
/// Its result code: success.
const STARTTLS_SUCCESS: &[u8] = &[0x0a, 0x01, 0x00];

/// Connects to a server, with TLS where it is to be. What comes out of the socket is the server's messages; the tasks carry
/// them, and end the connection when they are dropped.
pub(super) async fn connect(route: &Route) -> io::Result<(UnixStream, JoinSet<()>)> {
    let host = route.url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let default = if route.tls == TlsMode::Ldaps { 636 } else { 389 };
    let mut stream = TcpStream::connect((host.as_str(), route.url.port().unwrap_or(default))).await?;
    stream.set_nodelay(true)?;
    let peer: IpAddr = stream.peer_addr()?.ip();
    match (route.tls, &route.config) {
        (TlsMode::None, _) if peer.to_canonical().is_loopback() => carry(stream),
        // Whatever the name said: without TLS nothing leaves the machine.
        (TlsMode::None, _) => {
            Err(refused(format!("{peer} is not this machine: nothing is said to it without TLS")))
        }
        (mode, Some(config)) => {
            if mode == TlsMode::StartTls {
                start_tls(&mut stream).await?;
            }
            let name = ServerName::try_from(host).map_err(|error| refused(error.to_string()))?;
            carry(TlsConnector::from(Arc::<ClientConfig>::clone(config)).connect(name, stream).await?)
        }
        (_, None) => Err(refused("TLS is not set up".to_owned())),
    }
}

fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Asks for TLS and reads the answer, and not a byte more: what somebody on the way appended falls into the handshake.
async fn start_tls(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(STARTTLS).await?;
    let answer = message(stream, MAX_STARTTLS).await?.unwrap_or_default();
    let body = header(&answer).and_then(|(_, at, _)| answer.get(at..)).unwrap_or_default();
    let result = body.strip_prefix(STARTTLS_ANSWER).and_then(|rest| {
        // The rest begins with a length, as after a tag.
        let (length, used) = length(rest)?;
        rest.get(used..used.checked_add(length)?)
    });
    match result {
        Some(result) if result.starts_with(STARTTLS_SUCCESS) => Ok(()),
        _ => Err(refused("the server does not start TLS".to_owned())),
    }
}

fn carry(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<(UnixStream, JoinSet<()>)> {
    let (inside, outside) = UnixStream::pair()?;
    let (from_server, mut to_server) = tokio::io::split(stream);
    let (mut from_library, mut to_library) = outside.into_split();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // An error ends the connection, which the other direction tells.
        let _ = tokio::io::copy(&mut from_library, &mut to_server).await;
        let _ = to_server.shutdown().await;
    });
    tasks.spawn(async move {
        let mut from_server = BufReader::new(from_server);
        loop {
            match message(&mut from_server, MAX_MESSAGE).await {
                Ok(Some(bytes)) => {
                    if to_library.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(event = "directory.connection_ended", %error);
                    return;
                }
            }
        }
    });
    Ok((inside, tasks))
}

/// The next message, whole and checked; `None` at the end.
async fn message(stream: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; 2];
    if stream.read(bytes.get_mut(..1).unwrap_or_default()).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(bytes.get_mut(1..).unwrap_or_default()).await?;
    let more = bytes.get(1).map_or(0, |length| if *length > 0x80 { usize::from(length & 0x7f) } else { 0 });
    if more > 4 {
        return Err(refused("a message says that it has no sensible length".to_owned()));
    }
    bytes.resize(2 + more, 0);
    stream.read_exact(bytes.get_mut(2..).unwrap_or_default()).await?;
    let Some((0x30, start, length)) = header(&bytes) else {
        return Err(refused("what the server says is no LDAP".to_owned()));
    };
    if length > most {
        return Err(refused(format!("a message of {length} bytes is too long")));
    }
    // As much as has come, so that announcing much costs nothing.
    let read = (&mut *stream).take(u64::try_from(length).unwrap_or(0)).read_to_end(&mut bytes).await?;
    if read != length || bytes.len() != start + length || !is_shallow(&bytes) {
        return Err(refused("a message of the server is broken, or nested too deep".to_owned()));
    }
    Ok(Some(bytes))
}

/// Tag, place of the content and its length, at the beginning of `bytes`.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (tag, rest) = bytes.split_first()?;
    let (length, used) = length(rest)?;
    // Tags of more than one byte are not used by LDAP.
    (tag & 0x1f != 0x1f).then_some((*tag, 1 + used, length))
}

/// A length (definite form, at most four bytes), and how many bytes say it.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), 1));
    }
    let count = usize::from(first & 0x7f);
    let digits = rest.get(..count).filter(|_| (1..=4).contains(&count))?;
    Some((digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), 1 + count))
}

/// Whether BER holds together and is not nested deeper than LDAP needs. Without recursion.
pub(super) fn is_shallow(bytes: &[u8]) -> bool {
    let mut ends = vec![bytes.len()];
    let mut at = 0;
    while let Some(end) = ends.last().copied() {
        if at == end {
            ends.pop();
            continue;
        }
        let Some((tag, start, length)) = bytes.get(at..end).and_then(header) else { return false };
        let (Some(inside), Some(after)) = (at.checked_add(start), at.checked_add(start + length)) else {
            return false;
        };
        if after > end {
            return false;
        }
        if tag & 0x20 == 0 {
            at = after;
            continue;
        }
        if ends.len() > MAX_DEPTH {
            return false;
        }
        ends.push(after);
        at = inside;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `content` in as many sequences.
    fn nested(depth: usize, content: &[u8]) -> Vec<u8> {
        // From the end, so that each level is appended.
        let mut bytes: Vec<u8> = content.iter().rev().copied().collect();
        for _ in 0..depth {
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            bytes.extend(length.into_iter().chain([0x84, 0x30]));
        }
        bytes.reverse();
        bytes
    }

    async fn read(mut bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
        message(&mut bytes, 1 << 20).await
    }

    #[tokio::test]
    async fn whole_messages_pass_one_by_one() {
        let one = nested(1, &[0x02, 0x01, 0x07]);
        let short = [0x30, 0x03, 0x02, 0x01, 0x07];
        let mut stream: &[u8] = &[one.as_slice(), &short].concat();
        assert_eq!(message(&mut stream, 100).await.unwrap(), Some(one));
        assert_eq!(message(&mut stream, 100).await.unwrap().as_deref(), Some(&short[..]));
        assert_eq!(message(&mut stream, 100).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_deep_long_broken_or_no_ldap_does_not() {
        assert!(read(&nested(10, &[0x02, 0x01, 0x07])).await.is_ok());
        for bad in [
            nested(20, &[0x02, 0x01, 0x07]),
            nested(100_000, &[]),
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            vec![0x30],
            vec![0x30, 0x80, 0x00, 0x00],
            vec![0x30, 0x85, 1, 1, 1, 1, 1],
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02],
            vec![0x30, 0x05, 0x02, 0x01],
            vec![0x30, 0x03, 0x02, 0x05, 0x01],
            vec![0x30, 0x02, 0x1f, 0x00],
        ] {
            assert!(read(&bad).await.is_err(), "{:02x?}", &bad[..bad.len().min(12)]);
        }
    }

    #[test]
    fn bytes_cut_anywhere_are_refused_without_a_panic() {
        let whole = nested(5, &[0x04, 0x03, b'a', b'b', b'c']);
        assert!(is_shallow(&whole));
        for end in 1..whole.len() {
            assert!(!is_shallow(&whole[..end]), "{end}");
        }
    }
}

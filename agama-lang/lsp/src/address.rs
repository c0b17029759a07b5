//! `file:` addresses and paths.

use std::path::{Path, PathBuf};

use lsp_types::Uri;

/// The path of a `file:` address; `None` for others, such as a document that was never saved.
pub(crate) fn path_of(address: &str) -> Option<PathBuf> {
    let rest = address.strip_prefix("file://")?;
    // A host before the path is this machine: `file://localhost/x`.
    let path = rest.get(rest.find('/')?..)?;
    let decoded = decode(path)?;
    let mut chars = decoded.chars();
    let drive = chars.next() == Some('/')
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':');
    let plain = if drive { decoded.trim_start_matches('/') } else { &decoded };
    Some(PathBuf::from(plain))
}

/// The `file:` address of a path.
pub(crate) fn address_of(path: &Path) -> Option<Uri> {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut out = String::from("file://");
    if !text.starts_with('/') {
        out.push('/');
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out.parse().ok()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_lead_to_each_other() {
        for path in ["/a b/ü/[x]#y.flow", "/plain/demo.password.flow"] {
            let address = address_of(Path::new(path)).unwrap();
            assert_eq!(path_of(address.as_str()).unwrap(), Path::new(path), "{}", address.as_str());
        }
        assert_eq!(path_of("file:///c%3A/flows/a.flow").unwrap(), Path::new("c:/flows/a.flow"));
        assert_eq!(path_of("file://localhost/x").unwrap(), Path::new("/x"));
        assert_eq!(path_of("untitled:Untitled-1"), None);
        assert_eq!(path_of("file:///%zz"), None);
    }
}

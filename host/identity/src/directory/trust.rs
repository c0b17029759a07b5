//! What a directory's servers are trusted by, and what the search account proves itself with.

use std::path::Path;
use std::sync::Arc;

use agamid_core::seal::{SealError, Sealer};
use agamid_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::settings::{DirectorySettings, SettingRefused, TlsMode};

/// What a sealed password is for.
const PURPOSE: &str = "directory-password";
/// The longest file with a password, in bytes.
const MAX_FILE: u64 = 4096;

/// TLS towards the servers: certificate and host name are always checked. `None` without TLS.
pub(super) fn config(settings: &DirectorySettings) -> Result<Option<Arc<ClientConfig>>, SettingRefused> {
    if settings.tls == TlsMode::None {
        return Ok(None);
    }
    let refuse = |reason: String| SettingRefused { directory: settings.name.clone(), key: "ca_file", reason };
    let roots = match &settings.ca_file {
        Some(file) => of_file(file).map_err(refuse)?,
        None => of_system().map_err(refuse)?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}

fn of_file(file: &Path) -> Result<RootCertStore, String> {
    let place = file.display();
    let mut roots = RootCertStore::empty();
    let found =
        CertificateDer::pem_file_iter(file).map_err(|error| format!("{place} can't be read: {error}"))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| format!("{place} is no PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("{place} holds a certificate that can't be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err(format!("{place} holds no certificate (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(roots)
}

fn of_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this system trusts no certificate at all; name the directory's own".to_owned());
    }
    Ok(roots)
}

/// The search account's password as it stands now.
pub(super) async fn password(settings: &DirectorySettings, sealer: &Sealer) -> Result<Secret, String> {
    if let Some(sealed) = &settings.bind_password_sealed {
        let bytes = STANDARD.decode(sealed).map_err(|_| "bind_password_sealed is no base64".to_owned())?;
        let opened = sealer
            .open(PURPOSE, settings.name.as_bytes(), &bytes)
            .map_err(|error| format!("bind_password_sealed: {error}"))?;
        let text = std::str::from_utf8(&opened).map_err(|_| "bind_password_sealed is no text".to_owned())?;
        return Ok(Secret::new(text));
    }
    let file = settings.bind_password_file.as_deref().unwrap_or(Path::new(""));
    let failed =
        |error: std::io::Error| format!("bind_password_file {} can't be read: {error}", file.display());
    let metadata = tokio::fs::metadata(file).await.map_err(failed)?;
    if is_open(&metadata) {
        return Err(format!("bind_password_file {} is readable by others: chmod 600", file.display()));
    }
    if metadata.len() > MAX_FILE {
        return Err(format!("bind_password_file {} is too long for a password", file.display()));
    }
    let text = Secret::new(tokio::fs::read_to_string(file).await.map_err(failed)?);
    Ok(Secret::new(text.expose().trim_end_matches(['\r', '\n'])))
}

#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o007 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}

/// Seals the password of a directory's search account, for `bind_password_sealed`.
pub fn seal_password(sealer: &Sealer, directory: &str, password: &Secret) -> Result<String, SealError> {
    Ok(STANDARD.encode(sealer.seal(PURPOSE, directory.as_bytes(), password.expose().as_bytes())?))
}

//! TLS of the public listener (rustls): certificate and key from files that are read again when they change.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// How often the files are looked at. A renewed certificate is in use this much later at most; looking at the time of
/// change works across renames and links, as renewal tools make them.
const LOOK: Duration = Duration::from_secs(1);

/// A certificate with its key, as new connections get it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, String> {
        let config = read(files)?;
        Ok(Self { files: files.clone(), current: Arc::new(ArcSwap::from_pointee(config)) })
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Puts changed files into use until `stop`; what can't be read is told, and the old ones stay.
    pub(crate) async fn follow(self, mut stop: watch::Receiver<bool>) {
        let mut known = changed_at(&self.files);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = changed_at(&self.files);
            if now == known {
                continue;
            }
            known = now;
            match read(&self.files) {
                Ok(config) => {
                    self.current.store(Arc::new(config));
                    tracing::info!(event = "tls.reloaded", cert = %self.files.cert.display());
                }
                Err(reason) => tracing::error!(event = "tls.refused", reason, "the old certificate stays"),
            }
        }
    }
}

fn changed_at(files: &TlsFiles) -> [Option<SystemTime>; 2] {
    let time = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    [time(&files.cert), time(&files.key)]
}

fn read(files: &TlsFiles) -> Result<ServerConfig, String> {
    let cert = |reason: String| format!("public.tls.cert {}: {reason}", files.cert.display());
    let key = |reason: String| format!("public.tls.key {}: {reason}", files.key.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|error| cert(error.to_string()))?;
    if chain.is_empty() {
        return Err(cert("holds no certificate (PEM)".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| key(format!("holds no private key (PEM): {error}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| key(format!("does not fit the certificate: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

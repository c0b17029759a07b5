//! Listeners: binding with a clear refusal, serving until told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::tls::Tls;

/// How long requests in progress may take once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// How long the head of a request, and an unanswered ping, may take.
const HEADERS: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a silent HTTP/2 connection is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The largest head of a request that is read at all, in bytes; `agamid-web` refuses smaller ones with a page.
const MAX_HEAD: usize = 64 * 1024;

/// An address could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose}: {cause}{}", hint(cause))]
pub(crate) struct BindError {
    address: SocketAddr,
    purpose: &'static str,
    cause: std::io::Error,
}

impl BindError {
    /// Whether another program has the address.
    pub(crate) fn is_in_use(&self) -> bool {
        self.cause.kind() == std::io::ErrorKind::AddrInUse
    }
}

fn hint(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => "; another program has this port: stop it, or choose another port",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: choose a higher one",
        _ => "",
    }
}

/// Takes an address.
pub(crate) async fn bind(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|cause| BindError { address, purpose, cause })
}

/// Serves until `stop` turns true, then lets requests in progress end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            // An error means that the sender is gone, which is a stop too.
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: others must end first.
                tracing::warn!(event = "listener.not_accepted", %error);
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and complete: waiting for more to send only costs time.
        let _ = stream.set_nodelay(true);
        let (router, watcher) = (router.clone(), graceful.watcher());
        match &tls {
            None => drop(tokio::spawn(connection(stream, peer, router, watcher))),
            Some(tls) => {
                let acceptor = tls.acceptor();
                tokio::spawn(async move {
                    match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => connection(stream, peer, router, watcher).await,
                        Ok(Err(error)) => tracing::debug!(event = "tls.handshake_failed", %peer, %error),
                        Err(_) => tracing::debug!(event = "tls.handshake_timeout", %peer),
                    }
                });
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(event = "listener.drain_timeout", seconds = DRAIN.as_secs());
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        // A task of its own: a browser that leaves must not stop a login, or a commit, half-way.
        let answer = tokio::spawn(router.clone().oneshot(request));
        async move { answer.await.map(|answer| answer.unwrap_or_else(|never| match never {})) }
    });
    let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(MAX_HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(HEADERS);
    let serving = server.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(serving).await {
        tracing::debug!(event = "connection.failed", %peer, %error);
    }
}

/// When to stop.
pub(crate) struct Stop {
    /// Turns true when the server is told to.
    pub(crate) told: watch::Receiver<bool>,
    /// How long it goes on after that.
    pub(crate) delay: Duration,
}

impl Stop {
    /// Turns true when the delay is over.
    pub(crate) fn delayed(self) -> watch::Receiver<bool> {
        let Stop { mut told, delay } = self;
        if delay.is_zero() {
            return told;
        }
        let (send, receive) = watch::channel(false);
        tokio::spawn(async move {
            // An error means that the sender is gone, which is a stop too.
            let _ = told.wait_for(|stop| *stop).await;
            tokio::time::sleep(delay).await;
            let _ = send.send(true);
        });
        receive
    }
}

/// Turns true at SIGINT or SIGTERM.
pub(crate) fn stop_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (send, receive) = watch::channel(false);
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        tracing::info!(event = "server.stopping");
        let _ = send.send(true);
    });
    Ok(receive)
}

//! What every request to the public listener passes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::page::ErrorPage;
use crate::visit::{Visit, accepted_languages, client_address};
use crate::{STYLESHEET, Web};

/// The largest body of a request, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;
/// The longest path and query, in bytes.
pub const MAX_URL: usize = 8 * 1024;
/// All headers of a request together, in bytes.
pub const MAX_HEADERS: usize = 16 * 1024;

/// How much of a refused request's body is read and thrown away, in bytes.
const DRAINED: usize = 4 * 1024 * 1024;

impl Web {
    /// Wraps a router: ids, limits, headers, panics, log. A page asked for under another host is sent to the issuer's.
    pub fn layer(&self, router: Router) -> Router {
        router
            .fallback(not_found)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(self.clone(), pass))
            .with_state(())
    }

    /// `GET /assets/<hash>/agamid.css`
    pub fn assets(&self) -> Router {
        Router::new().route(self.stylesheet_path(), get(stylesheet)).route("/favicon.ico", get(favicon))
    }
}

async fn stylesheet() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, STYLESHEET)
}

async fn favicon() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, include_str!("../assets/mark.svg"))
}

/// The body of an unknown path; `pass` makes it a page.
async fn not_found() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

/// A panic is our fault: the request fails, the server goes on.
fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let cause = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(event = "request.panicked", cause);
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// An answer that the server can't do it now says when to ask again (RFC 9110 section 10.2.3).
pub async fn say_when_to_retry(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    response
}

async fn pass(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let begun = web.env().clock.monotonic();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // Without connection facts (in-process tests) the peer counts as this machine.
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip());
    let address = client_address(peer, request.headers(), web.trusted_proxies());
    let visit = Visit {
        request_id: agamid_core::id::new_ulid(web.env()),
        address: address.unwrap_or(peer),
        nonce: URL_SAFE_NO_PAD.encode(agamid_core::random::bytes::<16>(&*web.env().rng)),
        locales: accepted_languages(request.headers()),
    };
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", request_id = %visit.request_id);
    let refused = address.err().map(|_| {
        refusal(StatusCode::BAD_REQUEST, "The request came through a proxy that sent an unreadable address.")
    });
    let refused = refused.or_else(|| check_limits(&request)).map(|page| web.error_page(&visit, page));
    let mut response = match refused.or_else(|| check_host(&web, &request)) {
        Some(response) => {
            drain(request.into_body()).await;
            response
        }
        None => {
            request.extensions_mut().insert(visit.clone());
            next.run(request).instrument(span.clone()).await
        }
    };
    if is_bare_error(&response) {
        response = web.error_page(&visit, plain(response.status()));
    }
    let mut response = say_when_to_retry(response).await;
    web.add_security_headers(response.headers_mut());
    if let Ok(id) = HeaderValue::from_str(&visit.request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let status = response.status().as_u16();
    let millis =
        u64::try_from(web.env().clock.monotonic().saturating_sub(begun).as_millis()).unwrap_or(u64::MAX);
    span.in_scope(
        || tracing::info!(event = "request.done", %method, path, status, millis, address = %visit.address),
    );
    response
}

/// Reads on for a little: an answer to somebody who is still sending would be lost with the connection.
async fn drain(mut body: Body) {
    let mut room = DRAINED;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            room = room.saturating_sub(frame.data_ref().map_or(0, axum::body::Bytes::len));
            if room == 0 {
                break;
            }
        }
    };
    // Who is slow loses the answer; nothing else depends on it.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), reading).await;
}

fn refusal(status: StatusCode, message: &str) -> ErrorPage {
    ErrorPage { message: message.to_owned(), ..plain(status) }
}

fn check_limits(request: &Request<Body>) -> Option<ErrorPage> {
    let uri = request.uri();
    let url = uri.path().len() + uri.query().map_or(0, str::len);
    if url > MAX_URL {
        return Some(refusal(StatusCode::URI_TOO_LONG, "The address is too long."));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > MAX_HEADERS || request.headers().len() > 100 {
        return Some(refusal(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The request has too many headers.",
        ));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > MAX_BODY) {
        return Some(refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request is larger than this server accepts (1 MiB).",
        ));
    }
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Some(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Compressed requests are not accepted."));
    }
    None
}

/// A page asked for under another host is redirected to the same page of the issuer; anything else is misdirected.
fn check_host(web: &Web, request: &Request<Body>) -> Option<Response> {
    let host = request.headers().get(header::HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str().as_bytes()));
    if host.is_none_or(|host| host.eq_ignore_ascii_case(web.host().as_bytes())) {
        return None;
    }
    if request.method() == Method::GET && web.gathers_hosts() {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return Some(Redirect::temporary(&web.url(path)).into_response());
    }
    Some(StatusCode::MISDIRECTED_REQUEST.into_response())
}

/// An error answer that says nothing yet: no content type means that nobody wrote a body for people or programs.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && !response.headers().contains_key(header::CONTENT_TYPE)
        && !response.headers().contains_key(header::WWW_AUTHENTICATE)
}

fn plain(status: StatusCode) -> ErrorPage {
    let (title, message) = match status {
        StatusCode::NOT_FOUND => {
            ("This page does not exist", "The address may be mistyped, or the page is gone.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("This is not how the page is used", "Go back and try again from there.")
        }
        StatusCode::MISDIRECTED_REQUEST => ("Wrong address", "This server answers under another name."),
        status if status.is_server_error() => {
            ("Something went wrong here", "It is not your fault. Please try again.")
        }
        _ => ("This request can't be answered", "Please go back and try again."),
    };
    ErrorPage {
        status,
        title: title.to_owned(),
        message: message.to_owned(),
        hint: None,
        reference: None,
        action: None,
    }
}

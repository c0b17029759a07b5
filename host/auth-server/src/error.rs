//! Protocol errors: the codes of the RFCs, and what becomes of them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// RFC 6749 section 4.1.2.1 and 5.2.
    InvalidRequest,
    /// RFC 6749 section 5.2.
    InvalidClient,
    /// RFC 6749 section 5.2.
    InvalidGrant,
    /// RFC 6749 section 4.1.2.1 and 5.2.
    UnauthorizedClient,
    /// RFC 6749 section 5.2.
    UnsupportedGrantType,
    /// RFC 6749 section 4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 section 4.1.2.1 and 5.2.
    InvalidScope,
    /// RFC 6749 section 4.1.2.1.
    AccessDenied,
    /// RFC 6749 section 4.1.2.1.
    ServerError,
    /// RFC 6749 section 4.1.2.1.
    TemporarilyUnavailable,
    /// OpenID Connect Core section 3.1.2.6.
    LoginRequired,
    /// OpenID Connect Core section 3.1.2.6.
    ConsentRequired,
    /// OpenID Connect Core section 3.1.2.6.
    AccountSelectionRequired,
    /// OpenID Connect Core section 3.1.2.6.
    RequestNotSupported,
    /// OpenID Connect Core section 3.1.2.6.
    RequestUriNotSupported,
    /// OpenID Connect Core section 3.1.2.6.
    RegistrationNotSupported,
    /// OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
    UnmetAuthenticationRequirements,
    /// RFC 7591 section 3.2.2.
    InvalidRedirectUri,
    /// RFC 7591 section 3.2.2.
    InvalidClientMetadata,
    /// RFC 7591 section 3.2.2.
    UnapprovedSoftwareStatement,
}

impl Code {
    /// As the protocol writes it.
    pub fn name(self) -> &'static str {
        match self {
            Code::InvalidRequest => "invalid_request",
            Code::InvalidClient => "invalid_client",
            Code::InvalidGrant => "invalid_grant",
            Code::UnauthorizedClient => "unauthorized_client",
            Code::UnsupportedGrantType => "unsupported_grant_type",
            Code::UnsupportedResponseType => "unsupported_response_type",
            Code::InvalidScope => "invalid_scope",
            Code::AccessDenied => "access_denied",
            Code::ServerError => "server_error",
            Code::TemporarilyUnavailable => "temporarily_unavailable",
            Code::LoginRequired => "login_required",
            Code::ConsentRequired => "consent_required",
            Code::AccountSelectionRequired => "account_selection_required",
            Code::RequestNotSupported => "request_not_supported",
            Code::RequestUriNotSupported => "request_uri_not_supported",
            Code::RegistrationNotSupported => "registration_not_supported",
            Code::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Code::InvalidRedirectUri => "invalid_redirect_uri",
            Code::InvalidClientMetadata => "invalid_client_metadata",
            Code::UnapprovedSoftwareStatement => "unapproved_software_statement",
        }
    }
}

/// An error that is told to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.name())]
pub struct OauthError {
    /// Which.
    pub code: Code,
    /// For the client's developer; without secrets.
    pub description: String,
    /// Whether the client tried HTTP Basic: then the answer is 401 with a challenge (RFC 6749 section 5.2).
    pub basic: bool,
}

impl OauthError {
    /// An error.
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), basic: false }
    }

    /// Our failure, without its cause.
    pub fn server(cause: impl std::fmt::Display) -> Self {
        tracing::error!(event = "oauth.failed", %cause);
        Self::new(Code::ServerError, "the server failed; try again")
    }
}

impl From<agamid_store::StoreError> for OauthError {
    fn from(error: agamid_store::StoreError) -> Self {
        let unavailable = matches!(error, agamid_store::StoreError::Unavailable(_));
        let mut told = Self::server(error);
        if unavailable {
            told.code = Code::TemporarilyUnavailable;
        }
        told
    }
}

impl From<agamid_identity::IdentityError> for OauthError {
    fn from(error: agamid_identity::IdentityError) -> Self {
        match error {
            agamid_identity::IdentityError::Store(error) => error.into(),
            error => Self::server(error),
        }
    }
}

impl IntoResponse for OauthError {
    /// As the token endpoint answers (RFC 6749 section 5.2).
    fn into_response(self) -> Response {
        let status = match self.code {
            Code::InvalidClient => StatusCode::UNAUTHORIZED,
            Code::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Code::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = Json(json!({ "error": self.code.name(), "error_description": self.description }));
        let mut response =
            (status, [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], body)
                .into_response();
        if self.basic && self.code == Code::InvalidClient {
            let challenge = HeaderValue::from_static("Basic realm=\"token\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

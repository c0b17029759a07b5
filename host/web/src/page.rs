//! Rendering pages.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value, json};

use crate::{Visit, Web};

/// Steps of the template machine that one page may take.
const FUEL: u64 = 1_000_000;

/// A page to render.
pub struct Page<'a> {
    /// Where the template is: [`Web::environment`], with a project's own templates.
    pub environment: &'a Environment<'static>,
    /// Its name.
    pub template: &'a str,
    /// What it shows; an object.
    pub context: Value,
    /// The status of the answer.
    pub status: StatusCode,
    /// Origins besides ours to which a form of the page may lead.
    pub form_action: &'a [String],
    /// Findings shown above the page, in development.
    pub overlay: Option<Overlay>,
}

/// What a developer must see: why the newest version is not in service.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// The project.
    pub title: String,
    /// Its findings (`{code, file, line, column, message, hint}`).
    pub findings: Vec<Value>,
}

/// A page that says what went wrong, and how to go on.
#[derive(Debug, Clone)]
pub struct ErrorPage {
    /// The status of the answer.
    pub status: StatusCode,
    /// In a few words.
    pub title: String,
    /// For the person who sees it.
    pub message: String,
    /// What they can do.
    pub hint: Option<String>,
    /// The number under which the log has the whole cause; the request's id when absent.
    pub reference: Option<String>,
    /// A way on: label and address.
    pub action: Option<(String, String)>,
}

/// A template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template {template}{}: {reason}", line.map_or(String::new(), |line| format!(", line {line}")))]
pub struct RenderError {
    /// Which.
    pub template: String,
    /// Where, if known.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
}

/// Describes a template engine's error: file, line, reason.
pub fn describe(template: &str, error: &minijinja::Error) -> RenderError {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut cause = std::error::Error::source(error);
    let mut reason = reason;
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    RenderError { template: error.name().unwrap_or(template).to_owned(), line: error.line(), reason }
}

pub(crate) fn environment(
    issuer: &str,
    stylesheet: &str,
    dev: bool,
) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.add_global("issuer", issuer.to_owned());
    environment.add_global("stylesheet", stylesheet.to_owned());
    environment.add_global("dev", dev);
    environment.add_filter("qr", qr);
    environment.add_template("agamid/base.html", include_str!("../templates/agamid/base.html"))?;
    environment.add_template("agamid/forms.html", include_str!("../templates/agamid/forms.html"))?;
    environment.add_template("agamid/error.html", include_str!("../templates/agamid/error.html"))?;
    environment.add_template("agamid/resend.html", include_str!("../templates/agamid/resend.html"))?;
    Ok(environment)
}

/// A text as a QR code: an inline SVG in the page's ink on white, with a quiet zone.
fn qr(text: &str) -> Result<minijinja::Value, minijinja::Error> {
    let code = qrcode::QrCode::new(text.as_bytes()).map_err(|_| {
        minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, "the text is too long for a QR code")
    })?;
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().iter().enumerate() {
        if *color == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + 4, at / width + 4));
        }
    }
    let size = width + 8;
    Ok(minijinja::Value::from_safe_string(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"QR code\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    )))
}

impl Web {
    /// Renders a page.
    pub fn page(&self, visit: &Visit, page: Page<'_>) -> Result<Response, RenderError> {
        let html = self.render(visit, &page)?;
        let policy = self.page_policy(&visit.nonce, page.form_action);
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((page.status, headers, html).into_response())
    }

    /// Renders a page's HTML only.
    pub fn render(&self, visit: &Visit, page: &Page<'_>) -> Result<String, RenderError> {
        let mut context = match &page.context {
            Value::Object(context) => context.clone(),
            _ => Map::new(),
        };
        let mut default = |key: &str, value: Value| {
            context.entry(key).or_insert(value);
        };
        default("csp_nonce", visit.nonce.clone().into());
        default("locale", "en".into());
        if let Some(overlay) = &page.overlay {
            default("overlay", json!({ "title": overlay.title, "findings": overlay.findings }));
        }
        page.environment
            .get_template(page.template)
            .and_then(|template| template.render(minijinja::value::Serde(&context)))
            .map_err(|error| describe(page.template, &error))
    }

    /// Our failure, on a page.
    pub fn failure_page(&self, visit: &Visit, status: StatusCode) -> Response {
        self.error_page(
            visit,
            ErrorPage {
                status,
                title: "Something went wrong here".to_owned(),
                message: "It is not your fault. Please try again in a moment.".to_owned(),
                hint: None,
                reference: None,
                action: None,
            },
        )
    }

    /// Renders an error page; can't fail.
    pub fn error_page(&self, visit: &Visit, error: ErrorPage) -> Response {
        let status = error.status;
        let context = json!({
            "status": status.as_u16(),
            "heading": error.title,
            "message": error.message,
            "hint": error.hint,
            "reference": error.reference.unwrap_or_else(|| visit.request_id.clone()),
            "action": error.action.map(|(label, href)| json!({ "label": label, "href": href })),
        });
        let page = Page {
            environment: self.base_environment(),
            template: "agamid/error.html",
            context,
            status,
            form_action: &[],
            overlay: None,
        };
        self.page(visit, page).unwrap_or_else(|cause| {
            tracing::error!(event = "page.failed", %cause);
            (status, "the error page could not be made").into_response()
        })
    }
}

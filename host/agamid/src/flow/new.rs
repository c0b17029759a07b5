//! `agamid flow new`. Only templates are written whose routines this server has; the others say what they wait for.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::command::Template;
use crate::{Exit, out};

/// A file of a template: its path and text, with `@NAME@` for the project's name.
type File = (&'static str, &'static str);

const PASSWORD: &[File] = &[
    ("code/@NAME@.password.flow", include_str!("templates/password.flow")),
    ("web/@NAME@/password.html", include_str!("../../../../flows/demo/web/demo/password.html")),
    ("tests/password.answers.json", include_str!("templates/password.answers.json")),
    ("tests/password.stubs.json", include_str!("templates/password.stubs.json")),
];

const TOTP: &[File] = &[
    ("code/@NAME@.totp.flow", include_str!("templates/totp.flow")),
    ("web/@NAME@/totp-setup.html", include_str!("../../../../flows/demo/web/demo/totp-setup.html")),
    ("web/@NAME@/totp.html", include_str!("../../../../flows/demo/web/demo/totp.html")),
    ("tests/totp.answers.json", include_str!("templates/totp.answers.json")),
    ("tests/totp.stubs.json", include_str!("templates/totp.stubs.json")),
];

/// Makes a project.
pub(crate) fn new(name: &str, template: Template, dir: Option<PathBuf>) -> Result<(), Exit> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !agama_lang::symbols::KEYWORDS.contains(&name);
    if !plain {
        let reason = "a letter, then letters, digits and _, and no keyword of the language: it begins the names of the flows";
        return Err(Exit::Usage(format!("{name:?} can't be the name of a project; use {reason}")));
    }
    let (flow, files) = match template {
        Template::Password => ("password", vec![PASSWORD]),
        Template::Totp => ("totp", vec![PASSWORD, TOTP]),
        Template::MagicLink => return missing("magic-link", "a routine that makes and opens signed links"),
        Template::Registration => return missing("registration", "a routine that creates a person"),
        Template::Passkey => return missing("passkey", "the routines of WebAuthn"),
        Template::Social => return missing("social", "the routines of an OpenID Connect client"),
    };
    let folder = dir.unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        return Err(Exit::Failed(format!("{} exists already; new never overwrites", folder.display())));
    }
    let qname = format!("{name}.{flow}");
    let mut manifest = json!({
        "projectName": name,
        "version": "0.1.0",
        "description": format!("Made by agamid flow new --template {flow}"),
        "launchable": { &qname: ["loginHint"] },
    });
    if let (Template::Totp, Some(manifest)) = (template, manifest.as_object_mut()) {
        manifest.insert("configs".to_owned(), json!({ &qname: { "issuer": name } }));
    }
    write(&folder.join("project.json"), &format!("{manifest:#}\n"))?;
    for (path, text) in files.into_iter().flatten() {
        write(&folder.join(path.replace("@NAME@", name)), &text.replace("@NAME@", name))?;
    }
    let shown = folder.display();
    out::line(&format!("wrote {shown}"));
    out::line(&format!("check it: agamid flow check {shown}"));
    out::line(&format!("try it:   agamid flow run {shown} --flow {qname}"));
    out::line(&format!(
        "or with a script: agamid flow run {shown} --flow {qname} --answers {shown}/tests/{flow}.answers.json --stubs {shown}/tests/{flow}.stubs.json"
    ));
    Ok(())
}

fn missing(template: &str, what: &str) -> Result<(), Exit> {
    let there = "the templates password and totp are there";
    Err(Exit::Usage(format!(
        "the template {template} needs {what}, which this server does not have yet; {there}"
    )))
}

fn write(path: &Path, text: &str) -> Result<(), Exit> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))
}

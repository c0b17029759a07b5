//! Where a variable's value comes from, and which properties it therefore has.

use agama_lang::symbols::{CallSite, Definition, Role, TemplateSite, TriggerSite};

use crate::document::Document;
use crate::server::Server;
use crate::text::small;
use crate::{template, wit};

/// So many definitions of a variable are asked for its properties, the nearest first.
const MOST_DEFINITIONS: usize = 20;

/// A page is put together from no more templates than these.
const MOST_TEMPLATES: usize = 32;

/// Where a value comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A page's form.
    Page(&'a TemplateSite),
    /// What a subflow finished with.
    Subflow(&'a TriggerSite),
    /// What a routine answered.
    Routine(&'a CallSite),
    /// What was caught.
    Error,
    /// The flow's properties.
    Configs,
    /// Anything else.
    Other,
}

/// A property, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) about: String,
}

/// The definitions of a variable, those before an offset first and the nearest of them leading: what it most likely
/// holds there.
pub(crate) fn definitions<'a>(document: &'a Document, name: &str, offset: usize) -> Vec<&'a Definition> {
    let offset = small(offset);
    let Some(variable) = document.symbols.variables.get(name) else { return Vec::new() };
    let mut found: Vec<&Definition> = variable.definitions.iter().collect();
    found.sort_by_key(|definition| {
        let before = definition.statement.end <= offset;
        (!before, if before { u32::MAX - definition.span.start } else { definition.span.start })
    });
    found
}

/// Where a definition takes its value from.
pub(crate) fn origin<'a>(document: &'a Document, definition: &Definition) -> Origin<'a> {
    let symbols = &document.symbols;
    let here = definition.statement;
    match definition.role {
        Role::Error => return Origin::Error,
        Role::Configs => return Origin::Configs,
        Role::Input | Role::LoopItem => return Origin::Other,
        Role::Assigned => {}
    }
    // Sites stand in the order of the source.
    let page = symbols.templates.binary_search_by_key(&here.start, |site| site.span.start);
    if let Some(site) = page.ok().and_then(|at| symbols.templates.get(at)) {
        return Origin::Page(site);
    }
    let subflow = symbols.triggers.binary_search_by_key(&here.start, |site| site.span.start);
    if let Some(site) = subflow.ok().and_then(|at| symbols.triggers.get(at)) {
        return Origin::Subflow(site);
    }
    let call = symbols.calls.binary_search_by_key(&here.start, |site| site.span.start);
    call.ok().and_then(|at| symbols.calls.get(at)).map_or(Origin::Other, Origin::Routine)
}

/// The properties that a variable may have at an offset, after going down a path: those of the value it most likely
/// holds there, then what else the flow reads or writes of it.
pub(crate) fn properties(
    server: &Server,
    document: &Document,
    base: &str,
    path: &[String],
    offset: usize,
) -> Vec<Property> {
    let mut found: Vec<Property> = Vec::new();
    for definition in definitions(document, base, offset).into_iter().take(MOST_DEFINITIONS) {
        found.extend(of_origin(server, document, origin(document, definition), path));
    }
    if path.is_empty()
        && let Some(variable) = document.symbols.variables.get(base)
    {
        let touched = small(offset);
        let elsewhere = variable.properties.iter().filter(|(_, places)| {
            places.iter().any(|place| !(place.start <= touched && touched <= place.end))
        });
        found.extend(elsewhere.map(|(name, _)| property(name, "used in this flow")));
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|property| seen.insert(property.name.clone()));
    found
}

fn of_origin(server: &Server, document: &Document, origin: Origin<'_>, path: &[String]) -> Vec<Property> {
    match origin {
        Origin::Page(site) if path.is_empty() => posted(server, document, site)
            .into_iter()
            .map(|name| property(&name, &format!("posted by {}", site.path)))
            .collect(),
        Origin::Subflow(_) => of_outcome(path),
        Origin::Routine(site) => {
            let routine = server.routines.find(&site.package.node, &site.function.node);
            let result = routine.map(|routine| routine.result.as_str()).unwrap_or_default();
            wit::properties(result, path).iter().map(|(name, ty)| property(name, ty)).collect()
        }
        Origin::Error if path.is_empty() => vec![
            property("message", "what went wrong, as text"),
            property("code", "a short word for what went wrong"),
            property("data", "what the routine says besides"),
        ],
        Origin::Configs => of_configs(server, document, path),
        Origin::Page(_) | Origin::Error | Origin::Other => Vec::new(),
    }
}

/// The fields that a page posts, when its template can be read: its own, and those of templates that it takes in.
pub(crate) fn posted(server: &Server, document: &Document, site: &TemplateSite) -> Vec<String> {
    let Some(file) = document.path.as_deref() else { return Vec::new() };
    let mut paths = vec![site.path.clone()];
    let mut fields: Vec<String> = Vec::new();
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        let found = server.workspace.template(file, &path).and_then(|file| server.text_of(&file));
        let Some(text) = found else { continue };
        fields.extend(
            template::fields(text.source())
                .into_iter()
                .filter(|name| !fields.contains(name))
                .collect::<Vec<_>>(),
        );
        let beside = path.rsplit_once('/').map(|(folder, _)| folder);
        for taken in template::includes(text.source()) {
            // Jinja counts from the templates root, FreeMarker from the template's folder.
            let near = beside.map(|folder| format!("{folder}/{taken}"));
            let all = [Some(taken), near].into_iter().flatten();
            paths.extend(all.filter(|path| !paths.contains(path)).collect::<Vec<_>>());
        }
        if paths.len() > MOST_TEMPLATES {
            break;
        }
    }
    fields
}

/// What `Finish` gives to the `Trigger` that waits for it.
fn of_outcome(path: &[String]) -> Vec<Property> {
    match path {
        [] => vec![
            property("success", "true or false: what the subflow finished with"),
            property("data", "what the subflow gives back, such as data.userId"),
            property("error", "why the subflow did not succeed"),
            property("aborted", "true when the person left the subflow"),
            property("url", "the page that was left"),
        ],
        [data] if data == "data" => vec![property("userId", "the person whom the subflow names")],
        _ => Vec::new(),
    }
}

/// The flow's properties, as `project.json` has them.
fn of_configs(server: &Server, document: &Document, path: &[String]) -> Vec<Property> {
    let read = || {
        let project = server.workspace.project_of(document.path.as_deref()?)?;
        let text = server.text_of(&project.join("project.json"))?;
        let json: serde_json::Value = serde_json::from_str(text.source()).ok()?;
        let mut at = json.get("configs")?.get(&document.flow.as_ref()?.name.node)?.clone();
        for part in path {
            at = if part == "[]" { at.get(0)?.clone() } else { at.get(part)?.clone() };
        }
        let names: Vec<Property> =
            at.as_object()?.keys().map(|name| property(name, "set in project.json")).collect();
        Some(names)
    };
    read().unwrap_or_default()
}

fn property(name: &str, about: &str) -> Property {
    Property { name: name.to_owned(), about: about.to_owned() }
}

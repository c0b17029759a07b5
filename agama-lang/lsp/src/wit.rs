//! The records inside a WIT type that is written out: `option<{id: string, last-step: option<u64>}>`.

/// The properties that a value of a type has, after going down a path of properties (`[]` is an index). Names are
/// spelled as flows spell them, with their types.
pub(crate) fn properties(ty: &str, path: &[String]) -> Vec<(String, String)> {
    let ty = plain(ty);
    let Some((first, rest)) = path.split_first() else { return record(ty) };
    if first == "[]" {
        return inside(ty, "list<").map(|item| properties(item, rest)).unwrap_or_default();
    }
    let found = record(ty).into_iter().find(|(name, _)| name == first);
    found.map(|(_, ty)| properties(&ty, rest)).unwrap_or_default()
}

/// The type inside `option` and the good side of `result`: what a flow sees.
fn plain(ty: &str) -> &str {
    let ty = ty.trim();
    match inside(ty, "option<").or_else(|| inside(ty, "result<")) {
        Some(inner) => plain(parts(inner).first().copied().unwrap_or_default()),
        None => ty,
    }
}

fn inside<'a>(ty: &'a str, opening: &str) -> Option<&'a str> {
    ty.strip_prefix(opening)?.strip_suffix('>')
}

fn record(ty: &str) -> Vec<(String, String)> {
    let Some(body) = ty.strip_prefix('{').and_then(|ty| ty.strip_suffix('}')) else { return Vec::new() };
    parts(body)
        .into_iter()
        .filter_map(|field| field.split_once(':'))
        .map(|(name, ty)| (camel(name.trim()), ty.trim().to_owned()))
        .collect()
}

/// Splits at the commas that stand in no bracket.
fn parts(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '{' | '(' => depth += 1,
            '>' | '}' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(text.get(start..));
    found
}

/// WIT's `last-step` is `lastStep` in flows.
fn camel(name: &str) -> String {
    let mut parts = name.split('-');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::properties;

    #[test]
    fn records_are_found_inside_options_results_and_lists() {
        let names = |ty: &str, path: &[&str]| -> String {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            properties(ty, &path).into_iter().map(|(name, ty)| format!("{name}={ty};")).collect()
        };
        let ty = "result<option<{id: string, last-step: option<u64>, all: list<{a-b-c: s8}>}>, string>";
        assert_eq!(names(ty, &[]), "id=string;lastStep=option<u64>;all=list<{a-b-c: s8}>;");
        assert_eq!(names(ty, &["all", "[]"]), "aBC=s8;");
        assert_eq!(names(ty, &["all"]), "");
        for ty in ["string", "enum {a, b}", "", "result", "option<", "{a"] {
            assert_eq!(names(ty, &[]), "", "{ty}");
        }
    }
}

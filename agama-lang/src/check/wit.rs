//! WIT types as the facts write them (`option<{id: string, last-step: option<u64>}>`), and what a flow sees of them.

use std::collections::HashMap;

/// A type in [`Types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TypeId(u32);

/// The types a flow can tell apart. Options are not types here: null is followed apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wit {
    Bool,
    /// An integer: signed, bits.
    Integer(bool, u8),
    Float,
    Char,
    Text,
    Secret,
    List(TypeId),
    /// Field names as flows write them, with their types.
    Record(Vec<(String, TypeId)>),
    Tuple(Vec<TypeId>),
    Enum(Vec<String>),
    Option(TypeId),
    /// A type that this reader does not know: nothing is said about it.
    Unknown,
}

/// All types met, each written form once.
#[derive(Default)]
pub(super) struct Types {
    all: Vec<Wit>,
    read: HashMap<String, TypeId>,
}

/// How deep a written type may nest.
const MAX_DEPTH: usize = 32;

impl Types {
    /// Reads a type; what can't be read is [`Wit::Unknown`].
    pub(super) fn read(&mut self, text: &str) -> TypeId {
        if let Some(known) = self.read.get(text) {
            return *known;
        }
        let mut reader = Reader { text, types: self };
        let found = reader.ty(0);
        let found = if reader.text.trim().is_empty() { found } else { self.add(Wit::Unknown) };
        self.read.insert(text.to_owned(), found);
        found
    }

    /// A type that was read before.
    pub(super) fn known(&self, text: &str) -> Option<TypeId> {
        self.read.get(text).copied()
    }

    pub(super) fn get(&self, id: TypeId) -> &Wit {
        usize::try_from(id.0).ok().and_then(|at| self.all.get(at)).unwrap_or(&Wit::Unknown)
    }

    /// The type without its `option`, and whether it had one.
    pub(super) fn unwrap(&self, mut id: TypeId) -> (TypeId, bool) {
        let mut optional = false;
        while let Wit::Option(inner) = self.get(id) {
            optional = true;
            id = *inner;
        }
        (id, optional)
    }

    /// Whether a value of the type is or holds a secret.
    pub(super) fn secret(&self, id: TypeId) -> bool {
        match self.get(id) {
            Wit::Secret => true,
            Wit::List(inner) | Wit::Option(inner) => self.secret(*inner),
            Wit::Record(fields) => fields.iter().any(|(_, ty)| self.secret(*ty)),
            Wit::Tuple(items) => items.iter().any(|ty| self.secret(*ty)),
            _ => false,
        }
    }

    /// What a person calls it.
    pub(super) fn describe(&self, id: TypeId) -> String {
        match self.get(id) {
            Wit::Bool => "true or false".to_owned(),
            Wit::Integer(true, bits) => format!("an integer (s{bits})"),
            Wit::Integer(false, bits) => format!("an integer (u{bits})"),
            Wit::Float => "a number".to_owned(),
            Wit::Char => "a single character".to_owned(),
            Wit::Text => "a string".to_owned(),
            Wit::Secret => "a secret string".to_owned(),
            Wit::List(_) => "a list".to_owned(),
            Wit::Record(fields) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                format!("a record of {}", names.join(", "))
            }
            Wit::Tuple(items) => format!("a list of {} values", items.len()),
            Wit::Enum(names) => format!("one of {}", names.join(", ")),
            Wit::Option(inner) => format!("{}, or null", self.describe(*inner)),
            Wit::Unknown => "a value of unknown type".to_owned(),
        }
    }

    fn add(&mut self, ty: Wit) -> TypeId {
        self.all.push(ty);
        TypeId(crate::source::to_u32(self.all.len() - 1))
    }
}

struct Reader<'a, 't> {
    text: &'a str,
    types: &'t mut Types,
}

impl<'a> Reader<'a, '_> {
    fn take(&mut self, sign: &str) -> bool {
        let rest = self.text.trim_start().strip_prefix(sign);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn word(&mut self) -> &'a str {
        let text = self.text.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_' && c != '%');
        let (word, rest) = text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""));
        self.text = rest;
        word
    }

    fn ty(&mut self, depth: usize) -> TypeId {
        let read = if depth < MAX_DEPTH { self.inner(depth + 1) } else { None };
        self.types.add(read.unwrap_or(Wit::Unknown))
    }

    fn inner(&mut self, depth: usize) -> Option<Wit> {
        if self.take("{") {
            return self.record(depth);
        }
        Some(match self.word() {
            "bool" => Wit::Bool,
            "u8" => Wit::Integer(false, 8),
            "u16" => Wit::Integer(false, 16),
            "u32" => Wit::Integer(false, 32),
            "u64" => Wit::Integer(false, 64),
            "s8" => Wit::Integer(true, 8),
            "s16" => Wit::Integer(true, 16),
            "s32" => Wit::Integer(true, 32),
            "s64" => Wit::Integer(true, 64),
            "f32" | "f64" => Wit::Float,
            "char" => Wit::Char,
            "string" => Wit::Text,
            "secret" => Wit::Secret,
            "list" => Wit::List(self.items(depth)?.first().copied()?),
            "option" => Wit::Option(self.items(depth)?.first().copied()?),
            "tuple" => Wit::Tuple(self.items(depth)?),
            // The error of a result is an Agama error; the flow sees what is fine.
            "result" => {
                let items =
                    if self.text.trim_start().starts_with('<') { self.items(depth)? } else { Vec::new() };
                return Some(items.first().map_or(Wit::Unknown, |ok| self.types.get(*ok).clone()));
            }
            "record" if self.take("{") => return self.record(depth),
            "enum" => Wit::Enum(self.names()?),
            _ => return None,
        })
    }

    /// `<a, b>`
    fn items(&mut self, depth: usize) -> Option<Vec<TypeId>> {
        if !self.take("<") {
            return None;
        }
        let mut found = Vec::new();
        loop {
            found.push(self.ty(depth));
            if self.take(">") {
                return Some(found);
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    /// `name: type, …}`
    fn record(&mut self, depth: usize) -> Option<Wit> {
        let mut fields = Vec::new();
        loop {
            if self.take("}") {
                return Some(Wit::Record(fields));
            }
            let name = camel(self.word());
            if name.is_empty() || !self.take(":") {
                return None;
            }
            fields.push((name, self.ty(depth)));
            if !self.take(",") && !self.text.trim_start().starts_with('}') {
                return None;
            }
        }
    }

    /// `{a, b}`
    fn names(&mut self) -> Option<Vec<String>> {
        if !self.take("{") {
            return None;
        }
        let mut found = Vec::new();
        loop {
            if self.take("}") {
                return Some(found);
            }
            let word = self.word();
            if word.is_empty() {
                return None;
            }
            found.push(word.to_owned());
            self.take(",");
        }
    }
}

/// WIT's `last-step` is `lastStep` in flows.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.trim_start_matches('%').chars() {
        match c {
            '-' => upper = true,
            c if std::mem::take(&mut upper) => out.extend(c.to_uppercase()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Types, Wit};

    #[test]
    fn records_options_and_results_are_read() {
        let mut types = Types::default();
        let id = types.read("option<{id: string, last-step: option<u64>, tags: list<secret>}>");
        let (record, optional) = types.unwrap(id);
        assert!(optional && types.secret(id));
        assert_eq!(types.describe(record), "a record of id, lastStep, tags");
        let ok = types.read("result<list<u8>, string>");
        assert!(matches!(types.get(ok), Wit::List(_)));
        let choice = types.read("enum {red, light-green}");
        assert_eq!(types.describe(choice), "one of red, light-green");
    }

    #[test]
    fn what_can_not_be_read_is_unknown() {
        let mut types = Types::default();
        for text in ["", "_", "list<", "list<u8", "{id string}", "stream<u8>", "u8 u8", "enum {,}"] {
            let id = types.read(text);
            assert_eq!(types.get(id), &Wit::Unknown, "{text}");
        }
        let deep = "list<".repeat(10_000);
        let id = types.read(&deep);
        assert_eq!(types.get(id), &Wit::Unknown);
    }
}

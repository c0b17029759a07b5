//! WIT types and signatures, for host modules and plugins alike.

use std::collections::BTreeMap;
use std::fmt;

use crate::hooks::PREFIX;
use wit_parser::{Resolve, Type as WitType, TypeDefKind, TypeId, WorldItem};

/// A WIT type that can cross the border.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Bool,
    /// An integer: signed, bits.
    Integer(bool, u8),
    Float32,
    Float64,
    Char,
    Text,
    /// A text whose WIT type is named `secret`.
    Secret,
    List(Box<Type>),
    Option(Box<Type>),
    Result(Option<Box<Type>>, Option<Box<Type>>),
    Record(Vec<(String, Type)>),
    Tuple(Vec<Type>),
    Enum(Vec<String>),
}

/// A function's signature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signature {
    pub(crate) params: Vec<(String, Type)>,
    pub(crate) result: Option<Type>,
}

/// The functions of an interface, by kebab-case name.
pub(crate) type Interface = BTreeMap<String, Signature>;

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |ty: &Option<Box<Type>>| ty.as_ref().map_or("_".to_owned(), |ty| ty.to_string());
        match self {
            Type::Bool => f.write_str("bool"),
            Type::Integer(signed, bits) => write!(f, "{}{bits}", if *signed { 's' } else { 'u' }),
            Type::Float32 => f.write_str("f32"),
            Type::Float64 => f.write_str("f64"),
            Type::Char => f.write_str("char"),
            Type::Text => f.write_str("string"),
            Type::Secret => f.write_str("secret"),
            Type::List(item) => write!(f, "list<{item}>"),
            Type::Option(inner) => write!(f, "option<{inner}>"),
            Type::Result(None, None) => f.write_str("result"),
            Type::Result(ok, None) => write!(f, "result<{}>", show(ok)),
            Type::Result(ok, err) => write!(f, "result<{}, {}>", show(ok), show(err)),
            Type::Record(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
                write!(f, "{{{}}}", fields.join(", "))
            }
            Type::Tuple(items) => {
                let items: Vec<String> = items.iter().map(Type::to_string).collect();
                write!(f, "tuple<{}>", items.join(", "))
            }
            Type::Enum(names) => write!(f, "enum {{{}}}", names.join(", ")),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<String> = self.params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        write!(f, "func({})", params.join(", "))?;
        self.result.as_ref().map_or(Ok(()), |result| write!(f, " -> {result}"))
    }
}

/// A type that can't cross the border: which, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: {what} can't be called from a flow")]
pub(crate) struct Unsupported {
    function: String,
    what: &'static str,
}

/// The interfaces of a WIT text, by name (`users`).
pub(crate) fn of_text(wit: &str) -> Result<BTreeMap<String, Interface>, String> {
    let mut resolve = Resolve::default();
    resolve.push_str("module.wit", wit).map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for (_, interface) in resolve.interfaces.iter() {
        let Some(name) = &interface.name else { continue };
        found.insert(name.clone(), functions(&resolve, interface).map_err(|error| error.to_string())?);
    }
    Ok(found)
}

/// What a component exports: interfaces by their full WIT name (`extras:otp/totp@0.1.0`), and their short names in
/// flows (`extras.otp.totp`); and what it imports.
pub(crate) struct Exports {
    pub(crate) interfaces: BTreeMap<String, (String, Interface)>,
    /// The same of what is no routine for flows, but a hook that the server asks.
    pub(crate) hooks: BTreeMap<String, (String, Interface)>,
    pub(crate) imports: Vec<String>,
}

pub(crate) fn of_component(bytes: &[u8]) -> Result<Exports, String> {
    let decoded = wit_component::decode(bytes).map_err(|error| format!("it is no component: {error}"))?;
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Err("it is a WIT package, not a component".to_owned());
    };
    let world = resolve.worlds.get(world).ok_or("it has no world")?;
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let (mut interfaces, mut hooks) = (BTreeMap::new(), BTreeMap::new());
    for (key, item) in &world.exports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let Some(interface) = resolve.interfaces.get(*id) else { continue };
        let Some(package) = interface.package.and_then(|id| resolve.packages.get(id)) else { continue };
        let Some(name) = &interface.name else { continue };
        let in_flows = format!("{}.{}.{name}", package.name.namespace, package.name.name);
        let functions = functions(&resolve, interface).map_err(|error| error.to_string())?;
        let exports = if in_flows.starts_with(PREFIX) { &mut hooks } else { &mut interfaces };
        exports.insert(in_flows, (resolve.name_world_key(key), functions));
    }
    Ok(Exports { interfaces, hooks, imports })
}

pub(crate) fn functions(
    resolve: &Resolve,
    interface: &wit_parser::Interface,
) -> Result<Interface, Unsupported> {
    let mut found = BTreeMap::new();
    for (name, function) in &interface.functions {
        let fails = |what| Unsupported { function: name.clone(), what };
        if !matches!(function.kind, wit_parser::FunctionKind::Freestanding) {
            return Err(fails("a method of a resource, or an async function,"));
        }
        let mut params = Vec::new();
        for param in &function.params {
            params.push((param.name.clone(), convert(resolve, param.ty).map_err(fails)?));
        }
        let result = function.result.map(|ty| convert(resolve, ty).map_err(fails)).transpose()?;
        found.insert(name.clone(), Signature { params, result });
    }
    Ok(found)
}

fn convert(resolve: &Resolve, ty: WitType) -> Result<Type, &'static str> {
    Ok(match ty {
        WitType::Bool => Type::Bool,
        WitType::U8 => Type::Integer(false, 8),
        WitType::U16 => Type::Integer(false, 16),
        WitType::U32 => Type::Integer(false, 32),
        WitType::U64 => Type::Integer(false, 64),
        WitType::S8 => Type::Integer(true, 8),
        WitType::S16 => Type::Integer(true, 16),
        WitType::S32 => Type::Integer(true, 32),
        WitType::S64 => Type::Integer(true, 64),
        WitType::F32 => Type::Float32,
        WitType::F64 => Type::Float64,
        WitType::Char => Type::Char,
        WitType::String => Type::Text,
        WitType::Id(id) => return defined(resolve, id),
        WitType::ErrorContext => return Err("an error-context"),
    })
}

fn defined(resolve: &Resolve, id: TypeId) -> Result<Type, &'static str> {
    let definition = resolve.types.get(id).ok_or("an unknown type")?;
    let boxed = |ty: Option<WitType>| ty.map(|ty| convert(resolve, ty).map(Box::new)).transpose();
    Ok(match &definition.kind {
        TypeDefKind::Type(inner) => {
            let inner = convert(resolve, *inner)?;
            match (&definition.name, inner) {
                (Some(name), Type::Text) if name == "secret" => Type::Secret,
                (_, inner) => inner,
            }
        }
        TypeDefKind::List(item) => Type::List(Box::new(convert(resolve, *item)?)),
        TypeDefKind::Option(inner) => Type::Option(Box::new(convert(resolve, *inner)?)),
        TypeDefKind::Result(result) => Type::Result(boxed(result.ok)?, boxed(result.err)?),
        TypeDefKind::Record(record) => {
            let mut fields = Vec::new();
            for field in &record.fields {
                fields.push((field.name.clone(), convert(resolve, field.ty)?));
            }
            Type::Record(fields)
        }
        TypeDefKind::Tuple(tuple) => {
            Type::Tuple(tuple.types.iter().map(|ty| convert(resolve, *ty)).collect::<Result<_, _>>()?)
        }
        TypeDefKind::Enum(enumeration) => {
            Type::Enum(enumeration.cases.iter().map(|case| case.name.clone()).collect())
        }
        TypeDefKind::Resource | TypeDefKind::Handle(_) => return Err("a resource"),
        TypeDefKind::Stream(_) | TypeDefKind::Future(_) => return Err("a stream or future"),
        TypeDefKind::Variant(_) | TypeDefKind::Flags(_) => return Err("a variant or flags type"),
        _ => return Err("a type this server does not know"),
    })
}

/// `newSecret` and `new_secret` are WIT's `new-secret`.
pub(crate) fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        match c {
            '_' => out.push('-'),
            c if c.is_ascii_uppercase() => {
                if !out.is_empty() {
                    out.push('-');
                }
                out.push(c.to_ascii_lowercase());
            }
            c => out.push(c),
        }
    }
    out
}

/// WIT's `last-step` is `lastStep` in flows.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        if c == '-' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

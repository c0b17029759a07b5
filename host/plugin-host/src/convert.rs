//! Agama values to WIT values and back, by type, with the path of the offending part in errors.

use agamid_flow_engine::agama_lang::value::{Map, Value};
use wasmtime::component::Val;

use crate::types::{Type, camel};

/// Values nest at most this deep.
const MAX_DEPTH: usize = 64;

/// A value that does not fit its type; the message names the path.
pub(crate) type Misfit = String;

fn misfit(path: &str, expected: &Type, found: &Value) -> Misfit {
    let found = match found {
        Value::Number(n) => n.to_string(),
        // Text is shown redacted where it is secret.
        Value::String(text) => format!("{text:?}"),
        other => other.kind().to_owned(),
    };
    format!("{path}: expected {expected}, found {found}")
}

/// The smallest and largest number of an integer type that a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "the bounds are powers of two, or clamped to 2^53")]
fn bounds(signed: bool, bits: u8) -> (f64, f64) {
    let exact = (1_u64 << 53) as f64;
    if signed {
        let half = (1_u64 << (bits.min(63) - u8::from(bits < 64))) as f64;
        ((-half).max(-exact), (half - 1.0).min(exact))
    } else if bits >= 64 {
        (0.0, exact)
    } else {
        (0.0, ((1_u64 << bits) - 1) as f64)
    }
}

/// Checks a value against a type without converting it: for host modules. Answers it with what is missing filled in.
pub(crate) fn check(value: Value, ty: &Type, path: &str, depth: usize) -> Result<Value, Misfit> {
    if depth > MAX_DEPTH {
        return Err(format!("{path}: nested more than {MAX_DEPTH} deep"));
    }
    match (ty, value) {
        (Type::Bool, Value::Bool(b)) => Ok(Value::Bool(b)),
        (Type::Integer(signed, bits), Value::Number(n)) => {
            let (least, most) = bounds(*signed, *bits);
            if n.fract() == 0.0 && n >= least && n <= most {
                Ok(Value::Number(n))
            } else {
                Err(misfit(path, ty, &Value::Number(n)))
            }
        }
        (Type::Float32 | Type::Float64, Value::Number(n)) => Ok(Value::Number(n)),
        (Type::Char, Value::String(text)) if text.as_str().chars().count() == 1 => Ok(Value::String(text)),
        (Type::Text | Type::Secret, Value::String(text)) => Ok(Value::String(text)),
        (Type::Enum(names), Value::String(text)) if names.iter().any(|name| name == text.as_str()) => {
            Ok(Value::String(text))
        }
        (Type::List(item), Value::List(items)) => {
            let mut checked = Vec::with_capacity(items.len());
            for (at, value) in items.into_iter().enumerate() {
                checked.push(check(value, item, &format!("{path}[{at}]"), depth + 1)?);
            }
            Ok(Value::List(checked))
        }
        (Type::Tuple(types), Value::List(items)) if items.len() == types.len() => {
            let mut checked = Vec::with_capacity(items.len());
            for (at, (value, ty)) in items.into_iter().zip(types).enumerate() {
                checked.push(check(value, ty, &format!("{path}[{at}]"), depth + 1)?);
            }
            Ok(Value::List(checked))
        }
        (Type::Option(_), Value::Null) => Ok(Value::Null),
        (Type::Option(inner), value) => check(value, inner, path, depth + 1),
        (Type::Result(ok, err), Value::Map(map)) if map.len() == 1 => {
            let (side, value) = map.into_iter().next().unwrap_or_default();
            let inner = match side.as_str() {
                "ok" => ok,
                "err" => err,
                _ => return Err(format!("{path}.{side}: expected {ty}: a map with one key, ok or err")),
            };
            let value = match inner {
                Some(inner) => check(value, inner, &format!("{path}.{side}"), depth + 1)?,
                None => Value::Null,
            };
            Ok(Value::Map(Map::from_iter([(side, value)])))
        }
        (Type::Record(fields), Value::Map(mut map)) => {
            let mut checked = Map::new();
            for (name, ty) in fields {
                let key = camel(name);
                let value = map.shift_remove(&key).or_else(|| map.shift_remove(name)).unwrap_or_default();
                checked.insert(key.clone(), check(value, ty, &format!("{path}.{key}"), depth + 1)?);
            }
            match map.keys().next() {
                Some(unknown) => Err(format!("{path}.{unknown}: the record {ty} has no such field")),
                None => Ok(Value::Map(checked)),
            }
        }
        (ty, value) => Err(misfit(path, ty, &value)),
    }
}

/// A checked value as a WIT value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`check` has made sure that the number is integral and in range"
)]
pub(crate) fn lower(value: &Value, ty: &Type) -> Result<Val, Misfit> {
    let number = || match value {
        Value::Number(n) => *n,
        _ => 0.0,
    };
    let text = || value.as_str().unwrap_or_default().to_owned();
    Ok(match ty {
        Type::Bool => Val::Bool(*value == Value::Bool(true)),
        Type::Integer(false, 8) => Val::U8(number() as u8),
        Type::Integer(false, 16) => Val::U16(number() as u16),
        Type::Integer(false, 32) => Val::U32(number() as u32),
        Type::Integer(false, _) => Val::U64(number() as u64),
        Type::Integer(true, 8) => Val::S8(number() as i8),
        Type::Integer(true, 16) => Val::S16(number() as i16),
        Type::Integer(true, 32) => Val::S32(number() as i32),
        Type::Integer(true, _) => Val::S64(number() as i64),
        Type::Float32 => Val::Float32(number() as f32),
        Type::Float64 => Val::Float64(number()),
        Type::Char => Val::Char(text().chars().next().unwrap_or_default()),
        Type::Text | Type::Secret => Val::String(text()),
        Type::Enum(_) => Val::Enum(text()),
        Type::List(item) => match value {
            Value::List(items) => {
                Val::List(items.iter().map(|value| lower(value, item)).collect::<Result<_, _>>()?)
            }
            _ => Val::List(Vec::new()),
        },
        Type::Tuple(types) => match value {
            Value::List(items) => Val::Tuple(
                items.iter().zip(types).map(|(value, ty)| lower(value, ty)).collect::<Result<_, _>>()?,
            ),
            _ => Val::Tuple(Vec::new()),
        },
        Type::Option(inner) => match value {
            Value::Null => Val::Option(None),
            value => Val::Option(Some(Box::new(lower(value, inner)?))),
        },
        Type::Record(fields) => {
            let map = value.as_map().ok_or_else(|| misfit("value", ty, value))?;
            let mut lowered = Vec::with_capacity(fields.len());
            for (name, ty) in fields {
                let value = map.get(&camel(name)).unwrap_or(&Value::Null);
                lowered.push((name.clone(), lower(value, ty)?));
            }
            Val::Record(lowered)
        }
        Type::Result(ok, err) => {
            let map = value.as_map().ok_or_else(|| misfit("value", ty, value))?;
            let side = |name: &str, ty: &Option<Box<Type>>| match (map.get(name), ty) {
                (Some(value), Some(ty)) => lower(value, ty).map(|value| Some(Box::new(value))),
                _ => Ok(None),
            };
            Val::Result(if map.contains_key("ok") { Ok(side("ok", ok)?) } else { Err(side("err", err)?) })
        }
    })
}

/// What a guest gives back.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of the language are doubles; larger ones are rounded"
)]
pub(crate) fn lift(value: &Val, ty: &Type) -> Value {
    match (value, ty) {
        (Val::Bool(b), _) => Value::Bool(*b),
        (Val::U8(n), _) => Value::Number(f64::from(*n)),
        (Val::U16(n), _) => Value::Number(f64::from(*n)),
        (Val::U32(n), _) => Value::Number(f64::from(*n)),
        (Val::U64(n), _) => Value::Number(*n as f64),
        (Val::S8(n), _) => Value::Number(f64::from(*n)),
        (Val::S16(n), _) => Value::Number(f64::from(*n)),
        (Val::S32(n), _) => Value::Number(f64::from(*n)),
        (Val::S64(n), _) => Value::Number(*n as f64),
        (Val::Float32(n), _) => Value::Number(f64::from(*n)),
        (Val::Float64(n), _) => Value::Number(*n),
        (Val::Char(c), _) => Value::string(c.to_string()),
        (Val::String(text), Type::Secret) => Value::secret(text.as_str()),
        (Val::String(text) | Val::Enum(text), _) => Value::string(text.as_str()),
        (Val::List(items), Type::List(item)) => {
            Value::List(items.iter().map(|value| lift(value, item)).collect())
        }
        (Val::Tuple(items), Type::Tuple(types)) => {
            Value::List(items.iter().zip(types).map(|(value, ty)| lift(value, ty)).collect())
        }
        (Val::Option(Some(inner)), Type::Option(ty)) => lift(inner, ty),
        // Inside of another value; at the top a result is the call's own (see `call.rs`).
        (Val::Result(result), Type::Result(ok, err)) => {
            let (name, value, ty) = match result {
                Ok(value) => ("ok", value, ok),
                Err(value) => ("err", value, err),
            };
            let value = match (value, ty) {
                (Some(value), Some(ty)) => lift(value, ty),
                _ => Value::Null,
            };
            Value::Map(Map::from_iter([(name.to_owned(), value)]))
        }
        (Val::Record(fields), Type::Record(types)) => {
            let lifted =
                fields.iter().zip(types).map(|((name, value), (_, ty))| (camel(name), lift(value, ty)));
            Value::Map(lifted.collect())
        }
        _ => Value::Null,
    }
}

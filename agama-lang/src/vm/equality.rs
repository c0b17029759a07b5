//! `is`.

use super::heap::Val;
use super::machine::{Fault, Machine};

impl Machine<'_> {
    /// Whether two values are the same: numbers, strings and booleans by value, lists and maps by identity. Comparing
    /// different kinds is false and leaves a warning.
    pub(super) fn equal(&mut self, left: &Val, right: &Val) -> Result<bool, Fault> {
        Ok(match (left, right) {
            (Val::Null, Val::Null) => true,
            (Val::Null, _) | (_, Val::Null) => false,
            (Val::Bool(a), Val::Bool(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "the language compares numbers exactly")]
            (Val::Number(a), Val::Number(b)) => a == b,
            (Val::Text(a), Val::Text(b)) => {
                let (a, b) = (a.as_str(), b.as_str());
                a.len() == b.len() && {
                    self.burn_text(a)?;
                    a == b
                }
            }
            (Val::List(a), Val::List(b)) | (Val::Map(a), Val::Map(b)) => {
                if a != b {
                    let kind = left.kind();
                    self.note(format!("{kind} is compared with another one: that is never equal"));
                }
                a == b
            }
            _ => {
                let (a, b) = (left.kind(), right.kind());
                self.note(format!("{a} is compared with {b}: that is never equal"));
                false
            }
        })
    }
}

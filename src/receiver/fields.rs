//! Reading a JSON body field by field, so that a refusal names the field and what would be right.
//!
//! Strict on purpose: a field too many is refused like one too few, since a client's misspelt option would otherwise
//! go unseen.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::answer::Refusal;

/// The longest name of anything, in bytes.
const LONGEST_TEXT: usize = 1024;

pub(super) struct Fields {
    left: Map<String, Value>,
}

type Read<T> = Result<T, Refusal>;

impl Fields {
    pub(super) fn of(body: Value) -> Read<Self> {
        match body {
            Value::Object(left) => Ok(Self { left }),
            other => Err(Refusal::field("body", "a JSON object", &other)),
        }
    }

    /// Every field has been read; any left over is one too many.
    pub(super) fn done(self) -> Read<()> {
        match self.left.into_iter().next() {
            None => Ok(()),
            Some((name, value)) => Err(Refusal::field(&name, "no such field", &value)),
        }
    }

    /// A field made into what it means by `read`, which answers `None` to what it does not like.
    pub(super) fn take<T>(&mut self, name: &str, wanted: &str, read: impl FnOnce(&Value) -> Option<T>) -> Read<T> {
        match self.left.remove(name) {
            Some(value) => read(&value).ok_or_else(|| Refusal::field(name, wanted, &value)),
            None => Err(Refusal::missing(name, wanted)),
        }
    }

    /// Like [`Fields::take`], for a field that may be absent (but not `null`).
    pub(super) fn take_if_there<T>(
        &mut self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Read<Option<T>> {
        match self.left.contains_key(name) {
            true => self.take(name, wanted, read).map(Some),
            false => Ok(None),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Read<String> {
        self.take(name, "a text of 1 to 1024 bytes", text)
    }

    pub(super) fn uuid(&mut self, name: &str) -> Read<Uuid> {
        self.take(name, "a UUID", uuid)
    }

    pub(super) fn uuids(&mut self, name: &str) -> Read<Vec<Uuid>> {
        self.take(name, "a list of UUIDs, not empty", |value| {
            let list = value.as_array().filter(|list| !list.is_empty())?;
            list.iter().map(uuid).collect()
        })
    }

    /// A text that is exactly one of those given; answers which.
    pub(super) fn one_of(&mut self, name: &str, choices: &[&str]) -> Read<usize> {
        let wanted = choices.iter().map(|choice| format!("\"{choice}\"")).collect::<Vec<_>>().join(" or ");
        self.take(name, &wanted, |value| choices.iter().position(|choice| value.as_str() == Some(choice)))
    }
}

/// A text with something in it, of a bearable length.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.trim().is_empty() && text.len() <= LONGEST_TEXT).map(str::to_owned)
}

pub(super) fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

/// A number spelt as a JSON string, as all numbers are when an upload URL is asked for.
pub(super) fn number_in_text(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok().filter(|number: &f64| number.is_finite())
}

//! What the context is expected to hold: the declared `fields`, checked for each request.

use crate::model::{DeclaredField, FieldType};
use crate::value::{Fields, View};

/// The declared fields of a bundle.
#[derive(Debug)]
pub struct FieldCheck {
    declared: Box<[DeclaredField]>,
}

impl FieldCheck {
    pub(super) fn of(declared: &[DeclaredField]) -> Self {
        Self { declared: declared.into() }
    }

    /// How many declared fields the context does not fit.
    #[must_use]
    pub fn violations(&self, context: &dyn Fields) -> u32 {
        let broken = self.declared.iter().filter(|field| !fits(field, context));
        u32::try_from(broken.count()).unwrap_or(u32::MAX)
    }
}

fn fits(field: &DeclaredField, context: &dyn Fields) -> bool {
    match find(context, &field.path) {
        Found::Absent => !field.required,
        Found::Broken => false,
        Found::Value(value) => type_fits(field, value),
    }
}

enum Found<'a> {
    Absent,
    Broken,
    Value(View<'a>),
}

fn find<'a>(context: &'a dyn Fields, path: &[Box<str>]) -> Found<'a> {
    let mut here = View::Map(context);
    for segment in path {
        let View::Map(fields) = here else {
            return Found::Broken;
        };
        let Some(next) = fields.field(segment) else {
            return Found::Absent;
        };
        here = next;
    }
    Found::Value(here)
}

fn type_fits(field: &DeclaredField, value: View<'_>) -> bool {
    match (field.kind, value) {
        (FieldType::Number, View::Number(n)) => in_range(field, n),
        (FieldType::Integer, View::Number(n)) => n.fract() == 0.0 && in_range(field, n),
        (FieldType::String, View::Str(text)) => is_listed(field, text),
        (FieldType::Timestamp, View::Str(text)) => {
            crate::condition::cel::is_timestamp(text) && is_listed(field, text)
        }
        (FieldType::Boolean, View::Bool(_))
        | (FieldType::List, View::List(_))
        | (FieldType::Map, View::Map(_)) => true,
        _ => false,
    }
}

fn in_range(field: &DeclaredField, n: f64) -> bool {
    !n.is_nan() && field.min.is_none_or(|min| n >= min) && field.max.is_none_or(|max| n <= max)
}

fn is_listed(field: &DeclaredField, text: &str) -> bool {
    field.values.as_ref().is_none_or(|values| values.iter().any(|own| **own == *text))
}

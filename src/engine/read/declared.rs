//! `fields`: what the context is expected to hold (design 1.4).

use super::form::{Field, Form, Known, Shape};
use super::take::Choices;
use super::{Findings, path, shown};
use crate::model::{Code, DeclaredField, FieldType};

static DECLARED: Shape = Shape {
    what: "a declared field",
    fields: &[
        Known::plain("type"),
        Known::plain("required"),
        Known::plain("min"),
        Known::plain("max"),
        Known::plain("values"),
    ],
};

const TYPES: &Choices<FieldType> = &[
    ("number", FieldType::Number),
    ("integer", FieldType::Integer),
    ("string", FieldType::String),
    ("boolean", FieldType::Boolean),
    ("list", FieldType::List),
    ("map", FieldType::Map),
    ("timestamp", FieldType::Timestamp),
];

/// Reads the declarations, in the order of the document.
pub(super) fn fields(field: Field<'_>, found: &mut Findings) -> Vec<DeclaredField> {
    let Some(entries) = field.node.entries() else {
        field.wrong_type("write a map of paths and what they hold", found);
        return Vec::new();
    };
    let mut read = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = Field::named(&entry.key, entry.place, &entry.node);
        match path::segments(path::in_context(&entry.key)) {
            Ok(path) if read.iter().any(|earlier: &DeclaredField| earlier.path == path) => {
                let message = format!("{} is declared twice", shown(path::in_context(&entry.key)));
                found.error_with(Code::BadValue, entry.place, message, "keep one of them");
            }
            Ok(path) => read.extend(declared(path, name, found)),
            Err(problem) => {
                found.error_with(problem.code, entry.place, problem.message, problem.suggestion);
            }
        }
    }
    read
}

fn declared(path: Vec<Box<str>>, field: Field<'_>, found: &mut Findings) -> Option<DeclaredField> {
    let form = Form::open(field, &DECLARED, found)?;
    let kind = form.required("type", found).and_then(|f| f.choice(TYPES, found));
    let declared = DeclaredField {
        path,
        required: form.get("required").and_then(|f| f.boolean(found)).unwrap_or(false),
        min: form.get("min").and_then(|f| f.number(found)),
        max: form.get("max").and_then(|f| f.number(found)),
        values: form.get("values").and_then(|f| values(f, found)),
        kind: kind?,
    };
    if !matches!(declared.kind, FieldType::Number | FieldType::Integer) {
        for name in ["min", "max"] {
            form.refuse(name, "belongs to numbers alone", "remove it", found);
        }
    }
    if declared.kind != FieldType::String {
        form.refuse("values", "belongs to strings alone", "remove it", found);
    }
    if let (Some(min), Some(max), Some(field)) = (declared.min, declared.max, form.get("max"))
        && max < min
    {
        field.bad_value("is below `min`", "write at least as much", found);
    }
    Some(declared)
}

/// The only texts; an empty one is a text like others here.
fn values(field: Field<'_>, found: &mut Findings) -> Option<Vec<Box<str>>> {
    let elements = field.list(found)?;
    let values: Vec<Box<str>> = elements.filter_map(|e| e.text(found)).map(Into::into).collect();
    if values.is_empty() {
        field.bad_value("allows nothing", "name a value, or leave it out", found);
    }
    Some(values)
}

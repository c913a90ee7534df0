//! Reads the requests of cases and steps, and what else both of them have.

use super::suite::{Asked, BundleAt};
use crate::model::{Code, Finding};
use crate::read::form::Field;
use crate::read::request::{self, RequestBounds, RequestDocument};
use crate::read::tree::{Content, Entry, Node};
use crate::read::{Findings, shown};
use crate::time::WallTime;
use std::sync::Arc;

/// The request, or what a server would refuse it for. A field that does not exist is a mistake
/// in the file all the same: no server sees it.
pub(super) fn asked(field: Field<'_>, found: &mut Findings) -> Asked {
    apart(found, |refused| request::document(field, &RequestBounds::default(), refused))
}

/// The same of a request that need not name an action.
pub(super) fn asked_of_anything(field: Field<'_>, found: &mut Findings) -> Asked {
    apart(found, |refused| request::facts(field, &RequestBounds::default(), refused))
}

fn apart(found: &mut Findings, read: impl FnOnce(&mut Findings) -> Option<RequestDocument>) -> Asked {
    let mut refused = Findings::new(found.files().to_vec());
    let document = read(&mut refused);
    let (mistakes, refused): (Vec<Finding>, Vec<Finding>) =
        refused.into_sorted().into_iter().partition(|finding| finding.code == Code::UnknownField);
    mistakes.into_iter().for_each(|mistake| found.push(mistake));
    document.filter(|_| refused.is_empty()).ok_or(refused)
}

/// A map without these entries, which are not of the request.
pub(super) fn without(node: &Node, names: &[&str]) -> Node {
    let Some(entries) = node.entries() else { return node.clone() };
    let rest: Vec<Entry> = entries.iter().filter(|entry| !names.contains(&&*entry.key)).cloned().collect();
    Node { place: node.place, content: Content::Map(Arc::new(rest)) }
}

/// Reports fields that this kind of request does not have.
pub(super) fn refuse(field: Field<'_>, names: &[&str], found: &mut Findings) {
    for entry in field.node.entries().unwrap_or_default() {
        if names.contains(&&*entry.key) {
            let message = format!("{} is no field of {}", shown(&entry.key), field.label());
            found.error_with(Code::UnknownField, entry.place, message, "leave it out");
        }
    }
}

/// Where a bundle is.
pub(super) fn bundle(field: Field<'_>, found: &mut Findings) -> Option<BundleAt> {
    match &field.node.content {
        Content::Text(path) if !path.is_empty() => Some(BundleAt::Path((**path).into(), field.node.place)),
        content @ Content::Map(_) => {
            let json = content.to_const().to_json().to_string();
            Some(BundleAt::Inline(json.into_bytes(), field.node.place))
        }
        _ => {
            field.wrong_type("write the path of a bundle, or a bundle itself", found);
            None
        }
    }
}

/// A time of day.
pub(super) fn time(field: Field<'_>, found: &mut Findings) -> Option<WallTime> {
    let time = field.node.text().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if time.is_none() {
        field.bad_value("is no time", "write one such as `2026-11-21T09:30:00Z`", found);
    }
    time.map(WallTime::from)
}

/// A name.
pub(super) fn text(field: Field<'_>, found: &mut Findings) -> Option<Box<str>> {
    let text = field.node.text().filter(|text| !text.is_empty());
    if text.is_none() {
        field.wrong_type("write a name", found);
    }
    text.map(Into::into)
}

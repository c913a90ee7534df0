//! The bounds on a context, checked in one walk that stops where they are passed.

use super::Limits;
use super::violation::{Place, Violations};
use crate::pb::{Entry, Kind, ListValue, Struct, Value};

/// What a walk has seen.
#[derive(Debug)]
pub(super) struct Walk<'l> {
    limits: &'l Limits,
    values: usize,
    /// An upper bound of what the context takes on the wire.
    pub(super) bytes: usize,
}

/// What tags and lengths of one entry take on the wire at most, its texts apart.
const FRAME_BYTES: usize = 32;

impl<'l> Walk<'l> {
    pub(super) const fn new(limits: &'l Limits) -> Self {
        Self { limits, values: 0, bytes: 0 }
    }

    /// Checks the context, and sorts its maps for look-ups.
    pub(super) fn context(&mut self, context: &mut Struct, wrong: &mut Violations) {
        let place = Place::Field("context");
        self.map(context, &place, 1, wrong);
        if self.values > self.limits.context_values {
            let most = self.limits.context_values;
            wrong.add(place, format!("holds more than {most} values in all; send fewer"));
        }
    }

    fn map(&mut self, map: &mut Struct, at: &Place<'_>, depth: usize, wrong: &mut Violations) {
        map.normalise();
        for Entry { key, value } in &mut map.fields {
            if self.over() {
                return;
            }
            let place = Place::Key(at, key);
            self.bytes += key.len();
            if key.len() > self.limits.name_bytes {
                wrong.add(place, too_long("has a name", key.len(), self.limits.name_bytes));
            }
            match value {
                Some(value) => self.value(value, &place, depth, wrong),
                None => no_kind(place, wrong),
            }
        }
    }

    fn list(&mut self, list: &mut ListValue, at: &Place<'_>, depth: usize, wrong: &mut Violations) {
        for (index, value) in list.values.iter_mut().enumerate() {
            if self.over() {
                return;
            }
            self.value(value, &Place::Index(at, index), depth, wrong);
        }
    }

    fn value(&mut self, value: &mut Value, at: &Place<'_>, depth: usize, wrong: &mut Violations) {
        self.values += 1;
        self.bytes += FRAME_BYTES;
        if depth > self.limits.context_depth {
            let most = self.limits.context_depth;
            wrong.add(*at, format!("is nested more than {most} levels deep; send it flatter"));
            return;
        }
        match &mut value.kind {
            None => no_kind(*at, wrong),
            Some(Kind::Null(_) | Kind::Number(_) | Kind::Bool(_)) => {}
            Some(Kind::Text(text)) => {
                self.bytes += text.len();
                if text.len() > self.limits.string_bytes {
                    wrong.add(*at, too_long("is a text", text.len(), self.limits.string_bytes));
                }
            }
            Some(Kind::Struct(map)) => self.map(map, at, depth + 1, wrong),
            Some(Kind::List(list)) => self.list(list, at, depth + 1, wrong),
        }
    }

    const fn over(&self) -> bool {
        self.values > self.limits.context_values
    }
}

fn no_kind(place: Place<'_>, wrong: &mut Violations) {
    wrong.add(place, "holds a value without a kind; set one, `null_value` for null");
}

pub(super) fn too_long(what: &str, bytes: usize, most: usize) -> String {
    format!("{what} of {bytes} bytes; at most {most} are taken")
}

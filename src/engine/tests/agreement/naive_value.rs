//! Values of the naive interpreter, and what page 1.5 says of comparing them.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::rc::Rc;

use serde_json::Value as Json;

/// The third truth value comes in two kinds; every operation answers a value or one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A field of the request that is not there.
    Absent,
    /// A wrong type, NaN, an overflow and the rest of the table.
    Error,
}

pub type Answer<T = Val> = Result<T, Unknown>;

#[derive(Clone, Debug)]
pub enum Val {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(Rc<str>),
    List(Rc<Vec<Val>>),
    Map(Rc<Map>),
    /// Nanoseconds since 1970, as far as year 9999, which is farther than jiff's own type.
    Time(i128),
    /// Nanoseconds, up to 10,000 years either way, as protobuf has them.
    Duration(i128),
    Ip(IpAddr),
    Cidr(IpAddr, u8),
}

#[derive(Debug)]
pub struct Map {
    /// Ordered by key where it comes from JSON.
    pub entries: Vec<(Val, Val)>,
    /// A key that is missing here is absent; in a map that the bundle wrote it is an error.
    pub of_request: bool,
}

impl Map {
    pub fn get(&self, key: &Val) -> Option<&Val> {
        self.entries.iter().find(|(k, _)| equal(k, key) == Ok(true)).map(|(_, v)| v)
    }
}

impl Val {
    pub fn str(text: &str) -> Self {
        Self::Str(text.into())
    }

    pub fn list(values: Vec<Self>) -> Self {
        Self::List(Rc::new(values))
    }

    pub fn map(entries: Vec<(Self, Self)>, of_request: bool) -> Self {
        Self::Map(Rc::new(Map { entries, of_request }))
    }

    /// A number of a condition, of `data` or of a request is a double. `{"$nan": true}`, `{"$inf": true}`
    /// and `{"$ninf": true}` in a request stand for the doubles that JSON cannot write.
    pub fn from_json(json: &Json, of_request: bool) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => Self::Double(n.as_f64().expect("a JSON number is a double")),
            Json::String(s) => Self::str(s),
            Json::Array(items) => Self::list(items.iter().map(|v| Self::from_json(v, of_request)).collect()),
            Json::Object(fields) => {
                if let Some(special) = special_number(json).filter(|_| of_request) {
                    return Self::Double(special);
                }
                let entries = fields.iter().map(|(k, v)| (Self::str(k), Self::from_json(v, of_request)));
                Self::map(entries.collect(), of_request)
            }
        }
    }

    /// The number as a double, which is what an integer becomes beside one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(i) => Some(*i as f64),
            Self::Double(d) => Some(*d),
            _ => None,
        }
    }

    pub fn is_nan(&self) -> bool {
        matches!(self, Self::Double(d) if d.is_nan())
    }

    /// `self.field`: a missing key is absent or an error, anything but a map an error.
    pub fn select(&self, field: &str) -> Answer {
        let Self::Map(map) = self else {
            return Err(Unknown::Error);
        };
        let missing = if map.of_request { Unknown::Absent } else { Unknown::Error };
        map.get(&Self::str(field)).cloned().ok_or(missing)
    }

    /// `has(self.field)`.
    pub fn has(&self, field: &str) -> Answer<bool> {
        let Self::Map(map) = self else {
            return Err(Unknown::Error);
        };
        Ok(map.get(&Self::str(field)).is_some())
    }
}

/// The number that a marker stands for.
pub fn special_number(json: &Json) -> Option<f64> {
    let (name, _) = json.as_object().filter(|o| o.len() == 1)?.iter().next()?;
    match name.as_str() {
        "$nan" => Some(f64::NAN),
        "$inf" => Some(f64::INFINITY),
        "$ninf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// `a == b`: false between different types, an error where NaN is met and nothing else differs.
pub fn equal(a: &Val, b: &Val) -> Answer<bool> {
    if a.is_nan() || b.is_nan() {
        return Err(Unknown::Error);
    }
    match (a, b) {
        (Val::Int(_) | Val::Double(_), Val::Int(_) | Val::Double(_)) => {
            compare_numbers(a, b).map(Ordering::is_eq)
        }
        (Val::Null, Val::Null) => Ok(true),
        (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
        (Val::Str(a), Val::Str(b)) => Ok(a == b),
        (Val::Time(a), Val::Time(b)) => Ok(a == b),
        (Val::Duration(a), Val::Duration(b)) => Ok(a == b),
        (Val::Ip(a), Val::Ip(b)) => Ok(a == b),
        (Val::Cidr(a, n), Val::Cidr(b, m)) => Ok(a == b && n == m),
        (Val::List(a), Val::List(b)) if a.len() == b.len() => {
            and(a.iter().zip(b.iter()).map(|(x, y)| equal(x, y)))
        }
        (Val::Map(a), Val::Map(b)) if a.entries.len() == b.entries.len() => {
            and(a.entries.iter().map(|(key, x)| match b.get(key) {
                Some(y) => equal(x, y),
                None => Ok(false),
            }))
        }
        _ => Ok(false),
    }
}

/// Numbers by their place on the number line: an integer beyond 2^53 is not taken for the double next to it.
fn compare_numbers(a: &Val, b: &Val) -> Answer<Ordering> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => Ok(a.cmp(b)),
        (Val::Int(i), Val::Double(d)) => {
            // Every integer of 64 bits lies between the two; within them the whole part of a double is one too.
            let far = 1e19_f64;
            let whole = d.clamp(-far, far).floor() as i128;
            let after = if d.fract() == 0.0 { Ordering::Equal } else { Ordering::Less };
            if d.is_nan() { Err(Unknown::Error) } else { Ok(i128::from(*i).cmp(&whole).then(after)) }
        }
        (Val::Double(_), Val::Int(_)) => compare_numbers(b, a).map(Ordering::reverse),
        _ => a.number().partial_cmp(&b.number()).ok_or(Unknown::Error),
    }
}

/// `needle in items`: the OR of the comparisons.
pub fn is_in(needle: &Val, items: &[Val]) -> Answer<bool> {
    if needle.is_nan() {
        return Err(Unknown::Error);
    }
    or(items.iter().map(|item| equal(needle, item)))
}

/// The order of two values of one kind; strings by code point. Booleans and times have one in `when` only.
pub fn order(a: &Val, b: &Val, in_when: bool) -> Answer<Ordering> {
    match (a, b) {
        (Val::Int(_) | Val::Double(_), Val::Int(_) | Val::Double(_)) => compare_numbers(a, b),
        (Val::Str(a), Val::Str(b)) => Ok(a.cmp(b)),
        (Val::Bool(a), Val::Bool(b)) if in_when => Ok(a.cmp(b)),
        (Val::Time(a), Val::Time(b)) if in_when => Ok(a.cmp(b)),
        (Val::Duration(a), Val::Duration(b)) if in_when => Ok(a.cmp(b)),
        _ => Err(Unknown::Error),
    }
}

/// False absorbs, then an error hides an absence.
pub fn and(parts: impl Iterator<Item = Answer<bool>>) -> Answer<bool> {
    absorb(parts, false)
}

/// True absorbs, then an error hides an absence.
pub fn or(parts: impl Iterator<Item = Answer<bool>>) -> Answer<bool> {
    absorb(parts, true)
}

fn absorb(parts: impl Iterator<Item = Answer<bool>>, winner: bool) -> Answer<bool> {
    let mut result = Ok(!winner);
    for part in parts {
        match part {
            Ok(b) if b == winner => return Ok(winner),
            Ok(_) => {}
            Err(unknown) => result = Err(worse(result.err(), unknown)),
        }
    }
    result
}

/// Absence and error together are an error.
pub fn worse(before: Option<Unknown>, now: Unknown) -> Unknown {
    if before == Some(Unknown::Error) { Unknown::Error } else { now }
}

/// All of `parts`, or what makes the whole unknown.
pub fn strict<T>(parts: impl Iterator<Item = Answer<T>>) -> Answer<Vec<T>> {
    let mut values = Vec::new();
    let mut unknown = None;
    for part in parts {
        match part {
            Ok(value) => values.push(value),
            Err(u) => unknown = Some(worse(unknown, u)),
        }
    }
    unknown.map_or(Ok(values), Err)
}

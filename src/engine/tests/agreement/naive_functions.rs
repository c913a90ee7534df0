//! The strict operators and functions of `when`: all arguments known, a value or an error.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;

use regex::Regex;

use crate::naive_time;
use crate::naive_value::{Answer, Map, Unknown, Val, equal, is_in, order};

const ERROR: Answer = Err(Unknown::Error);

/// `name(values…)`, or with a receiver `values[0].name(values[1]…)`.
pub fn call(name: &str, receiver: bool, values: &[Val]) -> Answer {
    match (name, values) {
        ("!_", [Val::Bool(b)]) => Ok(Val::Bool(!b)),
        ("-_", [Val::Int(i)]) => int(i.checked_neg()),
        ("-_", [Val::Double(d)]) if !d.is_nan() => Ok(Val::Double(-d)),
        ("_==_", [a, b]) => equal(a, b).map(Val::Bool),
        ("_!=_", [a, b]) => equal(a, b).map(|same| Val::Bool(!same)),
        ("_<_", [a, b]) => ordered(a, b, Ordering::is_lt),
        ("_<=_", [a, b]) => ordered(a, b, Ordering::is_le),
        ("_>_", [a, b]) => ordered(a, b, Ordering::is_gt),
        ("_>=_", [a, b]) => ordered(a, b, Ordering::is_ge),
        ("@in", [a, Val::List(items)]) => is_in(a, items).map(Val::Bool),
        ("@in", [a, Val::Map(map)]) => has_key(map, a),
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => arithmetic(name, a, b),
        ("size", [a]) => size(a),
        ("dyn", [a]) if !receiver => Ok(a.clone()),
        ("int" | "double" | "string" | "bool" | "timestamp" | "duration" | "ip" | "cidr", [a])
            if !receiver =>
        {
            convert(name, a)
        }
        ("matches", [Val::Str(text), args @ ..]) => on_string(name, text, args),
        (_, [Val::Str(text), args @ ..]) if receiver => on_string(name, text, args),
        (_, [Val::List(items), args @ ..]) if receiver && name == "join" => join(items, args),
        (_, [Val::Time(at)]) if receiver => int(naive_time::accessor(name, *at, "UTC")),
        (_, [Val::Time(at), Val::Str(zone)]) if receiver => int(naive_time::accessor(name, *at, zone)),
        (_, [Val::Duration(n)]) if receiver => int(naive_time::duration_accessor(name, *n)),
        ("containsIP", [Val::Cidr(net, prefix), a]) if receiver => contains_ip(*net, *prefix, a),
        _ => ERROR,
    }
}

fn int(value: Option<i64>) -> Answer {
    value.map(Val::Int).ok_or(Unknown::Error)
}

/// A double operation whose result is not finite is an error.
fn double(value: f64) -> Answer {
    if value.is_finite() { Ok(Val::Double(value)) } else { ERROR }
}

fn duration(nanos: i128) -> Answer {
    if nanos.abs() <= naive_time::LONGEST { Ok(Val::Duration(nanos)) } else { ERROR }
}

fn time(at: i128) -> Answer {
    if (naive_time::FIRST..=naive_time::LAST).contains(&at) { Ok(Val::Time(at)) } else { ERROR }
}

fn ordered(a: &Val, b: &Val, holds: fn(Ordering) -> bool) -> Answer {
    order(a, b, true).map(|o| Val::Bool(holds(o)))
}

fn has_key(map: &Map, key: &Val) -> Answer {
    if key.is_nan() { ERROR } else { Ok(Val::Bool(map.get(key).is_some())) }
}

/// `holder[key]`: a list by a whole number, a map by a key.
pub fn index(holder: &Val, key: &Val) -> Answer {
    match (holder, key) {
        (Val::List(items), Val::Int(_) | Val::Double(_)) => {
            let at = key.number().filter(|n| n.fract() == 0.0 && *n >= 0.0).ok_or(Unknown::Error)?;
            items.get(at as usize).cloned().ok_or(Unknown::Error)
        }
        (Val::Map(map), Val::Str(_) | Val::Int(_) | Val::Double(_) | Val::Bool(_)) if !key.is_nan() => {
            // A request's keys are strings; another type is a mistake, not a field left out.
            let could_be = map.of_request && matches!(key, Val::Str(_));
            let missing = if could_be { Unknown::Absent } else { Unknown::Error };
            map.get(key).cloned().ok_or(missing)
        }
        _ => ERROR,
    }
}

fn arithmetic(operator: &str, a: &Val, b: &Val) -> Answer {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => int(match operator {
            "_+_" => a.checked_add(*b),
            "_-_" => a.checked_sub(*b),
            "_*_" => a.checked_mul(*b),
            "_/_" => a.checked_div(*b),
            _ => a.checked_rem(*b),
        }),
        (Val::Int(_) | Val::Double(_), Val::Int(_) | Val::Double(_)) => {
            let (Some(a), Some(b)) = (a.number(), b.number()) else {
                return ERROR;
            };
            match operator {
                "_+_" => double(a + b),
                "_-_" => double(a - b),
                "_*_" => double(a * b),
                "_/_" => double(a / b),
                _ if a.fract() == 0.0 && b.fract() == 0.0 => double(a % b),
                _ => ERROR,
            }
        }
        _ => match (operator, a, b) {
            ("_+_", Val::Str(a), Val::Str(b)) => Ok(Val::str(&format!("{a}{b}"))),
            ("_+_", Val::List(a), Val::List(b)) => Ok(Val::list([a.as_slice(), b.as_slice()].concat())),
            ("_+_", Val::Time(t), Val::Duration(d)) | ("_+_", Val::Duration(d), Val::Time(t)) => time(t + d),
            ("_-_", Val::Time(t), Val::Duration(d)) => time(t - d),
            ("_-_", Val::Time(a), Val::Time(b)) => duration(a - b),
            ("_+_", Val::Duration(a), Val::Duration(b)) => duration(a + b),
            ("_-_", Val::Duration(a), Val::Duration(b)) => duration(a - b),
            _ => ERROR,
        },
    }
}

fn size(of: &Val) -> Answer {
    let size = match of {
        Val::Str(text) => text.chars().count(),
        Val::List(items) => items.len(),
        Val::Map(map) => map.entries.len(),
        _ => return ERROR,
    };
    int(i64::try_from(size).ok())
}

fn convert(to: &str, from: &Val) -> Answer {
    match (to, from) {
        ("int", Val::Int(_))
        | ("string", Val::Str(_))
        | ("bool", Val::Bool(_))
        | ("timestamp", Val::Time(_))
        | ("duration", Val::Duration(_))
        | ("ip", Val::Ip(_)) => Ok(from.clone()),
        // Both ends of the range are out of it, since neither is told from its neighbours.
        ("int", Val::Double(d)) => int((d.abs() < 9_223_372_036_854_775_808.0).then_some(*d as i64)),
        ("int", Val::Str(text)) => int(text.parse().ok()),
        ("int", Val::Time(at)) => int(i64::try_from(at.div_euclid(1_000_000_000)).ok()),
        ("double", Val::Double(d)) if !d.is_nan() => Ok(from.clone()),
        ("double", Val::Int(i)) => double(*i as f64),
        ("double", Val::Str(text)) => double(text.parse().map_err(|_| Unknown::Error)?),
        ("string", Val::Bool(b)) => Ok(Val::str(&b.to_string())),
        ("string", Val::Int(i)) => Ok(Val::str(&i.to_string())),
        ("string", Val::Double(d)) if !d.is_nan() => Ok(Val::str(&write_double(*d))),
        ("string", Val::Ip(ip)) => Ok(Val::str(&ip.to_string())),
        ("string", Val::Time(at)) => Ok(Val::str(&naive_time::write_timestamp(*at))),
        ("string", Val::Duration(n)) => Ok(Val::str(&naive_time::write_duration(*n))),
        ("bool", Val::Str(text)) => match &**text {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Val::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Val::Bool(false)),
            _ => ERROR,
        },
        ("timestamp", Val::Int(seconds)) => time(i128::from(*seconds) * 1_000_000_000),
        ("timestamp", Val::Str(text)) => {
            naive_time::parse_timestamp(text).map(Val::Time).ok_or(Unknown::Error)
        }
        ("duration", Val::Str(text)) => duration(naive_time::parse_duration(text).ok_or(Unknown::Error)?),
        ("ip", Val::Str(text)) => parse_ip(text).map(Val::Ip).ok_or(Unknown::Error),
        ("cidr", Val::Str(text)) => parse_cidr(text).ok_or(Unknown::Error),
        _ => ERROR,
    }
}

/// Digits as short as they can be, with an exponent below 1e-4 and from 1e21 on.
fn write_double(d: f64) -> String {
    let plain = d == 0.0 || (1e-4..1e21).contains(&d.abs());
    if d.is_infinite() {
        return if d > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if plain {
        return d.to_string();
    }
    let written = format!("{d:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn on_string(name: &str, text: &str, args: &[Val]) -> Answer {
    match (name, args) {
        ("startsWith", [Val::Str(part)]) => Ok(Val::Bool(text.starts_with(&**part))),
        ("endsWith", [Val::Str(part)]) => Ok(Val::Bool(text.ends_with(&**part))),
        ("contains", [Val::Str(part)]) => Ok(Val::Bool(text.contains(&**part))),
        ("matches", [Val::Str(pattern)]) => found(pattern, text),
        ("lowerAscii", []) => Ok(Val::str(&text.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(Val::str(&text.to_ascii_uppercase())),
        ("trim", []) => Ok(Val::str(text.trim())),
        ("split", [Val::Str(separator)]) => Ok(split(text, separator, -1)),
        ("split", [Val::Str(separator), Val::Int(most)]) => Ok(split(text, separator, *most)),
        ("split", [Val::Str(separator), Val::Double(most)]) if most.fract() == 0.0 => {
            Ok(split(text, separator, *most as i64))
        }
        _ => ERROR,
    }
}

/// At most `most` parts, the last of which keeps the rest; all of them where it is negative.
fn split(text: &str, separator: &str, most: i64) -> Val {
    let mut parts = Vec::new();
    let mut rest = text;
    while most < 0 || (parts.len() as i64) + 1 < most {
        // An empty separator cuts between characters.
        let cut = if separator.is_empty() {
            rest.chars().next().filter(|c| rest.len() > c.len_utf8()).map(char::len_utf8)
        } else {
            rest.find(separator)
        };
        let Some(cut) = cut else { break };
        parts.push(Val::str(&rest[..cut]));
        rest = &rest[cut + separator.len()..];
    }
    if most != 0 && !(separator.is_empty() && rest.is_empty()) {
        parts.push(Val::str(rest));
    }
    Val::list(parts)
}

fn join(items: &[Val], args: &[Val]) -> Answer {
    let separator: &str = match args {
        [] => "",
        [Val::Str(separator)] => separator,
        _ => return ERROR,
    };
    let mut texts = Vec::new();
    for item in items {
        let Val::Str(text) = item else { return ERROR };
        texts.push(&**text);
    }
    Ok(Val::str(&texts.join(separator)))
}

thread_local! {
    static PATTERNS: RefCell<HashMap<String, Option<Regex>>> = RefCell::default();
}

/// `text.matches(pattern)`: somewhere in it.
fn found(pattern: &str, text: &str) -> Answer {
    PATTERNS.with_borrow_mut(|known| {
        let regex = known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
        regex.as_ref().map(|r| Val::Bool(r.is_match(text))).ok_or(Unknown::Error)
    })
}

/// An address; one of IPv4 that is written as IPv6 is of IPv4.
fn parse_ip(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// A network, whose bits beyond the prefix must be zero.
fn parse_cidr(text: &str) -> Option<Val> {
    let (net, prefix) = text.split_once('/')?;
    let written: IpAddr = net.parse().ok()?;
    let net = written.to_canonical();
    // The first 96 bits of an IPv4 network that is written as IPv6 are not its own.
    let mapped = if written.is_ipv6() && net.is_ipv4() { 96 } else { 0 };
    let prefix = prefix.parse::<u8>().ok()?.checked_sub(mapped)?;
    let (bits, length) = bits(net);
    let clean = prefix <= length && (prefix == length || bits & (host_mask(length) >> prefix) == 0);
    clean.then_some(Val::Cidr(net, prefix))
}

fn bits(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32),
        IpAddr::V6(ip) => (ip.to_bits(), 128),
    }
}

/// As many ones as an address of the family has bits.
fn host_mask(length: u8) -> u128 {
    u128::MAX >> (128 - u32::from(length))
}

fn contains_ip(net: IpAddr, prefix: u8, of: &Val) -> Answer {
    let ip = match of {
        Val::Ip(ip) => *ip,
        Val::Str(text) => parse_ip(text).ok_or(Unknown::Error)?,
        _ => return ERROR,
    };
    let ((net, length), (ip, other)) = (bits(net), bits(ip));
    let same = prefix == 0 || (net ^ ip) >> (length - prefix) == 0;
    Ok(Val::Bool(length == other && same))
}

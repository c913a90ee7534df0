//! The functions that expressions may call.

use std::borrow::Cow;

use super::address::{Block, Ip};
use super::arithmetic::widen;
use super::eval::{Outcome, Scope};
use super::program::Function;
use super::time;
use super::value::{List, STRIDE, Val};
use crate::condition::truth::Unknown;

/// Calls a function; arguments that no overload takes are an error.
pub(super) fn call<'a>(function: Function, args: &[Val<'a>], scope: &Scope<'_, 'a>) -> Outcome<'a> {
    // Every function looks at its texts once; what it makes is charged besides.
    let looked = args.iter().map(|arg| match arg {
        Val::Text(text) => 1 + text.len() / STRIDE,
        _ => 1,
    });
    scope.spend(looked.fold(0, usize::saturating_add))?;
    match (function, args) {
        (Function::Size, [of]) => size(of),
        (Function::StartsWith, [Val::Text(of), Val::Text(start)]) => Ok(Val::Bool(of.starts_with(&**start))),
        (Function::EndsWith, [Val::Text(of), Val::Text(end)]) => Ok(Val::Bool(of.ends_with(&**end))),
        (Function::Contains, [Val::Text(of), Val::Text(part)]) => Ok(Val::Bool(of.contains(&**part))),
        (Function::LowerAscii, [Val::Text(of)]) => made(of.to_ascii_lowercase(), scope),
        (Function::UpperAscii, [Val::Text(of)]) => made(of.to_ascii_uppercase(), scope),
        (Function::Trim, [Val::Text(of)]) => made(of.trim().to_owned(), scope),
        (Function::Split, [Val::Text(of), Val::Text(by)]) => split(of, by, -1, scope),
        (Function::Split, [Val::Text(of), Val::Text(by), Val::Int(n)]) => split(of, by, *n, scope),
        (Function::Split, [Val::Text(of), Val::Text(by), n @ Val::Double(_)]) => {
            split(of, by, whole(n)?, scope)
        }
        (Function::Join, [Val::List(of)]) => join(of, "", scope),
        (Function::Join, [Val::List(of), Val::Text(by)]) => join(of, by, scope),
        (Function::ToIp, [Val::Text(of)]) => Ip::parse(of).map(Val::Ip).ok_or(Unknown::Error),
        (Function::ToIp, [Val::Ip(ip)]) => Ok(Val::Ip(*ip)),
        (Function::ToBlock, [Val::Text(of)]) => Block::parse(of).map(Val::Block).ok_or(Unknown::Error),
        (Function::ContainsIp, [Val::Block(block), Val::Ip(ip)]) => Ok(Val::Bool(block.contains(*ip))),
        (Function::ContainsIp, [Val::Block(block), Val::Text(ip)]) => {
            Ip::parse(ip).map(|ip| Val::Bool(block.contains(ip))).ok_or(Unknown::Error)
        }
        (_, [of]) => convert(function, of, scope),
        _ => Err(Unknown::Error),
    }
}

fn made<'a>(text: String, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    scope.spend(text.len() / STRIDE)?;
    Ok(Val::text(text))
}

fn size<'a>(of: &Val<'a>) -> Outcome<'a> {
    let count = match of {
        Val::Text(text) => text.chars().count(),
        Val::List(list) => list.len(),
        Val::Map(map) => map.len(),
        _ => return Err(Unknown::Error),
    };
    i64::try_from(count).map(Val::Int).map_err(|_| Unknown::Error)
}

/// `split(by, limit)`: at most `limit` parts, the rest in the last; 0 none; negative all.
/// An empty separator splits into characters.
fn split<'a>(of: &str, by: &str, limit: i64, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    scope.spend(of.len())?;
    let part = |text: &str| Val::text(text.to_owned());
    let most = usize::try_from(limit).ok();
    let parts: Vec<Val<'a>> = match (most, by) {
        (Some(0), _) => Vec::new(),
        (Some(most), "") => {
            let cut = of.char_indices().nth(most.saturating_sub(1)).map_or(of.len(), |(at, _)| at);
            let (head, tail) = of.split_at(cut);
            let head = head.chars().map(|c| Val::text(c.to_string()));
            head.chain((!tail.is_empty()).then(|| part(tail))).collect()
        }
        (None, "") => of.chars().map(|c| Val::text(c.to_string())).collect(),
        (Some(most), by) => of.splitn(most, by).map(part).collect(),
        (None, by) => of.split(by).map(part).collect(),
    };
    Ok(Val::list(parts))
}

fn join<'a>(of: &List<'a>, by: &str, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    let mut joined = String::new();
    for (i, item) in of.iter().enumerate() {
        let Val::Text(text) = item else {
            return Err(Unknown::Error);
        };
        if i > 0 {
            joined.push_str(by);
        }
        joined.push_str(&text);
        scope.spend(1 + (text.len() + by.len()) / STRIDE)?;
    }
    Ok(Val::text(joined))
}

fn convert<'a>(function: Function, of: &Val<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    match function {
        Function::ToInt => to_int(of),
        Function::ToDouble => to_double(of),
        Function::ToText => to_text(of, scope),
        Function::ToBool => to_bool(of),
        Function::ToTime => to_time(of),
        Function::ToSpan => match of {
            Val::Span(span) => Ok(Val::Span(*span)),
            Val::Text(text) => time::parse_span(text).map(Val::Span).ok_or(Unknown::Error),
            _ => Err(Unknown::Error),
        },
        _ => Err(Unknown::Error),
    }
}

fn to_int<'a>(of: &Val<'a>) -> Outcome<'a> {
    let int = match of {
        Val::Int(n) => Some(*n),
        Val::Double(n) => truncated(*n),
        Val::Text(text) => text.parse().ok(),
        Val::Time(at) => Some(at.as_secs().saturating_sub(i64::from(at.subsec_nanos() < 0))),
        _ => None,
    };
    int.map(Val::Int).ok_or(Unknown::Error)
}

fn truncated(n: f64) -> Option<i64> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    let fits = n > -TWO_63 && n < TWO_63;
    #[expect(clippy::cast_possible_truncation, reason = "between -2^63 and 2^63")]
    fits.then_some(n as i64)
}

/// A whole number: an integer, or a double without a fraction.
fn whole(of: &Val<'_>) -> Result<i64, Unknown> {
    match of {
        Val::Int(n) => Ok(*n),
        Val::Double(n) if n.fract() == 0.0 => truncated(*n).ok_or(Unknown::Error),
        _ => Err(Unknown::Error),
    }
}

fn to_double<'a>(of: &Val<'a>) -> Outcome<'a> {
    let double = match of {
        Val::Double(n) => Some(*n),
        Val::Int(n) => Some(widen(*n)),
        Val::Text(text) => text.parse::<f64>().ok().filter(|n| n.is_finite()),
        _ => None,
    };
    double.filter(|n| !n.is_nan()).map(Val::Double).ok_or(Unknown::Error)
}

fn to_bool<'a>(of: &Val<'a>) -> Outcome<'a> {
    match of {
        Val::Bool(b) => Ok(Val::Bool(*b)),
        Val::Text(text) => match &**text {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Val::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Val::Bool(false)),
            _ => Err(Unknown::Error),
        },
        _ => Err(Unknown::Error),
    }
}

fn to_time<'a>(of: &Val<'a>) -> Outcome<'a> {
    let at = match of {
        Val::Time(at) => Some(*at),
        Val::Text(text) => time::parse_time(text),
        Val::Int(seconds) => time::in_range(time::Time::from_secs(*seconds)),
        _ => None,
    };
    at.map(Val::Time).ok_or(Unknown::Error)
}

fn to_text<'a>(of: &Val<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    match of {
        Val::Text(text) => Ok(Val::Text(Cow::clone(text))),
        Val::Int(n) => made(n.to_string(), scope),
        Val::Double(n) if n.is_nan() => Err(Unknown::Error),
        Val::Double(n) => made(show_double(*n), scope),
        Val::Bool(b) => made(b.to_string(), scope),
        Val::Time(at) => made(time::show_time(*at).ok_or(Unknown::Error)?, scope),
        Val::Span(span) => made(time::show_span(*span), scope),
        Val::Ip(ip) => made(ip.to_string(), scope),
        _ => Err(Unknown::Error),
    }
}

/// The shortest digits that read back as the same number; an exponent below 1e-4 and from 1e21.
fn show_double(n: f64) -> String {
    let size = n.abs();
    if n.is_infinite() {
        return if n > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    if size == 0.0 || (1e-4..1e21).contains(&size) {
        return n.to_string();
    }
    let text = format!("{n:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    format!("{digits}e{sign}{exponent:0>2}")
}

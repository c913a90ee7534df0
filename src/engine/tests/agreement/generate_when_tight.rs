//! Comparisons in `when` whose two sides are close: what a function gives beside what it nearly gives.
//!
//! A random number rarely tells a remainder from a modulus, or a month counted from 0 from one counted from 1.

use crate::generate_when::Grammar;
use crate::generate_when_parts::quoted;
use crate::pools::Kind;

/// One such comparison.
pub fn tight(g: &mut Grammar<'_>, d: usize) -> String {
    match g.rng.below(10) {
        0 => {
            let op = g.rng.pick(&["/", "%"]);
            let by = g.rng.pick(&["2", "3", "-3", "4"]);
            let of = g.field(&[Kind::Num]);
            format!("((int({of}) {op} {by}) == {})", g.rng.pick(&["-2", "-1", "0", "1", "2"]))
        }
        1 => {
            let texts = ["5", "0.5", "-1", "85", "0.1", "1000000", "84.99", "0"];
            let (a, b) = (quoted(g.rng.pick(&texts)), quoted(g.rng.pick(&texts)));
            format!("(string({}) in [{a}, {b}])", g.field(&[Kind::Num]))
        }
        2 => format!("({}.trim() in [\"é\", \"a\"])", g.field(&[Kind::Text])),
        3 => {
            let separator = quoted(g.rng.pick(&["@", ".", "a", "", "e"]));
            let most = g.rng.pick(&["", ", 0", ", 1", ", 2", ", 3", ", -1"]);
            let parts = format!("{}.split({separator}{most})", g.request_text(d));
            match g.rng.below(2) {
                0 => format!("({parts}.size() == {})", g.rng.below(5)),
                _ => format!("({parts}.join(\"|\") in [\"x|partner.com\", \"|b\", \"a|b\", \"\", \"a\"])"),
            }
        }
        4..=6 => moment(g, d),
        7 => span(g),
        8 => {
            let (a, b) = (g.rng.pick(&["a", "b"]), g.rng.pick(&["a", "b"]));
            let op = g.comparison();
            let of = g.request_number(1);
            match g.rng.below(3) {
                0 => format!("({{\"{a}\": {of}, \"c\": 1}}.{b} {op} {})", g.literal_number()),
                1 => format!(
                    "[{{\"{a}\": {of}}}, {{\"{b}\": 1}}].exists(w, (w.{a} {op} {}))",
                    g.literal_number()
                ),
                _ => format!("has({{\"{a}\": {of}}}.{b})"),
            }
        }
        _ => {
            let of = g.field(&[Kind::Num, Kind::Text]);
            format!("(int({of}) == {})", g.rng.pick(&["0", "5", "-1", "84", "85", "7"]))
        }
    }
}

/// An accessor of a timestamp beside a value that it has for some of the known ones.
fn moment(g: &mut Grammar<'_>, d: usize) -> String {
    let (name, values): (&str, &[&str]) = match g.rng.below(10) {
        0 => ("getFullYear", &["2026", "2027", "1970", "1969", "1"]),
        1 => ("getMonth", &["0", "2", "3", "9", "10", "11"]),
        2 => ("getDate", &["1", "20", "21", "25", "29", "31"]),
        3 => ("getDayOfMonth", &["0", "20", "24", "28", "30"]),
        4 => ("getDayOfWeek", &["0", "1", "4", "6", "7"]),
        5 => ("getDayOfYear", &["0", "87", "88", "298", "324", "325", "364"]),
        6 | 7 => ("getHours", &["0", "1", "2", "3", "7", "8", "9", "20", "23"]),
        8 => ("getMinutes", &["0", "29", "30", "45", "59"]),
        _ => ("getMilliseconds", &["0", "123", "500", "999"]),
    };
    let time = g.time(d);
    let zone = g.zone();
    format!("({time}.{name}({zone}) {} {})", g.comparison(), g.rng.pick(values))
}

/// An accessor of a duration likewise.
fn span(g: &mut Grammar<'_>) -> String {
    let (name, values): (&str, &[&str]) = match g.rng.below(4) {
        0 => ("getHours", &["0", "1", "24", "720"]),
        1 => ("getMinutes", &["0", "-5", "60", "90"]),
        2 => ("getSeconds", &["0", "1", "-300", "3600", "5400"]),
        _ => ("getMilliseconds", &["0", "85", "100", "500"]),
    };
    if g.rng.chance(15) {
        // The longest duration there is, and perhaps more.
        return format!(
            "((duration({}) + duration(\"87660000h\")) > duration(\"1h\"))",
            g.field(&[Kind::Span])
        );
    }
    let span = match g.rng.below(4) {
        0 => "estimate.duration".to_owned(),
        1 => format!("(duration(\"100ms\") - duration({}))", g.field(&[Kind::Span])),
        _ => format!("duration({})", g.field(&[Kind::Span])),
    };
    format!("({span}.{name}() == {})", g.rng.pick(values))
}

//! The parts of `when` that are no booleans: numbers, strings, lists, times and durations.

use crate::generate_when::Grammar;
use crate::pools::{self, Kind};

/// A string literal of CEL.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

/// A list literal of up to three numbers, strings, or both and null.
pub fn list_of(g: &mut Grammar<'_>) -> String {
    let of = g.rng.below(3);
    let items: Vec<String> = (0..[1, 2, 3, 1, 2, 3, 1, 2, 3, 0][g.rng.below(10)])
        .map(|_| match if of == 2 { g.rng.below(3) } else { of } {
            0 => g.literal_number(),
            1 => quoted(pools::text(g.rng)),
            _ => (g.rng.pick(&["null", "true", "[1]"])).to_owned(),
        })
        .collect();
    format!("[{}]", items.join(", "))
}

/// A comparison of times or durations, or an accessor's.
pub fn in_time(g: &mut Grammar<'_>, d: usize) -> String {
    match g.rng.below(3) {
        0 => format!("({} {} {})", g.time(d), g.comparison(), g.time(d)),
        1 => format!("({} {} {})", g.span(d), g.comparison(), g.span(d)),
        _ => format!("({} {} {})", g.accessor(d), g.comparison(), g.number(d)),
    }
}

impl Grammar<'_> {
    pub fn literal_number(&mut self) -> String {
        let number = pools::number(self.rng);
        match self.rng.below(10) {
            _ if number.fract() == 0.0 && self.rng.chance(60) => format!("{number}"),
            0 => {
                let odd = ["9223372036854775807", "0x55", "1e3", "-9223372036854775808", "9007199254740993"];
                self.rng.pick(&odd).to_owned()
            }
            _ => format!("{number:?}"),
        }
    }

    /// A number; a constant one is a literal or of `data`.
    pub fn number(&mut self, d: usize) -> String {
        if self.rng.chance(25) {
            return if self.rng.chance(15) { "data.threshold".to_owned() } else { self.literal_number() };
        }
        self.request_number(d)
    }

    /// A number that stands on the request.
    pub fn request_number(&mut self, depth: usize) -> String {
        if depth <= 1 {
            return match self.rng.below(6) {
                0 => self.own_number().to_owned(),
                1 => self
                    .rng
                    .pick(&["context.email.size", "context.email.sender.score", "context.meta.a"])
                    .to_owned(),
                2 => format!("size({})", self.field(&[Kind::Texts, Kind::Text, Kind::Meta, Kind::Numbers])),
                _ => self.field(&[Kind::Num]),
            };
        }
        let d = depth - 1;
        match self.rng.weighted(&[35, 8, 8, 8, 6, 6, 6, 6, 5]) {
            0 => {
                let op = self.rng.pick(&["+", "-", "*", "/", "%", "%"]);
                format!("({} {op} {})", self.request_number(d), self.number(d))
            }
            1 => format!("int({})", self.field(&[Kind::Num, Kind::Text])),
            2 => format!("double({})", self.field(&[Kind::Num, Kind::Text])),
            3 => format!("{}.size()", self.texts(d)),
            4 => format!("(-{})", self.field(&[Kind::Num])),
            5 => format!("({} ? {} : {})", self.truth(d), self.number(d), self.number(d)),
            6 => format!("{}[{}]", self.numbers(d), self.subscript()),
            7 => self.accessor(d),
            _ => format!(
                "(int({}) * {})",
                self.field(&[Kind::Num]),
                self.rng.pick(&["9223372036854775807", "4", "-1"])
            ),
        }
    }

    fn subscript(&mut self) -> String {
        match self.rng.below(4) {
            0 => self.field(&[Kind::Num]),
            1 => "size(subject.roles)".to_owned(),
            _ => self.rng.pick(&["0", "1", "2", "0.0", "-1", "0.5"]).to_owned(),
        }
    }

    pub fn text(&mut self, d: usize) -> String {
        match self.rng.below(10) {
            0..=2 => quoted(pools::text(self.rng)),
            3 => "data.prefix".to_owned(),
            _ => self.request_text(d),
        }
    }

    /// A string that stands on the request.
    pub fn request_text(&mut self, depth: usize) -> String {
        if depth <= 1 || self.rng.chance(30) {
            return match self.rng.below(8) {
                0 => self
                    .rng
                    .pick(&["subject.user", "subject.tenant", "action.tool", "action.model"])
                    .to_owned(),
                1 => {
                    self.rng.pick(&["environment", "phase", "mode", "action.name", "action.kind"]).to_owned()
                }
                2 => "context.email.sender.domain".to_owned(),
                _ => self.field(&[Kind::Text]),
            };
        }
        let d = depth - 1;
        match self.rng.weighted(&[14, 14, 12, 8, 8, 6, 6]) {
            0 => {
                format!("{}.{}()", self.request_text(d), self.rng.pick(&["lowerAscii", "upperAscii", "trim"]))
            }
            1 => format!("({} + {})", self.request_text(d), self.text(d)),
            2 => format!("string({})", self.stringable(d)),
            3 => {
                let separator = quoted(self.rng.pick(&["@", ".", "", "a", "-"]));
                let most = self.rng.pick(&["", "", ", 2", ", 1", ", 0", ", -1"]);
                format!(
                    "{}.split({separator}{most})[{}]",
                    self.request_text(d),
                    self.rng.pick(&["0", "1", "-1"])
                )
            }
            4 => format!("{}.join({})", self.texts(d), self.rng.pick(&["", "\",\"", "\"\""])),
            5 => format!("({} ? {} : {})", self.truth(d), self.text(d), self.text(d)),
            _ => format!("{}[{}]", self.texts(d), self.subscript()),
        }
    }

    fn stringable(&mut self, d: usize) -> String {
        match self.rng.below(6) {
            0 => self.field(&[Kind::Flag]),
            1 => self.time(d),
            2 => self.span(d),
            3 => self.field(&[Kind::Text]),
            _ => self.request_number(d),
        }
    }

    /// A list of strings.
    pub fn texts(&mut self, depth: usize) -> String {
        if depth <= 1 || self.loops == 2 || self.rng.chance(40) {
            return match self.rng.below(8) {
                0 => "subject.roles".to_owned(),
                1 => "action.tags".to_owned(),
                2 => "data.vip_domains".to_owned(),
                _ => self.field(&[Kind::Texts]),
            };
        }
        let d = depth - 1;
        match self.rng.below(6) {
            0 => format!("({} + {})", self.texts(d), self.texts(d)),
            1 => format!("[{}, {}]", self.text(d), self.text(d)),
            2 => format!("{}.split({})", self.request_text(d), quoted(self.rng.pick(&["@", ".", ""]))),
            3 => self.filtered(Kind::Text, d),
            4 => {
                let range = self.texts(d);
                let (x, body) = self.within(Kind::Text, |g| g.text(d));
                format!("{range}.map({x}, {body})")
            }
            _ => {
                let range = self.texts(d);
                let (x, keep) = self.within(Kind::Text, |g| g.truth(d));
                let (_, body) = self.within(Kind::Text, |g| g.text(d));
                format!("{range}.map({x}, {keep}, {body})")
            }
        }
    }

    /// A list of numbers.
    pub fn numbers(&mut self, depth: usize) -> String {
        if depth <= 1 || self.loops == 2 || self.rng.chance(50) {
            return self.field(&[Kind::Numbers]);
        }
        let d = depth - 1;
        match self.rng.below(4) {
            0 => format!("[{}, {}]", self.request_number(d), self.number(d)),
            1 => self.filtered(Kind::Num, d),
            2 => format!("({} + [{}])", self.field(&[Kind::Numbers]), self.number(d)),
            _ => {
                let range = self.numbers(d);
                let (x, body) = self.within(Kind::Num, |g| g.number(d));
                format!("{range}.map({x}, {body})")
            }
        }
    }

    fn filtered(&mut self, kind: Kind, d: usize) -> String {
        let range = if kind == Kind::Num { self.numbers(d) } else { self.texts(d) };
        let (x, body) = self.within(kind, |g| g.truth(d));
        format!("{range}.filter({x}, {body})")
    }

    pub fn time(&mut self, depth: usize) -> String {
        match self.rng.below(6) {
            0 | 1 => "now".to_owned(),
            2 if depth > 1 => {
                format!("({} {} {})", self.time(depth - 1), self.rng.pick(&["+", "-"]), self.span(depth - 1))
            }
            3 => format!("timestamp({})", quoted(self.rng.pick(&pools::TIMES[..pools::GOOD_TIMES]))),
            4 if depth > 1 => format!("timestamp(int({}))", self.field(&[Kind::Num, Kind::Time])),
            _ => format!("timestamp({})", self.field(&[Kind::Time])),
        }
    }

    pub fn span(&mut self, depth: usize) -> String {
        match self.rng.below(6) {
            0 => "estimate.duration".to_owned(),
            // The left side is never constant, so that neither is the difference, which may be out of range.
            1 if depth > 1 => {
                format!("(timestamp({}) - {})", self.field(&[Kind::Time]), self.time(depth - 1))
            }
            2 if depth > 1 => format!(
                "(duration({}) {} {})",
                self.field(&[Kind::Span]),
                self.rng.pick(&["+", "-"]),
                self.span(depth - 1)
            ),
            3 => format!("duration({})", self.field(&[Kind::Span])),
            _ => format!("duration({})", quoted(self.rng.pick(&pools::SPANS[..pools::GOOD_SPANS]))),
        }
    }

    pub fn accessor(&mut self, d: usize) -> String {
        if self.rng.chance(25) {
            let name = self.rng.pick(&["getHours", "getMinutes", "getSeconds", "getMilliseconds"]);
            return format!("{}.{name}()", self.span(d));
        }
        let name = self.rng.pick(&[
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfWeek",
            "getDayOfYear",
            "getHours",
            "getMinutes",
            "getSeconds",
            "getMilliseconds",
        ]);
        let (time, zone) = (self.time(d), self.zone());
        format!("{time}.{name}({zone})")
    }

    /// The argument of an accessor: none, a zone, or a field that may hold one.
    pub fn zone(&mut self) -> String {
        match self.rng.below(5) {
            0 | 1 => String::new(),
            2 => self.field(&[Kind::Zone]),
            _ => quoted(self.rng.pick(&pools::ZONES[..pools::GOOD_ZONES])),
        }
    }
}

//! The three spellings of `conditions`, read to one meaning (design 1.5.1).

use super::form::Field;
use super::operator::{self, Operator};
use super::path::{self, Problem};
use super::scalar::{self, Scalar};
use super::tree::{Content, Entry};
use super::{Findings, shown};
use crate::model::{Code, Condition, Finding, Op, Path, Pattern, Place, Severity, Spelling};
use crate::value::{Const, ConstMap};

/// Reads the conditions of a rule.
pub(super) fn conditions(field: Field<'_>, data: &ConstMap, found: &mut Findings) -> Vec<Condition> {
    let Some(entries) = field.node.entries() else {
        field.wrong_type("write a map of fields and what they must be", found);
        return Vec::new();
    };
    let mut reader = Reader { data, found, read: Vec::with_capacity(entries.len()) };
    for entry in entries {
        reader.entry(entry);
    }
    reader.refuse_repeats();
    reader.read
}

struct Reader<'a> {
    data: &'a ConstMap,
    found: &'a mut Findings,
    read: Vec<Condition>,
}

impl Reader<'_> {
    fn entry(&mut self, entry: &Entry) {
        let suggest = self.found.keeps_errors();
        let (sign, path) = match key(entry).and_then(|(sign, path)| {
            path::check_data(&path, self.data, suggest)?;
            Ok((sign, path))
        }) {
            Ok(parts) => parts,
            Err(problem) => return self.report(entry.place, problem),
        };
        let value = &entry.node;
        match (sign, &value.content) {
            (Some(sign), content) => {
                let op = sign.with(content.to_const());
                self.add(entry, path, op.map(|op| (op, Spelling::Old)), value.place);
            }
            (None, Content::Text(text)) => self.add(entry, path, text_value(text), value.place),
            (None, Content::Map(asked)) => self.mapping(entry, &path, asked),
            (None, content) => {
                let op = Op::Eq(content.to_const());
                self.add(entry, path, Ok((op, Spelling::Canonical)), value.place);
            }
        }
    }

    /// `{">=": 60, "<": 85}`: each key an operator, all required.
    fn mapping(&mut self, entry: &Entry, path: &Path, asked: &[Entry]) {
        if asked.is_empty() {
            let message = format!("{} asks nothing", shown(&entry.key));
            let remedy = "write an operator, such as `{exists: true}`, or `{eq: {}}`";
            self.report(entry.node.place, Problem::new(Code::BadValue, message, remedy));
        }
        for ask in asked {
            match Operator::of_key(&ask.key) {
                Err(problem) => self.report(ask.place, problem),
                Ok(operator) => {
                    let op = operator.with(ask.node.content.to_const());
                    let op = op.map(|op| (op, Spelling::Canonical));
                    self.add(entry, path.clone(), op, ask.node.place);
                }
            }
        }
    }

    fn add(&mut self, entry: &Entry, path: Path, op: Result<(Op, Spelling), Problem>, value: Place) {
        let (op, spelling) = match op {
            Ok(op) => op,
            Err(problem) => return self.report(value, problem),
        };
        if let Op::Matches(Pattern::Glob(glob)) = &op
            && !self.found.affords_glob(glob, value)
        {
            return;
        }
        if spelling == Spelling::Old && self.found.keeps_hints() {
            self.hint_at_old_spelling(entry, &path, &op);
        } else if spelling == Spelling::Old {
            self.found.count_hint();
        }
        let text = text_of(&path, &op).into();
        self.read.push(Condition { path, op, spelling, place: entry.place, text });
    }

    fn hint_at_old_spelling(&mut self, entry: &Entry, path: &Path, op: &Op) {
        let written = match entry.node.text() {
            Some(text) => format!("{}: {text}", entry.key),
            None => entry.key.to_string(),
        };
        let message = format!("{} is an older spelling", shown(&written));
        let right = brief(right_side(op));
        let path = key_of(path);
        let suggestion = match (op, Operator::of(op).name()) {
            (Op::Eq(value), _) if !operator::needs_operator(value) => {
                format!("write `{path}: {right}`")
            }
            (Op::In(_), name) => format!("write `{path}: {{{name}: {right}}}`"),
            (_, sign) => format!("write `{path}: {{\"{sign}\": {right}}}`"),
        };
        let finding = Finding::error(Code::OldSpelling, entry.place, message);
        self.found.push(finding.severity(Severity::Info).suggest(suggestion));
    }

    fn report(&mut self, place: Place, problem: Problem) {
        let finding = Finding::error(problem.code, place, problem.message);
        self.found.push(finding.suggest(problem.suggestion));
    }

    /// Two tests with one operator on one field: one of them was forgotten.
    fn refuse_repeats(&mut self) {
        let name = |c: &Condition| Operator::of(&c.op).name();
        let mut order: Vec<&Condition> = self.read.iter().collect();
        order.sort_by_key(|c| (&c.path, name(c), c.place));
        let mut again = Vec::new();
        for pair in order.windows(2) {
            if let [a, b] = pair
                && a.path == b.path
                && name(a) == name(b)
            {
                let message = format!(
                    "`{}` of {} is asked already at line {}",
                    name(b),
                    shown(&path::spelled(&b.path)),
                    a.place.line
                );
                again.push((b.place, Problem::new(Code::BadValue, message, "keep one of them")));
            }
        }
        for (place, problem) in again {
            self.report(place, problem);
        }
    }
}

/// The operator that a key holds, if any, and the path.
fn key(entry: &Entry) -> Result<(Option<Operator>, Path), Problem> {
    let (before, bare, behind) = operator::split_key(&entry.key);
    if bare.is_empty() {
        let message = format!("the key {} names no field", shown(&entry.key));
        return Err(Problem::new(Code::BadValue, message, "write a field, such as `risk_score`"));
    }
    let sign = match (before, behind) {
        ("", "") => None,
        (sign, "") | ("", sign) => Some(Operator::of_sign(sign)?),
        (_, _) => {
            let message = format!("{} has an operator on both sides", shown(&entry.key));
            return Err(Problem::new(Code::BadOperator, message, "keep one of them"));
        }
    };
    Ok((sign, path::parse(bare)?))
}

/// A text without an operator in its key: an operator and a scalar, `a|b`, or itself.
fn text_value(text: &str) -> Result<(Op, Spelling), Problem> {
    let (sign, rest) = operator::split_value(text);
    if !sign.is_empty() {
        let right = operand(sign, rest)?;
        return Ok((Operator::of_sign(sign)?.with(right)?, Spelling::Old));
    }
    if !text.contains('|') {
        return Ok((Op::Eq(Const::Str(text.into())), Spelling::Canonical));
    }
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    if parts.contains(&"") {
        let message = format!("{} has an empty part", shown(text));
        let remedy = "write `a|b`, or `{eq: \"...\"}` to mean the text itself";
        return Err(Problem::new(Code::BadValue, message, remedy));
    }
    let parts = parts.into_iter().map(|part| Const::Str(part.into())).collect();
    Ok((Op::In(parts), Spelling::Old))
}

/// What follows an operator in a text: one scalar of YAML.
fn operand(sign: &str, rest: &str) -> Result<Const, Problem> {
    if rest.is_empty() {
        // a wrong operator is the better message
        Operator::of_sign(sign)?;
        let message = format!("nothing follows {}", shown(sign));
        let remedy = format!("write a value behind it, or `{{eq: \"{sign}\"}}`");
        return Err(Problem::new(Code::BadValue, message, remedy));
    }
    if rest.starts_with(['\'', '"']) {
        let text = super::yaml::quoted(rest).ok_or_else(|| no_scalar(rest))?;
        return Ok(Const::Str(text.into()));
    }
    let special = |c: char| "[]{},#&*!|>%@`?".contains(c);
    if rest.starts_with(special) || rest.contains(": ") || rest.contains(" #") {
        return Err(no_scalar(rest));
    }
    match scalar::resolve(rest) {
        Scalar::Null => Ok(Const::Null),
        Scalar::Bool(b) => Ok(Const::Bool(b)),
        Scalar::Number(n) if n.is_finite() => Ok(Const::Number(n)),
        Scalar::Text => Ok(Const::Str(rest.into())),
        Scalar::Number(_) | Scalar::TooLarge => {
            let message = format!("{} is no number that can be compared exactly", shown(rest));
            let remedy = "write a finite number, within ±2^53 if it is whole";
            Err(Problem::new(Code::BadValue, message, remedy))
        }
    }
}

fn no_scalar(rest: &str) -> Problem {
    let message = format!("{} is no plain value", shown(rest));
    Problem::new(Code::BadValue, message, "write `{\"==\": ...}` with the value as it is")
}

/// The path as a document writes it: quoted where YAML would read something else, or a terminal would.
fn key_of(path: &Path) -> String {
    let path = path::spelled(path);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if path.starts_with(|c: char| c.is_alphanumeric() || c == '_') && path.chars().all(plain) {
        return path;
    }
    let mut quoted = String::new();
    write_text(&path, &mut quoted);
    quoted
}

/// The condition as a reader would say it.
fn text_of(path: &Path, op: &Op) -> String {
    let (path, name) = (key_of(path), Operator::of(op).name());
    match right_side(op) {
        Right::Flag(true) => format!("{path} exists"),
        Right::Flag(false) => format!("{path} does not exist"),
        Right::Ends([low, high]) => {
            let (low, high) = (brief(Right::One(low)), brief(Right::One(high)));
            format!("{path} between {low} and {high}")
        }
        right @ (Right::One(_) | Right::Many(_) | Right::Text(_)) => {
            format!("{path} {name} {}", brief(right))
        }
    }
}

/// The right side of a test.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    One(&'a Const),
    Many(&'a [Const]),
    Ends([&'a Const; 2]),
    Text(&'a str),
    Flag(bool),
}

/// The right side of a test, as a document writes it.
pub(super) fn right_side(op: &Op) -> Right<'_> {
    match op {
        Op::Eq(right) | Op::Ne(right) | Op::Lt(right) | Op::Le(right) | Op::Gt(right) | Op::Ge(right) => {
            Right::One(right)
        }
        Op::In(items) | Op::NotIn(items) => Right::Many(items),
        Op::Between(low, high) => Right::Ends([low, high]),
        Op::Matches(Pattern::Exact(text)) => Right::Text(text),
        Op::Matches(Pattern::Glob(glob)) => Right::Text(glob.as_str()),
        Op::Exists(yes) => Right::Flag(*yes),
    }
}

/// The most characters of a value that a condition's text repeats.
const BRIEF_CHARS: usize = 120;

/// A value as JSON, cut where it is long.
fn brief(right: Right<'_>) -> String {
    let mut out = String::new();
    match right {
        Right::One(value) => write_brief(value, &mut out),
        Right::Many(items) => write_list(items, &mut out),
        Right::Ends([low, high]) => write_list([low, high], &mut out),
        Right::Text(text) => write_text(text, &mut out),
        Right::Flag(yes) => out.push_str(if yes { "true" } else { "false" }),
    }
    if let Some((at, _)) = out.char_indices().nth(BRIEF_CHARS) {
        out.truncate(at);
        out.push('…');
    }
    out
}

/// Stops soon after the text is long enough, however much the value holds.
fn write_brief(value: &Const, out: &mut String) {
    if out.chars().count() > BRIEF_CHARS {
        return;
    }
    match value {
        Const::Null => out.push_str("null"),
        Const::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Const::Number(n) => out.push_str(&super::take::plain(*n)),
        Const::Str(text) => write_text(text, out),
        Const::List(items) => write_list(items, out),
        Const::Map(entries) => {
            for (i, (key, value)) in entries.iter().take(BRIEF_CHARS).enumerate() {
                out.push(if i == 0 { '{' } else { ',' });
                write_text(key, out);
                out.push(':');
                write_brief(value, out);
            }
            out.push_str(if entries.is_empty() { "{}" } else { "}" });
        }
    }
}

fn write_list<'c>(items: impl IntoIterator<Item = &'c Const>, out: &mut String) {
    out.push('[');
    for (i, item) in items.into_iter().take(BRIEF_CHARS).enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_brief(item, out);
    }
    out.push(']');
}

fn write_text(text: &str, out: &mut String) {
    let end = text.char_indices().nth(BRIEF_CHARS + 1).map_or(text.len(), |(at, _)| at);
    let quoted = serde_json::Value::from(text.get(..end).unwrap_or_default()).to_string();
    for c in quoted.chars() {
        // JSON leaves those of U+007F to U+009F as they are.
        if c.is_control() {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
}

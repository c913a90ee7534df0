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
        let (sign, path) = match key(entry).and_then(|(sign, path)| {
            path::check_data(&path, self.data)?;
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
        if spelling == Spelling::Old {
            self.hint_at_old_spelling(entry, &path, &op);
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
        let right = cut(&right_side(op).to_string());
        let path = path::spelled(path);
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

/// The condition as a reader would say it.
fn text_of(path: &Path, op: &Op) -> String {
    let path = path::spelled(path);
    match op {
        Op::Exists(true) => format!("{path} exists"),
        Op::Exists(false) => format!("{path} does not exist"),
        Op::Between(low, high) => {
            format!("{path} between {} and {}", shown_const(low), shown_const(high))
        }
        other => {
            let right = right_side(other).to_string();
            format!("{path} {} {}", Operator::of(other).name(), cut(&right))
        }
    }
}

fn shown_const(value: &Const) -> String {
    cut(&value.to_json().to_string())
}

/// The right side of a test as JSON.
pub(super) fn right_side(op: &Op) -> serde_json::Value {
    let list = |items: &[Const]| items.iter().map(Const::to_json).collect();
    match op {
        Op::Eq(right) | Op::Ne(right) | Op::Lt(right) | Op::Le(right) | Op::Gt(right) | Op::Ge(right) => {
            right.to_json()
        }
        Op::In(items) | Op::NotIn(items) => list(items),
        Op::Between(low, high) => [low.to_json(), high.to_json()].into_iter().collect(),
        Op::Matches(Pattern::Exact(text)) => (**text).into(),
        Op::Matches(Pattern::Glob(glob)) => glob.as_str().into(),
        Op::Exists(yes) => (*yes).into(),
    }
}

/// A value as a message may repeat it.
fn cut(text: &str) -> String {
    const CHARS: usize = 120;
    match text.char_indices().nth(CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

//! Operators of conditions: their signs and names, and what stands for the wrong ones.

use super::nearest::{listed, nearest};
use super::path::Problem;
use super::shown;
use crate::condition::glob::Glob;
use crate::model::{Code, Op, Pattern};
use crate::value::Const;

/// The characters that operators are made of.
const SIGNS: [char; 5] = ['<', '>', '=', '!', '~'];

/// An operator, before its right side is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Ge,
    Le,
    Gt,
    Lt,
    Eq,
    Ne,
    In,
    NotIn,
    Matches,
    Exists,
    Between,
}

/// The keys that a mapping value may have; the six signs come first.
const NAMES: [(&str, Operator); 12] = [
    (">=", Operator::Ge),
    ("<=", Operator::Le),
    (">", Operator::Gt),
    ("<", Operator::Lt),
    ("==", Operator::Eq),
    ("!=", Operator::Ne),
    ("eq", Operator::Eq),
    ("in", Operator::In),
    ("not_in", Operator::NotIn),
    ("matches", Operator::Matches),
    ("exists", Operator::Exists),
    ("between", Operator::Between),
];

impl Operator {
    /// The operator of a test.
    pub(super) const fn of(op: &Op) -> Self {
        match op {
            Op::Eq(_) => Self::Eq,
            Op::Ne(_) => Self::Ne,
            Op::Lt(_) => Self::Lt,
            Op::Le(_) => Self::Le,
            Op::Gt(_) => Self::Gt,
            Op::Ge(_) => Self::Ge,
            Op::In(_) => Self::In,
            Op::NotIn(_) => Self::NotIn,
            Op::Between(..) => Self::Between,
            Op::Matches(_) => Self::Matches,
            Op::Exists(_) => Self::Exists,
        }
    }

    /// The one name that canonical documents and messages use.
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }

    /// One of the six signs.
    pub(super) fn of_sign(sign: &str) -> Result<Self, Problem> {
        let signs = NAMES.iter().filter(|(name, _)| name.starts_with(SIGNS));
        if let Some((_, op)) = signs.clone().find(|(name, _)| *name == sign) {
            return Ok(*op);
        }
        let suggestion = match fix(sign) {
            Some(fix) => format!("write {fix}"),
            None => format!("write one of {}", listed(signs.map(|(name, _)| *name))),
        };
        Err(Problem::new(Code::BadOperator, format!("{} is no operator", shown(sign)), suggestion))
    }

    /// A key of a mapping value.
    pub(super) fn of_key(key: &str) -> Result<Self, Problem> {
        if let Some((_, op)) = NAMES.iter().find(|(name, _)| *name == key) {
            return Ok(*op);
        }
        if key.starts_with(SIGNS) {
            return Self::of_sign(key);
        }
        let words = NAMES.iter().map(|(name, _)| *name).filter(|name| !name.starts_with(SIGNS));
        let suggestion = match nearest(key, words) {
            Some(name) => format!("write `{name}`"),
            None => "compare with a whole map by `{eq: {...}}`".to_owned(),
        };
        let message = format!("{} is no operator", shown(key));
        Err(Problem::new(Code::BadOperator, message, suggestion))
    }

    /// The test of this operator with this right side.
    pub(super) fn with(self, right: Const) -> Result<Op, Problem> {
        match self {
            Self::Eq => Ok(Op::Eq(right)),
            Self::Ne => Ok(Op::Ne(right)),
            Self::Ge => ordered(self, right).map(Op::Ge),
            Self::Le => ordered(self, right).map(Op::Le),
            Self::Gt => ordered(self, right).map(Op::Gt),
            Self::Lt => ordered(self, right).map(Op::Lt),
            Self::In => list(self, right).map(Op::In),
            Self::NotIn => list(self, right).map(Op::NotIn),
            Self::Exists => {
                let Const::Bool(yes) = right else {
                    return Err(wants(self, &right, "`true` or `false`"));
                };
                Ok(Op::Exists(yes))
            }
            Self::Matches => {
                let Const::Str(text) = right else {
                    return Err(wants(self, &right, "a glob, as text"));
                };
                glob(text)
            }
            Self::Between => between(right),
        }
    }
}

/// What is meant by a sign that does not exist.
fn fix(sign: &str) -> Option<&'static str> {
    match sign {
        "=>" | ">==" | "=>=" => Some("`>=`"),
        "=<" | "<==" | "=<=" => Some("`<=`"),
        "=" | "===" => Some("`==`"),
        "<>" | "!" | "!==" | "=!" | "~=" => Some("`!=`"),
        ">>" | ">>>" => Some("`>`"),
        "<<" | "<<<" => Some("`<`"),
        "~" | "=~" | "~~" => Some("`{matches: \"glob\"}`"),
        _ => None,
    }
}

fn wants(operator: Operator, right: &Const, what: &str) -> Problem {
    let message = format!("`{}` is given {}", operator.name(), right.view().type_name());
    Problem::new(Code::WrongType, message, format!("write {what}"))
}

fn ordered(operator: Operator, right: Const) -> Result<Const, Problem> {
    if let Const::Number(_) | Const::Str(_) = right {
        return Ok(right);
    }
    Err(wants(operator, &right, "a number or text"))
}

fn list(operator: Operator, right: Const) -> Result<Vec<Const>, Problem> {
    let Const::List(items) = right else {
        return Err(wants(operator, &right, "a list"));
    };
    Ok(items)
}

fn between(right: Const) -> Result<Op, Problem> {
    let remedy = "the lower and the upper end: `[60, 85]`, two numbers or two texts";
    let Const::List(ends) = &right else {
        return Err(wants(Operator::Between, &right, remedy));
    };
    match ends.as_slice() {
        [low @ Const::Number(_), high @ Const::Number(_)] | [low @ Const::Str(_), high @ Const::Str(_)] => {
            if is_above(low, high) {
                let message = "`between` has its lower end above its upper end: nothing lies there";
                return Err(Problem::new(Code::BadValue, message, "swap the two ends"));
            }
            Ok(Op::Between(low.clone(), high.clone()))
        }
        _ => {
            let message = "`between` wants two ends of one type";
            Err(Problem::new(Code::WrongType, message, format!("write {remedy}")))
        }
    }
}

fn is_above(low: &Const, high: &Const) -> bool {
    match (low, high) {
        (Const::Number(low), Const::Number(high)) => low > high,
        (Const::Str(low), Const::Str(high)) => low > high,
        _ => false,
    }
}

fn glob(text: Box<str>) -> Result<Op, Problem> {
    if !Glob::is_glob(&text) {
        if text.contains('}') {
            let remedy = "write `\\}` to mean the character itself";
            return Err(Problem::new(Code::BadValue, "no glob: `}` has no partner", remedy));
        }
        return Ok(Op::Matches(Pattern::Exact(text)));
    }
    match Glob::parse(&text) {
        Ok(glob) => Ok(Op::Matches(Pattern::Glob(glob))),
        Err(error) => {
            let error = error.to_string();
            let (what, remedy) = error.split_once("; ").unwrap_or((&error, "write another"));
            Err(Problem::new(Code::BadValue, format!("no glob: {what}"), remedy))
        }
    }
}

/// A key in its parts: the operator before it, the path, the operator behind it.
pub(super) fn split_key(key: &str) -> (&str, &str, &str) {
    let key = key.trim();
    let path = key.trim_start_matches(SIGNS);
    let before = key.get(..key.len() - path.len()).unwrap_or_default();
    let bare = path.trim_end_matches(SIGNS);
    let behind = path.get(bare.len()..).unwrap_or_default();
    (before, bare.trim(), behind)
}

/// A text value in its parts: the operator that it starts with, and the rest.
pub(super) fn split_value(text: &str) -> (&str, &str) {
    let text = text.trim();
    let rest = text.trim_start_matches(SIGNS);
    (text.get(..text.len() - rest.len()).unwrap_or_default(), rest.trim())
}

/// Whether an equality must be written with its operator, since the bare value means another.
pub(super) fn needs_operator(right: &Const) -> bool {
    match right {
        Const::Str(text) => text.contains('|') || !split_value(text).0.is_empty(),
        Const::Map(_) => true,
        Const::Null | Const::Bool(_) | Const::Number(_) | Const::List(_) => false,
    }
}

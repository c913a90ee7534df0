//! What the names in an expression stand for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::common::ast::{Expr, LiteralValue, operators};
use regex::{Regex, RegexBuilder};

use super::parse::Problem;
use super::program::Node;
use super::types::{Type, Typed};
use crate::condition::slots::SlotTable;
use crate::model::condition::Usage;
use crate::model::{Field, Path};
use crate::value::{Const, ConstMap};

/// The largest compiled form of one pattern, in bytes.
const MAX_PATTERN: usize = 256 << 10;

/// The variables that every expression may use.
pub(super) const VARIABLES: [&str; 12] = [
    "subject",
    "action",
    "context",
    "estimate",
    "environment",
    "mode",
    "phase",
    "priority",
    "attempt",
    "now",
    "data",
    "usage",
];

const SUBJECT: [&str; 7] = ["agent", "user", "tenant", "app", "workflow", "run", "roles"];
const ACTION: [&str; 9] =
    ["name", "kind", "tool", "provider", "model", "pipeline", "stage", "handler", "tags"];
const ESTIMATE: [&str; 4] = ["cost", "tokens", "compute", "duration"];

/// Names in scope: those of the request, those of the bundle's data, those of macros.
pub(super) struct Names<'c> {
    pub(super) slots: &'c mut SlotTable,
    pub(super) data: &'c ConstMap,
    pub(super) shared: &'c mut Shared,
    /// The variables of the macros around, the outermost first.
    pub(super) macros: Vec<Macro>,
}

/// What the expressions of a bundle share, and what they may still cost at load.
#[derive(Debug)]
pub struct Shared {
    data: HashMap<String, Arc<Const>>,
    patterns: HashMap<String, Arc<Regex>>,
    /// Steps left for parts that are constant.
    pub(super) steps: u64,
    /// Bytes left for compiled patterns.
    bytes: usize,
}

impl Default for Shared {
    fn default() -> Self {
        Self { data: HashMap::new(), patterns: HashMap::new(), steps: 20_000_000, bytes: 128 << 20 }
    }
}

impl Shared {
    /// The compiled pattern; equal ones are compiled once.
    pub(super) fn pattern(&mut self, source: &str) -> Result<Arc<Regex>, Problem> {
        if let Some(known) = self.patterns.get(source) {
            return Ok(Arc::clone(known));
        }
        let mut failed = None;
        for size in [4 << 10, 32 << 10, MAX_PATTERN] {
            if size > self.bytes {
                return Err(Problem::new("the patterns of all expressions together are too large")
                    .suggest("use fewer or simpler patterns, or lists in `data`"));
            }
            match RegexBuilder::new(source).size_limit(size).dfa_size_limit(MAX_PATTERN).build() {
                Ok(regex) => {
                    self.bytes -= size;
                    let regex = Arc::new(regex);
                    self.patterns.insert(source.to_owned(), Arc::clone(&regex));
                    return Ok(regex);
                }
                Err(error) => failed = Some(error),
            }
        }
        let text = failed.map(|error| error.to_string()).unwrap_or_default();
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Err(Problem::new(format!("the pattern `{source}` cannot be read: {why}")))
    }
}

/// A macro's variable.
pub(super) struct Macro {
    pub(super) name: String,
    /// Whether the list it runs over is constant.
    pub(super) constant: bool,
}

/// A variable and the fields selected from it, as far as they are known at load.
struct Selection<'e> {
    root: &'e str,
    segments: Vec<&'e str>,
}

impl Names<'_> {
    /// What a name, or a selection of fields from one, stands for; `None` if it is neither.
    pub(super) fn resolve(&mut self, expr: &Expr) -> Option<Result<Typed, Problem>> {
        let selection = selection(expr)?;
        if let Some(depth) = self.macros.iter().rposition(|m| m.name == selection.root) {
            let constant = self.macros.get(depth).is_some_and(|m| m.constant);
            let mut variable = Typed::dynamic(Node::Variable(depth), Type::Dyn);
            (variable.constant, variable.free) = (constant, Some(depth));
            return selection.segments.is_empty().then_some(Ok(variable));
        }
        self.request(&selection)
    }

    fn request(&mut self, of: &Selection<'_>) -> Option<Result<Typed, Problem>> {
        Some(match (of.root, of.segments.as_slice()) {
            ("context", segments) => Ok(self.slot(context(segments), Type::Dyn)),
            ("data", segments) => self.constant(segments),
            ("now", []) => Ok(Typed::dynamic(Node::Now, Type::Time)),
            ("environment", []) => Ok(self.own(Field::Environment, Type::Text)),
            ("mode", []) => Ok(self.own(Field::Mode, Type::Text)),
            ("phase", []) => Ok(self.own(Field::Phase, Type::Text)),
            ("priority", []) => Ok(self.own(Field::Priority, Type::Double)),
            ("attempt", []) => Ok(self.own(Field::Attempt, Type::Double)),
            ("subject" | "action" | "estimate" | "usage", [name]) => self.member(of.root, name),
            (root @ ("subject" | "action" | "estimate" | "usage"), []) => Err(whole(root)),
            _ => return None,
        })
    }

    fn own(&mut self, field: Field, kind: Type) -> Typed {
        self.slot(Path::Request(field), kind)
    }

    fn slot(&mut self, path: Path, kind: Type) -> Typed {
        Typed::dynamic(Node::Slot(self.slots.intern(&path)), kind)
    }

    fn member(&mut self, root: &str, name: &str) -> Result<Typed, Problem> {
        if root == "usage" {
            let found = Usage::ALL.iter().find(|(own, _)| *own == name);
            let (_, measure) = found.ok_or_else(|| no_field(root, name, &usage_names()))?;
            return Ok(self.slot(Path::Usage(*measure), Type::Double));
        }
        let field = member_field(root, name)?;
        if field == Field::EstimateDuration {
            let slot = self.slots.intern(&Path::Request(field));
            return Ok(Typed::dynamic(Node::SlotSpan(slot), Type::Span));
        }
        let kind = match field {
            field if field.is_list() => Type::List,
            Field::EstimateCost | Field::EstimateTokens | Field::EstimateCompute => Type::Double,
            _ => Type::Text,
        };
        Ok(self.own(field, kind))
    }

    fn constant(&mut self, segments: &[&str]) -> Result<Typed, Problem> {
        let found = self.walk(segments)?;
        let (kind, items) = found.map_or((Type::Map, self.data.len() as u64), type_of);
        let path = segments.join("\0");
        let shared = match self.shared.data.get(&path) {
            Some(shared) => Arc::clone(shared),
            None => {
                let own = found.cloned().unwrap_or_else(|| Const::Map(self.data.clone()));
                let shared = Arc::new(own);
                self.shared.data.insert(path, Arc::clone(&shared));
                shared
            }
        };
        Ok(Typed::constant(Node::Data(shared), kind, items))
    }

    /// What stands in `data` there; `None` is all of it.
    fn walk(&self, segments: &[&str]) -> Result<Option<&Const>, Problem> {
        let (mut here, mut entries): (Option<&Const>, Option<&ConstMap>) = (None, Some(self.data));
        for segment in segments {
            let map = entries.ok_or_else(|| no_map(segments))?;
            let found = map.get(*segment).ok_or_else(|| no_data(segments, Some(map)))?;
            entries = match found {
                Const::Map(inner) => Some(inner),
                _ => None,
            };
            here = Some(found);
        }
        Ok(here)
    }

    /// `has(expr)`, where what is asked for is a field of a variable.
    pub(super) fn presence(&mut self, expr: &Expr) -> Option<Result<Typed, Problem>> {
        let selection = selection(expr)?;
        if self.macros.iter().any(|m| m.name == selection.root) {
            return None;
        }
        let has = |slot| Ok(Typed::dynamic(Node::HasSlot(slot), Type::Bool));
        Some(match (selection.root, selection.segments.as_slice()) {
            ("context", segments @ [_, ..]) => has(self.slots.intern(&context(segments))),
            ("data", [_, ..]) => match self.walk(&selection.segments) {
                Err(problem) if !problem.unknown_name => Err(problem),
                found => Ok(Typed::constant(Node::Const(Const::Bool(found.is_ok())), Type::Bool, 0)),
            },
            ("usage", [name]) => match Usage::ALL.iter().find(|(own, _)| own == name) {
                Some((_, measure)) => has(self.slots.intern(&Path::Usage(*measure))),
                None => Err(no_field("usage", name, &usage_names())),
            },
            (root @ ("subject" | "action" | "estimate"), [name]) => match member_field(root, name) {
                Ok(field) => has(self.slots.intern(&Path::Request(field))),
                Err(problem) => Err(problem),
            },
            _ => return None,
        })
    }

    /// The problem with a name that stands for nothing.
    pub(super) fn unknown(&self, name: &str) -> Problem {
        let own = self.macros.iter().map(|m| m.name.as_str());
        let known: Vec<&str> = VARIABLES.into_iter().chain(own).collect();
        let mut problem = Problem::new(format!("`{name}` does not exist"));
        problem.unknown_name = true;
        match nearest(name, &known) {
            Some(near) => problem.suggest(format!("did you mean `{near}`?")),
            None => problem.suggest(format!("write `context.{name}`, or one of {}", known.join(", "))),
        }
    }
}

fn context(segments: &[&str]) -> Path {
    Path::Context(segments.iter().map(|s| Box::from(*s)).collect())
}

fn member_field(root: &str, name: &str) -> Result<Field, Problem> {
    let (names, bare): (&[&str], String) = match root {
        "subject" => (&SUBJECT, name.to_owned()),
        "action" if name == "name" => (&ACTION, "action".to_owned()),
        "action" => (&ACTION, name.to_owned()),
        _ => (&ESTIMATE, format!("estimate.{name}")),
    };
    let known = names.contains(&name).then(|| Field::named(&bare)).flatten();
    known.ok_or_else(|| no_field(root, name, names))
}

fn usage_names() -> Vec<&'static str> {
    Usage::ALL.iter().map(|(name, _)| *name).collect()
}

fn no_field(root: &str, name: &str, names: &[&str]) -> Problem {
    let mut problem = Problem::new(format!("`{root}` has no field `{name}`"));
    problem.unknown_name = true;
    match nearest(name, names) {
        Some(near) => problem.suggest(format!("did you mean `{root}.{near}`?")),
        None => problem.suggest(format!("it has {}", names.join(", "))),
    }
}

fn no_data(segments: &[&str], beside: Option<&BTreeMap<Box<str>, Const>>) -> Problem {
    let path = segments.join(".");
    let mut problem = Problem::new(format!("`data.{path}` does not exist"));
    problem.unknown_name = true;
    let names: Vec<&str> = beside.iter().flat_map(|entries| entries.keys()).map(|k| &**k).collect();
    match segments.iter().find_map(|segment| nearest(segment, &names)) {
        Some(near) => problem.suggest(format!("did you mean `{near}`?")),
        None => problem.suggest("add it to the bundle's `data`"),
    }
}

fn no_map(segments: &[&str]) -> Problem {
    Problem::new(format!("`data.{}` selects in something that is not a map", segments.join(".")))
}

fn whole(root: &str) -> Problem {
    Problem::new(format!("`{root}` is no value of its own")).suggest(format!(
        "name one of its fields, such as `{root}.{}`",
        match root {
            "subject" => "agent",
            "action" => "name",
            _ => "cost",
        }
    ))
}

/// The name closest to what was written, if one is close.
fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let scored = known.iter().map(|own| (strsim::damerau_levenshtein(name, own), *own));
    scored.filter(|(far, own)| *far <= own.len().max(3) / 3).min().map(|(_, own)| own)
}

/// The type of a constant, and how many elements it has.
pub(super) fn type_of(constant: &Const) -> (Type, u64) {
    match constant {
        Const::Null => (Type::Null, 0),
        Const::Bool(_) => (Type::Bool, 0),
        Const::Number(_) => (Type::Double, 0),
        Const::Str(_) => (Type::Text, 0),
        Const::List(items) => (Type::List, items.len() as u64),
        Const::Map(entries) => (Type::Map, entries.len() as u64),
    }
}

/// `a.b["c"]` from a variable on; an index by text is a selection.
fn selection(expr: &Expr) -> Option<Selection<'_>> {
    let mut segments = Vec::new();
    let mut here = expr;
    loop {
        match here {
            Expr::Ident(root) => {
                segments.reverse();
                return Some(Selection { root, segments });
            }
            Expr::Select(select) if !select.test => {
                segments.push(select.field.as_str());
                here = &select.operand.expr;
            }
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [of, key] = call.args.as_slice() else {
                    return None;
                };
                let Expr::Literal(LiteralValue::String(name)) = &key.expr else {
                    return None;
                };
                segments.push(name.inner());
                here = &of.expr;
            }
            _ => return None,
        }
    }
}

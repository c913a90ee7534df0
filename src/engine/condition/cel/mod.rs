//! `when` expressions: a subset of CEL with a third truth value, types checked where they are
//! known and a bound on cost (design 1.5).
//!
//! The `cel` crate parses; meaning is ours. Source: the CEL specification, except where the
//! page's table says otherwise.

mod address;
mod arithmetic;
mod calls;
mod eval;
mod flat;
mod functions;
mod lower;
mod names;
mod parse;
mod program;
mod time;
mod types;
mod value;

#[cfg(test)]
mod tests;

use cel::common::ast::{Expr, IdedExpr, SourceInfo, operators};

use self::lower::Lowering;
use self::names::Names;
pub use self::names::Shared;
pub use self::parse::{Problem, on_deep_stack};
use self::program::Node;
use self::types::Type;
use super::truth::Truth;
use crate::condition::slots::{SlotId, SlotTable, Slots};
use crate::model::Op;
use crate::time::WallTime;
use crate::value::ConstMap;

/// The most steps that one evaluation may take, as far as it is known at load.
const MAX_STEPS: u64 = 2_000_000;

/// One part of an expression that must hold: the operands of its outermost `&&`.
#[derive(Debug)]
pub struct Conjunct {
    /// What is evaluated.
    pub form: Form,
    /// The part as it was written.
    pub text: Box<str>,
}

/// How a part is evaluated.
#[derive(Debug)]
pub enum Form {
    /// It compares one field with a constant, as `conditions` do.
    Flat(SlotId, Op),
    /// Anything else.
    Program(Program),
}

/// An expression in the form that is evaluated.
#[derive(Debug)]
pub struct Program {
    root: Node,
}

impl Program {
    /// What the expression says about a request.
    #[must_use]
    pub fn holds<'a>(&'a self, slots: &Slots<'a>, now: WallTime) -> Truth {
        let scope = eval::Scope::new(slots, time::Time::from_nanos(now.nanos()));
        eval::truth(&self.root, &scope, &mut Vec::new())
    }
}

/// Compiles an expression. Call it on [`on_deep_stack`] only: the parser recurses.
///
/// # Errors
/// Says what is wrong and where.
pub fn compile(
    source: &str,
    slots: &mut SlotTable,
    data: &ConstMap,
    shared: &mut Shared,
) -> Result<Vec<Conjunct>, Problem> {
    let parsed = parse::parse(source)?;
    let names = Names { slots, data, shared, macros: Vec::new() };
    let mut lowering = Lowering { names, places: &parsed.places };
    let mut parts = Vec::new();
    conjuncts(&parsed.root, &mut parts);
    let mut steps = 0_u64;
    let mut made = Vec::with_capacity(parts.len());
    let texts = texts(source, &parts, &parsed.places);
    for (at, part) in parts.into_iter().enumerate() {
        let typed = lowering.lower(part)?;
        steps = steps.saturating_add(typed.steps);
        if !typed.kind.may_be(Type::Bool) {
            let message = format!("a `when` says true or false, and this is {}", typed.kind.name());
            return Err(Problem::new(message).at(start(part, &parsed.places)));
        }
        let text = texts.get(at).copied().unwrap_or(source).into();
        made.push(Conjunct { form: flat::form(typed.node), text });
    }
    if steps > MAX_STEPS {
        let message = format!("may take {steps} steps for one request, more than {MAX_STEPS}");
        return Err(Problem::new(message).suggest("nest fewer macros"));
    }
    Ok(made)
}

/// The operands of the outermost `&&`, in order.
fn conjuncts<'e>(expr: &'e IdedExpr, into: &mut Vec<&'e IdedExpr>) {
    match &expr.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_AND => {
            call.args.iter().for_each(|arg| conjuncts(arg, into));
        }
        _ => into.push(expr),
    }
}

/// Where an expression starts.
fn start(expr: &IdedExpr, places: &SourceInfo) -> Option<u32> {
    let (mut first, mut open) = (None, vec![expr]);
    while let Some(expr) = open.pop() {
        let own = places.offset_for(expr.id).map(|(start, _)| start);
        first = first.into_iter().chain(own).min();
        parse::children(&expr.expr, &mut |child| open.push(child));
    }
    first
}

/// The source cut at the outermost `&&`s, one text for each part.
fn texts<'s>(source: &'s str, parts: &[&IdedExpr], places: &SourceInfo) -> Vec<&'s str> {
    let starts = parts.iter().map(|part| start(part, places).map_or(0, |at| at as usize));
    // The sign that stands last before a part begins it; the first part begins with the source.
    let before = |at: usize| source.get(..at).and_then(|head| head.rfind("&&"));
    let mut cuts: Vec<(usize, usize)> = starts.skip(1).filter_map(before).map(|at| (at, at + 2)).collect();
    cuts.push((source.len(), source.len()));
    let mut from = 0;
    let cut = |(to, next): (usize, usize)| {
        let text = source.get(from..to).unwrap_or_default();
        from = next;
        balanced(text.trim())
    };
    cuts.into_iter().map(cut).collect()
}

/// Without the parentheses at its ends whose partners were cut off.
fn balanced(mut text: &str) -> &str {
    loop {
        let (opened, closed) = (text.matches('(').count(), text.matches(')').count());
        let stripped = match opened.cmp(&closed) {
            std::cmp::Ordering::Greater => text.strip_prefix('('),
            std::cmp::Ordering::Less => text.strip_suffix(')'),
            std::cmp::Ordering::Equal => None,
        };
        match stripped {
            Some(shorter) => text = shorter.trim(),
            None => return text,
        }
    }
}

/// Whether a text is a time as `timestamp()` reads it: RFC 3339, years 1 to 9999.
#[must_use]
pub fn is_timestamp(text: &str) -> bool {
    time::parse_time(text).is_some()
}

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
pub use self::parse::{Problem, on_deep_stack};
use self::program::Node;
use self::types::Type;
use super::test::Test;
use super::truth::Truth;
use crate::condition::slots::{SlotTable, Slots};
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
    Flat(Test),
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
        let scope = eval::Scope::new(slots, now.into());
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
) -> Result<Vec<Conjunct>, Problem> {
    let parsed = parse::parse(source)?;
    let names = Names {
        slots,
        data,
        macros: Vec::new(),
    };
    let mut lowering = Lowering {
        names,
        places: &parsed.places,
    };
    let mut parts = Vec::new();
    conjuncts(&parsed.root, &mut parts);
    let mut steps = 0_u64;
    let mut made = Vec::with_capacity(parts.len());
    for part in parts {
        let typed = lowering.lower(part)?;
        steps = steps.saturating_add(typed.steps);
        if !typed.kind.may_be(Type::Bool) {
            let message = format!(
                "a `when` says true or false, and this is {}",
                typed.kind.name()
            );
            return Err(Problem::new(message).at(start(part, &parsed.places)));
        }
        let text = written(source, part, &parsed.places);
        made.push(Conjunct {
            form: flat::form(typed.node),
            text,
        });
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

fn start(expr: &IdedExpr, places: &SourceInfo) -> Option<u32> {
    extent(expr, places).map(|(start, _)| start)
}

/// The part of the source that an expression was read from.
fn written(source: &str, expr: &IdedExpr, places: &SourceInfo) -> Box<str> {
    let slice = extent(expr, places).and_then(|(start, stop)| {
        source
            .get(start as usize..=stop as usize)
            .or_else(|| source.get(start as usize..stop as usize))
    });
    slice.unwrap_or(source).trim().into()
}

fn extent(expr: &IdedExpr, places: &SourceInfo) -> Option<(u32, u32)> {
    let mut all: Option<(u32, u32)> = None;
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if let Some((start, stop)) = places.offset_for(expr.id) {
            let (low, high) = all.unwrap_or((start, stop));
            all = Some((low.min(start), high.max(stop)));
        }
        parse::children(&expr.expr, &mut |child| open.push(child));
    }
    all
}

/// Whether a text is a time as `timestamp()` reads it: RFC 3339, years 1 to 9999.
#[must_use]
pub fn is_timestamp(text: &str) -> bool {
    time::parse_time(text).is_some()
}

//! `when`: a walk over the tree of the `cel` crate's parser, which leaves macros as the calls they are written as.
//!
//! Two truth values and two kinds of unknown; every operand of a strict operation is evaluated, so that an
//! error hides an absence wherever it stands.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, MapExpr, SelectExpr};

use crate::naive_functions::{call, index};
use crate::naive_request::Facts;
use crate::naive_value::{Answer, Unknown, Val, and, equal, or, strict, worse};

/// Whether `source` holds; what is not a boolean is an error.
pub fn holds(source: &str, facts: &Facts<'_>) -> Answer<bool> {
    let tree = parse(source).ok_or(Unknown::Error)?;
    Walker { facts, variables: Vec::new() }.truth(&tree)
}

thread_local! {
    static PARSED: RefCell<HashMap<String, Option<Rc<IdedExpr>>>> = RefCell::default();
}

/// The tree of a source, kept since a bundle is asked many times.
fn parse(source: &str) -> Option<Rc<IdedExpr>> {
    PARSED.with_borrow_mut(|parsed| {
        if parsed.len() > 10_000 {
            parsed.clear();
        }
        parsed.entry(source.to_owned()).or_insert_with(|| parse_anew(source)).clone()
    })
}

fn parse_anew(source: &str) -> Option<Rc<IdedExpr>> {
    let parser = cel::Env::default().parser().enable_ident_escape_syntax(true);
    parser.parse(source).ok().map(Rc::new)
}

struct Walker<'a, 'f> {
    facts: &'a Facts<'f>,
    /// The variables of the macros around, the innermost last.
    variables: Vec<(String, Val)>,
}

impl Walker<'_, '_> {
    fn truth(&mut self, expr: &IdedExpr) -> Answer<bool> {
        match self.value(expr)? {
            Val::Bool(b) => Ok(b),
            _ => Err(Unknown::Error),
        }
    }

    fn value(&mut self, expr: &IdedExpr) -> Answer {
        match &expr.expr {
            Expr::Literal(literal) => Ok(match literal {
                LiteralValue::Null => Val::Null,
                LiteralValue::Boolean(b) => Val::Bool(*b.inner()),
                LiteralValue::Int(i) => Val::Int(*i.inner()),
                LiteralValue::Double(d) => Val::Double(*d.inner()),
                LiteralValue::String(s) => Val::str(s.inner()),
                LiteralValue::Bytes(_) | LiteralValue::UInt(_) => return Err(Unknown::Error),
            }),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::List(list) => self.values(&list.elements).map(Val::list),
            Expr::Map(map) => self.map_literal(map),
            Expr::Call(call) => self.call(call),
            Expr::Unspecified | Expr::Comprehension(_) | Expr::Struct(_) => Err(Unknown::Error),
        }
    }

    fn values(&mut self, exprs: &[IdedExpr]) -> Answer<Vec<Val>> {
        strict(exprs.iter().map(|e| self.value(e)))
    }

    fn variable(&mut self, name: &str) -> Answer {
        if let Some((_, value)) = self.variables.iter().rev().find(|(n, _)| n == name) {
            return Ok(value.clone());
        }
        match name {
            "context" => Ok(self.facts.context.clone()),
            "data" => Ok(self.facts.data().clone()),
            "now" => Ok(Val::Time(self.facts.now)),
            "usage" => Ok(Val::map(Vec::new(), true)),
            "environment" | "mode" | "phase" | "priority" | "attempt" => {
                self.facts.own(name).ok_or(Unknown::Absent)
            }
            _ => Err(Unknown::Error),
        }
    }

    /// A field of the request's messages, where `select` reads one; `subject.agent` has the name `agent`.
    fn own_field<'s>(&self, select: &'s SelectExpr) -> Option<&'s str> {
        let Expr::Ident(message) = &select.operand.expr else {
            return None;
        };
        let hidden = self.variables.iter().any(|(n, _)| n == message);
        match (message.as_str(), select.field.as_str()) {
            _ if hidden => None,
            ("action", "name") => Some("action"),
            ("subject" | "action", field) => Some(field),
            ("estimate", "cost") => Some("estimate.cost"),
            ("estimate", "tokens") => Some("estimate.tokens"),
            ("estimate", "compute") => Some("estimate.compute"),
            ("estimate", "duration") => Some("estimate.duration"),
            _ => None,
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Answer {
        match self.own_field(select) {
            Some("estimate.duration") => {
                self.facts.estimated_nanos().map(Val::Duration).ok_or(Unknown::Absent)
            }
            Some(name @ ("roles" | "tags")) => {
                Ok(self.facts.own(name).unwrap_or_else(|| Val::list(Vec::new())))
            }
            Some(name) => self.facts.own(name).ok_or(Unknown::Absent),
            None => self.value(&select.operand)?.select(&select.field),
        }
    }

    /// `has(a.b)`: false where a part of the path is absent.
    fn has(&mut self, argument: &IdedExpr) -> Answer {
        let Expr::Select(select) = &argument.expr else {
            return Err(Unknown::Error);
        };
        if let Some(name) = self.own_field(select) {
            return Ok(Val::Bool(self.facts.own(name).is_some()));
        }
        match self.value(&select.operand) {
            Ok(value) => value.has(&select.field).map(Val::Bool),
            Err(Unknown::Absent) => Ok(Val::Bool(false)),
            Err(Unknown::Error) => Err(Unknown::Error),
        }
    }

    /// Keys are strings, integers or booleans, each once.
    fn map_literal(&mut self, map: &MapExpr) -> Answer {
        let mut parts = Vec::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(Unknown::Error);
            };
            parts.push(self.value(&entry.key));
            parts.push(self.value(&entry.value));
        }
        let values = strict(parts.into_iter())?;
        let mut entries: Vec<(Val, Val)> = Vec::new();
        for pair in values.chunks(2) {
            let fit = matches!(pair[0], Val::Str(_) | Val::Int(_) | Val::Bool(_));
            if !fit || entries.iter().any(|(key, _)| equal(key, &pair[0]) == Ok(true)) {
                return Err(Unknown::Error);
            }
            entries.push((pair[0].clone(), pair[1].clone()));
        }
        Ok(Val::map(entries, false))
    }

    fn call(&mut self, expr: &CallExpr) -> Answer {
        match (expr.func_name.as_str(), &expr.target, expr.args.as_slice()) {
            ("_&&_", None, [a, b]) => self.logic(a, b, false),
            ("_||_", None, [a, b]) => self.logic(a, b, true),
            ("_?_:_", None, [condition, yes, no]) => {
                let chosen = if self.truth(condition)? { yes } else { no };
                self.value(chosen)
            }
            ("_[_]", None, [holder, key]) => {
                let values = strict([self.value(holder), self.value(key)].into_iter())?;
                index(&values[0], &values[1])
            }
            ("has", None, [argument]) => self.has(argument),
            (
                name @ ("exists" | "all" | "exists_one" | "filter" | "map"),
                Some(range),
                [variable, body @ ..],
            ) if !body.is_empty() => {
                let Expr::Ident(variable) = &variable.expr else {
                    return Err(Unknown::Error);
                };
                let elements = elements(&self.value(range)?)?;
                self.comprehend(name, &elements, variable, body)
            }
            (name, target, args) => {
                let receiver = target.iter().map(|t| self.value(t)).collect::<Vec<_>>();
                let args = args.iter().map(|a| self.value(a)).collect::<Vec<_>>();
                let values = strict(receiver.into_iter().chain(args))?;
                call(name, target.is_some(), &values)
            }
        }
    }

    /// `&&` and `||`: `winner` absorbs what is unknown on the other side.
    fn logic(&mut self, a: &IdedExpr, b: &IdedExpr, winner: bool) -> Answer {
        match (self.truth(a), self.truth(b)) {
            (Ok(x), _) | (_, Ok(x)) if x == winner => Ok(Val::Bool(winner)),
            (Err(a), Err(b)) => Err(worse(Some(a), b)),
            (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
            _ => Ok(Val::Bool(!winner)),
        }
    }

    /// The macros over the elements of a list or the keys of a map.
    fn comprehend(&mut self, name: &str, elements: &[Val], variable: &str, body: &[IdedExpr]) -> Answer {
        let mut results = Vec::new();
        for element in elements {
            self.variables.push((variable.to_owned(), element.clone()));
            results.push(self.one_element(name, body));
            self.variables.pop();
        }
        match name {
            "exists" | "all" => {
                let truths = results.into_iter().map(|r| match r? {
                    Val::Bool(b) => Ok(b),
                    _ => Err(Unknown::Error),
                });
                let all = name == "all";
                if all { and(truths) } else { or(truths) }.map(Val::Bool)
            }
            "map" => {
                let lists = strict(results.into_iter())?;
                Ok(Val::list(lists.iter().flat_map(|l| elements_of_list(l).to_vec()).collect()))
            }
            _ => {
                let kept = strict(results.into_iter())?;
                let chosen = elements.iter().zip(&kept).filter(|(_, keep)| matches!(keep, Val::Bool(true)));
                let chosen: Vec<Val> = chosen.map(|(element, _)| element.clone()).collect();
                Ok(if name == "filter" { Val::list(chosen) } else { Val::Bool(chosen.len() == 1) })
            }
        }
    }

    /// What one element gives: a truth value, or for `map` a list of one or none.
    fn one_element(&mut self, name: &str, body: &[IdedExpr]) -> Answer {
        match (name, body) {
            ("map", [transform]) => self.value(transform).map(|v| Val::list(vec![v])),
            ("map", [keep, transform]) => {
                if !self.truth(keep)? {
                    return Ok(Val::list(Vec::new()));
                }
                self.value(transform).map(|v| Val::list(vec![v]))
            }
            (_, [predicate]) => self.truth(predicate).map(Val::Bool),
            _ => Err(Unknown::Error),
        }
    }
}

fn elements(range: &Val) -> Answer<Vec<Val>> {
    match range {
        Val::List(items) => Ok(items.to_vec()),
        Val::Map(map) => Ok(map.entries.iter().map(|(key, _)| key.clone()).collect()),
        _ => Err(Unknown::Error),
    }
}

fn elements_of_list(list: &Val) -> &[Val] {
    match list {
        Val::List(items) => items,
        _ => &[],
    }
}

//! From the syntax tree to typed nodes: names are resolved, types checked where they are known,
//! constant parts that err are refused.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};

use super::eval::{Scope, eval};
use super::names::Names;
use super::parse::Problem;
use super::program::{Arithmetic, Node, Order};
use super::types::{Type, Typed};
use super::value::Val;
use crate::condition::slots::Slots;
use crate::value::Const;

/// Everything that lowering looks things up in.
pub(super) struct Lowering<'c> {
    pub(super) names: Names<'c>,
    pub(super) places: &'c SourceInfo,
}

type Lowered = Result<Typed, Problem>;

impl Lowering<'_> {
    /// Lowers an expression. Its depth was bounded when it was parsed.
    pub(super) fn lower(&mut self, expr: &IdedExpr) -> Lowered {
        let offset = self.places.offset_for(expr.id).map(|(start, _)| start);
        let typed = self.lower_kind(expr).map_err(|problem| problem.at(offset))?;
        self.refuse_constant_error(&typed).map_err(|problem| problem.at(offset))?;
        Ok(typed)
    }

    fn lower_kind(&mut self, expr: &IdedExpr) -> Lowered {
        if let Some(found) = self.names.resolve(&expr.expr) {
            return found;
        }
        match &expr.expr {
            Expr::Literal(literal) => lower_literal(literal),
            Expr::Call(call) => self.lower_call(call),
            Expr::Select(select) => {
                let of = self.lower(&select.operand)?;
                expect(&of, Type::Map, &format!("`.{}` selects in", select.field))?;
                let name = select.field.as_str().into();
                Ok(Typed::over(Type::Dyn, &[&of_ref(&of)], || Node::Select(Box::new(of.node), name)))
            }
            Expr::List(list) if list.optional_indices.is_empty() => {
                let parts = self.lower_all(&list.elements)?;
                Ok(gather(Type::List, parts, Node::List))
            }
            Expr::Map(map) => self.lower_map(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Ident(name) => Err(self.names.unknown(name)),
            Expr::Struct(_) => Err(refused("messages", "write a map, `{\"field\": value}`")),
            Expr::List(_) => Err(refused("optional elements", "leave the `?` out")),
            Expr::Comprehension(_) | Expr::Unspecified => Err(Problem::new("cannot be read")),
        }
    }

    pub(super) fn lower_all(&mut self, exprs: &[IdedExpr]) -> Result<Vec<Typed>, Problem> {
        exprs.iter().map(|expr| self.lower(expr)).collect()
    }

    fn lower_map<'e>(&mut self, entries: impl Iterator<Item = &'e EntryExpr>) -> Lowered {
        let (mut flat, mut count) = (Vec::new(), 0_u64);
        for entry in entries {
            let EntryExpr::MapEntry(entry) = entry else {
                return Err(refused("messages", "write a map, `{\"field\": value}`"));
            };
            if entry.optional {
                return Err(refused("optional entries", "leave the `?` out"));
            }
            let key = self.lower(&entry.key)?;
            if !matches!(key.kind, Type::Dyn | Type::Text | Type::Int | Type::Bool) {
                let message =
                    format!("a key of a map is text, an integer or a boolean, not {}", key.kind.name());
                return Err(Problem::new(message));
            }
            flat.push(key);
            flat.push(self.lower(&entry.value)?);
            count += 1;
        }
        let mut map = gather(Type::Map, flat, |nodes| {
            let mut nodes = nodes.into_iter();
            let mut entries = Vec::new();
            while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                entries.push((key, value));
            }
            Node::Map(entries)
        });
        map.items = count;
        Ok(map)
    }

    fn lower_call(&mut self, call: &CallExpr) -> Lowered {
        let name = call.func_name.as_str();
        if call.target.is_none() {
            match (name, call.args.as_slice()) {
                (operators::LOGICAL_AND | operators::LOGICAL_OR, _) => return self.logical(call),
                (operators::ADD, _) => return self.sum(call),
                (operators::CONDITIONAL, [condition, then, otherwise]) => {
                    return self.choose(condition, then, otherwise);
                }
                (operators::LOGICAL_NOT, [of]) => {
                    let of = self.lower(of)?;
                    expect(&of, Type::Bool, "`!` takes")?;
                    return Ok(Typed::over(Type::Bool, &[&of_ref(&of)], || Node::Not(of.node.into())));
                }
                (operators::NEGATE, [of]) => {
                    let of = self.lower(of)?;
                    if of.kind != Type::Dyn && !of.kind.is_number() {
                        return Err(mismatch("`-` takes a number", &of));
                    }
                    return Ok(Typed::over(of.kind, &[&of_ref(&of)], || Node::Negate(of.node.into())));
                }
                (operators::OPT_INDEX | operators::OPT_SELECT, _) => {
                    return Err(refused("optional types", "use `has()` and a plain field"));
                }
                (_, [a, b]) if is_binary(name) => return self.binary(name, a, b),
                _ => {}
            }
        }
        self.function(call)
    }

    fn logical(&mut self, call: &CallExpr) -> Lowered {
        let mut flat = Vec::new();
        flatten(call, &mut flat);
        let parts = self.lower_all_refs(&flat)?;
        let sign = if call.func_name == operators::LOGICAL_AND { "&&" } else { "||" };
        for part in &parts {
            expect(part, Type::Bool, &format!("`{sign}` takes"))?;
        }
        let make = if sign == "&&" { Node::And } else { Node::Or };
        Ok(gather(Type::Bool, parts, make))
    }

    fn sum(&mut self, call: &CallExpr) -> Lowered {
        let mut flat = Vec::new();
        flatten_left(call, &mut flat);
        let parts = self.lower_all_refs(&flat)?;
        let mut kind: Option<Type> = None;
        for part in &parts {
            kind = Some(match kind {
                None => part.kind,
                Some(so_far) => so_far.plus(part.kind).ok_or_else(|| no_pair("+", so_far, part.kind))?,
            });
        }
        let items = parts.iter().fold(0_u64, |sum, p| sum.saturating_add(p.items));
        let mut sum = gather(kind.unwrap_or(Type::Dyn), parts, Node::Sum);
        sum.items = items;
        Ok(sum)
    }

    fn lower_all_refs(&mut self, exprs: &[&IdedExpr]) -> Result<Vec<Typed>, Problem> {
        exprs.iter().map(|expr| self.lower(expr)).collect()
    }

    fn choose(&mut self, condition: &IdedExpr, then: &IdedExpr, otherwise: &IdedExpr) -> Lowered {
        let condition = self.lower(condition)?;
        expect(&condition, Type::Bool, "`?` takes")?;
        let (then, otherwise) = (self.lower(then)?, self.lower(otherwise)?);
        let kind = if then.kind == otherwise.kind { then.kind } else { Type::Dyn };
        Ok(gather(kind, vec![condition, then, otherwise], |nodes| match <[Node; 3]>::try_from(nodes) {
            Ok(three) => Node::Choose(three.into()),
            Err(nodes) => Node::List(nodes),
        }))
    }

    fn binary(&mut self, name: &str, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let (a, b) = (self.lower(a)?, self.lower(b)?);
        let sign = name.trim_matches(['_', '@']);
        let kind = match name {
            operators::EQUALS | operators::NOT_EQUALS => Some(Type::Bool),
            operators::SUBSTRACT => a.kind.minus(b.kind),
            operators::MULTIPLY | operators::DIVIDE | operators::MODULO => a.kind.times(b.kind),
            operators::INDEX => index_type(&a, &b),
            operators::IN => matches!(b.kind, Type::Dyn | Type::List | Type::Map).then_some(Type::Bool),
            _ => a.kind.orders_with(b.kind).then_some(Type::Bool),
        };
        let kind = kind.ok_or_else(|| no_pair(sign, a.kind, b.kind))?;
        let steps = if name == operators::IN { b.items } else { 0 };
        let name = name.to_owned();
        let mut typed = pair(kind, a, b, |two| binary_node(&name, two));
        typed.steps = typed.steps.saturating_add(steps);
        Ok(typed)
    }
}

fn binary_node(name: &str, two: Box<[Node; 2]>) -> Node {
    match name {
        operators::EQUALS => Node::Equal(two),
        operators::NOT_EQUALS => Node::Not(Node::Equal(two).into()),
        operators::SUBSTRACT => Node::Arithmetic(Arithmetic::Subtract, two),
        operators::MULTIPLY => Node::Arithmetic(Arithmetic::Multiply, two),
        operators::DIVIDE => Node::Arithmetic(Arithmetic::Divide, two),
        operators::MODULO => Node::Arithmetic(Arithmetic::Remainder, two),
        operators::INDEX => Node::Index(two),
        operators::IN => Node::In(two),
        operators::LESS => Node::Compare(Order::Less, two),
        operators::LESS_EQUALS => Node::Compare(Order::LessEqual, two),
        operators::GREATER => Node::Compare(Order::Greater, two),
        _ => Node::Compare(Order::GreaterEqual, two),
    }
}

fn is_binary(name: &str) -> bool {
    matches!(
        name,
        operators::EQUALS
            | operators::NOT_EQUALS
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::INDEX
            | operators::IN
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS
    )
}

fn index_type(of: &Typed, key: &Typed) -> Option<Type> {
    let number = key.kind == Type::Dyn || key.kind.is_number();
    match of.kind {
        Type::Dyn => Some(Type::Dyn),
        Type::List => number.then_some(Type::Dyn),
        Type::Map => Some(Type::Dyn),
        _ => None,
    }
}

/// All parts of a chain of `&&` or of `||`, however the parser nested them.
fn flatten<'e>(call: &'e CallExpr, into: &mut Vec<&'e IdedExpr>) {
    for arg in &call.args {
        match &arg.expr {
            Expr::Call(inner) if inner.func_name == call.func_name => flatten(inner, into),
            _ => into.push(arg),
        }
    }
}

/// All parts of a chain of `+`, which nests to the left; `a + (b + c)` stays as it is.
fn flatten_left<'e>(call: &'e CallExpr, into: &mut Vec<&'e IdedExpr>) {
    let mut current = call;
    loop {
        into.extend(current.args.get(1));
        match current.args.first().map(|first| (&first.expr, first)) {
            Some((Expr::Call(inner), _)) if inner.func_name == operators::ADD => current = inner,
            Some((_, first)) => {
                into.push(first);
                break;
            }
            None => break,
        }
    }
    into.reverse();
}

fn lower_literal(literal: &LiteralValue) -> Lowered {
    let (node, kind, items) = match literal {
        LiteralValue::Boolean(b) => (Node::Const(Const::Bool(*b.inner())), Type::Bool, 0),
        LiteralValue::Double(n) => (Node::Const(Const::Number(*n.inner())), Type::Double, 0),
        LiteralValue::Int(n) => (Node::Int(*n.inner()), Type::Int, 0),
        LiteralValue::Null => (Node::Const(Const::Null), Type::Null, 0),
        LiteralValue::String(s) => (Node::Const(Const::Str(s.inner().into())), Type::Text, 0),
        LiteralValue::Bytes(_) => return Err(refused("bytes", "write text")),
        LiteralValue::UInt(_) => return Err(refused("unsigned literals", "leave the `u` out")),
    };
    Ok(Typed::constant(node, kind, items))
}

/// A stand-in for a node whose own is about to be moved: only what is known of it counts.
pub(super) const fn of_ref(typed: &Typed) -> Typed {
    Typed {
        node: Node::Now,
        kind: typed.kind,
        constant: typed.constant,
        steps: typed.steps,
        items: typed.items,
        free: typed.free,
    }
}

/// A node over all these parts.
pub(super) fn gather(kind: Type, parts: Vec<Typed>, make: impl FnOnce(Vec<Node>) -> Node) -> Typed {
    let known: Vec<Typed> = parts.iter().map(of_ref).collect();
    let nodes = parts.into_iter().map(|p| p.node).collect();
    let mut typed = Typed::over(kind, &known.iter().collect::<Vec<_>>(), || make(nodes));
    if kind == Type::List {
        typed.items = known.len() as u64;
    }
    typed
}

pub(super) fn pair(kind: Type, a: Typed, b: Typed, make: impl FnOnce(Box<[Node; 2]>) -> Node) -> Typed {
    let (known_a, known_b) = (of_ref(&a), of_ref(&b));
    Typed::over(kind, &[&known_a, &known_b], || make(Box::new([a.node, b.node])))
}

/// Refuses a part that is known to be of another type.
pub(super) fn expect(typed: &Typed, wanted: Type, what: &str) -> Result<(), Problem> {
    if typed.kind.may_be(wanted) {
        return Ok(());
    }
    Err(mismatch(&format!("{what} {}", wanted.name()), typed))
}

pub(super) fn mismatch(what: &str, typed: &Typed) -> Problem {
    Problem::new(format!("{what}, and this is {}", typed.kind.name()))
}

fn no_pair(sign: &str, a: Type, b: Type) -> Problem {
    Problem::new(format!("`{sign}` is not defined between {} and {}", a.name(), b.name()))
}

pub(super) fn refused(what: &str, remedy: &str) -> Problem {
    Problem::new(format!("{what} are not supported in `when`")).suggest(remedy)
}

/// The most steps that one constant part may take.
const CONSTANT_STEPS: u64 = 20_000;

impl Lowering<'_> {
    fn refuse_constant_error(&mut self, typed: &Typed) -> Result<(), Problem> {
        let literal = matches!(typed.node, Node::Const(_) | Node::Int(_) | Node::Data(_));
        if literal || !typed.constant || typed.free.is_some() {
            return Ok(());
        }
        let left = self.names.shared.steps.checked_sub(typed.steps);
        let Some(left) = left.filter(|_| typed.steps <= CONSTANT_STEPS) else {
            return Err(Problem::new("this part reads nothing of the request and takes too long to compute")
                .suggest("write its result into `data`"));
        };
        self.names.shared.steps = left;
        match constant_value(typed) {
            Some(_) => Ok(()),
            None => Err(Problem::new("this part reads nothing of the request and always fails")
                .suggest("correct the constant")),
        }
    }
}

/// The value of a part that reads nothing of the request.
pub(super) fn constant_value(typed: &Typed) -> Option<Val<'_>> {
    let slots = Slots::default();
    let scope = Scope::new(&slots, super::time::Time::ZERO);
    eval(&typed.node, &scope, &mut Vec::new()).ok()
}

//! Expressions that are as simple as `conditions` become the same flat tests, which the index
//! knows how to look up.

use super::program::{Node, Order};
use super::{Form, Program};
use crate::condition::slots::SlotId;
use crate::model::Op;
use crate::value::Const;

/// How long a list or a text may be to be copied into a test.
const SHORT: usize = 64;

/// The flat form of a node where it has one, else a program.
pub(super) fn form(node: Node) -> Form {
    match flat(&node) {
        Some((slot, op)) => Form::Flat(slot, op),
        None => Form::Program(Program { root: node }),
    }
}

fn flat(node: &Node) -> Option<(SlotId, Op)> {
    match node {
        Node::HasSlot(slot) => Some((*slot, Op::Exists(true))),
        Node::Not(inner) => match flat(inner)? {
            (slot, Op::Exists(wanted)) => Some((slot, Op::Exists(!wanted))),
            (slot, Op::Eq(constant)) => Some((slot, Op::Ne(constant))),
            (slot, Op::In(list)) => Some((slot, Op::NotIn(list))),
            _ => None,
        },
        Node::Equal(pair) => match &**pair {
            [Node::Slot(slot), other] | [other, Node::Slot(slot)] => Some((*slot, Op::Eq(constant(other)?))),
            _ => None,
        },
        Node::In(pair) => match &**pair {
            [Node::Slot(slot), Node::List(items)] => {
                Some((*slot, Op::In(items.iter().map(constant).collect::<Option<_>>()?)))
            }
            [Node::Slot(slot), Node::Const(Const::List(items))] => Some((*slot, Op::In(items.clone()))),
            _ => None,
        },
        Node::Compare(order, pair) => match &**pair {
            [Node::Slot(slot), other] => ordered(*slot, *order, other),
            [other, Node::Slot(slot)] => ordered(*slot, mirrored(*order), other),
            _ => None,
        },
        _ => None,
    }
}

fn ordered(slot: SlotId, order: Order, other: &Node) -> Option<(SlotId, Op)> {
    let bound = constant(other).filter(|c| matches!(c, Const::Number(_) | Const::Str(_)))?;
    let op = match order {
        Order::Less => Op::Lt(bound),
        Order::LessEqual => Op::Le(bound),
        Order::Greater => Op::Gt(bound),
        Order::GreaterEqual => Op::Ge(bound),
    };
    Some((slot, op))
}

const fn mirrored(order: Order) -> Order {
    match order {
        Order::Less => Order::Greater,
        Order::LessEqual => Order::GreaterEqual,
        Order::Greater => Order::Less,
        Order::GreaterEqual => Order::LessEqual,
    }
}

/// A constant that a double holds exactly.
fn constant(node: &Node) -> Option<Const> {
    const EXACT: i64 = 1 << 53;
    match node {
        Node::Const(constant) => Some(constant.clone()),
        Node::Data(data) => is_small(data).then(|| (**data).clone()),
        Node::Int(n) if (-EXACT..=EXACT).contains(n) =>
        {
            #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
            Some(Const::Number(*n as f64))
        }
        _ => None,
    }
}

/// Whether a copy for each expression costs little.
fn is_small(constant: &Const) -> bool {
    match constant {
        Const::Null | Const::Bool(_) | Const::Number(_) => true,
        Const::Str(text) => text.len() <= SHORT,
        Const::List(_) | Const::Map(_) => false,
    }
}

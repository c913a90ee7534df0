//! Evaluating a program for one request.

use std::cell::Cell;
use std::cmp::Ordering;

use jiff::SignedDuration;

use super::arithmetic::{add, arithmetic, negate};
use super::functions::call;
use super::program::{Loop, LoopKind, Node, Order, Zone};
use super::time;
use super::value::{List, Map, Owner, STRIDE, Val};
use crate::condition::slots::{Slot, SlotId, Slots};
use crate::condition::truth::{Truth, Unknown};
use crate::value::View;

/// A value, or why there is none.
pub(super) type Outcome<'a> = Result<Val<'a>, Unknown>;

/// What a program reads, and how much work it may still do.
pub(super) struct Scope<'s, 'a> {
    pub(super) slots: &'s Slots<'a>,
    pub(super) now: time::Time,
    fuel: Cell<u64>,
}

/// The steps that one evaluation may take: a net under the static bound, which knows nothing of
/// the length of texts.
const FUEL: u64 = 4_000_000;

impl<'s, 'a> Scope<'s, 'a> {
    pub(super) const fn new(slots: &'s Slots<'a>, now: time::Time) -> Self {
        Self { slots, now, fuel: Cell::new(FUEL) }
    }

    /// Uses up so many steps.
    pub(super) fn spend(&self, steps: usize) -> Result<(), Unknown> {
        let left = self.fuel.get().checked_sub(steps as u64).ok_or(Unknown::Error)?;
        self.fuel.set(left);
        Ok(())
    }
}

/// The values of macros' variables, the outermost first.
type Variables<'v, 'a> = &'v mut Vec<Val<'a>>;

/// What a boolean expression says.
pub(super) fn truth<'a>(node: &'a Node, scope: &Scope<'_, 'a>, vars: Variables<'_, 'a>) -> Truth {
    match node {
        Node::And(parts) => {
            let mut all = Truth::True;
            for part in parts {
                all = all.and(truth(part, scope, vars));
                if all == Truth::False {
                    break;
                }
            }
            all
        }
        Node::Or(parts) => {
            let mut any = Truth::False;
            for part in parts {
                any = any.or(truth(part, scope, vars));
                if any == Truth::True {
                    break;
                }
            }
            any
        }
        Node::Not(inner) => truth(inner, scope, vars).not(),
        _ => match eval(node, scope, vars) {
            Ok(Val::Bool(holds)) => holds.into(),
            Ok(_) => Truth::Error,
            Err(unknown) => unknown.into(),
        },
    }
}

fn known<'a>(truth: Truth) -> Outcome<'a> {
    match truth {
        Truth::True => Ok(Val::Bool(true)),
        Truth::False => Ok(Val::Bool(false)),
        Truth::Absent => Err(Unknown::Absent),
        Truth::Error => Err(Unknown::Error),
    }
}

pub(super) fn eval<'a>(node: &'a Node, scope: &Scope<'_, 'a>, vars: Variables<'_, 'a>) -> Outcome<'a> {
    scope.spend(1)?;
    match node {
        Node::Const(constant) => Ok(Val::of_const(constant)),
        Node::Data(constant) => Ok(Val::of_const(constant)),
        Node::Int(n) => Ok(Val::Int(*n)),
        Node::Slot(slot) => scope.slots.get(*slot).read().map(|view| Val::of_view(view, Owner::Request)),
        Node::SlotSpan(slot) => span(scope, *slot),
        Node::HasSlot(slot) => match scope.slots.get(*slot) {
            Slot::Absent | Slot::Unset(_) => Ok(Val::Bool(false)),
            Slot::Broken => Err(Unknown::Error),
            Slot::Value(_) => Ok(Val::Bool(true)),
        },
        Node::Variable(depth) => vars.get(*depth).cloned().ok_or(Unknown::Error),
        Node::Now => Ok(Val::Time(scope.now)),
        Node::Select(of, name) => select(&eval(of, scope, vars)?, name),
        Node::Has(of, name) => match eval(of, scope, vars) {
            Ok(Val::Map(map)) => Ok(Val::Bool(map.field(name).is_some())),
            Err(Unknown::Absent) => Ok(Val::Bool(false)),
            Ok(_) | Err(Unknown::Error) => Err(Unknown::Error),
        },
        Node::Index(pair) => both(pair, scope, vars).and_then(|(of, key)| index(&of, &key)),
        Node::And(_) | Node::Or(_) | Node::Not(_) => known(truth(node, scope, vars)),
        Node::Negate(inner) => negate(&eval(inner, scope, vars)?),
        Node::Choose(three) => {
            let [condition, then, otherwise] = &**three;
            match eval(condition, scope, vars)? {
                Val::Bool(true) => eval(then, scope, vars),
                Val::Bool(false) => eval(otherwise, scope, vars),
                _ => Err(Unknown::Error),
            }
        }
        Node::Sum(parts) => sum(parts, scope, vars),
        Node::Arithmetic(op, pair) => both(pair, scope, vars).and_then(|(a, b)| arithmetic(*op, &a, &b)),
        Node::Compare(order, pair) => {
            let (a, b) = both(pair, scope, vars)?;
            scope.spend(a.effort(&b))?;
            a.compare(&b).map(|found| Val::Bool(order.accepts(found))).ok_or(Unknown::Error)
        }
        Node::Equal(pair) => {
            let (a, b) = both(pair, scope, vars)?;
            scope.spend(a.effort(&b))?;
            known(a.equals(&b))
        }
        Node::In(pair) => both(pair, scope, vars).and_then(|(a, b)| contains(scope, &a, &b)),
        Node::List(parts) => Ok(Val::list(each(parts, scope, vars)?)),
        Node::Map(entries) => make_map(entries, scope, vars),
        Node::Loop(inner) => run_loop(inner, scope, vars),
        Node::Part(part, of, zone) => accessor(*part, of, zone, scope, vars),
        Node::Matches(of, pattern) => match eval(of, scope, vars)? {
            Val::Text(text) => {
                scope.spend(text.len() / STRIDE)?;
                Ok(Val::Bool(pattern.is_match(&text)))
            }
            _ => Err(Unknown::Error),
        },
        Node::Call(function, args) => call(*function, &each(args, scope, vars)?, scope),
    }
}

/// Both operands; where both are unknown, an error outweighs absence.
fn both<'a>(
    pair: &'a [Node; 2],
    scope: &Scope<'_, 'a>,
    vars: Variables<'_, 'a>,
) -> Result<(Val<'a>, Val<'a>), Unknown> {
    let [a, b] = pair;
    match (eval(a, scope, vars), eval(b, scope, vars)) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.with(b)),
        (Err(unknown), Ok(_)) | (Ok(_), Err(unknown)) => Err(unknown),
    }
}

/// All operands; an error outweighs absence.
fn each<'a>(
    parts: &'a [Node],
    scope: &Scope<'_, 'a>,
    vars: Variables<'_, 'a>,
) -> Result<Vec<Val<'a>>, Unknown> {
    let mut values = Ok(Vec::with_capacity(parts.len()));
    for part in parts {
        match (eval(part, scope, vars), &mut values) {
            (Ok(value), Ok(values)) => values.push(value),
            (Ok(_), Err(_)) => {}
            (Err(unknown), Ok(_)) => values = Err(unknown),
            (Err(unknown), Err(before)) => *before = before.with(unknown),
        }
    }
    values
}

fn span<'a>(scope: &Scope<'_, 'a>, slot: SlotId) -> Outcome<'a> {
    match scope.slots.get(slot).read()? {
        View::Number(seconds) => {
            SignedDuration::try_from_secs_f64(seconds).map(Val::Span).map_err(|_| Unknown::Error)
        }
        _ => Err(Unknown::Error),
    }
}

fn select<'a>(of: &Val<'a>, name: &str) -> Outcome<'a> {
    let Val::Map(map) = of else {
        return Err(Unknown::Error);
    };
    map.field(name).ok_or_else(|| missing(map))
}

/// A missing key of the request is absence; of a map that the bundle wrote it is an error.
const fn missing(map: &Map<'_>) -> Unknown {
    match map {
        Map::Request(_) => Unknown::Absent,
        Map::Bundle(_) | Map::Made(_) => Unknown::Error,
    }
}

fn index<'a>(of: &Val<'a>, key: &Val<'a>) -> Outcome<'a> {
    match (of, key) {
        (Val::List(list), key) => {
            let place = whole_index(key).ok_or(Unknown::Error)?;
            list.at(place).ok_or(Unknown::Error)
        }
        (Val::Map(map @ (Map::Request(_) | Map::Bundle(_))), Val::Text(name)) => {
            map.field(name).ok_or_else(|| missing(map))
        }
        (Val::Map(map @ Map::Made(_)), key) => map.get(key).ok_or(Unknown::Error),
        _ => Err(Unknown::Error),
    }
}

/// An index: an integer, or a double that is whole.
fn whole_index(key: &Val<'_>) -> Option<usize> {
    match key {
        Val::Int(n) => usize::try_from(*n).ok(),
        Val::Double(n) if n.fract() == 0.0 && (0.0..=4_294_967_295.0).contains(n) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and between 0 and 2^32"
            )]
            Some(*n as usize)
        }
        _ => None,
    }
}

fn sum<'a>(parts: &'a [Node], scope: &Scope<'_, 'a>, vars: Variables<'_, 'a>) -> Outcome<'a> {
    let mut values = each(parts, scope, vars)?.into_iter();
    let first = values.next().ok_or(Unknown::Error)?;
    values.try_fold(first, |so_far, next| add(so_far, &next, scope))
}

fn contains<'a>(scope: &Scope<'_, 'a>, wanted: &Val<'a>, within: &Val<'a>) -> Outcome<'a> {
    match within {
        Val::List(list) => {
            let effort = list.iter().map(|item| 1 + item.effort(wanted));
            scope.spend(effort.fold(0, usize::saturating_add))?;
            known(list.contains(wanted))
        }
        Val::Map(map) => match wanted {
            Val::Double(n) if n.is_nan() => Err(Unknown::Error),
            key => Ok(Val::Bool(map.get(key).is_some())),
        },
        _ => Err(Unknown::Error),
    }
}

fn make_map<'a>(entries: &'a [(Node, Node)], scope: &Scope<'_, 'a>, vars: Variables<'_, 'a>) -> Outcome<'a> {
    let mut made: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(entries.len());
    let mut unknown: Option<Unknown> = None;
    for (key, value) in entries {
        let entry = match (eval(key, scope, vars), eval(value, scope, vars)) {
            (Ok(key), Ok(value)) => Ok((key, value)),
            (Err(a), Err(b)) => Err(a.with(b)),
            (Err(one), Ok(_)) | (Ok(_), Err(one)) => Err(one),
        };
        match entry {
            Ok((key, value)) => {
                let fits = matches!(key, Val::Text(_) | Val::Int(_) | Val::Bool(_));
                let twice = made.iter().any(|(own, _)| own.equals(&key) == Truth::True);
                if !fits || twice {
                    unknown = Some(Unknown::Error);
                } else {
                    made.push((key, value));
                }
            }
            Err(one) => unknown = Some(unknown.map_or(one, |before| before.with(one))),
        }
    }
    unknown.map_or_else(|| Ok(Val::Map(Map::Made(made.into()))), Err)
}

fn run_loop<'a>(inner: &'a Loop, scope: &Scope<'_, 'a>, vars: Variables<'_, 'a>) -> Outcome<'a> {
    let over = match eval(&inner.over, scope, vars)? {
        Val::List(list) => list,
        Val::Map(map) => List::Made(map.keys().into()),
        _ => return Err(Unknown::Error),
    };
    match inner.kind {
        LoopKind::Exists => known(quantify(inner, &over, Truth::False, Truth::or, scope, vars)),
        LoopKind::All => known(quantify(inner, &over, Truth::True, Truth::and, scope, vars)),
        LoopKind::ExistsOne => exactly_one(inner, &over, scope, vars),
        LoopKind::Filter | LoopKind::Map => collect(inner, &over, scope, vars),
    }
}

/// What the loop's predicate says of one element.
fn tested<'a>(inner: &'a Loop, item: Val<'a>, scope: &Scope<'_, 'a>, vars: Variables<'_, 'a>) -> Truth {
    vars.push(item);
    let says = inner.test.as_ref().map_or(Truth::True, |test| truth(test, scope, vars));
    vars.pop();
    says
}

fn quantify<'a>(
    inner: &'a Loop,
    over: &List<'a>,
    start: Truth,
    join: fn(Truth, Truth) -> Truth,
    scope: &Scope<'_, 'a>,
    vars: Variables<'_, 'a>,
) -> Truth {
    let settled = start.not();
    let mut so_far = start;
    for item in over.iter() {
        so_far = join(so_far, tested(inner, item, scope, vars));
        if so_far == settled {
            break;
        }
    }
    so_far
}

/// Not absorbing, as the specification has it: every element must be known.
fn exactly_one<'a>(
    inner: &'a Loop,
    over: &List<'a>,
    scope: &Scope<'_, 'a>,
    vars: Variables<'_, 'a>,
) -> Outcome<'a> {
    let (mut holds, mut unknown) = (0_usize, None::<Unknown>);
    for item in over.iter() {
        match tested(inner, item, scope, vars) {
            Truth::True => holds += 1,
            Truth::False => {}
            Truth::Absent => unknown = Some(unknown.unwrap_or(Unknown::Absent)),
            Truth::Error => unknown = Some(Unknown::Error),
        }
    }
    unknown.map_or(Ok(Val::Bool(holds == 1)), Err)
}

fn collect<'a>(
    inner: &'a Loop,
    over: &List<'a>,
    scope: &Scope<'_, 'a>,
    vars: Variables<'_, 'a>,
) -> Outcome<'a> {
    let (mut made, mut unknown) = (Vec::new(), None::<Unknown>);
    for item in over.iter() {
        let made_of = match tested(inner, item.clone(), scope, vars) {
            Truth::False => continue,
            Truth::True => match &inner.make {
                None => Ok(item),
                Some(make) => {
                    vars.push(item);
                    let value = eval(make, scope, vars);
                    vars.pop();
                    value
                }
            },
            Truth::Absent => Err(Unknown::Absent),
            Truth::Error => Err(Unknown::Error),
        };
        match made_of {
            Ok(value) => made.push(value),
            Err(one) => unknown = Some(unknown.map_or(one, |before| before.with(one))),
        }
    }
    unknown.map_or_else(|| Ok(Val::list(made)), Err)
}

fn accessor<'a>(
    part: time::Part,
    of: &'a Node,
    zone: &'a Zone,
    scope: &Scope<'_, 'a>,
    vars: Variables<'_, 'a>,
) -> Outcome<'a> {
    let of = eval(of, scope, vars);
    let named = match zone {
        Zone::None | Zone::Fixed(_) => Ok(None),
        Zone::Computed(node) => eval(node, scope, vars).map(Some),
    };
    let (of, named) = match (of, named) {
        (Ok(of), Ok(named)) => (of, named),
        (Err(a), Err(b)) => return Err(a.with(b)),
        (Err(unknown), Ok(_)) | (Ok(_), Err(unknown)) => return Err(unknown),
    };
    let found = match (of, zone, named) {
        (Val::Time(at), Zone::Fixed(zone), _) => part.of_time(at, zone),
        (Val::Time(at), _, Some(Val::Text(name))) => {
            time::zone(&name).and_then(|zone| part.of_time(at, &zone))
        }
        (Val::Time(at), Zone::None, _) => part.of_time(at, &jiff::tz::TimeZone::UTC),
        (Val::Span(span), Zone::None, _) => part.of_duration(span),
        _ => None,
    };
    found.map(Val::Int).ok_or(Unknown::Error)
}

impl Order {
    const fn accepts(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterEqual => found.is_ge(),
        }
    }
}

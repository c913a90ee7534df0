//! Slots: the fields of a request that a bundle reads, each with a number.
//!
//! A request is not turned into a map: it is walked once, and what the bundle reads is put into
//! its slot. What it does not read is passed over. The work grows with the request, not with
//! the bundle.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::condition::truth::Unknown;
use crate::model::condition::Usage;
use crate::model::request::Request;
use crate::model::{Field, Path};
use crate::value::{Fields, View};

/// The number of a slot in its bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(pub(crate) u32);

impl SlotId {
    /// Its place among the bundle's slots.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a slot holds for one request.
#[derive(Clone, Copy, Debug)]
pub enum Slot<'a> {
    /// The request has no such field.
    Absent,
    /// The path selects in something that is not a map.
    Broken,
    /// The request's own list (roles, tags) without an element: readable, yet not set.
    Unset(View<'a>),
    /// A value.
    Value(View<'a>),
}

impl<'a> Slot<'a> {
    /// The value, or why there is none.
    ///
    /// # Errors
    /// Absent, or an error where the path selects in something that is not a map.
    pub const fn read(self) -> Result<View<'a>, Unknown> {
        match self {
            Self::Absent => Err(Unknown::Absent),
            Self::Broken => Err(Unknown::Error),
            Self::Unset(value) | Self::Value(value) => Ok(value),
        }
    }
}

/// Which slots a bundle has, and how a request fills them.
#[derive(Debug, Default)]
pub struct SlotTable {
    names: HashMap<Path, SlotId, RandomState>,
    count: u32,
    own: Vec<(Field, SlotId)>,
    either: Vec<Either>,
    context: Node,
    whole_context: Option<SlotId>,
    usage: Vec<(Usage, SlotId)>,
}

/// What a tenant's run has used so far; money in units of the currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UsedSoFar {
    /// Tool calls.
    pub tool_calls: f64,
    /// LLM calls.
    pub llm_calls: f64,
    /// LLM tokens.
    pub llm_tokens: f64,
    /// Money.
    pub cost: f64,
    /// Compute units.
    pub compute: f64,
}

impl UsedSoFar {
    const fn of(&self, measure: Usage) -> f64 {
        match measure {
            Usage::ToolCalls => self.tool_calls,
            Usage::LlmCalls => self.llm_calls,
            Usage::LlmTokens => self.llm_tokens,
            Usage::Cost => self.cost,
            Usage::Compute => self.compute,
        }
    }
}

/// A bare name: the request's own field where set, else the context's.
#[derive(Debug)]
struct Either {
    field: Field,
    slot: SlotId,
    context: SlotId,
}

/// A place in the tree of context paths that the bundle reads.
#[derive(Debug, Default)]
struct Node {
    slot: Option<SlotId>,
    children: HashMap<Box<str>, Node, RandomState>,
}

impl SlotTable {
    /// How many slots there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the bundle reads nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether `usage` is read.
    #[must_use]
    pub fn reads_usage(&self) -> bool {
        !self.usage.is_empty()
    }

    /// What a slot holds; it is searched for.
    #[must_use]
    pub fn path(&self, slot: SlotId) -> Option<&Path> {
        self.names.iter().find(|(_, own)| **own == slot).map(|(path, _)| path)
    }

    /// The slot of a path into the request; the same path has one slot.
    pub fn intern(&mut self, path: &Path) -> SlotId {
        if let Some(slot) = self.names.get(path) {
            return *slot;
        }
        let slot = SlotId(self.count);
        self.count += 1;
        self.names.insert(path.clone(), slot);
        match path {
            Path::Request(field) => self.own.push((*field, slot)),
            Path::Either(field) => {
                let segments = field.name().split('.').map(Box::from).collect();
                let context = self.intern(&Path::Context(segments));
                self.either.push(Either { field: *field, slot, context });
            }
            Path::Context(segments) if segments.is_empty() => self.whole_context = Some(slot),
            Path::Context(segments) => {
                let mut node = &mut self.context;
                for segment in segments {
                    node = node.children.entry(segment.clone()).or_default();
                }
                node.slot = Some(slot);
            }
            Path::Usage(measure) => self.usage.push((*measure, slot)),
            // Constants are compiled in; nothing fills this slot.
            Path::Data(_) => {}
        }
        slot
    }

    /// Puts the request's values into their slots, and what its tenant and run have used.
    pub fn fill<'a>(
        &self,
        request: &Request<'a>,
        environment: &'a str,
        usage: Option<&UsedSoFar>,
        into: &mut Slots<'a>,
    ) {
        into.start(self.len());
        if let Some(slot) = self.whole_context {
            into.put(slot, Slot::Value(View::Map(request.context)));
        }
        self.context.fill(request.context, into);
        for (field, slot) in &self.own {
            into.put(*slot, own_field(request, environment, *field));
        }
        for either in &self.either {
            let own = own_field(request, environment, either.field);
            let chosen = match (own, into.get(either.context)) {
                (Slot::Unset(_) | Slot::Absent, found @ (Slot::Value(_) | Slot::Broken)) => found,
                (own, _) => own,
            };
            into.put(either.slot, chosen);
        }
        if let Some(used) = usage {
            for (measure, slot) in &self.usage {
                into.put(*slot, Slot::Value(View::Number(used.of(*measure))));
            }
        }
    }
}

impl Node {
    fn fill<'a>(&self, fields: &'a dyn Fields, into: &mut Slots<'a>) {
        if self.children.len() <= fields.len() {
            for (name, child) in &self.children {
                if let Some(value) = fields.field(name) {
                    child.hold(value, into);
                }
            }
        } else {
            fields.each(&mut |name, value| {
                if let Some(child) = self.children.get(name) {
                    child.hold(value, into);
                }
            });
        }
    }

    fn hold<'a>(&self, value: View<'a>, into: &mut Slots<'a>) {
        if let Some(slot) = self.slot {
            into.put(slot, Slot::Value(value));
        }
        match value {
            View::Map(fields) => self.fill(fields, into),
            View::Null | View::Bool(_) | View::Number(_) | View::Str(_) | View::List(_) => {
                self.children.values().for_each(|child| child.break_off(into));
            }
        }
    }

    fn break_off(&self, into: &mut Slots<'_>) {
        if let Some(slot) = self.slot {
            into.put(slot, Slot::Broken);
        }
        self.children.values().for_each(|child| child.break_off(into));
    }
}

/// What a path of the request holds, for those who read one field and have no slots. `data` and
/// `usage` are no fields of a request.
#[must_use]
pub fn read<'a>(request: &Request<'a>, environment: &'a str, path: &Path) -> Slot<'a> {
    let in_context = |segments: &mut dyn Iterator<Item = &str>| {
        let mut here = View::Map(request.context);
        for segment in segments {
            match here {
                View::Map(fields) => match fields.field(segment) {
                    Some(found) => here = found,
                    None => return Slot::Absent,
                },
                View::Null | View::Bool(_) | View::Number(_) | View::Str(_) | View::List(_) => {
                    return Slot::Broken;
                }
            }
        }
        Slot::Value(here)
    };
    match path {
        Path::Request(field) => own_field(request, environment, *field),
        Path::Either(field) => match own_field(request, environment, *field) {
            own @ (Slot::Value(_) | Slot::Broken) => own,
            own @ (Slot::Unset(_) | Slot::Absent) => match in_context(&mut field.name().split('.')) {
                Slot::Absent => own,
                found => found,
            },
        },
        Path::Context(segments) => in_context(&mut segments.iter().map(|segment| &**segment)),
        Path::Data(_) | Path::Usage(_) => Slot::Absent,
    }
}

/// The request's own field, as conditions read it.
#[must_use]
pub fn own_field<'a>(request: &Request<'a>, environment: &'a str, field: Field) -> Slot<'a> {
    let (subject, action, estimate) = (&request.subject, &request.action, &request.estimate);
    let text = |text: &'a str| {
        if text.is_empty() { Slot::Absent } else { Slot::Value(View::Str(text)) }
    };
    let list = |list: &'a dyn crate::value::Seq| {
        if list.is_empty() { Slot::Unset(View::List(list)) } else { Slot::Value(View::List(list)) }
    };
    let number = |n: Option<f64>| n.map_or(Slot::Absent, |n| Slot::Value(View::Number(n)));
    #[expect(clippy::cast_precision_loss, reason = "a request's numbers are doubles")]
    let count = |n: Option<u64>| number(n.map(|n| n as f64));
    match field {
        Field::Agent => text(subject.agent),
        Field::User => text(subject.user),
        Field::Tenant => text(subject.tenant),
        Field::App => text(subject.app),
        Field::Workflow => text(subject.workflow),
        Field::Run => text(subject.run),
        Field::Roles => list(subject.roles),
        Field::Action => text(action.name),
        Field::Kind => text(action.kind().name()),
        Field::Tool => text(action.tool),
        Field::Provider => text(action.provider),
        Field::Model => text(action.model),
        Field::Pipeline => text(action.pipeline),
        Field::Stage => text(action.stage),
        Field::Handler => text(action.handler),
        Field::Tags => list(action.tags),
        Field::Environment => text(environment),
        Field::Mode => text(request.mode),
        Field::Phase => text(request.phase.name()),
        Field::Priority => number(request.priority.map(f64::from)),
        Field::Attempt => number(Some(request.attempt.into())),
        Field::EstimateCost => number(estimate.cost.map(crate::unit::Money::units)),
        Field::EstimateTokens => count(estimate.tokens),
        Field::EstimateCompute => count(estimate.compute),
        Field::EstimateDuration => number(estimate.duration.map(crate::unit::Span::seconds)),
    }
}

/// The slots of one request.
#[derive(Debug, Default)]
pub struct Slots<'a> {
    /// For each slot, 0 or one more than its place in `held`.
    places: Vec<u32>,
    held: Vec<(SlotId, Slot<'a>)>,
}

impl<'a> Slots<'a> {
    fn start(&mut self, slots: usize) {
        if self.places.len() != slots {
            self.places.clear();
            self.places.resize(slots, 0);
        }
    }

    fn put(&mut self, slot: SlotId, value: Slot<'a>) {
        if matches!(value, Slot::Absent) {
            return;
        }
        if let Some(place) = self.places.get_mut(slot.0 as usize) {
            self.held.push((slot, value));
            *place = u32::try_from(self.held.len()).unwrap_or(0);
        }
    }

    /// What this slot holds.
    #[must_use]
    pub fn get(&self, slot: SlotId) -> Slot<'a> {
        let place = self.places.get(slot.0 as usize).copied().unwrap_or(0);
        let held = (place as usize).checked_sub(1).and_then(|at| self.held.get(at));
        held.map_or(Slot::Absent, |(_, value)| *value)
    }

    /// The slots that hold something.
    pub fn present(&self) -> impl Iterator<Item = (SlotId, Slot<'a>)> + '_ {
        self.held.iter().copied()
    }

    /// How many slots hold something.
    #[must_use]
    pub const fn present_len(&self) -> usize {
        self.held.len()
    }

    /// Empties all slots and keeps the room, for a request that lives shorter or longer.
    #[must_use]
    pub fn recycle<'b>(mut self) -> Slots<'b> {
        for (slot, _) in &self.held {
            if let Some(place) = self.places.get_mut(slot.0 as usize) {
                *place = 0;
            }
        }
        self.held.clear();
        // An empty vector is collected in place: the room is kept, and no borrow with it.
        let held = self.held.into_iter().map_while(|_| None).collect();
        Slots { places: self.places, held }
    }
}

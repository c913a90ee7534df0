//! The rules of a bundle in the form that requests are held against: small heads in rank order,
//! tests and needs in arenas beside them, so that one decision touches few cache lines.

use super::target::{Misfit, Need, Needs, includes};
use crate::condition::cel::{self, Form, Problem, Program};
use crate::condition::slots::{Slot, SlotId, SlotTable, Slots};
use crate::condition::test::{Operands, Test, holds};
use crate::condition::truth::Truth;
use crate::id::RuleId;
use crate::model::request::Request;
use crate::model::{Disposition, Op, Path, Phase, Phases, Rule, RuleEffect};
use crate::time::WallTime;
use crate::value::{Const, ConstMap};

/// The place of a rule: the first to decide has 0.
pub type Rank = u32;

/// Rules in rank order.
#[derive(Debug, Default)]
pub struct Rules {
    heads: Vec<Head>,
    tests: Vec<Test>,
    needs: Vec<Need>,
    operands: Operands,
    verdicts: Vec<Verdict>,
    programs: Vec<Program>,
    parts: Vec<Vec<Part>>,
}

/// What is read of every rule that is looked at.
#[derive(Clone, Copy, Debug)]
struct Head {
    first_test: u32,
    first_need: u32,
    first_program: u32,
    tests: u32,
    programs: u32,
    /// All needs; those that the index has not proved stand first.
    needs: u8,
    unproved: u8,
    phases: Phases,
    /// What its conditions over `data` say: they are the same for every request.
    constant: Truth,
    /// Whether an error makes it match: it denies, or asks for approval.
    fails_closed: bool,
}

/// What a rule answers when it decides.
#[derive(Debug)]
pub struct Verdict {
    /// Its id.
    pub id: RuleId,
    /// Its reason.
    pub reason: Box<str>,
    /// Its effect.
    pub kind: VerdictKind,
    /// Its place among the bundle's rules.
    pub source: u32,
}

/// The effect of a rule, without what only some need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictKind {
    /// It allows.
    Allow,
    /// It denies.
    Deny(Disposition),
    /// It asks people.
    RequireApproval,
    /// It adds obligations.
    Modify,
}

/// One condition of a rule, for those who ask why.
#[derive(Debug)]
pub struct Part {
    /// As it was written.
    pub text: Box<str>,
    /// What evaluates it.
    pub by: PartBy,
}

/// What evaluates a part.
#[derive(Clone, Copy, Debug)]
pub enum PartBy {
    /// Nothing: it is the same for every request.
    Constant(Truth),
    /// This one of the rule's flat tests.
    Test(usize),
    /// This one of the rule's programs.
    Program(usize),
}

/// What rules read, while they are compiled.
#[derive(Debug)]
pub struct Reads<'r> {
    /// The fields of requests.
    pub slots: &'r mut SlotTable,
    /// The bundle's constants.
    pub data: &'r ConstMap,
    /// What expressions share.
    pub shared: &'r mut cel::Shared,
}

/// One rule among others.
#[derive(Clone, Copy, Debug)]
pub struct RuleRef<'a> {
    rules: &'a Rules,
    head: &'a Head,
    rank: Rank,
}

impl Rules {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The rule of this rank.
    #[must_use]
    pub fn at(&self, rank: Rank) -> Option<RuleRef<'_>> {
        self.heads.get(rank as usize).map(|head| RuleRef { rules: self, head, rank })
    }

    /// All rules, by rank.
    pub fn iter(&self) -> impl Iterator<Item = RuleRef<'_>> {
        (0..).zip(&self.heads).map(|(rank, head)| RuleRef { rules: self, head, rank })
    }

    /// Compiles a rule and puts it at the next rank. With a `when`, call it on
    /// [`cel::on_deep_stack`] only.
    ///
    /// # Errors
    /// What is wrong with the `when`; then nothing was put.
    pub fn push(&mut self, source: usize, rule: &Rule, into: &mut Reads<'_>) -> Result<(), Problem> {
        let conjuncts = match &rule.when {
            Some(when) => cel::compile(&when.value, into.slots, into.data, into.shared)?,
            None => Vec::new(),
        };
        let (first_test, first_program) = (self.tests.len(), self.programs.len());
        let (mut constant, mut parts) = (Truth::True, Vec::new());
        for condition in &rule.conditions {
            let by = if let Path::Data(path) = &condition.path {
                let says = holds(&condition.op, data_slot(into.data, path));
                constant = constant.and(says);
                PartBy::Constant(says)
            } else {
                let slot = into.slots.intern(&condition.path);
                self.push_test(first_test, slot, condition.op.clone())
            };
            parts.push(Part { text: condition.text.clone(), by });
        }
        for conjunct in conjuncts {
            let by = match conjunct.form {
                Form::Flat(slot, op) => self.push_test(first_test, slot, op),
                Form::Program(program) => {
                    self.programs.push(program);
                    PartBy::Program(self.programs.len() - first_program - 1)
                }
            };
            parts.push(Part { text: conjunct.text, by });
        }
        self.parts.push(parts);
        self.finish(source, rule, constant, first_test, first_program);
        Ok(())
    }

    fn push_test(&mut self, first: usize, slot: SlotId, op: Op) -> PartBy {
        let test = self.operands.test(slot, op);
        self.tests.push(test);
        PartBy::Test(self.tests.len() - first - 1)
    }

    fn finish(
        &mut self,
        source: usize,
        rule: &Rule,
        constant: Truth,
        first_test: usize,
        first_program: usize,
    ) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let first_need = self.needs.len();
        let Needs { phases, needs } = Needs::of_rule(rule);
        self.needs.extend(needs);
        let needs = u8::try_from(self.needs.len() - first_need).unwrap_or(u8::MAX);
        let kind = match &rule.effect {
            RuleEffect::Allow => VerdictKind::Allow,
            RuleEffect::Deny(disposition) => VerdictKind::Deny(*disposition),
            RuleEffect::RequireApproval(_) => VerdictKind::RequireApproval,
            RuleEffect::Modify(_) => VerdictKind::Modify,
        };
        self.heads.push(Head {
            first_test: place(first_test),
            first_need: place(first_need),
            first_program: place(first_program),
            tests: place(self.tests.len() - first_test),
            programs: place(self.programs.len() - first_program),
            needs,
            unproved: needs,
            phases,
            constant,
            fails_closed: matches!(kind, VerdictKind::Deny(_) | VerdictKind::RequireApproval),
        });
        let (id, reason) = (rule.id.clone(), rule.reason.clone());
        self.verdicts.push(Verdict { id, reason, kind, source: place(source) });
    }

    /// Marks the needs of a rule that finding it proves: they are not looked at again.
    pub(super) fn prove(&mut self, rank: Rank, proved: impl Fn(&Need) -> bool) {
        let Some(head) = self.heads.get_mut(rank as usize) else { return };
        let start = head.first_need as usize;
        let Some(needs) = self.needs.get_mut(start..start + usize::from(head.needs)) else { return };
        needs.sort_by_key(|need| proved(need));
        head.unproved = u8::try_from(needs.iter().filter(|need| !proved(need)).count()).unwrap_or(head.needs);
    }
}

fn slice<T>(all: &[T], first: u32, count: u32) -> &[T] {
    all.get(first as usize..first as usize + count as usize).unwrap_or_default()
}

impl<'a> RuleRef<'a> {
    /// Its rank.
    #[must_use]
    pub const fn rank(self) -> Rank {
        self.rank
    }

    /// Whether an error makes it match.
    #[must_use]
    pub const fn fails_closed(self) -> bool {
        self.head.fails_closed
    }

    /// What it answers; `None` never happens.
    #[must_use]
    pub fn verdict(self) -> Option<&'a Verdict> {
        self.rules.verdicts.get(self.rank as usize)
    }

    /// Its conditions in the order in which they were written.
    #[must_use]
    pub fn parts(self) -> &'a [Part] {
        self.rules.parts.get(self.rank as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Its flat tests.
    #[must_use]
    pub fn tests(self) -> &'a [Test] {
        slice(&self.rules.tests, self.head.first_test, self.head.tests)
    }

    /// Its flat tests as slot and operator.
    pub fn ops(self) -> impl Iterator<Item = (SlotId, Op)> + 'a {
        let operands = &self.rules.operands;
        self.tests().iter().map(|test| (test.slot(), test.op(operands)))
    }

    fn programs(self) -> &'a [Program] {
        slice(&self.rules.programs, self.head.first_program, self.head.programs)
    }

    /// The texts that its target wants.
    pub(super) fn wanted(self) -> impl Iterator<Item = &'a Need> {
        slice(&self.rules.needs, self.head.first_need, self.head.needs.into())
            .iter()
            .filter(|need| need.wanted)
    }

    /// Whether it may match although a field that it reads is absent: an error elsewhere could
    /// make it.
    #[must_use]
    pub const fn is_opaque(self) -> bool {
        self.head.fails_closed && (matches!(self.head.constant, Truth::Error) || self.head.programs > 0)
    }

    /// Whether its target fits a request for which the index offered it.
    #[must_use]
    pub fn is_about(self, request: &Request<'a>, environment: &str) -> bool {
        let needs = slice(&self.rules.needs, self.head.first_need, self.head.unproved.into());
        self.fits_phase(request.phase) && needs.iter().all(|need| need.holds(request, environment))
    }

    /// What target and conditions say of a request for which the index offered the rule.
    #[must_use]
    pub fn holds(self, request: &Request<'a>, environment: &str, slots: &Slots<'a>, now: WallTime) -> Truth {
        if self.is_about(request, environment) { self.conditions(slots, now) } else { Truth::False }
    }

    /// The first field of its target that the request does not fit; `None` when it fits all.
    #[must_use]
    pub fn misfit(self, request: &Request<'_>, environment: &str) -> Option<Misfit> {
        if !self.fits_phase(request.phase) {
            return Some(Misfit { field: crate::model::Field::Phase });
        }
        let needs = slice(&self.rules.needs, self.head.first_need, self.head.needs.into());
        let misfit = needs.iter().find(|need| !need.holds(request, environment));
        misfit.map(|need| Misfit { field: need.field })
    }

    const fn fits_phase(self, phase: Phase) -> bool {
        includes(self.head.phases, phase)
    }

    /// What its conditions say together.
    #[must_use]
    pub fn conditions(self, slots: &Slots<'a>, now: WallTime) -> Truth {
        let mut all = self.head.constant;
        for test in self.tests() {
            if all == Truth::False {
                return all;
            }
            all = all.and(test.holds(&self.rules.operands, slots));
        }
        for program in self.programs() {
            if all == Truth::False {
                return all;
            }
            all = all.and(program.holds(slots, now));
        }
        all
    }

    /// What one of its parts says.
    #[must_use]
    pub fn part(self, by: PartBy, slots: &Slots<'a>, now: WallTime) -> Truth {
        match by {
            PartBy::Constant(truth) => truth,
            PartBy::Test(at) => {
                self.tests().get(at).map_or(Truth::False, |test| test.holds(&self.rules.operands, slots))
            }
            PartBy::Program(at) => self.programs().get(at).map_or(Truth::False, |p| p.holds(slots, now)),
        }
    }
}

/// What a path into `data` holds. Reading checked that it exists.
fn data_slot<'d>(data: &'d ConstMap, path: &[Box<str>]) -> Slot<'d> {
    let Some((first, rest)) = path.split_first() else { return Slot::Absent };
    let mut here = data.get(first);
    for segment in rest {
        here = match here {
            Some(Const::Map(entries)) => entries.get(segment),
            Some(_) => return Slot::Broken,
            None => None,
        };
    }
    here.map_or(Slot::Absent, |found| Slot::Value(found.view()))
}

//! A rule in the form that requests are held against.

use super::target::Needs;
use crate::condition::cel::{self, Form, Problem, Program};
use crate::condition::slots::{Slot, SlotTable, Slots};
use crate::condition::test::{Test, holds};
use crate::condition::truth::Truth;
use crate::model::{Path, Rule, RuleEffect};
use crate::time::WallTime;
use crate::value::{Const, ConstMap};

/// A rule, compiled.
#[derive(Debug)]
pub struct CompiledRule {
    /// Its place among the bundle's rules.
    pub source: usize,
    /// What it is about.
    pub needs: Needs,
    /// What its conditions over `data` say: they are the same for every request.
    pub constant: Truth,
    /// Its flat tests.
    pub tests: Box<[Test]>,
    /// What of its `when` is no flat test.
    pub programs: Box<[Program]>,
    /// Whether an error makes it match: it denies, or asks for approval.
    pub fails_closed: bool,
    /// Its conditions in the order in which they were written.
    pub parts: Box<[Part]>,
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
    /// This flat test.
    Test(usize),
    /// This program.
    Program(usize),
}

impl CompiledRule {
    /// Compiles a rule. With a `when`, call it on [`cel::on_deep_stack`] only.
    ///
    /// # Errors
    /// What is wrong with the `when`.
    pub fn of(source: usize, rule: &Rule, slots: &mut SlotTable, data: &ConstMap) -> Result<Self, Problem> {
        let mut made =
            Made { constant: Truth::True, tests: Vec::new(), programs: Vec::new(), parts: Vec::new() };
        for condition in &rule.conditions {
            let text = condition.text.clone();
            if let Path::Data(path) = &condition.path {
                let says = holds(&condition.op, data_slot(data, path));
                made.constant = made.constant.and(says);
                made.parts.push(Part { text, by: PartBy::Constant(says) });
            } else {
                let slot = slots.intern(&condition.path);
                made.test(text, Test { slot, op: condition.op.clone() });
            }
        }
        if let Some(when) = &rule.when {
            for conjunct in cel::compile(&when.value, slots, data)? {
                match conjunct.form {
                    Form::Flat(test) => made.test(conjunct.text, test),
                    Form::Program(program) => made.program(conjunct.text, program),
                }
            }
        }
        Ok(Self {
            source,
            needs: Needs::of_rule(rule),
            constant: made.constant,
            tests: made.tests.into(),
            programs: made.programs.into(),
            fails_closed: matches!(rule.effect, RuleEffect::Deny(_) | RuleEffect::RequireApproval(_)),
            parts: made.parts.into(),
        })
    }

    /// What its conditions say together.
    #[must_use]
    pub fn conditions<'a>(&'a self, slots: &Slots<'a>, now: WallTime) -> Truth {
        let mut all = self.constant;
        for test in &self.tests {
            if all == Truth::False {
                return all;
            }
            all = all.and(test.holds(slots));
        }
        for program in &self.programs {
            if all == Truth::False {
                return all;
            }
            all = all.and(program.holds(slots, now));
        }
        all
    }

    /// Whether it may match although a field that it reads is absent: an error elsewhere could
    /// make it.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.fails_closed && (self.constant == Truth::Error || !self.programs.is_empty())
    }
}

struct Made {
    constant: Truth,
    tests: Vec<Test>,
    programs: Vec<Program>,
    parts: Vec<Part>,
}

impl Made {
    fn test(&mut self, text: Box<str>, test: Test) {
        self.parts.push(Part { text, by: PartBy::Test(self.tests.len()) });
        self.tests.push(test);
    }

    fn program(&mut self, text: Box<str>, program: Program) {
        self.parts.push(Part { text, by: PartBy::Program(self.programs.len()) });
        self.programs.push(program);
    }
}

/// What a path into `data` holds. Reading checked that it exists.
fn data_slot<'d>(data: &'d ConstMap, path: &[Box<str>]) -> Slot<'d> {
    let Some((first, rest)) = path.split_first() else {
        return Slot::Absent;
    };
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

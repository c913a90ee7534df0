//! From a file of policy tests to a [`Suite`], with every finding at its place.

use super::read_request::{asked, bundle, text, time};
use super::sequence::Sequence;
use super::shape::{ANSWER, LIVE};
use super::suite::{Ask, BundleAt, Case, Question, Suite};
use super::{read_expect, read_step, rows};
use crate::model::{Code, Finding, Place};
use crate::read::form::{Field, Form, Kind, Known, Shape};
use crate::read::tree::{self, Content, Entry, Limits, Node, Used};
use crate::read::{Bounds, Findings, SourceFile};
use crate::time::WallTime;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What came of reading a file of policy tests.
#[derive(Debug)]
pub struct Reading {
    /// The suite; `None` when something is wrong.
    pub suite: Option<Suite>,
    /// All that was found, in the order of the source.
    pub findings: Vec<Finding>,
}

static SUITE: Shape = Shape {
    what: "a file of policy tests",
    fields: &[Known::plain("bundle"), Known::plain("seed"), Known::plain("cases")],
};

/// The largest whole number that is exact in a document.
const MOST_SEED: u64 = 1 << 53;

static CASE: Shape = Shape {
    what: "a case",
    fields: &[
        Known::plain("name"),
        Known::of("request", Kind::Verbatim),
        Known::plain("each"),
        Known::plain("now"),
        Known::plain("environment"),
        Known::plain("expect"),
        Known::plain("sequence"),
    ],
};

/// Reads a file of policy tests; the bounds are those of a bundle.
#[must_use]
pub fn suite(file: &SourceFile<'_>, bounds: &Bounds) -> Reading {
    let limits = Limits {
        bytes: bounds.bytes,
        depth: bounds.depth,
        nodes: bounds.nodes,
        alias_nodes: bounds.alias_nodes,
        string_bytes: bounds.string_bytes,
        non_finite: true,
    };
    let mut found = Findings::new(vec![file.name.into()]);
    let root = tree::parse(file, 0, &limits, &mut Used::default(), &mut found);
    let suite = match root {
        Some(root) => document(&root, &mut found),
        None => nothing(&mut found),
    };
    let is_whole = found.format_errors() == 0;
    let mut seen = BTreeSet::new();
    let mut findings = found.into_sorted();
    // A mistake outside a table's rows is met once in each row.
    findings.retain(|finding| seen.insert((finding.place, finding.message.clone())));
    Reading { suite: suite.filter(|_| is_whole), findings }
}

/// A file that holds nothing at all passes nothing.
fn nothing(found: &mut Findings) -> Option<Suite> {
    if found.format_errors() == 0 {
        let place = Place { line: 1, column: 1, length: 1, ..Place::default() };
        found.error_with(Code::MissingField, place, "the file is empty", "write `cases`");
    }
    None
}

fn document(root: &Node, found: &mut Findings) -> Option<Suite> {
    let form = Form::open(Field::document("document", root), &SUITE, found)?;
    let bundle = form.present("bundle").map_or(Some(BundleAt::Beside), |field| bundle(field, found));
    let seed = form.whole_or("seed", (0, MOST_SEED), 0, found);
    let cases = form.required("cases", found)?;
    let Some(elements) = cases.node.elements() else {
        cases.wrong_type("write a list of cases", found);
        return None;
    };
    let mut reloads = vec![];
    let mut reading = Cases { reloads: &mut reloads, found };
    let cases = elements.iter().flat_map(|node| case(cases.element(node), &mut reading)).collect();
    Some(Suite { bundle: bundle?, reloads, seed, cases })
}

/// The cases while they are read, and the bundles that their steps go over to.
struct Cases<'a> {
    reloads: &'a mut Vec<BundleAt>,
    found: &'a mut Findings,
}

/// A case, or the cases of its rows.
fn case(field: Field<'_>, reading: &mut Cases<'_>) -> Vec<Case> {
    let has_rows = |entries: &[Entry]| {
        entries.iter().any(|entry| &*entry.key == "each" && entry.node.content != Content::Null)
    };
    let Some(entries) = field.node.entries().filter(|entries| !has_rows(entries)) else {
        return named_case(field, reading);
    };
    let content = Content::Map(Arc::new(rows::without_table(entries, reading.found)));
    let node = Node { place: field.node.place, content };
    named_case(Field { node: &node, ..field }, reading)
}

fn named_case(field: Field<'_>, reading: &mut Cases<'_>) -> Vec<Case> {
    let found = &mut *reading.found;
    let Some(form) = Form::open(field, &CASE, found) else { return vec![] };
    let name = match form.required("name", found).map(|name| (name, name.node.text())) {
        Some((_, Some(text))) if !text.is_empty() => text,
        Some((name, _)) => {
            name.wrong_type("write what the case shows", found);
            return vec![];
        }
        None => return vec![],
    };
    let Some(each) = form.present("each") else {
        return ask(name.into(), &form, reading).into_iter().collect();
    };
    let Some(rows) = each.node.elements() else {
        each.wrong_type("write a list of rows, each a map of variables", found);
        return vec![];
    };
    if rows.is_empty() {
        each.bad_value("has no row", "add a row, or leave `each` out", found);
    }
    let entries: Vec<Entry> = field
        .node
        .entries()
        .unwrap_or_default()
        .iter()
        .filter(|entry| &*entry.key != "each")
        .cloned()
        .collect();
    let rows = rows::expand(&entries, rows, found);
    rows.into_iter().filter_map(|row| of_row(name, row, reading)).collect()
}

fn of_row(name: &str, row: rows::Row, reading: &mut Cases<'_>) -> Option<Case> {
    let node = Node { place: row.place, content: Content::Map(Arc::new(row.case)) };
    let form = Form::open(Field::document("each", &node), &CASE, reading.found)?;
    ask(format!("{name}[{}]", row.label), &form, reading)
}

/// What a case asks, and when and where.
fn ask(name: String, form: &Form<'_>, reading: &mut Cases<'_>) -> Option<Case> {
    let found = &mut *reading.found;
    let now = form.present("now").map_or(Some(WallTime::default()), |now| time(now, found));
    let environment = form.present("environment").map_or(Some("default".into()), |name| text(name, found));
    let ask = match form.present("sequence") {
        Some(steps) => sequence(steps, form, reading),
        None => question(form, found),
    };
    Some(Case { name, place: form.place, environment: environment?, now: now?, ask: ask? })
}

fn sequence(steps: Field<'_>, form: &Form<'_>, reading: &mut Cases<'_>) -> Option<Ask> {
    for other in ["request", "expect"] {
        form.refuse(other, "does not go with `sequence`", "put it into a step", reading.found);
    }
    let steps = read_step::steps(steps, reading.reloads, reading.found)?;
    Some(Ask::Sequence(Sequence { steps }))
}

fn question(form: &Form<'_>, found: &mut Findings) -> Option<Ask> {
    let known = [ANSWER, LIVE].concat();
    let expected = form.required("expect", found).map(|expect| read_expect::fields(expect, &known, found));
    let request = asked(form.required("request", found)?, found);
    Some(Ask::Request(Box::new(Question { request, expected: expected? })))
}

//! From a file of policy tests to a [`Suite`], with every finding at its place.

use super::rows;
use super::shape::ANSWER;
use super::suite::{Ask, BundleAt, Case, Question, Suite};
use super::{read_expect, steps};
use crate::model::{Code, Finding, Place};
use crate::read::form::{Field, Form, Kind, Known, Shape};
use crate::read::tree::{self, Content, Entry, Limits, Node, Used};
use crate::read::{Bounds, Findings, SourceFile, request};
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

static SUITE: Shape =
    Shape { what: "a file of policy tests", fields: &[Known::plain("bundle"), Known::plain("cases")] };

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
    let cases = form.required("cases", found)?;
    let Some(elements) = cases.node.elements() else {
        cases.wrong_type("write a list of cases", found);
        return None;
    };
    let cases = elements.iter().flat_map(|node| case(cases.element(node), found)).collect();
    Some(Suite { bundle: bundle?, cases })
}

fn bundle(field: Field<'_>, found: &mut Findings) -> Option<BundleAt> {
    match &field.node.content {
        Content::Text(path) if !path.is_empty() => Some(BundleAt::Path((**path).into(), field.node.place)),
        content @ Content::Map(_) => {
            let json = content.to_const().to_json().to_string();
            Some(BundleAt::Inline(json.into_bytes(), field.node.place))
        }
        _ => {
            field.wrong_type("write the path of a bundle, or a bundle itself", found);
            None
        }
    }
}

/// A case, or the cases of its rows.
fn case(field: Field<'_>, found: &mut Findings) -> Vec<Case> {
    let has_rows = |entries: &[Entry]| {
        entries.iter().any(|entry| &*entry.key == "each" && entry.node.content != Content::Null)
    };
    let Some(entries) = field.node.entries().filter(|entries| !has_rows(entries)) else {
        return named_case(field, found);
    };
    let content = Content::Map(Arc::new(rows::without_table(entries, found)));
    let node = Node { place: field.node.place, content };
    named_case(Field { node: &node, ..field }, found)
}

fn named_case(field: Field<'_>, found: &mut Findings) -> Vec<Case> {
    let Some(form) = Form::open(field, &CASE, found) else { return vec![] };
    let name = match form.required("name", found).map(|name| (name, name.node.text())) {
        Some((_, Some(text))) if !text.is_empty() => text,
        Some((name, _)) => {
            name.wrong_type("write what the case shows", found);
            return vec![];
        }
        None => return vec![],
    };
    if form.present("sequence").is_some() {
        return sequence(name, &form, found).into_iter().collect();
    }
    let Some(each) = form.present("each") else {
        return question(&form, found)
            .map(|ask| Case { name: name.into(), place: form.place, ask })
            .into_iter()
            .collect();
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
    rows.into_iter().filter_map(|row| of_row(name, row, found)).collect()
}

fn of_row(name: &str, row: rows::Row, found: &mut Findings) -> Option<Case> {
    let node = Node { place: row.place, content: Content::Map(Arc::new(row.case)) };
    let form = Form::open(Field::document("each", &node), &CASE, found)?;
    let ask = question(&form, found)?;
    Some(Case { name: format!("{name}[{}]", row.label), place: row.place, ask })
}

/// Steps are checked, so that a file stays good when they are run; they are not run yet.
fn sequence(name: &str, form: &Form<'_>, found: &mut Findings) -> Option<Case> {
    let why = "does not go with `sequence`";
    for other in ["request", "each", "expect"] {
        form.refuse(other, why, "put it into a step", found);
    }
    steps::check(form.present("sequence")?, found);
    Some(Case { name: name.into(), place: form.place, ask: Ask::Sequence })
}

fn question(form: &Form<'_>, found: &mut Findings) -> Option<Ask> {
    let expected = form.required("expect", found).map(|expect| read_expect::fields(expect, ANSWER, found));
    let request = form.required("request", found)?;
    let now = form.present("now").map_or(Some(WallTime::default()), |now| time(now, found));
    let environment = form.present("environment").map_or(Some("default".into()), |name| text(name, found));
    let request = asked(request, found);
    Some(Ask::Request(Box::new(Question {
        request,
        environment: environment?,
        now: now?,
        expected: expected?,
    })))
}

/// The request, or what a server would refuse it for. A field that does not exist is a mistake
/// in the file all the same: no server sees it.
fn asked(field: Field<'_>, found: &mut Findings) -> Result<request::RequestDocument, Vec<Finding>> {
    let mut refused = Findings::new(found.files().to_vec());
    let document = request::document(field, &request::RequestBounds::default(), &mut refused);
    let (mistakes, refused): (Vec<Finding>, Vec<Finding>) =
        refused.into_sorted().into_iter().partition(|finding| finding.code == Code::UnknownField);
    mistakes.into_iter().for_each(|mistake| found.push(mistake));
    document.filter(|_| refused.is_empty()).ok_or(refused)
}

fn time(field: Field<'_>, found: &mut Findings) -> Option<WallTime> {
    let time = field.node.text().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if time.is_none() {
        field.bad_value("is no time", "write one such as `2026-11-21T09:30:00Z`", found);
    }
    time.map(WallTime::from)
}

fn text(field: Field<'_>, found: &mut Findings) -> Option<Box<str>> {
    let text = field.node.text().filter(|text| !text.is_empty());
    if text.is_none() {
        field.wrong_type("write a name", found);
    }
    text.map(Into::into)
}

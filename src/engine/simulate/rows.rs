//! Tables: a case with `each` is one case a row, its `$variables` filled in from the row.

use crate::model::{Code, Place};
use crate::read::tree::{Content, Entry, Node};
use crate::read::{Findings, nearest, shown};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The key of a row that is no variable: what the row expects, over what the case does.
const EXPECT: &str = "expect";

/// How much of a value the name of a case shows.
const SHOWN_CHARS: usize = 40;

/// One row: the case as it would be written without a table, and its name.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) place: Place,
    pub(super) case: Vec<Entry>,
}

/// The rows of a case, from its entries without `each`.
pub(super) fn expand(entries: &[Entry], rows: &[Node], found: &mut Findings) -> Vec<Row> {
    let mut used = BTreeSet::new();
    let mut all = vec![];
    for row in rows {
        let Some(written) = row.entries() else {
            let message = format!("a row of `each` is a map of variables, not {}", row.content.type_name());
            found.error(Code::WrongType, row.place, message);
            continue;
        };
        let (expect, variables): (Vec<&Entry>, Vec<&Entry>) =
            written.iter().partition(|variable| &*variable.key == EXPECT);
        let variables = without_table(variables, found);
        let mut filling = Filling { variables: &variables, row: row.place.line, used: &mut used, found };
        let mut case: Vec<Entry> = entries.iter().map(|entry| filling.entry(entry)).collect();
        if let Some(expect) = expect.first() {
            merge(&mut case, &filling.entry(expect));
        }
        all.push(Row { label: label(&variables), place: row.place, case });
    }
    report_unused(rows, &used, found);
    all
}

/// Entries that no row gives values to: `$$name` is the text `$name` there too, and `$name` would
/// test something else than it says.
pub(super) fn without_table<'e>(
    entries: impl IntoIterator<Item = &'e Entry>,
    found: &mut Findings,
) -> Vec<Entry> {
    let mut filling = Filling { variables: &[], row: 0, used: &mut BTreeSet::new(), found };
    entries.into_iter().map(|entry| filling.entry(entry)).collect()
}

/// Replaces `$name` by the value of that name in the row. `$$name` is the text `$name`.
struct Filling<'a> {
    variables: &'a [Entry],
    /// The line of the row; 0 where there is none.
    row: u32,
    used: &'a mut BTreeSet<Arc<str>>,
    found: &'a mut Findings,
}

impl Filling<'_> {
    fn entry(&mut self, entry: &Entry) -> Entry {
        Entry { key: Arc::clone(&entry.key), place: entry.place, node: self.node(&entry.node) }
    }

    fn node(&mut self, node: &Node) -> Node {
        let content = match &node.content {
            Content::Text(text) => return self.text(text, node),
            Content::List(nodes) => {
                Content::List(Arc::new(nodes.iter().map(|node| self.node(node)).collect()))
            }
            Content::Map(entries) => {
                Content::Map(Arc::new(entries.iter().map(|entry| self.entry(entry)).collect()))
            }
            Content::Null | Content::Bool(_) | Content::Number(_) => return node.clone(),
        };
        Node { place: node.place, content }
    }

    fn text(&mut self, text: &str, node: &Node) -> Node {
        let Some(name) = text.strip_prefix('$').filter(|rest| is_name(rest.trim_start_matches('$'))) else {
            return node.clone();
        };
        if name.starts_with('$') {
            return Node { place: node.place, content: Content::Text(name.into()) };
        }
        match self.variables.iter().find(|variable| *variable.key == *name) {
            Some(variable) => {
                self.used.insert(Arc::clone(&variable.key));
                Node { place: variable.node.place, content: variable.node.content.clone() }
            }
            None => {
                self.missing(name, node.place);
                node.clone()
            }
        }
    }

    fn missing(&mut self, name: &str, place: Place) {
        let message = match self.row {
            0 => format!("nothing gives `${name}` a value"),
            row => format!("the row at line {row} has no `{name}`"),
        };
        let remedy = match nearest(name, self.variables.iter().map(|variable| &*variable.key)) {
            Some(nearest) => format!("write `${nearest}`, or `$${name}` for the text itself"),
            None if self.row == 0 => {
                format!("give it one by `each`, or write `$${name}` for the text itself")
            }
            None => format!("add it to the row, or write `$${name}` for the text itself"),
        };
        self.found.error_with(Code::UnknownReference, place, message, remedy);
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What the row expects wins over what the case does, name by name.
fn merge(case: &mut Vec<Entry>, expect: &Entry) {
    let Some(base) = case.iter_mut().find(|entry| &*entry.key == EXPECT) else {
        return case.push(expect.clone());
    };
    let (Some(of_case), Some(of_row)) = (base.node.entries(), expect.node.entries()) else {
        *base = expect.clone();
        return;
    };
    let stays = of_case.iter().filter(|old| of_row.iter().all(|new| new.key != old.key));
    let merged = stays.chain(of_row).cloned().collect();
    base.node = Node { place: expect.node.place, content: Content::Map(Arc::new(merged)) };
}

fn label(variables: &[Entry]) -> String {
    let value = |variable: &Entry| {
        let text = shown_value(&variable.node.content);
        let cut: String = text.chars().take(SHOWN_CHARS).collect();
        let end = if cut.len() < text.len() { "…" } else { "" };
        format!("{}={cut}{end}", variable.key)
    };
    variables.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// As it would be written: a text that looks like something else in quotes.
fn shown_value(content: &Content) -> String {
    match content {
        Content::Number(n) if !n.is_finite() => n.to_string(),
        Content::Text(text) if serde_json::from_str::<serde_json::Value>(text).is_err() => text.to_string(),
        content => content.to_const().to_json().to_string(),
    }
}

/// A variable that nothing reads is a misspelling, or a test that tests less than it says.
fn report_unused(rows: &[Node], used: &BTreeSet<Arc<str>>, found: &mut Findings) {
    let mut reported = BTreeSet::new();
    for variable in rows.iter().filter_map(Node::entries).flatten() {
        let is_unused = &*variable.key != EXPECT && !used.contains(&variable.key);
        if is_unused && reported.insert(Arc::clone(&variable.key)) {
            let message = format!("the case reads no variable {}", shown(&variable.key));
            let remedy = match nearest(&variable.key, used.iter().map(|name| &**name)) {
                Some(name) => format!("write `{name}`"),
                None => format!("write `${}` where it belongs", variable.key),
            };
            found.error_with(Code::UnknownField, variable.place, message, remedy);
        }
    }
}

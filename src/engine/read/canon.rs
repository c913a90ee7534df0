//! The digest of a bundle: SHA-256 of its canonical JSON (RFC 8785), with spellings normalised and
//! defaults not filled in (design 1.8).
//!
//! Written straight from the tree, by the kinds that the shapes give their fields, so that it
//! needs no second copy of the document.

use super::document::BUNDLE;
use super::form::{Form, Kind, Shape};
use super::operator::{self, Operator};
use super::path;
use super::patterns::TARGET;
use super::rule::RULE;
use super::spelling::{self, Right};
use super::tree::{Content, Entry, Node};
use crate::condition::glob::Glob;
use crate::id::Digest;
use crate::model::{Condition, Op, Rule};
use crate::value::Const;

/// The digest of the document that these files are; the first is the one with the version.
pub(super) fn digest(files: &[Form<'_>], rules: &[Rule]) -> Digest {
    Digest::of(&canonical(files, rules))
}

/// The canonical JSON of the document.
pub(super) fn canonical(files: &[Form<'_>], rules: &[Rule]) -> Vec<u8> {
    let mut out = Writer(Vec::new());
    let fields = BUNDLE.fields.iter().filter_map(|known| {
        let nodes: Vec<&Node> = files.iter().filter_map(|f| Some(f.get(known.name)?.node)).collect();
        (!nodes.is_empty()).then_some((known, nodes))
    });
    let fields = fields.map(|(known, nodes)| (known.name, (known, nodes)));
    out.object(fields.collect(), |out, (known, nodes)| match known.name {
        "rules" => {
            let elements = nodes.iter().flat_map(|n| n.elements().unwrap_or_default());
            out.list(elements.zip(rules), |out, (node, rule)| out.rule(node, &rule.conditions));
        }
        "guardrails" => {
            let elements = nodes.iter().flat_map(|n| n.elements().unwrap_or_default());
            out.list(elements, |out, node| out.form(node, &super::guardrail::GUARDRAIL, &[]));
        }
        "data" => {
            let entries = nodes.iter().flat_map(|n| n.entries().unwrap_or_default());
            out.entries(entries);
        }
        _ => {
            // of the file with the version, which is the first; others may repeat the format
            if let Some(node) = nodes.first() {
                out.kind(node, known.kind, &[]);
            }
        }
    });
    out.0
}

struct Writer(Vec<u8>);

/// The fields of a map that the shape knows, by their names in snake_case.
fn known_fields<'n>(node: &'n Node, shape: &Shape) -> Vec<(&'static str, (Kind, &'n Node))> {
    let entries = node.entries().unwrap_or_default().iter();
    let fields = entries.filter_map(|e| {
        let (_, known) = shape.field(&e.key)?;
        Some((known.name, (known.kind, &e.node)))
    });
    fields.collect()
}

impl Writer {
    /// A value as its kind is normalised.
    fn kind(&mut self, node: &Node, kind: Kind, conditions: &[Condition]) {
        match kind {
            Kind::Verbatim => self.node(node),
            Kind::Form(shape) => self.form(node, shape, conditions),
            Kind::ByType(shapes) => self.by_type(node, shapes),
            Kind::Patterns => self.one_or_many(node, Self::pattern),
            Kind::Dimensions => self.one_or_many(node, Self::renamed_app),
            Kind::Texts => self.one_or_many(node, Self::node),
            Kind::Effect => match node.text() {
                Some("needs_approval") => self.text("require_approval"),
                Some(_) | None => self.node(node),
            },
            Kind::Scope(shape) => match node.entries() {
                None => self.renamed_app(node),
                Some(entries) => {
                    let known = |e: &'_ Entry| shape.field(&e.key).map(|(_, known)| known.name);
                    let fields = entries.iter().filter_map(|e| Some((known(e)?, &e.node)));
                    self.object(fields.collect(), Self::pattern);
                }
            },
            Kind::Conditions => self.conditions(conditions),
            Kind::ContextPaths => self.one_or_many(node, Self::context_path),
            Kind::ByContextPath => {
                let entries = node.entries().unwrap_or_default().iter();
                self.object(entries.map(|e| (path::in_context(&e.key), &e.node)).collect(), Self::node);
            }
        }
    }

    /// A rule; its `phase` is a short form of `target.phases`.
    fn rule(&mut self, node: &Node, conditions: &[Condition]) {
        let mut fields = known_fields(node, &RULE);
        let Some(at) = fields.iter().position(|(name, _)| *name == "phase") else {
            return self.form(node, &RULE, conditions);
        };
        let (_, phases) = fields.swap_remove(at);
        if fields.iter().all(|(name, _)| *name != "target") {
            fields.push(("target", phases));
        }
        self.object(fields.into_iter().map(|(name, field)| (name, (name, field))).collect(), |out, field| {
            let (name, (kind, node)) = field;
            if name == "target" {
                let mut target = known_fields(node, &TARGET);
                target.push(("phases", phases));
                out.object(target, |out, (kind, node)| out.kind(node, kind, &[]));
            } else {
                out.kind(node, kind, conditions);
            }
        });
    }

    /// A map of known fields, under their names in snake_case.
    fn form(&mut self, node: &Node, shape: &Shape, conditions: &[Condition]) {
        self.object(known_fields(node, shape), |out, (kind, node)| out.kind(node, kind, conditions));
    }

    /// The rules of a guardrail: a field means the same in each type that has it.
    fn by_type(&mut self, node: &Node, shapes: &[&'static Shape]) {
        let entries = node.entries().unwrap_or_default().iter();
        let fields = entries.filter_map(|e| {
            let (_, known) = shapes.iter().find_map(|shape| shape.field(&e.key))?;
            Some((known.name, (known.kind, &e.node)))
        });
        self.object(fields.collect(), |out, (kind, node)| out.kind(node, kind, &[]));
    }

    fn one_or_many(&mut self, node: &Node, write: impl Fn(&mut Self, &Node)) {
        match node.elements() {
            Some(nodes) => self.list(nodes, |out, node| write(out, node)),
            None => self.list([node], |out, node| write(out, node)),
        }
    }

    /// `{eq: x}` is `x` where that means the same.
    fn pattern(&mut self, node: &Node) {
        match node.get("eq").and_then(Node::text) {
            Some(text) if !Glob::is_glob(text) => self.text(text),
            Some(_) | None => self.node(node),
        }
    }

    fn context_path(&mut self, node: &Node) {
        match node.text() {
            Some(text) => self.text(path::in_context(text)),
            None => self.node(node),
        }
    }

    fn renamed_app(&mut self, node: &Node) {
        match node.text() {
            Some("application") => self.text("app"),
            Some(_) | None => self.node(node),
        }
    }

    /// `{field: value}` for plain equality, `{field: {op: value, ..}}` for all else.
    fn conditions(&mut self, conditions: &[Condition]) {
        let named = conditions.iter().map(|c| (path::spelled(&c.path), &c.op));
        let mut named: Vec<(String, &Op)> = named.collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        let fields = named.chunk_by(|(a, _), (b, _)| a == b);
        let fields = fields.filter_map(|ops| Some((&*ops.first()?.0, ops)));
        self.object(fields.collect(), |out, ops| match ops {
            [(_, Op::Eq(right))] if !operator::needs_operator(right) => out.constant(right),
            _ => {
                let ops = ops.iter().map(|(_, op)| (Operator::of(op).name(), *op));
                out.object(ops.collect(), |out, op| out.right_side(op));
            }
        });
    }

    fn right_side(&mut self, op: &Op) {
        match spelling::right_side(op) {
            Right::One(right) => self.constant(right),
            Right::Many(items) => self.list(items, Self::constant),
            Right::Ends(ends) => self.list(ends, Self::constant),
            Right::Text(text) => self.text(text),
            Right::Flag(yes) => self.boolean(yes),
        }
    }

    fn constant(&mut self, value: &Const) {
        match value {
            Const::Null => self.0.extend(b"null"),
            Const::Bool(b) => self.boolean(*b),
            Const::Number(n) => self.number(*n),
            Const::Str(text) => self.text(text),
            Const::List(items) => self.list(items, Self::constant),
            Const::Map(entries) => {
                self.object(entries.iter().map(|(k, v)| (&**k, v)).collect(), Self::constant);
            }
        }
    }

    fn node(&mut self, node: &Node) {
        match &node.content {
            Content::Null => self.0.extend(b"null"),
            Content::Bool(b) => self.boolean(*b),
            Content::Number(n) => self.number(*n),
            Content::Text(text) => self.text(text),
            Content::List(nodes) => self.list(nodes.iter(), Self::node),
            Content::Map(entries) => self.entries(entries.iter()),
        }
    }

    fn entries<'n>(&mut self, entries: impl Iterator<Item = &'n Entry>) {
        self.object(entries.map(|e| (&*e.key, &e.node)).collect(), Self::node);
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.0.push(b'[');
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.0.push(b',');
            }
            write(self, item);
        }
        self.0.push(b']');
    }

    /// RFC 8785 sorts names by their UTF-16 code units.
    fn object<T>(&mut self, mut fields: Vec<(&str, T)>, write: impl Fn(&mut Self, T)) {
        fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        self.0.push(b'{');
        for (i, (name, value)) in fields.into_iter().enumerate() {
            if i > 0 {
                self.0.push(b',');
            }
            self.text(name);
            self.0.push(b':');
            write(self, value);
        }
        self.0.push(b'}');
    }

    fn boolean(&mut self, b: bool) {
        self.0.extend(if b { &b"true"[..] } else { b"false" });
    }

    // writing to memory cannot fail, nor can finite numbers

    fn text(&mut self, text: &str) {
        let _ = serde_json_canonicalizer::to_writer(&text, &mut self.0);
    }

    fn number(&mut self, n: f64) {
        let _ = serde_json_canonicalizer::to_writer(&n, &mut self.0);
    }
}

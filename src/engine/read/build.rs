//! Puts the pieces that a parser meets together to a tree.
//!
//! Both parsers feed it. It keeps the bounds of design 1.8, so that neither deep nesting nor
//! aliases cost more than the document's own size.

use super::source::narrow;
use super::tree::{Content, Entry, Limits, Node};
use super::{Findings, scalar, shown};
use crate::model::{Code, Place};
use std::sync::Arc;

/// What the files that were read so far have used of their limits.
#[derive(Clone, Debug, Default)]
pub struct Used {
    nodes: usize,
    alias_nodes: usize,
    text_bytes: usize,
    alias_bytes: usize,
}

/// A bound was passed, or the syntax is broken: a finding says so, and reading ends.
#[derive(Debug)]
pub(super) struct Stop;

/// Puts the pieces that a parser meets together to a tree.
pub(super) struct Builder<'a> {
    pub(super) file: u16,
    pub(super) limits: &'a Limits,
    used: &'a mut Used,
    /// Duplicate keys and the like; kept back while it is not sure that the file is JSON.
    pub(super) found: &'a mut Findings,
    stack: Vec<Frame>,
    anchors: Vec<Option<Anchored>>,
    root: Option<Node>,
}

/// A list or map whose end has not come yet.
struct Frame {
    place: Place,
    items: Items,
    anchor: usize,
    nodes_before: usize,
    bytes_before: usize,
    /// Levels below it, itself included.
    height: usize,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<Entry>, Key),
}

/// What is known of the entry whose value comes next.
enum Key {
    Awaited,
    Named(Arc<str>, Place),
    /// It was no text; a finding says so, and its value is dropped.
    Refused,
}

/// What an alias may stand for.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
    height: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(file: u16, limits: &'a Limits, used: &'a mut Used, found: &'a mut Findings) -> Self {
        Self { file, limits, used, found, stack: Vec::new(), anchors: Vec::new(), root: None }
    }

    /// The whole tree; of an empty file, null.
    pub(super) fn finish(self) -> Node {
        let place = self.place(1, 1, 1);
        let empty = Node { place, content: Content::Null };
        self.root.unwrap_or(empty)
    }

    /// How many lists and maps are open.
    pub(super) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Whether the next scalar is the key of a map.
    pub(super) fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { items: Items::Map(_, Key::Awaited), .. }))
    }

    /// An unquoted scalar of YAML.
    pub(super) fn plain(&mut self, text: &str, place: Place, anchor: usize) -> Result<(), Stop> {
        if self.awaits_key() && text == "<<" {
            let remedy = "write the keys out, or quote it where a key is meant";
            self.found.error_with(Code::Syntax, place, "`<<` would merge another map", remedy);
            return self.complete(Node { place, content: Content::Null }, anchor, 0);
        }
        let content = match scalar::resolve(text) {
            scalar::Scalar::Text => return self.text(text, place, anchor),
            scalar::Scalar::Null => Content::Null,
            scalar::Scalar::Bool(b) => Content::Bool(b),
            scalar::Scalar::Number(n) if n.is_finite() || self.limits.non_finite => Content::Number(n),
            scalar::Scalar::Number(_) => {
                let message = format!("{} is not a finite number", shown(text));
                let remedy = "write a number, or quote it where text is meant";
                self.found.error_with(Code::BadValue, place, message, remedy);
                Content::Number(0.0)
            }
            scalar::Scalar::TooLarge => self.too_large(text, place),
        };
        if self.awaits_key() {
            self.refuse_key(&content, text, place);
        }
        self.complete(Node { place, content }, anchor, 0)
    }

    /// A number that no double holds.
    pub(super) fn too_large(&mut self, text: &str, place: Place) -> Content {
        let message = format!("{} is beyond what numbers hold exactly, ±2^53", shown(text));
        let remedy = "write a smaller number, or quote it to make it text";
        self.found.error_with(Code::BadValue, place, message, remedy);
        Content::Number(0.0)
    }

    /// A text, quoted or not.
    pub(super) fn text(&mut self, text: &str, place: Place, anchor: usize) -> Result<(), Stop> {
        let most = self.limits.string_bytes;
        let fits = text.len() <= most;
        if !fits {
            let message = format!("a text of {} bytes; at most {most} are read", text.len());
            self.found.error_with(Code::OutOfBounds, place, message, "shorten it");
        }
        let kept = if fits { text } else { "" };
        self.used.text_bytes += kept.len();
        let content = Content::Text(kept.into());
        self.complete(Node { place, content }, anchor, 0)
    }

    /// A scalar that is neither text nor to be resolved.
    pub(super) fn scalar(&mut self, content: Content, place: Place) -> Result<(), Stop> {
        self.complete(Node { place, content }, 0, 0)
    }

    /// The start of a list or a map.
    pub(super) fn open(&mut self, is_map: bool, place: Place, anchor: usize) -> Result<(), Stop> {
        if self.depth() >= self.limits.depth {
            return Err(self.too_deep(place));
        }
        if self.awaits_key() {
            self.refuse_key_of_lists(place);
        }
        let items = if is_map { Items::Map(Vec::new(), Key::Awaited) } else { Items::List(Vec::new()) };
        self.stack.push(Frame {
            place,
            items,
            anchor,
            nodes_before: self.used.nodes,
            bytes_before: self.used.text_bytes,
            height: 1,
        });
        Ok(())
    }

    /// The end of the innermost list or map.
    pub(super) fn close(&mut self) -> Result<(), Stop> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        // most lists and maps are short, and room for more would outweigh them
        let content = match frame.items {
            Items::List(mut nodes) => {
                nodes.shrink_to_fit();
                Content::List(Arc::new(nodes))
            }
            Items::Map(entries, _) => {
                let mut entries = self.without_duplicates(entries);
                entries.shrink_to_fit();
                Content::Map(Arc::new(entries))
            }
        };
        let node = Node { place: frame.place, content };
        if frame.anchor > 0 {
            let nodes = self.used.nodes - frame.nodes_before + 1;
            let bytes = self.used.text_bytes - frame.bytes_before;
            self.remember(frame.anchor, Anchored { node: node.clone(), nodes, bytes, height: frame.height });
        }
        self.complete(node, 0, frame.height)
    }

    /// An alias: shares the node, and counts all that it stands for before it does.
    pub(super) fn alias(&mut self, id: usize, place: Place) -> Result<(), Stop> {
        if self.awaits_key() {
            self.found.error_with(Code::Syntax, place, "an alias as a key", "write the key out");
            return self.complete(Node { place, content: Content::Null }, 0, 0);
        }
        if id > self.limits.alias_nodes {
            let message = format!("more than {} anchors", self.limits.alias_nodes);
            return Err(self.bound(place, message, "write the values out, or use `data`"));
        }
        let Some(Some(target)) = self.anchors.get(id) else {
            let message = "the alias stands inside what it names";
            self.found.error_with(Code::Syntax, place, message, "write the value out");
            return Err(Stop);
        };
        let (nodes, bytes, height) = (target.nodes, target.bytes, target.height);
        let content = target.node.content.clone();
        if self.depth() + height > self.limits.depth {
            return Err(self.too_deep(place));
        }
        self.used.alias_nodes = self.used.alias_nodes.saturating_add(nodes);
        self.used.alias_bytes = self.used.alias_bytes.saturating_add(bytes);
        let most = self.limits.alias_nodes;
        if self.used.alias_nodes > most {
            let message = format!("aliases stand for more than {most} nodes");
            return Err(self.bound(place, message, "write the values out, or use `data`"));
        }
        if self.used.alias_bytes > self.limits.bytes {
            let message = format!("aliases stand for more than {} bytes of text", self.limits.bytes);
            return Err(self.bound(place, message, "write the values out, or use `data`"));
        }
        self.used.nodes = self.used.nodes.saturating_add(nodes.saturating_sub(1));
        self.used.text_bytes = self.used.text_bytes.saturating_add(bytes);
        self.complete(Node { place, content }, 0, height)
    }

    /// Records an error that ends the reading.
    pub(super) fn bound(&mut self, place: Place, message: String, remedy: &str) -> Stop {
        self.found.error_with(Code::OutOfBounds, place, message, remedy);
        Stop
    }

    /// Records that lists and maps are nested too deeply.
    pub(super) fn too_deep(&mut self, place: Place) -> Stop {
        let message = format!("lists and maps are nested deeper than {}", self.limits.depth);
        self.bound(place, message, "flatten them")
    }

    /// Puts a finished node where it belongs.
    fn complete(&mut self, node: Node, anchor: usize, height: usize) -> Result<(), Stop> {
        self.used.nodes = self.used.nodes.saturating_add(1);
        if self.used.nodes > self.limits.nodes {
            let message = format!("the document has more than {} nodes", self.limits.nodes);
            return Err(self.bound(node.place, message, "split it into several bundles"));
        }
        if anchor > 0 {
            let bytes = if let Content::Text(text) = &node.content { text.len() } else { 0 };
            self.remember(anchor, Anchored { node: node.clone(), nodes: 1, bytes, height });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.height = frame.height.max(height + 1);
        match &mut frame.items {
            Items::List(nodes) => nodes.push(node),
            Items::Map(entries, key) => match std::mem::replace(key, Key::Awaited) {
                Key::Refused => {}
                Key::Named(key, place) => entries.push(Entry { key, place, node }),
                Key::Awaited => {
                    *key = match node.content {
                        Content::Text(text) => Key::Named(text, node.place),
                        Content::Null
                        | Content::Bool(_)
                        | Content::Number(_)
                        | Content::List(_)
                        | Content::Map(_) => Key::Refused,
                    };
                }
            },
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, target: Anchored) {
        // an anchor that no alias can name within its bound is not worth its memory
        if anchor > self.limits.alias_nodes {
            return;
        }
        if self.anchors.len() <= anchor {
            self.anchors.resize_with(anchor + 1, || None);
        }
        if let Some(slot) = self.anchors.get_mut(anchor) {
            *slot = Some(target);
        }
    }

    fn refuse_key(&mut self, content: &Content, text: &str, place: Place) {
        let message = format!("the key {} is {}", shown(text), content.type_name());
        let remedy = if text.is_empty() { "write a key before the colon" } else { "quote it" };
        self.found.error_with(Code::Syntax, place, message, remedy);
    }

    fn refuse_key_of_lists(&mut self, place: Place) {
        let message = "a list or a map as a key";
        self.found.error_with(Code::Syntax, place, message, "write text, or quote `[` and `{`");
    }

    /// Keeps the first of entries with the same key, and reports the others.
    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        let key = |i: usize| entries.get(i).map(|e| &e.key);
        order.sort_by(|a, b| key(*a).cmp(&key(*b)));
        let mut again = Vec::new();
        let mut first = None;
        for i in order {
            match first {
                Some(f) if key(f) == key(i) => again.push((i, f)),
                Some(_) | None => first = Some(i),
            }
        }
        if again.is_empty() {
            return entries;
        }
        for (second, first) in &again {
            if let (Some(second), Some(first)) = (entries.get(*second), entries.get(*first)) {
                let message =
                    format!("the key {} stands already at line {}", shown(&second.key), first.place.line);
                self.found.error_with(Code::Syntax, second.place, message, "keep one of them");
            }
        }
        again.sort_unstable();
        let repeated = |i: &usize| again.binary_search_by_key(i, |(second, _)| *second).is_ok();
        let kept = entries.into_iter().enumerate();
        kept.filter(|(i, _)| !repeated(i)).map(|(_, entry)| entry).collect()
    }

    /// A place in this file.
    pub(super) fn place(&self, line: usize, column: usize, length: usize) -> Place {
        Place { file: self.file, line: narrow(line), column: narrow(column), length: narrow(length.max(1)) }
    }
}

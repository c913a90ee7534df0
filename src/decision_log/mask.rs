//! Masks: places of a request whose values leave the process in no form that tells them.
//!
//! A place is a JSON pointer into the request document; `*` stands for every name and every index.
//! What is hidden at a place is hidden wherever else the record repeats it: in other fields of the
//! request, in keys of guardrails.

use sha2::{Digest as _, Sha256};

use super::code::Told;
use crate::config::decision_log::steps;

/// The places that are masked, and how.
#[derive(Debug, Default)]
pub struct Masks {
    root: Node,
    pointers: Vec<Box<str>>,
    key: Option<HashKey>,
}

#[derive(Debug, Default)]
struct Node {
    /// The mask that ends here, by its place in the list.
    ends: Option<usize>,
    names: Vec<(Box<str>, Node)>,
    any: Option<Box<Node>>,
}

/// A value that was hidden, and what stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    text: String,
    token: String,
    /// Too short, or too common, to be looked for inside of other texts.
    whole_only: bool,
}

/// What was hidden in one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    secrets: Vec<Secret>,
    /// Which masks found something, by their place in the list.
    hit: Vec<usize>,
}

/// A text shorter than this is not looked for inside of others, and no number shorter than that.
const LOOKED_FOR: usize = 4;
const NUMBER_LOOKED_FOR: usize = 6;
/// What stands for a value where no key is.
const HIDDEN: &str = "***";

/// A pointer that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{pointer}` is no JSON pointer into a request; write one such as `/context/card`, `*` for every name or index"
)]
pub struct BadPointer {
    pointer: String,
}

impl Masks {
    /// Masks at these places. With a key, equal values get equal stand-ins.
    ///
    /// # Errors
    /// One of them is no JSON pointer.
    pub fn new<'p>(
        pointers: impl IntoIterator<Item = &'p str>,
        key: Option<HashKey>,
    ) -> Result<Self, BadPointer> {
        let mut masks = Self { key, ..Self::default() };
        for pointer in pointers {
            if masks.pointers.iter().any(|known| **known == *pointer) {
                continue;
            }
            let steps = steps(pointer).ok_or_else(|| BadPointer { pointer: pointer.to_owned() })?;
            let number = masks.pointers.len();
            masks.root.add(&steps, number);
            masks.pointers.push(pointer.into());
        }
        Ok(masks)
    }

    /// Masks whole requests.
    #[must_use]
    pub fn everything(key: Option<HashKey>) -> Self {
        let mut masks = Self { key, ..Self::default() };
        masks.root.ends = Some(0);
        masks.pointers.push(Box::default());
        masks
    }

    /// Whether nothing is masked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// Hides what stands at the masked places of a request.
    pub fn hide(&self, request: &mut Told<'_>, hidden: &mut Hidden) {
        if !self.is_empty() {
            self.walk(request, &[&self.root], hidden);
            // One that holds another is replaced first, so that no rest of it stays.
            hidden.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.text.len()));
        }
    }

    fn walk(&self, told: &mut Told<'_>, at: &[&Node], hidden: &mut Hidden) {
        if let Some(number) = at.iter().find_map(|node| node.ends) {
            if !hidden.hit.contains(&number) {
                hidden.hit.push(number);
            }
            self.remember(told, &mut hidden.secrets);
            *told = Told::Own(self.token(&plain(told)));
            return;
        }
        match told {
            Told::Map(entries) => {
                for (name, value) in entries {
                    let next = step(at, name);
                    if !next.is_empty() {
                        self.walk(value, &next, hidden);
                    }
                }
            }
            Told::List(items) => {
                for (index, value) in items.iter_mut().enumerate() {
                    let next = step(at, &index.to_string());
                    if !next.is_empty() {
                        self.walk(value, &next, hidden);
                    }
                }
            }
            Told::Null | Told::Bool(_) | Told::Number(_) | Told::Text(_) | Told::Own(_) => {}
        }
    }

    fn remember(&self, told: &Told<'_>, secrets: &mut Vec<Secret>) {
        match told {
            Told::Map(entries) => entries.iter().for_each(|(_, value)| self.remember(value, secrets)),
            Told::List(items) => items.iter().for_each(|value| self.remember(value, secrets)),
            Told::Null | Told::Bool(_) => {}
            Told::Number(_) | Told::Text(_) | Told::Own(_) => {
                let text = plain(told);
                let shortest = if matches!(told, Told::Number(_)) { NUMBER_LOOKED_FOR } else { LOOKED_FOR };
                let whole_only = text.len() < shortest;
                if !text.is_empty() && secrets.iter().all(|known| known.text != text) {
                    secrets.push(Secret { token: self.token(&text), text, whole_only });
                }
            }
        }
    }

    /// Whether a place, or something inside of it, is masked.
    #[must_use]
    pub fn covers(&self, place: &[&str]) -> bool {
        let mut at = vec![&self.root];
        for name in place {
            if at.iter().any(|node| node.ends.is_some()) {
                return true;
            }
            at = step(&at, name);
        }
        !at.is_empty() && !self.is_empty()
    }

    /// What stands for a value.
    #[must_use]
    pub fn token(&self, value: &str) -> String {
        match &self.key {
            None => HIDDEN.to_owned(),
            Some(key) => {
                let mut token = String::from("hmac-sha256:");
                for byte in key.of(value.as_bytes()).iter().take(16) {
                    token.push_str(&format!("{byte:02x}"));
                }
                token
            }
        }
    }

    /// The masks that found something.
    pub fn hit<'m>(&'m self, hidden: &'m Hidden) -> impl Iterator<Item = &'m str> {
        hidden.hit.iter().filter_map(|number| self.pointers.get(*number)).map(|pointer| &**pointer)
    }
}

impl Hidden {
    /// Whether nothing was hidden.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.hit.is_empty()
    }

    /// What stands for a number that was hidden elsewhere; `None`: it was not. Short ones are met by
    /// chance.
    #[must_use]
    pub fn scrub_number(&self, number: f64) -> Option<String> {
        if self.secrets.is_empty() {
            return None;
        }
        let text = plain(&Told::Number(number));
        if text.len() < NUMBER_LOOKED_FOR { None } else { self.scrub(&text) }
    }

    /// A text without what was hidden; `None`: as it is.
    #[must_use]
    pub fn scrub(&self, text: &str) -> Option<String> {
        if let Some(secret) = self.secrets.iter().find(|secret| secret.text == text) {
            return Some(secret.token.clone());
        }
        let mut clean: Option<String> = None;
        for secret in self.secrets.iter().filter(|secret| !secret.whole_only) {
            let now = clean.as_deref().unwrap_or(text);
            if now.contains(&secret.text) {
                clean = Some(now.replace(&secret.text, &secret.token));
            }
        }
        clean
    }
}

impl Node {
    fn add(&mut self, steps: &[String], number: usize) {
        let Some((first, rest)) = steps.split_first() else {
            self.ends = Some(number);
            return;
        };
        if first == "*" {
            return self.any.get_or_insert_default().add(rest, number);
        }
        let known = self.names.iter().position(|(name, _)| **name == **first);
        let at = known.unwrap_or_else(|| {
            self.names.push((first.as_str().into(), Self::default()));
            self.names.len() - 1
        });
        if let Some((_, node)) = self.names.get_mut(at) {
            node.add(rest, number);
        }
    }
}

fn step<'n>(at: &[&'n Node], name: &str) -> Vec<&'n Node> {
    let of = |node: &&'n Node| {
        let own = node.names.iter().find(|(known, _)| **known == *name).map(|(_, node)| node);
        [own, node.any.as_deref()]
    };
    at.iter().flat_map(of).flatten().collect()
}

/// The value as keys and other fields would repeat it: a text as it is, others as JSON.
fn plain(told: &Told<'_>) -> String {
    match told {
        Told::Text(text) => (*text).to_owned(),
        Told::Own(text) => text.clone(),
        Told::Null | Told::Bool(_) | Told::Number(_) | Told::List(_) | Told::Map(_) => {
            serde_json_canonicalizer::to_string(&told.to_json()).unwrap_or_default()
        }
    }
}

/// A key for hashes that nobody can repeat without it: HMAC with SHA-256 (RFC 2104).
#[derive(Clone)]
pub struct HashKey {
    inner: Sha256,
    outer: Sha256,
}

/// The bytes of one block of SHA-256.
const BLOCK: usize = 64;
/// Fewer could be guessed.
pub const SHORTEST_KEY: usize = 16;

impl HashKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if secret.len() > BLOCK {
            block.iter_mut().zip(Sha256::digest(secret)).for_each(|(to, from)| *to = from);
        } else {
            block.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        }
        let with = |pad: u8| Sha256::new().chain_update(block.map(|byte| byte ^ pad));
        Self { inner: with(0x36), outer: with(0x5c) }
    }

    fn of(&self, value: &[u8]) -> [u8; 32] {
        let inner = self.inner.clone().chain_update(value).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey")
    }
}

#[cfg(test)]
mod tests;

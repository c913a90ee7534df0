//! The request, as the document that `--request` takes.

use sha2::{Digest as _, Sha256};
use tollgate_engine::simulate::answer;
use tollgate_engine::unit::{Money, Span};

use super::super::code::{Take, Told};

/// A request as a document; absent fields are left out. Grants open what they were given for, so
/// that only their digests are told.
pub fn document<'b>(take: &mut Take<'b>) -> Option<Told<'b>> {
    let mut subject = Fields::default();
    for name in ["agent", "user", "tenant", "app", "workflow", "run"] {
        subject.text(name, take.text()?);
    }
    let mut action = Fields::default();
    action.text("name", take.text()?);
    subject.texts("roles", take.texts()?);
    let kind = take.text()?;
    if !kind.is_empty() {
        action.own("kind", kind.to_ascii_uppercase());
    }
    for name in ["tool", "provider", "model", "pipeline", "stage", "handler"] {
        action.text(name, take.text()?);
    }
    let mut rest = Fields::default();
    for name in ["environment", "mode", "batch_id", "request_id"] {
        rest.text(name, take.text()?);
    }
    action.texts("tags", take.texts()?);
    let grants = take.texts()?;
    if !grants.is_empty() {
        rest.0.push(("grants", Told::List(grants.into_iter().map(digest).collect())));
    }
    if take.flag()? {
        rest.text("phase", "ENQUEUE");
    }
    if let Some(priority) = take.some(Take::whole)? {
        #[expect(clippy::cast_precision_loss, reason = "it was 32 bits")]
        rest.0.push(("priority", Told::Number(priority.cast_signed() as f64)));
    }
    match take.small()? {
        0 => {}
        attempt => rest.count("attempt", attempt),
    }
    if take.flag()? {
        rest.0.push(("dry_run", Told::Bool(true)));
    }
    if let Some(left) = take.some(Take::span)? {
        rest.own("time_left", answer::span(left));
    }
    let estimate = estimate(take)?;
    let context = take.fields()?;
    let mut all = Fields::default();
    all.map("subject", subject.0);
    all.map("action", action.0);
    all.map("context", context);
    all.map("estimate", estimate);
    all.0.extend(rest.0);
    Some(Told::Map(all.0))
}

/// Amounts that a request expects or a report tells.
pub fn estimate<'b>(take: &mut Take<'b>) -> Option<Vec<(&'b str, Told<'b>)>> {
    let mut all = Fields::default();
    if let Some(cost) = take.some(Take::small)? {
        all.0.push(("cost", Told::Number(Money::from_billionths(cost).units())));
    }
    if let Some(tokens) = take.some(Take::small)? {
        all.count("tokens", tokens);
    }
    if let Some(compute) = take.some(Take::small)? {
        all.count("compute", compute);
    }
    if let Some(duration) = take.some(Take::span)? {
        all.own("duration", answer::span(Span::from_nanos(duration.nanos())));
    }
    Some(all.0)
}

fn digest(grant: &str) -> Told<'static> {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(grant.as_bytes()) {
        text.push_str(&format!("{byte:02x}"));
    }
    Told::Own(text)
}

#[derive(Default)]
struct Fields<'b>(Vec<(&'b str, Told<'b>)>);

impl<'b> Fields<'b> {
    fn text(&mut self, name: &'b str, text: &'b str) {
        if !text.is_empty() {
            self.0.push((name, Told::Text(text)));
        }
    }

    fn own(&mut self, name: &'b str, text: String) {
        self.0.push((name, Told::Own(text)));
    }

    fn texts(&mut self, name: &'b str, texts: Vec<&'b str>) {
        if !texts.is_empty() {
            self.0.push((name, Told::List(texts.into_iter().map(Told::Text).collect())));
        }
    }

    fn count(&mut self, name: &'b str, count: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts of a request are at most 2^53")]
        self.0.push((name, Told::Number(count as f64)));
    }

    fn map(&mut self, name: &'b str, entries: Vec<(&'b str, Told<'b>)>) {
        if !entries.is_empty() {
            self.0.push((name, Told::Map(entries)));
        }
    }
}

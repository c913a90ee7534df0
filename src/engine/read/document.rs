//! The bundle as a whole: its top level, and a folder's files as one document (design 1.4, 1.8).

use super::form::{Field, Form, Kind, Known, Shape};
use super::nearest::listed;
use super::rule::{ON_UNAVAILABLE, Seen};
use super::tree::{Entry, Node};
use super::{Bounds, Findings, Trees, canon, declared, guardrail, rule, shown};
use crate::id::Digest;
use crate::model::{Bundle, Code, Defaults, Draft, Expression, Guardrail, Place, Rule};
use crate::value::ConstMap;
use semver::Version;

static DEFAULTS: Shape = Shape {
    what: "`defaults`",
    fields: &[Known::plain("effect"), Known::plain("mode_order"), Known::plain("on_unavailable")],
};

/// The top level of a bundle.
pub(super) static BUNDLE: Shape = Shape {
    what: "a bundle",
    fields: &[
        Known::plain("format"),
        Known::plain("version"),
        Known::plain("notes"),
        Known::plain("min_engine"),
        Known::of("defaults", Kind::Form(&DEFAULTS)),
        Known::plain("data"),
        Known::of("fields", Kind::ByContextPath),
        Known::plain("enforce_fields"),
        Known::plain("mask"),
        Known::plain("metadata"),
        Known::plain("rules"),
        Known::plain("guardrails"),
    ],
};

/// What every file of a folder may have; the rest stands beside the version.
const SHARED: [&str; 4] = ["format", "data", "rules", "guardrails"];
/// Modes are a handful: draft, review, auto.
const MOST_MODES: usize = 64;
const FORMAT: &str = "tollgate/v1";

/// Reads a bundle from the trees of its files, in the order of their paths. Where a finding is a
/// format error, there are its expressions, if it is for this engine at all.
pub(super) fn bundle(trees: &Trees, bounds: &Bounds, found: &mut Findings) -> Option<Result<Bundle, Draft>> {
    refuse_newer(&trees.nodes, found)?;
    let parts = parts(trees, found);
    let main = parts.first()?;
    let (version, min_engine) = versions(main, found);
    let data = data(&parts, found);
    let bundle = Bundle {
        version,
        min_engine,
        notes: text(main, "notes", found),
        defaults: main.get("defaults").and_then(|f| defaults(f, found)).unwrap_or_default(),
        fields: main.get("fields").map_or_else(Vec::new, |f| declared::fields(f, found)),
        enforce_fields: main.get("enforce_fields").and_then(|f| f.boolean(found)).unwrap_or(false),
        mask: main.get("mask").and_then(|f| mask(f, found)).unwrap_or_default(),
        metadata: main.get("metadata").and_then(|f| f.free_map(found)).unwrap_or_default(),
        rules: rules(&parts, &data, bounds, found),
        guardrails: guardrails(&parts, bounds, found),
        digest: Digest([0; 32]),
        data,
        files: found.files().to_vec(),
    };
    if found.format_errors() > 0 {
        let is_whole = trees.are_all
            && parts.iter().all(|form| form.get("data").is_none_or(|f| f.node.entries().is_some()));
        return Some(Err(draft(&parts, is_whole.then_some(bundle.data))));
    }
    let digest = canon::digest(&parts, &bundle.rules);
    Some(Ok(Bundle { digest, ..bundle }))
}

/// The expressions of all rules, those included that are no rules for another mistake.
fn draft(parts: &[Form<'_>], data: Option<ConstMap>) -> Draft {
    let rules = parts.iter().filter_map(|form| form.get("rules")?.node.elements()).flatten();
    let expressions = rules.filter_map(|node| {
        let when = rule::expression(node.get("when")?)?;
        Some(Expression { rule: node.get("id").and_then(Node::text).map(Into::into), when })
    });
    Draft { data, expressions: expressions.collect() }
}

/// The file with the version first, then the others. Where no file has one, or several have, that
/// is reported, and the first stands for it, so that what else is wrong is said too.
fn parts<'n>(trees: &'n Trees, found: &mut Findings) -> Vec<Form<'n>> {
    let mut main: Option<Form<'n>> = None;
    let mut others = Vec::new();
    let mut is_readable = trees.are_all;
    for tree in &trees.nodes {
        let Some(form) = Form::open(Field::document("the document", tree), &BUNDLE, found) else {
            is_readable = false;
            continue;
        };
        match (form.get("version"), &main) {
            (None, _) => others.push(form),
            (Some(_), None) => main = Some(form),
            (Some(second), Some(first)) => {
                second_version(second, first, found);
                others.push(form);
            }
        }
    }
    let Some(main) = main else {
        // it may stand in the file that cannot be read
        if is_readable {
            no_version(&others, found);
        }
        return others;
    };
    for other in others.iter().filter(|form| form.get("version").is_none()) {
        stray_fields(other, &main, found);
    }
    std::iter::once(main).chain(others).collect()
}

fn second_version(second: Field<'_>, first: &Form<'_>, found: &mut Findings) {
    let first = first.get("version").map_or(first.place, |f| f.place);
    let message = format!("a `version` stands already at {}", found.name(first));
    let remedy = "keep one of them: the files of a folder are one bundle";
    found.error_with(Code::BadValue, second.place, message, remedy);
}

fn no_version(others: &[Form<'_>], found: &mut Findings) {
    let place = others.first().map_or_else(Place::default, |form| form.place);
    let message =
        if others.len() > 1 { "no file of the folder has a `version`" } else { "a bundle needs `version`" };
    let remedy = "add `version: 1.0.0` beside `format: tollgate/v1`";
    found.error_with(Code::MissingField, place, message, remedy);
}

/// Fields that only the file with the version may have.
fn stray_fields(other: &Form<'_>, main: &Form<'_>, found: &mut Findings) {
    check_format(other, found);
    let names = BUNDLE.fields.iter().map(|known| known.name).filter(|n| !SHARED.contains(n));
    for name in names {
        let Some(field) = other.get(name) else {
            continue;
        };
        let (what, at) = match main.get(name) {
            Some(first) => ("stands already at", first.place),
            None => ("belongs beside the version, at", main.place),
        };
        let message = format!("`{}` {what} {}", field.name, found.name(at));
        let remedy = format!("move it there; this file may have {}", listed(SHARED));
        found.error_with(Code::BadValue, field.place, message, remedy);
    }
}

fn check_format(form: &Form<'_>, found: &mut Findings) {
    let Some(field) = form.get("format") else {
        return;
    };
    if let Some(text) = field.text(found).filter(|text| *text != FORMAT) {
        field.bad_value(&format!("is {}", shown(text)), &format!("write `{FORMAT}`"), found);
    }
}

/// A newer document may hold what this engine takes for mistakes, so nothing else is said.
fn refuse_newer(trees: &[Node], found: &mut Findings) -> Option<()> {
    let own = Version::parse(env!("CARGO_PKG_VERSION")).ok()?;
    let names = ["min_engine", "minEngine"];
    for node in trees.iter().flat_map(|tree| names.iter().filter_map(|name| tree.get(name))) {
        let wanted = node.text().and_then(|text| Version::parse(text).ok());
        if let Some(wanted) = wanted.filter(|wanted| *wanted > own) {
            let message = format!("the bundle needs engine {wanted} or newer, and this is {own}");
            found.error_with(Code::BadValue, node.place, message, "update the engine");
            return None;
        }
    }
    Some(())
}

/// The version, and the oldest engine that understands the bundle.
fn versions(main: &Form<'_>, found: &mut Findings) -> (Version, Option<Version>) {
    let semantic = |field: Field<'_>, found: &mut Findings| {
        let text = field.text(found)?;
        let version = Version::parse(text);
        if version.is_err() {
            let remedy = "write three numbers: `1.4.0`";
            field.bad_value(&format!("is {}, no semantic version", shown(text)), remedy, found);
        }
        version.ok()
    };
    let min_engine = main.get("min_engine").and_then(|f| semantic(f, found));
    let version = main.get("version");
    // where there is no version, its finding names the format too
    if version.is_none() || main.required("format", found).is_some() {
        check_format(main, found);
    }
    let version = version.and_then(|f| semantic(f, found));
    // a wrong version is an error, and no reason to keep the other errors back
    (version.unwrap_or_else(|| Version::new(0, 0, 0)), min_engine)
}

fn text(form: &Form<'_>, name: &str, found: &mut Findings) -> Box<str> {
    form.get(name).and_then(|f| f.text(found)).map_or_else(Box::default, Into::into)
}

fn defaults(field: Field<'_>, found: &mut Findings) -> Option<Defaults> {
    let form = Form::open(field, &DEFAULTS, found)?;
    let default = Defaults::default();
    let effects = &[("deny", false), ("allow", true)];
    Some(Defaults {
        allow: form.choice_or("effect", effects, default.allow, found),
        mode_order: form.get("mode_order").and_then(|f| mode_order(f, found)).unwrap_or(default.mode_order),
        on_unavailable: form.choice_or("on_unavailable", ON_UNAVAILABLE, default.on_unavailable, found),
    })
}

fn mode_order(field: Field<'_>, found: &mut Findings) -> Option<Vec<Box<str>>> {
    let modes = field.texts(found)?;
    if modes.len() > MOST_MODES {
        let what = format!("has {} modes", modes.len());
        field.bad_value(&what, &format!("write at most {MOST_MODES}"), found);
        return None;
    }
    for (i, mode) in modes.iter().enumerate() {
        if modes.iter().take(i).any(|earlier| earlier == mode) {
            field.bad_value(&format!("holds {} twice", shown(mode)), "keep one of them", found);
        }
    }
    Some(modes)
}

/// JSON pointers (RFC 6901).
fn mask(field: Field<'_>, found: &mut Findings) -> Option<Vec<Box<str>>> {
    let mut pointers = Vec::new();
    for element in field.list(found)? {
        let Some(text) = element.filled_text(found) else {
            continue;
        };
        let tildes = text.split('~').skip(1);
        if !text.starts_with('/') || !tildes.clone().all(|t| t.starts_with(['0', '1'])) {
            let remedy = "write a path such as `/context/card/number`, `~1` for `/`, `~0` for `~`";
            element.bad_value(&format!("is {}, no JSON pointer", shown(text)), remedy, found);
        }
        pointers.push(text.into());
    }
    Some(pointers)
}

/// The `data` of all files; a name in two of them is an error.
fn data(parts: &[Form<'_>], found: &mut Findings) -> ConstMap {
    let mut all = ConstMap::new();
    let mut first: Seen = Seen::new();
    for form in parts {
        let Some(field) = form.get("data") else {
            continue;
        };
        let Some(entries) = field.node.entries() else {
            field.wrong_type("write a map", found);
            continue;
        };
        for Entry { key, place, node } in entries {
            if let Some(first) = first.get(&**key) {
                let message = format!("{} of `data` stands already at {}", shown(key), found.name(*first));
                found.error_with(Code::BadValue, *place, message, "keep one of them");
                continue;
            }
            first.insert((**key).into(), *place);
            all.insert((**key).into(), node.content.to_const());
        }
    }
    all
}

fn rules(parts: &[Form<'_>], data: &ConstMap, bounds: &Bounds, found: &mut Findings) -> Vec<Rule> {
    let mut seen = Seen::new();
    let elements = elements(parts, "rules", bounds.rules, found);
    let read = elements.filter_map(|f| rule::rule(f, data, &mut seen, found)).collect();
    found.set_subject(None);
    read
}

fn guardrails(parts: &[Form<'_>], bounds: &Bounds, found: &mut Findings) -> Vec<Guardrail> {
    let mut seen = Seen::new();
    let elements = elements(parts, "guardrails", bounds.guardrails, found);
    let read = elements.filter_map(|f| guardrail::guardrail(f, &mut seen, found)).collect();
    found.set_subject(None);
    read
}

/// The elements of a list over all files; none where there are more than the bound.
fn elements<'n>(
    parts: &[Form<'n>],
    name: &'static str,
    most: usize,
    found: &mut Findings,
) -> impl Iterator<Item = Field<'n>> + use<'n> {
    let mut all: Vec<Field<'n>> = Vec::new();
    for form in parts {
        let Some(field) = form.get(name) else {
            continue;
        };
        all.extend(field.list(found).into_iter().flatten());
        if all.len() > most {
            let message = format!("the bundle has more than {most} {name}");
            let remedy = "split it into several bundles";
            found.error_with(Code::OutOfBounds, field.place, message, remedy);
            all.clear();
            break;
        }
    }
    all.into_iter()
}

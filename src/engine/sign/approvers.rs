//! The file that names who may approve: public keys, each with its owner and roles.
//!
//! A list, one key an entry, so that the line that `tollgate keygen` prints can be added to it.

use super::key::PublicKey;
use crate::model::{Code, Finding};
use crate::read::form::{Field, Form, Known, Shape};
use crate::read::tree::{self, Limits, Used};
use crate::read::{Findings, SourceFile};
use crate::time::WallTime;

/// A file beyond these is some other file.
const LIMITS: Limits = Limits {
    bytes: 4 << 20,
    depth: 8,
    nodes: 100_000,
    alias_nodes: 1_000,
    string_bytes: 4 << 10,
    non_finite: false,
};

static KEY: Shape = Shape {
    what: "a key of an approver",
    fields: &[
        Known::plain("owner"),
        Known::plain("roles").or(&["role"]),
        Known::plain("key"),
        Known::plain("valid_from"),
        Known::plain("valid_until"),
    ],
};

/// A key whose signatures count.
#[derive(Clone, Debug, PartialEq)]
pub struct ApproverKey {
    /// What envelopes call it.
    pub id: Box<str>,
    /// Whose it is, as requests name users.
    pub owner: Box<str>,
    /// What the owner may approve.
    pub roles: Vec<Box<str>>,
    /// The key.
    pub key: PublicKey,
    /// Before this it does not count.
    pub valid_from: Option<WallTime>,
    /// From this on it does not count any longer.
    pub valid_until: Option<WallTime>,
}

/// All keys whose signatures count, by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Approvers(Vec<ApproverKey>);

impl Approvers {
    /// Reads the file; `None` when the findings say what is wrong with it.
    #[must_use]
    pub fn read(file: &SourceFile<'_>) -> (Option<Self>, Vec<Finding>) {
        let mut found = Findings::new(vec![file.name.into()]);
        let root = tree::parse(file, 0, &LIMITS, &mut Used::default(), &mut found);
        let keys = root.map(|root| keys(Field::document("the file", &root), &mut found));
        let findings = found.into_sorted();
        let good = !findings.iter().any(Finding::is_format_error);
        (keys.filter(|_| good).map(Self), findings)
    }

    /// The key of this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&ApproverKey> {
        let at = self.0.binary_search_by(|key| (*key.id).cmp(id)).ok()?;
        self.0.get(at)
    }

    /// Every key.
    pub fn iter(&self) -> std::slice::Iter<'_, ApproverKey> {
        self.0.iter()
    }

    /// Whether nobody may approve anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ApproverKey {
    /// Whether its signatures count at this time.
    #[must_use]
    pub fn is_valid(&self, now: WallTime) -> bool {
        self.valid_from.is_none_or(|from| from <= now) && self.valid_until.is_none_or(|until| now < until)
    }

    /// Whether its owner has this role.
    #[must_use]
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|own| **own == *role)
    }
}

fn keys(file: Field<'_>, found: &mut Findings) -> Vec<ApproverKey> {
    let mut keys: Vec<ApproverKey> = Vec::new();
    let mut elements = 0_usize;
    for element in file.list(found).into_iter().flatten() {
        elements += 1;
        let Some(key) = one(element, found) else { continue };
        match keys.binary_search_by(|other| other.id.cmp(&key.id)) {
            Ok(_) => {
                let message = format!("the key `{}` of `{}` stands here twice", key.id, key.owner);
                let remedy = "keep one of them; an owner with two roles has one key and both roles";
                found.error_with(Code::BadValue, element.place, message, remedy);
            }
            Err(at) => keys.insert(at, key),
        }
    }
    if elements == 0 && found.format_errors() == 0 {
        let message = "the file names no key, so nobody could approve anything";
        found.error_with(Code::MissingField, file.place, message, "add what `tollgate keygen` prints");
    }
    keys
}

fn one(element: Field<'_>, found: &mut Findings) -> Option<ApproverKey> {
    let form = Form::open(element, &KEY, found)?;
    let owner = form.required("owner", found).and_then(|field| field.filled_text(found));
    let roles = form.required("roles", found).map(|field| roles(field, found));
    let key = form.required("key", found).and_then(|field| public_key(field, found));
    let valid_from = form.present("valid_from").and_then(|field| instant(field, found));
    let valid_until = form.present("valid_until").and_then(|field| instant(field, found));
    if let (Some(from), Some(until)) = (valid_from, valid_until)
        && from >= until
    {
        let message = "`valid_until` is not after `valid_from`: the key never counts";
        found.error_with(Code::BadValue, element.place, message, "exchange them, or remove the key");
    }
    let key = key?;
    let id = key.id().into();
    Some(ApproverKey { id, owner: owner?.into(), roles: roles?, key, valid_from, valid_until })
}

/// One role, or a list of them.
fn roles(field: Field<'_>, found: &mut Findings) -> Vec<Box<str>> {
    let roles: Vec<Box<str>> =
        field.one_or_many().filter_map(|role| role.filled_text(found)).map(Into::into).collect();
    if roles.is_empty() && found.format_errors() == 0 {
        field.bad_value("is empty", "name a role, such as `approver`", found);
    }
    roles
}

fn public_key(field: Field<'_>, found: &mut Findings) -> Option<PublicKey> {
    let text = field.filled_text(found)?;
    let key = PublicKey::parse(text);
    if key.is_none() {
        let what = if text.contains("PRIVATE KEY") {
            "is a private key, which belongs to its owner alone"
        } else {
            "is no public key of ed25519"
        };
        field.bad_value(what, "write `ed25519:` and 32 bytes in base64, as `tollgate keygen` prints", found);
    }
    key
}

fn instant(field: Field<'_>, found: &mut Findings) -> Option<WallTime> {
    let text = field.filled_text(found)?;
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Some(time.into()),
        Err(_) => {
            field.bad_value("is no instant", "write it as `2027-01-31T00:00:00Z`", found);
            None
        }
    }
}

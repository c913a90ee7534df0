//! `tollgate grant`

use super::exit::{Exit, Failure, OrExit as _, Outcome};
use super::keys;
use super::output;
use crate::pb;
use anyhow::Context as _;
use serde_json::Value;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tollgate_engine::id::Digest;
use tollgate_engine::sign::{Envelope, Grant as Payload, Verdict};
use tollgate_engine::time::WallTime;

/// Sign a grant without a server, or add a signature to one
#[derive(Debug, clap::Args)]
#[command(after_help = "It reads what `tollgate authorize --output json` answered, or one approval of
`tollgate approvals --output json`, and prints the grant on stdout. A second approver adds a signature to
that grant with `--add`. Who asked presents it: `tollgate authorize … --grant grant.json`.

Exit codes: 0 signed, 2 what was given cannot be signed, 3 a file cannot be read.

Examples:
  tollgate grant asked.json --key ann.key > grant.json
  tollgate grant --add grant.json --key bob.key > grant2.json")]
pub struct Grant {
    /// What is asked: a file, or `-` for stdin
    #[arg(value_name = "FILE|-", required_unless_present = "add")]
    asked: Option<PathBuf>,
    /// A grant that others have signed already: a file, or `-` for stdin
    #[arg(long, value_name = "FILE|-", conflicts_with = "asked")]
    add: Option<PathBuf>,
    /// Your private key, as `tollgate keygen` made it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// An approval as it was shown: what is signed to answer it.
#[derive(Debug)]
pub struct Asked {
    /// What is signed.
    pub grant: Payload,
}

/// Nobody signs what they cannot see.
const OTHER_DIGEST: &str = "`request_digest` is not the digest of what is shown as asked, so nothing was signed; somebody changed one of them";

/// A longer file is no approval.
const MOST_BYTES: u64 = 4 << 20;

impl Grant {
    /// Signs and prints.
    pub fn run(&self) -> Outcome {
        let key = keys::private(&self.key)?;
        let envelope = match (&self.add, &self.asked) {
            (Some(path), _) => signed(path)?.sign(&key),
            (None, Some(path)) => Asked::read(&json(path)?)?.grant.sign(Verdict::Grant, &key),
            (None, None) => return Err(Failure::usage("name the approval, or a grant with `--add`")),
        };
        output::print(&envelope.to_text());
        Ok(Exit::Fine)
    }
}

impl Asked {
    /// Reads the answer of Authorize, or one approval of a list.
    ///
    /// # Errors
    /// With code 2 when something is missing that has to be signed.
    pub fn read(json: &Value) -> Result<Self, Failure> {
        let Some(approval) = json.get("approval") else {
            return Err(Failure::usage(
                "there is no `approval` in it; give what `tollgate authorize --output json` answered, \
                 or one approval of `tollgate approvals --output json`",
            ));
        };
        let text = |of: &Value, name: &str| -> Result<String, Failure> {
            let text = of.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| {
                Failure::usage(format!("`{name}` is missing: was it only looked at, as by `--dry-run`?"))
            })
        };
        let time = |name: &str| -> Result<WallTime, Failure> {
            let text = text(approval, name)?;
            let parsed = text.parse::<jiff::Timestamp>().map(WallTime::from);
            parsed.map_err(|_| Failure::usage(format!("`{name}` is `{text}`, which is no time")))
        };
        shown_is_asked(json, &text(approval, "request_digest")?)?;
        let uses = approval.get("uses").and_then(Value::as_u64).and_then(|uses| u32::try_from(uses).ok());
        Ok(Self {
            grant: Payload {
                approval_id: text(approval, "id")?.into(),
                digest: text(approval, "request_digest")?.into(),
                rule_id: text(json, "rule_id")?.into(),
                instance: text(approval, "instance")?.into(),
                issued_at: time("opened_at")?,
                expires_at: time("expires_at")?,
                uses: uses.ok_or_else(|| Failure::usage("`uses` is missing, or is no count"))?,
            },
        })
    }

    /// Holds a server to its word: the digest is that of what it shows.
    ///
    /// # Errors
    /// With code 2 when it is not.
    pub fn is_what_is_shown(&self, record: &pb::ApprovalRecord) -> Result<(), Failure> {
        if record.state() != pb::ApprovalState::Pending {
            return Err(Failure::usage("it is not open any longer"));
        }
        if *self.grant.digest == *Digest::of(record.asked.as_bytes()).to_string() {
            return Ok(());
        }
        Err(Failure::usage(OTHER_DIGEST))
    }
}

/// Where what is asked stands beside its digest, they belong together.
fn shown_is_asked(json: &Value, digest: &str) -> Result<(), Failure> {
    let Some(asked) = json.get("asked") else { return Ok(()) };
    let canonical = serde_json_canonicalizer::to_vec(asked).ok();
    if canonical.is_some_and(|bytes| *digest == Digest::of(&bytes).to_string()) {
        return Ok(());
    }
    Err(Failure::usage(OTHER_DIGEST))
}

fn signed(path: &Path) -> Result<Envelope, Failure> {
    let text = text(path)?;
    let envelope = Envelope::parse(text.trim());
    let is_grant = |envelope: &Envelope| {
        Verdict::of(&envelope.payload_type) == Some(Verdict::Grant)
            && Payload::parse(&envelope.payload).is_some()
    };
    envelope.filter(is_grant).ok_or_else(|| {
        Failure::usage(format!("{}: is no grant; give what `tollgate grant` printed", path.display()))
    })
}

fn json(path: &Path) -> Result<Value, Failure> {
    let text = text(path)?;
    let parsed = serde_json::from_str(&text).with_context(|| format!("{}: is no JSON", path.display()));
    parsed.or_exit(Exit::Usage)
}

/// A file, or stdin.
fn text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
    };
    read.with_context(|| format!("{}: cannot be read", path.display())).or_exit(Exit::Unreachable)?;
    Ok(text)
}

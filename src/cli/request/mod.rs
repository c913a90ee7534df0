//! The request that a command asks about: a document, flags, or flags over a document.
//!
//! Both become one tree and are read by one reader, so that a flag means what its field means.

mod overlay;
mod wire;

pub use wire::to_wire;

use super::exit::{Exit, Failure, OrExit as _};
use super::findings::{self, Source};
use super::output;
use crate::pb;
use anyhow::Context as _;
use std::io::Read as _;
use std::path::Path;
use tollgate_engine::model::Place;
use tollgate_engine::read::form::Field;
use tollgate_engine::read::request::{self, RequestBounds, RequestDocument};
use tollgate_engine::read::tree::{self, Content, Limits, Node, Used};
use tollgate_engine::read::{Findings, SourceFile};

/// The parts of a request, for every command that takes one.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Request")]
pub struct RequestFlags {
    /// A YAML or JSON document with the request: a file, `-` for stdin, or JSON itself; flags win over it
    #[arg(long, short, value_name = "FILE|-|JSON")]
    request: Option<String>,
    /// Who acts
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// What it wants to do
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// An attribute that rules may test: `key=value` (JSON or text; dots lead into maps), or a JSON object
    #[arg(long, short = 'x', value_name = "KEY=VALUE|JSON")]
    context: Vec<String>,
    /// The kind of the action: TOOL, LLM, STAGE, TASK, SLEEP, WAIT_SIGNAL, OTHER
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// The tool that it calls
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// The provider of the model that it calls
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The model that it calls
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The pipeline that it belongs to
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// The stage of that pipeline
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// The handler of that stage
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// A tag of the action; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// On behalf of which user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Of which tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// In which application
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// In which workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// In which run
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// A role of who acts; may be repeated
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Where: instead of the server's own environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// In which mode
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// When: DISPATCH or ENQUEUE
    #[arg(long, value_name = "PHASE")]
    phase: Option<String>,
    /// The priority of the action
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Which attempt, from 0
    #[arg(long, value_name = "NUMBER")]
    attempt: Option<u32>,
    /// What the action is expected to cost
    #[arg(long, value_name = "AMOUNT")]
    estimate_cost: Option<f64>,
    /// How many tokens it is expected to use
    #[arg(long, value_name = "COUNT")]
    estimate_tokens: Option<u32>,
    /// How much compute it is expected to use
    #[arg(long, value_name = "COUNT")]
    estimate_compute: Option<u32>,
    /// How long it is expected to take, such as `30s`
    #[arg(long, value_name = "TIME")]
    estimate_duration: Option<String>,
    /// What is left of the caller's deadline, such as `5s`
    #[arg(long, value_name = "TIME")]
    time_left: Option<String>,
    /// The name of the action over all its attempts
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// A grant, as `tollgate grant` prints it: a file, or the grant itself; may be repeated
    #[arg(long, value_name = "FILE|GRANT")]
    grant: Vec<String>,
    /// Look only: charge nothing, open no approval
    #[arg(long)]
    dry_run: bool,
}

/// What reads the tree.
type Reader = fn(Field<'_>, &RequestBounds, &mut Findings) -> Option<RequestDocument>;

/// A document is at most so large before a server's own bounds are asked.
const LIMITS: Limits = Limits {
    bytes: 10 << 20,
    depth: 100,
    nodes: 100_000,
    alias_nodes: 1_000,
    string_bytes: 10 << 20,
    non_finite: true,
};

impl RequestFlags {
    /// Those of a document alone: a file, `-`, or JSON itself.
    pub fn of_document(document: &str, dry_run: bool) -> Self {
        Self { request: Some(document.into()), dry_run, ..Self::default() }
    }

    /// The request that is decided here, within the usual bounds; what is wrong with it is shown on
    /// stderr.
    ///
    /// # Errors
    /// With code 3 when its document cannot be read, 2 when it is not valid.
    pub fn read(&self) -> Result<RequestDocument, Failure> {
        self.read_within(&RequestBounds::default(), request::document)
    }

    /// The request as it is sent to a server, whose own bounds may be wider and count.
    ///
    /// # Errors
    /// As [`RequestFlags::read`].
    pub fn to_send(&self) -> Result<pb::AuthorizeRequest, Failure> {
        self.to_send_as(request::document)
    }

    /// The same of a request that may be about no action in particular.
    ///
    /// # Errors
    /// As [`RequestFlags::read`].
    pub fn facts_to_send(&self) -> Result<pb::AuthorizeRequest, Failure> {
        self.to_send_as(request::facts)
    }

    fn to_send_as(&self, reader: Reader) -> Result<pb::AuthorizeRequest, Failure> {
        let usual = RequestBounds::default();
        let widest = RequestBounds {
            bytes: usual.bytes * 10,
            context_values: usual.context_values * 10,
            context_depth: usual.context_depth * 10,
            string_bytes: usual.string_bytes * 10,
            name_bytes: usual.name_bytes * 10,
            list_items: usual.list_items * 10,
            grants: usual.grants,
        };
        self.read_within(&widest, reader).map(|request| to_wire(&request))
    }

    fn read_within(&self, bounds: &RequestBounds, reader: Reader) -> Result<RequestDocument, Failure> {
        let (name, bytes) = self.document()?;
        let mut found = Findings::new(vec![name.as_str().into()]);
        let empty = Node { place: Place::default(), content: Content::Map(vec![].into()) };
        let source = SourceFile { name: &name, bytes: &bytes };
        let grants = self.grant.iter().map(|given| grant(given)).collect::<Result<Vec<_>, _>>()?;
        let root = match bytes.is_empty() {
            true => Some(empty),
            false => tree::parse(&source, 0, &LIMITS, &mut Used::default(), &mut found),
        };
        let request = root.and_then(|mut root| {
            self.lay_over(&grants, &mut root)?;
            reader(Field::document("request", &root), bounds, &mut found)
        });
        let findings = found.into_sorted();
        match request.filter(|_| findings.is_empty()) {
            Some(request) => Ok(request),
            None => {
                let sources = [Source::new(&name, &bytes)];
                output::note(&findings::text(&findings, &sources));
                let failure = Failure::usage("the request is not valid; `--help` lists its parts");
                Err(Failure { findings: findings::all_json(&findings, &sources), ..failure })
            }
        }
    }

    /// The name and the bytes of the document; no bytes where there is none.
    fn document(&self) -> Result<(String, Vec<u8>), Failure> {
        match self.request.as_deref() {
            None => Ok(("request".into(), vec![])),
            Some(inline) if inline.trim_start().starts_with('{') => Ok(("--request".into(), inline.into())),
            Some("-") => {
                let mut bytes = vec![];
                let read = std::io::stdin().lock().take(limit()).read_to_end(&mut bytes);
                read.context("stdin cannot be read").or_exit(Exit::Unreachable)?;
                Ok(("stdin".into(), bytes))
            }
            Some(path) => {
                let mut bytes = vec![];
                let read = std::fs::File::open(Path::new(path))
                    .and_then(|file| file.take(limit()).read_to_end(&mut bytes));
                read.with_context(|| format!("{path}: the request cannot be read"))
                    .or_exit(Exit::Unreachable)?;
                Ok((path.into(), bytes))
            }
        }
    }
}

/// A grant itself begins as JSON does; anything else names a file.
fn grant(given: &str) -> Result<String, Failure> {
    if given.trim_start().starts_with('{') {
        return Ok(given.trim().into());
    }
    let mut text = String::new();
    std::fs::File::open(Path::new(given))
        .and_then(|file| file.take(limit()).read_to_string(&mut text))
        .with_context(|| format!("{given}: the grant cannot be read"))
        .or_exit(Exit::Unreachable)?;
    Ok(text.trim().into())
}

/// One byte more than is taken, so that the reader sees that it is too much.
fn limit() -> u64 {
    u64::try_from(LIMITS.bytes).unwrap_or(u64::MAX).saturating_add(1)
}

//! The table of options: file keys, flags, variables, `config show` and the docs come from it.

use super::decision_log::{CollectorUrl, Fsync, Pointers, Rates, WhenFull};
use super::identity::Patterns;
use super::problem::Problem;
use super::settings::Settings;
use super::value::{
    Bytes, Collector, Count, Listen, LogFormat, LogLevel, Name, OnBadState, OptionValue, Permissions, Ratio,
    Threads, Wait, Wrong,
};
use std::path::PathBuf;
use std::time::Duration;

/// One option, as all of its sources call it.
#[derive(Debug)]
pub struct Spec {
    /// Its name in [`Config`].
    pub field: &'static str,
    /// What stands for the value in help texts.
    pub value: &'static str,
    /// Its value when nothing sets it; empty: unset.
    pub default: &'static str,
    /// The chapter of the help text that it belongs to.
    pub group: &'static str,
    /// The lines of its description.
    pub help: &'static [&'static str],
    /// Reads a value, to say whether the option takes it.
    pub check: fn(&str, &str) -> Result<(), Wrong>,
}

/// The chapter of the options that sit under `bounds` in a file.
pub const BOUNDS: &str = "Bounds";

impl Spec {
    /// Its key in a file; a dot leads into a mapping.
    #[must_use]
    pub fn key(&self) -> String {
        match self.field.strip_prefix("bounds_") {
            Some(name) if self.group == BOUNDS => format!("bounds.{name}"),
            _ => self.field.into(),
        }
    }

    /// Its flag without the dashes.
    #[must_use]
    pub fn flag(&self) -> String {
        self.field.replace('_', "-")
    }

    /// Its variable in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("TOLLGATE_{}", self.field.to_uppercase())
    }

    /// Whether it is a switch, which needs no value as a flag.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        self.value == "BOOL"
    }

    /// Whether a file may give it as a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.value == "PATTERNS"
    }

    /// Its description as one text.
    #[must_use]
    pub fn about(&self) -> String {
        self.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }
}

macro_rules! options {
    ($($group:expr => { $(
        $(#[doc = $help:literal])+
        $field:ident: $type:ty = $default:literal $value:literal,
    )* })*) => {
        /// What the process runs with.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($( $(#[doc = $help])+ pub $field: $type, )*)*
        }

        /// Every option, in the order of the help text.
        pub const OPTIONS: &[Spec] = &[$($(Spec {
            field: stringify!($field),
            value: $value,
            default: $default,
            group: $group,
            help: &[$($help),+],
            check: |text, default| <$type>::read(text, default).map(|_| ()),
        },)*)*];

        impl Config {
            /// Takes each option from where it is set.
            pub(super) fn from_settings(settings: &Settings) -> Result<Self, Problem> {
                Ok(Self { $($( $field: settings.typed(stringify!($field))?, )*)* })
            }
        }
    };
}

options! {
    "Bundle" => {
        /// The bundle to serve: a YAML or JSON file, or a folder of them. It is followed: a change
        /// is taken over as soon as it is complete and good. In a configuration file a relative
        /// path starts at that file's folder.
        bundle: Option<PathBuf> = "" "PATH",
        /// The environment that decisions are made in when a request names none.
        environment: Name = "default" "NAME",
    }
    "State" => {
        /// Where the last good bundle and the state of guardrails are kept over a restart: a
        /// directory of its own for each process. Unset: nowhere, so that every restart begins with
        /// empty limits and full budgets.
        state_dir: Option<PathBuf> = "" "DIR",
        /// How often the state is written. A kill loses at most the charges of that time.
        state_interval_seconds: Duration = "1" "SECONDS",
        /// What to do at the start about a state file that cannot be read: `refuse` to start, or
        /// set it aside and start with a `fresh` one.
        on_bad_state: OnBadState = "refuse" "WHAT",
        /// The most allowed actions that are remembered until they are reported; past that the oldest
        /// are forgotten, and what they hold ends as their guardrails say.
        max_open_decisions: Count = "1000000" "COUNT",
    }
    "Listening" => {
        /// Where gRPC listens; `none` for a Unix socket only.
        grpc: Listen = "127.0.0.1:4700" "ADDR",
        /// A Unix socket that gRPC also listens on.
        uds: Option<PathBuf> = "" "PATH",
        /// Who may use that socket, as octal permissions: `600` for its owner, `660` for the group too.
        uds_mode: Permissions = "600" "MODE",
        /// Where AuthZEN is served over HTTP; `none` for nowhere.
        http: Listen = "none" "ADDR",
        /// Where probes, metrics and the status are served over HTTP; `none` for nowhere. It holds
        /// nothing secret and is open beyond loopback, for probes and scrapers.
        metrics: Listen = "0.0.0.0:9464" "ADDR",
    }
    "TLS" => {
        /// The certificate that gRPC and HTTP show, and those between it and its root, as PEM. With it
        /// and `tls_key` both ports speak TLS and nothing else; Unix sockets and the metrics port
        /// never do. These files are followed: a good new certificate serves at once.
        tls_cert: Option<PathBuf> = "" "PATH",
        /// The private key of that certificate, as PEM.
        tls_key: Option<PathBuf> = "" "PATH",
        /// The roots of callers' certificates, as PEM. Set: only callers with a certificate that one of
        /// them has signed are let in.
        tls_client_ca: Option<PathBuf> = "" "PATH",
        /// Which of these callers: patterns of the names of their certificates, such as
        /// `spiffe://prod/ns/*/sa/agent-*`, as a list or separated by spaces. Unset: all of them.
        tls_client_names: Patterns = "" "PATTERNS",
        /// Lets gRPC and HTTP listen beyond this machine without TLS. Whoever is on the network can
        /// then read what is asked, forge what is answered, and ask in anybody's name.
        insecure_listen_in_cleartext: bool = "false" "BOOL",
    }
    "Operators" => {
        /// A Unix socket for operators and approvers, which its owner alone may use. Unset: none.
        admin_uds: Option<PathBuf> = "" "PATH",
        /// Serves operators and approvers on the gRPC port too, if they send the token in this file.
        /// Beyond loopback that port needs TLS: the token could be overheard.
        admin_token_file: Option<PathBuf> = "" "PATH",
    }
    "Approvals" => {
        /// The public keys of those who may approve, with owner and roles: a YAML list of what
        /// `tollgate keygen` prints. Unset: no grant can be verified, and nothing can be approved.
        approver_keys: Option<PathBuf> = "" "PATH",
        /// The most approvals that may be open; further requests that need one are denied.
        max_open_approvals: usize = "1000" "COUNT",
    }
    "Overload" => {
        /// How long a call may wait for its turn while a serving thread has more to do than it can.
        /// Who waited longer is told to come back later. 0: as long as it takes.
        overload_wait_seconds: Duration = "0.01" "SECONDS",
        /// How long a request may take to be read and answered.
        request_seconds: Wait = "30" "SECONDS",
        /// How long a client may take nothing of the answers that are sent to it before it loses them.
        stalled_seconds: Wait = "30" "SECONDS",
        /// How long a connection may take to begin to speak HTTP/2.
        handshake_seconds: Wait = "10" "SECONDS",
        /// How old a connection of gRPC may get, give or take a tenth. Then its client is told to open
        /// another one, and what is in flight is answered within `grace_seconds`. 0: as old as it likes.
        max_connection_seconds: Duration = "0" "SECONDS",
        /// The most connections; the next one waits until another ends.
        max_connections: usize = "10000" "COUNT",
        /// The most calls at one time on one connection.
        max_connection_calls: Count = "1024" "COUNT",
        /// The most streams of requests (`AuthorizeStream`) at one time on one serving thread.
        max_streams: usize = "1000" "COUNT",
    }
    "Traces" => {
        /// The OpenTelemetry collector that calls are traced to over OTLP/gRPC. Unset: nothing is traced.
        otlp_endpoint: Collector = "" "URL",
        /// The share of the traces that begin here which are recorded. Where the caller has a trace, the
        /// caller decides.
        otlp_sample_ratio: Ratio = "1" "SHARE",
        /// Headers for the collector, a line each: `name: value`.
        otlp_headers_file: Option<PathBuf> = "" "PATH",
        /// The certificates that sign the collector's, in PEM; for `https://`.
        otlp_ca_file: Option<PathBuf> = "" "PATH",
        /// How this service is called in traces.
        otlp_service_name: Name = "tollgate" "NAME",
    }
    "Decision log" => {
        /// A directory for the decision log, as files of JSON lines that are rotated and compressed.
        /// Unset, and no other place named: there is no decision log.
        decision_log_dir: Option<PathBuf> = "" "DIR",
        /// A collector that the decision log is sent to: batches of JSON lines, compressed, by POST.
        decision_log_url: CollectorUrl = "" "URL",
        /// Writes the decision log to stdout.
        decision_log_stdout: bool = "false" "BOOL",
        /// What to do when records come faster than they can be written: `drop_newest`, `drop_oldest`,
        /// or `refuse` the actions that could not be recorded.
        decision_log_when_full: WhenFull = "drop_newest" "WHAT",
        /// Records that wait to be written, for each thread.
        decision_log_ring_bytes: Bytes = "4MiB" "SIZE",
        /// What no record may tell: JSON pointers into the request document, separated by commas, with
        /// `*` for every name or index, such as `/context/card,/context/items/*/iban`.
        decision_log_mask: Pointers = "" "POINTERS",
        /// A file with a secret of at least 16 bytes. With it masked values are replaced by a hash that
        /// is equal for equal values and cannot be made without the secret; else by `***`.
        decision_log_mask_key_file: Option<PathBuf> = "" "PATH",
        /// Which share of the decisions is recorded, by effect and by rule, such as
        /// `ALLOW=0.1,rule:allow-read=0.01`; all others are. Reports follow their decisions.
        decision_log_sample: Rates = "" "SHARES",
        /// A file of the log is rotated when it has so many bytes,
        decision_log_rotate_bytes: Bytes = "64MiB" "SIZE",
        /// or when it is so old.
        decision_log_rotate_seconds: Duration = "3600" "SECONDS",
        /// The most rotated files that are kept; the oldest are deleted.
        decision_log_keep_files: Count = "1000" "COUNT",
        /// The most bytes of rotated files that are kept.
        decision_log_keep_bytes: Bytes = "4GiB" "SIZE",
        /// When files are flushed to the disk: `never`, in an `interval`, or `always`, after each write.
        decision_log_fsync: Fsync = "interval" "WHEN",
        /// That interval.
        decision_log_fsync_seconds: Duration = "1" "SECONDS",
        /// A file with the value of the `Authorization` header for the collector, such as
        /// `Bearer abc`. It is read again for each batch.
        decision_log_auth_file: Option<PathBuf> = "" "PATH",
        /// Certificates, as PEM, of authorities that a collector may be vouched for by, besides those
        /// that the system trusts.
        decision_log_ca_file: Option<PathBuf> = "" "PATH",
        /// A directory where batches wait until the collector has them, over restarts too. Unset: in
        /// memory.
        decision_log_buffer_dir: Option<PathBuf> = "" "DIR",
        /// The most bytes that wait there.
        decision_log_buffer_bytes: Bytes = "256MiB" "SIZE",
        /// A batch is sent when it has so many bytes,
        decision_log_batch_bytes: Bytes = "1MiB" "SIZE",
        /// or when it is so old.
        decision_log_batch_seconds: Duration = "1" "SECONDS",
        /// How long a collector may take to answer.
        decision_log_timeout_seconds: Duration = "10" "SECONDS",
    }
    "Process" => {
        /// Threads that answer requests; `auto` for one a core.
        threads: Threads = "auto" "COUNT",
        /// How long requests in flight may take to finish after SIGTERM.
        grace_seconds: Duration = "25" "SECONDS",
        /// The most series of `tollgate_decisions_total`; further ones are counted as `other`.
        metrics_max_series: usize = "2000" "COUNT",
        /// The newest events, which who follows them can have again. At most ten times the default.
        events_kept: Count = "10000" "COUNT",
        /// Log lines for people (`text`), for programs (`json`), or by where they go (`auto`).
        log_format: LogFormat = "auto" "FORMAT",
        /// The least severe log lines: `off`, `error`, `warn`, `info`, `debug`, `trace`.
        log_level: LogLevel = "info" "LEVEL",
    }
    BOUNDS => {
        /// The most bytes of a bundle, all files together.
        bounds_bundle_bytes: Bytes = "16MiB" "SIZE",
        /// The deepest nesting of a bundle.
        bounds_bundle_depth: Count = "32" "COUNT",
        /// The most rules of a bundle.
        bounds_bundle_rules: Count = "100000" "COUNT",
        /// The most guardrails of a bundle.
        bounds_bundle_guardrails: Count = "10000" "COUNT",
        /// The most nodes of a bundle's documents.
        bounds_bundle_nodes: Count = "5000000" "COUNT",
        /// The most of these nodes that aliases may make.
        bounds_bundle_alias_nodes: Count = "50000" "COUNT",
        /// The longest string of a bundle.
        bounds_bundle_string_bytes: Bytes = "64KiB" "SIZE",
        /// The most bytes of the headers of a call.
        bounds_header_bytes: Bytes = "16KiB" "SIZE",
        /// The most bytes of a request.
        bounds_request_bytes: Bytes = "1MiB" "SIZE",
        /// The most values of a request's context, those in lists and maps included.
        bounds_request_values: Count = "256" "COUNT",
        /// The deepest nesting of a request's context.
        bounds_request_depth: Count = "8" "COUNT",
        /// The longest string of a request.
        bounds_request_string_bytes: Bytes = "64KiB" "SIZE",
        /// The longest name of a request: an agent, an action, a role, a tag.
        bounds_request_name_bytes: Bytes = "256B" "SIZE",
        /// The most roles, and the most tags.
        bounds_request_list_items: Count = "256" "COUNT",
        /// The most requests of a batch.
        bounds_batch_items: Count = "1000" "COUNT",
        /// The most bytes of a batch.
        bounds_batch_bytes: Bytes = "16MiB" "SIZE",
    }
}

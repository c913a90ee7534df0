//! A real Prometheus scrapes the real binary, and knows exactly what was sent.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient as Client;
use tollgate::pb::{self, ErrorKind, Status as OutcomeStatus};
use tollgate::telemetry::{manual, metrics};
use tonic::transport::Channel;

use crate::binary::{Serving, exchange, run};
use crate::parts::part;
use crate::served::request;

const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.2.3
rules:
  - {id: allow-most, agent: inbox, effect: allow, reason: This agent may do what is not ruled out}
  - {id: deny-delete, action: delete, effect: deny, reason: Nothing is ever deleted here, priority: 90}
  - {id: deny-risky, action: risky, conditions: {">=score": 90}, effect: deny, reason: The score is too high for that, priority: 90}
  - {id: ask, action: transfer, effect: require_approval, approval: {approvers: 1, role: chief}, reason: Transfers need the chief, priority: 90}
guardrails:
  - {name: few, type: rate_limit, rules: {limit: 2, window_seconds: 3600}, targeting: {actions: [limited]}}
  - {name: seen, type: rate_limit, enforcement: shadow, rules: {limit: 1, window_seconds: 3600}, targeting: {actions: [look]}}
  - {name: money, type: budget, rules: {max_cost: 100}, targeting: {actions: [buy]}}
  - {name: provider, type: circuit_breaker, rules: {failure_threshold: 1, cooldown_seconds: 3600}, targeting: {actions: [call]}}
  - {name: again, type: retry, rules: {max_retries: 2, interval_seconds: 1}, targeting: {actions: [call]}}
"#;

struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  \
             - {{job_name: tollgate, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        // It cannot say which port the system chose, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(part("prometheus"))
            .current_dir(folder)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg("--enable-feature=exemplar-storage")
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("prometheus.log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, address }
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let head = format!("GET {path}?{} HTTP/1.0\r\nhost: x\r\n\r\n", parameters.join("&"));
        let stream = std::net::TcpStream::connect(self.address);
        drop(stream.ok()?);
        let reply = exchange(self.address, head.as_bytes());
        let (_, body) = reply.split_once("\r\n\r\n")?;
        let reply: Value = serde_json::from_str(body).ok()?;
        assert_eq!(reply["status"], "success", "{path}: {reply}");
        Some(reply["data"].clone())
    }

    /// The values of a query by the label that it is summed by, in order.
    fn query(&self, query: &str) -> Vec<(String, f64)> {
        let Some(data) = self.get("/api/v1/query", &[("query", query)]) else { return vec![] };
        let value = |series: &Value| {
            let labels = series["metric"].as_object().unwrap();
            let label = labels.values().next().and_then(Value::as_str).unwrap_or_default();
            (label.to_owned(), series["value"][1].as_str().unwrap().parse().unwrap())
        };
        let mut values: Vec<_> = data["result"].as_array().unwrap().iter().map(value).collect();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Waits for something that a scrape brings, however slow the machine is.
fn within_a_minute(what: &str, mut look: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !look() {
        assert!(Instant::now() < until, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Asks so many times; the ids.
async fn ask(client: &mut Client<Channel>, times: usize, action: &str, context: Value) -> Vec<String> {
    let mut ids = vec![];
    for _ in 0..times {
        let answer = client.authorize(request(action, context.clone())).await.unwrap().into_inner();
        ids.push(answer.decision_id);
    }
    ids
}

async fn report(client: &mut Client<Channel>, id: &str, status: OutcomeStatus, cost: f64) {
    let error_kind =
        if status == OutcomeStatus::Failure { ErrorKind::Transient } else { ErrorKind::Unspecified };
    let report = pb::ReportRequest {
        decision_id: id.to_owned(),
        status: status.into(),
        error_kind: error_kind.into(),
        cost: Some(cost),
        ..Default::default()
    };
    client.report(report).await.unwrap();
}

/// Something of everything; the ids of what may be sent.
async fn send_all(client: &mut Client<Channel>) -> Vec<String> {
    let none = || json!({});
    let sent = ask(client, 7, "send", none()).await;
    ask(client, 3, "delete", none()).await;
    ask(client, 2, "risky", json!({"score": "high"})).await;
    ask(client, 2, "transfer", none()).await;
    ask(client, 5, "limited", none()).await;
    ask(client, 4, "look", none()).await;
    ask(client, 6, "an-action-that-no-rule-names", none()).await;
    let bought = ask(client, 2, "buy", none()).await;
    let called = ask(client, 1, "call", none()).await;
    for id in sent.iter().take(4) {
        report(client, id, OutcomeStatus::Success, 0.25).await;
    }
    report(client, &sent[0], OutcomeStatus::Success, 9.0).await;
    report(client, &bought[0], OutcomeStatus::Success, 2.5).await;
    report(client, &bought[1], OutcomeStatus::Cancelled, 0.0).await;
    report(client, &called[0], OutcomeStatus::Failure, 0.0).await;
    report(client, "01890a5d-ac96-774b-bcce-b302099a8057", OutcomeStatus::Success, 1.0).await;
    for attempt in [0, 1, 5] {
        let asked = request("send", json!({}));
        let retry = pb::RetryDecisionRequest {
            subject: asked.subject,
            action: asked.action,
            attempt,
            error: Some(pb::ActionError { kind: ErrorKind::Transient.into(), ..Default::default() }),
            ..Default::default()
        };
        client.retry_decision(retry).await.unwrap();
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_knows_exactly_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    let serving = Serving::start(folder.path(), &["b.yaml", "--state-dir", "state"]);
    let prometheus = Prometheus::start(folder.path(), serving.metrics);
    let mut client = Client::connect(format!("http://{}", serving.grpc)).await.unwrap();
    let sent = send_all(&mut client).await;
    within_a_minute("the last retry decision", || {
        prometheus.query("sum(tollgate_retry_decisions_total)") == [(String::new(), 3.0)]
    });
    let one = |value: f64| vec![("", value)];
    let mut wrong = vec![];
    for (query, want) in [
        ("sum(up)", one(1.0)),
        (
            "sum by (effect) (tollgate_decisions_total)",
            vec![("ALLOW", 22.0), ("DENY", 5.0), ("REQUIRE_APPROVAL", 2.0), ("THROTTLE", 3.0)],
        ),
        (
            "sum by (action) (tollgate_decisions_total)",
            vec![
                ("buy", 2.0),
                ("call", 1.0),
                ("delete", 3.0),
                ("limited", 5.0),
                ("look", 4.0),
                ("other", 13.0),
                ("risky", 2.0),
                ("transfer", 2.0),
            ],
        ),
        ("sum by (agent) (tollgate_decisions_total)", vec![("inbox", 32.0)]),
        ("sum(tollgate_decision_duration_seconds_count)", one(32.0)),
        ("sum(tollgate_decision_duration_seconds_bucket{le=\"+Inf\"})", one(32.0)),
        ("sum by (kind) (tollgate_evaluation_errors_total)", vec![("decisive", 2.0), ("other", 0.0)]),
        ("sum by (guardrail) (tollgate_guardrail_refusals_total) > 0", vec![("few", 3.0), ("seen", 3.0)]),
        ("sum by (to) (tollgate_shadow_flips_total{from=\"ALLOW\"})", vec![("DENY", 0.0), ("THROTTLE", 3.0)]),
        (
            "sum by (result) (tollgate_reports_total)",
            vec![("APPLIED", 7.0), ("DUPLICATE", 1.0), ("RENEWED", 0.0), ("UNKNOWN", 1.0)],
        ),
        (
            "sum by (status) (tollgate_outcomes_total)",
            vec![("CANCELLED", 1.0), ("FAILURE", 1.0), ("SUCCESS", 5.0)],
        ),
        ("sum(tollgate_cost_total)", one(3.5)),
        ("sum(policy_cost_24h)", one(3.5)),
        // Seven of 22 allowed were reported, which says too little about failures.
        ("sum(policy_error_rate_5m)", one(2.0 / 32.0)),
        (
            "sum by (result) (tollgate_retry_decisions_total)",
            vec![("FAIL", 3.0), ("RETRY", 0.0), ("RETRY_AFTER", 0.0)],
        ),
        ("sum by (state) (tollgate_breaker_state) > 0", vec![("open", 1.0)]),
        ("sum(tollgate_guardrail_keys{guardrail=\"few\"})", one(1.0)),
        ("sum(tollgate_approvals_open)", one(1.0)),
        ("sum(tollgate_approvals_total{became=\"opened\"})", one(1.0)),
        ("sum by (version) (tollgate_bundle_info)", vec![("1.2.3", 1.0)]),
        ("sum(tollgate_bundle_updates_total{result=\"applied\"})", one(1.0)),
        ("sum(tollgate_bundle_swap_duration_seconds_count)", one(1.0)),
        ("sum(tollgate_bundle_age_seconds > 0) > bool 0", one(1.0)),
        ("count(tollgate_state_age_seconds)", one(1.0)),
        ("sum(tollgate_open_decisions)", one(0.0)),
        ("count(policy_canary_gate_passed)", vec![]),
    ] {
        let got = prometheus.query(query);
        let got: Vec<(&str, f64)> = got.iter().map(|(label, value)| (label.as_str(), *value)).collect();
        if got != want {
            wrong.push(format!("{query}: {got:?}, and not {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    exemplars_lead_to_decisions(&prometheus, &sent);
    the_page_has_nothing_to_find_fault_with(folder.path(), &serving);
}

fn exemplars_lead_to_decisions(prometheus: &Prometheus, sent: &[String]) {
    let query = [
        ("query", "tollgate_decision_duration_seconds_bucket"),
        ("start", "2020-01-01T00:00:00Z"),
        ("end", "2100-01-01T00:00:00Z"),
    ];
    let series = prometheus.get("/api/v1/query_exemplars", &query).unwrap();
    let ids: Vec<&str> = series
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|series| series["exemplars"].as_array().unwrap())
        .map(|exemplar| exemplar["labels"]["decision_id"].as_str().unwrap())
        .collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| id.len() == 36), "{series}");
    // Ids begin with their time, and all were taken after the first.
    assert!(ids.iter().all(|id| id[..8] >= sent[0][..8]), "{ids:?} {sent:?}");
}

fn the_page_has_nothing_to_find_fault_with(folder: &Path, serving: &Serving) {
    let (code, page) = serving.get("/metrics");
    assert_eq!(code, 200);
    for metric in metrics::METRICS {
        for head in ["HELP", "TYPE"] {
            assert_eq!(
                page.matches(&format!("# {head} {} ", metric.name)).count(),
                1,
                "{} {head}",
                metric.name
            );
        }
    }
    let mut series: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    series.iter_mut().for_each(|line| *line = line.rsplit_once(' ').unwrap().0);
    series.sort_unstable();
    assert!(series.is_sorted_by(|a, b| a < b), "a series stands twice: {page}");
    fs::write(folder.join("page"), &page).unwrap();
    let checked = Command::new(part("promtool"))
        .args(["check", "metrics"])
        .stdin(fs::File::open(folder.join("page")).unwrap())
        .output()
        .unwrap();
    assert!(
        checked.status.success() && checked.stdout.is_empty() && checked.stderr.is_empty(),
        "{checked:?}"
    );
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

#[test]
fn the_rules_are_good_and_name_what_is_there() {
    let path = root().join("deploy/prometheus/tollgate.rules.yml");
    let checked = Command::new(part("promtool")).args(["check", "rules"]).arg(&path).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let rules = fs::read_to_string(&path).unwrap();
    let expressions = rules.lines().filter(|line| !line.contains("alert:") && !line.contains("summary:"));
    let words = expressions.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let named: Vec<&str> =
        words.filter(|word| word.starts_with("tollgate_") || word.starts_with("policy_")).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(metrics::find(name).is_some(), "`{name}` is no metric");
    }
}

#[test]
fn the_page_of_the_metrics_is_that_of_the_table() {
    let path = root().join("docs/metrics.md");
    let page = manual::markdown();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/metrics.md is not that of the table; `UPDATE=1 cargo test` rewrites it");
}

#[test]
fn the_metrics_that_the_design_names_are_there() {
    for (name, labels) in [
        ("tollgate_decisions_total", "arm,effect,reason_code,phase,agent,action"),
        ("tollgate_decision_duration_seconds", ""),
        ("tollgate_evaluation_errors_total", "kind"),
        ("tollgate_guardrail_refusals_total", "guardrail,type,enforcement"),
        ("tollgate_guardrail_keys", "guardrail"),
        ("tollgate_breaker_state", "guardrail,state"),
        ("tollgate_guardrail_keys_evicted_total", "guardrail"),
        ("tollgate_open_decisions", ""),
        ("tollgate_open_decisions_dropped_total", ""),
        ("tollgate_reports_total", "result"),
        ("tollgate_context_violations_total", ""),
        ("tollgate_bundle_updates_total", "result"),
        ("tollgate_operator_actions_total", "operation"),
        ("tollgate_emergency_stops", ""),
        ("tollgate_outcomes_total", "arm,status"),
        ("tollgate_cost_total", "arm"),
        ("tollgate_retry_decisions_total", "result"),
        ("tollgate_bundle_info", "version,digest,arm"),
        ("tollgate_bundle_age_seconds", ""),
        ("tollgate_bundle_swap_duration_seconds", ""),
        ("tollgate_requests_shed_total", "reason"),
        ("tollgate_decision_log_dropped_total", "reason"),
        ("tollgate_shadow_flips_total", "from,to"),
        ("policy_error_rate_5m", ""),
        ("policy_cost_24h", ""),
        ("policy_canary_gate_passed", ""),
    ] {
        let metric = metrics::find(name).unwrap_or_else(|| panic!("{name}"));
        let own: Vec<&str> = metric.labels.iter().map(|(label, _)| *label).collect();
        assert_eq!(own.join(","), labels, "{name}");
    }
}

/// As many guardrails as a bundle may have. Nobody who is served may wait for the page.
#[test]
fn a_scrape_of_ten_thousand_guardrails_ends_and_decisions_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut bundle = BUNDLE.replace("guardrails:\n", "guardrails:\n  # more\n");
    for number in 0..9_990 {
        bundle.push_str(&format!(
            "  - {{name: g-{number}, type: circuit_breaker, rules: {{failure_threshold: 1, cooldown_seconds: 1}}, targeting: {{actions: [a-{number}]}}}}\n"
        ));
    }
    fs::write(folder.path().join("b.yaml"), bundle).unwrap();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    std::thread::scope(|scope| {
        let scrapes: Vec<_> = (0..4).map(|_| scope.spawn(|| serving.get("/metrics"))).collect();
        let address = serving.grpc.to_string();
        assert_eq!(run(folder.path(), &["authorize", "--address", &address, "--action", "delete"]).code, 1);
        for scrape in scrapes {
            let (code, page) = scrape.join().unwrap();
            assert_eq!(code, 200);
            assert_eq!(page.matches("\ntollgate_guardrail_keys{").count(), 9_995);
        }
    });
}

//! Tollgate and its floors, each on a thread of its own, and the requests that all of them get.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tollgate::clock::Clock;
use tollgate::data_plane::{self, DataPlane, Offer, Outcome};
use tollgate::grpc::{self, Server};
use tollgate::load::{Questions, Target};
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{self, Effect};
use tollgate::telemetry::metrics;

use crate::floor::{self, Floor};
use crate::policies::{Asked, Policies};

/// The rules of a large bundle that serves.
pub const RULES: usize = 10_000;
/// And of a small one.
const FEW_RULES: usize = 10;
/// Different requests, which take turns.
const REQUESTS: usize = 4_096;
/// Three limits that match every request and refuse none.
pub const GUARDRAILS: &str = "guardrails:
  - {name: of-tenants, type: rate_limit, rules: {limit: 1000000000, window_seconds: 1, key_by: [tenant]}}
  - {name: of-agents, type: rate_limit, rules: {limit: 1000000000, window_seconds: 10, key_by: [agent]}}
  - {name: of-all, type: rate_limit, rules: {limit: 1000000000, window_seconds: 1, algorithm: token_bucket, key_by: [global]}}
";

/// A server that is measured.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: &'static str,
    /// The thread that serves, whose time is counted.
    pub thread: &'static str,
    pub tcp: Target,
    pub uds: Target,
}

/// All that takes part.
pub struct Stage {
    /// Tollgate, the floor that decodes, the floor that does not.
    pub subjects: [Subject; 3],
    pub questions: Arc<Questions>,
    /// The same on streams.
    pub streamed: Arc<Questions>,
    pub plane: Arc<DataPlane>,
    /// The same bundle but for its version, to be offered in turn.
    pub offers: [Offer; 2],
    _metrics: metrics::Handle,
    _folder: TempDir,
}

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// An organisation's rules, and three limits.
    Large,
    /// A few pairs of agent and action, and no limits.
    Small,
}

impl Stage {
    /// Starts all servers, and asks each request once.
    pub fn set(play: Play) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let folder = tempfile::tempdir()?;
        let policies = match play {
            Play::Large => Policies::mixed(RULES, REQUESTS),
            Play::Small => Policies::pairs(FEW_RULES, REQUESTS),
        };
        let text = |version| match play {
            Play::Large => bundle(&policies, version),
            Play::Small => policies.yaml(version),
        };
        let offers = ["1.0.0", "1.0.1"].map(|version| Offer {
            name: "bench.yaml".to_owned(),
            files: vec![("bench.yaml".to_owned(), text(version).into_bytes())],
        });
        // As `tollgate serve` does: counted is what is counted there.
        let metrics = metrics::install();
        let plane = DataPlane::new(data_plane::Options::default(), Clock::system())?;
        apply(&plane, &offers[0])?;
        let uds = folder.path().join("tollgate.sock");
        let ours = serve(Arc::clone(&plane), uds)?;
        let requests: Vec<pb::AuthorizeRequest> = policies.asked.iter().map(request).collect();
        let reply_bytes = runtime.block_on(ask_each(&ours, policies.rules.len(), &requests))?;
        let decodes = Floor::decodes(folder.path(), reply_bytes)?;
        let skips = Floor::skips(folder.path(), reply_bytes)?;
        let floors = [("floor, decoding", floor::DECODES, decodes), ("floor, skipping", floor::SKIPS, skips)];
        let [decodes, skips] = floors.map(|(name, thread, floor)| Subject {
            name,
            thread,
            tcp: Target::Tcp(floor.tcp.to_string()),
            uds: Target::Unix(floor.uds),
        });
        Ok(Self {
            subjects: [ours, decodes, skips],
            questions: Arc::new(Questions::unary(&requests)),
            streamed: Arc::new(Questions::stream(&requests)),
            plane,
            offers,
            _metrics: metrics,
            _folder: folder,
        })
    }
}

/// What serves: an organisation's rules, and guardrails.
pub fn bundle(policies: &Policies, version: &str) -> String {
    policies.yaml(version) + GUARDRAILS
}

/// Puts a bundle in force that differs from the one before.
pub fn apply(plane: &DataPlane, offer: &Offer) -> anyhow::Result<()> {
    match plane.offer(offer) {
        Outcome::Applied => Ok(()),
        Outcome::Unchanged => anyhow::bail!("the bundle is the one in force"),
        Outcome::Rejected(refusal) => anyhow::bail!("{refusal}"),
    }
}

fn serve(plane: Arc<DataPlane>, uds: PathBuf) -> anyhow::Result<Subject> {
    let options = grpc::Options {
        tcp: Some(([127, 0, 0, 1], 0).into()),
        uds: Some(uds.clone()),
        threads: 1,
        ..grpc::Options::default()
    };
    let server = Server::bind(options, plane)?;
    let tcp = server.local_addr().ok_or_else(|| anyhow::anyhow!("no address"))?;
    std::thread::spawn(move || server.run(CancellationToken::new(), Duration::ZERO));
    Ok(Subject {
        name: "tollgate",
        thread: "data-plane-0",
        tcp: Target::Tcp(tcp.to_string()),
        uds: Target::Unix(uds),
    })
}

/// A request as callers send it.
pub fn request(asked: &Asked) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest {
        subject: Some(pb::Subject {
            agent: asked.agent.clone(),
            user: "maria@partner.example".to_owned(),
            tenant: asked.tenant.clone(),
            run: "run-7f3a".to_owned(),
            ..Default::default()
        }),
        action: Some(pb::Action { name: asked.action.clone(), ..Default::default() }),
        context: Some(pb::Struct::from(asked.context.clone())),
        environment: "production".to_owned(),
        mode: "auto".to_owned(),
        request_id: "req-000001".to_owned(),
        ..Default::default()
    }
}

/// Says what requests and answers are like; returns the mean length of an answer.
#[expect(clippy::print_stdout, reason = "what was asked belongs to the figures")]
async fn ask_each(ours: &Subject, rules: usize, requests: &[pb::AuthorizeRequest]) -> anyhow::Result<usize> {
    let Target::Tcp(address) = &ours.tcp else { anyhow::bail!("no address") };
    let mut client = PolicyDecisionServiceClient::connect(format!("http://{address}")).await?;
    let (mut bytes, mut effects, mut by_rule) = (0, [0; 3], 0);
    for request in requests {
        let answer = client.authorize(request.clone()).await?.into_inner();
        bytes += answer.encoded_len();
        by_rule += usize::from(!answer.rule_id.is_empty());
        match answer.effect() {
            Effect::Allow => effects[0] += 1,
            Effect::Deny => effects[1] += 1,
            Effect::RequireApproval => effects[2] += 1,
            other => anyhow::bail!("an answer is `{other:?}`: {}", answer.reason),
        }
    }
    let count = requests.len();
    let sent: usize = requests.iter().map(prost::Message::encoded_len).sum();
    let [allows, denies, approvals] = effects.map(|n| n * 100 / count);
    println!(
        "\n{rules} rules, {count} requests of {} bytes in the mean, replies of {}; \
         {allows} % allowed, {denies} % denied, {approvals} % to be approved; a rule decided {} %.",
        sent / count,
        bytes / count,
        by_rule * 100 / count,
    );
    Ok(bytes / count)
}

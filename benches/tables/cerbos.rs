//! Tollgate and Cerbos over gRPC, each a process of its own with one core, asked by the same client.

use std::sync::Arc;

use http::uri::PathAndQuery;
use prost::Message as _;
use tollgate::load::{Pace, Questions, Target};
use tollgate::pb;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::{load, micros, ratio, thousands};
use crate::Plan;
use crate::cerbos::{self, Answer, PATH, Question};
use crate::figures::{median, spread};
use crate::policies::Policies;
use crate::program::Program;
use crate::stage::request;

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const REQUESTS: usize = 1_024;
/// Connections, and requests in flight on each.
const PATTERNS: [(&str, usize, usize); 2] = [("1", 1, 1), ("64", 1, 64)];

#[derive(Default)]
struct Figures {
    rate: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(plan: Plan) -> anyhow::Result<()> {
    println!("\n| rules, in flight | server | answers/s | p50, µs | p99 | CPU of the process, µs |");
    println!("|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for rules in SIZES.into_iter().take(plan.sizes) {
        let policies = Policies::pairs(rules, REQUESTS);
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("b.yaml"), policies.yaml("1.0.0"))?;
        let ours = Program::tollgate(folder.path(), &["b.yaml"])?;
        let theirs = cerbos::start(folder.path(), &policies)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let allowed = runtime.block_on(agree(&policies, &ours, &theirs))?;
        let asked: Vec<pb::AuthorizeRequest> = policies.asked.iter().map(request).collect();
        let checked = policies.asked.iter().map(|one| cerbos::question(one).encode_to_vec());
        let sides = [
            ("tollgate", &ours, Arc::new(Questions::unary(&asked))),
            ("cerbos", &theirs, Arc::new(Questions::opaque(PATH, checked))),
        ];
        for (name, connections, in_flight) in PATTERNS {
            let mut figures: [Figures; 2] = Default::default();
            for _ in 0..plan.rounds {
                for ((_, program, questions), figures) in sides.iter().zip(&mut figures) {
                    figures.take(program, questions, (connections, in_flight), plan)?;
                }
            }
            for ((server, ..), figures) in sides.iter().zip(&figures) {
                println!("| {rules}, {name} | {server} | {} |", figures.cells());
            }
            let [ours, theirs] = &figures;
            let cells = [
                ratio(&ours.rate, &theirs.rate),
                ratio(&theirs.cpu, &ours.cpu),
                ratio(&theirs.p50, &ours.p50),
            ];
            ratios.push(format!("| {rules}, {name} | {} | {allowed} of {REQUESTS} |", cells.join(" | ")));
        }
    }
    println!(
        "\n| rules, in flight | answers/s by Cerbos | Cerbos' CPU by ours | its p50 by ours | same answers, allowed |"
    );
    println!("|---|---|---|---|---|\n{}", ratios.join("\n"));
    Ok(())
}

/// Asks both every question; returns how many they allow.
async fn agree(policies: &Policies, ours: &Program, theirs: &Program) -> anyhow::Result<usize> {
    let mut tollgate = PolicyDecisionServiceClient::new(channel(&ours.grpc).await?);
    let mut cerbos = Grpc::new(channel(&theirs.grpc).await?);
    let mut allowed = 0;
    for (number, asked) in policies.asked.iter().enumerate() {
        let want = tollgate.authorize(request(asked)).await?.into_inner().effect() == pb::Effect::Allow;
        cerbos.ready().await?;
        let codec = ProstCodec::<Question, Answer>::default();
        let question = tonic::Request::new(cerbos::question(asked));
        let answer = cerbos.unary(question, PathAndQuery::from_static(PATH), codec).await?.into_inner();
        anyhow::ensure!(answer.allows() == want, "cerbos differs on request {number}: {answer:?}");
        allowed += usize::from(want);
    }
    Ok(allowed)
}

async fn channel(target: &Target) -> anyhow::Result<Channel> {
    let Target::Tcp(address) = target else { anyhow::bail!("no address") };
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect().await?)
}

impl Figures {
    fn take(
        &mut self,
        program: &Program,
        questions: &Arc<Questions>,
        (connections, in_flight): (usize, usize),
        plan: Plan,
    ) -> anyhow::Result<()> {
        let before = program.cpu();
        let outcome = load(&program.grpc, questions, Pace::Closed { in_flight }, connections, plan).run()?;
        let tally = &outcome.tally;
        anyhow::ensure!(tally.errors() == 0, "{:?}: {:?}", tally.faults, tally.first_fault);
        self.cpu.push((program.cpu() - before) / tally.all_answered as f64);
        self.rate.push(tally.answered as f64 / outcome.elapsed.as_secs_f64());
        self.p50.push(tally.latency.value_at_percentile(50.0) as f64);
        self.p99.push(tally.latency.value_at_percentile(99.0) as f64);
        Ok(())
    }

    fn cells(&self) -> String {
        [
            spread(&self.rate, thousands),
            spread(&self.p50, micros),
            micros(median(&self.p99)),
            spread(&self.cpu, micros),
        ]
        .join(" | ")
    }
}

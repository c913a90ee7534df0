//! Decides inside another program, without a server.
//!
//! ```text
//! cargo run -p tollgate-engine --example embed
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what comes out")]

use tollgate_engine::decide::{
    Action, Answer, Estimate, Grant, Question, Request, Scratch, Subject, authorize,
};
use tollgate_engine::model::Phase;
use tollgate_engine::read::{Bounds, SourceFile};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::{Fields, View};
use tollgate_engine::{compile, read};

const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.0.0
rules:
  - id: small-refunds
    agent: support.*
    action: refund
    conditions: {amount: {"<=": 50}}
    effect: allow
    reason: Support may refund up to 50
  - id: drafts-at-night
    when: 'now.getHours("Europe/Berlin") < 8'
    effect: modify
    modify: {mode: draft}
    reason: Nobody is awake to look at it
"#;

/// The program's own data, looked at where it is: nothing is copied for a decision.
#[derive(Debug)]
struct Refund {
    amount: f64,
    customer: String,
}

impl Fields for Refund {
    fn len(&self) -> usize {
        2
    }
    fn field(&self, name: &str) -> Option<View<'_>> {
        match name {
            "amount" => Some(View::Number(self.amount)),
            "customer" => Some(View::Str(&self.customer)),
            _ => None,
        }
    }
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, View<'a>)) {
        visit("amount", View::Number(self.amount));
        visit("customer", View::Str(&self.customer));
    }
}

fn main() {
    let files = [SourceFile { name: "refunds.yaml", bytes: BUNDLE.as_bytes() }];
    let reading = read::bundle(&files, &Bounds::default());
    for finding in &reading.findings {
        println!("{}:{}: {}", finding.place.line, finding.place.column, finding.message);
    }
    let Some(bundle) = reading.bundle else { return };
    let compiled = match compile::bundle(bundle) {
        Ok(compiled) => compiled,
        Err(findings) => {
            return findings.iter().for_each(|finding| println!("{}", finding.message));
        }
    };

    // One scratch for each thread: it keeps its room from one decision to the next.
    let mut scratch = Scratch::default();
    for amount in [20.0, 80.0] {
        let refund = Refund { amount, customer: "c-17".into() };
        let request = Request {
            subject: Subject {
                agent: "support.chat",
                user: "",
                tenant: "acme",
                app: "",
                workflow: "",
                run: "",
                roles: &Vec::<String>::new(),
            },
            action: Action {
                name: "refund",
                kind: None,
                tool: "",
                provider: "",
                model: "",
                pipeline: "",
                stage: "",
                handler: "",
                tags: &Vec::<String>::new(),
            },
            context: &refund,
            environment: "",
            mode: "auto",
            phase: Phase::Dispatch,
            priority: None,
            estimate: Estimate::default(),
            request_id: "",
            batch_id: "",
            attempt: 0,
            grants: &Vec::<String>::new(),
            grant: Grant::None,
            dry_run: false,
            time_left: None,
            question: Question::MayRun,
        };
        // Time comes in as an argument; a server would ask its clock.
        let now = WallTime::from_nanos(1_700_000_000_000_000_000);
        let decision = authorize(&compiled, &request, "production", now, None, &mut scratch);
        let answer = match decision.answer {
            Answer::Allow(obligations) => format!("ALLOW in mode {}", obligations.mode),
            Answer::Deny(_) => "DENY".to_owned(),
            Answer::RequireApproval(_) => "REQUIRE_APPROVAL".to_owned(),
            Answer::Throttle(wait) => format!("THROTTLE for {} s", wait.seconds()),
        };
        println!("refund of {amount}: {answer} ({}: {})", decision.reason_code.name(), decision.reason);
    }
}

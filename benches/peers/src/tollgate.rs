//! Tollgate, by its library.

use serde_json::Value as Json;
use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Action, Answer, Estimate, Grant, Question, Request, Scratch, Subject, authorize};
use tollgate_engine::model::Phase;
use tollgate_engine::read::{self, Bounds, SourceFile};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::{Const, ConstMap};

use super::policies::{Asked, Policies};
use super::{Made, Peer};

const NOW: WallTime = WallTime::from_nanos(1_795_248_000_000_000_000);
static NONE: &[&str] = &[];

struct Tollgate {
    compiled: Compiled,
    asked: Vec<(Asked, ConstMap)>,
    scratch: Scratch,
}

pub fn make(policies: &Policies) -> Made {
    let text = policies.json("1.0.0").to_string();
    let file = SourceFile { name: "peers.json", bytes: text.as_bytes() };
    let reading = read::bundle(&[file], &Bounds::default());
    let bundle = reading.bundle.ok_or_else(|| format!("{:?}", reading.findings))?;
    let compiled = compile::bundle(bundle).map_err(|findings| format!("{findings:?}"))?;
    let asked = policies.asked.iter().map(|asked| {
        let context = asked.context.iter().map(|(name, value)| (name.as_str().into(), constant(value)));
        (asked.clone(), context.collect())
    });
    let asked = asked.collect();
    Ok(Box::new(Tollgate { compiled, asked, scratch: Scratch::default() }))
}

fn constant(json: &Json) -> Const {
    match json {
        Json::Null => Const::Null,
        Json::Bool(b) => Const::Bool(*b),
        Json::Number(n) => Const::Number(n.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Const::Str(text.as_str().into()),
        Json::Array(items) => Const::List(items.iter().map(constant).collect()),
        Json::Object(fields) => {
            Const::Map(fields.iter().map(|(name, value)| (name.as_str().into(), constant(value))).collect())
        }
    }
}

impl Peer for Tollgate {
    fn allows(&mut self, at: usize) -> bool {
        let (asked, context) = &self.asked[at];
        let request = Request {
            subject: Subject {
                agent: &asked.agent,
                user: "",
                tenant: &asked.tenant,
                app: "",
                workflow: "",
                run: "",
                roles: &NONE,
            },
            action: Action {
                name: &asked.action,
                kind: None,
                tool: "",
                provider: "",
                model: "",
                pipeline: "",
                stage: "",
                handler: "",
                tags: &NONE,
            },
            context,
            environment: "production",
            mode: "",
            phase: Phase::Dispatch,
            priority: None,
            estimate: Estimate::default(),
            request_id: "",
            batch_id: "",
            attempt: 0,
            grants: &NONE,
            grant: Grant::None,
            dry_run: false,
            time_left: None,
            question: Question::MayRun,
        };
        let decision = authorize(&self.compiled, &request, "default", NOW, None, &mut self.scratch);
        matches!(decision.answer, Answer::Allow(_))
    }
}

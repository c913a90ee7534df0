//! Bodies of AuthZEN: whatever is sent to either place is a decision, or a line about what is wrong.

use std::sync::{Arc, LazyLock};

use axum::Router;
use serde_json::Value;
use tollgate::data_plane::DataPlane;
use tollgate::grpc::Limits;
use tollgate::http::authzen::{self, Point};

use crate::{call, plane};

static PLANE: LazyLock<Arc<DataPlane>> = LazyLock::new(plane::guarded);
static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let (plane, limits) = (Arc::clone(&PLANE), Limits::default());
    authzen::router(Point {
        plane,
        limits,
        address: "localhost:8080".to_owned(),
        secure: false,
        tracer: None,
    })
});

pub(crate) fn run(input: &[u8]) {
    PLANE.clock().advance(1_000_000);
    let one = ask("/access/v1/evaluation", input);
    let several = ask("/access/v1/evaluations", input);
    if let Some(answer) = &one {
        decision(answer);
    }
    let Some(answer) = several else { return };
    let sent: Value = serde_json::from_slice(input).expect("what is answered is JSON");
    match sent["evaluations"].as_array().filter(|asked| !asked.is_empty()) {
        Some(asked) => batch(&answer, asked.len(), &sent["options"]),
        None => {
            let own = one.expect("what is answered as several of which there is one is answered as one");
            let same = decision(&own) == decision(&answer) || sent["options"]["charge"] == true;
            assert!(same, "{own} as one, {answer} as several");
        }
    }
}

/// The answer, unless it is what is wrong.
fn ask(path: &str, input: &[u8]) -> Option<Value> {
    let (status, body) = call::json(ROUTER.clone(), path, input);
    if status.as_u16() == 200 {
        return Some(serde_json::from_slice(&body).expect("an answer is JSON"));
    }
    assert_eq!(status.as_u16(), 400, "{path}");
    let said = str::from_utf8(&body).expect("what is wrong is a text");
    assert!(!said.is_empty() && said.len() < 8 << 10, "{said}");
    None
}

fn decision(answer: &Value) -> bool {
    let about = &answer["context"];
    let known = about["decision_id"].is_string() && about["effect"].is_string();
    let allowed = answer["decision"].as_bool().unwrap_or_else(|| panic!("no decision: {answer}"));
    assert!(known || (about["error"]["message"].is_string() && !allowed), "{answer}");
    assert!(!known || allowed == (about["effect"] == "ALLOW"), "{answer}");
    allowed
}

/// One for each that was asked, or up to the first that ends it.
fn batch(answer: &Value, asked: usize, options: &Value) {
    let answers = answer["evaluations"].as_array().expect("a list for a list");
    let decisions: Vec<bool> = answers.iter().map(decision).collect();
    let last = match options["evaluations_semantic"].as_str() {
        Some("deny_on_first_deny") => decisions.iter().position(|allowed| !allowed),
        Some("permit_on_first_permit") => decisions.iter().position(|allowed| *allowed),
        _ => None,
    };
    assert_eq!(decisions.len(), last.map_or(asked, |at| at + 1), "{asked} asked under {options}: {answer}");
}

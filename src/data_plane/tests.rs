//! The data plane without any edge.

use serde_json::json;
use tollgate_engine::decide::{Action, Estimate, Request, Subject};
use tollgate_engine::model::Phase;
use tollgate_engine::value::{Const, ConstMap};

static NOTHING: &[&str] = &[];

pub(super) fn constant(json: serde_json::Value) -> Const {
    use serde_json::Value as Json;
    match json {
        Json::Null => Const::Null,
        Json::Bool(b) => Const::Bool(b),
        Json::Number(n) => Const::Number(n.as_f64().unwrap()),
        Json::String(text) => Const::Str(text.into()),
        Json::Array(items) => Const::List(items.into_iter().map(constant).collect()),
        Json::Object(map) => {
            Const::Map(map.into_iter().map(|(k, v)| (k.into(), constant(v))).collect())
        }
    }
}

pub(super) fn context(json: serde_json::Value) -> ConstMap {
    let Const::Map(map) = constant(json) else { panic!("an object") };
    map
}

pub(super) fn request(context: &ConstMap) -> Request<'_> {
    Request {
        subject: Subject {
            agent: "inbox",
            user: "",
            tenant: "",
            app: "",
            workflow: "",
            run: "",
            roles: &NOTHING,
        },
        action: Action {
            name: "send",
            kind: None,
            tool: "",
            provider: "",
            model: "",
            pipeline: "",
            stage: "",
            handler: "",
            tags: &NOTHING,
        },
        context,
        environment: "",
        mode: "",
        phase: Phase::Dispatch,
        priority: None,
        estimate: Estimate::default(),
        request_id: "",
        batch_id: "",
        attempt: 0,
        has_grants: false,
        dry_run: false,
        time_left: None,
    }
}

#[test]
fn contexts_of_tests_are_what_they_say() {
    let map = context(json!({"a": [1, null]}));
    assert_eq!(map["a"].to_json(), json!([1, null]));
}

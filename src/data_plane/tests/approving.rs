//! Grants behind decisions: presented, accepted, spent with the charges, or refused.

use super::*;
use crate::data_plane::Item;
use crate::data_plane::approvals::{Entry, Standing};
use tollgate_engine::read::SourceFile;
use tollgate_engine::sign::{Approvers, PrivateKey, Verdict};

const ASKS: &str = "
format: tollgate/v1
version: 1.0.0
rules:
  - id: ask-first
    action: send
    effect: require_approval
    approval: {expires_in_seconds: 60}
    reason: Somebody has to look at it
guardrails:
  - {name: few, type: rate_limit, rules: {limit: 2, window_seconds: 9}}
";

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[1; 32])
}

fn asking(max_open_approvals: usize) -> Arc<DataPlane> {
    let text = format!("- {{owner: ann, role: approver, key: \"{}\"}}", key().public());
    let file = SourceFile { name: "keys.yaml", bytes: text.as_bytes() };
    let approvers = Approvers::read(&file).0.unwrap();
    let plane = plane(Options { approvers, max_open_approvals, ..Options::default() });
    install(&plane, ASKS);
    plane
}

/// Asks with these grants: effect and code, and the approval's id.
fn ask_with(
    plane: &DataPlane,
    n: i32,
    grants: &[&str],
    change: impl FnOnce(&mut Request<'_>),
) -> (String, Option<uuid::Uuid>) {
    let context = context(json!({"n": n}));
    let grants: Vec<Box<str>> = grants.iter().map(|grant| (*grant).into()).collect();
    let mut request = Request { grants: &grants, ..request(&context) };
    change(&mut request);
    plane.authorize(&request, |answer| told(&answer))
}

fn told(answer: &crate::data_plane::Answer<'_>) -> (String, Option<uuid::Uuid>) {
    let code = answer.decision.reason_code.name();
    let id = answer.approval.as_ref().and_then(|approval| approval.id);
    (format!("{} {code}", answer.effect_name()), id)
}

fn plainly(plane: &DataPlane, grants: &[&str]) -> String {
    ask_with(plane, 1, grants, |_| ()).0
}

/// Asks, has Ann agree, and gives the grant.
fn granted(plane: &DataPlane, n: i32) -> String {
    let id = ask_with(plane, n, &[], |_| ()).1.unwrap();
    match answer(plane, id, Verdict::Grant).news.standing {
        Standing::Granted(grant) => grant.to_string(),
        other => panic!("{other:?}"),
    }
}

fn answer(plane: &DataPlane, id: uuid::Uuid, verdict: Verdict) -> Entry {
    let now = plane.clock().wall();
    let entry = plane.approvals().list(now).into_iter().find(|entry| entry.id == id).unwrap();
    let envelope = plane.approvals().grant(&entry).sign(verdict, &key());
    plane.decide_approval(id, &envelope, "").unwrap()
}

#[test]
fn a_grant_lets_through_what_it_is_for_once() {
    let plane = asking(10);
    let (said, id) = ask_with(&plane, 1, &[], |_| ());
    assert_eq!(said, "REQUIRE_APPROVAL approval_required");
    assert_eq!(ask_with(&plane, 1, &[], |r| r.attempt = 3).1, id, "one for each question");
    let grant = granted(&plane, 1);
    assert_eq!(ask_with(&plane, 2, &[&grant], |_| ()).0, "REQUIRE_APPROVAL grant_mismatch");
    assert_eq!(plainly(&plane, &["nonsense"]), "REQUIRE_APPROVAL grant_unverifiable");
    assert_eq!(plainly(&plane, &["nonsense", &grant]), "ALLOW grant_accepted");
    let (said, next) = ask_with(&plane, 1, &[&grant], |_| ());
    assert_eq!(said, "REQUIRE_APPROVAL grant_spent");
    assert!(next.is_some() && next != id);
}

#[test]
fn looking_and_enqueueing_spend_nothing() {
    let plane = asking(10);
    let grant = granted(&plane, 1);
    for _ in 0..3 {
        assert_eq!(ask_with(&plane, 1, &[&grant], |r| r.dry_run = true).0, "ALLOW grant_accepted");
        assert_eq!(ask_with(&plane, 1, &[&grant], |r| r.phase = Phase::Enqueue).0, "ALLOW default_enqueue");
        let context = context(json!({"n": 1}));
        let grants = vec![grant.clone().into_boxed_str()];
        let request = Request { grants: &grants, ..request(&context) };
        assert_eq!(plane.explain(&request, |answer, _, _| told(&answer).0), "ALLOW grant_accepted");
    }
    assert_eq!(plainly(&plane, &[&grant]), "ALLOW grant_accepted");
    assert_eq!(
        ask_with(&plane, 1, &[&grant], |r| r.dry_run = true),
        ("REQUIRE_APPROVAL grant_spent".into(), None)
    );
}

#[test]
fn what_a_limit_refuses_wastes_no_grant() {
    let plane = asking(10);
    let grants = [granted(&plane, 1), granted(&plane, 2), granted(&plane, 3)];
    let present = |n: i32| ask_with(&plane, n, &[&grants[usize::try_from(n).unwrap() - 1]], |_| ()).0;
    assert_eq!((present(1), present(2)), ("ALLOW grant_accepted".into(), "ALLOW grant_accepted".into()));
    assert_eq!((present(3), present(3)), ("THROTTLE rate_limited".into(), "THROTTLE rate_limited".into()));
    plane.clock().advance(9_000_000_000);
    assert_eq!(present(3), "ALLOW grant_accepted");
    assert_eq!(present(3), "REQUIRE_APPROVAL grant_spent");
}

#[test]
fn of_many_threads_one_passes_with_a_grant_for_one_use() {
    let plane = asking(10);
    for round in 0..10 {
        plane.clock().advance(10_000_000_000);
        let grant = granted(&plane, round);
        let passed = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    if ask_with(&plane, round, &[&grant], |_| ()).0 == "ALLOW grant_accepted" {
                        passed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1);
    }
}

#[test]
fn a_batch_spends_a_grant_once_and_all_or_nothing_spends_none_in_vain() {
    let plane = asking(10);
    let (one, two) = (context(json!({"n": 1})), context(json!({"n": 2})));
    let grants: Vec<Box<str>> = vec![granted(&plane, 1).into()];
    let with = Request { grants: &grants, ..request(&one) };
    let without = Request { ..request(&two) };
    let batch = |items: &[Request<'_>], together: bool| -> Vec<String> {
        let items: Vec<Item<'_>> = items.iter().map(|request| Item::Ask(*request)).collect();
        plane.authorize_batch(&items, together, |answers| answers.iter().map(|a| told(a).0).collect())
    };
    let refused = ["REQUIRE_APPROVAL batch_refused", "REQUIRE_APPROVAL approval_required"];
    assert_eq!(batch(&[with, without], true), refused);
    let twice = ["REQUIRE_APPROVAL batch_refused", "REQUIRE_APPROVAL grant_spent"];
    assert_eq!(batch(&[with, with], true), twice);
    assert_eq!(batch(&[with], true), ["ALLOW grant_accepted"]);
    assert_eq!(batch(&[with], true), ["REQUIRE_APPROVAL grant_spent"]);

    plane.clock().advance(9_000_000_000);
    let grants: Vec<Box<str>> = vec![granted(&plane, 1).into()];
    let with = Request { grants: &grants, ..request(&one) };
    assert_eq!(batch(&[with, with], false), ["ALLOW grant_accepted", "REQUIRE_APPROVAL grant_spent"]);
}

#[test]
fn too_many_open_approvals_are_a_deny_that_says_so() {
    let plane = asking(2);
    assert!(ask_with(&plane, 1, &[], |_| ()).1.is_some());
    let second = ask_with(&plane, 2, &[], |_| ()).1.unwrap();
    assert_eq!(ask_with(&plane, 3, &[], |_| ()), ("DENY approvals_full".into(), None));
    assert!(ask_with(&plane, 1, &[], |_| ()).1.is_some(), "it is open already");
    let dry = ask_with(&plane, 3, &[], |r| r.dry_run = true);
    assert_eq!(dry, ("REQUIRE_APPROVAL approval_required".into(), None));
    answer(&plane, second, Verdict::Denial);
    assert!(ask_with(&plane, 3, &[], |_| ()).1.is_some());
    plane.clock().advance(60_000_000_000);
    plane.sweep();
    assert_eq!(plane.approvals().open_ones(), 0);
}

#[test]
fn a_grant_holds_while_its_rule_asks_for_the_same() {
    let plane = asking(10);
    let grant = granted(&plane, 1);
    install(&plane, &ASKS.replace("1.0.0", "1.1.0").replace("limit: 2", "limit: 3"));
    assert_eq!(ask_with(&plane, 1, &[&grant], |r| r.dry_run = true).0, "ALLOW grant_accepted");
    let open = ask_with(&plane, 2, &[], |_| ()).1.unwrap();
    install(&plane, &ASKS.replace("1.0.0", "1.2.0").replace("{expires", "{uses: 2, expires"));
    let standing = |id| plane.approvals().list(plane.clock().wall()).into_iter().find(|e: &Entry| e.id == id);
    assert_eq!(standing(open).unwrap().news.standing, Standing::Void);
    assert_eq!(plainly(&plane, &[&grant]), "REQUIRE_APPROVAL grant_mismatch");
    let denies = ASKS.replace("1.0.0", "1.3.0").replace("require_approval", "deny");
    let denies = denies.replace("    approval: {expires_in_seconds: 60}\n", "");
    install(&plane, &denies);
    assert_eq!(plainly(&plane, &[&grant]), "DENY rule", "a deny now wins");
}

#[test]
fn a_grant_ends_with_its_approval_and_the_reason_says_so() {
    let plane = asking(10);
    let grant = granted(&plane, 1);
    plane.clock().advance(60_000_000_000);
    let context = context(json!({"n": 1}));
    let grants = vec![grant.into_boxed_str()];
    let request = Request { grants: &grants, ..request(&context) };
    plane.authorize(&request, |answer| {
        assert_eq!(answer.decision.reason_code, ReasonCode::GrantExpired);
        assert_eq!(answer.decision.reason, "the grant is out of date; ask for a new approval");
        assert_eq!(answer.decision.rule.unwrap().as_str(), "ask-first");
    });
}

//! Approvals as people meet them: asked, listed, answered with a key, waited for, presented once.

use crate::binary::{Ended, Serving, eventually, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{self, ApprovalState};
use tonic::Code;

const BUNDLE: &str = r#"format: tollgate/v1
version: 1.0.0
rules:
  - id: pay-by-approval
    action: pay
    effect: require_approval
    approval: {role: treasurer, expires_in_seconds: 600}
    reason: A treasurer must agree
  - id: transfer-by-two
    action: transfer
    effect: require_approval
    approval: {approvers: 2, role: treasurer}
    reason: Two treasurers must agree
  - id: soon-too-late
    action: hurry
    effect: require_approval
    approval: {expires_in_seconds: 1}
    reason: Somebody must agree quickly
"#;

const TOKEN: &str = "correct-horse-battery-staple";

/// A running server with an admin socket and a token, and the keys of Ann, Bob and Cid. Cid is no
/// treasurer.
struct Office {
    folder: TempDir,
    serving: Serving,
}

impl Office {
    fn open(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("b.yaml"), BUNDLE).unwrap();
        fs::write(path.join("token"), TOKEN).unwrap();
        let line = |owner: &str, role: &str| {
            let out = format!("{owner}.key");
            let made = run(path, &["keygen", "--owner", owner, "--role", role, "--out", &out]);
            assert_eq!(made.code, 0, "{made:?}");
            made.stdout
        };
        let keys = line("ann", "treasurer") + &line("bob", "treasurer") + &line("cid", "clerk");
        fs::write(path.join("keys.yaml"), keys).unwrap();
        let usual = ["b.yaml", "--approver-keys", "keys.yaml", "--admin-uds", "admin.sock"];
        let token = ["--admin-token-file", "token"];
        let serving = Serving::start(path, &[&usual[..], &token, more].concat());
        Self { folder, serving }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command in the office.
    fn run(&self, args: &[&str]) -> Ended {
        run(self.path(), args)
    }

    fn ask(&self, action: &str, user: &str, more: &[&str]) -> Value {
        let address = self.serving.grpc.to_string();
        let args = ["authorize", "--address", &address, "-o", "json", "--action", action, "--user", user];
        self.run(&[&args[..], more].concat()).json()
    }

    fn approve(&self, id: &str, who: &str, more: &[&str]) -> Ended {
        let key = format!("{who}.key");
        let args = ["approve", id, "--key", &key, "--admin-uds", "admin.sock", "-o", "json"];
        self.run(&[&args[..], more].concat())
    }

    async fn wait(&self, id: &str) -> Result<tonic::Streaming<pb::WaitApprovalResponse>, tonic::Status> {
        let address = format!("http://{}", self.serving.grpc);
        let mut client = PolicyDecisionServiceClient::connect(address).await.unwrap();
        let sent = pb::WaitApprovalRequest { approval_id: id.into() };
        client.wait_approval(sent).await.map(tonic::Response::into_inner)
    }
}

fn code(decision: &Value) -> (&str, &str) {
    (decision["effect"].as_str().unwrap(), decision["reason_code"].as_str().unwrap())
}

fn approval_id(decision: &Value) -> String {
    decision["approval"]["id"].as_str().unwrap_or_else(|| panic!("{decision}")).into()
}

#[tokio::test]
async fn a_question_is_asked_answered_waited_for_and_its_grant_used_once() {
    let office = Office::open(&[]);
    let asked = office.ask("pay", "eve", &["-x", "amount=5"]);
    assert_eq!(code(&asked), ("REQUIRE_APPROVAL", "approval_required"));
    let id = approval_id(&asked);
    assert_eq!(approval_id(&office.ask("pay", "eve", &["-x", "amount=5", "--attempt", "2"])), id);
    let mut waiting = office.wait(&id).await.unwrap();
    let first = waiting.message().await.unwrap().unwrap();
    assert_eq!((first.state(), first.grant.as_str()), (ApprovalState::Pending, ""));

    let listed = office.run(&["approvals", "--admin-uds", "admin.sock", "-o", "json"]).json();
    let [one] = listed["approvals"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(one["approval"], asked["approval"]);
    assert_eq!((&one["state"], &one["rule_id"]), (&"PENDING".into(), &"pay-by-approval".into()));
    assert_eq!(one["asked"]["context"], serde_json::json!({"amount": 5}));
    let text = office.run(&["approvals", "--admin-uds", "admin.sock"]).stdout;
    assert!(text.contains("1 with the role treasurer, to run it once"), "{text}");

    let clerk = office.approve(&id, "cid", &[]);
    assert_eq!(clerk.code, 2, "{clerk:?}");
    assert!(clerk.stderr.contains("lacks the role that the rule asks for"), "{clerk:?}");
    let approved = office.approve(&id, "ann", &["--comment", "fine by me"]);
    assert_eq!((approved.code, &approved.json()["state"]), (0, &"GRANTED".into()), "{approved:?}");
    let news = waiting.message().await.unwrap().unwrap();
    assert_eq!((news.state(), news.comment.as_str()), (ApprovalState::Granted, "fine by me"));
    assert_eq!(waiting.message().await.unwrap(), None, "it ends with what is final");
    let again = office.wait(&id).await.unwrap().message().await.unwrap().unwrap();
    assert_eq!(again.grant, news.grant, "who comes later is answered at once");

    let other = office.ask("pay", "eve", &["-x", "amount=6", "--grant", &news.grant]);
    assert_eq!(code(&other), ("REQUIRE_APPROVAL", "grant_mismatch"));
    let forged = office.ask(
        "pay",
        "eve",
        &["-x", "amount=5", "--grant", &news.grant.replace("sig\":\"", "sig\":\"AA")],
    );
    assert_eq!(code(&forged), ("REQUIRE_APPROVAL", "grant_unverifiable"));
    let allowed = office.ask("pay", "eve", &["-x", "amount=5", "--grant", &news.grant]);
    assert_eq!(code(&allowed), ("ALLOW", "grant_accepted"));
    let spent = office.ask("pay", "eve", &["-x", "amount=5", "--grant", &news.grant]);
    assert_eq!(code(&spent), ("REQUIRE_APPROVAL", "grant_spent"));
    assert_eq!(spent["reason"], "the grant is used up; ask for a new approval");
    assert_ne!(approval_id(&spent), id);
}

#[tokio::test]
async fn two_approvers_one_of_them_offline_and_nobody_for_themselves() {
    let office = Office::open(&[]);
    let asked = office.ask("transfer", "bob", &[]);
    let id = approval_id(&asked);
    let half = office.approve(&id, "ann", &[]);
    assert_eq!((half.code, &half.json()["signed_by"]), (1, &serde_json::json!(["ann"])), "{half:?}");
    let own = office.approve(&id, "bob", &[]);
    assert!(own.stderr.contains("nobody approves their own request"), "{own:?}");

    // Offline: the same request of somebody else, signed from what Authorize answered.
    let asked = office.ask("transfer", "eve", &[]);
    fs::write(office.path().join("asked.json"), asked.to_string()).unwrap();
    let one = office.run(&["grant", "asked.json", "--key", "ann.key"]);
    fs::write(office.path().join("grant.json"), &one.stdout).unwrap();
    let alone = office.ask("transfer", "eve", &["--grant", "grant.json"]);
    assert_eq!(code(&alone), ("REQUIRE_APPROVAL", "grant_unverifiable"));
    let two = office.run(&["grant", "--add", "grant.json", "--key", "bob.key"]);
    fs::write(office.path().join("grant.json"), &two.stdout).unwrap();
    let allowed = office.ask("transfer", "eve", &["--grant", "grant.json"]);
    assert_eq!(code(&allowed), ("ALLOW", "grant_accepted"), "{allowed}");
    let dry = office.ask("transfer", "eve", &["--dry-run", "--grant", "grant.json"]);
    assert_eq!(code(&dry), ("REQUIRE_APPROVAL", "grant_spent"));
    fs::write(office.path().join("dry.json"), dry.to_string()).unwrap();
    let nothing = office.run(&["grant", "dry.json", "--key", "ann.key"]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("`id` is missing: was it only looked at"), "{nothing:?}");
}

#[tokio::test]
async fn a_denial_and_an_expiry_reach_who_waits() {
    let office = Office::open(&[]);
    let id = approval_id(&office.ask("pay", "eve", &[]));
    let mut waiting = office.wait(&id).await.unwrap();
    waiting.message().await.unwrap();
    let denied = office.approve(&id, "bob", &["--deny", "--comment", "not on a Friday"]);
    assert_eq!(denied.json()["state"], "DENIED", "{denied:?}");
    let news = waiting.message().await.unwrap().unwrap();
    assert_eq!((news.state(), news.comment.as_str()), (ApprovalState::Denied, "not on a Friday"));
    let late = office.approve(&id, "ann", &[]);
    assert_eq!(late.code, 2, "{late:?}");
    assert!(late.stderr.contains("it is not open any longer"), "{late:?}");

    let id = approval_id(&office.ask("hurry", "eve", &[]));
    let mut waiting = office.wait(&id).await.unwrap();
    waiting.message().await.unwrap();
    assert_eq!(waiting.message().await.unwrap().unwrap().state(), ApprovalState::Expired);
    let unknown = office.wait("018bcfe5-6800-7000-8000-000000000001").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(unknown.message().contains("opened at another instance, or ended long ago"), "{unknown}");
    assert_eq!(office.wait("x").await.unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn a_key_that_is_taken_out_counts_no_longer() {
    let office = Office::open(&[]);
    let id = approval_id(&office.ask("pay", "eve", &[]));
    let file = office.path().join("keys.yaml");
    let without_ann: String =
        fs::read_to_string(&file).unwrap().lines().skip(1).map(|line| format!("{line}\n")).collect();
    fs::write(&file, without_ann).unwrap();
    office.serving.signal("HUP");
    eventually("Ann is unknown", || {
        // A denial would end it; as long as it counts, this is a grant and ends it too.
        let refused = office.approve(&id, "cid", &[]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let listed = office.run(&["approvals", "--admin-uds", "admin.sock", "-o", "json"]).json();
        (listed["approvals"].as_array().unwrap().len() == 1).then_some(())
    });
}

#[tokio::test]
async fn a_drain_ends_the_wait() {
    let mut office = Office::open(&[]);
    let id = approval_id(&office.ask("pay", "eve", &[]));
    let mut waiting = office.wait(&id).await.unwrap();
    waiting.message().await.unwrap();
    office.serving.signal("TERM");
    assert_eq!(waiting.message().await.unwrap_err().code(), Code::Unavailable);
    drop(waiting);
    assert_eq!(office.serving.wait().code(), Some(0));
    assert!(!office.path().join("admin.sock").exists());
}

#[test]
fn grants_end_with_an_unclean_end_and_outlive_a_clean_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    let made = run(folder.path(), &["keygen", "--owner", "ann", "--role", "treasurer", "--out", "k"]);
    fs::write(folder.path().join("keys.yaml"), made.stdout).unwrap();
    let args = ["b.yaml", "--approver-keys", "keys.yaml", "--state-dir", "state"];
    let start = || Serving::start(folder.path(), &args);
    let ask = |serving: &Serving, more: &[&str]| {
        let address = serving.grpc.to_string();
        run(
            folder.path(),
            &[&["authorize", "--address", &address, "-o", "json", "--action", "pay"], more].concat(),
        )
        .json()
    };
    let mut first = start();
    fs::write(folder.path().join("asked.json"), ask(&first, &[]).to_string()).unwrap();
    let grant = run(folder.path(), &["grant", "asked.json", "--key", "k"]).stdout;
    fs::write(folder.path().join("grant.json"), grant).unwrap();
    first.signal("TERM");
    first.wait();
    let mut second = start();
    let open = approval_id(&ask(&second, &["-x", "n=1"]));
    assert_eq!(code(&ask(&second, &["--grant", "grant.json"])), ("ALLOW", "grant_accepted"));
    second.signal("TERM");
    second.wait();
    let mut third = start();
    assert_eq!(code(&ask(&third, &["--grant", "grant.json"])), ("REQUIRE_APPROVAL", "grant_spent"));
    let asked = ask(&third, &["-x", "n=1"]);
    assert_eq!(approval_id(&asked), open, "it is open as before");
    fs::write(folder.path().join("asked.json"), asked.to_string()).unwrap();
    let grant = run(folder.path(), &["grant", "asked.json", "--key", "k"]).stdout;
    fs::write(folder.path().join("grant.json"), grant).unwrap();
    third.signal("KILL");
    third.wait();
    let fourth = start();
    let mismatch = ask(&fourth, &["-x", "n=1", "--grant", "grant.json"]);
    assert_eq!(code(&mismatch), ("REQUIRE_APPROVAL", "grant_mismatch"));
}

#[test]
fn the_admin_service_is_for_who_may() {
    let office = Office::open(&[]);
    let mode = fs::metadata(office.path().join("admin.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let address = office.serving.grpc.to_string();
    let list = |more: &[&str]| office.run(&[&["approvals", "--address", &address], more].concat());
    assert_eq!(list(&["--admin-token-file", "token"]).code, 0);
    fs::write(office.path().join("wrong"), "incorrect-horse-battery-staple").unwrap();
    let wrong = list(&["--admin-token-file", "wrong"]);
    assert_eq!(wrong.code, 3);
    assert!(wrong.stderr.contains("the token is not that of the server's `admin_token_file`"), "{wrong:?}");
    let nothing = list(&[]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("name its `--admin-uds PATH`"), "{nothing:?}");

    let closed = Serving::start(office.path(), &["b.yaml"]);
    let address = closed.grpc.to_string();
    let off = office.run(&["approvals", "--address", &address, "--admin-token-file", "token"]);
    assert_eq!(off.code, 3);
    assert!(off.stderr.contains("there is no service `tollgate.v1.AdminService` here"), "{off:?}");
}

#[test]
fn keys_are_kept_safe_and_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let keygen = || run(path, &["keygen", "--owner", "ann@example.com", "--out", "a.key"]);
    let made = keygen();
    assert!(
        made.stdout.starts_with("- {owner: \"ann@example.com\", roles: [\"approver\"], key: \"ed25519:"),
        "{made:?}"
    );
    assert_eq!(fs::metadata(path.join("a.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read_to_string(path.join("a.key")).unwrap();
    let again = keygen();
    assert_eq!(again.code, 3);
    assert!(
        again.stderr.contains("a.key: the private key cannot be written; it is never written over"),
        "{again:?}"
    );
    assert_eq!(fs::read_to_string(path.join("a.key")).unwrap(), before);

    fs::write(path.join("b.yaml"), BUNDLE).unwrap();
    for (file, text, want) in [
        ("keys.yaml", "", "keys.yaml:1:1: `the file` is null; write a list"),
        ("keys.yaml", &before, "keys.yaml:1:"),
        ("token", "short", "token: an admin token is one line of at least 16 letters"),
    ] {
        fs::write(path.join("keys.yaml"), &made.stdout).unwrap();
        fs::write(path.join("token"), TOKEN).unwrap();
        fs::write(path.join(file), text).unwrap();
        let args = ["serve", "b.yaml", "--approver-keys", "keys.yaml", "--admin-token-file", "token"];
        let refused = run(path, &args);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(want), "{want}: {refused:?}");
    }
    let args = ["serve", "b.yaml", "--grpc", "0.0.0.0:0", "--admin-token-file", "token"];
    let open = run(path, &args);
    assert_eq!(open.code, 2);
    assert!(open.stderr.contains("the admin token would travel unencrypted"), "{open:?}");
    fs::write(path.join("not.json"), r#"{"approval": {"request_digest": "sha256:00"}, "asked": {}}"#)
        .unwrap();
    let other = run(path, &["grant", "not.json", "--key", "a.key"]);
    assert!(other.stderr.contains("is not the digest of what is shown as asked"), "{other:?}");
    let public = run(path, &["grant", "not.json", "--key", "keys.yaml"]);
    assert!(public.stderr.contains("is no private key of ed25519"), "{public:?}");
}

#[test]
fn more_questions_than_fit_are_denied_and_counted() {
    let office = Office::open(&["--max-open-approvals", "1"]);
    approval_id(&office.ask("pay", "eve", &["-x", "n=1"]));
    let full = office.ask("pay", "eve", &["-x", "n=2"]);
    assert_eq!(code(&full), ("DENY", "approvals_full"));
    assert!(full["reason"].as_str().unwrap().contains("too many approvals are open already"), "{full}");
    eventually("both are counted", || {
        let (_, page) = office.serving.get("/metrics");
        let has = |line: &str| page.lines().any(|own| own == line);
        (has("tollgate_approvals_open 1") && has("tollgate_approvals_total{became=\"opened\"} 1"))
            .then_some(())
    });
}

//! The life of approvals, without any edge.

use super::*;
use tollgate_engine::id::Digest;
use tollgate_engine::read::SourceFile;
use tollgate_engine::sign::{Grant, PrivateKey, Rejected, Verdict};
use tollgate_engine::unit::Span;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

fn at(seconds: i64) -> WallTime {
    WallTime::from_nanos((1_700_000_000 + seconds) * SECOND)
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_seed(&[number; 32])
}

fn approvers() -> Approvers {
    let line = |owner: &str, number: u8| {
        format!("- {{owner: {owner}, role: approver, key: \"{}\"}}\n", key(number).public())
    };
    let text = line("ann", 1) + &line("bob", 2) + &line("eve", 3);
    Approvers::read(&SourceFile { name: "keys.yaml", bytes: text.as_bytes() }).0.unwrap()
}

fn approvals(most: usize) -> Approvals {
    Approvals::new(Uuid::from_u128(1), approvers(), most)
}

fn rule() -> RuleId {
    RuleId::parse("ask-first").unwrap()
}

fn wants(approvers: u32, uses: u32) -> Approval {
    Approval { approvers, uses, expires_in: Span::from_nanos(60_000_000_000), ..Approval::default() }
}

/// Asks what is said, as Eve.
fn ask(approvals: &Approvals, what: &str, wants: &Approval, now: WallTime) -> Result<Entry, Full> {
    let rule = rule();
    let number = u128::try_from(approvals.list(now).len()).unwrap();
    approvals.open(&question(what, wants, &rule), now, || Uuid::from_u128(1_000 + number))
}

fn question<'a>(what: &'a str, approval: &'a Approval, rule: &'a RuleId) -> Question<'a> {
    let asker = Asker { user: "eve", ..Asker::default() };
    Question { digest: Digest::of(what.as_bytes()), rule, approval, asker, asked: what.as_bytes() }
}

fn answer(approvals: &Approvals, entry: &Entry, verdict: Verdict, number: u8) -> Result<Entry, Undecided> {
    let envelope = approvals.grant(entry).sign(verdict, &key(number));
    approvals.decide(entry.id, &envelope, "why not", entry.opened_at)
}

fn grant_of(entry: &Entry) -> Arc<str> {
    match &entry.news.standing {
        Standing::Granted(grant) => Arc::clone(grant),
        other => panic!("{other:?}"),
    }
}

fn present(approvals: &Approvals, grant: &str, wants: &Approval, now: WallTime) -> Result<Token, Refused> {
    let rule = rule();
    let token = approvals.verify([grant], &question("a", wants, &rule), &[], now);
    token.map_err(|refused| refused.expect("one was presented"))
}

#[test]
fn one_question_has_one_approval_until_its_grant_is_spent() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let first = ask(&approvals, "a", &wants, at(0)).unwrap();
    assert_eq!(ask(&approvals, "a", &wants, at(30)).unwrap(), first);
    assert_ne!(ask(&approvals, "b", &wants, at(30)).unwrap().id, first.id);

    let granted = answer(&approvals, &first, Verdict::Grant, 1).unwrap();
    let again = ask(&approvals, "a", &wants, at(40)).unwrap();
    assert_eq!((again.id, &again.news), (first.id, &granted.news), "its grant can still be used");
    let token = present(&approvals, &grant_of(&granted), &wants, at(41)).unwrap();
    approvals.spend(vec![token]).unwrap().commit();
    assert_eq!(present(&approvals, &grant_of(&granted), &wants, at(42)), Err(Refused::Spent));
    let fresh = ask(&approvals, "a", &wants, at(43)).unwrap();
    assert_ne!(fresh.id, first.id);
    assert_eq!((fresh.news.standing, fresh.opened_at), (Standing::Pending, at(43)));
    assert_eq!(approvals.sweep(at(44)), [], "it was answered, which is known");
}

#[test]
fn an_approval_whose_grant_was_signed_elsewhere_and_spent_ends_and_is_told_of_once() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let offline = approvals.grant(&entry).sign(Verdict::Grant, &key(2)).to_text();
    let token = present(&approvals, &offline, &wants, at(1)).unwrap();
    approvals.spend(vec![token]).unwrap().commit();
    assert_ne!(ask(&approvals, "a", &wants, at(2)).unwrap().id, entry.id);
    let ended = approvals.sweep(at(3));
    let told: Vec<_> = ended.iter().map(|one| (one.id, &one.news.standing)).collect();
    assert_eq!(told, [(entry.id, &Standing::Void)]);
    assert_eq!(approvals.sweep(at(4)), []);
}

#[test]
fn two_approvers_are_two_owners_none_of_whom_asks() {
    let (approvals, wants) = (approvals(10), wants(2, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let after = answer(&approvals, &entry, Verdict::Grant, 1).unwrap();
    assert_eq!(after.news.standing, Standing::Pending);
    assert_eq!(approvals.signed_by(&after), ["ann"]);
    let again = answer(&approvals, &entry, Verdict::Grant, 1).unwrap();
    assert_eq!((again.news.standing.clone(), approvals.signed_by(&again).len()), (Standing::Pending, 1));
    let own = answer(&approvals, &entry, Verdict::Grant, 3);
    assert_eq!(own, Err(Undecided::Signature(Rejected::OwnRequest)));
    let done = answer(&approvals, &entry, Verdict::Grant, 2).unwrap();
    assert!(present(&approvals, &grant_of(&done), &wants, at(1)).is_ok());
    assert_eq!(answer(&approvals, &entry, Verdict::Grant, 2), Err(Undecided::Over));
}

#[test]
fn what_is_no_answer_changes_nothing() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let grant = approvals.grant(&entry);
    let decide = |envelope: &Envelope| approvals.decide(entry.id, envelope, "", at(1));
    assert_eq!(decide(&grant.unsigned(Verdict::Grant)), Err(Undecided::Unsigned));
    let stranger = grant.sign(Verdict::Grant, &key(9));
    assert_eq!(decide(&stranger), Err(Undecided::Signature(Rejected::UnknownKey)));
    let more = Grant { uses: 9, ..grant.clone() };
    assert_eq!(decide(&more.sign(Verdict::Grant, &key(1))), Err(Undecided::OtherApproval));
    let else_ = Envelope::new("text/plain", grant.payload()).sign(&key(1));
    assert_eq!(decide(&else_), Err(Undecided::NoAnswer));
    let unknown = approvals.decide(Uuid::from_u128(5), &grant.sign(Verdict::Grant, &key(1)), "", at(1));
    assert_eq!(unknown, Err(Undecided::Unknown));
    assert_eq!(approvals.list(at(1)), [entry]);
}

#[test]
fn a_denial_stands_against_grants_signed_elsewhere() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let offline = approvals.grant(&entry).sign(Verdict::Grant, &key(2)).to_text();
    assert!(present(&approvals, &offline, &wants, at(1)).is_ok());
    let denied = answer(&approvals, &entry, Verdict::Denial, 1).unwrap();
    assert_eq!((denied.news.standing, &*denied.news.comment), (Standing::Denied, "why not"));
    assert_eq!(present(&approvals, &offline, &wants, at(1)), Err(Refused::Withdrawn));
    assert_ne!(ask(&approvals, "a", &wants, at(2)).unwrap().id, entry.id, "it may be asked again");
}

#[test]
fn an_approval_that_nobody_answers_expires_and_is_forgotten_later() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let mut watch = approvals.watch(entry.id, at(0)).unwrap();
    assert_eq!(approvals.sweep(at(59)), []);
    assert_eq!(approvals.list(at(60)).len(), 1, "who looks first does not keep it from the sweep");
    let expired = approvals.sweep(at(60));
    assert_eq!(expired.iter().map(|entry| entry.id).collect::<Vec<_>>(), [entry.id]);
    assert!(watch.has_changed().unwrap());
    assert_eq!(watch.borrow_and_update().standing, Standing::Expired);
    assert_eq!(answer(&approvals, &entry, Verdict::Grant, 1), Err(Undecided::Over));
    assert_eq!(approvals.list(at(61)).len(), 1);
    assert_eq!(approvals.sweep(WallTime::from_nanos(at(60).nanos() + HOUR)), []);
    assert!(approvals.watch(entry.id, at(0)).is_none());
}

#[test]
fn a_rule_that_asks_for_something_else_voids_what_it_asked() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let open = ask(&approvals, "a", &wants, at(0)).unwrap();
    let granted = ask(&approvals, "b", &wants, at(0)).unwrap();
    let granted = answer(&approvals, &granted, Verdict::Grant, 1).unwrap();
    assert_eq!(approvals.void_unless(|_, own| *own == wants), []);
    let stricter = Approval { approvers: 2, ..wants.clone() };
    assert_eq!(approvals.void_unless(|_, own| *own == stricter).len(), 2);
    assert_eq!(answer(&approvals, &open, Verdict::Grant, 1), Err(Undecided::Over));
    let rule = rule();
    let late = approvals.verify([&*grant_of(&granted)], &question("b", &wants, &rule), &[], at(1));
    assert_eq!(late, Err(Some(Refused::Withdrawn)));
    // Where the rule changed before the table was told.
    let old = ask(&approvals, "c", &wants, at(2)).unwrap();
    assert_ne!(ask(&approvals, "c", &stricter, at(2)).unwrap().id, old.id);
    assert_eq!(approvals.open_ones(), 1);
}

#[test]
fn the_table_is_bounded_in_number_and_in_bytes() {
    let (small, wants) = (approvals(2), wants(1, 1));
    ask(&small, "a", &wants, at(0)).unwrap();
    let second = ask(&small, "b", &wants, at(1)).unwrap();
    assert_eq!(ask(&small, "c", &wants, at(1)), Err(Full));
    assert_eq!(ask(&small, "b", &wants, at(1)).unwrap().id, second.id, "it is open already");
    answer(&small, &second, Verdict::Denial, 1).unwrap();
    ask(&small, "c", &wants, at(2)).unwrap();
    for round in 0..20 {
        let now = at(100 + 100 * round);
        let entry = ask(&small, &round.to_string(), &wants, now).unwrap();
        answer(&small, &entry, Verdict::Denial, 1).unwrap();
        assert!(small.list(now).len() <= 4, "those that ended are bounded too");
    }
    let large = approvals(1_000);
    let megabyte = "x".repeat(1 << 20);
    let opened = (0..100).take_while(|n| ask(&large, &format!("{n}{megabyte}"), &wants, at(0)).is_ok());
    assert_eq!(opened.count(), 63);
}

#[test]
fn of_several_grants_one_that_holds_is_enough_and_else_the_last_tells_why() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let grant = approvals.grant(&entry);
    let good = grant.sign(Verdict::Grant, &key(1)).to_text();
    let forged = grant.sign(Verdict::Grant, &key(9)).to_text();
    let rule = rule();
    let ask = |grants: &[&str]| {
        approvals
            .verify(grants.iter().copied(), &question("a", &wants, &rule), &[], at(1))
            .map(|token| token.id)
    };
    assert_eq!(ask(&["", &forged, &good]), Ok(entry.id));
    assert_eq!(ask(&[&forged, ""]), Err(Some(Refused::NoEnvelope)));
    assert_eq!(ask(&[]), Err(None));
}

#[test]
fn a_clean_restart_changes_nothing_and_another_instance_knows_nothing() {
    let (before, wants) = (approvals(10), wants(2, 1));
    let paths =
        Approval { bind: tollgate_engine::model::Bind::Paths(vec![vec!["x".into()]]), ..wants.clone() };
    let entry = ask(&before, "a", &wants, at(0)).unwrap();
    answer(&before, &entry, Verdict::Grant, 1).unwrap();
    ask(&before, "b", &paths, at(0)).unwrap();
    before.spend(vec![Token { id: entry.id, uses: 1, expires_at: at(60) }]).unwrap().commit();
    let json = serde_json::to_vec(&before.export()).unwrap();
    let saved: SavedApprovals = serde_json::from_slice(&json).unwrap();

    let after = approvals(10);
    after.import(&saved);
    assert_eq!(after.export(), saved);
    assert_eq!(after.list(at(1)), before.list(at(1)));
    let done = answer(&after, &entry, Verdict::Grant, 2).unwrap();
    assert_eq!(present(&after, &grant_of(&done), &wants, at(1)), Err(Refused::Spent));

    let other = Approvals::new(Uuid::from_u128(2), approvers(), 10);
    other.import(&saved);
    assert_eq!(other.list(at(1)), []);
    let stale = present(&other, &grant_of(&done), &wants, at(1));
    assert_eq!(stale, Err(Refused::OtherInstance));
}

#[test]
fn of_many_threads_one_uses_a_grant_for_one_use() {
    let (approvals, wants) = (approvals(10), wants(1, 1));
    let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
    let grant = approvals.grant(&entry).sign(Verdict::Grant, &key(1)).to_text();
    let won = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let Ok(token) = present(&approvals, &grant, &wants, at(1)) else { return };
                if let Some(spending) = approvals.spend(vec![token]) {
                    spending.commit();
                    won.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn answers_that_come_at_once_all_count() {
    let wants = wants(2, 1);
    for _ in 0..50 {
        let approvals = approvals(10);
        let entry = ask(&approvals, "a", &wants, at(0)).unwrap();
        std::thread::scope(|scope| {
            for number in [1, 2] {
                let (approvals, entry) = (&approvals, &entry);
                scope.spawn(move || answer(approvals, entry, Verdict::Grant, number).unwrap());
            }
        });
        let now = approvals.list(at(1)).remove(0);
        assert!(present(&approvals, &grant_of(&now), &wants, at(1)).is_ok());
    }
}

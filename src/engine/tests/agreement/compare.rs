//! Runs cases on all cores, counts what was compared, and reports the first pair on which two answers differ.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::engine;
use crate::generate;
use crate::naive::{self, Expected};
use crate::shrink::{Pair, shrink};

/// What was compared, and what was not.
#[derive(Default)]
pub struct Tally {
    /// Compared answers by what they say.
    pub answers: BTreeMap<String, u64>,
    pub whens: u64,
    /// Expressions that the engine refuses at load, some of them with its words.
    pub refused: u64,
    pub refusals: Vec<String>,
}

impl Tally {
    pub fn count(&mut self, answer: String) {
        *self.answers.entry(answer).or_default() += 1;
    }

    pub fn compared(&self) -> u64 {
        self.answers.values().sum()
    }

    fn add(&mut self, other: Self) {
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self.whens += other.whens;
        self.refused += other.refused;
        self.refusals.extend(other.refusals);
        self.refusals.truncate(12);
    }

    /// A generator that has lost a kind of answer compares less than it says.
    pub fn assert_worth(&self) {
        assert!(self.refused * 5 <= self.whens, "{} of {} `when` refused", self.refused, self.whens);
        let all = self.compared();
        for (part, percent) in [
            ("ALLOW rule", 5),
            ("DENY rule", 5),
            ("REQUIRE_APPROVAL approval_required", 5),
            ("DENY condition_error", 2),
            ("REQUIRE_APPROVAL condition_error", 1),
            ("ALLOW default_allow", 5),
            ("DENY default_deny", 5),
            ("ALLOW default_enqueue", 1),
        ] {
            let count = self.answers.get(part).copied().unwrap_or_default();
            assert!(count * 100 >= all * percent, "`{part}` decided {count} of {all} pairs");
        }
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = self.compared();
        writeln!(f, "{all} compared, {} of {} `when` refused", self.refused, self.whens)?;
        for (answer, count) in &self.answers {
            writeln!(f, "{:6.2} %  {answer}", *count as f64 * 100.0 / all as f64)?;
        }
        self.refusals.iter().try_for_each(|refusal| writeln!(f, "refused: {refusal}"))
    }
}

/// Runs `one` for every index, on every core; panics with the words of the lowest index that fails.
pub fn in_threads(range: Range<u64>, one: impl Fn(u64) -> Result<Tally, String> + Sync) -> Tally {
    let next = AtomicU64::new(range.start);
    let failed = AtomicBool::new(false);
    let work = || {
        let (mut tally, mut failure) = (Tally::default(), None);
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= range.end {
                break;
            }
            match one(index) {
                Ok(part) => tally.add(part),
                Err(words) => {
                    failed.store(true, Ordering::Relaxed);
                    failure = Some((index, words));
                }
            }
        }
        (tally, failure)
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        // The parser needs more stack than a test's thread has.
        let start = |_| std::thread::Builder::new().stack_size(16 << 20).spawn_scoped(scope, work);
        let threads: Vec<_> = (0..cores).map(start).collect();
        threads.into_iter().map(|thread| thread.unwrap().join().unwrap()).collect()
    });
    let (tallies, failures): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    if let Some((_, words)) = failures.into_iter().flatten().min_by_key(|(index, _)| *index) {
        panic!("{words}");
    }
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.add(tally));
    all
}

/// Compares engine and interpreter on one bundle and its requests.
pub fn case(seed: u64, index: u64, requests: usize) -> Result<Tally, String> {
    let mut case = generate::case(seed, index, requests);
    let mut tally = Tally::default();
    let whens = case.bundle["rules"].as_array().into_iter().flatten().filter(|r| r["when"].is_string());
    tally.whens = whens.count() as u64;
    let answers = match ask(&case.bundle, &case.asked, case.server_environment) {
        Ok(answers) => answers,
        Err(_) => {
            drop_refused(&mut case.bundle, &mut tally);
            ask(&case.bundle, &case.asked, case.server_environment).map_err(|words| {
                format!(
                    "seed {seed}, bundle {index}: refused, though its `when` are not\n{words}\n{}",
                    case.bundle
                )
            })?
        }
    };
    for ((request, now), engine) in case.asked.iter().zip(answers) {
        let naive = naive::decide(&case.bundle, request, *now, case.server_environment);
        if naive != engine {
            let (bundle, request, server_environment) =
                (case.bundle.clone(), request.clone(), case.server_environment);
            return Err(report(Pair { bundle, request, now: *now, server_environment }, seed, index));
        }
        tally.count(format!("{} {}", naive.effect, naive.reason_code));
    }
    Ok(tally)
}

fn ask(
    bundle: &Json,
    asked: &[(Json, Timestamp)],
    server_environment: &str,
) -> Result<Vec<Expected>, String> {
    engine::decide(&bundle.to_string(), asked, server_environment)
}

/// Takes out the rules whose `when` alone is refused at load: a type check, a constant that errs.
fn drop_refused(bundle: &mut Json, tally: &mut Tally) {
    let rules = bundle["rules"].as_array().cloned().unwrap_or_default();
    let data = bundle["data"].clone();
    let kept = rules.into_iter().filter(|rule| {
        let Some(source) = rule["when"].as_str() else {
            return true;
        };
        let alone = one_rule(source, &data);
        let refusal = ask(&alone, &[], "default").err();
        if let Some(words) = &refusal {
            tally.refused += 1;
            tally.refusals.push(format!("`{source}`: {words}"));
        }
        refusal.is_none()
    });
    let kept: Vec<Json> = kept.collect();
    bundle["rules"] = Json::Array(kept);
}

/// A bundle with nothing in it but one `when`.
fn one_rule(source: &str, data: &Json) -> Json {
    json!({
        "format": "tollgate/v1", "version": "1.0.0", "data": data,
        "rules": [{"id": "rule-0", "effect": "allow", "reason": "made by the generator", "when": source}],
    })
}

/// Shrinks a pair on which the two differ and says all that repeats it.
pub fn report(pair: Pair, seed: u64, index: u64) -> String {
    let both = |pair: &Pair| {
        let asked = [(pair.request.clone(), pair.now)];
        let engine = ask(&pair.bundle, &asked, pair.server_environment).ok()?.pop()?;
        let naive = naive::decide(&pair.bundle, &pair.request, pair.now, pair.server_environment);
        Some((engine, naive))
    };
    let small = shrink(pair, &|pair| both(pair).is_some_and(|(engine, naive)| engine != naive));
    let (engine, naive) = both(&small).unwrap_or_default();
    format!(
        "the engine and the naive interpreter differ\n\
         bundle: {:#}\nrequest: {:#}\nnow: {}\nserver environment: {}\nengine: {:#}\nnaive: {:#}\n\
         seed {seed}, bundle {index}; repeat with TOLLGATE_SEED={seed} TOLLGATE_BUNDLE={index}",
        small.bundle,
        small.request,
        small.now,
        small.server_environment,
        engine.to_json(),
        naive.to_json(),
    )
}

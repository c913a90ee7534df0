//! Three limits of one request, in Tollgate and in libraries that limit rates.
//!
//! Each writes or looks up its key anew for every request. Only Tollgate charges all three or
//! none, and says what is left of each; `governor`'s three limiters are asked one after the other,
//! and what the first has taken stays taken when the second refuses.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota};
use limitador::RateLimiter;
use limitador::limit::{Context, Limit};
use tollgate_engine::model::guardrail::Algorithm;

use super::stage::{Hand, MANY, SECOND, Stage, Three, name, only, rate_limit};
use super::{Entry, Made, Peer, ROUNDS};

/// How many limits there are of which one matches.
const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// What nobody reaches who asks with one key.
const PLENTY: u32 = 50_000_000;

struct Ours<'s> {
    hand: Hand<'s>,
    decides: bool,
}

/// Key by key, in an order that no cache guesses.
struct Keys {
    keys: usize,
    turn: usize,
    key: String,
}

struct Governor {
    limiters: [DefaultKeyedRateLimiter<String>; 3],
    keys: Keys,
}

struct Limitador {
    limiter: RateLimiter,
    keys: Keys,
}

/// Prints the tables.
pub fn print() -> Result<(), Box<dyn std::error::Error>> {
    println!("\nns for three limits: median (minimum to maximum) of {ROUNDS} rounds, and of the rounds' ratios.\n");
    println!("| keys | 1 | {MANY} |\n|---|---|---|");
    let made: [(&str, fn(usize) -> Made); 4] = [
        ("tollgate, sliding windows", |keys| Ok(ours(Stage::with(Three::Windows, keys), keys, false))),
        ("tollgate, token buckets", |keys| Ok(ours(Stage::with(Three::Buckets, keys), keys, false))),
        ("governor, token buckets", governor),
        ("limitador, fixed windows", limitador),
    ];
    table(&made, [1, MANY]);
    println!("\nns for a decision over so many limits, of which one matches.\n");
    println!("| limits | {} |", SIZES.map(|n| n.to_string()).join(" | "));
    println!("|---|{}", "---|".repeat(SIZES.len()));
    let made: [(&str, fn(usize) -> Made); 2] = [
        ("tollgate, with 10,000 rules", |limits| Ok(ours(of_tenants(limits), 1, true))),
        ("limitador", limitador_of_tenants),
    ];
    table(&made, SIZES);
    Ok(())
}

fn table<const N: usize>(made: &[(&str, fn(usize) -> Made)], columns: [usize; N]) {
    let mut rows: Vec<Vec<String>> = made.iter().map(|_| Vec::new()).collect();
    for column in columns {
        let mut entries: Vec<Result<Entry, String>> =
            made.iter().map(|(_, make)| Entry::new(make(column))).collect();
        for _ in 0..ROUNDS {
            entries.iter_mut().flatten().for_each(Entry::take_turn);
        }
        let ours = entries.first().and_then(|entry| entry.as_ref().ok());
        let ours = ours.map(|entry| entry.nanos.clone()).unwrap_or_default();
        for (row, entry) in rows.iter_mut().zip(&entries) {
            row.push(entry.as_ref().map_or_else(String::clone, |entry| entry.cell(&ours)));
        }
    }
    for ((what, _), row) in made.iter().zip(rows) {
        println!("| {what} | {} |", row.join(" | "));
    }
}

/// It stays until the process ends.
fn ours(stage: Stage, keys: usize, decides: bool) -> Box<dyn Peer> {
    let stage: &'static Stage = Box::leak(Box::new(stage));
    Box::new(Ours { hand: stage.hand(keys, (0, 1), 0), decides })
}

impl Peer for Ours<'_> {
    fn allows(&mut self, _: usize) -> bool {
        let before = self.hand.refused;
        if self.decides { self.hand.decide() } else { self.hand.charge() }
        self.hand.refused == before
    }
}

fn of_tenants(limits: usize) -> Stage {
    let mut tenant = String::new();
    let made = (0..limits).map(|number| {
        name(&mut tenant, number);
        let limit = rate_limit(&format!("limit-{number}"), PLENTY.into(), SECOND, Algorithm::SlidingWindow);
        only(&tenant, limit)
    });
    Stage::of(made.collect())
}

impl Keys {
    fn of(keys: usize) -> Self {
        Self { keys, turn: 0, key: String::new() }
    }

    fn next(&mut self) -> &String {
        self.turn = self.turn.wrapping_add(1);
        name(&mut self.key, self.turn.wrapping_mul(0x9e37_79b1) % self.keys);
        &self.key
    }
}

fn governor(keys: usize) -> Made {
    let plenty = NonZeroU32::new(PLENTY).ok_or("no limit")?;
    let few = Quota::with_period(Duration::from_millis(40)).ok_or("no quota")?;
    let few = few.allow_burst(NonZeroU32::new(10).ok_or("no burst")?);
    let quota = if keys == 1 { Quota::per_second(plenty) } else { few };
    let limiters = [(); 3].map(|()| DefaultKeyedRateLimiter::keyed(quota));
    filled(Governor { limiters, keys: Keys::of(keys) }, keys)
}

impl Peer for Governor {
    fn allows(&mut self, _: usize) -> bool {
        let key = self.keys.next();
        self.limiters.iter().all(|limiter| limiter.check_key(key).is_ok())
    }
}

fn limitador(keys: usize) -> Made {
    let limiter = RateLimiter::new(4 * keys as u64);
    let most = if keys == 1 { PLENTY } else { 10 };
    for seconds in [1, 2, 3] {
        limiter.add_limit(Limit::new("bench", most.into(), seconds, vec![], vec!["tenant".try_into()?]));
    }
    filled(Limitador { limiter, keys: Keys::of(keys) }, keys)
}

fn limitador_of_tenants(limits: usize) -> Made {
    let limiter = RateLimiter::new(4 * limits as u64);
    let mut tenant = String::new();
    for number in 0..limits {
        name(&mut tenant, number);
        let about = vec![format!("tenant == '{tenant}'").try_into()?];
        limiter.add_limit(Limit::new("bench", PLENTY.into(), 1, about, vec!["tenant".try_into()?]));
    }
    filled(Limitador { limiter, keys: Keys::of(1) }, 1)
}

impl Peer for Limitador {
    fn allows(&mut self, _: usize) -> bool {
        let tenant = self.keys.next().clone();
        let context = Context::from(HashMap::from([("tenant".to_owned(), tenant)]));
        let answer = self.limiter.check_rate_limited_and_update(&"bench".into(), &context, 1);
        answer.is_ok_and(|answer| !answer.limited)
    }
}

/// With all its keys there, each of which must be admitted once.
fn filled(mut peer: impl Peer + 'static, keys: usize) -> Made {
    if (0..keys).any(|at| !peer.allows(at)) {
        return Err("it refuses a key that is new".into());
    }
    Ok(Box::new(peer))
}

//! Makes a failing pair small: drops rules, conditions and fields, and cuts `when` down, while it still fails.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::naive_value::special_number;

/// One bundle and one request.
#[derive(Clone)]
pub struct Pair {
    pub bundle: Json,
    pub request: Json,
    pub now: Timestamp,
    pub server_environment: &'static str,
}

/// Enough for most pairs; a big bundle of many rules that all matter is left as far as it came.
const TRIES: usize = 8_000;

/// The smallest pair found for which `fails` is still true.
pub fn shrink(mut pair: Pair, fails: &dyn Fn(&Pair) -> bool) -> Pair {
    let mut tries = 0;
    loop {
        let of_bundle = smaller(&pair.bundle).into_iter().map(|bundle| Pair { bundle, ..pair.clone() });
        let of_request = smaller(&pair.request).into_iter().map(|request| Pair { request, ..pair.clone() });
        let mut candidates = of_bundle.chain(of_request).take(TRIES.saturating_sub(tries));
        let found = candidates.find(|candidate| {
            tries += 1;
            fails(candidate)
        });
        match found {
            Some(candidate) => pair = candidate,
            None => return pair,
        }
    }
}

/// The documents that are one step smaller, the biggest steps first.
fn smaller(json: &Json) -> Vec<Json> {
    match json {
        Json::Array(items) => smaller_list(items),
        Json::Object(_) if special_number(json).is_some() => Vec::new(),
        Json::Object(fields) => smaller_map(fields),
        _ => Vec::new(),
    }
}

fn smaller_list(items: &[Json]) -> Vec<Json> {
    let mut all = Vec::new();
    let mut chunk = items.len();
    while chunk > 0 {
        for start in (0..items.len()).step_by(chunk) {
            let end = (start + chunk).min(items.len());
            all.push(Json::Array([&items[..start], &items[end..]].concat()));
        }
        chunk /= 2;
    }
    for (at, item) in items.iter().enumerate() {
        for less in smaller(item) {
            let mut copy = items.to_vec();
            copy[at] = less;
            all.push(Json::Array(copy));
        }
    }
    all
}

fn smaller_map(fields: &Map<String, Json>) -> Vec<Json> {
    let mut all = Vec::new();
    for key in fields.keys() {
        let mut copy = fields.clone();
        copy.remove(key);
        all.push(Json::Object(copy));
    }
    for (key, value) in fields {
        let less = match (key.as_str(), value) {
            ("when", Json::String(source)) => smaller_when(source).into_iter().map(Json::from).collect(),
            _ => smaller(value),
        };
        for value in less {
            let mut copy = fields.clone();
            copy.insert(key.clone(), value);
            all.push(Json::Object(copy));
        }
    }
    all
}

/// Parts of an expression in the place of the whole, constants in the place of parts. Not all of them parse.
fn smaller_when(source: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for operator in [" && ", " || "] {
        all.extend(source.split(operator).map(str::to_owned));
    }
    for (open, close) in groups(source) {
        let inside = &source[open + 1..close];
        all.push(inside.to_owned());
        for constant in ["true", "false", "1", "\"a\"", inside] {
            all.push(format!("{}{constant}{}", &source[..open], &source[close + 1..]));
        }
    }
    all.retain(|candidate| candidate.len() < source.len());
    all.sort_by_key(String::len);
    all.dedup();
    all
}

/// The places of the pairs of parentheses.
fn groups(source: &str) -> Vec<(usize, usize)> {
    let (mut open, mut pairs) = (Vec::new(), Vec::new());
    for (at, c) in source.char_indices() {
        match c {
            '(' => open.push(at),
            ')' => pairs.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Pair, shrink};
    use crate::{generate, naive};

    /// A decider with a mistake: it takes an error for an absence.
    fn mistaken(pair: &Pair) -> bool {
        let answer = naive::decide(&pair.bundle, &pair.request, pair.now, pair.server_environment);
        answer.reason_code == "condition_error" && answer.effect == "DENY"
    }

    #[test]
    fn a_mistake_is_cut_down_to_one_rule() {
        for index in 0..2000 {
            let case = generate::case(7, index, 3);
            for (request, now) in case.asked {
                let (bundle, server_environment) = (case.bundle.clone(), case.server_environment);
                let pair = Pair { bundle, request, now, server_environment };
                if !mistaken(&pair) {
                    continue;
                }
                let small = shrink(pair, &mistaken);
                let rules = small.bundle["rules"].as_array().expect("the rules are kept");
                assert_eq!(rules.len(), 1, "{}", small.bundle);
                let fields = rules[0].as_object().expect("a rule is a map");
                assert!(fields.len() <= 3, "{}", small.bundle);
                assert!(small.request.to_string().len() < 80, "{}", small.request);
                return;
            }
        }
        unreachable!("2,000 bundles hold a deny by error");
    }

    #[test]
    fn a_when_is_cut_at_its_parentheses() {
        let source = "(context.a && ((context.b == 1) || has(context.c)))";
        let all = super::smaller_when(source);
        for want in ["context.b == 1", "(context.a && (context.b == 1 || has(context.c)))"] {
            assert!(all.iter().any(|c| c == want), "`{want}` is missing from {all:?}");
        }
        assert_eq!(super::smaller(&json!([1, 2])).len(), 3);
    }
}

//! The name that was probably meant.

/// Longer names are not compared: nobody mistypes them, and the comparison is quadratic.
const LONGEST: usize = 64;

/// Of more names than this only the first are compared.
const MOST: usize = 256;

/// The nearest of these names, where one is near enough to be meant.
#[must_use]
pub fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if wrong.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', ' '], "_");
    let wrong = plain(wrong);
    let most = wrong.chars().count().div_ceil(3);
    let distance = |name: &str| {
        let name = plain(name);
        let distance = strsim::damerau_levenshtein(&wrong, &name);
        (distance <= most || shares_most(&wrong, &name) || is_part(&wrong, &name)).then_some(distance)
    };
    let near = names.into_iter().take(MOST).filter(|name| name.len() <= LONGEST);
    let near = near.filter_map(|name| Some((distance(name)?, name)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// Whether one starts as the other does: `max_tools` and `max_tool_calls`.
fn shares_most(wrong: &str, name: &str) -> bool {
    let shared = wrong.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    shared >= 3 && shared * 4 >= wrong.chars().count() * 3
}

/// Whether one stands in the other: `prio` and `priority`, `breaker` and `circuit_breaker`. What
/// is negated does not stand for its negation.
fn is_part(wrong: &str, name: &str) -> bool {
    const SHORTEST: usize = 3;
    let (short, long) = if wrong.len() < name.len() { (wrong, name) } else { (name, wrong) };
    short.len() >= SHORTEST && long.contains(short) && !wrong.starts_with("not")
}

/// `a`, `b`, `c`
#[must_use]
pub fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

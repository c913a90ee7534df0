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
    let far = |name: &str| strsim::damerau_levenshtein(&wrong, &plain(name));
    names
        .into_iter()
        .take(MOST)
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (far(name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `a`, `b`, `c`
#[must_use]
pub fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

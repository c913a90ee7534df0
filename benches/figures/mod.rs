//! Medians with what lies around them, as tables show them.

/// The middle one; 0 of none.
pub fn median(all: &[f64]) -> f64 {
    let mut sorted = all.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// `median (min to max)` of what was measured, each shown so.
pub fn spread(all: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} ({} to {})", show(median(all)), show(least), show(most))
}

/// How busy the machine is, as its kernel says: figures of a busy one are worth less.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = load.split(' ').next().filter(|text| !text.is_empty());
    minute.map_or_else(|| "unknown".to_owned(), str::to_owned)
}

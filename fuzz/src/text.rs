//! Inputs of several parts: a line of `%%%%` begins the next one.

const NEXT: &[u8] = b"\n%%%%\n";

/// The parts, the line ends before the marks included.
pub(crate) fn parts(input: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), input);
    while let Some(at) = rest.windows(NEXT.len()).position(|window| window == NEXT) {
        parts.push(&rest[..=at]);
        rest = &rest[at + NEXT.len()..];
    }
    parts.push(rest);
    parts
}

/// The first two parts as text; the second is empty where there is none. `None`: they are not.
pub(crate) fn two(input: &[u8]) -> Option<(&str, &str)> {
    let parts = parts(input);
    let text = |at: usize| std::str::from_utf8(parts.get(at).copied().unwrap_or_default()).ok();
    Some((text(0)?, text(1)?))
}

//! Amounts in flags, read as documents spell them.

use tollgate_engine::model::Place;
use tollgate_engine::read::Findings;
use tollgate_engine::read::form::Field;
use tollgate_engine::read::tree::{Content, Node};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A span of time such as `300ms`, `1.5s`, `2m`, `1h30m`; a bare number is seconds. A minus before
/// it makes it negative: what a server may say and nobody can wait for.
pub fn span(text: &str) -> Result<prost_types::Duration, String> {
    let (sign, plain) = match text.strip_prefix('-') {
        Some(plain) => (-1, plain),
        None => (1, text),
    };
    let content = match plain.parse::<f64>() {
        Ok(seconds) => Content::Number(seconds),
        Err(_) => Content::Text(plain.into()),
    };
    let node = Node { place: Place::default(), content };
    let mut found = Findings::new(vec!["flag".into()]);
    let Some(span) = Field::document("the time", &node).duration(&mut found) else {
        return Err("write seconds, or a text such as `300ms`, `1.5s`, `2m`, `1h30m`".to_owned());
    };
    let (seconds, nanos) = (span.nanos() / NANOS_PER_SECOND, span.nanos() % NANOS_PER_SECOND);
    Ok(prost_types::Duration {
        seconds: i64::from(sign) * i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: sign * i32::try_from(nanos).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spelled_as_in_documents() {
        let of = |text: &str| span(text).map(|span| (span.seconds, span.nanos));
        assert_eq!(of("20s"), Ok((20, 0)));
        assert_eq!(of("1.5"), Ok((1, 500_000_000)));
        assert_eq!(of("1h30m"), Ok((5_400, 0)));
        assert_eq!(of("-250ms"), Ok((0, -250_000_000)));
        assert!(of("soon").is_err() && of("").is_err() && of("nan").is_err() && of("1e99").is_err());
    }
}

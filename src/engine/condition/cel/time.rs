//! Times and durations, as the CEL specification defines them.

use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A time: how long after 1970 in UTC. jiff's timestamps end a day before CEL's do.
pub(super) type Time = SignedDuration;

/// The first and last second that CEL's timestamps can be.
const YEARS_1_TO_9999: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// CEL's longest duration: 10,000 years, in seconds.
const LONGEST_SECONDS: i64 = 315_576_000_000;

/// What an accessor asks of a time or a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl Part {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "getFullYear" => Self::FullYear,
            "getMonth" => Self::Month,
            "getDate" => Self::Date,
            "getDayOfMonth" => Self::DayOfMonth,
            "getDayOfWeek" => Self::DayOfWeek,
            "getDayOfYear" => Self::DayOfYear,
            "getHours" => Self::Hours,
            "getMinutes" => Self::Minutes,
            "getSeconds" => Self::Seconds,
            "getMilliseconds" => Self::Milliseconds,
            _ => return None,
        })
    }

    /// Whether a duration has it.
    pub(super) const fn fits_duration(self) -> bool {
        matches!(self, Self::Hours | Self::Minutes | Self::Seconds | Self::Milliseconds)
    }

    /// This part of a time, in a zone.
    pub(super) fn of_time(self, time: Time, zone: &TimeZone) -> Option<i64> {
        let nearest = Timestamp::from_duration(time).unwrap_or(Timestamp::MAX);
        let ahead = SignedDuration::from_secs(zone.to_offset(nearest).seconds().into());
        let (local, cycles) = local_time(time.checked_add(ahead)?)?;
        Some(match self {
            Self::FullYear => i64::from(local.year()) + 400 * cycles,
            Self::Month => i64::from(local.month()) - 1,
            Self::Date => local.day().into(),
            Self::DayOfMonth => i64::from(local.day()) - 1,
            Self::DayOfWeek => local.weekday().to_sunday_zero_offset().into(),
            Self::DayOfYear => i64::from(local.day_of_year()) - 1,
            Self::Hours => local.hour().into(),
            Self::Minutes => local.minute().into(),
            Self::Seconds => local.second().into(),
            Self::Milliseconds => local.millisecond().into(),
        })
    }

    /// This part of a duration: the whole of it in that unit; of milliseconds what is beyond
    /// whole seconds.
    pub(super) const fn of_duration(self, span: SignedDuration) -> Option<i64> {
        match self {
            Self::Hours => Some(span.as_hours()),
            Self::Minutes => Some(span.as_mins()),
            Self::Seconds => Some(span.as_secs()),
            Self::Milliseconds => Some(span.subsec_millis() as i64),
            _ => None,
        }
    }
}

/// The date and time of the clock in UTC.
fn civil(time: Time) -> Option<DateTime> {
    date(1970, 1, 1).at(0, 0, 0, 0).checked_add(time).ok()
}

/// The date and time of the clock, and how many cycles of 400 years beyond: east of Greenwich
/// the last hours of the year 9999 are in the year 10000, where jiff does not go. The calendar
/// repeats after 400 years, days of the week included.
fn local_time(time: Time) -> Option<(DateTime, i64)> {
    const CYCLE: SignedDuration = SignedDuration::from_hours(146_097 * 24);
    match civil(time) {
        Some(clock) => Some((clock, 0)),
        None => civil(time.checked_sub(CYCLE)?).map(|clock| (clock, 1)),
    }
}

/// The zone of this name: an IANA name, or an offset such as `+02:00`.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if name.starts_with(['+', '-']) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let signed = if name.starts_with(['+', '-']) { name.to_owned() } else { format!("+{name}") };
        return Offset::from_seconds(offset_seconds(&signed)?).ok().map(TimeZone::fixed);
    }
    TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())
}

/// The seconds of `+02:00`: a sign, two digits, a colon, two digits.
fn offset_seconds(text: &str) -> Option<i32> {
    let [sign, h1, h2, b':', m1, m2] = text.as_bytes() else { return None };
    let digit = |b: &u8| b.is_ascii_digit().then(|| i32::from(b - b'0'));
    let (hours, minutes) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
    let seconds = hours * 3600 + minutes * 60;
    let fits = hours <= 23 && minutes <= 59;
    match sign {
        b'+' => fits.then_some(seconds),
        b'-' => fits.then_some(-seconds),
        _ => None,
    }
}

/// A time within CEL's years, or nothing.
pub(super) fn in_range(time: Time) -> Option<Time> {
    let floor = time.as_secs() - i64::from(time.subsec_nanos() < 0);
    YEARS_1_TO_9999.contains(&floor).then_some(time)
}

/// A duration within CEL's range, or nothing.
pub(super) fn span_in_range(span: SignedDuration) -> Option<SignedDuration> {
    (span.abs() <= SignedDuration::from_secs(LONGEST_SECONDS)).then_some(span)
}

/// Reads an RFC 3339 time, with `Z` or an offset.
pub(super) fn parse_time(text: &str) -> Option<Time> {
    let zoned = text.len().checked_sub(if text.ends_with(['Z', 'z']) { 1 } else { 6 })?;
    let (clock, zone) = text.split_at_checked(zoned)?;
    let ahead = if zone.len() == 1 { 0 } else { offset_seconds(zone)? };
    let local = parse_clock(clock)?;
    let since = local.duration_since(date(1970, 1, 1).at(0, 0, 0, 0));
    since.checked_sub(SignedDuration::from_secs(ahead.into())).and_then(in_range)
}

/// `2024-02-29T12:30:00.5`, and nothing else that jiff would read.
fn parse_clock(text: &str) -> Option<DateTime> {
    let shape = |(at, b): (usize, &u8)| match at {
        4 | 7 => *b == b'-',
        10 => matches!(b, b'T' | b't'),
        13 | 16 => *b == b':',
        17 => (b'0'..=b'5').contains(b),
        19 => *b == b'.',
        _ => b.is_ascii_digit(),
    };
    let whole = text.len() == 19 || (21..=29).contains(&text.len());
    let shaped = whole && text.bytes().enumerate().all(|(at, b)| shape((at, &b)));
    shaped.then(|| text.parse().ok()).flatten()
}

/// A time as RFC 3339 has it, in UTC.
pub(super) fn show_time(time: Time) -> Option<String> {
    civil(time).map(|clock| format!("{clock}Z"))
}

/// Reads a duration such as `1h30m`, `-1.5s` or `100ms`.
pub(super) fn parse_span(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, tail) = rest.split_at(number);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        nanos = nanos.checked_add(part_nanos(digits, unit)?)?;
        rest = tail;
    }
    if text.trim_start_matches(['-', '+']).is_empty() {
        return None;
    }
    let nanos = if negative { -nanos } else { nanos };
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    let beyond = i32::try_from(nanos % 1_000_000_000).ok()?;
    span_in_range(SignedDuration::new(seconds, beyond))
}

fn part_nanos(digits: &str, unit: &str) -> Option<i128> {
    let scale: i128 = match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = whole.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        nanos += i128::from(digit - b'0') * place;
    }
    Some(nanos)
}

/// A duration as CEL writes it: seconds with what fraction they have.
pub(super) fn show_span(span: SignedDuration) -> String {
    let sign = if span.is_negative() { "-" } else { "" };
    let (seconds, nanos) = (span.as_secs().unsigned_abs(), span.subsec_nanos().unsigned_abs());
    if nanos == 0 {
        return format!("{sign}{seconds}s");
    }
    let fraction = format!("{nanos:09}");
    format!("{sign}{seconds}.{}s", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_cel_says() {
        for (text, want) in [
            ("1h30m", Some(5_400_000)),
            ("-1.5s", Some(-1_500)),
            ("100ms", Some(100)),
            ("0", Some(0)),
            (".5s", Some(500)),
            ("", None),
            ("-", None),
            ("1", None),
            ("1d", None),
            ("1..5s", None),
            ("s", None),
            ("99999999999999999999h", None),
        ] {
            let got = parse_span(text).map(|s| s.as_millis());
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn times_are_rfc_3339_and_nothing_else() {
        for (text, want) in [
            ("2024-02-29T00:00:00Z", true),
            ("2024-02-29T00:00:00.123+02:00", true),
            ("2023-02-29T00:00:00Z", false),
            ("2024-02-29 00:00:00Z", false),
            ("2024-02-29T00:00:00", false),
            ("2024-02-29", false),
            ("2024-02-29T00:00:00+02:00[Europe/Berlin]", false),
            ("10000-01-01T00:00:00Z", false),
            ("0000-01-01T00:00:00Z", false),
            ("9999-12-31T23:59:59.999999999Z", true),
            ("9999-12-31T23:59:59-00:01", false),
            ("2024-01-01T23:59:60Z", false),
            ("2024-01-01T23:59:00+25:00", false),
            ("2024-01-01T23:59:00+2:00", false),
            ("2024-01-01T23:59:00.Z", false),
        ] {
            assert_eq!(parse_time(text).is_some(), want, "{text}");
        }
    }

    #[test]
    fn zones_are_names_or_offsets() {
        for (name, want) in [
            ("Europe/Berlin", true),
            ("UTC", true),
            ("+02:00", true),
            ("-11:30", true),
            ("02:00", true),
            ("Europe/Berlim", false),
            ("+2", false),
            ("++2:00", false),
            ("+-2:00", false),
            ("Etc/Unknown", false),
            ("", false),
        ] {
            assert_eq!(zone(name).is_some(), want, "{name}");
        }
    }
}

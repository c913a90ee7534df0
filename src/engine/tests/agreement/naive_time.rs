//! Timestamps and durations of `when`: RFC 3339, units from `h` to `ns`, accessors with time zones.

use jiff::tz::TimeZone;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// 0001-01-01T00:00:00Z, the first instant that CEL knows.
pub const FIRST: i128 = -62_135_596_800 * SECOND;
/// 9999-12-31T23:59:59.999999999Z, the last one.
pub const LAST: i128 = 253_402_300_800 * SECOND - 1;

/// The longest duration: 10,000 years, as protobuf has it.
pub const LONGEST: i128 = 315_576_000_000 * SECOND;

/// An RFC 3339 string as nanoseconds since 1970.
pub fn parse_timestamp(text: &str) -> Option<i128> {
    let b = text.as_bytes();
    let shape = b.len() >= 20 && b[4] == b'-' && b[7] == b'-' && b[13] == b':' && b[16] == b':';
    if !shape || !matches!(b[10], b'T' | b't') {
        return None;
    }
    let (year, month, day) = (digits(&b[0..4])?, digits(&b[5..7])?, digits(&b[8..10])?);
    let (hour, minute, second) = (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
    if !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, zone) = fraction(&b[19..])?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
    let at = i128::from(seconds) * SECOND + i128::from(nanos);
    (FIRST..=LAST).contains(&at).then_some(at)
}

/// A number, digits only.
fn digits(b: &[u8]) -> Option<i64> {
    b.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

/// The nanoseconds of `.123` and what follows them.
fn fraction(b: &[u8]) -> Option<(i64, &[u8])> {
    let Some(b'.') = b.first() else {
        return Some((0, b));
    };
    let count = b[1..].iter().take_while(|d| d.is_ascii_digit()).count();
    let kept: Vec<u8> = b[1..=count].iter().copied().chain([b'0'; 9]).take(9).collect();
    (count > 0).then_some((digits(&kept)?, &b[count + 1..]))
}

/// The seconds east of `Z` or `+hh:mm`.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (h, m) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let east = h * 3600 + m * 60;
            (h <= 23 && m <= 59).then_some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let to_year = before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let to_month: i64 = (1..month).map(|m| month_days(year, m)).sum();
    to_year + to_month + day - 1 - 719_162
}

/// `1h30m`, `-1.5s`: numbers with units, as nanoseconds. `0` needs none.
pub fn parse_duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (-1, rest),
        Some(("+", rest)) => (1, rest),
        _ => (1, text),
    };
    if rest.is_empty() || rest == "0" {
        return (rest == "0").then_some(0);
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "h" => 3600 * SECOND,
            "m" => 60 * SECOND,
            "s" => SECOND,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        total += scaled(number, scale)?;
        rest = after;
    }
    Some(sign * total)
}

/// A decimal number times `scale`, what is finer than a nanosecond cut off.
fn scaled(number: &str, scale: i128) -> Option<i128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && part.is_empty()) || number.len() > 25 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part_value: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    Some(whole * scale + part_value * scale / 10_i128.pow(u32::try_from(part.len()).ok()?))
}

/// `string(duration)`: seconds.
pub fn write_duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.abs();
    format!("{sign}{}{}s", size / SECOND, write_fraction(size % SECOND))
}

/// `string(timestamp)`: RFC 3339 in UTC.
pub fn write_timestamp(at: i128) -> String {
    let c = Civil::new(at, 0);
    let (h, m, s) = (c.second / 3600, c.second / 60 % 60, c.second % 60);
    let part = write_fraction(c.nanos);
    format!("{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}{part}Z", c.year, c.month, c.day)
}

fn write_fraction(nanos: i128) -> String {
    if nanos == 0 {
        return String::new();
    }
    format!(".{nanos:09}").trim_end_matches('0').to_owned()
}

/// An instant as a calendar and a clock on the wall show it.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    weekday: i64,
    second: i64,
    nanos: i128,
}

impl Civil {
    fn new(at: i128, east: i64) -> Self {
        let local = at + i128::from(east) * SECOND;
        let day_number = local.div_euclid(DAY) as i64;
        let in_day = local.rem_euclid(DAY);
        // The first year of the cycle of 400 years that the day falls into.
        let mut year = 1 + 400 * (day_number - days(1, 1, 1)).div_euclid(146_097);
        while days(year + 1, 1, 1) <= day_number {
            year += 1;
        }
        let day_of_year = day_number - days(year, 1, 1);
        let mut month = 1;
        while month < 12 && days(year, month + 1, 1) <= day_number {
            month += 1;
        }
        Self {
            year,
            month,
            day: day_number - days(year, month, 1) + 1,
            day_of_year,
            weekday: (day_number + 4).rem_euclid(7),
            second: (in_day / SECOND) as i64,
            nanos: in_day % SECOND,
        }
    }
}

/// `t.getHours(zone)` and its like; none where accessor or zone is unknown.
pub fn accessor(name: &str, at: i128, zone: &str) -> Option<i64> {
    let c = Civil::new(at, zone_offset(zone, at)?);
    Some(match name {
        "getFullYear" => c.year,
        "getMonth" => c.month - 1,
        "getDate" => c.day,
        "getDayOfMonth" => c.day - 1,
        "getDayOfWeek" => c.weekday,
        "getDayOfYear" => c.day_of_year,
        "getHours" => c.second / 3600,
        "getMinutes" => c.second / 60 % 60,
        "getSeconds" => c.second % 60,
        "getMilliseconds" => (c.nanos / 1_000_000) as i64,
        _ => return None,
    })
}

/// `d.getHours()` and its like: whole hours, minutes or seconds; of milliseconds what is left of the second.
pub fn duration_accessor(name: &str, nanos: i128) -> Option<i64> {
    let whole = match name {
        "getHours" => nanos / (3600 * SECOND),
        "getMinutes" => nanos / (60 * SECOND),
        "getSeconds" => nanos / SECOND,
        "getMilliseconds" => nanos / 1_000_000 % 1000,
        _ => return None,
    };
    i64::try_from(whole).ok()
}

/// Seconds east of UTC in a zone at an instant: `+hh:mm`, `hh:mm`, or a name of IANA's.
fn zone_offset(zone: &str, at: i128) -> Option<i64> {
    if zone.contains(':') {
        let signed = if zone.starts_with(['+', '-']) { zone.to_owned() } else { format!("+{zone}") };
        return offset(signed.as_bytes());
    }
    let zone = TimeZone::get(zone).ok()?;
    let within = at.clamp(jiff::Timestamp::MIN.as_nanosecond(), jiff::Timestamp::MAX.as_nanosecond());
    let at = jiff::Timestamp::from_nanosecond(within).ok()?;
    Some(i64::from(zone.to_offset(at).seconds()))
}

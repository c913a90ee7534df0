//! Plain scalars by YAML 1.2's core schema: `no` is text, `012` is twelve.

/// The largest whole number that is exact as a double.
pub const EXACT: f64 = 9_007_199_254_740_992.0;

/// What a plain scalar says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that a double holds; NaN and infinities only where they were written so.
    Number(f64),
    /// Anything else.
    Text,
    /// An integer beyond 2^53, or a number beyond what a double holds.
    TooLarge,
}

/// Reads a plain scalar.
#[must_use]
pub fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Number(f64::NAN),
        _ if starts_number(text) => number(text),
        _ => Scalar::Text,
    }
}

fn starts_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
}

fn number(text: &str) -> Scalar {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, text.get(1..).unwrap_or_default()),
        Some(b'+') => (1.0, text.get(1..).unwrap_or_default()),
        Some(_) | None => (1.0, text),
    };
    if matches!(rest, ".inf" | ".Inf" | ".INF") {
        return Scalar::Number(sign * f64::INFINITY);
    }
    match form(rest) {
        Form::Other => Scalar::Text,
        kind @ (Form::Integer | Form::Decimal) => match rest.parse::<f64>() {
            Ok(n) if !n.is_finite() => Scalar::TooLarge,
            Ok(n) if kind == Form::Integer && !fits(rest, n) => Scalar::TooLarge,
            Ok(n) => Scalar::Number(sign * n),
            Err(_) => Scalar::Text,
        },
    }
}

/// 2^53 + 1 rounds to 2^53, so the digits decide at the edge.
fn fits(digits: &str, n: f64) -> bool {
    n < EXACT || (n == EXACT && digits.trim_start_matches('0') == "9007199254740992")
}

fn radix(digits: &str, base: u32) -> Scalar {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Scalar::Text;
    }
    match u64::from_str_radix(digits, base) {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which is checked")]
        Ok(n) if n <= 1 << 53 => Scalar::Number(n as f64),
        Ok(_) | Err(_) => Scalar::TooLarge,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Integer,
    Decimal,
    Other,
}

/// `[0-9]+` is an integer; `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` a decimal.
fn form(text: &str) -> Form {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut rest = text.get(whole..).unwrap_or_default();
    if rest.is_empty() {
        return if whole == 0 { Form::Other } else { Form::Integer };
    }
    if let Some(behind) = rest.strip_prefix('.') {
        let fraction = digits(behind);
        if whole + fraction == 0 {
            return Form::Other;
        }
        rest = behind.get(fraction..).unwrap_or_default();
    } else if whole == 0 {
        return Form::Other;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        if count == 0 {
            return Form::Other;
        }
        rest = exponent.get(count..).unwrap_or_default();
    }
    if rest.is_empty() { Form::Decimal } else { Form::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_core_schema() {
        for (text, want) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("nUll", Scalar::Text),
            ("TRUE", Scalar::Bool(true)),
            ("no", Scalar::Text),
            ("yes", Scalar::Text),
            ("on", Scalar::Text),
            ("y", Scalar::Text),
            ("012", Scalar::Number(12.0)),
            ("-7", Scalar::Number(-7.0)),
            ("+7", Scalar::Number(7.0)),
            ("0x1F", Scalar::Number(31.0)),
            ("0o17", Scalar::Number(15.0)),
            ("0x", Scalar::Text),
            ("-0x1F", Scalar::Text),
            ("0b1", Scalar::Text),
            ("1_000", Scalar::Text),
            ("1:30", Scalar::Text),
            (".5", Scalar::Number(0.5)),
            ("5.", Scalar::Number(5.0)),
            ("1e3", Scalar::Number(1000.0)),
            ("1.5E-3", Scalar::Number(0.0015)),
            ("1e", Scalar::Text),
            (".", Scalar::Text),
            ("-", Scalar::Text),
            ("-.", Scalar::Text),
            (".e1", Scalar::Text),
            ("1.2.3", Scalar::Text),
            ("inf", Scalar::Text),
            ("nan", Scalar::Text),
            ("-.inf", Scalar::Number(f64::NEG_INFINITY)),
            ("9007199254740992", Scalar::Number(EXACT)),
            ("-9007199254740992", Scalar::Number(-EXACT)),
            ("9007199254740993", Scalar::TooLarge),
            ("-9007199254740993", Scalar::TooLarge),
            ("0x20000000000001", Scalar::TooLarge),
            ("0xfffffffffffffffffffff", Scalar::TooLarge),
            ("9007199254740993.0", Scalar::Number(EXACT)),
            ("1e400", Scalar::TooLarge),
            ("2026-11-21", Scalar::Text),
        ] {
            assert_eq!(resolve(text), want, "{text}");
        }
        assert!(matches!(resolve(".NaN"), Scalar::Number(n) if n.is_nan()));
    }
}

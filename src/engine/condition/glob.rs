//! Globs: `*` any run of characters, `?` one, `[a-z]` and `[!a-z]` classes, `{a,b}`
//! alternatives, `\` escapes. Case-sensitive; `*` crosses dots and slashes (design 1.4).

use std::fmt;
use std::hash::{Hash, Hasher};

/// The most alternatives that the braces of one glob may spell out.
pub const MAX_ALTERNATIVES: usize = 256;
/// The longest glob, in bytes (design 1.8).
pub const MAX_BYTES: usize = 256;

/// A glob that was checked when it was read.
#[derive(Clone)]
pub struct Glob {
    text: Box<str>,
    alternatives: Vec<Vec<Token>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Run,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Why a text is no glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A bracket or brace without its partner.
    #[error("`{0}` has no partner; write `\\{0}` to mean the character itself")]
    Unbalanced(char),
    /// `[]`
    #[error("`[]` is empty; name a character, or write `\\[` to mean the bracket itself")]
    EmptyClass,
    /// `[z-a]`
    #[error("the range `{0}-{1}` is empty; write the lower character first")]
    EmptyRange(char, char),
    /// A `\` at the end.
    #[error("the `\\` at the end escapes nothing; write `\\\\` to mean the character itself")]
    TrailingEscape,
    /// Braces that spell out too much.
    #[error("the braces spell out more than {MAX_ALTERNATIVES} alternatives; use fewer, or `*`")]
    TooManyAlternatives,
    /// Longer than [`MAX_BYTES`].
    #[error("a glob has at most {MAX_BYTES} bytes; this one has {0}")]
    TooLong(usize),
}

impl Glob {
    /// Whether the text has a character that means something in a glob.
    #[must_use]
    pub fn is_glob(text: &str) -> bool {
        text.contains(['*', '?', '[', '{', '\\'])
    }

    /// Reads a glob.
    ///
    /// # Errors
    /// Says what is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > MAX_BYTES {
            return Err(GlobError::TooLong(text.len()));
        }
        let mut rest = text.chars().peekable();
        let alternatives = parse_sequence(&mut rest, Depth::Top)?;
        Ok(Self { text: text.into(), alternatives })
    }

    /// The glob as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How much it spells out: characters and signs over all alternatives.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.alternatives.iter().map(Vec::len).sum()
    }

    /// Whether the whole text fits. Time grows at most with the product of both lengths.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.alternatives.iter().any(|tokens| fits(tokens, text))
    }

    /// Whether each alternative is no more than its [`Anchor`]: a text, or one with a `*` at one
    /// end.
    #[must_use]
    pub fn is_anchor(&self) -> bool {
        self.alternatives.iter().all(|tokens| {
            let runs = tokens.iter().filter(|token| **token == Token::Run).count();
            let literals = tokens.iter().filter(|token| matches!(token, Token::Char(_))).count();
            let at_an_end = tokens.first() == Some(&Token::Run) || tokens.last() == Some(&Token::Run);
            literals == tokens.len()
                || (literals > 0 && runs == 1 && literals + 1 == tokens.len() && at_an_end)
        })
    }

    /// What each alternative pins down, for an index.
    pub fn anchors(&self) -> impl Iterator<Item = Anchor> + '_ {
        self.alternatives.iter().map(|tokens| anchor(tokens))
    }
}

/// What one alternative of a glob pins down about the texts that it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// It fits this text only.
    Exact(String),
    /// Every text it fits starts so.
    Prefix(String),
    /// Every text it fits ends so.
    Suffix(String),
    /// Every text it fits holds this somewhere.
    Inside(String),
    /// Nothing.
    Nothing,
}

fn anchor(tokens: &[Token]) -> Anchor {
    let literal = |token: &Token| match token {
        Token::Char(c) => Some(*c),
        Token::One | Token::Run | Token::Class { .. } => None,
    };
    let prefix: String = tokens.iter().map_while(literal).collect();
    if prefix.chars().count() == tokens.len() {
        return Anchor::Exact(prefix);
    }
    if !prefix.is_empty() {
        return Anchor::Prefix(prefix);
    }
    let mut suffix: Vec<char> = tokens.iter().rev().map_while(literal).collect();
    suffix.reverse();
    if !suffix.is_empty() {
        return Anchor::Suffix(suffix.into_iter().collect());
    }
    let literals = tokens.split(|token| literal(token).is_none());
    match literals.max_by_key(|run| run.len()) {
        Some(longest) if !longest.is_empty() => Anchor::Inside(longest.iter().filter_map(literal).collect()),
        _ => Anchor::Nothing,
    }
}

/// Greedy with one step back to the last `*`: `O(tokens * text)` at worst.
fn fits(tokens: &[Token], text: &str) -> bool {
    let (mut pattern, mut input) = (tokens, text);
    let mut retry: Option<(&[Token], &str)> = None;
    loop {
        let step = match pattern.split_first() {
            Some((Token::Run, rest)) => {
                retry = Some((rest, input));
                pattern = rest;
                continue;
            }
            Some((token, rest)) => {
                let mut chars = input.chars();
                chars.next().filter(|c| token.takes(*c)).map(|_| (rest, chars.as_str()))
            }
            None if input.is_empty() => return true,
            None => None,
        };
        if let Some(next) = step {
            (pattern, input) = next;
            continue;
        }
        let Some((after_run, from)) = retry else {
            return false;
        };
        let mut chars = from.chars();
        if chars.next().is_none() {
            return false;
        }
        retry = Some((after_run, chars.as_str()));
        (pattern, input) = (after_run, chars.as_str());
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One => true,
            Self::Run => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Top,
    Braces,
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Reads up to the end (at the top) or up to `,` or `}` (inside braces, left unread).
fn parse_sequence(rest: &mut Chars<'_>, depth: Depth) -> Result<Vec<Vec<Token>>, GlobError> {
    let mut open = vec![Vec::new()];
    while let Some(&c) = rest.peek() {
        if depth == Depth::Braces && matches!(c, ',' | '}') {
            break;
        }
        rest.next();
        let token = match c {
            '*' => Token::Run,
            '?' => Token::One,
            '[' => parse_class(rest)?,
            ']' if depth == Depth::Top => Token::Char(']'),
            '{' => {
                open = extend(&open, &parse_braces(rest)?)?;
                continue;
            }
            '}' => return Err(GlobError::Unbalanced('}')),
            '\\' => Token::Char(rest.next().ok_or(GlobError::TrailingEscape)?),
            plain => Token::Char(plain),
        };
        for tokens in &mut open {
            if token != Token::Run || tokens.last() != Some(&Token::Run) {
                tokens.push(token.clone());
            }
        }
    }
    Ok(open)
}

fn parse_braces(rest: &mut Chars<'_>) -> Result<Vec<Vec<Token>>, GlobError> {
    let mut choices = Vec::new();
    loop {
        choices.extend(parse_sequence(rest, Depth::Braces)?);
        if choices.len() > MAX_ALTERNATIVES {
            return Err(GlobError::TooManyAlternatives);
        }
        match rest.next() {
            Some(',') => {}
            Some(_) => return Ok(choices),
            None => return Err(GlobError::Unbalanced('{')),
        }
    }
}

fn extend(heads: &[Vec<Token>], tails: &[Vec<Token>]) -> Result<Vec<Vec<Token>>, GlobError> {
    if heads.len().saturating_mul(tails.len()) > MAX_ALTERNATIVES {
        return Err(GlobError::TooManyAlternatives);
    }
    let pair = |head: &Vec<Token>, tail: &Vec<Token>| {
        let mut both = head.clone();
        both.extend_from_slice(tail);
        both.dedup_by(|a, b| *a == Token::Run && *b == Token::Run);
        both
    };
    Ok(heads.iter().flat_map(|head| tails.iter().map(move |tail| pair(head, tail))).collect())
}

fn parse_class(rest: &mut Chars<'_>) -> Result<Token, GlobError> {
    let negated = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match rest.next().ok_or(GlobError::Unbalanced('['))? {
            ']' if ranges.is_empty() => return Err(GlobError::EmptyClass),
            ']' => return Ok(Token::Class { negated, ranges }),
            '\\' => rest.next().ok_or(GlobError::TrailingEscape)?,
            plain => plain,
        };
        let mut ahead = rest.clone();
        let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
        let high = if is_range {
            rest.next();
            match rest.next().ok_or(GlobError::Unbalanced('['))? {
                '\\' => rest.next().ok_or(GlobError::TrailingEscape)?,
                plain => plain,
            }
        } else {
            low
        };
        if high < low {
            return Err(GlobError::EmptyRange(low, high));
        }
        ranges.push((low, high));
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.text)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Hash for Glob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_means_what_the_page_says() {
        for (glob, text, want) in [
            ("*", "", true),
            ("sql.*", "sql.write", true),
            ("sql.*", "sql/a.b", false),
            ("sql*", "sql/a.b", true),
            ("*.write", "sql.write", true),
            ("a*b*c", "axxbxbxc", true),
            ("a*b*c", "axxbxbx", false),
            ("?", "é", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]", "x", false),
            ("{a,b}c", "bc", true),
            ("{a,b{c,d}}", "bd", true),
            ("{a,}x", "x", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[a\\]]", "]", true),
            ("kyc-*", "KYC-1", false),
        ] {
            let got = Glob::parse(glob).is_ok_and(|g| g.matches(text));
            assert_eq!(got, want, "{glob} {text}");
        }
    }

    #[test]
    fn what_is_no_glob_says_why() {
        for (glob, want) in [
            ("[a", GlobError::Unbalanced('[')),
            ("{a", GlobError::Unbalanced('{')),
            ("a}", GlobError::Unbalanced('}')),
            ("[]", GlobError::EmptyClass),
            ("[z-a]", GlobError::EmptyRange('z', 'a')),
            ("a\\", GlobError::TrailingEscape),
            (&"{a,b}".repeat(9), GlobError::TooManyAlternatives),
            (&"a".repeat(257), GlobError::TooLong(257)),
        ] {
            assert_eq!(Glob::parse(glob), Err(want), "{glob}");
        }
    }

    #[test]
    fn a_glob_made_to_backtrack_ends() {
        let glob = Glob::parse(&"a*".repeat(128)).unwrap();
        let hostile = format!("{}b", "ab".repeat(127));
        assert!(!glob.matches(&hostile));
        assert!(glob.matches(&"a".repeat(4_096)));
    }

    #[test]
    fn anchors_say_what_is_pinned() {
        let anchors = |glob| Glob::parse(glob).unwrap().anchors().collect::<Vec<_>>();
        assert_eq!(anchors("a{b,c*}"), [Anchor::Exact("ab".into()), Anchor::Prefix("ac".into())]);
        assert_eq!(anchors("*.x"), [Anchor::Suffix(".x".into())]);
        assert_eq!(anchors("*x?yz*"), [Anchor::Inside("yz".into())]);
        assert_eq!(anchors("*?*"), [Anchor::Nothing]);
        for (glob, want) in [
            ("a*", true),
            ("*a", true),
            ("a", true),
            ("{a,b*}", true),
            ("a*b", false),
            ("*", false),
            ("a?", false),
            ("*a*", false),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().is_anchor(), want, "{glob}");
        }
    }
}

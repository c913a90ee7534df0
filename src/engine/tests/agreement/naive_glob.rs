//! Globs as page 1.4 has them: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}` and `\`; bytes compared, case kept.

/// Whether the whole of `text` is matched by `pattern`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    alternatives(&pattern.chars().collect::<Vec<_>>()).iter().any(|p| run(p, &text))
}

/// The pattern written out without braces.
fn alternatives(pattern: &[char]) -> Vec<Vec<char>> {
    let Some((open, close)) = first_braces(pattern) else {
        return vec![pattern.to_vec()];
    };
    let (head, tail) = (&pattern[..open], &pattern[close + 1..]);
    let mut all = Vec::new();
    for choice in choices(&pattern[open + 1..close]) {
        all.extend(alternatives(&[head, choice, tail].concat()));
    }
    all
}

/// Where the first pair of braces opens and closes.
fn first_braces(pattern: &[char]) -> Option<(usize, usize)> {
    let mut depth = 0;
    let mut opened = None;
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 1,
            '[' => at = class_end(pattern, at),
            '{' => {
                depth += 1;
                opened = opened.or(Some(at));
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((opened?, at));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// What stands between the commas of a pair of braces, not between those of inner ones.
fn choices(inside: &[char]) -> Vec<&[char]> {
    let mut parts = Vec::new();
    let (mut depth, mut start, mut at) = (0, 0, 0);
    while at < inside.len() {
        match inside[at] {
            '\\' => at += 1,
            '[' => at = class_end(inside, at),
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&inside[start..]);
    parts
}

/// The index of the `]` of the class that opens at `open`.
fn class_end(pattern: &[char], open: usize) -> usize {
    let mut at = open + 1;
    while pattern[at] != ']' {
        at += if pattern[at] == '\\' { 2 } else { 1 };
    }
    at
}

fn run(pattern: &[char], text: &[char]) -> bool {
    match pattern.first() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|skip| run(&pattern[1..], &text[skip..])),
        Some('?') => !text.is_empty() && run(&pattern[1..], &text[1..]),
        Some('[') => {
            let end = class_end(pattern, 0);
            !text.is_empty() && in_class(&pattern[1..end], text[0]) && run(&pattern[end + 1..], &text[1..])
        }
        Some('\\') => text.first() == pattern.get(1) && run(&pattern[2..], &text[1..]),
        Some(c) => text.first() == Some(c) && run(&pattern[1..], &text[1..]),
    }
}

/// Whether `c` is one of the characters and ranges of a class, or with `!` or `^` before them none.
fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut rest) = match class.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    while !rest.is_empty() {
        let (low, after) = one(rest);
        if after.len() > 1 && after[0] == '-' {
            let (high, after) = one(&after[1..]);
            found |= (low..=high).contains(&c);
            rest = after;
        } else {
            found |= low == c;
            rest = after;
        }
    }
    found != negated
}

fn one(class: &[char]) -> (char, &[char]) {
    if class[0] == '\\' { (class[1], &class[2..]) } else { (class[0], &class[1..]) }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn every_syntax() {
        for (pattern, text, want) in [
            ("inbox.triage", "inbox.triage", true),
            ("inbox.triage", "Inbox.triage", false),
            ("*", "", true),
            ("*", "a.b/c", true),
            ("sql.*", "sql.", true),
            ("sql.*", "sql", false),
            ("*.write", "a.b.write", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("?", "é", true),
            ("?", "", false),
            ("?", "ab", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[^a-c]x", "bx", false),
            ("[abz-]", "-", true),
            ("[\\]]", "]", true),
            ("{a,b}x", "bx", true),
            ("{a,b}x", "cx", false),
            ("{a{b,c},d}e", "ace", true),
            ("{a{b,c},d}e", "de", true),
            ("{a{b,c},d}e", "ae", false),
            ("{a,}x", "x", true),
            ("{*.a,b.?}", "b.c", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("\\{a,b\\}", "{a,b}", true),
            ("a,b", "a,b", true),
        ] {
            assert_eq!(matches(pattern, text), want, "`{pattern}` on `{text}`");
        }
    }
}

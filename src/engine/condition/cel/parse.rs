//! From the text of an expression to its syntax tree, within bounds.
//!
//! The parser of the `cel` crate recurses over what it reads, so it runs (and drops its tree) on
//! a thread with a stack of its own. No macro is expanded: `exists` stays a call, as written.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, operators};

/// The longest source, in bytes (design 1.5).
pub(super) const MAX_SOURCE: usize = 4 << 10;
/// The most nodes, as written.
pub(super) const MAX_NODES: usize = 256;
/// The deepest nesting; chains of `&&`, `||` and `+` count once.
pub(super) const MAX_DEPTH: usize = 40;
/// The stack that the parser gets.
const STACK: usize = 16 << 20;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What, in words.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
    /// Where in the source, in bytes, where it is known.
    pub offset: Option<u32>,
    /// A name that does not exist, rather than bad grammar.
    pub unknown_name: bool,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None, offset: None, unknown_name: false }
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(super) const fn at(mut self, offset: Option<u32>) -> Self {
        if self.offset.is_none() {
            self.offset = offset;
        }
        self
    }
}

/// Runs the work on a thread whose stack the parser cannot overflow.
///
/// # Errors
/// When no thread can be started.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a stack that the parser cannot overflow"
)]
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Problem> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("read-expressions".into()).stack_size(STACK);
        let thread = builder
            .spawn_scoped(scope, work)
            .map_err(|_| Problem::new("no thread can be started to read expressions; free some memory"))?;
        thread.join().map_err(|_| {
            Problem::new("the expressions cannot be read by a mistake of this program; please report it")
        })
    })
}

/// A parsed expression and where its nodes stand.
pub(super) struct Parsed {
    pub(super) root: IdedExpr,
    pub(super) places: cel::common::ast::SourceInfo,
}

/// Parses; call it on [`on_deep_stack`] only.
pub(super) fn parse(source: &str) -> Result<Parsed, Problem> {
    if source.len() > MAX_SOURCE {
        let message = format!("a `when` has at most {MAX_SOURCE} bytes; this one has {}", source.len());
        return Err(Problem::new(message).suggest("split the rule, or move constants into `data`"));
    }
    let parser = cel::Env::default().parser().enable_ident_escape_syntax(true);
    let (root, places) = parser.parse_with_source_info(source).map_err(|errors| syntax(source, &errors))?;
    within_bounds(&root)?;
    Ok(Parsed { root, places })
}

fn syntax(source: &str, errors: &cel::ParseErrors) -> Problem {
    let Some(first) = errors.errors.first() else {
        return Problem::new("cannot be read");
    };
    let offset = offset_of(source, first.pos);
    Problem::new(format!("cannot be read as an expression: {}", in_words(&first.msg)))
        .at(offset)
        .suggest("check its parentheses, quotes and operators")
}

/// What the parser says, without its own names.
fn in_words(message: &str) -> String {
    if message.to_ascii_lowercase().contains("recursion limit") {
        return "parentheses, lists or calls are nested too deep".into();
    }
    let line = message.lines().next().unwrap_or_default();
    let plain = line.split(" expecting ").next().unwrap_or(line).trim_start_matches("Syntax error: ");
    let internal = ["ParseError", "OtherError", "InvalidUnicode", "Context`", "Some(", "None"];
    if plain.is_empty() || internal.iter().any(|name| plain.contains(name)) {
        return "a sign is missing, or does not belong there".into();
    }
    // It quotes what it found, control characters too.
    plain.chars().fold(String::with_capacity(plain.len()), |mut text, c| {
        if c.is_control() {
            text.extend(c.escape_unicode());
        } else {
            text.push(c);
        }
        text
    })
}

fn offset_of(source: &str, (line, column): (isize, isize)) -> Option<u32> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let text = source.get(before..)?;
    let column = usize::try_from(column).ok()?.saturating_sub(1);
    let within = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
    u32::try_from(before + within).ok()
}

/// Counts nodes and depth without recursion.
fn within_bounds(root: &IdedExpr) -> Result<(), Problem> {
    let mut nodes = 0_usize;
    let mut open = vec![(root, 1_usize, None)];
    while let Some((expr, depth, chain)) = open.pop() {
        nodes += 1;
        let own = chain_of(&expr.expr);
        let depth = if own.is_some() && own == chain { depth - 1 } else { depth };
        if depth > MAX_DEPTH {
            let message = format!("an expression is at most {MAX_DEPTH} deep");
            return Err(Problem::new(message).suggest("split the rule"));
        }
        children(&expr.expr, &mut |child| open.push((child, depth + 1, own)));
        if nodes > MAX_NODES {
            let message = format!("an expression has at most {MAX_NODES} parts");
            return Err(Problem::new(message).suggest("split the rule, or use a list in `data`"));
        }
    }
    Ok(())
}

fn chain_of(expr: &Expr) -> Option<&'static str> {
    let Expr::Call(call) = expr else { return None };
    let chains = [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::ADD];
    chains.into_iter().find(|op| call.func_name == *op)
}

pub(super) fn children<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e IdedExpr)) {
    match expr {
        Expr::Call(call) => {
            call.target.iter().for_each(|target| visit(target));
            call.args.iter().for_each(visit);
        }
        Expr::Select(select) => visit(&select.operand),
        Expr::List(list) => list.elements.iter().for_each(visit),
        Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                visit(&entry.key);
                visit(&entry.value);
            }
            EntryExpr::StructField(field) => visit(&field.value),
        }),
        Expr::Struct(fields) => fields.entries.iter().for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => visit(&entry.value),
            EntryExpr::StructField(field) => visit(&field.value),
        }),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Comprehension(_) => {}
    }
}

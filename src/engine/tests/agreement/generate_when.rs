//! Random `when` expressions from a grammar of the CEL subset of page 1.5, typed so that most are accepted.
//!
//! Every compound part is in parentheses, which the shrinker relies on. A part that could err stands on a
//! value of the request, since a constant part that errs is refused at load; a context field is mostly read
//! as the type that it mostly has, and now and then as another.

use crate::generate_when_parts::{in_time, list_of, quoted};
use crate::generate_when_tight::tight;
use crate::pools::{self, FIELDS, Kind};
use crate::rng::Rng;

/// An expression of type boolean.
pub fn when(rng: &mut Rng) -> String {
    let mut grammar = Grammar { rng, variables: Vec::new(), loops: 0 };
    loop {
        let depth = grammar.rng.weighted(&[0, 40, 35, 25]);
        let source = if depth == 1 { grammar.simple() } else { grammar.truth(depth) };
        // Far from the 256 nodes of page 1.5.
        if source.len() < 600 {
            return source;
        }
    }
}

pub struct Grammar<'r> {
    pub rng: &'r mut Rng,
    /// The macro variables in scope and what their values mostly are.
    pub variables: Vec<(&'static str, Kind)>,
    /// Macros inside macros, bounded since the engine bounds the cost.
    pub loops: usize,
}

impl Grammar<'_> {
    /// A field of the context of one of these kinds, or a macro's variable.
    pub fn field(&mut self, kinds: &[Kind]) -> String {
        let fitting: Vec<&str> =
            self.variables.iter().filter(|(_, k)| kinds.contains(k)).map(|(n, _)| *n).collect();
        if !fitting.is_empty() && self.rng.chance(65) {
            return (self.rng.pick(&fitting)).to_owned();
        }
        let stray = self.rng.chance(5);
        let fields: Vec<&str> =
            FIELDS.iter().filter(|(_, k)| stray || kinds.contains(k)).map(|(n, _)| *n).collect();
        let name = self.rng.pick(&fields);
        match self.rng.below(20) {
            0 => format!("context[\"{name}\"]"),
            1 => format!("context.`{name}`"),
            2 => format!("dyn(context.{name})"),
            _ => format!("context.{name}"),
        }
    }

    /// The shapes that people write most and that an engine may take apart: one to three plain comparisons.
    pub fn simple(&mut self) -> String {
        let parts: Vec<String> = (0..=self.rng.weighted(&[50, 32, 18])).map(|_| self.plain()).collect();
        parts.join(self.rng.pick(&[" && ", " && ", " || "]))
    }

    fn plain(&mut self) -> String {
        let op = self.comparison();
        match self.rng.below(12) {
            0..=2 => format!("({} {op} {})", self.field(&[Kind::Num]), self.literal_number()),
            3 => format!("({} {op} {})", self.literal_number(), self.field(&[Kind::Num])),
            4 | 5 => {
                let eq = self.rng.pick(&["==", "!="]);
                let (name, kind) = FIELDS[self.rng.below(FIELDS.len())];
                if kind != Kind::Text {
                    return format!("({} {eq} {})", self.field(&[Kind::Text]), quoted(pools::text(self.rng)));
                }
                format!("(context.{name} {eq} {})", quoted(self.rng.pick(pools::texts_of(name))))
            }
            6 => format!("({} in {})", self.field(&[Kind::Text, Kind::Num]), list_of(self)),
            7 => format!("({} in {})", quoted(pools::text(self.rng)), self.field(&[Kind::Texts, Kind::Meta])),
            8 => self.own_comparison(),
            9 => format!("has({})", self.has_path()),
            10 => {
                let f = self.rng.pick(&["startsWith", "endsWith", "contains"]);
                format!("{}.{f}({})", self.field(&[Kind::Text]), quoted(pools::text(self.rng)))
            }
            _ => {
                let not = self.rng.pick(&["", "!"]);
                format!("{not}{}", self.field(&[Kind::Flag]))
            }
        }
    }

    /// A field of the request's own beside a literal of its type.
    fn own_comparison(&mut self) -> String {
        let (name, values): (&str, &[&str]) = match self.rng.below(9) {
            0 => ("subject.agent", &pools::AGENTS),
            1 => ("subject.tenant", &pools::TENANTS),
            2 => ("action.name", &pools::ACTIONS),
            3 => ("action.kind", &pools::KINDS),
            4 => ("action.tool", &pools::TOOLS),
            5 => ("environment", &pools::ENVIRONMENTS),
            6 => ("mode", &pools::MODES),
            7 => ("phase", &pools::PHASES),
            _ => {
                let (name, op) = (self.own_number(), self.comparison());
                return format!("({name} {op} {})", self.literal_number());
            }
        };
        let value = quoted(self.rng.pick(values));
        match self.rng.below(6) {
            0 => format!("({name} in [{value}, {}])", quoted(self.rng.pick(values))),
            1 => format!("({name} {} {value})", self.comparison()),
            2 => format!("({name} != {value})"),
            _ => format!("({name} == {value})"),
        }
    }

    pub fn own_number(&mut self) -> &'static str {
        self.rng.pick(&[
            "priority",
            "attempt",
            "estimate.cost",
            "estimate.tokens",
            "estimate.compute",
            "usage.cost",
        ])
    }

    pub fn comparison(&mut self) -> &'static str {
        self.rng.pick(&["<", "<=", ">", ">=", "==", "!="])
    }

    fn has_path(&mut self) -> String {
        match self.rng.below(8) {
            0 => format!("subject.{}", self.rng.pick(&["agent", "user", "tenant", "app", "run", "roles"])),
            1 => format!("action.{}", self.rng.pick(&["name", "kind", "tool", "model", "stage", "tags"])),
            2 => format!("estimate.{}", self.rng.pick(&["cost", "tokens", "duration"])),
            3 => self
                .rng
                .pick(&["context.email.sender.domain", "context.email.size", "context.meta.a.b"])
                .to_owned(),
            4 => self.rng.pick(&["context.nowhere.at.all", "context.items.a", "usage.cost"]).to_owned(),
            5 => format!("context.meta.{}", self.rng.pick(&pools::META_KEYS)),
            _ => format!("context.{}", FIELDS[self.rng.below(FIELDS.len())].0),
        }
    }

    /// A boolean of at most `depth` operators deep.
    pub fn truth(&mut self, depth: usize) -> String {
        if depth <= 1 {
            return self.plain();
        }
        let d = depth - 1;
        match self.rng.weighted(&[18, 5, 4, 14, 8, 6, 8, 12, 6, 4, 4, 5, 16]) {
            0 => {
                let op = self.rng.pick(&["&&", "||"]);
                format!("({} {op} {})", self.truth(d), self.truth(d))
            }
            1 => format!("!({})", self.truth(d)),
            2 => format!("({} ? {} : {})", self.truth(d), self.truth(d), self.truth(d)),
            3 => format!("({} {} {})", self.number(d), self.comparison(), self.number(d)),
            4 => format!("({} {} {})", self.text(d), self.comparison(), self.text(d)),
            5 => self.equality(d),
            6 => self.membership(d),
            7 => self.quantifier(d),
            8 => self.string_test(d),
            9 => in_time(self, d),
            10 => self.network(),
            11 => self.oddity(d),
            _ => tight(self, d),
        }
    }

    /// Equality of anything with anything, null, lists and maps included.
    fn equality(&mut self, d: usize) -> String {
        let op = self.rng.pick(&["==", "!="]);
        let any = [Kind::Num, Kind::Text, Kind::Flag, Kind::Texts, Kind::Numbers, Kind::Meta, Kind::Maps];
        let left = self.field(&any);
        let right = match self.rng.below(7) {
            0 => "null".to_owned(),
            1 => list_of(self),
            2 => format!("{{\"a\": {}}}", self.number(d)),
            3 => (self.rng.pick(&["true", "false", "[]", "{}"])).to_owned(),
            4 => self.number(d),
            5 => self.text(d),
            _ => self.field(&any),
        };
        format!("({left} {op} {right})")
    }

    fn membership(&mut self, d: usize) -> String {
        match self.rng.below(7) {
            0 => format!("({} in {})", self.text(d), self.texts(d)),
            1 => format!("({} in {})", self.number(d), self.field(&[Kind::Numbers])),
            2 => format!("({} in subject.roles)", quoted(self.rng.pick(&pools::ROLES))),
            3 => format!("({} in action.tags)", quoted(self.rng.pick(&pools::TAGS))),
            4 => format!("({} in data.vip_domains)", self.text(d)),
            5 => "(subject.tenant in data.limits)".to_owned(),
            _ => format!("({} in {})", self.text(d), self.field(&[Kind::Meta, Kind::Email])),
        }
    }

    /// `exists`, `all`, `exists_one` over a list or the keys of a map.
    fn quantifier(&mut self, d: usize) -> String {
        if self.loops == 2 {
            return self.plain();
        }
        let (range, kind) = match self.rng.below(7) {
            0 | 1 => (self.texts(d), Kind::Text),
            2 | 3 => (self.numbers(d), Kind::Num),
            4 => (self.field(&[Kind::Meta]), Kind::Text),
            5 => ("context.items".to_owned(), Kind::Meta),
            _ => ("subject.roles".to_owned(), Kind::Text),
        };
        let name = self.rng.pick(&["exists", "all", "exists_one"]);
        let (variable, body) = self.within(kind, |g| match kind {
            Kind::Meta => g.of_item(d),
            _ => g.truth(d),
        });
        format!("{range}.{name}({variable}, {body})")
    }

    /// Something about the innermost variable, a map.
    fn of_item(&mut self, d: usize) -> String {
        let (item, _) = self.variables[self.variables.len() - 1];
        let key = self.rng.pick(&pools::META_KEYS);
        match self.rng.below(4) {
            0 => format!("has({item}.{key})"),
            1 => format!("({} in {item})", quoted(key)),
            2 => format!("({item}[\"{key}\"] {} {})", self.comparison(), self.number(d)),
            _ => format!("({item}.{key} {} {})", self.comparison(), self.literal_number()),
        }
    }

    /// Evaluates `body` with a new variable in scope.
    pub fn within(&mut self, kind: Kind, body: impl FnOnce(&mut Self) -> String) -> (&'static str, String) {
        let variable = ["x", "y", "z"][self.loops.min(2)];
        self.variables.push((variable, kind));
        self.loops += 1;
        let text = body(self);
        self.loops -= 1;
        self.variables.pop();
        (variable, text)
    }

    fn string_test(&mut self, d: usize) -> String {
        match self.rng.below(3) {
            0 if self.rng.chance(20) => format!("matches({}, data.pattern)", self.request_text(d)),
            0 => format!("{}.matches(\"{}\")", self.request_text(d), self.rng.pick(&pools::REGEXES)),
            1 => format!("{}.matches(data.pattern)", self.request_text(d)),
            _ => {
                let f = self.rng.pick(&["startsWith", "endsWith", "contains"]);
                format!("{}.{f}({})", self.request_text(d), self.text(d))
            }
        }
    }

    fn network(&mut self) -> String {
        let net = self.rng.pick(&pools::NETS[..pools::GOOD_NETS]);
        let address = self.rng.pick(&pools::ADDRESSES[..pools::GOOD_ADDRESSES]);
        let field = self.field(&[Kind::Address]);
        match self.rng.below(6) {
            0 => format!("cidr(\"{net}\").containsIP(ip({field}))"),
            4 => format!("(string(ip({field})) == \"{address}\")"),
            1 => format!("cidr(\"{net}\").containsIP({field})"),
            2 => format!("cidr({field}).containsIP(\"{address}\")"),
            3 => format!("(cidr({field}) == cidr(\"{net}\"))"),
            _ => format!("(ip({field}) == ip(\"{address}\"))"),
        }
    }

    /// What fits nowhere else: order of booleans, indexing by anything, sizes, conversions to boolean.
    fn oddity(&mut self, d: usize) -> String {
        match self.rng.below(8) {
            0 => {
                format!("({} {} {})", self.field(&[Kind::Flag]), self.comparison(), self.field(&[Kind::Flag]))
            }
            1 => format!("bool({})", self.field(&[Kind::Text, Kind::Flag])),
            2 => {
                format!("({} {} {})", self.field(&[Kind::Num]), self.comparison(), self.field(&[Kind::Text]))
            }
            3 => {
                let keys = [Kind::Text, Kind::Num, Kind::Flag, Kind::Texts];
                format!(
                    "({}[{}] == {})",
                    self.field(&[Kind::Meta, Kind::Numbers]),
                    self.field(&keys),
                    self.number(d)
                )
            }
            4 => format!(
                "({{\"a\": 1, \"b\": 2.5}}[{}] {} {})",
                self.field(&[Kind::Text]),
                self.comparison(),
                self.number(d)
            ),
            5 => format!(
                "({{1: 10, 2: 20, true: 30}}[{}] > {})",
                self.field(&[Kind::Num, Kind::Flag]),
                self.number(d)
            ),
            6 => format!("(data.limits[subject.tenant] {} {})", self.comparison(), self.number(d)),
            _ => format!("({} == {})", self.texts(d), self.texts(d)),
        }
    }
}

//! Functions and macros: which exist, what they take, what they give.

use cel::common::ast::{CallExpr, Expr, IdedExpr};

use super::lower::{Lowering, constant_value, expect, gather, mismatch, of_ref, refused};
use super::names::{Macro, VARIABLES};
use super::parse::Problem;
use super::program::{Function, Loop, LoopKind, Node, Zone};
use super::time::{Part, zone};
use super::types::{REQUEST_ITEMS, Type, Typed};
use super::value::Val;

/// How a function is called, what it takes and what it gives.
struct Signature {
    name: &'static str,
    function: Function,
    /// `x.f()`; else `f(x)`. `size` may be either.
    method: bool,
    /// The types of the arguments, the receiver first.
    takes: &'static [Type],
    /// How many of them must be given.
    least: usize,
    gives: Type,
}

const fn method(name: &'static str, function: Function, takes: &'static [Type], gives: Type) -> Signature {
    Signature { name, function, method: true, takes, least: takes.len(), gives }
}

const fn conversion(name: &'static str, function: Function, gives: Type) -> Signature {
    Signature { name, function, method: false, takes: &[Type::Dyn], least: 1, gives }
}

const SIGNATURES: [Signature; 19] = [
    Signature {
        name: "size",
        function: Function::Size,
        method: false,
        takes: &[Type::Dyn],
        least: 1,
        gives: Type::Int,
    },
    method("size", Function::Size, &[Type::Dyn], Type::Int),
    method("startsWith", Function::StartsWith, &[Type::Text, Type::Text], Type::Bool),
    method("endsWith", Function::EndsWith, &[Type::Text, Type::Text], Type::Bool),
    method("contains", Function::Contains, &[Type::Text, Type::Text], Type::Bool),
    method("lowerAscii", Function::LowerAscii, &[Type::Text], Type::Text),
    method("upperAscii", Function::UpperAscii, &[Type::Text], Type::Text),
    method("trim", Function::Trim, &[Type::Text], Type::Text),
    Signature {
        name: "split",
        function: Function::Split,
        method: true,
        takes: &[Type::Text, Type::Text, Type::Dyn],
        least: 2,
        gives: Type::List,
    },
    Signature {
        name: "join",
        function: Function::Join,
        method: true,
        takes: &[Type::List, Type::Text],
        least: 1,
        gives: Type::Text,
    },
    method("containsIP", Function::ContainsIp, &[Type::Block, Type::Dyn], Type::Bool),
    conversion("int", Function::ToInt, Type::Int),
    conversion("double", Function::ToDouble, Type::Double),
    conversion("string", Function::ToText, Type::Text),
    conversion("bool", Function::ToBool, Type::Bool),
    conversion("timestamp", Function::ToTime, Type::Time),
    conversion("duration", Function::ToSpan, Type::Span),
    conversion("ip", Function::ToIp, Type::Ip),
    conversion("cidr", Function::ToBlock, Type::Block),
];

impl Lowering<'_> {
    /// Lowers a call of a function or macro.
    pub(super) fn function(&mut self, call: &CallExpr) -> Result<Typed, Problem> {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            ("has", None, [of]) => self.has(of),
            ("dyn", None, [of]) => {
                let of = self.lower(of)?;
                Ok(Typed { kind: Type::Dyn, ..of })
            }
            ("matches", Some(of), [pattern]) | ("matches", None, [of, pattern]) => self.matches(of, pattern),
            (_, Some(of), args) if macro_kind(name, args.len()).is_some() => {
                self.run(macro_kind(name, args.len()).unwrap_or(LoopKind::All), of, args)
            }
            (_, Some(of), args) if Part::named(name).is_some() => self.part(name, of, args),
            _ => self.plain(call),
        }
    }

    fn plain(&mut self, call: &CallExpr) -> Result<Typed, Problem> {
        let name = call.func_name.as_str();
        let method = call.target.is_some();
        let named: Vec<&Signature> = SIGNATURES.iter().filter(|s| s.name == name).collect();
        if named.is_empty() {
            return Err(no_function(name));
        }
        let signature = named.iter().find(|s| s.method == method).ok_or_else(|| {
            let right = if method { format!("`{name}(x)`") } else { format!("`x.{name}()`") };
            Problem::new(format!("`{name}` is not called this way")).suggest(format!("write {right}"))
        })?;
        let mut args = Vec::new();
        for expr in call.target.as_deref().into_iter().chain(&call.args) {
            args.push(self.lower(expr)?);
        }
        if args.len() < signature.least || args.len() > signature.takes.len() {
            let given = args.len() - usize::from(method);
            return Err(Problem::new(format!("`{name}` does not take {given} arguments")));
        }
        for (arg, wanted) in args.iter().zip(signature.takes) {
            expect(arg, *wanted, &format!("`{name}` takes"))?;
        }
        fits_function(signature.function, &args)?;
        let function = signature.function;
        let mut typed = gather(signature.gives, args, |nodes| Node::Call(function, nodes));
        if function == Function::Split {
            typed.items = REQUEST_ITEMS;
        }
        Ok(typed)
    }

    fn has(&mut self, of: &IdedExpr) -> Result<Typed, Problem> {
        let Expr::Select(select) = &of.expr else {
            return Err(Problem::new("`has` takes a field").suggest("write `has(context.field)`"));
        };
        if let Some(found) = self.names.presence(&of.expr) {
            return found;
        }
        let operand = self.lower(&select.operand)?;
        expect(&operand, Type::Map, &format!("`has(….{})` looks in", select.field))?;
        let name = select.field.as_str().into();
        Ok(Typed::over(Type::Bool, &[&of_ref(&operand)], || Node::Has(operand.node.into(), name)))
    }

    fn matches(&mut self, of: &IdedExpr, pattern: &IdedExpr) -> Result<Typed, Problem> {
        let (of, pattern) = (self.lower(of)?, self.lower(pattern)?);
        expect(&of, Type::Text, "`matches` takes")?;
        let constant = pattern.constant && pattern.free.is_none();
        let Some(Val::Text(source)) = constant.then(|| constant_value(&pattern)).flatten() else {
            return Err(Problem::new("the pattern of `matches` must be constant text")
                .suggest("write it as a literal, or put it into the bundle's `data`"));
        };
        let regex = self.names.shared.pattern(&source)?;
        let mut typed = Typed::over(Type::Bool, &[&of_ref(&of)], || Node::Matches(of.node.into(), regex));
        typed.steps = typed.steps.saturating_add(16);
        Ok(typed)
    }

    fn part(&mut self, name: &str, of: &IdedExpr, args: &[IdedExpr]) -> Result<Typed, Problem> {
        let part = Part::named(name).ok_or_else(|| no_function(name))?;
        let of = self.lower(of)?;
        let span = of.kind == Type::Span && part.fits_duration() && args.is_empty();
        if !span && !of.kind.may_be(Type::Time) {
            return Err(mismatch(&format!("`{name}` takes a timestamp"), &of));
        }
        let (zone, known) = match args {
            [] => (Zone::None, None),
            [zone] => {
                let zone = self.lower(zone)?;
                let known = of_ref(&zone);
                (self.zone(zone)?, Some(known))
            }
            _ => return Err(Problem::new(format!("`{name}` takes one zone at most"))),
        };
        let parts: Vec<Typed> = std::iter::once(of_ref(&of)).chain(known).collect();
        let parts: Vec<&Typed> = parts.iter().collect();
        Ok(Typed::over(Type::Int, &parts, || Node::Part(part, of.node.into(), zone)))
    }

    fn zone(&self, typed: Typed) -> Result<Zone, Problem> {
        expect(&typed, Type::Text, "a zone is")?;
        if !typed.constant || typed.free.is_some() {
            return Ok(Zone::Computed(typed.node.into()));
        }
        let Some(Val::Text(name)) = constant_value(&typed) else {
            return Err(Problem::new("a zone is text"));
        };
        zone(&name).map(Zone::Fixed).ok_or_else(|| {
            Problem::new(format!("the time zone `{name}` does not exist"))
                .suggest("write an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`")
        })
    }

    fn run(&mut self, kind: LoopKind, of: &IdedExpr, args: &[IdedExpr]) -> Result<Typed, Problem> {
        let over = self.lower(of)?;
        if !matches!(over.kind, Type::Dyn | Type::List | Type::Map) {
            return Err(mismatch("a macro runs over a list or a map", &over));
        }
        let (variable, body) = args.split_first().ok_or_else(|| Problem::new("a macro takes a variable"))?;
        let depth = self.open(variable, over.constant)?;
        let lowered = self.lower_all(body);
        self.names.macros.pop();
        let mut body = lowered?;
        let make = (kind == LoopKind::Map).then(|| body.pop()).flatten();
        let test = body.pop();
        if let Some(test) = &test {
            expect(test, Type::Bool, "a macro's condition is")?;
        }
        Ok(finish(kind, depth, over, test, make))
    }

    /// Puts a macro's variable into scope; its depth.
    fn open(&mut self, variable: &IdedExpr, constant: bool) -> Result<usize, Problem> {
        let Expr::Ident(name) = &variable.expr else {
            return Err(Problem::new("a macro's first argument is the name of its variable"));
        };
        let hides = VARIABLES.contains(&name.as_str()) || self.names.macros.iter().any(|m| m.name == *name);
        if hides {
            return Err(Problem::new(format!("the variable `{name}` hides another of that name"))
                .suggest("give it another name"));
        }
        self.names.macros.push(Macro { name: name.clone(), constant });
        Ok(self.names.macros.len() - 1)
    }
}

fn finish(kind: LoopKind, depth: usize, over: Typed, test: Option<Typed>, make: Option<Typed>) -> Typed {
    let body: Vec<&Typed> = test.iter().chain(&make).collect();
    let each = body.iter().fold(1_u64, |sum, part| sum.saturating_add(part.steps));
    let steps = over.steps.saturating_add(over.items.saturating_mul(each));
    let outer = body.iter().filter_map(|part| part.free).filter(|free| *free < depth);
    let free = outer.chain(over.free).min();
    let constant = over.constant && body.iter().all(|part| part.constant);
    let kind_of = match kind {
        LoopKind::Filter | LoopKind::Map => Type::List,
        LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Type::Bool,
    };
    let items = over.items;
    let node = Node::Loop(Box::new(Loop {
        kind,
        over: over.node,
        test: test.map(|t| t.node),
        make: make.map(|m| m.node),
    }));
    Typed { node, kind: kind_of, constant, steps, items, free }
}

fn macro_kind(name: &str, args: usize) -> Option<LoopKind> {
    Some(match (name, args) {
        ("all", 2) => LoopKind::All,
        ("exists", 2) => LoopKind::Exists,
        ("exists_one", 2) => LoopKind::ExistsOne,
        ("filter", 2) => LoopKind::Filter,
        ("map", 2 | 3) => LoopKind::Map,
        _ => return None,
    })
}

/// Types that a conversion or `size` can never take, although its argument is declared open.
fn fits_function(function: Function, args: &[Typed]) -> Result<(), Problem> {
    let Some(of) = args.first() else {
        return Ok(());
    };
    let (text, number) = (of.kind == Type::Text, of.kind.is_number());
    let fits = of.kind == Type::Dyn
        || match function {
            Function::Size => text || matches!(of.kind, Type::List | Type::Map),
            Function::ToInt => text || number || of.kind == Type::Time,
            Function::ToDouble => text || number,
            Function::ToText => {
                let shown = [Type::Bool, Type::Time, Type::Span, Type::Ip];
                text || number || shown.contains(&of.kind)
            }
            Function::ToBool => text || of.kind == Type::Bool,
            Function::ToTime => text || matches!(of.kind, Type::Int | Type::Time),
            Function::ToSpan => text || of.kind == Type::Span,
            Function::ToIp => text || of.kind == Type::Ip,
            Function::ToBlock => text,
            _ => true,
        };
    if fits { Ok(()) } else { Err(mismatch("this function takes another type", of)) }
}

fn no_function(name: &str) -> Problem {
    let macros = ["has", "matches", "all", "exists", "exists_one", "filter", "map", "dyn"];
    let names = SIGNATURES.iter().map(|s| s.name).chain(macros);
    let near = names.map(|own| (strsim::damerau_levenshtein(name, own), own)).min();
    let problem = refused(&format!("calls of `{name}`"), "see the list of functions in the documentation");
    match near {
        Some((far, own)) if far <= own.len().max(3) / 3 && far < name.len() => {
            problem.suggest(format!("did you mean `{own}`?"))
        }
        _ => problem,
    }
}

//! What is known of a node before any request: its type, whether it is constant, its cost.

use super::program::Node;

/// The type of a node, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Only a request tells.
    Dyn,
    Null,
    Bool,
    Int,
    Double,
    Text,
    Time,
    Span,
    Ip,
    Block,
    List,
    Map,
}

impl Type {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Dyn => "any value",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Int | Self::Double => "a number",
            Self::Text => "text",
            Self::Time => "a timestamp",
            Self::Span => "a duration",
            Self::Ip => "an address",
            Self::Block => "an address block",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Whether it is this type, or may turn out to be.
    pub(super) fn may_be(self, wanted: Self) -> bool {
        self == Self::Dyn || wanted == Self::Dyn || self == wanted
    }

    /// The type of `self + other`, or `None` where no sum exists.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Dyn, o) | (o, Self::Dyn) if o.adds() => match o {
                Self::Text | Self::List => o,
                _ => Self::Dyn,
            },
            (a, b) if a.is_number() && b.is_number() => widest(a, b),
            (Self::Text, Self::Text) => Self::Text,
            (Self::List, Self::List) => Self::List,
            (Self::Span, Self::Span) => Self::Span,
            (Self::Time, Self::Span) | (Self::Span, Self::Time) => Self::Time,
            _ => return None,
        })
    }

    const fn adds(self) -> bool {
        !matches!(self, Self::Null | Self::Bool | Self::Ip | Self::Block | Self::Map)
    }

    /// The type of `self - other`, or `None`.
    pub(super) fn minus(self, other: Self) -> Option<Self> {
        let subtracts = |t: Self| t.is_number() || matches!(t, Self::Dyn | Self::Span | Self::Time);
        Some(match (self, other) {
            (Self::Dyn, o) | (o, Self::Dyn) if subtracts(o) => Self::Dyn,
            (a, b) if a.is_number() && b.is_number() => widest(a, b),
            (Self::Span, Self::Span) | (Self::Time, Self::Time) => Self::Span,
            (Self::Time, Self::Span) => Self::Time,
            _ => return None,
        })
    }

    /// The type of `self * other` and of `/` and `%`, or `None`.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Dyn, Self::Dyn) => Some(Self::Dyn),
            (Self::Dyn, o) | (o, Self::Dyn) if o.is_number() => Some(Self::Dyn),
            (a, b) if a.is_number() && b.is_number() => Some(widest(a, b)),
            _ => None,
        }
    }

    /// Whether `<` and the like are defined between the two.
    pub(super) fn orders_with(self, other: Self) -> bool {
        let ordered = |t: Self| {
            matches!(t, Self::Dyn | Self::Bool | Self::Text | Self::Time | Self::Span) || t.is_number()
        };
        let alike = self.may_be(other) || (self.is_number() && other.is_number());
        ordered(self) && ordered(other) && alike
    }
}

const fn widest(a: Type, b: Type) -> Type {
    match (a, b) {
        (Type::Int, Type::Int) => Type::Int,
        _ => Type::Double,
    }
}

/// A node with what is known of it.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) kind: Type,
    /// Whether it reads nothing of the request, so that an error shows at load.
    pub(super) constant: bool,
    /// The most steps that an evaluation takes.
    pub(super) steps: u64,
    /// The most elements that it can have, if it is a list or a map.
    pub(super) items: u64,
    /// Which of the enclosing macros' variables it reads, as the lowest depth.
    pub(super) free: Option<usize>,
}

/// The most elements that a value of a request can have (design 1.8).
pub(super) const REQUEST_ITEMS: u64 = 256;

impl Typed {
    /// A node that reads the request.
    pub(super) const fn dynamic(node: Node, kind: Type) -> Self {
        Self { node, kind, constant: false, steps: 1, items: REQUEST_ITEMS, free: None }
    }

    /// A node that reads nothing.
    pub(super) const fn constant(node: Node, kind: Type, items: u64) -> Self {
        Self { node, kind, constant: true, steps: 1, items, free: None }
    }

    /// A node over these parts: constant where all are, as costly as all together.
    pub(super) fn over(kind: Type, parts: &[&Self], make: impl FnOnce() -> Node) -> Self {
        Self {
            node: make(),
            kind,
            constant: parts.iter().all(|p| p.constant),
            steps: parts.iter().fold(1, |sum, p| sum.saturating_add(p.steps)),
            items: parts.iter().map(|p| p.items).max().unwrap_or(REQUEST_ITEMS),
            free: parts.iter().filter_map(|p| p.free).min(),
        }
    }
}

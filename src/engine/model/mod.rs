//! The document as written: the types that a bundle is read into.
//!
//! These types cannot hold what design 1.4 forbids; [`crate::read`] makes them and reports what
//! does not fit. They say nothing yet about how a decision is made: [`crate::compile`] does.

pub mod action_kind;
pub mod bundle;
pub mod condition;
pub mod draft;
pub mod effect;
pub mod field;
pub mod guardrail;
pub mod place;
pub mod reason_code;
pub mod request;
pub mod rule;
pub mod target;

pub use action_kind::{ActionKind, Phase};
pub use bundle::{Bundle, DeclaredField, Defaults, FieldType, OnUnavailable};
pub use condition::{Condition, Op, Path, Spelling};
pub use draft::{Draft, Expression};
pub use effect::{Approval, Bind, Caps, Disposition, Effect, Modify, RuleEffect};
pub use field::Field;
pub use guardrail::Guardrail;
pub use place::{Code, Finding, Place, Placed, Severity};
pub use reason_code::ReasonCode;
pub use rule::{Estimate, LogChoice, Risk, Rule, Scope, ScopeLevel};
pub use target::{Pattern, Patterns, Phases, Target};

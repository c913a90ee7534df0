//! The key of a guardrail as the log tells it: a value for each dimension, masked where the request
//! is.

use tollgate_engine::guardrail::Guard;
use tollgate_engine::guardrail::key::Key;
use tollgate_engine::model::Field;
use tollgate_engine::model::guardrail::KeyDimension;

use super::mask::{Hidden, Masks};

/// The values of a key by their dimensions, or what is left of one that is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTold {
    /// A value for each dimension.
    Values(Vec<Dimension>),
    /// Only a digest is kept.
    Digest {
        /// The digest, for people.
        shown: String,
        /// Where the values came from.
        places: Vec<Vec<Box<str>>>,
    },
}

/// One dimension of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    name: String,
    /// Where in the request document the value came from.
    place: Vec<Box<str>>,
    value: String,
}

impl KeyTold {
    /// The key of a guardrail.
    #[must_use]
    pub fn of(guard: &Guard, key: &Key) -> Self {
        let dimensions = || guard.key_by.iter().filter(|dimension| **dimension != KeyDimension::Global);
        match key.values() {
            Some(values) => Self::Values(
                dimensions()
                    .zip(values)
                    .map(|(dimension, value)| Dimension {
                        name: dimension.name(),
                        place: place(dimension),
                        value,
                    })
                    .collect(),
            ),
            None => Self::Digest { shown: key.display(), places: dimensions().map(place).collect() },
        }
    }

    /// Name and value of each dimension, as they may be told.
    #[must_use]
    pub fn shown(&self, masks: &Masks, hidden: &Hidden) -> Vec<(String, String)> {
        let covers = |place: &Vec<Box<str>>| {
            let steps: Vec<&str> = place.iter().map(|step| &**step).collect();
            masks.covers(&steps)
        };
        match self {
            Self::Values(all) => all
                .iter()
                .map(|one| {
                    let plain = unquoted(one);
                    let value = if covers(&one.place) && !one.value.is_empty() {
                        masks.token(&plain)
                    } else {
                        hidden.scrub(&plain).unwrap_or_else(|| one.value.clone())
                    };
                    (one.name.clone(), value)
                })
                .collect(),
            // Who knows the other values could guess a hidden one by its digest.
            Self::Digest { shown, places } => {
                let is_hidden = !hidden.is_empty() || places.iter().any(covers);
                vec![("sha256".to_owned(), if is_hidden { masks.token(shown) } else { shown.clone() })]
            }
        }
    }
}

/// A text of the context stands in a key as JSON.
fn unquoted(one: &Dimension) -> String {
    let is_context = one.place.first().is_some_and(|step| **step == *"context");
    let text = || serde_json::from_str::<String>(&one.value).ok();
    is_context.then(text).flatten().unwrap_or_else(|| one.value.clone())
}

fn place(dimension: &KeyDimension) -> Vec<Box<str>> {
    let steps = |steps: &[&str]| steps.iter().map(|step| Box::from(*step)).collect();
    match dimension {
        KeyDimension::Global => Vec::new(),
        KeyDimension::Request => steps(&["request_id"]),
        KeyDimension::Batch => steps(&["batch_id"]),
        KeyDimension::Context(path) => std::iter::once(Box::from("context")).chain(path.clone()).collect(),
        KeyDimension::Field(field) => match field {
            Field::Agent | Field::User | Field::Tenant | Field::App | Field::Workflow | Field::Run => {
                steps(&["subject", field.name()])
            }
            Field::Roles => steps(&["subject", "roles"]),
            Field::Action => steps(&["action", "name"]),
            Field::Kind
            | Field::Tool
            | Field::Provider
            | Field::Model
            | Field::Pipeline
            | Field::Stage
            | Field::Handler
            | Field::Tags => steps(&["action", field.name()]),
            Field::EstimateCost
            | Field::EstimateTokens
            | Field::EstimateCompute
            | Field::EstimateDuration => field.name().split('.').map(Box::from).collect(),
            Field::Environment | Field::Mode | Field::Phase | Field::Priority | Field::Attempt => {
                steps(&[field.name()])
            }
        },
    }
}

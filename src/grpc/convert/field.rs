//! A request's own fields by their names, from texts.

use tollgate_engine::unit::Money;

use super::Limits;
use crate::pb;

/// The fields that may be set.
pub const NAMES: [&str; 23] = [
    "action",
    "agent",
    "app",
    "environment",
    "estimate.compute",
    "estimate.cost",
    "estimate.tokens",
    "handler",
    "kind",
    "mode",
    "model",
    "pipeline",
    "priority",
    "provider",
    "request_id",
    "roles",
    "run",
    "stage",
    "tags",
    "tenant",
    "tool",
    "user",
    "workflow",
];

/// A request that asks about this action.
#[must_use]
pub fn about(action: &str) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest {
        subject: Some(pb::Subject::default()),
        action: Some(pb::Action { name: action.to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

/// The parts of a text between commas and spaces.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t']).filter(|word| !word.is_empty())
}

/// Sets a field.
///
/// # Errors
/// Says what is wrong with the value.
pub fn put(
    request: &mut pb::AuthorizeRequest,
    name: &str,
    values: Vec<String>,
    limits: &Limits,
) -> Result<(), String> {
    let subject = request.subject.get_or_insert_default();
    let action = request.action.get_or_insert_default();
    let field = match name {
        "roles" => return list(&mut subject.roles, &values, limits),
        "tags" => return list(&mut action.tags, &values, limits),
        "kind" => {
            action.kind = kind(&one(values, limits)?)?;
            return Ok(());
        }
        "priority" => {
            request.priority = Some(number(values, limits, "a whole number")?);
            return Ok(());
        }
        "estimate.cost" => {
            let cost: f64 = number(values, limits, "a number from 0")?;
            let fits = Money::from_units(cost).is_some();
            request.estimate.get_or_insert_default().cost = Some(cost).filter(|_| fits);
            return if fits { Ok(()) } else { Err("is no number from 0".into()) };
        }
        "estimate.tokens" => {
            let count: u32 = number(values, limits, "a whole number from 0")?;
            request.estimate.get_or_insert_default().tokens = Some(count.into());
            return Ok(());
        }
        "estimate.compute" => {
            let count: u32 = number(values, limits, "a whole number from 0")?;
            request.estimate.get_or_insert_default().compute = Some(count.into());
            return Ok(());
        }
        "action" => &mut action.name,
        "tool" => &mut action.tool,
        "provider" => &mut action.provider,
        "model" => &mut action.model,
        "pipeline" => &mut action.pipeline,
        "stage" => &mut action.stage,
        "handler" => &mut action.handler,
        "agent" => &mut subject.agent,
        "user" => &mut subject.user,
        "tenant" => &mut subject.tenant,
        "app" => &mut subject.app,
        "workflow" => &mut subject.workflow,
        "run" => &mut subject.run,
        "environment" => &mut request.environment,
        "mode" => &mut request.mode,
        "request_id" => &mut request.request_id,
        _ => return Err("is no field of a request".into()),
    };
    *field = one(values, limits)?;
    Ok(())
}

fn one(values: Vec<String>, limits: &Limits) -> Result<String, String> {
    let [value]: [String; 1] = values.try_into().map_err(|_| "has several values; one is taken")?;
    short(&value, limits)?;
    Ok(value)
}

fn short(value: &str, limits: &Limits) -> Result<(), String> {
    let (bytes, most) = (value.len(), limits.name_bytes);
    if bytes > most {
        return Err(format!("has {bytes} bytes; at most {most} are taken"));
    }
    Ok(())
}

fn list(into: &mut Vec<String>, values: &[String], limits: &Limits) -> Result<(), String> {
    *into = values.iter().flat_map(|value| words(value)).map(str::to_owned).collect();
    if into.len() > limits.list_items {
        return Err(format!("has {} elements; at most {} are taken", into.len(), limits.list_items));
    }
    into.iter().try_for_each(|value| short(value, limits))
}

fn number<T: std::str::FromStr>(values: Vec<String>, limits: &Limits, what: &str) -> Result<T, String> {
    one(values, limits)?.parse().map_err(|_| format!("is not {what}"))
}

fn kind(name: &str) -> Result<i32, String> {
    pb::ActionKind::from_str_name(&format!("ACTION_KIND_{}", name.to_ascii_uppercase()))
        .filter(|kind| *kind != pb::ActionKind::Unspecified)
        .map(i32::from)
        .ok_or_else(|| {
            "is no kind; write `tool`, `llm`, `stage`, `task`, `sleep`, `wait_signal` or `other`".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_field_and_takes_what_fits() {
        let limits = Limits::default();
        for name in NAMES {
            let mut request = about("x");
            let good = match name {
                "kind" => "tool",
                "priority" | "estimate.cost" | "estimate.tokens" | "estimate.compute" => "7",
                _ => "value",
            };
            let before = request.clone();
            assert_eq!(put(&mut request, name, vec![good.into()], &limits), Ok(()), "{name}");
            assert_ne!(request, before, "{name}");
            let long = put(&mut request, name, vec!["x".repeat(257)], &limits);
            assert!(long.is_err(), "{name}");
        }
        for (name, bad) in [
            ("kind", "unspecified"),
            ("priority", "1.5"),
            ("estimate.cost", "NaN"),
            ("estimate.tokens", "-1"),
        ] {
            assert!(put(&mut about("x"), name, vec![bad.into()], &limits).is_err(), "{name}: {bad}");
        }
        let mut request = about("x");
        put(&mut request, "roles", vec!["a, b".into(), "c".into()], &limits).unwrap();
        assert_eq!(request.subject.unwrap().roles, ["a", "b", "c"]);
    }
}

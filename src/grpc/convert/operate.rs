//! What operators see, on its way to the wire.

use tollgate_engine::decide::StopEffect;
use tollgate_engine::guardrail::operate::KeyView;
use tollgate_engine::guardrail::verdict::Limit;
use tollgate_engine::model::guardrail::State;

use super::decision::{duration, timestamp};
use super::guardrail::limit;
use super::violation::{Place, Violations};
use crate::data_plane::operate::{GuardrailView, dimensions, held};
use crate::data_plane::stops::{StopView, TEXT_BYTES};
use crate::pb;

/// The longest name of a guardrail.
pub const NAME_BYTES: usize = 64;

/// Checks a text that is for people.
pub fn check_text(wrong: &mut Violations, field: &'static str, text: &str) {
    if text.len() > TEXT_BYTES {
        let what = format_args!("has {} bytes; at most {TEXT_BYTES} are taken", text.len());
        wrong.add(Place::Field(field), what);
    }
}

/// A guardrail with what it holds.
#[must_use]
pub fn guardrail(view: &GuardrailView<'_>) -> pb::GuardrailRecord {
    let state = match view.written.state {
        State::Enabled => pb::GuardrailState::Enabled,
        State::Disabled => pb::GuardrailState::Disabled,
        State::Paused => pb::GuardrailState::Paused,
        State::Draft => pb::GuardrailState::Draft,
    };
    let mut record = pb::GuardrailRecord {
        guardrail: view.written.name.value.as_str().to_owned(),
        r#type: view.written.rules.type_name().to_owned(),
        state: state.into(),
        held: held(view.hold).unwrap_or_default().to_owned(),
        ..pb::GuardrailRecord::default()
    };
    if let Some(live) = view.live {
        record.shadow = live.is_shadow();
        record.key_by = dimensions(live).collect();
        record.keys = live.keys();
        record.refusals = live.refused(live.is_shadow());
        record.hottest = view.keys.iter().map(|one| key(view, one, record.key_by.len())).collect();
        // Whatever a limit holds, an operator's hand on all keys is stronger.
        if !record.held.is_empty() {
            record.hottest.iter_mut().for_each(|key| key.breaker_state.clone_from(&record.held));
        }
    }
    record
}

fn key(of: &GuardrailView<'_>, view: &KeyView, dimensions: usize) -> pb::GuardrailKeyRecord {
    let limits = of.live.map(|guard| view.rooms.iter().map(|room| limit(&Limit { guard, room: *room })));
    let values = view.key.values().unwrap_or_default();
    pb::GuardrailKeyRecord {
        values: values.into_iter().take(dimensions).collect(),
        text: view.key.display(),
        limits: limits.into_iter().flatten().collect(),
        breaker_state: view.breaker.map(|state| state.name().to_owned()).unwrap_or_default(),
        next_probe: view.next_probe.map(duration),
    }
}

/// An emergency stop.
#[must_use]
pub fn stop(view: &StopView) -> pb::Stop {
    let effect = match view.effect {
        StopEffect::Deny => pb::StopEffect::Deny,
        StopEffect::Allow => pb::StopEffect::Allow,
    };
    pb::Stop {
        id: view.id.to_string(),
        selector: view.selector.to_string(),
        effect: effect.into(),
        reason: view.reason.to_string(),
        by: view.by.to_string(),
        set_at: Some(timestamp(view.set_at)),
        expires_at: Some(timestamp(view.expires_at)),
    }
}

//! The layers of a configuration: flags over environment over file over defaults.

use super::options::{OPTIONS, Spec};
use super::problem::{Origin, Problem};
use super::value::OptionValue;

/// One option as it came out, and where it came from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option.
    pub spec: &'static Spec,
    /// Its value as text; empty: unset.
    pub text: String,
    /// What set it.
    pub origin: Origin,
}

/// All options, in the order of the table.
#[derive(Clone, Debug)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// Every option at its default.
    pub(super) fn defaults() -> Self {
        let unset =
            |spec: &'static Spec| Setting { spec, text: spec.default.into(), origin: Origin::Default };
        Self(OPTIONS.iter().map(unset).collect())
    }

    /// Takes a value over those set before. One that the option does not take is a problem, and
    /// leaves what was there.
    pub(super) fn set(
        &mut self,
        spec: &'static Spec,
        text: &str,
        origin: Origin,
        problems: &mut Vec<Problem>,
    ) {
        if let Err(wrong) = (spec.check)(text, spec.default) {
            problems.push(Problem::value(origin, spec, text, &wrong));
        } else if let Some(setting) = self.0.iter_mut().find(|s| s.spec.field == spec.field) {
            setting.text = text.into();
            setting.origin = origin;
        }
    }

    /// The value of the option of this name.
    pub(super) fn typed<T: OptionValue>(&self, field: &str) -> Result<T, Problem> {
        let missing = || Problem::new(Origin::Default, format!("there is no option `{field}`"));
        let setting = self.0.iter().find(|s| s.spec.field == field).ok_or_else(missing)?;
        T::read(&setting.text, setting.spec.default)
            .map_err(|wrong| Problem::value(setting.origin.clone(), setting.spec, &setting.text, &wrong))
    }

    /// Every option.
    pub fn iter(&self) -> std::slice::Iter<'_, Setting> {
        self.0.iter()
    }
}

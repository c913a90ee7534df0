//! The layer of the configuration file.

use super::problem::Problem;
use super::settings::Settings;
use std::path::Path;

pub(super) fn apply(_path: &Path, _bytes: &[u8], _settings: &mut Settings, _problems: &mut Vec<Problem>) {
}

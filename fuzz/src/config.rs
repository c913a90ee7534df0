//! The configuration file: whatever it holds, it is a configuration or a list of what is wrong.

use std::fs;

use tollgate::config::{self, Flags};

use crate::scratch;

pub(crate) fn run(input: &[u8]) {
    let path = scratch::folder().join("config.yaml");
    fs::write(&path, input).expect("the folder takes a file");
    let flags = Flags { config: Some(path), given: Vec::new() };
    match config::load(&flags, []) {
        Ok(loaded) => assert!(loaded.settings.iter().count() > 0),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

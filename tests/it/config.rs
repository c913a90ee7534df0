//! One schema for flags, environment and file, and errors that name their place.

use crate::binary::{ended, run, tollgate};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    folder
}

#[test]
fn flags_win_over_the_environment_that_over_the_file_that_over_defaults() {
    let folder = folder("threads: 1\ngrace_seconds: 2\nenvironment: staging\nlog_level: warn\n");
    let args = ["config", "show", "-c", "tollgate.yaml", "--threads", "3", "--output", "json"];
    let mut command = tollgate(folder.path(), &args);
    command.env("TOLLGATE_THREADS", "2").env("TOLLGATE_GRACE_SECONDS", "4").env("TOLLGATE_LOG_LEVEL", "");
    let shown = ended(&mut command).json();
    for (key, value, origin) in [
        ("threads", "3", "--threads"),
        ("grace_seconds", "4", "TOLLGATE_GRACE_SECONDS"),
        ("environment", "staging", "tollgate.yaml:3:14"),
        ("log_level", "warn", "tollgate.yaml:4:12"),
        ("grpc", "127.0.0.1:4700", "default"),
        ("metrics", "0.0.0.0:9464", "default"),
    ] {
        assert_eq!(shown[key], serde_json::json!({"value": value, "origin": origin}), "{key}");
    }
}

#[test]
fn variables_of_open_telemetry_count_unless_ours_do_or_they_are_for_others() {
    let folder = folder("otlp_service_name: gate\n");
    let (ours, theirs) = ("TOLLGATE_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
    let (general, special) = ("http://all:4317", "http://traces:4317");
    for (variables, endpoint, warnings) in [
        (vec![(theirs, general)], general, 0),
        (vec![(theirs, general), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", special)], special, 0),
        (vec![(theirs, general), (ours, special)], special, 0),
        (vec![(theirs, general), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], "", 0),
        (vec![(theirs, general), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], general, 0),
        (vec![(theirs, general), ("OTEL_SDK_DISABLED", "true")], "", 0),
        (vec![(theirs, "collector:4317")], "", 1),
    ] {
        let args = ["config", "show", "-c", "tollgate.yaml", "--output", "json"];
        let mut command = tollgate(folder.path(), &args);
        for name in ["OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", theirs] {
            command.env_remove(name);
        }
        let ended = ended(command.env("OTEL_SERVICE_NAME", "app").envs(variables.clone()));
        let shown = ended.json();
        assert_eq!(shown["otlp_endpoint"]["value"].as_str().unwrap_or_default(), endpoint, "{variables:?}");
        // Above the file, as every variable, unless it is for others.
        let for_others = shown["otlp_service_name"]["value"] == "gate";
        assert_eq!(for_others, endpoint.is_empty() && warnings == 0, "{variables:?}");
        assert_eq!(ended.stderr.matches(theirs).count(), warnings, "{ended:?}");
    }
}

#[test]
fn the_file_can_be_named_by_a_variable_and_paths_in_it_start_at_its_folder() {
    let folder = folder("bundle: policies/inbox.yaml\nuds: /run/t.sock\n");
    let path = folder.path().join("tollgate.yaml");
    let mut command = tollgate(Path::new("/"), &["config", "show", "--output", "json"]);
    let shown = ended(command.env("TOLLGATE_CONFIG", &path)).json();
    assert_eq!(shown["bundle"]["value"], folder.path().join("policies/inbox.yaml").to_str().unwrap());
    assert_eq!(shown["uds"]["value"], "/run/t.sock");
}

#[test]
fn every_mistake_is_named_with_its_place_and_the_nearest_name() {
    for (config, args, want) in [
        ("grcp: 1", &[][..], "tollgate.yaml:1:1: there is no option `grcp`; write `grpc`"),
        (
            "bounds: {bundle_byte: 1}",
            &[],
            "tollgate.yaml:1:10: there is no bound `bundle_byte`; write `bundle_bytes`",
        ),
        ("bounds: 7", &[], "tollgate.yaml:1:9: `bounds` is a map of bounds, not a number"),
        ("bundle_bytes: 1", &[], "tollgate.yaml:1:1: there is no option `bundle_bytes`"),
        ("threads: [1]", &[], "tollgate.yaml:1:10: `threads` is one value, not a list"),
        ("threads: 0", &[], "tollgate.yaml:1:10: `threads` cannot be `0`: it takes a number from 1 to 1024"),
        ("- a", &[], "tollgate.yaml:1:1: a configuration is a map of options, not a list"),
        ("grpc: x\ngrpc: y", &[], "tollgate.yaml:2:1: the key `grpc` stands already at line 1"),
        ("bounds: {bundle_bytes: 161MiB}", &[], "at most `160MiB`, ten times the default"),
        ("", &["--log-level", "inof"], "--log-level: `log_level` cannot be `inof`"),
        ("grpc: none", &[], "tollgate.yaml:1:7: `grpc` is `none` and there is no `uds`"),
        ("", &["--grpc", "nowhere"], "--grpc: `grpc` cannot be `nowhere`: it takes an address"),
        ("", &["--uds-mode", "888"], "--uds-mode: `uds_mode` cannot be `888`"),
    ] {
        let folder = folder(config);
        let all = [&["config", "check", "-c", "tollgate.yaml"], args].concat();
        let checked = run(folder.path(), &all);
        assert_eq!(checked.code, 1, "{config} {args:?}: {checked:?}");
        assert!(checked.stdout.contains(want), "{config} {args:?}: {}", checked.stdout);
        let served = run(folder.path(), &[&["serve", "-c", "tollgate.yaml", "x.yaml"], args].concat());
        assert_eq!(served.code, 2, "a broken configuration never serves: {served:?}");
    }
}

#[test]
fn all_mistakes_come_at_once_as_text_and_as_json() {
    let folder = folder("grcp: 1\nthreads: x\n");
    let args = ["config", "check", "-c", "tollgate.yaml", "--log-format", "xml"];
    let checked = run(folder.path(), &args);
    assert_eq!(checked.stdout.lines().count(), 3, "{}", checked.stdout);
    let checked = run(folder.path(), &[&args[..], &["-o", "json"]].concat()).json();
    assert_eq!(checked["passed"], false);
    let origins: Vec<_> =
        checked["errors"].as_array().unwrap().iter().map(|error| error["origin"].clone()).collect();
    assert_eq!(origins, ["tollgate.yaml:1:1", "tollgate.yaml:2:10", "--log-format"]);
    assert_eq!(checked["errors"][1]["line"], 2);
}

#[test]
fn a_misspelt_variable_is_a_warning_and_those_of_kubernetes_are_none() {
    let folder = folder("");
    let mut command = tollgate(folder.path(), &["config", "check"]);
    command.env("TOLLGATE_ENVIROMENT", "x").env("TOLLGATE_ADDRESS", "127.0.0.1:4700");
    for link in [
        "TOLLGATE_SERVICE_HOST",
        "TOLLGATE_PORT",
        "TOLLGATE_PORT_4700_TCP_ADDR",
        "TOLLGATE_SERVICE_PORT_GRPC",
    ] {
        command.env(link, "10.0.0.1");
    }
    let checked = ended(&mut command);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert_eq!(checked.stderr.lines().count(), 1, "{checked:?}");
    assert!(checked.stderr.contains("`TOLLGATE_ENVIROMENT`; write `TOLLGATE_ENVIRONMENT`"), "{checked:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_another_code() {
    let folder = folder("");
    let checked = run(folder.path(), &["config", "check", "-c", "other.yaml"]);
    assert_eq!(checked.code, 3, "{checked:?}");
    assert!(checked.stderr.contains("other.yaml: the configuration file cannot be read"), "{checked:?}");
}

#[test]
fn whatever_the_file_holds_there_is_an_answer() {
    for bytes in
        [&b"\xff\xfeg\0"[..], b"\0", b"a: \xc3\x28", b"a: &a [*a]", b"{", &[b'['; 100_000], &[b'#'; 2 << 20]]
    {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t.yaml"), bytes).unwrap();
        let checked = run(folder.path(), &["config", "check", "-c", "t.yaml"]);
        assert_eq!(checked.code, 1, "{checked:?}");
    }
}

#[test]
fn the_page_of_the_options_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = tollgate::config::page::markdown();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/configuration.md is not that of the table; `UPDATE=1 cargo test` rewrites it"
    );
}

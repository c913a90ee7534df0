//! The image and the service, as far as they can be tried without an engine: the image's root file
//! system is made as the Dockerfile makes it, and lived in as an engine would have it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::binary::eventually;

const BUNDLE: &str = "format: tollgate/v1\nversion: 1.0.0\nrules:\n  - {id: reading, action: read, effect: allow, reason: \
                      Anybody may read anything}\n";

/// Mounts the folder read-only, makes it the root, and becomes what an engine would make it: who is root
/// becomes the image's user, anybody else is only told to be root.
const LIVE: &str = r#"
set -eu
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
root=$1
shift
if [ "$LIVE_AS" = 0 ]; then exec chroot --userspec=65532:65532 "$root" "$@"; fi
exec chroot "$root" "$@"
"#;

fn project() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn user() -> String {
    String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap().trim().to_owned()
}

/// A command in the image.
fn inside(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let user = user();
    command.args(if user == "0" { &["--mount"][..] } else { &["--map-root-user", "--mount"] });
    command.args(["sh", "-c", LIVE, "live"]).arg(root).args(args);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LIVE_AS", user);
    command
}

struct Container {
    child: Child,
    metrics: SocketAddr,
    grpc: SocketAddr,
}

impl Container {
    fn start(root: &Path) -> Self {
        let args = ["/usr/bin/tollgate", "serve", "/etc/tollgate/policies", "--grpc", "127.0.0.1:0"];
        let more = ["--metrics", "127.0.0.1:0", "--log-format", "json"];
        let mut child = inside(root, &[&args[..], &more].concat()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            told += &format!("{line}\n");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "serving" {
                let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
                return Self { child, metrics: address("metrics"), grpc: address("grpc") };
            }
        }
        let ended = child.wait().unwrap();
        panic!("it does not serve, {ended}:\n{told}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_image_serves_as_nobody_on_a_root_that_it_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    // Others than its owner live in it.
    Command::new("chmod").arg("755").arg(folder.path()).status().unwrap();
    let made = Command::new(project().join("deploy/docker/rootfs"))
        .args([Path::new(env!("CARGO_BIN_EXE_tollgate")), &root])
        .status()
        .unwrap();
    assert!(made.success());
    let policies = root.join("etc/tollgate/policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("b.yaml"), BUNDLE).unwrap();
    let mut container = Container::start(&root);

    let code = |args: &[&str]| {
        let output = inside(&root, &[&["/usr/bin/tollgate"], args].concat()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (metrics, grpc) = (container.metrics.to_string(), container.grpc.to_string());
    assert_eq!(code(&["healthcheck", "--address", &metrics]).0, 0);
    assert_eq!(code(&["authorize", "--address", &grpc, "--action", "read"]).0, 0);
    assert_eq!(code(&["authorize", "--address", &grpc, "--action", "write"]).0, 1);
    let serve = ["serve", "/etc/tollgate/policies", "--grpc", "127.0.0.1:0", "--metrics", "none"];
    let (ended, why) = code(&[&serve[..], &["--state-dir", "/var/lib/tollgate"]].concat());
    assert_eq!(ended, 3, "{why}");
    assert!(why.contains("Read-only file system"), "{why}");
    if user() == "0" {
        let status = fs::read_to_string(format!("/proc/{}/status", container.child.id())).unwrap();
        let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        assert_eq!(line("Uid:"), "Uid:\t65532\t65532\t65532\t65532");
        assert_eq!(line("CapEff:"), "CapEff:\t0000000000000000");
    }
    let stopped = Command::new("kill").arg(container.child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert_eq!(eventually("it ends", || container.child.try_wait().unwrap()).code(), Some(0));
    assert_eq!(code(&["healthcheck", "--address", &metrics]).0, 3);
}

/// What a build gets to see, by the few forms that our `.dockerignore` uses.
fn is_seen(path: &str, ignore: &str) -> bool {
    let rules = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut seen = true;
    for rule in rules {
        let (pattern, kept) = rule.strip_prefix('!').map_or((rule, false), |pattern| (pattern, true));
        let below = |own: &str| path == own || path.starts_with(&format!("{own}/"));
        let fits = match pattern.strip_prefix("**/") {
            Some(name) => path.split('/').any(|part| part == name),
            None => pattern == "*" || below(pattern),
        };
        seen = if fits { kept } else { seen };
    }
    seen
}

#[test]
fn a_build_of_the_image_sees_what_it_needs() {
    let ignore = fs::read_to_string(project().join(".dockerignore")).unwrap();
    let listed = Command::new("git").args(["ls-files"]).current_dir(project()).output().unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    let needed = |path: &&str| {
        path.starts_with("src/")
            || path.starts_with("proto/")
            || path.ends_with("Cargo.lock")
            || *path == "build.rs"
    };
    for path in files.lines().filter(needed).filter(|path| !path.starts_with("benches/peers/")) {
        if !path.contains('/') || path.starts_with("src/") || path.starts_with("proto/") {
            assert!(is_seen(path, &ignore), "{path}");
        }
    }
    for (path, want) in [
        ("Cargo.toml", true),
        ("benches/service.rs", true),
        ("deploy/docker/rootfs", true),
        ("target/debug/tollgate", false),
        ("src/target/x", false),
        ("benches/peers/Cargo.toml", false),
        (".git/config", false),
        ("docs/metrics.md", false),
    ] {
        assert_eq!(is_seen(path, &ignore), want, "{path}");
    }
    let file = fs::read_to_string(project().join("deploy/docker/Dockerfile")).unwrap();
    for line in ["FROM scratch", "USER 65532:65532", "deploy/docker/rootfs", "\"healthcheck\"]"] {
        assert!(file.contains(line), "{line}");
    }
}

#[test]
fn the_unit_says_what_the_process_does() {
    let unit = fs::read_to_string(project().join("deploy/systemd/tollgate.service")).unwrap();
    for line in [
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "DynamicUser=yes",
        "StateDirectory=tollgate",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut args: Vec<&str> = start.split(' ').skip(2).collect();
    args.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let shown = crate::binary::run(folder.path(), &[&["config", "check", "b.yaml"], &args[..]].concat());
    assert_eq!(shown.code, 0, "the options of the unit stand: {shown:?}");
}

//! The real binary, as a shell would start it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_tollgate");

/// A command in a folder, with none of the variables that the tests themselves run with.
pub fn tollgate(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("TOLLGATE_"));
    for name in ours {
        command.env_remove(name);
    }
    command.current_dir(folder).args(args).timeout(Duration::from_secs(30));
    command
}

/// What came of a command.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(folder: &Path, args: &[&str]) -> Ended {
    ended(&mut tollgate(folder, args))
}

pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Ended {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running `tollgate serve` on ports that the system chose.
pub struct Serving {
    child: Child,
    pub grpc: SocketAddr,
    pub metrics: SocketAddr,
    /// Where AuthZEN is, if it was asked for.
    pub http: Option<SocketAddr>,
    /// What it logged before it served.
    pub log: Vec<serde_json::Value>,
    /// And what since.
    later: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Serving {
    /// Starts it and waits for the line that says that it serves.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        Self::start_at(folder, "127.0.0.1:0", args)
    }

    /// The same at this address for gRPC.
    pub fn start_at(folder: &Path, grpc: &str, args: &[&str]) -> Self {
        Self::start_into(folder, grpc, args, Stdio::inherit())
    }

    /// The same with its stdout led somewhere.
    pub fn start_into(folder: &Path, grpc: &str, args: &[&str], stdout: Stdio) -> Self {
        Self::start_as(Path::new(BINARY), folder, grpc, args, stdout)
    }

    /// The same by another program, which becomes it.
    pub fn start_as(program: &Path, folder: &Path, grpc: &str, args: &[&str], stdout: Stdio) -> Self {
        let mut child = std::process::Command::new(program)
            .current_dir(folder)
            // Tests share the machine with each other: who waits there is no sign of overload.
            .env("TOLLGATE_OVERLOAD_WAIT_SECONDS", "0")
            .args(["serve", "--grpc", grpc, "--metrics", "127.0.0.1:0", "--log-format", "json"])
            .args(args)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let started = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it serves before its log ends")).unwrap();
            let line: serde_json::Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if line["message"] == "serving" {
                break line;
            }
            log.push(line);
        };
        // Nobody may have to wait for a full pipe.
        let later = Arc::new(Mutex::new(Vec::new()));
        let logged = Arc::clone(&later);
        std::thread::spawn(move || {
            let lines = lines.map_while(Result::ok);
            lines
                .filter_map(|line| serde_json::from_str(&line).ok())
                .for_each(|line| logged.lock().unwrap().push(line));
        });
        let address = |name: &str| started[name].as_str().unwrap().parse().unwrap();
        let http = started["http"].as_str().and_then(|address| address.parse().ok());
        Self { child, grpc: address("grpc"), metrics: address("metrics"), http, log, later }
    }

    /// The most memory that it ever held.
    pub fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success(), "kill -{name} {pid}");
    }

    /// Waits for a log line that holds all of this.
    pub fn logs(&self, what: &[&str]) -> serde_json::Value {
        eventually(&what.join(" "), || {
            let lines = self.later.lock().unwrap();
            lines.iter().find(|line| what.iter().all(|part| line.to_string().contains(part))).cloned()
        })
    }

    /// How it ended; it has half a minute to do so.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().unwrap())
    }

    /// The status and body of a GET on the metrics port.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(self.metrics, path)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends one request and reads until the other side closes.
pub fn exchange(address: SocketAddr, request: &[u8]) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reply = Vec::new();
    // Who is refused half way gets an error on writing, and the answer all the same.
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let reply =
        exchange(address, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no body: {reply}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.into())
}

/// Waits until there is something, at most half a minute: the machine may be busy.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut left = 3000;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(left > 0, "not within half a minute: {what}");
        left -= 1;
        std::thread::sleep(Duration::from_millis(10));
    }
}

//! An Envoy with `deploy/envoy/envoy.yaml`, a service behind it that gives back what it gets, and
//! a Tollgate with `deploy/envoy/bundle.yaml`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binary::{Serving, exchange};

/// All of it.
pub struct Edge {
    envoy: Child,
    pub folder: TempDir,
    /// Where HTTP and gRPC go in.
    pub web: SocketAddr,
    /// And any bytes.
    pub any: SocketAddr,
    pub serving: Option<Serving>,
}

/// What came back over HTTP.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/envoy").join(name);
    fs::read_to_string(path).unwrap()
}

/// Waits for something that a busy machine may take long over.
pub fn in_time<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A text with each of these parts, which it must have, replaced.
pub fn changed(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(text.contains(from), "the example has no `{from}` any longer");
        text = text.replace(from, to);
    }
    text
}

impl Edge {
    /// The example as it is.
    pub fn start() -> Self {
        Self::with(&[], &[])
    }

    /// The example with changes in Envoy's configuration and in the bundle.
    pub fn with(envoy: &[(&str, &str)], bundle: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bundle.yaml"), changed(example("bundle.yaml"), bundle)).unwrap();
        let serving = Serving::start(folder.path(), &["bundle.yaml"]);
        let grpc = serving.grpc;
        Self::asking(grpc, Some(serving), folder, envoy)
    }

    /// An Envoy that asks whoever listens there.
    pub fn asking(
        grpc: SocketAddr,
        serving: Option<Serving>,
        folder: TempDir,
        changes: &[(&str, &str)],
    ) -> Self {
        // A call of Envoy's may wait on a busy machine; what a call may take is tested apart.
        let patient = [("timeout: 0.2s", "timeout: 20s"), ("timeout: 0.1s", "timeout: 20s")];
        let text = changed(changed(example("envoy.yaml"), changes), &patient[..]);
        let log = folder.path().join("access.log");
        let [web, any] = [(); 2].map(|()| free());
        let port = |address: SocketAddr| format!("port_value: {}", address.port());
        let text = changed(
            text,
            &[
                ("port_value: 10000", &port(web)),
                ("port_value: 10001", &port(any)),
                ("port_value: 8000", &port(echo())),
                ("port_value: 4700", &port(grpc)),
                ("/dev/stdout", log.to_str().unwrap()),
            ],
        );
        let config = folder.path().join("envoy.yaml");
        fs::write(&config, text).unwrap();
        let errors = fs::File::create(folder.path().join("envoy.log")).unwrap();
        let mut envoy = Command::new(part("envoy"))
            .args(["--log-level", "warning", "--concurrency", "1", "--use-dynamic-base-id"])
            .args(["--file-flush-interval-msec", "50", "-c"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .unwrap();
        in_time("Envoy listens", || {
            if let Some(ended) = envoy.try_wait().unwrap() {
                panic!("{ended}: {}", fs::read_to_string(folder.path().join("envoy.log")).unwrap());
            }
            TcpStream::connect(web).ok()
        });
        Self { envoy, folder, web, any, serving }
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, "")
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n{headers}");
        let reply = exchange(self.web, format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes());
        Reply::read(&reply)
    }

    /// The line of the access log about this path.
    pub fn logged(&self, path: &str) -> serde_json::Value {
        in_time("the access log", || {
            let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
            let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
            lines.into_iter().find(|line: &serde_json::Value| line["path"] == path)
        })
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
    }
}

impl Reply {
    pub fn read(reply: &str) -> Self {
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no body: {reply:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header as the service got it, which gives back what it gets.
    pub fn upstream(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.body.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
    }
}

/// The program of this name, installed when it is missing.
pub fn part(name: &str) -> PathBuf {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts");
    let output = Command::new(parts).arg(name).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "tests/parts {name}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A service that answers with the request that it got.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let (mut got, mut part) = (Vec::new(), [0; 4096]);
    while !got.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(read @ 1..) => got.extend_from_slice(&part[..read]),
            _ => return,
        }
    }
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", got.len());
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&got);
}

//! Programs that are measured from outside: this one as it is shipped, and others.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tollgate::load::Target;

/// A program that runs until it is dropped.
pub struct Program {
    child: Child,
    pub grpc: Target,
    /// Where it answers HTTP.
    pub http: String,
}

impl Program {
    /// `tollgate serve` on one serving thread, ready to decide.
    pub fn tollgate(folder: &Path, args: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.current_dir(folder).args(["serve", "--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]);
        command.args(["--log-format", "json", "--threads", "1"]).args(args);
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().context("it has a stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let started = loop {
            let line = lines.next().context("it ends before it serves")??;
            let line: serde_json::Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            if line["message"] == "serving" {
                break line;
            }
        };
        // Nobody may have to wait for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = |name: &str| started[name].as_str().map(str::to_owned).context("an address");
        Ok(Self { child, grpc: Target::Tcp(address("grpc")?), http: address("metrics")? })
    }

    /// Any other, which listens on the two ports that `args` is given, gRPC and HTTP.
    pub fn other(
        path: &str,
        args: impl FnOnce(u16, u16) -> anyhow::Result<Vec<String>>,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let [grpc, http] = [free_port()?, free_port()?];
        let mut command = Command::new(path);
        command.args(args(grpc, http)?).envs(environment.iter().copied());
        let child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().with_context(|| path.to_owned())?;
        Ok(Self { child, grpc: Target::Tcp(format!("127.0.0.1:{grpc}")), http: format!("127.0.0.1:{http}") })
    }

    /// Its time on cores so far, in nanoseconds, all threads together.
    pub fn cpu(&self) -> f64 {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let of = |task: std::fs::DirEntry| {
            let spent = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            spent.split(' ').next()?.parse::<f64>().ok()
        };
        tasks.filter_map(of).sum()
    }

    /// The memory that it holds, in MiB.
    pub fn resident(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().next().context("no number")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// The status of a GET.
    pub fn get(&self, path: &str) -> anyhow::Result<u16> {
        get(&self.http, path)
    }
}

/// The status of a GET to this address; the answer is read to its end.
pub fn get(address: &str, path: &str) -> anyhow::Result<u16> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let reply = String::from_utf8_lossy(&reply);
    reply.split(' ').nth(1).context("no status")?.parse().context("no status")
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

//! Where connections come from: a TCP port, a Unix socket, or both.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use crate::clock;
use crate::tls::Place;

/// Opens a TCP port.
pub(super) fn tcp(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(addr)
        .with_context(|| format!("{addr}: cannot listen; stop what uses it, or choose another address"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A Unix socket, removed when it is given up.
#[derive(Debug)]
pub(super) struct Socket {
    pub listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

/// Opens a Unix socket with these permissions. One that a dead process left is replaced.
pub(super) fn uds(path: &Path, mode: u32) -> anyhow::Result<Socket> {
    let shown = path.display();
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            anyhow::bail!("{shown}: exists and is no socket; remove it, or choose another path");
        }
        if is_alive(path).with_context(|| format!("{shown}: cannot be replaced"))? {
            anyhow::bail!("{shown}: another process serves there; stop it, or choose another path");
        }
    }
    let cannot = || format!("{shown}: cannot listen");
    // It appears under its name with its permissions: nobody can connect in between.
    let beside = beside(path).with_context(cannot)?;
    let listener = UnixListener::bind(&beside).with_context(cannot)?;
    let ready = fs::set_permissions(&beside, fs::Permissions::from_mode(mode))
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| listener.set_nonblocking(true))
        .and_then(|()| fs::symlink_metadata(path));
    if ready.is_err() {
        // It is ours: nobody else knows its name.
        let _ = fs::remove_file(&beside);
    }
    let inode = ready.with_context(cannot)?.ino();
    Ok(Socket { listener, path: path.to_owned(), inode })
}

/// Whether somebody listens there. Connecting never waits: a full queue is somebody too. What
/// cannot be told, since it is another user's, is an error.
fn is_alive(path: &Path) -> io::Result<bool> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&socket2::SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => Ok(false),
            ErrorKind::WouldBlock => Ok(true),
            _ => Err(error),
        },
    }
}

/// A name beside the path that nothing else has. It is short, since names of sockets are.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    let number = clock::any_number()?;
    name.push(format!(".{number:08x}"));
    Ok(name.into())
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Another process may have replaced it meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|now| now.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A connection on its way from the thread that accepts to the one that serves.
#[derive(Debug)]
pub(super) enum Accepted {
    /// With the right to a handshake, where TLS is spoken.
    Tcp(std::net::TcpStream, Option<Place>),
    Unix(UnixStream),
}

/// A connection on the thread that serves it.
#[derive(Debug)]
pub(super) enum Connection {
    Tcp(tokio::net::TcpStream),
    Tls(Box<TlsStream<tokio::net::TcpStream>>),
    Unix(tokio::net::UnixStream),
}

/// All kinds of streams, at the one place where they differ.
macro_rules! stream {
    ($connection:expr, $stream:ident => $call:expr) => {
        match $connection.get_mut() {
            Connection::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Connection::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
            Connection::Unix(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        stream!(self, stream => stream.poll_read(cx, into))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        stream!(self, stream => stream.poll_write(cx, bytes))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        stream!(self, stream => stream.poll_write_vectored(cx, parts))
    }
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, stream => stream.poll_flush(cx))
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, stream => stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_private_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let socket = uds(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        drop(UnixListener::bind(&path).unwrap());
        let first = uds(&path, 0o660).unwrap();
        let error = uds(&path, 0o660).unwrap_err().to_string();
        assert!(error.contains("another process serves there"), "{error}");
        UnixStream::connect(&path).unwrap();
        drop(first);
        fs::write(&path, "").unwrap();
        let error = uds(&path, 0o660).unwrap_err().to_string();
        assert!(error.contains("exists and is no socket"), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn nothing_beside_a_socket_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let other = folder.path().join("t.sock.new");
        fs::write(&other, "kept").unwrap();
        let socket = uds(&path, 0o600).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        drop(socket);
    }

    #[test]
    fn a_socket_with_a_full_queue_is_alive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        for _ in 0..3 {
            assert!(is_alive(&path).unwrap());
        }
        drop(socket);
        assert!(!is_alive(&path).unwrap());
    }

    #[test]
    fn a_port_in_use_says_so() {
        let first = tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = first.local_addr().unwrap();
        let error = tcp(addr).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{addr}: cannot listen")), "{error}");
    }
}

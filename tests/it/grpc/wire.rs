//! HTTP/2 by hand, for clients that no library would be.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const DATA: u8 = 0;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub struct Wire {
    pub stream: TcpStream,
    next: u32,
}

impl Wire {
    /// Connects, and grants the server the largest windows there are.
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut wire = Self { stream, next: 1 };
        let most = 0x7fff_ffff_u32;
        let windows = [&[0, 4], &most.to_be_bytes()[..]].concat();
        let more = (most - 65_535).to_be_bytes();
        let begin = [PREFACE, &frame(4, 0, 0, &windows), &frame(8, 0, 0, &more)].concat();
        wire.stream.write_all(&begin).unwrap();
        // The server's own settings say that it has taken the connection.
        wire.stream.read_exact(&mut [0; 9]).unwrap();
        wire
    }

    /// A new stream's number.
    pub fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Sends frames; false when the server has closed the connection.
    pub fn send(&mut self, frames: &[u8]) -> bool {
        self.stream.write_all(frames).is_ok()
    }

    /// Whether the server closes the connection, after whatever it says before.
    pub fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, inner: &[u8]) -> Vec<u8> {
    let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), inner].concat()
}

/// The head of a call of this rpc.
pub fn head(rpc: &str) -> Vec<u8> {
    let path = format!("/tollgate.v1.PolicyDecisionService/{rpc}");
    let length = u8::try_from(path.len()).unwrap();
    // POST, http, the path, the authority `a`, the type of gRPC, without teaching the server any.
    [&[0x83, 0x86, 0x04, length], path.as_bytes(), b"\x01\x01a\x0f\x10\x10application/grpc"].concat()
}

/// A message with gRPC's prefix.
pub fn message(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], &length[..], bytes].concat()
}

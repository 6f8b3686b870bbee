//! A server that does not answer at all.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::socket::{Backlog, listen};

/// Its queue of connections is full, so the kernel drops every further SYN: to a client it is a machine
/// behind a firewall, or one that is switched off. It needs no network to be so.
#[derive(Debug)]
pub struct SilentServer {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl SilentServer {
    /// On a port of its own of 127.0.0.1.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listen(&listener, Backlog::new(0).expect("allowed")).expect("listening already");
        let address = listener.local_addr().expect("bound");
        let mut queue = Vec::new();
        // Longer than a connection through the loopback device ever takes.
        let patience = Duration::from_millis(300);
        loop {
            match TcpStream::connect_timeout(&address, patience) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("cannot fill the queue: {error}"),
            }
        }
        Self {
            address,
            _listener: listener,
            _queue: queue,
        }
    }

    /// Behind `127.0.0.1:`.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// As a mount option.
    pub fn port_option(&self) -> String {
        format!("port={}", self.address.port())
    }
}

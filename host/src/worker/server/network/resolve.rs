//! Looking names up, and finding out which of a server's addresses takes connections.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use crate::worker::{Fault, FaultKind, Reached, Server};

/// How many addresses of one name are told; no more of them would be tried.
const MAX_ADDRESSES: usize = 16;

/// Linux repeats a SYN after one second and again after two more (tcp(7)): time for both to be lost.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connecting a datagram socket sends nothing, so any port will do; this one is for discarding (RFC 863).
const ANY_PORT: u16 = 9;

/// Addresses of a host, an address literal being its own. No more than can be used are told.
pub(super) fn resolve(host: &str) -> Result<Vec<IpAddr>, Fault> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let unresolved = |reason: &dyn Display| {
        Fault::new(
            FaultKind::Unreachable,
            format!(
                "cannot resolve {host:?}: {reason}; check the server's name and the node's DNS"
            ),
        )
    };
    let found = (host, 0)
        .to_socket_addrs()
        .map_err(|error| unresolved(&error))?;
    let found = found.map(|address| address.ip());
    let addresses: Vec<IpAddr> = found.take(MAX_ADDRESSES).collect();
    if addresses.is_empty() {
        Err(unresolved(&"no address"))
    } else {
        Ok(addresses)
    }
}

/// The first address that answers. A server that does not answer at all is told apart here, in seconds:
/// the kernel itself would retry a hard mount for minutes.
pub(super) fn reach(server: &Server) -> Result<Reached, Fault> {
    let Some(port) = server.port else {
        let first = server.addresses.first();
        let nowhere = || {
            Fault::new(
                FaultKind::Invalid,
                format!("{} has no address", server.name),
            )
        };
        return first.map(|address| unasked(*address)).ok_or_else(nowhere);
    };
    let mut attempts = String::new();
    for address in &server.addresses {
        let socket = SocketAddr::new(*address, port);
        match TcpStream::connect_timeout(&socket, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(over(*address, stream.local_addr().ok())),
            Err(error) => attempts += &format!(" {socket}: {error};"),
        }
    }
    let message = format!(
        "cannot reach nfs server {},{attempts} check that the server runs and that the node's network and firewall let it through",
        server.name
    );
    Err(Fault::new(FaultKind::Unreachable, message))
}

fn over(server: IpAddr, local: Option<SocketAddr>) -> Reached {
    Reached {
        server,
        client: local.map(|local| local.ip()),
    }
}

/// With the address that this node would use.
fn unasked(server: IpAddr) -> Reached {
    let any: SocketAddr = match server {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let local = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((server, ANY_PORT))?;
        socket.local_addr()
    });
    over(server, local.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(addresses: &[[u8; 4]], port: Option<u16>) -> Server {
        Server {
            name: "filer".into(),
            addresses: addresses.iter().map(|bytes| (*bytes).into()).collect(),
            port,
        }
    }

    #[test]
    fn the_address_that_answers_is_used_and_this_nodes_own_told() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let reached = reach(&server(&[[127, 0, 0, 2], [127, 0, 0, 1]], Some(port)));
        let here = IpAddr::from([127, 0, 0, 1]);
        let expected = Reached {
            server: here,
            client: Some(here),
        };
        assert_eq!(reached, Ok(expected));
        let fault = reach(&server(&[[127, 0, 0, 2]], Some(port))).expect_err("nobody listens");
        assert_eq!(fault.kind, FaultKind::Unreachable);
        let refused = format!("127.0.0.2:{port}: Connection refused");
        assert!(fault.message.contains(&refused), "{}", fault.message);
    }

    #[test]
    fn a_server_that_cannot_be_asked_is_taken_at_its_first_address() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let reached = reach(&server(&[[127, 0, 0, 1], [127, 0, 0, 2]], None)).expect("reached");
        assert_eq!(reached.server, here);
        assert_eq!(reached.client, Some(here));
        assert!(reach(&server(&[], None)).is_err());
    }

    #[test]
    fn an_address_literal_is_not_looked_up() {
        let address = "fd00::1".parse().expect("an address");
        assert_eq!(resolve("fd00::1"), Ok(vec![address]));
    }
}

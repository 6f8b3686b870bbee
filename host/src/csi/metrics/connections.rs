//! Which connections are being answered, and whose has to go where there are too many.
//!
//! Nobody is turned away and nobody waits for a stranger to end: what is asked is answered within a moment, so that
//! what has been open for longest is what asks nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use tokio::task::AbortHandle;

/// Collectors and probes come one at a time.
const MAX_CONNECTIONS: usize = 32;

/// Where a connection comes from; all of this machine's sockets are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(Option<IpAddr>);

/// The oldest first.
#[derive(Debug, Default)]
pub(super) struct Connections(Vec<(Peer, AbortHandle)>);

impl Peer {
    pub(super) fn of(address: Option<SocketAddr>) -> Self {
        Self(address.map(|address| address.ip()))
    }
}

impl Connections {
    /// One more. Where that is one too many, the oldest of whoever has most is closed: somebody who opens many
    /// takes them from himself.
    pub(super) fn add(&mut self, peer: Peer, answering: AbortHandle) {
        self.0.push((peer, answering));
        if self.0.len() <= MAX_CONNECTIONS {
            return;
        }
        self.0.retain(|(_, answering)| !answering.is_finished());
        let peers: Vec<Peer> = self.0.iter().map(|(peer, _)| *peer).collect();
        if peers.len() > MAX_CONNECTIONS
            && let Some(oldest) = one_too_many(&peers)
        {
            self.0.remove(oldest).1.abort();
        }
    }
}

/// Which of them: the first of the peer that has most. The last one, which has just come, is never it unless it is
/// alone.
fn one_too_many(peers: &[Peer]) -> Option<usize> {
    let mut counts = HashMap::new();
    for peer in peers {
        *counts.entry(peer).or_insert(0_usize) += 1;
    }
    let most = counts.values().max()?;
    peers.iter().position(|peer| counts.get(peer) == Some(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_most_loses_the_oldest_and_others_lose_none() {
        let peer = |last: u8| Peer(Some(IpAddr::from([10, 0, 0, last])));
        let (probe, stranger, local) = (peer(1), peer(2), Peer(None));
        assert_eq!(
            one_too_many(&[probe, stranger, local, stranger, probe, stranger]),
            Some(1)
        );
        assert_eq!(one_too_many(&[local, stranger, probe]), Some(0));
        assert_eq!(one_too_many(&[]), None);
    }
}

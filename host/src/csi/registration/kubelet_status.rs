//! How a driver stands with kubelet, and whether that is in order.
//!
//! In order is: not offered yet, because the driver is not ready; offered, and asked by kubelet within a minute;
//! asked; registered; and handed over to the process that replaces this one. A refusal counts until kubelet registers
//! the driver, also while it is offered again, so that the answer does not flap.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// kubelet looks within a second; where it has just started, within some more.
const UNSEEN: Duration = Duration::from_secs(60);

/// Of one driver; clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::csi) struct KubeletStatus(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: Last,
    /// Refused, and not offered anew since.
    is_to_be_offered_again: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    NotOffered,
    Offered(Instant),
    Asked,
    Registered,
    Refused(String),
    NoSocket(String),
    HandedOver,
}

impl KubeletStatus {
    /// A new socket is there.
    pub(super) fn offered(&self, now: Instant) {
        let mut state = self.state();
        state.is_to_be_offered_again = false;
        if !matches!(state.last, Last::Refused(_)) {
            state.last = Last::Offered(now);
        }
    }

    /// kubelet asked who is there.
    pub(super) fn asked(&self) {
        let mut state = self.state();
        if matches!(state.last, Last::Offered(_)) {
            state.last = Last::Asked;
        }
    }

    pub(super) fn registered(&self) {
        *self.state() = State {
            last: Last::Registered,
            is_to_be_offered_again: false,
        };
    }

    pub(super) fn refused(&self, error: String) {
        *self.state() = State {
            last: Last::Refused(error),
            is_to_be_offered_again: true,
        };
    }

    /// There is no socket to be offered at, for that reason.
    pub(super) fn has_no_socket(&self, socket: &Path, error: &io::Error) {
        tracing::error!(
            %error,
            socket = %socket.display(),
            "cannot listen where kubelet looks for drivers, and try again; see that the directory is there and can be written"
        );
        let told = format!("cannot listen at {}: {error}", socket.display());
        self.state().last = Last::NoSocket(told);
    }

    /// Another process has the socket's name.
    pub(super) fn handed_over(&self) {
        *self.state() = State {
            last: Last::HandedOver,
            is_to_be_offered_again: false,
        };
    }

    pub(super) fn is_to_be_offered_again(&self) -> bool {
        self.state().is_to_be_offered_again
    }

    /// Whether kubelet has registered it, for all that this process heard.
    pub(in crate::csi) fn is_registered(&self) -> bool {
        self.state().last == Last::Registered
    }

    /// What is wrong, in one line.
    pub(in crate::csi) fn trouble(&self, now: Instant) -> Option<String> {
        match &self.state().last {
            Last::NotOffered | Last::Asked | Last::Registered | Last::HandedOver => None,
            Last::Offered(since) => (now.duration_since(*since) >= UNSEEN).then(|| {
                "kubelet has not asked for it; see that --kubelet-root is kubelet's own --root-dir, and the same \
                 directory in the pod"
                    .to_owned()
            }),
            Last::Refused(error) => Some(format!("kubelet did not register it: {error}")),
            Last::NoSocket(error) => Some(format!("not offered to kubelet: {error}")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_in_order_until_kubelet_had_time_to_ask() {
        let (kubelet_status, now) = (KubeletStatus::default(), Instant::now());
        assert_eq!(kubelet_status.trouble(now), None, "not offered yet");
        kubelet_status.offered(now);
        assert_eq!(kubelet_status.trouble(now), None, "just offered");
        let trouble = kubelet_status.trouble(now + UNSEEN).expect("nobody asked");
        assert!(trouble.contains("--kubelet-root"), "{trouble}");
        kubelet_status.asked();
        assert_eq!(
            kubelet_status.trouble(now + UNSEEN),
            None,
            "kubelet is at it"
        );
        kubelet_status.registered();
        assert_eq!(kubelet_status.trouble(now + UNSEEN), None);
    }

    #[test]
    fn a_refusal_counts_until_kubelet_registers_the_driver() {
        let (kubelet_status, now) = (KubeletStatus::default(), Instant::now());
        kubelet_status.offered(now);
        kubelet_status.refused("NodeGetInfo failed".to_owned());
        assert!(kubelet_status.is_to_be_offered_again());
        kubelet_status.offered(now);
        kubelet_status.asked();
        assert!(!kubelet_status.is_to_be_offered_again(), "it was");
        let trouble = kubelet_status.trouble(now).expect("still refused");
        assert!(trouble.ends_with(": NodeGetInfo failed"), "{trouble}");
        kubelet_status.registered();
        assert_eq!(kubelet_status.trouble(now), None);
    }

    #[test]
    fn what_another_process_has_is_no_trouble_of_this_one() {
        let (kubelet_status, now) = (KubeletStatus::default(), Instant::now());
        kubelet_status.refused("no".to_owned());
        kubelet_status.handed_over();
        assert_eq!(kubelet_status.trouble(now), None);
        kubelet_status.has_no_socket(Path::new("/r/x-reg.sock"), &io::ErrorKind::NotFound.into());
        let trouble = kubelet_status.trouble(now).expect("no socket");
        assert!(trouble.contains("/r/x-reg.sock"), "{trouble}");
    }
}

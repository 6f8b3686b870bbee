//! Two processes in pods of their own: one works, the other takes over.

use std::mem;

use nix::sys::signal::Signal;

use crate::site::{Pod, Provisioner, Site};

/// Who is there, and how often one that worked was killed.
pub(super) struct Crew<'a> {
    site: &'a Site,
    works: Member,
    waits: Member,
    /// The name by which the first of them holds the lease.
    leader: Option<String>,
    pub(super) kills: usize,
}

struct Member {
    pod: Pod,
    process: Provisioner,
}

impl Member {
    #[track_caller]
    fn start(site: &Site, pod: Pod) -> Self {
        let process = site.provisioner_in(pod);
        Self { pod, process }
    }
}

impl<'a> Crew<'a> {
    #[track_caller]
    pub(super) fn start(site: &'a Site) -> Self {
        let works = Member::start(site, Pod::First);
        site.eventually("a leader", || site.leader().is_some());
        Self {
            site,
            works,
            waits: Member::start(site, Pod::Second),
            leader: site.leader(),
            kills: 0,
        }
    }

    /// Kills the one that works, does something while nobody works, and waits until the other one does.
    #[track_caller]
    pub(super) fn kill(&mut self, meanwhile: impl FnOnce()) {
        // On a machine that is too busy to renew a lease of two seconds, it has ended by itself.
        while self.works.process.has_ended() {
            self.succeed();
        }
        self.works.process.send(Signal::SIGKILL);
        self.kills += 1;
        meanwhile();
        self.succeed();
    }

    /// The other one works once it has the lease; another comes in the place of the one that ended.
    #[track_caller]
    fn succeed(&mut self) {
        let (site, waits) = (self.site, &mut self.waits);
        let mut leader = None;
        site.eventually("another one to work", || {
            if waits.process.has_ended() {
                *waits = Member::start(site, waits.pod);
            }
            leader = site.leader();
            leader.is_some() && leader != self.leader
        });
        self.leader = leader;
        mem::swap(&mut self.works, &mut self.waits);
        self.waits = Member::start(site, self.waits.pod);
    }
}

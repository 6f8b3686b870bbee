//! Which step may begin when: after those it needs, two at once, and never two that would be in each other's way.
//!
//! Pure: it knows what waits and what runs, and starts nothing.

use super::steps::Step;

/// How many run at once: one that waits most of its time, beside one that works. More would make each wait for a
/// processor, and the limits that tests set to their own waiting are for a machine that is busy, not overrun.
const AT_ONCE: usize = 2;

/// What a step would share badly, so that no two that claim the same run at once. Those that only wait for the
/// network or look at a few files claim nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// cargo's lock on the workspace, and a processor to build with.
    Workspace,
    /// The same of the guests' workspace.
    Guests,
    /// The same of what is shipped.
    Shipped,
    /// This machine's kernel: its mounts, its loop devices, its table of processes.
    Kernel,
    /// A machine of its own.
    Vm,
    /// All of this machine: nothing else runs meanwhile.
    Machine,
}

/// The steps of one repeat.
pub(super) struct Schedule<'a> {
    /// In the order in which they are to begin.
    waiting: Vec<&'a Step>,
    running: Vec<&'a Step>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(chosen: &[&'a Step]) -> Self {
        Self {
            waiting: chosen.to_vec(),
            running: Vec::new(),
        }
    }

    /// The first of those that wait that may begin now; it runs from here on.
    pub(super) fn next(&mut self) -> Option<&'a Step> {
        if self.running.len() >= AT_ONCE {
            return None;
        }
        let index = self.waiting.iter().position(|step| self.may_begin(step))?;
        let step = self.waiting.remove(index);
        self.running.push(step);
        Some(step)
    }

    /// A step is over, whatever came of it.
    pub(super) fn ended(&mut self, name: &str) {
        self.running.retain(|step| step.name != name);
    }

    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    fn may_begin(&self, step: &Step) -> bool {
        let mut others = self.waiting.iter().chain(&self.running);
        let needs_one = others.any(|other| step.needs.contains(&other.name));
        !needs_one && !self.running.iter().any(|other| are_in_the_way(step, other))
    }
}

fn are_in_the_way(one: &Step, other: &Step) -> bool {
    let takes_all = |step: &Step| step.claims.contains(&Claim::Machine);
    let mut claimed = one.claims.iter();
    takes_all(one) || takes_all(other) || claimed.any(|claim| other.claims.contains(claim))
}

#[cfg(test)]
mod tests {
    use super::super::counts::Counts;
    use super::super::steps::STEPS;
    use super::*;

    const fn step(
        name: &'static str,
        needs: &'static [&'static str],
        claims: &'static [Claim],
    ) -> Step {
        Step {
            name,
            about: "",
            needs,
            claims,
            check: |_| Ok(Counts::of_checks("")),
        }
    }

    const BUILD: Step = step("build", &[], &[Claim::Workspace]);
    const VM: Step = step("vm", &["build"], &[Claim::Vm]);
    const OUTSIDE: Step = step("outside", &["build"], &[Claim::Kernel]);
    const KUBELET: Step = step("kubelet", &["build"], &[Claim::Kernel]);
    const DENY: Step = step("deny", &[], &[]);

    fn next(schedule: &mut Schedule<'_>) -> Option<&'static str> {
        schedule.next().map(|step| step.name)
    }

    #[test]
    fn what_a_step_needs_is_over_before_it_begins() {
        let mut schedule = Schedule::new(&[&BUILD, &VM]);
        assert_eq!(next(&mut schedule), Some("build"));
        assert_eq!(next(&mut schedule), None);
        schedule.ended("build");
        assert_eq!(next(&mut schedule), Some("vm"));
        assert!(!schedule.is_over());
        schedule.ended("vm");
        assert!(schedule.is_over());
    }

    #[test]
    fn two_run_at_once_and_no_third() {
        let mut schedule = Schedule::new(&[&VM, &OUTSIDE, &DENY]);
        assert_eq!(next(&mut schedule), Some("vm"));
        assert_eq!(next(&mut schedule), Some("outside"));
        assert_eq!(next(&mut schedule), None);
        schedule.ended("outside");
        assert_eq!(next(&mut schedule), Some("deny"));
    }

    #[test]
    fn those_that_claim_the_same_run_one_after_the_other() {
        let mut schedule = Schedule::new(&[&OUTSIDE, &KUBELET, &DENY]);
        assert_eq!(next(&mut schedule), Some("outside"));
        assert_eq!(next(&mut schedule), Some("deny"));
        schedule.ended("deny");
        assert_eq!(next(&mut schedule), None);
        schedule.ended("outside");
        assert_eq!(next(&mut schedule), Some("kubelet"));
    }

    #[test]
    fn beside_what_claims_the_machine_nothing_runs() {
        let alone = step("alone", &[], &[Claim::Machine]);
        let mut schedule = Schedule::new(&[&alone, &DENY]);
        assert_eq!(next(&mut schedule), Some("alone"));
        assert_eq!(next(&mut schedule), None);
        schedule.ended("alone");
        assert_eq!(next(&mut schedule), Some("deny"));
        let mut schedule = Schedule::new(&[&DENY, &alone]);
        assert_eq!(next(&mut schedule), Some("deny"));
        assert_eq!(next(&mut schedule), None);
    }

    #[test]
    fn two_that_claim_nothing_run_at_once() {
        let other = step("advisories", &[], &[]);
        let mut schedule = Schedule::new(&[&DENY, &other]);
        assert_eq!(next(&mut schedule), Some("deny"));
        assert_eq!(next(&mut schedule), Some("advisories"));
    }

    #[test]
    fn a_need_that_was_not_chosen_is_not_waited_for() {
        let mut schedule = Schedule::new(&[&KUBELET]);
        assert_eq!(next(&mut schedule), Some("kubelet"));
    }

    #[test]
    fn all_steps_run_each_once() {
        let chosen: Vec<&Step> = STEPS.iter().collect();
        let mut schedule = Schedule::new(&chosen);
        let (mut begun, mut running) = (0, Vec::new());
        while !schedule.is_over() {
            while let Some(name) = next(&mut schedule) {
                begun += 1;
                running.push(name);
            }
            schedule.ended(running.remove(0));
        }
        assert_eq!(begun, STEPS.len());
    }
}

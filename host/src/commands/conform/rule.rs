//! What a rule is.

use std::fmt;

use drivebay::driver::Backend;
use drivebay::store::Export;

use super::bench::Bench;
use super::expectation::{Checked, Stop, missing_lines};

/// One promise of the contract.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// What has to be so.
    pub(super) asks: &'static str,
    /// What goes wrong on a cluster where it is not.
    pub(super) why: &'static str,
    /// What the component has to export for the rule to be about anything.
    pub(super) needs: &'static [Export],
    pub(super) check: fn(&Bench) -> Checked,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Rule {
    /// Tries it, and removes what it made.
    pub(super) fn tried_on(&self, bench: &Bench) -> Checked {
        let lacks = |export: &&Export| !bench.exports(**export);
        let missing: Vec<&str> = self
            .needs
            .iter()
            .filter(lacks)
            .map(|it| it.name())
            .collect();
        if !missing.is_empty() {
            let reason = format!("the component does not export {}", missing.join(", "));
            return Err(Stop::Inapplicable(reason));
        }
        if !bench.left.borrow().is_empty() {
            let reason = "what an earlier rule made was left behind, and this one might leave more";
            return Err(Stop::Untried(reason.to_owned()));
        }
        let checked = (self.check)(bench);
        bench.backend(Backend::Answers);
        let missing = missing_lines(&bench.session());
        bench.clean();
        match (checked, missing.first()) {
            (Err(Stop::Broken(_) | Stop::Untried(_)), Some(line)) => Err(Stop::Untried(format!(
                "no line of --http FILE answers a request; this one would, with a response in it: {line}"
            ))),
            (checked, _) => checked,
        }
    }
}

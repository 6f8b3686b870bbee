//! Keeping what is in memory out of files.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// From here on the kernel writes no core of this process, whatever it dies of: it may hold keys, session tokens and
/// pods' secrets. Nor may anybody but root look into it. What is executed from here inherits the limit alone, and
/// has to ask for the rest itself.
///
/// To be called first of all.
pub fn forbid_core_dumps() {
    // Giving something up is refused to nobody. The limit alone would not do: the kernel does not ask it where cores
    // go to a program (core(5)).
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
}

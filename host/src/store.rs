//! Components on this node: which version serves each driver, and which did, wait, and were refused; what each asks for
//! and can do; their compiled code.
//!
//! Nothing of a component is run here. Whoever has one compiled brings the self-test, which runs it; what the host
//! itself reads of a stranger's component is its digest, a worker process with limits the rest. Compiled code lies in
//! a root-only directory and is checked before it is mapped.

#[cfg(feature = "compiler")]
mod activate;
mod activated_driver;
mod active;
mod automatic_rollback;
#[cfg(feature = "compiler")]
mod breaking_change;
mod call_counts;
#[cfg(feature = "compiler")]
mod compile;
mod compile_on_demand;
mod compile_refusals;
mod compiled;
mod components;
#[cfg(feature = "compiler")]
mod contract;
#[cfg(feature = "compiler")]
mod decompress;
mod engine;
#[cfg(feature = "compiler")]
mod entry_name;
#[cfg(feature = "compiler")]
mod file_rules;
mod imports;
#[cfg(feature = "compiler")]
mod installed;
mod interface;
#[cfg(feature = "compiler")]
mod known_versions;
mod manifest;
#[cfg(feature = "compiler")]
mod manual_activation;
mod offer_status;
#[cfg(feature = "compiler")]
mod retain;
#[cfg(feature = "compiler")]
mod signature;
#[cfg(feature = "compiler")]
mod source;
#[cfg(feature = "compiler")]
mod source_contents;
#[cfg(feature = "compiler")]
mod source_lines;
#[cfg(feature = "compiler")]
mod store_lock;
#[cfg(feature = "compiler")]
mod updates;
mod version_change;
mod version_progress;
mod version_record;
#[cfg(feature = "compiler")]
mod watch;
mod watcher_lock;

#[cfg(feature = "compiler")]
pub use crate::worker::client::Priority;
#[cfg(feature = "compiler")]
pub use activate::{Activation, Outcome};
pub use activated_driver::or_activated;
pub use active::{ActiveVersions, Version, VersionError};
pub use automatic_rollback::Trial;
pub use call_counts::CallEnd;
#[cfg(feature = "compiler")]
pub use compile::{
    CheckedComponent, CompileError, CompileLimit, CompiledComponent, SelfTest, SelfTestError,
    TestedComponent, check, compile, compile_for_calls, compiled_before, inspect, serve_compiler,
};
pub(crate) use compile_on_demand::have_compiled;
pub use compiled::CompiledError;
pub(crate) use compiled::{load, read_manifest};
pub use components::{
    ComponentBytes, ComponentError, ComponentFile, MAX_COMPONENT_BYTES, install, locate,
    locate_digest, retained,
};
#[cfg(feature = "compiler")]
pub use decompress::{Compression, DecompressError, decompress};
pub(crate) use engine::{MEMORY_RESERVATION, engine};
#[cfg(feature = "compiler")]
pub use file_rules::{RequireError, RuleError};
pub(crate) use imports::wants_wasi;
pub use imports::{ImportProblem, in_words, problems};
#[cfg(feature = "compiler")]
pub use installed::{InstallError, install_for};
pub use interface::{Export, Import};
#[cfg(feature = "compiler")]
pub use known_versions::DigestError;
pub use manifest::{Description, Interfaces, Manifest, Need, Parameter, Scope};
pub(crate) use manifest::{host_word, is_qualified};
#[cfg(feature = "compiler")]
pub use manual_activation::{ByNameError, VersionChange, activate_by_name, roll_back};
pub use offer_status::{OfferState, OfferStatus};
#[cfg(feature = "compiler")]
pub use retain::remove_unused;
#[cfg(feature = "compiler")]
pub use signature::{SignatureError, VerifiedBy, verify};
#[cfg(feature = "compiler")]
pub use source::SourceDirectory;
#[cfg(feature = "compiler")]
pub use source_contents::{
    Candidate, Offer, SourceContents, SourceError, SourceFile, SourceProblem, join,
};
#[cfg(feature = "compiler")]
pub(crate) use source_lines::source_lines;
#[cfg(feature = "compiler")]
pub use store_lock::hold_store;
#[cfg(feature = "compiler")]
pub use updates::{Updates, VersionsInUse};
pub use version_change::{DecisionError, log_change};
pub use version_progress::{PendingVersion, RefusedVersion, Step, VersionProgress};
pub use version_record::{
    ActiveVersion, Content, HeldVersion, RecordError, RejectedBy, RejectedVersion, VersionRecord,
};
#[cfg(feature = "compiler")]
pub use watch::{POLL_INTERVAL, Stopper, Watch, Woken};
pub use watcher_lock::WatcherLock;

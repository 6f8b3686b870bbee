//! The store: components as they are delivered, verified and kept.
//!
//! Nothing here calls a guest: whoever activates a version passes in what tries it out.

#[cfg(feature = "compiler")]
mod decompress;
#[cfg(feature = "compiler")]
mod entry_name;
#[cfg(feature = "compiler")]
mod signature;
#[cfg(feature = "compiler")]
mod snapshot;
#[cfg(feature = "compiler")]
mod source;
#[cfg(feature = "compiler")]
mod watch;

#[cfg(feature = "compiler")]
pub use decompress::{Compression, DecompressError, MAX_COMPONENT_BYTES, decompress};
#[cfg(feature = "compiler")]
pub use signature::{SignatureError, VerifiedBy, verify};
#[cfg(feature = "compiler")]
pub use snapshot::{Candidate, Offer, Snapshot, SourceError, SourceFile, SourceProblem, join};
#[cfg(feature = "compiler")]
pub use source::SourceDirectory;
#[cfg(feature = "compiler")]
pub use watch::{POLL_INTERVAL, Stopper, Watch, Woken};

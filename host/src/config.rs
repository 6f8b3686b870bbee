//! What the operator decides: where things lie, and one file for each driver.
//!
//! Every key is checked; an unknown one is an error that names the file, the key and the nearest known
//! key. A driver's file belongs to the operator alone: whoever delivers components cannot write it.

mod attach_limits;
mod driver_config;
mod driver_file;
mod error;
mod grants;
mod limits;
mod named_files;
#[cfg(feature = "compiler")]
mod node_copy;
mod paths;
mod public_key;
mod requirement;
mod section;
mod sha256_digest;
mod state_format;
mod units;
mod version_rules;

pub use attach_limits::AttachLimits;
pub use driver_config::{DriverConfig, FlexVolumeAttach, FlexVolumeName};
pub use driver_file::{
    DriverFile, find_driver, find_flexvolume_driver, load_drivers, load_each_driver, parse_driver,
};
pub use error::ConfigError;
pub use grants::misspelt_mount_options;
pub use limits::Limits;
pub use named_files::{Holds, NamedFile};
#[cfg(feature = "compiler")]
pub use node_copy::{Copied, KeyFiles, NodeCopy};
pub use paths::{Paths, is_plain_name};
#[cfg(feature = "compiler")]
pub use public_key::PublicKey;
pub use public_key::PublicKeyFile;
pub use requirement::Requirement;
pub use state_format::StateError;
pub use units::{bytes, duration, size};
pub use version_rules::{RollbackRule, VersionRules};

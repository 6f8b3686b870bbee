//! Handles as they cross the line: numbers, each of one kind, good for one call and for nothing else.
//!
//! No two calls of a process have a number in common, so that one of another call is as unknown as one that was made up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! handles {
    ($($(#[$what:meta])* $kind:ident($handle:ident) = $name:literal,)*) => {
        $($(#[$what])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) struct $handle(pub(crate) u32);

        impl From<$handle> for Handle {
            fn from(handle: $handle) -> Self {
                Self::$kind(handle)
            }
        })*

        /// One of any kind; a kind for each resource of the contract's imports, by its name there.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Handle {
            $($kind($handle),)*
        }

        impl Handle {
            pub(super) fn number(self) -> u32 {
                match self {
                    $(Self::$kind(handle) => handle.0,)*
                }
            }
        }

        impl fmt::Display for Handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$kind(handle) => write!(f, concat!($name, " {}"), handle.0),)*
                }
            }
        }
    };
}

handles! {
    /// Where a volume has to appear, lent for the whole call.
    Target(TargetHandle) = "target",
    /// A directory, and all beneath it.
    Directory(DirectoryHandle) = "directory",
    /// One disk.
    Device(DeviceHandle) = "device",
    /// One granted origin.
    Endpoint(EndpointHandle) = "endpoint",
    /// One granted key.
    SigningKey(SigningKeyHandle) = "signing-key",
    /// What the call brought under a granted name.
    Secret(SecretHandle) = "secret",
}

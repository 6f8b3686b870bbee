//! Names that are all strings and must not be swapped.

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$about:meta])+ $name:ident)+) => {$(
        $(#[$about])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as it is written on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

names! {
    /// `d-` and 20 lower-case letters or digits.
    DiskId
    /// A disk's id without its `d-`: what its device carries, and the most that virtio-blk can carry.
    Serial
    /// `s-` and 20 lower-case letters or digits.
    SnapshotId
    /// `ssg-` and 20 lower-case letters or digits.
    SnapshotGroupId
    /// `i-` and 20 lower-case letters or digits.
    InstanceId
    /// `t-` and 20 lower-case letters or digits.
    TaskId
    /// Such as `cn-hangzhou`.
    RegionId
    /// Such as `cn-hangzhou-g`.
    ZoneId
    /// Such as `ecs.g7.xlarge`.
    InstanceTypeId
    /// Public half of an access key.
    AccessKeyId
    /// What temporary keys have to be sent with.
    SecurityToken
}

impl DiskId {
    /// The serial number that the disk's device carries.
    pub fn serial(&self) -> Serial {
        Serial::from(self.as_str().strip_prefix("d-").unwrap_or(self.as_str()))
    }
}

/// Secret half of an access key. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A size in the API's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gib(pub u64);

impl Gib {
    /// The size in the kernel's unit.
    pub fn bytes(self) -> u64 {
        self.0 << 30
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_is_the_id_without_its_prefix() {
        let id = DiskId::from("d-bp131n0q38u3a4ziabcd");
        assert_eq!(id.serial().as_str(), "bp131n0q38u3a4ziabcd");
    }

    #[test]
    fn secret_does_not_show_in_debug_output() {
        assert!(!format!("{:?}", Secret::from("hush".to_owned())).contains("hush"));
    }
}

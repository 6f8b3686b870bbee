//! What kubelet reads. Keys that do not apply are absent, never `null`.

use serde::Serialize;

use super::attach_mode::AttachMode;
use crate::driver::{Capabilities, Export};
use crate::error::{Condition, DriverError};

/// One JSON object.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attached: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<FlexCapabilities>,
    #[serde(rename = "volumeNewSize", skip_serializing_if = "Option::is_none")]
    volume_new_size: Option<u64>,
}

/// Compared by kubelet letter by letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Status {
    Success,
    Failure,
    #[serde(rename = "Not supported")]
    NotSupported,
}

/// What `init` says. All keys are always there: kubelet's defaults are true for most of them, and wrong
/// for shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FlexCapabilities {
    attach: bool,
    #[serde(rename = "selinuxRelabel")]
    selinux_relabel: bool,
    #[serde(rename = "supportsMetrics")]
    supports_metrics: bool,
    #[serde(rename = "fsGroup")]
    fs_group: bool,
    #[serde(rename = "requiresFSResize")]
    requires_fs_resize: bool,
}

impl FlexCapabilities {
    /// kubelet attaches what it is told to. Relabelling, chown and statfs by it are right for a file system of
    /// this node's own kernel; on a share they are slow, refused by root_squash, or hang with the server. Growing is
    /// ours for both: `expandfs`, which kubelet calls only where this says so, is the one call in which anything grows.
    pub(super) fn of(attach: AttachMode, capabilities: Capabilities) -> Self {
        let local = capabilities.local_filesystem();
        Self {
            attach: attach == AttachMode::ByKubelet,
            selinux_relabel: local,
            supports_metrics: local,
            fs_group: local,
            requires_fs_resize: capabilities.exports(Export::Expansion),
        }
    }
}

impl Reply {
    pub(super) fn success() -> Self {
        Self::of(Status::Success)
    }

    pub(super) fn initialised(capabilities: FlexCapabilities) -> Self {
        Self {
            capabilities: Some(capabilities),
            ..Self::success()
        }
    }

    pub(super) fn device(device: String) -> Self {
        Self {
            device: Some(device),
            ..Self::success()
        }
    }

    pub(super) fn attached(attached: bool) -> Self {
        Self {
            attached: Some(attached),
            ..Self::success()
        }
    }

    pub(super) fn grown(bytes: u64) -> Self {
        Self {
            volume_new_size: Some(bytes),
            ..Self::success()
        }
    }

    /// kubelet remembers this for good and falls back to its own ways.
    pub(super) fn not_supported(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::of(Status::NotSupported)
        }
    }

    /// Every condition is a failure here, `unsupported` too: "Not supported" would make kubelet format and
    /// mount by itself, or take growing for done, and it would never ask again.
    pub fn failure(error: &DriverError) -> Self {
        let status = match error.condition() {
            Condition::InvalidArgument
            | Condition::OutOfRange
            | Condition::NotFound
            | Condition::AlreadyExists
            | Condition::InProgress
            | Condition::Unavailable
            | Condition::Exhausted
            | Condition::FailedPrecondition
            | Condition::Denied
            | Condition::Unsupported
            | Condition::Internal => Status::Failure,
        };
        Self {
            message: Some(error.chain()),
            ..Self::of(status)
        }
    }

    /// For a panic, when nothing can be trusted any more.
    pub fn panicked(place: &str) -> Self {
        let message = format!(
            "drivebay-shim failed at {place}; this is a bug, please report it with the log"
        );
        Self {
            message: Some(message),
            ..Self::of(Status::Failure)
        }
    }

    /// One line of JSON.
    pub fn to_line(&self) -> String {
        // Strings, numbers and booleans always serialise; the literal is for a world in which they do not.
        let text =
            serde_json::to_string(self).unwrap_or_else(|_| r#"{"status":"Failure"}"#.to_owned());
        text + "\n"
    }

    fn of(status: Status) -> Self {
        Self {
            status,
            message: None,
            device: None,
            attached: None,
            capabilities: None,
            volume_new_size: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_a_failure_with_its_message() {
        for condition in Condition::ALL {
            let line = Reply::failure(&DriverError::new(condition, "why")).to_line();
            assert_eq!(
                line, "{\"status\":\"Failure\",\"message\":\"why\"}\n",
                "{condition:?}"
            );
        }
    }

    #[test]
    fn a_share_claims_nothing_that_kubelet_would_do_to_it_and_growing_where_it_can() {
        let share = Capabilities::default();
        for (share, grows) in [(share, "false"), (share.with(Export::Expansion), "true")] {
            let told = FlexCapabilities::of(AttachMode::Never, share);
            let said = format!(
                "{{\"status\":\"Success\",\"capabilities\":{{\"attach\":false,\"selinuxRelabel\":false,\
                 \"supportsMetrics\":false,\"fsGroup\":false,\"requiresFSResize\":{grows}}}}}\n"
            );
            assert_eq!(Reply::initialised(told).to_line(), said);
        }
    }

    #[test]
    fn a_panic_is_a_failure_that_names_the_place() {
        assert_eq!(
            Reply::panicked("src/x.rs:1:2").to_line(),
            "{\"status\":\"Failure\",\"message\":\"drivebay-shim failed at src/x.rs:1:2; this is a bug, please report it with the log\"}\n"
        );
    }

    #[test]
    fn answers_have_the_keys_kubelet_reads_and_never_null() {
        assert_eq!(Reply::success().to_line(), "{\"status\":\"Success\"}\n");
        assert_eq!(
            Reply::device("d".into()).to_line(),
            "{\"status\":\"Success\",\"device\":\"d\"}\n"
        );
        assert_eq!(
            Reply::attached(true).to_line(),
            "{\"status\":\"Success\",\"attached\":true}\n"
        );
        assert_eq!(
            Reply::grown(7).to_line(),
            "{\"status\":\"Success\",\"volumeNewSize\":7}\n"
        );
    }
}

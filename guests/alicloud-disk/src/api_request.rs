//! One call of the ECS API: which action, on what, with which parameters. Pure.

drivebay_guest::keywords! {
    /// The actions this guest uses; the RAM policy of its key has to allow them by these names.
    pub(crate) enum Action {
        AttachDisk = "AttachDisk",
        CreateDisk = "CreateDisk",
        CreateSnapshot = "CreateSnapshot",
        CreateSnapshotGroup = "CreateSnapshotGroup",
        DeleteDisk = "DeleteDisk",
        DeleteSnapshot = "DeleteSnapshot",
        DeleteSnapshotGroup = "DeleteSnapshotGroup",
        DescribeAvailableResource = "DescribeAvailableResource",
        DescribeDisks = "DescribeDisks",
        DescribeInstanceTypes = "DescribeInstanceTypes",
        DescribeSnapshotGroups = "DescribeSnapshotGroups",
        DescribeSnapshots = "DescribeSnapshots",
        DescribeTasks = "DescribeTasks",
        DetachDisk = "DetachDisk",
        ModifyDiskAttribute = "ModifyDiskAttribute",
        ModifyDiskSpec = "ModifyDiskSpec",
        ResizeDisk = "ResizeDisk",
        TagResources = "TagResources",
        UntagResources = "UntagResources",
    }
}

/// What may be done when nobody knows whether a call took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Send it again: it only reads, or says what should be in a way that twice is the same as once.
    Freely,
    /// Look first: the disk may meanwhile be where somebody else wants it.
    AfterLooking,
}

impl Action {
    /// Creations carry a token that ECS remembers, and ids are never used twice, so a repeated deletion can
    /// only hit what was meant. The rest has no token in this API.
    pub(crate) fn repeat(self) -> Repeat {
        match self {
            Self::AttachDisk
            | Self::DetachDisk
            | Self::ModifyDiskAttribute
            | Self::ModifyDiskSpec
            | Self::ResizeDisk => Repeat::AfterLooking,
            Self::CreateDisk
            | Self::CreateSnapshot
            | Self::CreateSnapshotGroup
            | Self::DeleteDisk
            | Self::DeleteSnapshot
            | Self::DeleteSnapshotGroup
            | Self::DescribeAvailableResource
            | Self::DescribeDisks
            | Self::DescribeInstanceTypes
            | Self::DescribeSnapshotGroups
            | Self::DescribeSnapshots
            | Self::DescribeTasks
            | Self::TagResources
            | Self::UntagResources => Repeat::Freely,
        }
    }
}

/// A call, not yet signed.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) action: Action,
    /// What it is about, for messages: `disk d-1`.
    pub(crate) subject: String,
    pub(crate) query: Vec<(String, String)>,
}

impl Call {
    pub(crate) fn new(action: Action, subject: impl Into<String>) -> Self {
        Self {
            action,
            subject: subject.into(),
            query: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    pub(crate) fn with_number(self, name: &str, value: u64) -> Self {
        self.with(name, &value.to_string())
    }

    /// Only what is there: ECS takes an empty parameter for a wrong one.
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn with_all(mut self, parameters: &[(String, &str)]) -> Self {
        for (name, value) in parameters {
            self = self.with(name, value);
        }
        self
    }

    /// `["d-1"]`, as several actions want ids.
    pub(crate) fn with_list(self, name: &str, id: &str) -> Self {
        self.with(name, &format!("[\"{id}\"]"))
    }

    /// The same for several ids.
    pub(crate) fn with_ids(self, name: &str, ids: &[&str]) -> Self {
        self.with_list(name, &ids.join("\",\""))
    }

    /// `DiskId.1=…&DiskId.2=…`, as the younger actions want them.
    pub(crate) fn with_numbered(mut self, name: &str, ids: &[&str]) -> Self {
        for (position, id) in (1_u64..).zip(ids) {
            self = self.with(&format!("{name}.{position}"), id);
        }
        self
    }

    /// All its parameters in one text.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.query {
            for part in [name, "\n", value, "\n"] {
                text += part;
            }
        }
        text
    }

    /// `Tag.1.Key=…&Tag.1.Value=…`: as a filter for one, as properties for what is made.
    pub(crate) fn with_tags(mut self, tags: &[(String, String)]) -> Self {
        for (position, (key, value)) in (1_u64..).zip(tags) {
            self = self
                .with(&format!("Tag.{position}.Key"), key)
                .with(&format!("Tag.{position}.Value"), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_flattened_and_absent_parameters_left_out() {
        let call = Call::new(Action::CreateDisk, "a disk")
            .with_number("Size", 20)
            .with_some("KMSKeyId", None)
            .with_ids("DiskIds", &["d-1", "d-2"])
            .with_numbered("DiskId", &["d-1", "d-2"])
            .with_tags(&[("k".into(), "v".into())]);
        let pairs: Vec<String> = call.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let flat = [
            "Size=20",
            "DiskIds=[\"d-1\",\"d-2\"]",
            "DiskId.1=d-1",
            "DiskId.2=d-2",
            "Tag.1.Key=k",
            "Tag.1.Value=v",
        ];
        assert_eq!(pairs, flat);
    }

    #[test]
    fn what_ties_or_unties_is_never_repeated_blindly() {
        for action in [
            Action::AttachDisk,
            Action::DetachDisk,
            Action::ModifyDiskSpec,
        ] {
            assert_eq!(action.repeat(), Repeat::AfterLooking);
        }
    }
}

//! What is written down about a volume, and how it is spelled in a file. Pure.

use crate::bindings::drivebay::driver::types::{Access, CapacityRange, Error};

/// What a volume was made as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The promised size; 0 where none was asked for.
    pub(crate) size_bytes: u64,
    /// The directory it was copied from.
    pub(crate) source: Option<String>,
    /// The claim's whole name.
    pub(crate) name: String,
}

impl Record {
    /// Whether a volume so made is what is asked for now.
    pub(crate) fn satisfies(&self, wanted: &Self, capacity: &CapacityRange) -> Result<(), Error> {
        let differs = if self.name != wanted.name {
            "was made for another claim"
        } else if self.source != wanted.source {
            "was made from another source"
        } else if !holds(capacity, self.size_bytes) {
            "has another size"
        } else {
            return Ok(());
        };
        let (name, size) = (&wanted.name, self.size_bytes);
        Err(Error::AlreadyExists(format!(
            "the volume for {name}, of {size} bytes, exists and {differs}"
        )))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let source = self.source.as_deref().unwrap_or_default();
        // The name comes last, because only a name can have line breaks.
        format!("{}\n{source}\n{}", self.size_bytes, self.name).into_bytes()
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let mut lines = text.splitn(3, '\n');
        Some(Self {
            size_bytes: lines.next()?.parse().ok()?,
            source: lines
                .next()
                .map(String::from)
                .filter(|source| !source.is_empty()),
            name: lines.next()?.into(),
        })
    }
}

/// The size to promise. `out-of-range` for a range that contains nothing.
pub(crate) fn size(capacity: &CapacityRange) -> Result<u64, Error> {
    let size = capacity.required_bytes.unwrap_or(0);
    if holds(capacity, size) {
        return Ok(size);
    }
    Err(Error::OutOfRange(format!(
        "at least {size} bytes are required, which is more than the limit"
    )))
}

/// Whether a size is within the range.
pub(crate) fn holds(capacity: &CapacityRange, size: u64) -> bool {
    capacity
        .required_bytes
        .is_none_or(|required| required <= size)
        && capacity.limit_bytes.is_none_or(|limit| size <= limit)
}

/// Which node uses a volume, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claim {
    pub(crate) node: String,
    pub(crate) access: Access,
}

impl Claim {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let access = match self.access {
            Access::ReadOnly => "ro",
            Access::ReadWrite => "rw",
        };
        format!("{access}\n{}", self.node).into_bytes()
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let (access, node) = text.split_once('\n')?;
        let access = match access {
            "ro" => Access::ReadOnly,
            "rw" => Access::ReadWrite,
            _ => return None,
        };
        Some(Self {
            node: node.into(),
            access,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(size_bytes: u64) -> Record {
        Record {
            size_bytes,
            source: None,
            name: "pvc-1".into(),
        }
    }

    fn between(required: u64, limit: u64) -> CapacityRange {
        CapacityRange {
            required_bytes: Some(required),
            limit_bytes: Some(limit),
        }
    }

    #[test]
    fn a_record_survives_its_file() {
        for name in ["pvc-1", "", "two\nlines\n"] {
            for source in [None, Some(String::from("other"))] {
                let record = Record {
                    size_bytes: u64::MAX,
                    source,
                    name: name.into(),
                };
                assert_eq!(Record::from_bytes(record.to_bytes()), Some(record));
            }
        }
    }

    #[test]
    fn a_damaged_record_is_not_read() {
        for text in ["", "10", "ten\n\nname", "10\n"] {
            assert_eq!(Record::from_bytes(text.into()), None, "{text}");
        }
        assert_eq!(Record::from_bytes(vec![0xff]), None);
    }

    #[test]
    fn a_claim_survives_its_file() {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let claim = Claim {
                node: "node-1".into(),
                access,
            };
            assert_eq!(Claim::from_bytes(claim.to_bytes()), Some(claim));
        }
        assert_eq!(Claim::from_bytes("xx\nnode-1".into()), None);
    }

    #[test]
    fn a_volume_of_a_size_within_the_range_is_the_one_asked_for() {
        assert!(record(10).satisfies(&record(10), &between(10, 10)).is_ok());
        assert!(record(10).satisfies(&record(5), &between(5, 20)).is_ok());
    }

    #[test]
    fn a_volume_of_another_size_source_or_name_already_exists() {
        let refused = |made: Record| made.satisfies(&record(10), &between(10, 20)).unwrap_err();
        let other_source = Record {
            source: Some("other".into()),
            ..record(10)
        };
        let other_name = Record {
            name: "pvc-2".into(),
            ..record(10)
        };
        for made in [record(9), record(21), other_source, other_name] {
            assert!(matches!(refused(made), Error::AlreadyExists(_)));
        }
    }

    #[test]
    fn the_smallest_size_in_the_range_is_promised() {
        assert_eq!(size(&between(5, 10)).unwrap(), 5);
        let anything = CapacityRange {
            required_bytes: None,
            limit_bytes: None,
        };
        assert_eq!(size(&anything).unwrap(), 0);
    }

    #[test]
    fn an_empty_range_is_out_of_range() {
        assert!(matches!(size(&between(10, 5)), Err(Error::OutOfRange(_))));
    }
}

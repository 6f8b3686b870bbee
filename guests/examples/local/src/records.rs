//! What is written down about a volume, and how it is spelled in a file. Pure.

use drivebay_guest::prelude::*;

/// What a volume was made as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Made {
    /// The promised size; 0 where none was asked for.
    pub(crate) size_bytes: u64,
    /// The directory it was copied from.
    pub(crate) source: Option<String>,
    /// The claim's whole name.
    pub(crate) name: String,
}

impl Made {
    /// Whether a volume so made is what is asked for now.
    pub(crate) fn satisfies(&self, wanted: &Self, capacity: &CapacityRange) -> Result<(), Error> {
        let (name, size) = (&wanted.name, self.size_bytes);
        for (is_as_wanted, differs) in [
            (self.name == wanted.name, "was made for another claim"),
            (self.source == wanted.source, "was made from another source"),
            (capacity.holds(size), "has another size"),
        ] {
            ensure!(is_as_wanted, AlreadyExists: "the volume for {name}, of {size} bytes, exists and {differs}");
        }
        Ok(())
    }
}

impl Record for Made {
    const KIND: &'static str = "record";

    fn to_bytes(&self) -> Vec<u8> {
        let source = self.source.as_deref().unwrap_or_default();
        // The name comes last, because only a name can have line breaks.
        format!("{}\n{source}\n{}", self.size_bytes, self.name).into_bytes()
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let mut lines = text.splitn(3, '\n');
        Some(Self {
            size_bytes: lines.next()?.parse().ok()?,
            source: Some(lines.next()?.into()).filter(|source: &String| !source.is_empty()),
            name: lines.next()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(size_bytes: u64) -> Made {
        Made {
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
                let record = Made {
                    size_bytes: u64::MAX,
                    source,
                    name: name.into(),
                };
                assert_eq!(Made::parse(record.to_bytes()), Some(record));
            }
        }
    }

    #[test]
    fn a_damaged_record_is_not_read() {
        for text in ["", "10", "ten\n\nname", "10\n"] {
            assert_eq!(Made::parse(text.into()), None, "{text}");
        }
        assert_eq!(Made::parse(vec![0xff]), None);
    }

    #[test]
    fn a_volume_of_a_size_within_the_range_is_the_one_asked_for() {
        assert!(record(10).satisfies(&record(10), &between(10, 10)).is_ok());
        assert!(record(10).satisfies(&record(5), &between(5, 20)).is_ok());
    }

    #[test]
    fn a_volume_of_another_size_source_or_name_already_exists() {
        let refused = |made: Made| made.satisfies(&record(10), &between(10, 20)).unwrap_err();
        let other_source = Made {
            source: Some("other".into()),
            ..record(10)
        };
        let other_name = Made {
            name: "pvc-2".into(),
            ..record(10)
        };
        for made in [record(9), record(21), other_source, other_name] {
            assert!(matches!(refused(made), Error::AlreadyExists(_)));
        }
    }

    #[test]
    fn the_smallest_size_in_the_range_is_promised() {
        assert_eq!(between(5, 10).size().unwrap(), 5);
        let anything = CapacityRange {
            required_bytes: None,
            limit_bytes: None,
        };
        assert_eq!(anything.size().unwrap(), 0);
    }

    #[test]
    fn an_empty_range_is_out_of_range() {
        assert!(matches!(between(10, 5).size(), Err(Error::OutOfRange(_))));
    }
}

//! What a backend's refusal means for a claim: whether something may have been made, when to ask again, and what to say.
//! Pure.

use std::time::Duration;

use drivebay::error::{Condition, DriverError, ErrorOrigin};

/// What is known of the backend after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was made and nothing is on its way: what was intended can be forgotten, and intended anew.
    NothingMade(Retry),
    /// Something may have been made. The same is asked again until that is known.
    PerhapsMade(Retry),
}

/// When the next try is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Soon, and less and less soon.
    Soon,
    /// As soon, but on another node, where one was chosen.
    Elsewhere,
    /// A person has to change something first.
    Slowly,
}

/// Of the first retry; each further one waits twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// Of all that come later, and of those that wait for a person.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

impl Verdict {
    /// Of an error of making a volume.
    ///
    /// As CSI's front-end has it for those who ask by CSI, with one difference: what exists by that name with other
    /// properties is looked at by a person, and its intent stays.
    pub(crate) fn of(error: &DriverError) -> Self {
        match error.origin() {
            ErrorOrigin::Process => return Self::PerhapsMade(Retry::Soon),
            ErrorOrigin::Backend | ErrorOrigin::Guest => {}
        }
        match error.condition() {
            Condition::InvalidArgument
            | Condition::OutOfRange
            | Condition::NotFound
            | Condition::Unsupported => Self::NothingMade(Retry::Slowly),
            Condition::Exhausted => Self::NothingMade(Retry::Elsewhere),
            Condition::FailedPrecondition => Self::NothingMade(Retry::Soon),
            Condition::AlreadyExists => Self::PerhapsMade(Retry::Slowly),
            // Whoever may not ask cannot tell what an earlier try made.
            Condition::InProgress
            | Condition::Unavailable
            | Condition::Denied
            | Condition::Internal => Self::PerhapsMade(Retry::Soon),
        }
    }
}

impl Retry {
    /// How long after the last of so many failures in a row.
    pub(crate) fn after(self, failures: u32) -> Duration {
        match self {
            Self::Slowly => LONGEST,
            Self::Soon | Self::Elsewhere => {
                let times = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
                FIRST.saturating_mul(times).min(LONGEST)
            }
        }
    }
}

/// The error for the people of the cluster, with what helps where that is not in it.
pub(crate) fn in_words(error: &DriverError, file: &str) -> String {
    let said = error.chain();
    let advice = match error.condition() {
        Condition::Denied => format!(
            ". Which key signs is [grants.signing] of {file}, and where it is kept is said there; \
             the key's own policy at the backend has to allow what was asked (for disks of Alibaba Cloud its RAM policy)"
        ),
        Condition::Exhausted => {
            ". Where the StorageClass waits for the first consumer, another node is chosen"
                .to_owned()
        }
        Condition::AlreadyExists => {
            ". Nothing more is made for this claim until that is removed or made what it asks for"
                .to_owned()
        }
        Condition::InvalidArgument
        | Condition::OutOfRange
        | Condition::NotFound
        | Condition::InProgress
        | Condition::Unavailable
        | Condition::FailedPrecondition
        | Condition::Unsupported
        | Condition::Internal => String::new(),
    };
    said + &advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(condition: Condition) -> Verdict {
        Verdict::of(&DriverError::new(condition, "no"))
    }

    #[test]
    fn only_what_the_backend_refused_for_good_is_forgotten() {
        for condition in Condition::ALL {
            let is_forgotten = matches!(of(condition), Verdict::NothingMade(_));
            let refused = [
                Condition::InvalidArgument,
                Condition::OutOfRange,
                Condition::NotFound,
                Condition::Unsupported,
                Condition::Exhausted,
                Condition::FailedPrecondition,
            ];
            assert_eq!(is_forgotten, refused.contains(&condition), "{condition:?}");
            let error = DriverError::new(condition, "no").from_process();
            assert_eq!(Verdict::of(&error), Verdict::PerhapsMade(Retry::Soon));
        }
    }

    #[test]
    fn another_node_is_tried_only_where_there_is_no_room_and_nothing_was_made() {
        assert_eq!(
            of(Condition::Exhausted),
            Verdict::NothingMade(Retry::Elsewhere)
        );
    }

    #[test]
    fn retries_come_less_and_less_soon() {
        let waits: Vec<u64> = [1, 2, 3, 9, 40]
            .map(|failures| Retry::Soon.after(failures).as_secs())
            .into();
        assert_eq!(waits, [1, 2, 4, 256, 300]);
        assert_eq!(Retry::Slowly.after(1), LONGEST);
    }

    #[test]
    fn a_missing_key_is_answered_with_where_to_look() {
        let error = DriverError::denied("AccessKeyId cannot be empty");
        let said = in_words(&error, "/etc/drivebay/drivers.d/alicloud-disk.toml");
        for part in [
            "AccessKeyId",
            "[grants.signing]",
            "alicloud-disk.toml",
            "RAM policy",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}

//! What a disk may be: category, performance level, size, and what goes with what.

use crate::cloud::category::{Category, Level, most_provisioned_iops};
use crate::cloud::disk::Sharing;
use crate::error::Refusal;
use crate::wire::parameters::Parameters;
use crate::words::Gib;

/// The category that a request names.
pub(crate) fn category(parameters: &Parameters) -> Result<Option<Category>, Refusal> {
    let read = |name| {
        Category::named(name).ok_or_else(|| {
            let message = "The specified disk category is not supported.";
            Refusal::bad("InvalidDiskCategory.NotSupported", message)
        })
    };
    parameters.text("DiskCategory").map(read).transpose()
}

/// The performance level that a disk of this category gets.
pub(crate) fn level(parameters: &Parameters, category: Category) -> Result<Option<Level>, Refusal> {
    let malformed = || {
        let message = "The specified parameter PerformanceLevel is not valid.";
        Refusal::bad("InvalidPerformanceLevel.Malformed", message)
    };
    let sent = parameters.text("PerformanceLevel");
    let read = |name| Level::named(name).ok_or_else(malformed);
    match (category, sent) {
        (Category::CloudEssd, sent) => sent.map_or(Ok(Level::Pl1), read).map(Some),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(malformed()),
    }
}

/// Refuses sizes that a disk of this kind cannot have.
pub(crate) fn check_size(
    category: Category,
    level: Option<Level>,
    size: Gib,
) -> Result<(), Refusal> {
    let sizes = category.sizes(level);
    if sizes.contains(&size.0) {
        return Ok(());
    }
    // An ESSD that only this performance level makes too small is told so.
    let smallest = category.sizes(Some(Level::Pl0));
    if category == Category::CloudEssd && level > Some(Level::Pl1) && smallest.contains(&size.0) {
        let message = "The specified performance level and disk size do not match.";
        let code = "OperationDenied.PerformanceLevelNotMatch";
        return Err(Refusal::denied(code, message));
    }
    let message = format!(
        "The specified disk size is not supported: {} takes {} to {} GiB.",
        category.name(),
        sizes.start(),
        sizes.end()
    );
    Err(Refusal::bad("InvalidDiskSize.NotSupported", message))
}

/// What only some categories have: IOPS to provision, bursts.
#[derive(Debug)]
pub(crate) struct Extras {
    pub(crate) provisioned_iops: Option<u64>,
    pub(crate) bursting: bool,
}

impl Extras {
    pub(crate) fn read(
        parameters: &Parameters,
        category: Category,
        size: Gib,
    ) -> Result<Self, Refusal> {
        let bursting = parameters.flag("BurstingEnabled")?.unwrap_or(false);
        if bursting && !category.is_auto() {
            let message = "The disk category does not support bursting.";
            let code = "BurstingEnabledForDiskCategoryUnsupported";
            return Err(Refusal::bad(code, message));
        }
        let provisioned_iops = parameters.number::<u64>("ProvisionedIops")?;
        let most = if category.is_auto() {
            most_provisioned_iops(size.0)
        } else {
            0
        };
        if provisioned_iops.is_some_and(|iops| iops > most) {
            let message = format!("The provisioned IOPS exceed the limit of {most}.");
            let code = "InvalidProvisionedIops.LimitExceed";
            return Err(Refusal::bad(code, message));
        }
        Ok(Self {
            provisioned_iops,
            bursting,
        })
    }
}

/// Whether the disk may be attached to several instances.
pub(crate) fn sharing(parameters: &Parameters, category: Category) -> Result<Sharing, Refusal> {
    match parameters.text("MultiAttach") {
        None | Some("Disabled") => Ok(Sharing::Disabled),
        Some("Enabled") if category.can_be_shared() => Ok(Sharing::Enabled),
        Some("Enabled") => {
            let message = "The disk category does not support multi-attach.";
            let code = "InvalidParameter.DiskCategoryAndMultiAttachNotMatch";
            Err(Refusal::denied(code, message))
        }
        Some(_) => Err(Refusal::invalid_parameter("MultiAttach")),
    }
}

/// Refuses names the API refuses: 2 to 128 characters, a letter first, then also digits and `:_.-`.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    let length = name.chars().count();
    let begins = name.chars().next().is_some_and(char::is_alphabetic);
    let reserved = name.starts_with("http://") || name.starts_with("https://");
    let fine = |c: char| c.is_alphanumeric() || ":_.-".contains(c);
    if (2..=128).contains(&length) && begins && !reserved && name.chars().all(fine) {
        return Ok(());
    }
    let message = "The specified parameter \"DiskName\" is not valid.";
    Err(Refusal::bad("InvalidDiskName.Malformed", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(size: u64, level: Option<Level>) -> String {
        let refusal = check_size(Category::CloudEssd, level, Gib(size)).unwrap_err();
        refusal.code.into_owned()
    }

    #[test]
    fn disk_too_small_for_its_performance_level_is_told_so() {
        assert_eq!(
            code(100, Some(Level::Pl2)),
            "OperationDenied.PerformanceLevelNotMatch"
        );
        assert_eq!(code(19, Some(Level::Pl1)), "InvalidDiskSize.NotSupported");
        assert_eq!(
            code(70000, Some(Level::Pl2)),
            "InvalidDiskSize.NotSupported"
        );
        assert_eq!(
            check_size(Category::CloudEssd, Some(Level::Pl0), Gib(1)),
            Ok(())
        );
    }

    #[test]
    fn names_begin_with_a_letter_of_any_script() {
        for name in ["pvc-1", "d-b:c_d.e", "磁盘", "é9"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["x", "1pvc", "-a", "a b", "a/b", &"x".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}

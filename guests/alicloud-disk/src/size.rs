//! Sizes: bytes outside, whole GiB in ECS. Pure.

use drivebay_guest::prelude::*;

use crate::category::Kind;

/// What becomes of a size below a category's smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooSmall {
    Refuse,
    RoundUp,
}

/// The size for a new disk of this kind; `out-of-range` says which it could have.
pub(crate) fn for_new(
    capacity: &CapacityRange,
    at_least_gib: u64,
    kind: Kind,
    too_small: TooSmall,
) -> Result<u64, Error> {
    let (smallest, largest) = kind.sizes();
    let wanted = match capacity.required_gib() {
        // Whoever asks for nothing gets the smallest there is.
        0 => smallest,
        gib => gib,
    };
    let wanted = wanted.max(at_least_gib);
    if wanted < smallest && too_small == TooSmall::Refuse {
        bail!(OutOfRange: "a disk of {kind} has at least {smallest} GiB, and {wanted} GiB were asked for: ask for \
            more, or set volumeSizeAutoAvailable to true in the StorageClass");
    }
    let size = wanted.max(smallest);
    if size > largest {
        bail!(OutOfRange: "a disk of {kind} has at most {largest} GiB, and {size} GiB would be needed");
    }
    capacity.refuse_gib_beyond_limit(size)?;
    Ok(size)
}

/// The size a disk has to grow to; `None` where it is large enough already.
pub(crate) fn to_grow(
    capacity: &CapacityRange,
    now_gib: u64,
    kind: Kind,
) -> Result<Option<u64>, Error> {
    let wanted = capacity.required_gib();
    let size = wanted.max(now_gib);
    let fits = capacity.refuse_gib_beyond_limit(size);
    ensure!(fits.is_ok() || wanted >= now_gib, OutOfRange: "the disk has {now_gib} GiB, which is more than the limit, \
        and disks cannot shrink");
    fits?;
    let (_, largest) = kind.sizes();
    if wanted > largest && wanted > now_gib {
        bail!(OutOfRange: "a disk of {kind} has at most {largest} GiB, and {wanted} GiB were asked for");
    }
    Ok((wanted > now_gib).then_some(wanted))
}

#[cfg(test)]
mod tests {
    use drivebay_guest::capacity::GIB;

    use super::*;
    use crate::category::{Category, Level};

    const ESSD_PL2: Kind = Kind {
        category: Category::Essd,
        level: Some(Level::Pl2),
    };
    const SSD: Kind = Kind {
        category: Category::Ssd,
        level: None,
    };

    fn range(required: Option<u64>, limit: Option<u64>) -> CapacityRange {
        CapacityRange {
            required_bytes: required,
            limit_bytes: limit,
        }
    }

    #[test]
    fn sizes_are_rounded_up_to_whole_gib() {
        let size = for_new(&range(Some(20 * GIB + 1), None), 0, SSD, TooSmall::Refuse);
        assert_eq!(size.expect("a size"), 21);
    }

    #[test]
    fn a_size_too_small_is_refused_with_the_smallest_or_rounded_up_to_it() {
        let five = range(Some(5 * GIB), None);
        let refused = for_new(&five, 0, ESSD_PL2, TooSmall::Refuse).expect_err("too small");
        assert!(matches!(refused, Error::OutOfRange(m) if m.contains("at least 461 GiB")));
        assert_eq!(
            for_new(&five, 0, ESSD_PL2, TooSmall::RoundUp).expect("a size"),
            461
        );
    }

    #[test]
    fn rounding_respects_the_limit() {
        let range = range(Some(5 * GIB), Some(10 * GIB));
        let refused = for_new(&range, 0, SSD, TooSmall::RoundUp).expect_err("over the limit");
        assert!(matches!(refused, Error::OutOfRange(m) if m.contains("limit")));
    }

    #[test]
    fn a_disk_is_as_large_as_its_snapshot() {
        let size = for_new(&range(Some(20 * GIB), None), 40, SSD, TooSmall::Refuse);
        assert_eq!(size.expect("a size"), 40);
    }

    #[test]
    fn no_size_is_the_smallest_and_a_huge_one_is_refused() {
        assert_eq!(
            for_new(&range(None, None), 0, SSD, TooSmall::Refuse).expect("a size"),
            20
        );
        assert!(for_new(&range(Some(u64::MAX), None), 0, SSD, TooSmall::Refuse).is_err());
    }

    #[test]
    fn disks_grow_and_never_shrink() {
        let grown = |required, limit| to_grow(&range(required, limit), 30, SSD);
        assert_eq!(grown(Some(40 * GIB), None).expect("grows"), Some(40));
        assert_eq!(grown(Some(30 * GIB), None).expect("there"), None);
        assert_eq!(grown(Some(1), None).expect("there"), None);
        assert!(
            matches!(grown(None, Some(20 * GIB)), Err(Error::OutOfRange(m)) if m.contains("shrink"))
        );
        assert!(matches!(
            grown(Some(70_000 * GIB), None),
            Err(Error::OutOfRange(_))
        ));
    }

    #[test]
    fn an_existing_disk_fits_from_required_to_limit() {
        let range = range(Some(20 * GIB), Some(30 * GIB));
        assert_eq!(
            [19, 20, 30, 31].map(|gib| range.holds_gib(gib)),
            [false, true, true, false]
        );
    }
}

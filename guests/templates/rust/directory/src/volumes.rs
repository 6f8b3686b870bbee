//! What becomes of a volume: a directory of the pool, whose name is the volume's id.
//!
//! Works on a [`Tree`]: the host's directory, or the fake one of the tests below. Every function may be called again
//! after a lost answer, and then finds what it did.

use drivebay_guest::name::fit;
use drivebay_guest::prelude::*;

/// In bytes; a volume's id may have no more.
const LONGEST: usize = 128;

/// Make the volume for a claim, unless it is there: its id.
pub(crate) fn create(pool: &dyn Tree, name: &str, mode: u32) -> Result<String, Error> {
    // A name that cannot be a directory's is cut, and gets a checksum of the whole.
    let Some(id) = fit(name, LONGEST) else {
        bail!(InvalidArgument: "cannot make an id of the name {name}");
    };
    pool.make_directory(&id, mode)?;
    Ok(id)
}

/// Remove the volume with all that is in it. What `create` cannot have made is not there.
pub(crate) fn delete(pool: &dyn Tree, id: &str) -> Result<(), Error> {
    match is_id(id) {
        true => pool.remove_tree(id),
        false => Ok(()),
    }
}

/// `not-found` unless the volume is there. An id may be what a person wrote.
pub(crate) fn require(pool: &dyn Tree, id: &str) -> Result<(), Error> {
    ensure!(is_id(id), InvalidArgument: "volume \"{id}\": write the name of one directory of the pool, not beginning \
        with a dot");
    ensure!(pool.has_directory(id)?, NotFound: "the pool has no volume {id}");
    Ok(())
}

/// Permission bits as a class says them.
pub(crate) fn mode(written: Option<&str>) -> Result<u32, Error> {
    let written = written.unwrap_or("0755");
    match u32::from_str_radix(written, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err(malformed("mode", written, "write octal digits, as 0755")),
    }
}

fn is_id(id: &str) -> bool {
    fit(id, LONGEST).as_deref() == Some(id)
}

#[cfg(test)]
mod tests {
    use drivebay_guest::fake::FakeTree;

    use super::*;

    #[test]
    fn a_volume_comes_and_goes_however_often_it_is_asked_for() {
        let pool = FakeTree::new();
        for _ in 0..2 {
            assert_eq!(create(&pool, "music", 0o770), Ok("music".into()));
        }
        assert_eq!(pool.mode("music"), 0o770);
        assert_eq!(require(&pool, "music"), Ok(()));
        pool.put("music/a", "content");
        for _ in 0..2 {
            assert_eq!(delete(&pool, "music"), Ok(()));
        }
        assert!(!pool.has("music"));
        assert!(matches!(require(&pool, "music"), Err(Error::NotFound(_))));
    }

    #[test]
    fn every_name_gets_a_directory_of_its_own_in_the_pool() {
        let pool = FakeTree::new();
        for name in [
            "..",
            ".hidden",
            "a/b",
            "a-b",
            &"n".repeat(128),
            &"ü".repeat(64),
        ] {
            let id = create(&pool, name, 0o755).unwrap_or_else(|error| panic!("{error:?}"));
            assert!(is_id(&id) && id.len() <= LONGEST, "{name}: {id}");
        }
        assert_eq!(pool.paths().len(), 6, "{pool:?}");
    }

    #[test]
    fn an_id_that_a_person_wrote_leads_nowhere_else() {
        let pool = FakeTree::new();
        pool.put("music/a", "content");
        for id in ["", ".", "..", "../etc", "music/a", "/music"] {
            assert!(
                matches!(require(&pool, id), Err(Error::InvalidArgument(_))),
                "{id}"
            );
            assert_eq!(delete(&pool, id), Ok(()));
        }
        assert!(pool.has("music/a"));
    }

    #[test]
    fn a_mode_is_octal() {
        assert_eq!(mode(None), Ok(0o755));
        assert_eq!(mode(Some("2770")), Ok(0o2770));
        for wrong in ["rwx", "888", "17777", "-1"] {
            assert!(
                matches!(mode(Some(wrong)), Err(Error::InvalidArgument(_))),
                "{wrong}"
            );
        }
    }
}

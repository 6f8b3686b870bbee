//! Parameters and ids become a [`Location`]. Pure: nothing here calls the host.

use drivebay_guest::name::readable;
use drivebay_guest::prelude::*;

/// The pool of volumes that name none.
const DEFAULT_POOL: &str = "pool";

/// A file's name may have 255 bytes, and the files about a volume carry its name and a suffix.
const LONGEST_NAME: usize = 200;

drivebay_guest::parameters! {
    pub(crate) const OF_VOLUMES: "volume" = {
        POOL: Written = "pool", default = DEFAULT_POOL => "Granted directory that the volume is in.";
        VOLUME: Written = "volume", default = "the volume's id" => "The volume's directory in the pool.";
    }
}

drivebay_guest::parameters! {
    pub(crate) const OF_CLASSES: "storage-class" = {
        POOL, default = DEFAULT_POOL => "Granted directory to make the volume in.";
    }
}

/// Where a volume is: a directory in a pool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Location {
    /// The name in the grant.
    pub(crate) pool: String,
    /// One path component.
    pub(crate) directory: String,
}

impl Location {
    pub(crate) fn new(pool: &str, directory: &str) -> Self {
        let (pool, directory) = (pool.into(), directory.into());
        Self { pool, directory }
    }

    /// Where the volume for a claim goes; the same for each retry.
    pub(crate) fn for_claim(name: &str, parameters: &[(String, String)]) -> Self {
        Self::new(pool(parameters), &readable(name))
    }

    /// Where a volume is, by its parameters, and by its id where they do not say.
    pub(crate) fn of(volume: &Volume) -> Result<Self, Error> {
        let params = Params(&volume.context);
        let written = params.get(VOLUME).map(|name| (DEFAULT_POOL, name));
        let (pool, directory) = written.unwrap_or_else(|| parts(&volume.id));
        Self::new(params.get(POOL).unwrap_or(pool), directory).checked()
    }

    /// Where a volume is whose id is all that is known.
    pub(crate) fn of_id(id: &str) -> Result<Self, Error> {
        let (pool, directory) = parts(id);
        Self::new(pool, directory).checked()
    }

    /// The id. It holds the pool, because a volume is deleted by its id alone.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.pool, self.directory)
    }

    /// What the node needs to find the volume.
    pub(crate) fn context(&self) -> Parameters {
        let Self { pool, directory } = self.clone();
        vec![(POOL.into(), pool), (VOLUME.into(), directory)]
    }

    /// The host would refuse to follow a path out of the pool; this is so that the user learns what to write, and that
    /// nobody mounts `.drivebay`.
    fn checked(self) -> Result<Self, Error> {
        let name = &self.directory;
        let is_hidden = name.starts_with('.') || name.contains('/');
        let fits = (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
        ensure!(fits && !is_hidden, InvalidArgument: "volume \"{name}\": write the name of one directory of the pool, \
            at most {LONGEST_NAME} bytes, without slashes and not beginning with a dot");
        Ok(self)
    }
}

/// Pool and directory.
fn parts(id: &str) -> (&str, &str) {
    id.rsplit_once('/').unwrap_or((DEFAULT_POOL, id))
}

/// The pool that the parameters name.
pub(crate) fn pool(parameters: &[(String, String)]) -> &str {
    Params(parameters).get(POOL).unwrap_or(DEFAULT_POOL)
}

#[cfg(test)]
mod tests {
    use drivebay_guest::fake::{pairs, volume};

    use super::*;

    fn location(id: &str, context: &[(&str, &str)]) -> Result<Location, Error> {
        Location::of(&volume(id, context))
    }

    fn at(pool: &str, directory: &str) -> Location {
        Location {
            pool: pool.into(),
            directory: directory.into(),
        }
    }

    #[test]
    fn a_volume_made_by_hand_is_named_by_its_id() {
        assert_eq!(location("music", &[]).unwrap(), at("pool", "music"));
        assert_eq!(
            location("music", &[("pool", "fast")]).unwrap(),
            at("fast", "music")
        );
    }

    #[test]
    fn a_volume_made_by_hand_may_have_another_id_than_its_directory() {
        assert_eq!(
            location("a/b/c", &[("volume", "music")]).unwrap(),
            at("pool", "music")
        );
    }

    #[test]
    fn a_volume_made_for_a_claim_is_found_by_its_context_and_by_its_id() {
        let made = Location::for_claim("pvc-1", &pairs(&[("pool", "fast")]));
        assert_eq!(Location::of_id(&made.id()).unwrap(), made);
        let volume = Volume {
            id: made.id(),
            context: made.context(),
            publish_context: Vec::new(),
        };
        assert_eq!(Location::of(&volume).unwrap(), made);
    }

    #[test]
    fn a_retry_finds_the_same_place() {
        assert_eq!(
            Location::for_claim("pvc-1", &[]),
            Location::for_claim("pvc-1", &[])
        );
    }

    #[test]
    fn names_that_look_alike_get_places_of_their_own() {
        assert_ne!(
            Location::for_claim("a b", &[]),
            Location::for_claim("a-b", &[])
        );
        let long = "x".repeat(127);
        let ends = ["a", "b"].map(|end| Location::for_claim(&format!("{long}{end}"), &[]));
        assert_ne!(ends[0], ends[1]);
    }

    #[test]
    fn every_name_gives_a_good_directory_and_a_short_id() {
        for name in ["", "..", ".drivebay", "a/b", "ä\n", &"ü".repeat(64)] {
            let made = Location::for_claim(name, &[]);
            assert!(made.id().len() <= 128, "{name}");
            assert_eq!(Location::of_id(&made.id()).unwrap(), made, "{name}");
        }
    }

    #[test]
    fn directories_outside_the_pool_are_refused() {
        for name in [
            "..",
            ".",
            ".drivebay",
            "",
            "a/b",
            "../a",
            "a\nb",
            &"x".repeat(201),
        ] {
            let refused = location("id", &[("volume", name)]);
            assert!(matches!(refused, Err(Error::InvalidArgument(_))), "{name}");
        }
        assert!(matches!(
            Location::of_id("pool/.."),
            Err(Error::InvalidArgument(_))
        ));
    }
}

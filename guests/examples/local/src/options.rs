//! Parameters and ids become a [`Location`]. Pure: nothing here calls the host.

use crate::bindings::drivebay::driver::types::{Error, Volume};
use crate::bindings::exports::drivebay::driver::identity::{
    Parameter, ParameterScope, Requirement,
};

const POOL: &str = "pool";
const VOLUME: &str = "volume";

/// The pool of volumes that name none.
const DEFAULT_POOL: &str = "pool";

/// A file's name may have 255 bytes, and the files about a volume carry its name and a suffix.
const LONGEST_NAME: usize = 200;

/// How much of a claim's name is kept for people to read.
const READABLE: usize = 32;

/// The words this driver understands.
pub(crate) fn described() -> Vec<Parameter> {
    let parameter = |name: &str, scope, default: &str, meaning: &str| Parameter {
        name: name.into(),
        scope,
        need: Requirement::Optional,
        default: Some(default.into()),
        meaning: meaning.into(),
    };
    vec![
        parameter(
            POOL,
            ParameterScope::Volume,
            DEFAULT_POOL,
            "Granted directory that the volume is in.",
        ),
        parameter(
            VOLUME,
            ParameterScope::Volume,
            "the volume's id",
            "The volume's directory in the pool.",
        ),
        parameter(
            POOL,
            ParameterScope::Creation,
            DEFAULT_POOL,
            "Granted directory to make the volume in.",
        ),
    ]
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
    /// Where the volume for a claim goes; the same for each retry.
    ///
    /// A name can have 128 bytes and any character. The directory keeps its readable beginning, and the
    /// checksum tells apart what that makes alike.
    pub(crate) fn for_claim(name: &str, parameters: &[(String, String)]) -> Self {
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let readable: String = name.chars().map(safe).take(READABLE).collect();
        Self {
            pool: pool(parameters),
            directory: format!("{readable}-{:016x}", checksum(name)),
        }
    }

    /// Where a volume is, by its parameters, and by its id where they do not say.
    pub(crate) fn of(volume: &Volume) -> Result<Self, Error> {
        let context = &volume.context;
        let location = match get(context, VOLUME) {
            Some(directory) => Self {
                pool: pool(context),
                directory: directory.into(),
            },
            None => Self::by_id(&volume.id),
        };
        location.in_pool(get(context, POOL)).checked()
    }

    /// Where a volume is whose id is all that is known.
    pub(crate) fn of_id(id: &str) -> Result<Self, Error> {
        Self::by_id(id).checked()
    }

    /// The id. It holds the pool, because a volume is deleted by its id alone.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.pool, self.directory)
    }

    /// What the node needs to find the volume.
    pub(crate) fn context(&self) -> Vec<(String, String)> {
        vec![
            (POOL.into(), self.pool.clone()),
            (VOLUME.into(), self.directory.clone()),
        ]
    }

    fn by_id(id: &str) -> Self {
        let (pool, directory) = id.rsplit_once('/').unwrap_or((DEFAULT_POOL, id));
        Self {
            pool: pool.into(),
            directory: directory.into(),
        }
    }

    fn in_pool(self, pool: Option<&str>) -> Self {
        match pool {
            Some(pool) => Self {
                pool: pool.into(),
                ..self
            },
            None => self,
        }
    }

    /// The host would refuse to follow a path out of the pool; this is so that the user learns what to write,
    /// and that nobody mounts `.drivebay`.
    fn checked(self) -> Result<Self, Error> {
        let name = &self.directory;
        let plain =
            !name.starts_with('.') && !name.contains('/') && !name.chars().any(char::is_control);
        if plain && (1..=LONGEST_NAME).contains(&name.len()) {
            return Ok(self);
        }
        Err(Error::InvalidArgument(format!(
            "volume \"{name}\": write the name of one directory of the pool, at most {LONGEST_NAME} bytes, \
             without slashes and not beginning with a dot"
        )))
    }
}

/// The pool that the parameters name.
pub(crate) fn pool(parameters: &[(String, String)]) -> String {
    get(parameters, POOL).unwrap_or(DEFAULT_POOL).into()
}

fn get<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = parameters.iter().find(|(key, _)| key == name)?;
    Some(value.as_str())
}

/// FNV-1a, 64 bits. Two names that meet are not taken for one: the volume's record has the whole name.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
        parameters
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    fn location(id: &str, context: &[(&str, &str)]) -> Result<Location, Error> {
        Location::of(&Volume {
            id: id.into(),
            context: pairs(context),
            publish_context: Vec::new(),
        })
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

    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(checksum(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum("foobar"), 0x8594_4171_f739_67e8);
    }
}

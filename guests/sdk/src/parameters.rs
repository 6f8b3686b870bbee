//! Parameters: declared once, read by type, and described to the host from the same lines.
//!
//! ```
//! use drivebay_guest::parameters::{Params, described};
//! use drivebay_guest::types::Error;
//!
//! drivebay_guest::parameters! {
//!     const OF_VOLUMES: "volume" = {
//!         SERVER: Text = "server", required = true => "Host name or address of the server.";
//!         READONLY: Flag = "readonly", default = "false" => "Mount read-only.";
//!         "csi.storage.k8s.io/*" => "What Kubernetes adds; not used.";
//!     }
//! }
//! drivebay_guest::parameters! {
//!     const OF_CLASSES: "storage-class" = {
//!         SERVER, required = true => "Host name or address of the server.";
//!     }
//! }
//!
//! let pairs = [("server".into(), "nfs-1".into()), ("readonly".into(), "maybe".into())];
//! let params = Params(&pairs);
//! assert_eq!(params.required(SERVER)?, "nfs-1");
//! assert!(matches!(params.get(READONLY), Err(Error::InvalidArgument(_))));
//! assert_eq!(described(&[OF_VOLUMES, OF_CLASSES]).len(), 4);
//! # Ok::<(), Error>(())
//! ```

use crate::bindings::types::Error;
use crate::exports::identity::Parameter as Described;

/// The parameters that may stand in one scope, which [`parameters!`](crate::parameters!) declares.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Where they may stand, as `identity.wit` names it.
    pub scope: &'static str,
    /// What the host is told of each.
    pub lines: &'static [Line],
}

/// What the host is told of a parameter.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// As users write it; one that ends in `/*` is a wildcard.
    pub name: &'static str,
    /// Whether it has to be given.
    pub required: bool,
    /// What counts where it is absent; for people.
    pub default: Option<&'static str>,
    /// One sentence, for people.
    pub meaning: &'static str,
}

impl Line {
    /// As the host is told it.
    pub fn described(&self, scope: &str) -> Described {
        Described {
            name: self.name.into(),
            scope: scope.into(),
            required: self.required,
            default: self.default.map(String::from),
            description: self.meaning.into(),
        }
    }
}

/// All lines of the tables, as `describe` answers them.
pub fn described(tables: &[Table]) -> Vec<Described> {
    let mut all = Vec::new();
    for table in tables {
        for line in table.lines {
            all.push(line.described(table.scope));
        }
    }
    all
}

/// Declare the parameters that may stand in one scope.
///
/// `NAME: Kind = "name"` declares a parameter, a constant of one of the [kinds](Parameter); `NAME` describes one that
/// another table declared, and `"name"` one that nobody reads. `required = true` and `default = "…"` may follow; what
/// comes behind the arrow is for people.
#[macro_export]
macro_rules! parameters {
    ($(#[$about:meta])* $public:vis const $table:ident: $scope:literal = {
        $(
            $($name:ident $(: $kind:ident = $text:literal)?)? $($plain:literal)?
            $(, required = $required:literal)? $(, default = $default:expr)? => $meaning:expr;
        )*
    }) => {
        $($($(
            $public const $name: $crate::parameters::$kind = $crate::parameters::$kind::new($text);
        )?)?)*
        $(#[$about])*
        $public const $table: $crate::parameters::Table = $crate::parameters::Table {
            scope: $scope,
            lines: &[$($crate::parameters::Line {
                name: $($name.name())? $($plain)?,
                required: $crate::parameters::is_said(&[$($required)?]),
                default: $crate::parameters::said(&[$($default)?]),
                meaning: $meaning,
            }),*],
        };
    };
}

#[doc(hidden)]
pub const fn is_said(yes: &[bool]) -> bool {
    matches!(yes, [true])
}

#[doc(hidden)]
pub const fn said(default: &[&'static str]) -> Option<&'static str> {
    match default {
        [default] => Some(default),
        _ => None,
    }
}

/// What a parameter's value is read as.
pub trait Parameter<'a> {
    /// What comes of it; how an absent one shows is the kind's.
    type Value;

    /// Read it.
    fn read(self, params: &Params<'a>) -> Self::Value;
}

/// Parameters as they were written, or the keys of a place.
///
/// Keys are compared without regard to case: the host spells them as this guest describes them, and volumes of old may
/// say them otherwise. An empty value is as good as none: templates leave such behind.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a>(pub &'a [(String, String)]);

impl<'a> Params<'a> {
    /// A parameter's value, as its kind reads it.
    #[inline]
    pub fn get<P: Parameter<'a>>(&self, parameter: P) -> P::Value {
        parameter.read(self)
    }

    /// A text that has to be there; `invalid-argument` where it is missing.
    pub fn required(&self, parameter: Text) -> Result<&'a str, Error> {
        let missing = || error!(InvalidArgument: "{parameter} is missing");
        self.get(parameter).ok_or_else(missing)
    }

    /// Parameters whose names begin so, with the rest of their names.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(&'a str, &'a str)> {
        let mut found = Vec::new();
        for (key, value) in self.0 {
            if let Some((start, rest)) = key.split_at_checked(prefix.len())
                && start.eq_ignore_ascii_case(prefix)
            {
                found.push((rest, value.as_str()));
            }
        }
        found
    }

    fn written(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.iter();
        let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    fn word(&self, name: &str) -> Option<&'a str> {
        let word = self.written(name)?.trim_ascii();
        Some(word).filter(|word| !word.is_empty())
    }
}

macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident: $value:ty = |$self:ident, $params:ident| $read:expr;)*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $kind(&'static str);

        impl $kind {
            /// The parameter of that name.
            pub const fn new(name: &'static str) -> Self {
                Self(name)
            }

            /// As users write it.
            pub const fn name(self) -> &'static str {
                self.0
            }
        }

        impl<'a> Parameter<'a> for $kind {
            type Value = $value;

            fn read($self, $params: &Params<'a>) -> $value {
                $read
            }
        }

        impl AsRef<str> for $kind {
            fn as_ref(&self) -> &str {
                self.0
            }
        }

        impl From<$kind> for String {
            fn from(kind: $kind) -> Self {
                kind.0.into()
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
    )*};
}

kinds! {
    /// As it is written, with every space; an empty one counts too.
    Written: Option<&'a str> = |self, params| params.written(self.0);

    /// As it is written, with every space.
    Text: Option<&'a str> = |self, params| params.written(self.0).filter(|text| !text.is_empty());

    /// Without the space around it.
    Word: Option<&'a str> = |self, params| params.word(self.0);

    /// Words separated by commas; empty where there is nothing.
    Words: Vec<&'a str> = |self, params| words(params.word(self.0).unwrap_or_default());

    /// `true`, `yes` and `1`, or `false`, `no` and `0`, in any letters.
    Flag: Result<Option<bool>, Error> = |self, params| flag(self.0, params.word(self.0));

    /// A number that counts something.
    Count: Result<Option<u64>, Error> = |self, params| count(self.0, params.word(self.0));
}

/// One whose name only the caller knows, as a [`Word`].
impl<'a> Parameter<'a> for &str {
    type Value = Option<&'a str>;

    fn read(self, params: &Params<'a>) -> Self::Value {
        params.word(self)
    }
}

fn words(written: &str) -> Vec<&str> {
    let words = written.split(',').map(str::trim_ascii);
    words.filter(|word| !word.is_empty()).collect()
}

fn flag(name: &str, written: Option<&str>) -> Result<Option<bool>, Error> {
    let Some(written) = written else {
        return Ok(None);
    };
    let is_one_of = |words: [&str; 3]| words.iter().any(|word| word.eq_ignore_ascii_case(written));
    match (
        is_one_of(["true", "yes", "1"]),
        is_one_of(["false", "no", "0"]),
    ) {
        (true, _) => Ok(Some(true)),
        (_, true) => Ok(Some(false)),
        (false, false) => Err(malformed(name, written, "write true or false")),
    }
}

fn count(name: &str, written: Option<&str>) -> Result<Option<u64>, Error> {
    let Some(written) = written else {
        return Ok(None);
    };
    match written.parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(malformed(name, written, "write a whole number")),
    }
}

/// The error for a value that cannot be meant; it names the parameter, the value and what would be accepted.
#[inline]
pub fn malformed(name: impl AsRef<str>, written: &str, accepted: &str) -> Error {
    refused(name.as_ref(), written, accepted)
}

fn refused(name: &str, written: &str, accepted: &str) -> Error {
    error!(InvalidArgument: "{name} \"{written}\": {accepted}")
}

/// Words in a message, separated by commas.
pub fn add_word(words: &mut String, word: &str) {
    if !words.is_empty() {
        *words += ", ";
    }
    *words += word;
}

#[cfg(test)]
mod tests;

//! Ids: what a stranger writes is one only once it looks like one.
//!
//! An id has room for 128 bytes, and is all that is known when a volume is deleted. Clouds give ids of their own, which
//! [`id!`](crate::id!) checks; what has none gets one from its name, by [`name`](crate::name).

use crate::bindings::types::Error;

/// What the contract grants an id, in bytes.
pub const LONGEST_ID: usize = 128;

/// What follows the prefix may be so long: clouds seldom promise a length.
const LONGEST_REST: usize = 64;

/// Declare types of a backend's ids, of which each kind begins alike and goes on with small letters and digits. Where it
/// is said what has such ids, they are also taken from callers and from the backend, each with an error that says so.
///
/// ```
/// use drivebay_guest::types::Error;
///
/// drivebay_guest::id! {
///     /// A disk: `d-…`.
///     pub struct DiskId: "d-", "disk";
///     /// A machine: `i-…`.
///     pub struct InstanceId: "i-";
/// }
///
/// assert_eq!(DiskId::parse("d-1a").map(DiskId::as_str), Some("d-1a"));
/// for stranger in ["d-", "s-1a", "d-1A", "d-1&x=y", "../d-1"] {
///     assert!(DiskId::parse(stranger).is_none());
/// }
/// assert!(InstanceId::parse("i-1").is_some());
/// assert!(matches!(DiskId::asked("s-1"), Err(Error::NotFound(_))));
/// assert!(matches!(DiskId::made("s-1"), Err(Error::Internal(_))));
/// ```
#[macro_export]
macro_rules! id {
    ($($(#[$about:meta])* $public:vis struct $name:ident: $prefix:literal $(, $what:literal)?;)+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $public struct $name<'a>(&'a str);

        impl<'a> $name<'a> {
            /// `None` for what is no such id.
            $public fn parse(text: &'a str) -> Option<Self> {
                $crate::ids::is_id($prefix, text).then_some(Self(text))
            }

            /// As the backend has it.
            $public fn as_str(self) -> &'a str {
                self.0
            }

            $(
                /// The one that a caller names; `not-found` for what is no such id.
                $public fn asked(text: &'a str) -> ::std::result::Result<Self, $crate::types::Error> {
                    Self::parse(text).ok_or_else(|| $crate::ids::missing($what, $prefix, text))
                }

                /// The one that the backend says it made; `internal` for what is no such id.
                $public fn made(said: &'a str) -> ::std::result::Result<Self, $crate::types::Error> {
                    Self::parse(said).ok_or_else(|| $crate::ids::nonsense($what, said))
                }
            )?
        }

        impl ::std::fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.0)
            }
        }
    )+};
}

#[doc(hidden)]
#[cold]
pub fn missing(what: &str, prefix: &str, text: &str) -> Error {
    error!(NotFound: "{what} {text} does not exist: ids of {what}s begin with {prefix}")
}

#[doc(hidden)]
#[cold]
pub fn nonsense(what: &str, said: &str) -> Error {
    error!(Internal: "the backend names a {what} \"{said}\", which is no {what}'s id")
}

#[doc(hidden)]
pub fn is_id(prefix: &str, text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let rest = text.strip_prefix(prefix);
    rest.is_some_and(|rest| (1..=LONGEST_REST).contains(&rest.len()) && rest.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_an_id_is_one() {
        let longest = "1".repeat(LONGEST_REST);
        for id in ["d-1", "d-bp67acfmxazb4p", &format!("d-{longest}")] {
            assert!(is_id("d-", id), "{id}");
        }
        for text in [
            "",
            "d-",
            "d",
            "D-1",
            "d-ä",
            "d-1 ",
            "d-1\n",
            &format!("d-{longest}1"),
        ] {
            assert!(!is_id("d-", text), "{text}");
        }
    }
}

//! Words that a backend knows, as enums.

/// A word of a closed list, which [`keywords!`](crate::keywords!) makes.
pub trait Keyword: Copy + 'static {
    /// Every one, in the order of the declaration.
    const ALL: &'static [Self];

    /// As it is written.
    fn name(self) -> &'static str;

    /// The one that is written so, letter for letter.
    fn parse(written: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|word| word.name() == written)
    }

    /// The one that is written so, in capital letters or small ones.
    fn parse_any_case(written: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|word| word.name().eq_ignore_ascii_case(written))
    }
}

/// Declare an enum of words, each with its spelling.
///
/// ```
/// use drivebay_guest::Keyword;
///
/// drivebay_guest::keywords! {
///     /// What becomes of a directory when its volume is deleted.
///     pub enum OnDelete {
///         Delete = "delete",
///         /// It stays where it is.
///         Retain = "retain",
///     }
/// }
///
/// assert_eq!(OnDelete::parse_any_case("Retain"), Some(OnDelete::Retain));
/// assert_eq!(OnDelete::Delete.name(), "delete");
/// assert_eq!(OnDelete::parse("keep"), None);
/// ```
#[macro_export]
macro_rules! keywords {
    ($(#[$about:meta])* $public:vis enum $name:ident {
        $($(#[$case_about:meta])* $case:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $public enum $name {
            $($(#[$case_about])* $case),+
        }

        impl $crate::Keyword for $name {
            const ALL: &'static [Self] = &[$(Self::$case),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $word),+
                }
            }
        }
    };
}

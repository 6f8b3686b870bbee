//! Long lists in pages. Pure.
//!
//! A backend that has the whole list cuts it by [`cut`]. One whose API has pages of its own hands out those, by [`Page`]:
//! APIs give no fewer than so many entries at once, and callers may want 1, so that a token here is the API's own, with
//! the number of entries of its page that were handed out already.

use std::ops::Range;

use crate::bindings::types::Error;

/// Begins each token of [`cut`]; the last name of the page follows. It need not exist any more when the token is used.
const AFTER: &str = "after:";

/// At most `max_entries` of the sorted names, from where the token left off, and the token for the next ones if there are
/// more; 0 means all. `in-progress` for a token that is none of ours: CSI answers ABORTED there.
///
/// ```
/// use drivebay_guest::page::cut;
///
/// let all = || ["a", "b", "c"].map(String::from).into();
/// let (names, next) = cut(all(), None, 2)?;
/// assert_eq!((names, next.as_deref()), (vec!["a".into(), "b".into()], Some("after:b")));
/// assert_eq!(cut(all(), next.as_deref(), 2)?, (vec!["c".into()], None));
/// # Ok::<(), drivebay_guest::types::Error>(())
/// ```
pub fn cut(
    mut names: Vec<String>,
    token: Option<&str>,
    max_entries: u32,
) -> Result<(Vec<String>, Option<String>), Error> {
    if let Some(token) = token {
        let last = token.strip_prefix(AFTER).ok_or_else(|| invalid(token))?;
        names.retain(|name| name.as_str() > last);
    }
    let all = names.len();
    if max_entries > 0 {
        names.truncate(max_entries as usize);
    }
    let next = names.last().filter(|_| names.len() < all);
    let next = next.map(|last| format!("{AFTER}{last}"));
    Ok((names, next))
}

/// How many entries an API gives at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// No fewer.
    pub smallest: u64,
    /// No more.
    pub largest: u64,
}

/// Where a list goes on.
#[derive(Debug)]
struct Position {
    skip: u64,
    token: String,
}

/// One page that is wanted of an API's list.
#[derive(Debug)]
pub struct Page {
    limits: Limits,
    start: Position,
    /// How many entries to hand out at most.
    count: u64,
}

impl Page {
    /// `in-progress` for a token that is none of ours.
    pub fn from_request(
        limits: Limits,
        max_entries: u32,
        starting_token: Option<&str>,
    ) -> Result<Self, Error> {
        let start = match starting_token.filter(|token| !token.is_empty()) {
            None => Position::new(0, ""),
            Some(token) => Position::read(limits, token).ok_or_else(|| invalid(token))?,
        };
        let count = match max_entries {
            0 => limits.largest,
            count => u64::from(count).min(limits.largest),
        };
        Ok(Self {
            limits,
            start,
            count,
        })
    }

    /// How many entries to ask the API for.
    pub fn size(&self) -> u64 {
        (self.start.skip + self.count).clamp(self.limits.smallest, self.limits.largest)
    }

    /// The API's own token to ask with.
    pub fn token(&self) -> Option<&str> {
        Some(self.start.token.as_str()).filter(|token| !token.is_empty())
    }

    /// Which of the API's entries, of which there are `length`, belong to this page, and where the next one starts;
    /// `following` is the API's own token for what follows its page.
    pub fn cut(&self, length: usize, following: Option<&str>) -> (Range<usize>, Option<String>) {
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let begin = number(self.start.skip).min(length);
        let end = begin.saturating_add(number(self.count)).min(length);
        let next = if end < length {
            let skip = u64::try_from(end).unwrap_or(u64::MAX);
            Some(Position::new(skip, &self.start.token))
        } else {
            following.map(|token| Position::new(0, token))
        };
        (begin..end, next.map(|next| next.written()))
    }

    /// What the API says against the token becomes what callers expect of an invalid one.
    pub fn error(&self, error: Error) -> Error {
        match (error, self.token()) {
            (Error::InvalidArgument(reason), Some(token)) => {
                error!(InProgress: "{token} is no starting token (any \
                more): {reason}; start again")
            }
            (error, _) => error,
        }
    }
}

impl Position {
    fn new(skip: u64, token: &str) -> Self {
        Self {
            skip,
            token: token.into(),
        }
    }

    fn read(limits: Limits, text: &str) -> Option<Self> {
        let (skip, token) = text.split_once(':')?;
        let skip = skip.parse().ok().filter(|skip| *skip < limits.largest)?;
        Some(Self::new(skip, token))
    }

    fn written(&self) -> String {
        format!("{}:{}", self.skip, self.token)
    }
}

fn invalid(token: &str) -> Error {
    error!(InProgress: "\"{token}\" is no starting token of this list; start again without one")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        smallest: 10,
        largest: 100,
    };

    fn names(
        names: &[&str],
        token: Option<&str>,
        max_entries: u32,
    ) -> (Vec<String>, Option<String>) {
        let names = names.iter().map(|name| String::from(*name)).collect();
        cut(names, token, max_entries).expect("our token")
    }

    #[test]
    fn all_names_fit_on_one_page_unless_it_is_limited() {
        let both = (vec!["a".into(), "b".into()], None);
        assert_eq!(names(&["a", "b"], None, 0), both);
        assert_eq!(names(&["a", "b"], None, 2), both);
        assert_eq!(names(&[], None, 1), (vec![], None));
    }

    #[test]
    fn pages_follow_each_other() {
        let (first, token) = names(&["a", "b", "c"], None, 2);
        assert_eq!(first, ["a", "b"]);
        let second = names(&["a", "b", "c"], token.as_deref(), 2);
        assert_eq!(second, (vec!["c".into()], None));
    }

    #[test]
    fn a_page_may_end_with_a_name_that_is_gone_by_then() {
        let (_, token) = names(&["a", "b", "c"], None, 2);
        let second = names(&["a", "c"], token.as_deref(), 2);
        assert_eq!(second, (vec!["c".into()], None));
    }

    #[test]
    fn a_foreign_token_is_refused() {
        let refused = cut(Vec::new(), Some("invalid-token"), 0);
        assert!(matches!(refused, Err(Error::InProgress(_))));
    }

    /// Pages of an API over 25 entries, whose tokens are where they start.
    fn api_page(page: &Page) -> (Vec<u64>, Option<String>) {
        let start: u64 = page
            .token()
            .map_or(0, |token| token.parse().expect("our token"));
        let end = (start + page.size()).min(25);
        ((start..end).collect(), (end < 25).then(|| end.to_string()))
    }

    #[test]
    fn pages_of_any_size_add_up_to_the_whole() {
        for size in [0, 1, 3, 9, 10, 11, 24, 25, 1000] {
            let (mut seen, mut token) = (Vec::<u64>::new(), None::<String>);
            loop {
                let page = Page::from_request(LIMITS, size, token.as_deref()).expect("a page");
                let (entries, following) = api_page(&page);
                let (part, next) = page.cut(entries.len(), following.as_deref());
                let part = &entries[part];
                assert!(size == 0 || part.len() <= size as usize);
                seen.extend(part);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(seen, (0..25).collect::<Vec<_>>(), "{size}");
        }
    }

    #[test]
    fn a_token_of_somebody_else_is_in_progress() {
        for token in ["invalid-token", "x:y", "100:", ":", "-1:a"] {
            let refused = Page::from_request(LIMITS, 5, Some(token));
            assert!(matches!(refused, Err(Error::InProgress(_))), "{token}");
        }
        let page = Page::from_request(LIMITS, 5, Some("0:old")).expect("well formed");
        let error = page.error(Error::InvalidArgument("InvalidParameter.NextToken".into()));
        assert!(matches!(error, Error::InProgress(_)));
    }
}

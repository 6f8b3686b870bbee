//! Pages of lists. Pure.
//!
//! ECS gives no fewer than 10 entries at once, and callers may want 1. So a token here is ECS's own, with the number of
//! entries of its page that were handed out already.

use std::ops::Range;

use crate::bindings::drivebay::driver::types::Error;
use crate::json::Json;

/// Both lists take 100.
const SMALLEST: u64 = 10;
const LARGEST: u64 = 100;

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    skip: u64,
    token: String,
}

/// One page that is wanted.
#[derive(Debug)]
pub(crate) struct Page {
    start: Position,
    /// How many entries to hand out at most.
    count: u64,
}

impl Page {
    /// `in-progress` for a token that is none of ours: CSI answers ABORTED there.
    pub(crate) fn from_request(
        max_entries: u32,
        starting_token: Option<&str>,
    ) -> Result<Self, Error> {
        let start = match starting_token.filter(|token| !token.is_empty()) {
            None => Position {
                skip: 0,
                token: String::new(),
            },
            Some(token) => Position::read(token).ok_or_else(|| invalid(token))?,
        };
        let count = match max_entries {
            0 => LARGEST,
            count => u64::from(count).min(LARGEST),
        };
        Ok(Self { start, count })
    }

    /// `MaxResults` for ECS.
    pub(crate) fn size(&self) -> u64 {
        (self.start.skip + self.count).clamp(SMALLEST, LARGEST)
    }

    /// `NextToken` for ECS.
    pub(crate) fn token(&self) -> Option<&str> {
        Some(self.start.token.as_str()).filter(|token| !token.is_empty())
    }

    /// Which of ECS's entries, of which there are `length`, belong to this page, and where the next one starts.
    pub(crate) fn cut(&self, length: usize, answer: &Json) -> (Range<usize>, Option<String>) {
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let begin = number(self.start.skip).min(length);
        let end = begin.saturating_add(number(self.count)).min(length);
        let next = if end < length {
            Some(Position {
                skip: u64::try_from(end).unwrap_or(u64::MAX),
                token: self.start.token.clone(),
            })
        } else {
            answer.some_text("NextToken").map(|token| Position {
                skip: 0,
                token: token.into(),
            })
        };
        (begin..end, next.map(|next| next.written()))
    }

    /// What ECS says against the token becomes what callers expect of an invalid one.
    pub(crate) fn error(&self, error: Error) -> Error {
        match (error, self.token()) {
            (Error::InvalidArgument(reason), Some(token)) => Error::InProgress(format!(
                "{token} is no starting token (any more): {reason}; start again"
            )),
            (error, _) => error,
        }
    }
}

impl Position {
    fn read(text: &str) -> Option<Self> {
        let (skip, token) = text.split_once(':')?;
        let skip = skip.parse().ok().filter(|skip| *skip < LARGEST)?;
        Some(Self {
            skip,
            token: token.into(),
        })
    }

    fn written(&self) -> String {
        format!("{}:{}", self.skip, self.token)
    }
}

fn invalid(token: &str) -> Error {
    Error::InProgress(format!(
        "\"{token}\" is no starting token of this list; start again without one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of ECS over 25 entries, whose tokens are where they start.
    fn ecs_page(page: &Page) -> (Vec<u64>, Json) {
        let start: u64 = page
            .token()
            .map_or(0, |token| token.parse().expect("our token"));
        let end = (start + page.size()).min(25);
        let next = if end < 25 {
            end.to_string()
        } else {
            String::new()
        };
        let answer = Json::Object(vec![("NextToken".into(), Json::Text(next))]);
        ((start..end).collect(), answer)
    }

    #[test]
    fn pages_of_any_size_add_up_to_the_whole() {
        for size in [0, 1, 3, 9, 10, 11, 24, 25, 1000] {
            let (mut seen, mut token) = (Vec::<u64>::new(), None::<String>);
            loop {
                let page = Page::from_request(size, token.as_deref()).expect("a page");
                let (entries, answer) = ecs_page(&page);
                let (part, next) = page.cut(entries.len(), &answer);
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
            assert!(
                matches!(
                    Page::from_request(5, Some(token)),
                    Err(Error::InProgress(_))
                ),
                "{token}"
            );
        }
        let page = Page::from_request(5, Some("0:old")).expect("well formed");
        let error = page.error(Error::InvalidArgument("InvalidParameter.NextToken".into()));
        assert!(matches!(error, Error::InProgress(_)));
    }
}

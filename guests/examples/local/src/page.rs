//! A long list in pages. Pure.

use crate::bindings::drivebay::driver::types::Error;

/// Begins each token; the last name of the page follows. It need not exist any more when the token is used.
const AFTER: &str = "after:";

/// Some of the names, and the token for the next ones if there are more.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) names: Vec<String>,
    pub(crate) next_token: Option<String>,
}

impl Page {
    /// At most `max_entries` of the sorted `names`, from where `token` left off; 0 means all.
    pub(crate) fn cut(
        mut names: Vec<String>,
        token: Option<&str>,
        max_entries: u32,
    ) -> Result<Self, Error> {
        if let Some(token) = token {
            let last = token.strip_prefix(AFTER).ok_or_else(|| not_ours(token))?;
            names.retain(|name| name.as_str() > last);
        }
        let all = names.len();
        if max_entries > 0 {
            names.truncate(max_entries as usize);
        }
        let next = names.last().filter(|_| names.len() < all);
        Ok(Self {
            next_token: next.map(|last| format!("{AFTER}{last}")),
            names,
        })
    }
}

/// CSI answers a bad token with ABORTED, which is `in-progress` here.
fn not_ours(token: &str) -> Error {
    Error::InProgress(format!(
        "the token {token} is not from list-volumes; begin again without one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(names: &[&str], token: Option<&str>, max_entries: u32) -> (Vec<String>, Option<String>) {
        let names = names.iter().map(|name| String::from(*name)).collect();
        let page = Page::cut(names, token, max_entries).unwrap();
        (page.names, page.next_token)
    }

    #[test]
    fn all_names_fit_on_one_page_unless_it_is_limited() {
        assert_eq!(
            cut(&["a", "b"], None, 0),
            (vec!["a".into(), "b".into()], None)
        );
        assert_eq!(
            cut(&["a", "b"], None, 2),
            (vec!["a".into(), "b".into()], None)
        );
        assert_eq!(cut(&[], None, 1), (vec![], None));
    }

    #[test]
    fn pages_follow_each_other() {
        let (first, token) = cut(&["a", "b", "c"], None, 2);
        assert_eq!(first, ["a", "b"]);
        assert_eq!(
            cut(&["a", "b", "c"], token.as_deref(), 2),
            (vec!["c".into()], None)
        );
    }

    #[test]
    fn a_page_may_end_with_a_name_that_is_gone_by_then() {
        let (_, token) = cut(&["a", "b", "c"], None, 2);
        assert_eq!(
            cut(&["a", "c"], token.as_deref(), 2),
            (vec!["c".into()], None)
        );
    }

    #[test]
    fn a_foreign_token_is_refused() {
        let refused = Page::cut(Vec::new(), Some("invalid-token"), 0);
        assert!(matches!(refused, Err(Error::InProgress(_))));
    }
}

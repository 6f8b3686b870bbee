//! Lists in pages, asked for by page number or by token.
//!
//! Lists are newest first. A token names the last resource shown, so pages hold when others come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::Refusal;
use crate::wire::answer::Fields;
use crate::wire::parameters::Parameters;

/// What one page may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// By token; smaller numbers count as this.
    pub(crate) least_results: usize,
    /// By token.
    pub(crate) most_results: usize,
    /// By number.
    pub(crate) most_per_page: usize,
}

/// Entries of a page that has no size.
const DEFAULT: usize = 10;

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) entries: Vec<T>,
    total: usize,
    next: Option<String>,
    number: usize,
    size: usize,
}

impl<T> Page<T> {
    /// Cuts the page that a request asks for. `order` is higher for what is newer, and never the same twice.
    pub(crate) fn cut(
        mut all: Vec<T>,
        order: impl Fn(&T) -> u64,
        parameters: &Parameters,
        limits: Limits,
    ) -> Result<Self, Refusal> {
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(order(entry)));
        let by_token = ["MaxResults", "NextToken"]
            .iter()
            .any(|name| parameters.text(name).is_some());
        if by_token {
            Self::after_token(all, order, parameters, limits)
        } else {
            Self::numbered(all, parameters, limits)
        }
    }

    /// The same for a list that has no page numbers.
    pub(crate) fn cut_by_token(
        mut all: Vec<T>,
        order: impl Fn(&T) -> u64,
        parameters: &Parameters,
        limits: Limits,
    ) -> Result<Self, Refusal> {
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(order(entry)));
        Self::after_token(all, order, parameters, limits)
    }

    fn after_token(
        mut all: Vec<T>,
        order: impl Fn(&T) -> u64,
        parameters: &Parameters,
        limits: Limits,
    ) -> Result<Self, Refusal> {
        let total = all.len();
        let size = parameters.number("MaxResults")?.unwrap_or(DEFAULT);
        let size = size.clamp(limits.least_results, limits.most_results);
        if let Some(token) = parameters.text("NextToken") {
            let last = read_token(token).ok_or_else(|| Refusal::invalid_parameter("NextToken"))?;
            all.retain(|entry| order(entry) < last);
        }
        let more = all.len() > size;
        all.truncate(size);
        let next = all
            .last()
            .filter(|_| more)
            .map(|last| write_token(order(last)));
        Ok(Self {
            entries: all,
            total,
            next,
            number: 1,
            size,
        })
    }

    fn numbered(all: Vec<T>, parameters: &Parameters, limits: Limits) -> Result<Self, Refusal> {
        let total = all.len();
        let number = parameters.number::<usize>("PageNumber")?.unwrap_or(1);
        let size = parameters.number::<usize>("PageSize")?.unwrap_or(DEFAULT);
        if number == 0 {
            return Err(Refusal::invalid_parameter("PageNumber"));
        }
        if size == 0 || size > limits.most_per_page {
            return Err(Refusal::invalid_parameter("PageSize"));
        }
        let start = (number - 1).saturating_mul(size);
        let entries = all.into_iter().skip(start).take(size).collect();
        Ok(Self {
            entries,
            total,
            next: None,
            number,
            size,
        })
    }

    /// The answer: the page's place in the list, and the entries beneath `Disks.Disk` or the like.
    pub(crate) fn shown(&self, group: &str, entry: &str, show: impl Fn(&T) -> Value) -> Fields {
        let mut answer = self.shown_by_token(group, entry, show);
        answer.append(&mut super::fields([
            ("TotalCount", Value::from(self.total)),
            ("PageNumber", Value::from(self.number)),
            ("PageSize", Value::from(self.size)),
        ]));
        answer
    }

    /// The same without the numbers.
    pub(crate) fn shown_by_token(
        &self,
        group: &str,
        entry: &str,
        show: impl Fn(&T) -> Value,
    ) -> Fields {
        let shown: Vec<Value> = self.entries.iter().map(show).collect();
        let next = self.next.clone().unwrap_or_default();
        let list = Fields::from_iter([(entry.to_owned(), Value::from(shown))]);
        let mut answer = super::fields([("NextToken", Value::from(next))]);
        answer.insert(group.to_owned(), Value::Object(list));
        answer
    }
}

fn write_token(order: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("after {order}"))
}

fn read_token(token: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("after ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        least_results: 10,
        most_results: 500,
        most_per_page: 100,
    };

    fn page(all: &[u64], asked: &[(&str, &str)]) -> Result<Page<u64>, Refusal> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let parameters: Parameters = asked.iter().map(owned).collect();
        Page::cut(all.to_vec(), |entry| *entry, &parameters, LIMITS)
    }

    fn numbers(highest: u64) -> Vec<u64> {
        (1..=highest).collect()
    }

    #[test]
    fn pages_by_number_are_newest_first_and_ten_long() {
        let first = page(&numbers(25), &[]).unwrap();
        assert_eq!(first.entries, [25, 24, 23, 22, 21, 20, 19, 18, 17, 16]);
        let third = page(&numbers(25), &[("PageNumber", "3")]).unwrap();
        assert_eq!(third.entries, [5, 4, 3, 2, 1]);
        assert_eq!(third.total, 25);
        assert!(
            page(&numbers(25), &[("PageNumber", "4")])
                .unwrap()
                .entries
                .is_empty()
        );
    }

    #[test]
    fn page_sizes_beyond_the_limits_are_refused() {
        for asked in [
            ("PageSize", "101"),
            ("PageSize", "0"),
            ("PageNumber", "0"),
            ("PageSize", "x"),
        ] {
            assert_eq!(
                page(&[], &[asked]).unwrap_err().code,
                "InvalidParameter",
                "{asked:?}"
            );
        }
    }

    #[test]
    fn tokens_lead_through_the_whole_list_and_end() {
        let all = numbers(25);
        let first = page(&all, &[("MaxResults", "10")]).unwrap();
        let token = first.next.unwrap();
        let second = page(&all, &[("NextToken", &token), ("MaxResults", "10")]).unwrap();
        assert_eq!(second.entries.first(), Some(&15));
        let last = page(
            &all,
            &[("NextToken", &second.next.unwrap()), ("MaxResults", "10")],
        )
        .unwrap();
        assert_eq!(last.entries, [5, 4, 3, 2, 1]);
        assert_eq!(last.next, None);
    }

    #[test]
    fn token_holds_when_what_it_names_is_gone() {
        let token = page(&numbers(25), &[("MaxResults", "10")])
            .unwrap()
            .next
            .unwrap();
        let without: Vec<u64> = numbers(30)
            .into_iter()
            .filter(|number| *number != 16)
            .collect();
        let second = page(&without, &[("NextToken", &token)]).unwrap();
        assert_eq!(second.entries.first(), Some(&15));
    }

    #[test]
    fn small_and_large_numbers_of_results_are_bounded() {
        assert_eq!(
            page(&numbers(25), &[("MaxResults", "2")])
                .unwrap()
                .entries
                .len(),
            10
        );
        assert_eq!(
            page(&numbers(600), &[("MaxResults", "9999")])
                .unwrap()
                .entries
                .len(),
            500
        );
        assert!(page(&[], &[("NextToken", "nonsense")]).is_err());
    }
}

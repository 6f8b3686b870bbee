//! The rules, by what they are about.

mod attaching;
mod away;
mod creation;
mod deletion;
mod expansion;
mod groups;
mod health;
mod hostile;
mod listing;
mod lookup;
mod modification;
mod mounting;
mod names;
mod snapshots;
mod texts;
mod working;

use super::rule::Rule;

/// In the order in which they are tried.
pub(super) const RULES: &[&[Rule]] = &[
    working::RULES,
    creation::RULES,
    names::RULES,
    lookup::RULES,
    listing::RULES,
    deletion::RULES,
    expansion::RULES,
    modification::RULES,
    attaching::RULES,
    mounting::RULES,
    snapshots::RULES,
    groups::RULES,
    health::RULES,
    hostile::RULES,
    away::RULES,
    texts::RULES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own_and_says_why() {
        let rules: Vec<&Rule> = RULES.iter().copied().flatten().collect();
        for (at, rule) in rules.iter().enumerate() {
            let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(rule.name.chars().all(is_word), "{rule:?}");
            assert!(!rules[..at].iter().any(|other| other.name == rule.name));
            for text in [rule.asks, rule.why] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{rule:?}");
            }
        }
    }
}

//! What `/metrics` answers, read back: OpenMetrics' text format, as far as this host writes it. For `drivebay status`, and for
//! whoever asks nodes in a cluster.

use std::collections::{BTreeMap, BTreeSet};

/// One line.
#[derive(Debug, PartialEq)]
pub struct Sample {
    /// The metric's.
    pub name: String,
    /// By their names.
    pub labels: BTreeMap<String, String>,
    /// What was counted or measured.
    pub value: f64,
}

impl Sample {
    /// The label's value; empty where there is none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// All lines, in their order.
#[derive(Debug, PartialEq)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Of a whole answer. `None` where a line makes no sense, or the end is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix("# EOF\n")?;
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(sample).collect::<Option<_>>().map(Self)
    }

    /// Those of that metric, for that driver.
    pub fn of<'a>(&'a self, name: &'a str, driver: &'a str) -> impl Iterator<Item = &'a Sample> {
        let named = self.named(name);
        named.filter(move |sample| sample.label("driver") == driver)
    }

    /// Those of that metric.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The drivers that the process serves.
    pub fn served(&self) -> BTreeSet<&str> {
        self.drivers("drivebay_rpcs_in_flight").collect()
    }

    /// What the process has loaded for a driver.
    pub fn loaded<'a>(&'a self, driver: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.of("drivebay_component_loaded_info", driver)
    }

    /// The values of `driver` that a metric has.
    fn drivers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.named(name).map(|sample| sample.label("driver"))
    }
}

/// `name{label="value",…} 1.5`; braces only where there are labels.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: value.trim().parse().ok()?,
    })
}

/// The labels, and what follows the brace.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquoted(quoted)?;
        labels.insert(name.to_owned(), value);
        rest = after.strip_prefix(',').unwrap_or(after);
    }
}

/// Up to the quote that ends it, and what follows; a backslash, a quote and a line feed are escaped.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            plain => value.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_samples_and_comments_do_not() {
        let text = "# HELP a A.\na_total{driver=\"nfs\",code=\"O\\\"K\"} 3\nb 0.5\n# EOF\n";
        let samples = Samples::parse(text).expect("understood");
        let found: Vec<f64> = samples.of("a_total", "nfs").map(|one| one.value).collect();
        assert_eq!(found, [3.0]);
        assert_eq!(samples.0[0].label("code"), "O\"K");
        assert_eq!(samples.0[1].label("driver"), "");
        assert_eq!(samples.drivers("a_total").collect::<Vec<_>>(), ["nfs"]);
    }

    #[test]
    fn what_was_cut_off_or_makes_no_sense_is_nothing() {
        for text in [
            "",
            "a 1\n",
            "a\n# EOF\n",
            "a{driver=\"nfs} 1\n# EOF\n",
            "a{driver} 1\n# EOF\n",
            "a one\n# EOF\n",
        ] {
            assert_eq!(Samples::parse(text), None, "{text}");
        }
    }
}

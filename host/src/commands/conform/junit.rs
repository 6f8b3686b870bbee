//! The report as JUnit's XML, which programs that show the results of tests read: a rule is a test, one that is broken a
//! failure, one that could not be tried an error, one that does not apply is skipped.

use drivebay::error::is_harmful;

use super::report::{Entry, Report};

pub(super) fn document(report: &Report) -> String {
    let cases: Vec<String> = report.entries.iter().map(case).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"drivebay conform {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}{}</testsuite>",
        escaped(&report.component),
        report.entries.len(),
        report.count("broken"),
        report.count("untried"),
        report.count("inapplicable"),
        cases.concat(),
        left_behind(&report.left)
    )
}

fn left_behind(left: &[String]) -> String {
    if left.is_empty() {
        return String::new();
    }
    let left: Vec<String> = left.iter().map(|left| escaped(left)).collect();
    format!(
        "  <system-err>left behind: {}</system-err>\n",
        left.join("; ")
    )
}

fn case(entry: &Entry) -> String {
    let name = entry.rule.name;
    let head = format!("  <testcase classname=\"conform\" name=\"{name}\"");
    let element = match entry.outcome.name() {
        "broken" => "failure",
        "untried" => "error",
        _ => "skipped",
    };
    match entry.outcome.reason() {
        None => format!("{head}/>\n"),
        Some(reason) => format!(
            "{head}>\n    <{element} message=\"{}\">{}: {}</{element}>\n  </testcase>\n",
            escaped(reason),
            escaped(entry.rule.asks),
            escaped(entry.rule.why)
        ),
    }
}

/// XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character if is_harmful(character) => escaped.extend(character.escape_unicode()),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::conform::expectation::Stop;
    use crate::commands::conform::rules::RULES;

    #[test]
    fn each_outcome_is_what_such_programs_call_it() {
        let rule = &RULES[0][0];
        let mut report = Report::of("a");
        report.add(rule, Ok(()));
        for stop in [Stop::Broken, Stop::Untried, Stop::Inapplicable] {
            report.add(rule, Err(stop("\"<\u{1}".to_owned())));
        }
        let document = document(&report);
        assert!(
            document.contains("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""),
            "{document}"
        );
        for element in ["failure", "error", "skipped"] {
            let begins = format!("<{element} message=\"&quot;&lt;\\u{{1}}\">");
            assert!(document.contains(&begins), "{document}");
        }
        assert!(!document.contains("system-err"), "{document}");
        report.left.push("volume \"<\"".to_owned());
        let document = super::document(&report);
        let ends = "<system-err>left behind: volume &quot;&lt;&quot;</system-err>\n</testsuite>";
        assert!(document.ends_with(ends), "{document}");
    }
}

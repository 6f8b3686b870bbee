//! The steps' times and counts as a table: plain enough for a terminal, and Markdown, so that it can be shown as it is.

use std::fmt::{self, Display};
use std::time::Duration;

use super::counts::Counts;

const HEADINGS: [&str; 5] = ["step", "seconds", "passed", "failed", "skipped"];

/// One step, or all of them.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// None of a step that did not run.
    pub(super) took: Option<Duration>,
    pub(super) counts: Counts,
}

pub(super) struct Table(pub(super) Vec<Row>);

impl Row {
    fn cells(&self) -> [String; 5] {
        let seconds = |took: Duration| format!("{:.0}", took.as_secs_f64());
        let Counts {
            passed,
            failed,
            skipped,
            ..
        } = &self.counts;
        [
            self.name.to_owned(),
            self.took.map_or_else(|| "-".to_owned(), seconds),
            passed.to_string(),
            failed.to_string(),
            skipped.to_string(),
        ]
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self.0.iter().map(Row::cells).collect();
        let names = rows.iter().map(|cells| cells[0].len());
        let width = names.max().unwrap_or_default().max(HEADINGS[0].len());
        let [step, numbers @ ..] = HEADINGS;
        write!(formatter, "| {step:<width$} |")?;
        numbers
            .iter()
            .try_for_each(|heading| write!(formatter, " {heading:>7} |"))?;
        write!(formatter, "\n|{:-<1$}|", "", width + 2)?;
        numbers
            .iter()
            .try_for_each(|_| write!(formatter, "{:->8}:|", ""))?;
        for [step, numbers @ ..] in &rows {
            write!(formatter, "\n| {step:<width$} |")?;
            numbers
                .iter()
                .try_for_each(|number| write!(formatter, " {number:>7} |"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_what_did_not_run_took_no_time() {
        let row = |name, took, passed| Row {
            name,
            took,
            counts: Counts {
                passed,
                ..Counts::default()
            },
        };
        let table = Table(vec![
            row("outside", Some(Duration::from_millis(61_600)), 412),
            row("vm", None, 0),
        ]);
        assert_eq!(
            table.to_string(),
            "| step    | seconds |  passed |  failed | skipped |\n\
             |---------|--------:|--------:|--------:|--------:|\n\
             | outside |      62 |     412 |       0 |       0 |\n\
             | vm      |       - |       0 |       0 |       0 |"
        );
    }
}

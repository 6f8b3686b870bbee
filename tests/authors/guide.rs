//! The guide of guests/README.md and the examples' own, as somebody reads them who types what they say.

use drivebay_tests::{read, repository};

/// The commands of a section, as they stand there.
pub(crate) fn commands(heading: &str) -> String {
    commands_of_file("guests/README.md", heading)
}

/// The same of another document here.
pub(crate) fn commands_of_file(document: &str, heading: &str) -> String {
    let commands = commands_of(&read(&repository().join(document)), heading);
    assert!(
        !commands.is_empty(),
        "{document} has no commands for {heading}"
    );
    commands
}

fn commands_of(guide: &str, heading: &str) -> String {
    let mut lines = guide.lines();
    let found = lines.any(|line| line.trim_start_matches('#').trim() == heading);
    let mut commands = String::new();
    let mut fenced = false;
    for line in lines.filter(|_| found) {
        match line {
            "```sh" => fenced = true,
            "```" => fenced = false,
            line if fenced => commands.extend([line, "\n"]),
            line if line.starts_with('#') => break,
            _ => {}
        }
    }
    commands
}

#[test]
fn commands_are_those_of_their_section() {
    let guide = "# Guide\n```sh\nzero\n```\n### One\ntext\n```sh\none # comment\n```\n```toml\nx = 1\n```\n\
                 ```sh\ntwo\n```\n### Two\n```sh\nthree\n```\n";
    assert_eq!(commands_of(guide, "One"), "one # comment\ntwo\n");
    assert_eq!(commands_of(guide, "Two"), "three\n");
    assert_eq!(commands_of(guide, "Three"), "");
}

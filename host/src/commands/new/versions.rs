//! Which versions of which tools skeletons are built with: `guests/templates/versions`, the one place that says so.

/// Names and versions, in the order of the file.
pub(super) fn versions(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, version)| (name, version.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_name_no_tool() {
        let found: Vec<_> = versions("# What for.\ngo 1.26\n\njco    1.30.0\n").collect();
        assert_eq!(found, [("go", "1.26"), ("jco", "1.30.0")]);
    }
}

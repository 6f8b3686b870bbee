//! What the documents say of the drivers is what the shipped components say of themselves, and their links lead
//! somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use drivebay_tests::{Node, guest, read, repository};

const DRIVERS: [&str; 2] = ["alicloud-disk", "nfs"];

#[test]
fn the_drivers_tables_are_what_check_prints() {
    for driver in DRIVERS {
        let node = Node::empty();
        let file = repository().join(format!("deploy/drivers.d/{driver}.toml"));
        node.add_driver(driver, &read(&file));
        node.install(&[&guest(driver)]);
        let output = node
            .drivebay(&["check", "--markdown"])
            .output()
            .expect("drivebay runs");
        assert!(output.status.success());
        let printed = String::from_utf8(output.stdout).expect("text");
        let document = format!("guests/{driver}/README.md");
        assert!(
            read(&repository().join(&document)).contains(printed.trim()),
            "{document} lacks what `drivebay check --markdown` prints:\n{printed}"
        );
    }
}

#[test]
fn the_front_page_stays_one() {
    let page = read(&repository().join("README.md"));
    assert!(page.lines().count() <= 150, "README.md is a front page");
    let long: Vec<&str> = page
        .lines()
        .filter(|line| line.chars().count() > 120)
        .collect();
    assert!(long.is_empty(), "too long in README.md: {long:#?}");
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let root = repository();
    let mut documents = BTreeMap::new();
    collect(&root, &root, &mut documents);
    assert!(documents.len() > 5, "found {:?}", documents.keys());
    let there = |path: &Path| root.join(path).exists();
    let broken: Vec<String> = documents
        .keys()
        .flat_map(|document| broken_links(document, &documents, there))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let documents = |text: &str| {
        let other = "# Other\n\n## What's `in` it?\n\n```sh\n# no heading\n```\n";
        [("a/README.md", text), ("b.md", other)]
            .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
            .into()
    };
    let broken = |text: &str| {
        broken_links(Path::new("a/README.md"), &documents(text), |path| {
            path == Path::new("b.md") || path == Path::new("a")
        })
    };
    for sound in [
        "[b](../b.md), [its part](../b.md#whats-in-it), [here](.), [there](https://example.com/x#y)",
        "## Part two\n[`above`](#part-two)",
        "`[code](no.md)` and\n```\n[code](no.md)\n```",
    ] {
        assert_eq!(broken(sound), [""; 0], "{sound}");
    }
    for (wrong, part) in [
        ("[c](c.md)", "a/README.md: c.md: there is no a/c.md"),
        ("[b](b.md)", "a/README.md: b.md: there is no a/b.md"),
        ("[out](../../b.md)", "leads out of the repository"),
        (
            "[part](../b.md#no-heading)",
            "b.md has no heading #no-heading",
        ),
        ("[part](#nowhere)", "a/README.md has no heading #nowhere"),
        ("[one](.) [two](c.md)", "c.md"),
        ("[one] [b]\n\n[one]: ../b.md\n[b]: b.md", "b.md"),
    ] {
        let found = broken(wrong);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert!(found[0].contains(part), "{wrong}: {found:?}");
    }
}

/// Every Markdown file of the repository by its path in it; what is built or fetched is not ours.
fn collect(root: &Path, directory: &Path, documents: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || ["target", "node_modules"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, documents);
        } else if name.ends_with(".md") {
            let text = read(&path);
            let path = path.strip_prefix(root).expect("beneath").to_owned();
            documents.insert(path, text);
        }
    }
}

/// One sentence for each link of a document that leads to no file, or to no heading of a document.
fn broken_links(
    document: &Path,
    documents: &BTreeMap<PathBuf, String>,
    there: impl Fn(&Path) -> bool,
) -> Vec<String> {
    let problem = |link: &str| {
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = match file {
            "" => Some(document.to_owned()),
            file => beneath(document.parent().unwrap_or(Path::new("")), Path::new(file)),
        };
        let Some(target) = target else {
            return Some("leads out of the repository".to_owned());
        };
        let known = documents.get(&target);
        if known.is_none() && !there(&target) {
            return Some(format!("there is no {}", target.display()));
        }
        let missing =
            !heading.is_empty() && !known.is_some_and(|text| headings(text).contains(heading));
        missing.then(|| format!("{} has no heading #{heading}", target.display()))
    };
    links(&documents[document])
        .iter()
        .filter_map(|link| {
            Some(format!(
                "{}: {link}: {}",
                document.display(),
                problem(link)?
            ))
        })
        .collect()
}

/// Of `a` and `../b`, `b`.
fn beneath(directory: &Path, link: &Path) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in directory.join(link).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Where the document leads within the repository: `[text](this)`, or `[name]: this` on a line of its own.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .flat_map(|line| {
            let spoken: String = line.split('`').step_by(2).collect();
            let targets = spoken.split("](").skip(1);
            let targets = targets.filter_map(|rest| rest.split_once(')'));
            let named = spoken
                .strip_prefix('[')
                .and_then(|rest| rest.split_once("]: "));
            targets
                .map(|(target, _)| target.to_owned())
                .chain(named.map(|(_, target)| target.trim().to_owned()))
                .collect::<Vec<_>>()
        })
        .filter(|target| !target.contains("://"))
        .collect()
}

/// The names that headings have as targets of links.
fn headings(text: &str) -> BTreeSet<String> {
    let name = |line: &str| -> Option<String> {
        let (marks, heading) = line.split_once(' ')?;
        let is_heading = !marks.is_empty() && marks.chars().all(|mark| mark == '#');
        is_heading.then(|| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
            let lower = heading.trim().to_lowercase();
            lower
                .chars()
                .filter(kept)
                .collect::<String>()
                .replace(' ', "-")
        })
    };
    prose(text).filter_map(name).collect()
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

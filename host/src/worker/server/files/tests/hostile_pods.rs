//! What pods do to their volumes to get at what is not theirs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_symlink_is_not_followed_wherever_it_leads() {
    let scratch = scratch();
    fs::create_dir_all(scratch.at("mine")).expect("made");
    fs::create_dir_all(scratch.at("neighbour")).expect("made");
    fs::write(scratch.at("neighbour/secret"), "secret").expect("written");
    fs::write(scratch.at("file"), "x").expect("written");
    fs::create_dir(scratch.at("sub")).expect("made");
    symlink("../neighbour", scratch.at("mine/way")).expect("linked");
    symlink("../neighbour/secret", scratch.at("mine/link")).expect("linked");
    for operation in ["mine/way/secret", "mine/way/new"].map(all_with).concat() {
        let text = format!("{operation:?}");
        assert_eq!(scratch.kind(operation), FaultKind::Denied, "{text}");
    }
    for refused in [
        list("mine/way"),
        read("mine/link"),
        make("mine/way/new", 0o755),
    ] {
        let fault = scratch.run(refused).expect_err("refused");
        assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
        assert!(fault.message.contains("a symlink is on the way"), "{fault}");
    }
    let bound = open_beneath(&scratch.dir, "mine/way").expect_err("refused");
    assert_eq!(bound.kind, FaultKind::Denied);
    let left = fs::read_dir(scratch.at("neighbour")).expect("there");
    assert_eq!(left.count(), 1);
    assert!(scratch.at("neighbour/secret").exists());
    scratch.assert_clean();
}

/// What a pod does to a directory of its volume while the host works there.
fn exchange_until_over(directory: &Path, link: &Path, over: &AtomicBool) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    while !over.load(Ordering::Relaxed) {
        renameat_with(CWD, directory, CWD, link, RenameFlags::EXCHANGE).expect("exchanged");
    }
}

/// It is over also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_directory_that_is_exchanged_for_a_symlink_meanwhile_leads_nowhere_else() {
    let scratch = scratch();
    fs::create_dir_all(scratch.at("mine/sub")).expect("made");
    fs::create_dir_all(scratch.at("neighbour")).expect("made");
    fs::write(scratch.at("neighbour/secret"), "secret").expect("written");
    symlink("../neighbour", scratch.at("mine/link")).expect("linked");
    let over = AtomicBool::new(false);
    let (mut reached, mut denied) = (0, 0);
    std::thread::scope(|scope| {
        let (directory, link) = (scratch.at("mine/sub"), scratch.at("mine/link"));
        let exchanged = &over;
        scope.spawn(move || exchange_until_over(&directory, &link, exchanged));
        let _over = Over(&over);
        for attempt in 0..100_000 {
            match open_beneath(&scratch.dir, "mine/sub").map_err(|fault| fault.kind) {
                Ok(opened) => {
                    reached += 1;
                    assert!(!opened.exists("secret"), "the neighbour's was opened");
                }
                Err(kind) => {
                    assert_eq!(kind, FaultKind::Denied);
                    denied += 1;
                }
            }
            let removed = scratch.run(remove("mine/sub/secret"));
            assert!(scratch.at("neighbour/secret").exists(), "{removed:?}");
            // Both were met, many times over: it is a race.
            if attempt > 1_000 && reached > 100 && denied > 100 {
                break;
            }
        }
    });
    assert!(reached > 0 && denied > 0, "{reached} {denied}");
    scratch.assert_clean();
}

#[test]
#[ignore = "needs root: mounts"]
fn nothing_is_removed_from_another_filesystem_that_the_path_leads_through() {
    use nix::mount::{MsFlags, mount, umount};
    let scratch = scratch();
    for made in ["tmpfs", "bind", "kept/tree"] {
        fs::create_dir_all(scratch.at(made)).expect("made");
    }
    fs::write(scratch.at("kept/tree/file"), "x").expect("written");
    let none = None::<&str>;
    let empty = MsFlags::empty();
    mount(
        Some("none"),
        &scratch.at("tmpfs"),
        Some("tmpfs"),
        empty,
        none,
    )
    .expect("mounted");
    let kept = scratch.at("kept");
    mount(
        Some(&kept),
        &scratch.at("bind"),
        none,
        MsFlags::MS_BIND,
        none,
    )
    .expect("mounted");
    fs::create_dir(scratch.at("tmpfs/tree")).expect("made");
    fs::write(scratch.at("tmpfs/tree/file"), "x").expect("written");
    fs::create_dir(scratch.at("tmpfs/empty")).expect("made");
    let refused: Vec<_> = ["tmpfs", "tmpfs/tree", "tmpfs/tree/file", "bind/tree"]
        .map(remove)
        .into_iter()
        .chain(
            ["tmpfs/empty", "tmpfs"]
                .map(|path| FileOperation::RemoveDirectory { path: path.into() }),
        )
        .map(|operation| (format!("{operation:?}"), scratch.run(operation)))
        .collect();
    let left =
        ["tmpfs/tree/file", "tmpfs/empty", "kept/tree/file"].map(|path| scratch.at(path).exists());
    umount(&scratch.at("tmpfs")).expect("unmounted");
    umount(&scratch.at("bind")).expect("unmounted");
    assert_eq!(left, [true; 3]);
    for (operation, refused) in refused {
        assert!(refused.is_err(), "{operation}");
    }
}

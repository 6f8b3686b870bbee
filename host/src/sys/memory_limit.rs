//! How much memory this process may have: by its control group, of either version, and by the machine.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel says which control groups this process is in (cgroups(7)).
const GROUPS: &str = "/proc/self/cgroup";

const MOUNTS: &str = "/proc/self/mountinfo";

const MACHINE: &str = "/proc/meminfo";

/// A limit on memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Of the control group, or of one that holds it: beyond it the kernel kills.
    Group(u64),
    /// There is none but the machine's own memory.
    Machine(u64),
}

/// The strictest limit on this process; none where the kernel does not tell.
pub fn memory_limit() -> Option<MemoryLimit> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let machine = machine_bytes(&read(MACHINE))?;
    let group = hierarchies(&read(GROUPS), &read(MOUNTS))
        .iter()
        .filter_map(Hierarchy::limit_bytes)
        .min();
    // Without a limit version 1 says a number that no machine has.
    Some(match group {
        Some(group) if group < machine => MemoryLimit::Group(group),
        Some(_) | None => MemoryLimit::Machine(machine),
    })
}

/// A mounted tree of control groups that can limit memory, and where in it this process is.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    mounted_at: PathBuf,
    group: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Hierarchy {
    /// The least of the group's own limit and of those around it, as far as they can be seen from here.
    fn limit_bytes(&self) -> Option<u64> {
        let file = match self.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        let groups = self
            .group
            .ancestors()
            .filter(|group| group.starts_with(&self.mounted_at));
        // "max" is no number, and the root has no file.
        groups
            .filter_map(|group| {
                fs::read_to_string(group.join(file))
                    .ok()?
                    .trim()
                    .parse()
                    .ok()
            })
            .min()
    }
}

fn hierarchies(groups: &str, mounts: &str) -> Vec<Hierarchy> {
    let of_mount = |line: &str| hierarchy(groups, line);
    mounts.lines().filter_map(of_mount).collect()
}

/// `ID PARENT DEVICE ROOT POINT OPTIONS … - TYPE SOURCE SUPER-OPTIONS` (proc(5)).
fn hierarchy(groups: &str, mount: &str) -> Option<Hierarchy> {
    let (own, of_filesystem) = mount.split_once(" - ")?;
    let mut own = own.split(' ').skip(3);
    let (root, mounted_at) = (own.next()?, Path::new(own.next()?));
    let mut of_filesystem = of_filesystem.split(' ');
    let version = match (of_filesystem.next()?, of_filesystem.nth(1)?) {
        ("cgroup2", _) => Version::Two,
        ("cgroup", options) if options.split(',').any(|word| word == "memory") => Version::One,
        _ => return None,
    };
    let within = Path::new(group_path(groups, version)?);
    // In a container the mount begins at its own group; one that is not beneath it is seen as the root.
    let beneath = within.strip_prefix(root).unwrap_or(Path::new(""));
    Some(Hierarchy {
        mounted_at: mounted_at.to_owned(),
        group: mounted_at.join(beneath),
        version,
    })
}

/// `0::/path` for version 2, `N:memory,…:/path` for version 1.
fn group_path(groups: &str, version: Version) -> Option<&str> {
    groups.lines().find_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_it = match version {
            Version::One => controllers.split(',').any(|name| name == "memory"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        is_it.then_some(path)
    })
}

/// `MemTotal:       24684420 kB`
fn machine_bytes(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS_OF_ONE: &str = "\
22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw
30 22 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
34 22 0:30 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
40 22 0:36 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    fn found(groups: &str, mounts: &str) -> Vec<(PathBuf, Version)> {
        let group = |found: Hierarchy| (found.group, found.version);
        hierarchies(groups, mounts).into_iter().map(group).collect()
    }

    #[test]
    fn the_group_is_found_in_both_versions() {
        let groups = "8:pids:/\n4:memory:/kubepods/pod1/c1\n0::/init\n";
        assert_eq!(
            found(groups, MOUNTS_OF_ONE),
            [
                (
                    "/sys/fs/cgroup/memory/kubepods/pod1/c1".into(),
                    Version::One
                ),
                ("/sys/fs/cgroup/unified/init".into(), Version::Two),
            ]
        );
        let unified = "25 30 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(
            found("0::/system.slice/drivebay.service\n", unified),
            [(
                "/sys/fs/cgroup/system.slice/drivebay.service".into(),
                Version::Two
            )]
        );
    }

    #[test]
    fn in_a_container_the_mount_begins_at_the_group_itself() {
        let mounts =
            "34 22 0:30 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let group = |groups| found(groups, mounts)[0].0.clone();
        let own = Path::new("/sys/fs/cgroup/memory");
        assert_eq!(group("4:memory:/kubepods/pod1/c1\n"), own);
        // With a namespace for control groups the path is that of the container already.
        assert_eq!(group("4:memory:/\n"), own);
    }

    #[test]
    fn the_strictest_limit_on_the_way_up_counts() {
        let root = tempfile::tempdir().expect("a directory");
        let group = root.path().join("pod/container");
        fs::create_dir_all(&group).expect("writable");
        let hierarchy = Hierarchy {
            mounted_at: root.path().to_owned(),
            group: group.clone(),
            version: Version::Two,
        };
        assert_eq!(hierarchy.limit_bytes(), None);
        fs::write(group.join("memory.max"), "max\n").expect("writable");
        assert_eq!(hierarchy.limit_bytes(), None);
        fs::write(root.path().join("pod/memory.max"), "536870912\n").expect("writable");
        assert_eq!(hierarchy.limit_bytes(), Some(512 << 20));
        fs::write(group.join("memory.max"), "1073741824\n").expect("writable");
        assert_eq!(hierarchy.limit_bytes(), Some(512 << 20));
    }

    #[test]
    fn this_machine_tells() {
        assert_eq!(
            machine_bytes("MemTotal:       24684420 kB\nMemFree: 1 kB\n"),
            Some(24_684_420 << 10)
        );
        assert!(memory_limit().is_some());
    }
}

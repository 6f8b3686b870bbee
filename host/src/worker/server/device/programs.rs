//! Which of the filesystems' own programs are not where a worker looks for them, told before a volume wants one.

use super::format;
use super::superblock::{Family, FsType};
use super::tools::{BLKID, E2FSCK, Program, RESIZE2FS, XFS_GROWFS};

/// Those that making, checking and growing these filesystems takes, each with the package that has it. A filesystem that
/// nobody knows takes none.
pub fn missing_programs(filesystems: &[String]) -> Vec<String> {
    let known = filesystems
        .iter()
        .filter_map(|name| FsType::from_name(name).ok());
    let mut wanted: Vec<Program> = known.flat_map(programs).collect();
    if !wanted.is_empty() {
        wanted.push(BLKID);
    }
    let mut missing: Vec<String> = wanted
        .into_iter()
        .filter(|program| !program.is_there())
        .map(|program| format!("{} (of Debian's {})", program.name, program.package))
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

fn programs(fs_type: FsType) -> Vec<Program> {
    let mut programs = vec![format::program(fs_type)];
    programs.extend(match fs_type.family() {
        Family::Ext => &[E2FSCK, RESIZE2FS][..],
        Family::Xfs => &[XFS_GROWFS],
    });
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filesystem_takes_a_program_that_makes_it_and_one_that_grows_it() {
        for (name, wanted) in [
            ("ext4", ["mkfs.ext4", "e2fsck", "resize2fs"].as_slice()),
            ("xfs", &["mkfs.xfs", "xfs_growfs"]),
        ] {
            let fs_type = FsType::from_name(name).expect("known");
            let names: Vec<&str> = programs(fs_type).iter().map(|it| it.name).collect();
            assert_eq!(names, wanted);
        }
        assert!(missing_programs(&["btrfs".to_owned()]).is_empty());
    }

    #[test]
    fn a_program_is_looked_for_where_workers_do() {
        let program = |name| Program { name, package: "" };
        assert!(program("sh").is_there());
        assert!(!program("no-such-program").is_there());
    }
}

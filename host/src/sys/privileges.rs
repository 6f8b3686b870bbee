//! What this process may do, and what the programs that it starts may do after it.

use std::fs;
use std::io;

/// A capability, as capabilities(7) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Privilege {
    /// `CAP_SETGID`
    SetGid = 6,
    /// `CAP_SETUID`
    SetUid = 7,
    /// `CAP_SYS_ADMIN`
    SysAdmin = 21,
}

impl Privilege {
    /// As a pod's `securityContext.capabilities.add` has it: without the kernel's `CAP_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetGid => "SETGID",
            Self::SetUid => "SETUID",
            Self::SysAdmin => "SYS_ADMIN",
        }
    }
}

/// Whose process it is, and which capabilities outlast the start of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    /// The effective user.
    pub user: u32,
    kept: u64,
}

impl Privileges {
    /// This process's own.
    ///
    /// # Errors
    /// Where there is no /proc, or none of Linux.
    pub fn of_this_process() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        Self::parse(&status).ok_or_else(|| io::Error::other("its status cannot be read"))
    }

    /// With those, for tests that decide by them.
    #[cfg(test)]
    pub(crate) fn of(user: u32, kept: &[Privilege]) -> Self {
        let kept = kept.iter().map(|privilege| 1 << *privilege as u8);
        Self {
            user,
            kept: kept.sum(),
        }
    }

    /// Whether it has that one, and so have the workers that it starts.
    pub fn has(&self, privilege: Privilege) -> bool {
        self.kept & (1 << privilege as u8) != 0
    }

    /// Of root's a program that is started keeps all, of another user's the ambient ones alone.
    fn parse(status: &str) -> Option<Self> {
        let words = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.map(str::split_whitespace)
        };
        let user = words("Uid:")?.nth(1)?.parse().ok()?;
        let set = match user {
            0 => "CapEff:",
            _ => "CapAmb:",
        };
        let kept = u64::from_str_radix(words(set)?.next()?, 16).ok()?;
        Some(Self { user, kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(user: &str, effective: &str, ambient: &str) -> String {
        format!("Name:\tx\nUid:\t{user}\nCapEff:\t{effective}\nCapAmb:\t{ambient}\n")
    }

    #[test]
    fn root_hands_its_capabilities_on_and_others_only_ambient_ones() {
        let (some, none) = ("00000000002000c0", "0000000000000000");
        let root = Privileges::parse(&status("0\t0\t0\t0", some, none)).expect("complete");
        let all = [Privilege::SetGid, Privilege::SetUid, Privilege::SysAdmin];
        assert_eq!(root, Privileges::of(0, &all));
        let plain = "65532\t65532\t65532\t65532";
        let user = Privileges::parse(&status(plain, some, none)).expect("complete");
        assert_eq!(user, Privileges::of(65_532, &[]));
        assert!(!user.has(Privilege::SysAdmin));
        let user = Privileges::parse(&status(plain, some, "200000")).expect("complete");
        assert!(user.has(Privilege::SysAdmin) && !user.has(Privilege::SetUid));
    }

    #[test]
    fn what_says_nothing_of_it_is_not_taken_for_power() {
        assert_eq!(Privileges::parse("Name:\tx\n"), None);
        Privileges::of_this_process().expect("Linux");
    }
}

//! SELinux's labels among mount options: `context="system_u:object_r:container_file_t:s0:c1,c2"`.
//!
//! The one kind of value that may hold a comma. kubelet writes it in double quotes (where a CSIDriver says
//! `seLinuxMount`), and the kernel takes them off again (selinux_sb_eat_lsm_opts). Pure.

/// Options whose value is a label.
const OPTIONS: [&str; 4] = ["context", "fscontext", "defcontext", "rootcontext"];

/// More than user, role, type and a range of all categories have.
const LONGEST: usize = 1024;

/// Whether a mount option's value is a label.
pub fn takes_label(option: &str) -> bool {
    OPTIONS.contains(&option)
}

/// The label without the quotes around it: with and without, it is the same one.
pub(super) fn unquoted(value: &str) -> &str {
    let inside = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inside.unwrap_or(value)
}

/// Whether a value is a label, so written that it stays one option.
pub fn is_label(value: &str) -> bool {
    let label = unquoted(value);
    let is_quoted = label.len() < value.len();
    let plain =
        |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c) || (c == ',' && is_quoted);
    let parts = label.split(':').filter(|part| !part.is_empty());
    label.len() <= LONGEST && label.chars().all(plain) && parts.count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubelet_writes_is_a_label_and_so_is_what_people_write() {
        for value in [
            "\"system_u:object_r:container_file_t:s0:c1,c2\"",
            "\"system_u:object_r:container_file_t:s0-s0:c0.c1023\"",
            "system_u:object_r:nfs_t:s0",
            "system_u:object_r:nfs_t",
        ] {
            assert!(is_label(value), "{value}");
        }
    }

    #[test]
    fn what_would_become_several_options_is_no_label() {
        for value in [
            "",
            "\"\"",
            "yes",
            "system_u:object_r:t:s0:c1,c2",
            "\"system_u:object_r:t:s0\",suid,x=\"a\"",
            "\"system_u:object_r:t:s0",
            "system_u:object_r:t:s0\"",
            "system_u:object_r:t s0",
            "\"system_u:object_r:t:s0\nsuid\"",
            &format!("a:b:{}", "c".repeat(1024)),
        ] {
            assert!(!is_label(value), "{value}");
        }
    }

    #[test]
    fn quotes_are_not_the_labels_own() {
        let label = "system_u:object_r:t:s0";
        assert_eq!(unquoted(&format!("\"{label}\"")), label);
        assert_eq!(unquoted(label), label);
        assert!(takes_label("context") && !takes_label("sec"));
    }
}

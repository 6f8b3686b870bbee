//! SMB, as far as it differs from other remote file systems: what mount.cifs(8) would tell the kernel.
//!
//! No mount.cifs, which reads passwords from files and variables: the kernel's own option `password` takes one.

use nix::errno::Errno;
use zeroize::Zeroizing;

use crate::worker::{MountOptions, Remote, mount_flags};

/// The kernel's option string: the guest's options, what a mount program adds, and secrets.
///
/// A server may refer its clients to another one (MS-DFSC), whose name and address nobody has checked; so the kernel is
/// told not to ask.
pub(super) fn data(options: &MountOptions, remote: &Remote) -> Zeroizing<Vec<u8>> {
    let own = options.own().iter().map(mount_flags::text);
    let hosts = [format!("ip={}", remote.address), "nodfs".to_owned()];
    let open: Vec<String> = own.chain(hosts).collect();
    let mut data = Zeroizing::new(open.join(",").into_bytes());
    let secrets = remote.secrets.iter();
    let more = secrets.map(|secret| secret.name.len() + 2 * secret.value.as_bytes().len() + 2);
    // At once, so that no half of it is left elsewhere.
    data.reserve_exact(more.sum());
    for secret in &remote.secrets {
        data.push(b',');
        data.extend_from_slice(secret.name.as_bytes());
        data.push(b'=');
        for byte in secret.value.as_bytes() {
            // The kernel takes two commas for one that is part of a value.
            if *byte == b',' {
                data.push(b',');
            }
            data.push(*byte);
        }
    }
    data
}

/// What helps; none where nothing of it is SMB's own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Linux has more errors than we have words"
)]
pub(super) fn advice(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::ENOENT => "the server has no such share, or no such path on it",
        Errno::EACCES | Errno::EPERM => {
            "the server refuses the user, the password or this user's access to the share"
        }
        Errno::EKEYEXPIRED => "the user's password has expired, or the account is disabled",
        Errno::EOPNOTSUPP => {
            "the server does not speak this version of SMB, or the security that was asked for"
        }
        Errno::ENODEV => "this kernel has no SMB; load the cifs module",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Access;
    use crate::worker::{Body, SecretOption};

    fn told(options: &[(&str, Option<&str>)], secrets: &[(&str, &str)]) -> String {
        let secret = |(name, value): &(&str, &str)| SecretOption {
            name: (*name).into(),
            value: Body::new(value.as_bytes().to_vec()),
        };
        let remote = Remote {
            fs_type: "cifs".into(),
            server: "filer".into(),
            address: "10.0.0.1".parse().expect("an address"),
            client: None,
            path: "/share/a".into(),
            options: options
                .iter()
                .map(|(key, value)| ((*key).into(), value.map(Into::into)))
                .collect(),
            secrets: secrets.iter().map(secret).collect(),
        };
        let options = MountOptions::of(Access::ReadWrite, &remote.options);
        String::from_utf8(data(&options, &remote).to_vec()).expect("text")
    }

    #[test]
    fn the_kernel_gets_the_address_that_was_checked_and_goes_nowhere_else() {
        assert_eq!(
            told(&[("vers", Some("3.0")), ("noatime", None)], &[]),
            "vers=3.0,ip=10.0.0.1,nodfs"
        );
    }

    #[test]
    fn secrets_come_last_and_their_commas_are_their_own() {
        let secrets = [("username", "ann"), ("password", "a,,b,")];
        assert_eq!(
            told(&[], &secrets),
            "ip=10.0.0.1,nodfs,username=ann,password=a,,,,b,,"
        );
    }
}

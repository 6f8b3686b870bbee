//! `mounts`: targets, remote sources, granted directories.

use std::net::IpAddr;

use super::answer::Answer;
use super::ask::{MountOption, MountsAsk, RemoteSource, SecretOption as WantedOption};
use super::error::BrokerError;
use super::files::check_path;
use super::handle::{DirectoryHandle, TargetHandle};
use super::handle_table::{Purpose, Target};
use super::line::Violation;
use super::name_length::nameable;
use super::secrets::secret_options;
use super::worker_broker::WorkerBroker;
use crate::error::DriverError;
use crate::grant::{MountsGrant, is_label, misread, takes_label};
use crate::sys::MountEntry;
use crate::volume::Access;
use crate::worker::{
    DirectoryOrigin, MountOptions, Reached, Remote, Reply, Request, SecretOption, Server,
    is_hosts_to_decide, server_port, source_text,
};

impl WorkerBroker {
    pub(super) fn mounts(&mut self, ask: MountsAsk) -> Result<Answer, BrokerError> {
        match ask {
            MountsAsk::MountRemote {
                target,
                source,
                options,
            } => self.mount_remote(target, &source, &options, &[]),
            MountsAsk::Bind {
                target,
                directory,
                path,
            } => self.bind_directory(target, directory, path),
            MountsAsk::OpenDirectory { name } => {
                let origin = self.granted_directory(&name)?;
                self.hand_over(origin)
            }
            MountsAsk::OpenRemote { source, options } => self.open_remote(&source, &options, &[]),
        }
    }

    pub(super) fn mount_remote(
        &mut self,
        handle: TargetHandle,
        source: &RemoteSource,
        options: &[MountOption],
        secrets: &[WantedOption],
    ) -> Result<Answer, BrokerError> {
        let target = self.held.target(handle)?.clone();
        let options = MountOptions::of(target.access, options);
        let access = options.access();
        let granted = self.granted_remote(source, &options, secrets)?;
        match target.mounted {
            None if target.purpose == Purpose::Compare => return Err(gone().into()),
            Some(entry) => same_remote(&entry, &granted, access)?,
            None => {
                let request = Request::MountRemote {
                    target: target.path,
                    remote: self.reach(granted)?,
                    access,
                };
                self.ask_worker(request)?;
            }
        }
        Ok(self.remember(handle)?)
    }

    fn bind_directory(
        &mut self,
        handle: TargetHandle,
        directory: DirectoryHandle,
        path: String,
    ) -> Result<Answer, BrokerError> {
        let origin = self.held.directory(directory)?.clone();
        let target = self.held.target(handle)?.clone();
        nameable(&path)?;
        check_path(&path)?;
        let request = match (origin, target.mounted) {
            (_, None) if target.purpose == Purpose::Compare => return Err(gone().into()),
            (DirectoryOrigin::Remote(_), _) => {
                return Err(DriverError::unsupported(
                    "cannot bind a directory of open-remote; mount the remote source itself with mount-remote",
                )
                .into());
            }
            (directory, Some(entry)) if is_read_only(&entry) == target.access => {
                Request::CompareDirectory {
                    directory,
                    path,
                    target: target.path,
                }
            }
            (_, Some(entry)) => return Err(occupied(&entry).into()),
            (directory, None) => Request::BindDirectory {
                directory,
                path,
                target: target.path,
                access: target.access,
            },
        };
        self.ask_worker(request)?;
        Ok(self.remember(handle)?)
    }

    pub(super) fn open_remote(
        &mut self,
        source: &RemoteSource,
        options: &[MountOption],
        secrets: &[WantedOption],
    ) -> Result<Answer, BrokerError> {
        // How a volume is mounted for its pods says nothing of who works on its share: that is granted for files.
        let options = MountOptions::of(Access::ReadWrite, options);
        let granted = self.granted_remote(source, &options, secrets)?;
        let remote = self.reach(granted)?;
        self.hand_over(DirectoryOrigin::Remote(remote))
    }

    fn mounts_grant(&self) -> Result<&MountsGrant, DriverError> {
        // Linked only where granted; absent while a component is described before anyone granted anything.
        self.grants
            .mounts
            .as_ref()
            .ok_or_else(|| DriverError::denied("mounts are not granted to this driver"))
    }

    fn granted_directory(&self, name: &str) -> Result<DirectoryOrigin, BrokerError> {
        nameable(name)?;
        Ok(DirectoryOrigin::Local(
            self.mounts_grant()?.directory(name)?.to_owned(),
        ))
    }

    /// Checks, resolves, checks again; only what passed is connected to.
    fn granted_remote(
        &mut self,
        source: &RemoteSource,
        options: &MountOptions,
        secrets: &[WantedOption],
    ) -> Result<GrantedRemote, BrokerError> {
        nameable(&source.fs_type)?;
        check_source(source)?;
        let grant = self.mounts_grant()?;
        grant.allows_filesystem(&source.fs_type)?;
        let options = options.named();
        for (name, value) in &options {
            nameable_option(name, value.as_deref())?;
            grant.allows_option(name, value.as_deref())?;
            check_option(name, value.as_deref())?;
        }
        grant.could_allow_source(&source.server, &source.path)?;
        let secrets = secret_options(&options, secrets, |handle| self.secret(handle))?;
        let found = self.look_up_server(&source.server)?;
        let addresses = self.granted_addresses(source, &found)?;
        Ok(GrantedRemote {
            fs_type: source.fs_type.clone(),
            server: source.server.clone(),
            addresses,
            path: source.path.clone(),
            options,
            secrets,
        })
    }

    /// What the name stands for. The answer comes from a process that reads what the network sends.
    fn look_up_server(&mut self, server: &str) -> Result<Vec<IpAddr>, DriverError> {
        if let Ok(address) = server.parse() {
            return Ok(vec![address]);
        }
        let request = Request::Resolve {
            host: server.to_owned(),
        };
        let Reply::Addresses(mut addresses) = self.ask_worker(request)? else {
            return Err(DriverError::internal(
                "the worker did not answer a look-up with addresses",
            ));
        };
        addresses.retain(could_be_a_server);
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// Finds the address that answers: the one that is mounted, and one of those that were checked.
    fn reach(&mut self, granted: GrantedRemote) -> Result<Remote, DriverError> {
        let Reply::Reached(reached) = self.ask_worker(Request::Reach(granted.server()))? else {
            return Err(DriverError::internal(
                "the worker did not answer with the address that it reached",
            ));
        };
        granted.at(reached)
    }

    /// Those addresses of the name that the grant allows.
    fn granted_addresses(
        &self,
        source: &RemoteSource,
        addresses: &[IpAddr],
    ) -> Result<Vec<IpAddr>, BrokerError> {
        let grant = self.mounts_grant()?;
        let (mut granted, mut refused) = (Vec::new(), None);
        for address in addresses {
            match grant.allows_source(&source.server, *address, &source.path) {
                Ok(()) => granted.push(*address),
                Err(refusal) => refused = Some(refusal),
            }
        }
        match (granted.is_empty(), refused) {
            (false, _) => Ok(granted),
            (true, Some(refusal)) => Err(refusal.into()),
            (true, None) => {
                let message = format!("{:?} has no address", source.server);
                Err(DriverError::unavailable(message).into())
            }
        }
    }

    fn hand_over(&mut self, origin: DirectoryOrigin) -> Result<Answer, BrokerError> {
        self.ask_worker(Request::OpenDirectory {
            directory: origin.clone(),
        })?;
        Ok(Answer::Directory(self.held.insert_directory(origin)?))
    }

    /// Whether this call only asks what is mounted. Targets are lent for the whole call, so a guest cannot get rid
    /// of one.
    pub(super) fn only_compares(&self) -> bool {
        self.has_target(|target| target.purpose == Purpose::Compare)
    }

    pub(super) fn has_target(&self, is_so: impl Fn(&Target) -> bool) -> bool {
        self.held.targets().any(is_so)
    }

    /// After a mount, what is there is looked up again, so that a second mount by the same guest in the
    /// same call is compared and not stacked.
    pub(super) fn remember(&mut self, handle: TargetHandle) -> Result<Answer, Violation> {
        let target = self.held.target(handle)?;
        target.mounted = self.worker.mount_at(&target.path);
        Ok(Answer::Done)
    }
}

/// No name has more addresses that are worth a try.
const MAX_ADDRESSES: usize = 16;

/// A remote source that the grant allows, at those of its addresses that it allows.
struct GrantedRemote {
    fs_type: String,
    server: String,
    addresses: Vec<IpAddr>,
    path: String,
    options: Vec<MountOption>,
    secrets: Vec<SecretOption>,
}

impl GrantedRemote {
    /// Whom to connect to, in order.
    fn server(&self) -> Server {
        Server {
            name: self.server.clone(),
            addresses: self.addresses.clone(),
            port: server_port(&self.fs_type, &self.options),
        }
    }

    /// What to mount, at the address that was reached.
    fn at(self, reached: Reached) -> Result<Remote, DriverError> {
        if !self.addresses.contains(&reached.server) {
            return Err(DriverError::internal(format!(
                "the worker reached {}, which it was not asked to try for {:?}",
                reached.server, self.server
            )));
        }
        Ok(Remote {
            fs_type: self.fs_type,
            server: self.server,
            address: reached.server,
            client: reached.client,
            path: self.path,
            options: self.options,
            secrets: self.secrets,
        })
    }

    /// As mountinfo shows it, without a slash at the end.
    fn source_text(&self) -> String {
        let text = source_text(&self.fs_type, &self.server, &self.path);
        text.trim_end_matches('/').to_owned()
    }
}

/// Nobody's address, and everybody's, is no server's.
fn could_be_a_server(address: &IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// Longest name of a server (RFC 1035), and an address with its zone.
const MAX_SERVER: usize = 255;

/// The kernel's own bound on paths.
const MAX_PATH: usize = 4096;

/// What no pattern can allow: it would not mean on the wire what it says here.
fn check_source(source: &RemoteSource) -> Result<(), DriverError> {
    let bad = |reason: &str| {
        Err(DriverError::invalid_argument(format!(
            "remote source {:?} {:?}: {reason}",
            source.server, source.path
        )))
    };
    // Before it is quoted anywhere.
    if source.server.len() > MAX_SERVER || source.path.len() > MAX_PATH {
        return Err(DriverError::invalid_argument(format!(
            "a remote source whose server has {} bytes and whose path has {} is none: {MAX_SERVER} and {MAX_PATH} are the most",
            source.server.len(),
            source.path.len()
        )));
    }
    let server_character =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if source.server.is_empty() || !source.server.chars().all(server_character) {
        return bad("the server is not a host name or an address");
    }
    if !source.path.starts_with('/') || source.path.chars().any(char::is_control) {
        return bad("the path is not absolute, or holds control characters");
    }
    match misread(&source.path) {
        Some(misread) => bad(&format!("the path {misread}")),
        None => Ok(()),
    }
}

pub(super) fn nameable_option(name: &str, value: Option<&str>) -> Result<(), DriverError> {
    nameable(name)?;
    value.map_or(Ok(()), nameable)
}

/// An option with a comma would be two, but for labels, which have quotes around it; the address is the host's to give.
pub(super) fn check_option(name: &str, value: Option<&str>) -> Result<(), DriverError> {
    if takes_label(name) {
        return match value.is_some_and(is_label) {
            true => Ok(()),
            false => Err(DriverError::invalid_argument(format!(
                "mount option {name:?} needs a label of SELinux's: USER:ROLE:TYPE, and with a comma in double quotes"
            ))),
        };
    }
    let breaks_out = |text: &str| text.contains(',') || text.chars().any(char::is_control);
    if name.is_empty() || name.contains('=') || breaks_out(name) || value.is_some_and(breaks_out) {
        return Err(DriverError::invalid_argument(format!(
            "mount option {name:?} cannot be written as one option"
        )));
    }
    if is_hosts_to_decide(name) {
        return Err(DriverError::denied(format!(
            "mount option {name:?} is the host's to decide"
        )));
    }
    Ok(())
}

fn same_remote(
    entry: &MountEntry,
    remote: &GrantedRemote,
    access: Access,
) -> Result<(), DriverError> {
    // The kernel shows version 4 mounts as nfs4, and drops a trailing slash.
    let same_fs =
        entry.fs_type == remote.fs_type || (remote.fs_type == "nfs" && entry.fs_type == "nfs4");
    let same_source = entry.source.trim_end_matches('/') == remote.source_text();
    if same_fs && same_source && is_read_only(entry) == access {
        Ok(())
    } else {
        Err(occupied(entry))
    }
}

/// It was there when the call began.
fn gone() -> DriverError {
    DriverError::not_found("nothing is mounted at the target any more")
}

fn is_read_only(entry: &MountEntry) -> Access {
    if entry.read_only {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    }
}

fn occupied(entry: &MountEntry) -> DriverError {
    DriverError::already_exists(entry.in_the_way_at("the target"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(server: &str, path: &str) -> RemoteSource {
        RemoteSource {
            fs_type: "nfs".into(),
            server: server.into(),
            path: path.into(),
        }
    }

    fn granted(path: &str) -> GrantedRemote {
        GrantedRemote {
            fs_type: "nfs".into(),
            server: "filer".into(),
            addresses: vec![IpAddr::from([10, 0, 0, 1])],
            path: path.into(),
            options: Vec::new(),
            secrets: Vec::new(),
        }
    }

    #[test]
    fn what_is_mounted_is_an_address_that_was_checked() {
        let at = |last: u8| Reached {
            server: IpAddr::from([10, 0, 0, last]),
            client: None,
        };
        let remote = granted("/a").at(at(1)).expect("the one that was asked for");
        assert_eq!(remote.address, IpAddr::from([10, 0, 0, 1]));
        let error = granted("/a").at(at(2)).expect_err("another");
        assert!(error.to_string().contains("10.0.0.2"), "{error}");
    }

    #[test]
    fn addresses_of_nobody_and_of_everybody_are_passed_over() {
        let of = |text: &str| text.parse().expect("an address");
        for address in ["10.0.0.1", "127.0.0.1", "fd00::1"] {
            assert!(could_be_a_server(&of(address)), "{address}");
        }
        for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"] {
            assert!(!could_be_a_server(&of(address)), "{address}");
        }
    }

    #[test]
    fn sources_that_mean_something_else_on_the_wire_are_refused() {
        assert!(check_source(&source("filer-1.example.com", "/a b/c..d")).is_ok());
        assert!(check_source(&source("fe80::1%eth0", "/a")).is_ok());
        for (server, path) in [
            ("", "/a"),
            ("a b", "/a"),
            ("a/b", "/x"),
            ("a", "x"),
            ("a", "/x/../y"),
            ("a", "/./x"),
            ("a", "/x\n"),
            ("a", "/x/\u{ff0e}\u{ff0e}/y"),
            ("a", "/x/.\u{200d}./y"),
            ("a", "/x\u{ff0f}y"),
            (&"a".repeat(256), "/x"),
            ("a", &format!("/{}", "x".repeat(4096))),
        ] {
            assert!(
                check_source(&source(server, path)).is_err(),
                "{server:?} {path:?}"
            );
        }
    }

    #[test]
    fn an_option_cannot_become_two_or_move_the_server() {
        assert!(check_option("nconnect", Some("4")).is_ok());
        let label = "system_u:object_r:container_file_t:s0:c1,c2";
        assert!(check_option("context", Some(&format!("\"{label}\""))).is_ok());
        for (name, value) in [
            ("a,b", None),
            ("a", Some("1,suid")),
            ("a=b", None),
            ("", None),
            ("addr", Some("10.0.0.1")),
            ("rw", None),
            ("context", None),
            ("context", Some(label)),
            ("context", Some("\"a:b:c\",suid,x=\"")),
        ] {
            assert!(check_option(name, value).is_err(), "{name:?} {value:?}");
        }
    }

    #[test]
    fn a_mount_of_the_same_source_is_recognised_and_another_is_named() {
        let entry = MountEntry {
            fs_type: "nfs4".into(),
            source: "filer:/a".into(),
            root: "/".into(),
            device: "0:50".into(),
            read_only: false,
            told_by: crate::sys::ToldBy::Mount,
        };
        let remote = granted;
        assert!(same_remote(&entry, &remote("/a"), Access::ReadWrite).is_ok());
        assert!(same_remote(&entry, &remote("/a"), Access::ReadOnly).is_err());
        let error = same_remote(&entry, &remote("/b"), Access::ReadWrite).expect_err("other");
        assert!(error.to_string().contains("filer:/a"));
    }
}

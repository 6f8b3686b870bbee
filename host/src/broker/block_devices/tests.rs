use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::*;
use crate::broker::fake_worker::{ask, broker_by, refused};
use crate::broker::{DriverState, Purpose, Target, Told};
use crate::error::Condition;
use crate::grant::Grants;
use crate::volume::DriverName;
use crate::worker::{Fault, WorkerClient};

/// Says yes to everything, and remembers what it was asked.
#[derive(Clone, Default)]
struct Willing(Arc<Mutex<Vec<DeviceRequest>>>);

impl WorkerClient for Willing {
    fn call(&mut self, request: Request, _deadline: Instant) -> Result<Reply, Fault> {
        let Request::Device(request) = request else {
            panic!("asked for something else: {request:?}");
        };
        let reply = match &request {
            DeviceRequest::On {
                operation: DeviceOperation::Find | DeviceOperation::Await { .. },
                wanted,
            } if wanted.serial == "hidden" => Reply::Device(DeviceReply::NotGranted {
                name: "loop-hidden".into(),
            }),
            DeviceRequest::On {
                operation: DeviceOperation::Find | DeviceOperation::Await { .. },
                ..
            } => Reply::Device(DeviceReply::Found),
            DeviceRequest::On { .. } | DeviceRequest::GrowMounted { .. } => Reply::Done,
        };
        self.0.lock().expect("one thread").push(request);
        Ok(reply)
    }
}

struct Call {
    broker: WorkerBroker,
    asked: Willing,
}

fn call(grant: Option<BlockDevicesGrant>) -> Call {
    let asked = Willing::default();
    let driver = DriverState::new(DriverName("driver".into()), PathBuf::new());
    let grants = Grants {
        block_devices: grant,
        ..Grants::default()
    };
    let broker = broker_by(asked.clone(), grants, driver);
    Call { broker, asked }
}

fn granted() -> Call {
    call(Some(BlockDevicesGrant {
        devices: vec!["virtio-*".parse().expect("a pattern")],
        filesystems: vec!["ext4".into()],
        format_options: vec!["-b".parse().expect("a word"), "4096".parse().expect("one")],
        mount_options: ["noatime", "data=ordered", "nosuid"]
            .map(|text| text.parse().expect("an option"))
            .into_iter()
            .collect(),
    }))
}

fn identity(serial: &str) -> Identity {
    Identity {
        serial: serial.into(),
        size_bytes: Some(1 << 30),
    }
}

impl Call {
    fn ask(&mut self, question: BlockDevicesAsk) -> Result<Answer, Told> {
        ask(&mut self.broker, question)
    }

    fn find(&mut self, serial: &str) -> Result<DeviceHandle, Told> {
        let identity = identity(serial);
        let answer = self.ask(BlockDevicesAsk::FindDevice { identity })?;
        let Answer::Device(device) = answer else {
            panic!("{answer:?}");
        };
        Ok(device)
    }

    fn device(&mut self) -> DeviceHandle {
        self.find("2ze0abc").expect("found")
    }

    fn target(&mut self, access: Access) -> TargetHandle {
        self.lend(access, Purpose::Mount)
    }

    fn lend(&mut self, access: Access, purpose: Purpose) -> TargetHandle {
        self.broker.lend(Target {
            path: "/no/such/target".into(),
            access,
            mounted: None,
            purpose,
        })
    }

    /// Lent to learn what is mounted there, and no more.
    fn asked_about(&mut self) -> TargetHandle {
        self.lend(Access::ReadWrite, Purpose::Compare)
    }

    fn grow(&mut self) -> Result<Answer, Told> {
        let device = self.device();
        self.ask(BlockDevicesAsk::GrowFilesystem { device })
    }

    /// Of a device that was found just now.
    fn mount(&mut self, target: TargetHandle, options: Vec<MountOption>) -> Result<Answer, Told> {
        let device = self.device();
        self.ask(BlockDevicesAsk::Mount {
            device,
            target,
            options,
        })
    }

    /// The same for the raw device.
    fn bind(&mut self, target: TargetHandle) -> Result<Answer, Told> {
        let device = self.device();
        self.ask(BlockDevicesAsk::Bind { device, target })
    }

    fn last_operation(&self) -> Option<DeviceOperation> {
        match self.asked.0.lock().expect("one thread").last() {
            Some(DeviceRequest::On { operation, .. }) => Some(operation.clone()),
            _ => None,
        }
    }

    fn ensure(&mut self, fs_type: &str, options: &[&str]) -> Result<Answer, Told> {
        let device = self.device();
        let options = options.iter().map(|word| (*word).to_owned()).collect();
        self.ask(BlockDevicesAsk::EnsureFilesystem {
            device,
            fs_type: fs_type.into(),
            options,
        })
    }
}

#[test]
fn a_granted_device_is_looked_for_by_its_identity_and_the_granted_names() {
    let mut call = granted();
    call.device();
    let asked = call.asked.0.lock().expect("one thread");
    let expected = WantedDevice {
        serial: "2ze0abc".into(),
        size_bytes: Some(1 << 30),
        granted: vec![NamePattern {
            begins: "virtio-".into(),
            ends: Some(String::new()),
        }],
    };
    assert!(
        matches!(&asked[..], [DeviceRequest::On { wanted, .. }] if *wanted == expected),
        "{asked:?}"
    );
}

#[test]
fn words_for_a_filesystem_are_bounded_before_they_are_quoted() {
    let long = "\u{1}".repeat(4097);
    let mut call = granted();
    let ensured = [call.ensure(&long, &[]), call.ensure("ext4", &["-b", &long])];
    let mounted = [
        (long.clone(), None),
        ("data".to_owned(), Some(long.clone())),
    ]
    .map(|option| {
        let target = call.target(Access::ReadWrite);
        call.mount(target, vec![option])
    });
    for answer in ensured.into_iter().chain(mounted) {
        let said = refused(answer, Condition::InvalidArgument);
        assert!(said.contains("of 4097 bytes"), "{said}");
    }
}

#[test]
fn a_device_outside_the_grant_is_denied_with_the_key_that_decides() {
    let said = refused(granted().find("hidden"), Condition::Denied);
    assert!(said.contains("grants.block-devices.devices"), "{said}");
}

#[test]
fn without_a_grant_nothing_is_asked_of_the_kernel() {
    let mut call = call(None);
    refused(call.find("2ze0abc"), Condition::Denied);
    assert!(call.asked.0.lock().expect("one thread").is_empty());
}

#[test]
fn serials_that_name_no_disk_are_refused() {
    let long = "x".repeat(129);
    for serial in ["", "abc", "a/bcd", "../../abcd", "ab\ncd", " abcd", &long] {
        refused(granted().find(serial), Condition::InvalidArgument);
    }
}

#[test]
fn waiting_ends_before_the_call_does() {
    let mut call = granted();
    let identity = identity("2ze0abc");
    let timeout_ms = u32::MAX;
    let found = call.ask(BlockDevicesAsk::AwaitDevice {
        identity,
        timeout_ms,
    });
    found.expect("found");
    let Some(DeviceOperation::Await { timeout }) = call.last_operation() else {
        panic!("asked for something else");
    };
    assert!(timeout < Duration::from_secs(30), "{timeout:?}");
}

#[test]
fn filesystems_and_format_options_are_held_against_the_grant() {
    for asked in ["ext4", ""] {
        let mut call = granted();
        call.ensure(asked, &["-b", "4096"]).expect("granted");
        assert!(matches!(
            call.last_operation(),
            Some(DeviceOperation::EnsureFilesystem { make, keep, .. }) if make == "ext4" && keep == ["ext4"]
        ));
    }
    for (fs_type, options) in [
        ("xfs", &[][..]),
        ("ext4", &["-b", "1024"]),
        ("ext4", &["-F"]),
        ("ext4", &["-O"]),
    ] {
        refused(granted().ensure(fs_type, options), Condition::Denied);
    }
}

#[test]
fn a_word_for_mkfs_that_could_be_taken_for_the_device_is_refused() {
    for options in [&["4096"][..], &["-b", "4096", "4096"], &["-"]] {
        let ensured = granted().ensure("ext4", options);
        refused(ensured, Condition::InvalidArgument);
    }
}

#[test]
fn a_call_for_reading_formats_and_grows_nothing() {
    let mut call = granted();
    call.target(Access::ReadOnly);
    call.ensure("ext4", &[]).expect("asked");
    assert!(matches!(
        call.last_operation(),
        Some(DeviceOperation::EnsureFilesystem {
            access: Access::ReadOnly,
            ..
        })
    ));
    call.grow().expect("nothing to do");
    assert_eq!(call.last_operation(), Some(DeviceOperation::Find));
}

#[test]
fn a_call_for_writing_may_grow() {
    let mut call = granted();
    call.target(Access::ReadWrite);
    call.grow().expect("grown");
    assert_eq!(call.last_operation(), Some(DeviceOperation::GrowFilesystem));
}

#[test]
fn mount_options_are_held_against_the_grant() {
    let mount = |options: &[(&str, Option<&str>)]| {
        let mut call = granted();
        let target = call.target(Access::ReadWrite);
        let options = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
            .collect();
        (call.mount(target, options), call.last_operation())
    };
    let (done, operation) = mount(&[("noatime", None)]);
    assert!(done.is_ok());
    assert!(
        matches!(operation, Some(DeviceOperation::Mount { filesystems, .. }) if filesystems == ["ext4"])
    );
    assert!(mount(&[("data", Some("ordered"))]).0.is_ok());
    for refused in [
        ("nouuid", None),
        ("noatime", Some("1,suid")),
        ("data", Some("writeback")),
        ("lazytime", None),
        ("suid", Some("1")),
        ("remount", None),
        ("noatime,suid", None),
    ] {
        let (done, operation) = mount(&[refused]);
        assert!(done.is_err(), "{refused:?}");
        assert_eq!(operation, Some(DeviceOperation::Find));
    }
}

#[test]
fn what_changes_nothing_needs_no_grant_and_reaches_no_filesystem() {
    for words in [
        &["rw", "defaults", "_netdev", "suid", "exec", "async"][..],
        &["atime", "diratime", "norelatime", "x-systemd.automount"],
        &["lazytime", "nolazytime"],
    ] {
        let mut call = granted();
        let target = call.target(Access::ReadWrite);
        let words = words
            .iter()
            .map(|word| ((*word).to_owned(), None))
            .collect();
        call.mount(target, words).expect("nothing to refuse");
        assert!(matches!(
            call.last_operation(),
            Some(DeviceOperation::Mount { options, access: Access::ReadWrite, .. }) if options.is_empty()
        ));
    }
}

#[test]
fn no_option_widens_what_the_caller_asked_for() {
    for word in ["rw", "suid", "defaults"] {
        let mut call = granted();
        let target = call.target(Access::ReadOnly);
        let options = vec![("nosuid".into(), None), (word.into(), None)];
        call.mount(target, options).expect("mounted");
        assert!(matches!(
            call.last_operation(),
            Some(DeviceOperation::Mount {
                access: Access::ReadOnly,
                ..
            })
        ));
    }
}

#[test]
fn a_guest_may_ask_for_less_than_the_caller() {
    let mut call = granted();
    let target = call.target(Access::ReadWrite);
    let done = call.mount(target, vec![("ro".into(), None)]);
    done.expect("mounted");
    assert!(matches!(
        call.last_operation(),
        Some(DeviceOperation::Mount {
            access: Access::ReadOnly,
            ..
        })
    ));
}

#[test]
fn a_raw_device_is_bound_as_the_caller_wants_it() {
    let mut call = granted();
    let target = call.target(Access::ReadOnly);
    call.bind(target).expect("bound");
    assert_eq!(
        call.last_operation(),
        Some(DeviceOperation::Bind {
            target: "/no/such/target".into(),
            access: Access::ReadOnly,
        })
    );
}

#[test]
fn where_only_what_is_mounted_is_asked_for_nothing_is_made_grown_or_mounted() {
    let mut call = granted();
    let target = call.asked_about();
    let identity = identity("2ze0abc");
    let timeout_ms = 60_000;
    let found = call.ask(BlockDevicesAsk::AwaitDevice {
        identity,
        timeout_ms,
    });
    found.expect("found");
    assert_eq!(call.last_operation(), Some(DeviceOperation::Find));
    call.ensure("ext4", &[]).expect("as if it were so");
    call.grow().expect("as if it were so");
    assert_eq!(call.last_operation(), Some(DeviceOperation::Find));
    let compared = Some(DeviceOperation::Compare {
        target: "/no/such/target".into(),
        access: Access::ReadWrite,
    });
    call.mount(target, Vec::new()).expect("the same");
    assert_eq!(call.last_operation(), compared);
    call.bind(target).expect("the same");
    assert_eq!(call.last_operation(), compared);
}

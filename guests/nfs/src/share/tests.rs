use super::*;

/// A request for a volume on 10.0.0.1 with these parameters.
fn request(parameters: &[(&str, &str)]) -> StageRequest {
    let pairs = [&[("server", "10.0.0.1")], parameters].concat();
    StageRequest {
        volume: Volume {
            id: "vol".into(),
            context: pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
            publish_context: Vec::new(),
        },
        access: Access::ReadWrite,
        kind: filesystem("", &[]),
    }
}

fn filesystem(fs_type: &str, mount_options: &[&str]) -> AccessType {
    AccessType::Filesystem(FilesystemAccess {
        fs_type: fs_type.into(),
        mount_options: mount_options.iter().map(|o| String::from(*o)).collect(),
    })
}

fn share(parameters: &[(&str, &str)]) -> Share {
    Share::requested(&request(parameters)).expect("good parameters")
}

fn refusal(parameters: &[(&str, &str)]) -> String {
    message(&request(parameters))
}

fn message(request: &StageRequest) -> String {
    match Share::requested(request) {
        Err(Error::InvalidArgument(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

fn first_options(share: &Share) -> String {
    let options = share.mount_options(share.versions.remaining()[0]);
    let texts: Vec<String> = options
        .into_iter()
        .map(|(name, value)| value.map_or(name.clone(), |value| format!("{name}={value}")))
        .collect();
    texts.join(",")
}

#[test]
fn the_volume_of_the_kubernetes_example_is_understood() {
    let share = share(&[("share", "dws_nas_scratch")]);
    let source = share.source(&share.path);
    assert_eq!(
        (
            source.fs_type.as_str(),
            source.server.as_str(),
            source.path.as_str()
        ),
        ("nfs", "10.0.0.1", "/dws_nas_scratch")
    );
    assert_eq!(share.versions.remaining(), ["4.2", "4.1", "4.0", "3"]);
    assert_eq!(first_options(&share), "vers=4.2,hard");
    assert!(!share.may_create());
}

#[test]
fn a_volume_of_alibabas_driver_is_understood() {
    let share = share(&[
        ("path", "/k8s/app"),
        ("vers", "4.0"),
        ("mode", "755"),
        ("options", "rsize=1048576"),
    ]);
    assert_eq!(share.path.to_string(), "/k8s/app");
    assert_eq!(share.mode, Some(0o755));
    assert_eq!(
        first_options(&share),
        "vers=4.0,rsize=1048576,hard,noresvport"
    );
    assert!(share.may_create());
}

#[test]
fn a_volume_of_alibabas_driver_tries_version_3_first() {
    let share = share(&[("path", "/k8s/app")]);
    assert_eq!(share.versions.remaining(), ["3", "4.2", "4.1", "4.0"]);
    assert_eq!(first_options(&share), "vers=3,hard,nolock,noresvport");
}

#[test]
fn without_a_path_the_whole_server_is_mounted_and_nothing_made() {
    let share = share(&[]);
    assert_eq!(share.path.to_string(), "/");
    assert!(!share.may_create());
}

#[test]
fn options_none_clears_the_defaults_and_nothing_else() {
    let share = share(&[
        ("path", "/a"),
        ("options", "None"),
        ("vers", "3"),
        ("readonly", "yes"),
    ]);
    assert_eq!(first_options(&share), "vers=3,ro");
}

#[test]
fn a_sub_directory_is_made_only_where_that_is_asked_for() {
    let plain = share(&[("share", "/srv"), ("subPath", "a/b")]);
    assert_eq!(plain.path.to_string(), "/srv/a/b");
    assert!(!plain.may_create());
    let made = share(&[
        ("share", "/srv"),
        ("subPath", "a/b"),
        ("createSubPath", "TRUE"),
    ]);
    assert!(made.may_create());
    assert_eq!(made.base.to_string(), "/srv");
}

#[test]
fn a_path_is_not_made_where_that_is_declined() {
    assert!(!share(&[("path", "/a"), ("createSubPath", "no")]).may_create());
}

#[test]
fn making_a_sub_directory_without_a_name_is_refused() {
    let message = refusal(&[("share", "/srv"), ("createSubPath", "true")]);
    assert!(
        message.contains("createSubPath") && message.contains("subPath"),
        "{message}"
    );
}

#[test]
fn a_read_only_volume_changes_nothing_on_the_server() {
    let parameters = [("path", "/a"), ("mode", "0777")];
    let by_option = share(&[&parameters[..], &[("readonly", "1")]].concat());
    let by_mount_option = share(&[&parameters[..], &[("options", "ro")]].concat());
    let by_access = Share::requested(&StageRequest {
        access: Access::ReadOnly,
        ..request(&parameters)
    });
    for share in [
        by_option,
        by_mount_option,
        by_access.expect("good parameters"),
    ] {
        assert!(!share.may_create());
        assert_eq!(share.mode, None);
    }
}

#[test]
fn readonly_is_honoured() {
    let share = share(&[("share", "/a"), ("readonly", "true"), ("atime", "False")]);
    assert_eq!(first_options(&share), "vers=4.2,ro,noatime,hard");
}

#[test]
fn readonly_contradicts_rw() {
    let message = refusal(&[
        ("share", "/a"),
        ("readonly", "true"),
        ("mountOptions", "rw"),
    ]);
    assert!(
        message.contains("readonly says ro and mountOptions says rw"),
        "{message}"
    );
}

#[test]
fn the_claims_mount_options_join_the_others() {
    let mut request = request(&[("share", "/a"), ("mountOptions", "nconnect=4")]);
    request.kind = filesystem("nfs", &["timeo=100", "nconnect=4"]);
    let share = Share::requested(&request).expect("good options");
    assert_eq!(first_options(&share), "vers=4.2,nconnect=4,timeo=100,hard");
    request.kind = filesystem("nfs", &["nconnect=8"]);
    assert!(message(&request).contains("mountOptions says nconnect=4"));
}

#[test]
fn share_and_path_may_agree_but_not_differ() {
    assert_eq!(
        share(&[("share", "/a/"), ("path", "/a")]).path.to_string(),
        "/a"
    );
    let message = refusal(&[("share", "/a"), ("path", "/b")]);
    assert!(
        message.contains("share says /a and path says /b"),
        "{message}"
    );
}

#[test]
fn two_lists_of_mount_options_are_refused() {
    let message = refusal(&[("share", "/a"), ("mountOptions", "ro"), ("options", "none")]);
    assert!(message.contains("mountOptions and options"), "{message}");
}

#[test]
fn empty_values_are_as_good_as_none() {
    let share = share(&[
        ("share", "/a"),
        ("vers", ""),
        ("mode", ""),
        ("readonly", ""),
        ("path", ""),
    ]);
    assert_eq!(first_options(&share), "vers=4.2,hard");
    let mut without_server = request(&[("share", "/a")]);
    without_server.volume.context[0].1.clear();
    assert_eq!(message(&without_server), "server is missing");
}

#[test]
fn modes_are_octal_digits() {
    for (written, mode) in [
        ("755", 0o755),
        ("0750", 0o750),
        ("2770", 0o2770),
        ("02770", 0o2770),
    ] {
        assert_eq!(
            share(&[("share", "/a"), ("mode", written)]).mode,
            Some(mode)
        );
    }
    for written in ["75", "788", "u+rwx", "+755", "77777", "0o755", "-755"] {
        let message = refusal(&[("share", "/a"), ("mode", written)]);
        assert!(
            message.contains("mode") && message.contains(written),
            "{message}"
        );
    }
}

#[test]
fn a_malformed_value_is_named_with_its_option_and_what_is_accepted() {
    for (option, written, accepted) in [
        ("vers", "5", "3, 4, 4.0, 4.1 or 4.2"),
        ("protocol", "sctp", "tcp or udp"),
        ("readonly", "maybe", "true or false"),
        ("atime", "noatime", "true or false"),
        ("createSubPath", "2", "true or false"),
        ("subPath", "../x", "the directory itself"),
    ] {
        let message = refusal(&[("share", "/a"), (option, written)]);
        for part in [option, written, accepted] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn the_filesystem_type_nfs4_leaves_out_version_3() {
    let mut request = request(&[("share", "/a")]);
    request.kind = filesystem("nfs4", &[]);
    let share = Share::requested(&request).expect("good parameters");
    assert_eq!(share.versions.remaining(), ["4.2", "4.1", "4.0"]);
}

#[test]
fn other_filesystem_types_are_refused() {
    let mut request = request(&[("share", "/a")]);
    request.kind = filesystem("ext4", &[]);
    assert!(message(&request).contains("ext4"));
}

#[test]
fn transport_udp_leaves_only_version_3() {
    let udp = share(&[("share", "/a"), ("protocol", "UDP")]);
    assert_eq!(udp.versions.remaining(), ["3"]);
    assert_eq!(first_options(&udp), "vers=3,proto=udp,hard,nolock");
    let message = refusal(&[("share", "/a"), ("protocol", "udp"), ("vers", "4.1")]);
    assert!(message.contains("version 4.1 in vers"), "{message}");
}

#[test]
fn a_block_volume_is_unsupported() {
    let request = StageRequest {
        kind: AccessType::Block,
        ..request(&[("share", "/a")])
    };
    assert!(matches!(
        Share::requested(&request),
        Err(Error::Unsupported(_))
    ));
}

use super::*;

fn driver(kind: Kind) -> Driver {
    let names = match kind {
        Kind::Disk => "alicloud/disk=diskplugin.csi.alibabacloud.com",
        Kind::Share => "k8s/nfs=nfs.csi.k8s.io",
    };
    Driver {
        kind,
        names: names.parse().expect("names"),
    }
}

fn translated(
    kind: Kind,
    options: &[(&str, &str)],
    change: impl FnOnce(&mut FlexPersistentVolumeSource),
) -> Result<CSIPersistentVolumeSource, Untranslatable> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let mut source = FlexPersistentVolumeSource {
        driver: driver(kind).names.flexvolume.0,
        options: Some(options.iter().map(owned).collect()),
        ..FlexPersistentVolumeSource::default()
    };
    change(&mut source);
    let object =
        serde_json::json!({ "metadata": { "name": "data" }, "spec": { "flexVolume": source } });
    let object: PersistentVolume = serde_json::from_value(object).expect("a volume");
    to_csi(&object, &source, &driver(kind))
}

fn attributes(source: &CSIPersistentVolumeSource) -> Vec<(&str, &str)> {
    let attributes = source.volume_attributes.iter().flatten();
    attributes
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

#[test]
fn a_disk_is_known_by_its_id_in_any_case_and_has_no_other_attributes_than_it_had() {
    for key in ["VolumeId", "volumeId", "volumeid", "VOLUMEID"] {
        let csi = translated(Kind::Disk, &[(key, "d-bp1")], |source| {
            source.fs_type = Some("xfs".to_owned())
        });
        let csi = csi.expect("translated");
        assert_eq!(
            (csi.driver.as_str(), csi.volume_handle.as_str()),
            ("diskplugin.csi.alibabacloud.com", "d-bp1")
        );
        assert_eq!(
            (csi.fs_type.as_deref(), csi.read_only, csi.volume_attributes),
            (Some("xfs"), None, None)
        );
    }
    let options = [
        ("VolumeId", "d-bp1"),
        ("MkfsOptions", "-m 0"),
        ("example.com/note", "mine"),
    ];
    let csi = translated(Kind::Disk, &options, |_| {}).expect("translated");
    assert_eq!(
        attributes(&csi),
        [("example.com/note", "mine"), ("mkfsOptions", "-m 0")]
    );
}

#[test]
fn a_disk_that_is_not_said_or_said_twice_is_refused() {
    let refused =
        |options: &[(&str, &str)]| translated(Kind::Disk, options, |_| {}).expect_err("refused");
    assert_eq!(refused(&[]), Untranslatable::NoDisk("data".to_owned()));
    for id in ["bp1", "d-", "d-../x", "i-1"] {
        assert_eq!(
            refused(&[("VolumeId", id)]),
            Untranslatable::NoDisk(id.to_owned())
        );
    }
    let twice = refused(&[("VolumeId", "d-1"), ("volumeId", "d-1")]);
    assert!(matches!(twice, Untranslatable::Twice(_)), "{twice}");
}

#[test]
fn a_share_says_what_it_said_and_has_the_volumes_own_name_as_handle() {
    let options = [
        ("server", "filer"),
        ("share", "/exports"),
        ("mountOptions", "nconnect=4,vers=4.1"),
    ];
    let csi = translated(Kind::Share, &options, |_| {}).expect("translated");
    assert_eq!(
        (csi.driver.as_str(), csi.volume_handle.as_str()),
        ("nfs.csi.k8s.io", "data")
    );
    assert_eq!(
        attributes(&csi),
        [
            ("mountOptions", "nconnect=4,vers=4.1"),
            ("server", "filer"),
            ("share", "/exports")
        ]
    );
}

#[test]
fn alibabas_words_for_a_share_stay_alibabas() {
    let options = [
        ("Server", "nas"),
        ("path", "/a"),
        ("vers", "3"),
        ("mode", "755"),
        ("options", "none"),
    ];
    let csi = translated(Kind::Share, &options, |_| {}).expect("translated");
    assert_eq!(
        attributes(&csi),
        [
            ("mode", "755"),
            ("options", "none"),
            ("path", "/a"),
            ("server", "nas"),
            ("vers", "3")
        ]
    );
}

#[test]
fn a_share_without_a_server_is_refused() {
    for options in [&[("share", "/a")][..], &[("server", ""), ("share", "/a")]] {
        let refused = translated(Kind::Share, options, |_| {}).expect_err("refused");
        assert_eq!(refused, Untranslatable::NoServer);
    }
}

#[test]
fn reading_alone_is_a_field_wherever_it_was_said() {
    let share = [("server", "s"), ("share", "/a")];
    let of_option = |value| {
        translated(
            Kind::Share,
            &[share[0], share[1], ("readonly", value)],
            |_| {},
        )
    };
    assert_eq!(of_option("True").expect("translated").read_only, Some(true));
    assert_eq!(of_option("false").expect("translated").read_only, None);
    assert_eq!(attributes(&of_option("true").expect("translated")), share);
    assert_eq!(
        of_option("perhaps").expect_err("refused"),
        Untranslatable::ReadOnly("perhaps".to_owned())
    );
    let of_field = translated(Kind::Share, &share, |source| source.read_only = Some(true));
    assert_eq!(of_field.expect("translated").read_only, Some(true));
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    for (kind, options) in [
        (
            Kind::Disk,
            [("VolumeId", "d-1"), ("dataCacheMode", "writeback")],
        ),
        (Kind::Share, [("server", "s"), ("dataCacheMode", "x")]),
    ] {
        let refused = translated(kind, &options, |_| {}).expect_err("refused");
        assert_eq!(refused, Untranslatable::Option("dataCacheMode".to_owned()));
    }
    let secret = translated(Kind::Disk, &[("VolumeId", "d-1")], |source| {
        source.secret_ref = Some(Default::default())
    });
    assert_eq!(secret.expect_err("refused"), Untranslatable::Secret);
}

#[test]
fn what_csi_has_no_room_for_is_refused() {
    let long = "x".repeat(LONGEST_ATTRIBUTES);
    let refused =
        translated(Kind::Share, &[("server", "s"), ("share", &long)], |_| {}).expect_err("refused");
    assert_eq!(refused, Untranslatable::Attributes);
}

/// The guests' own tables, which a test of the documents holds to what the components say.
#[test]
fn every_word_is_one_of_the_components() {
    for (words, table) in [
        (
            &OF_DISKS[..],
            include_str!("../../../../../guests/alicloud-disk/README.md"),
        ),
        (
            &OF_SHARES[..],
            include_str!("../../../../../guests/nfs/README.md"),
        ),
    ] {
        for word in words {
            let row = format!("| `{word}` |");
            let row = table.lines().find(|line| line.starts_with(&row));
            assert!(row.is_some_and(|row| !row.contains("Refused")), "{word}");
        }
    }
    for row in include_str!("../../../../../guests/nfs/README.md").lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if let [_, name, "PersistentVolume", ..] = cells[..] {
            let name = name.trim_matches('`');
            let is_known = OF_SHARES.contains(&name)
                || name.eq_ignore_ascii_case(READ_ONLY)
                || name.ends_with("/*");
            assert!(is_known, "{name} would be refused");
        }
    }
}

//! Records look as they always did.

use super::*;
use crate::keywords::Keyword;
use crate::records::Record;

fn volume() -> VolumeRecord {
    VolumeRecord {
        state: State::Making,
        id: "s#export#a/b#pvc-1#".into(),
        name: "a \\name\nwith \\n lines \\".into(),
        sub_dir: SubDir::parse("subDir", "a/b").expect("good"),
        capacity_bytes: 7,
        mode: Some(0o2770),
        source: Some(VolumeSource::Snapshot("s#export#x##y".into())),
    }
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let none = VolumeRecord {
        mode: None,
        source: None,
        state: State::Ready,
        ..volume()
    };
    for record in [volume(), none] {
        let read = VolumeRecord::from_bytes("r", record.to_bytes()).expect("ours");
        assert_eq!(read, record);
    }
    let record = SnapshotRecord {
        state: State::Deleting,
        id: "i".into(),
        name: "n".into(),
        source_volume_id: "v".into(),
        size_bytes: 1,
        created_at_seconds: 2,
    };
    let read = SnapshotRecord::from_bytes("r", record.to_bytes()).expect("ours");
    assert_eq!(read, record);
}

#[test]
fn a_record_looks_as_it_always_did() {
    let text = "state making\nid s#export#a/b#pvc-1#\nname a \\\\name\\nwith \\\\n lines \\\\\ndirectory a/b\n\
                capacity-bytes 7\nmode 2770\nsource-snapshot s#export#x##y\n";
    assert_eq!(String::from_utf8(volume().to_bytes()), Ok(text.into()));
}

#[test]
fn later_versions_may_add_words() {
    let text = [volume().to_bytes(), b"colour blue\n".to_vec()].concat();
    assert_eq!(VolumeRecord::from_bytes("r", text).expect("ours"), volume());
}

#[test]
fn half_a_record_and_a_wrong_one_are_refused() {
    let whole = volume().to_bytes();
    let text = String::from_utf8(whole.clone()).expect("text");
    let cut = text.find("capacity-bytes 7").expect("there") + "capacity-bytes 7".len();
    let out = text.replace("a/b", "../b");
    for bad in [&whole[..cut], b"", b"\xff", out.as_bytes()] {
        assert!(matches!(
            VolumeRecord::from_bytes("r", bad.to_vec()),
            Err(Error::Internal(m)) if m.starts_with("r on the share")
        ));
    }
}

#[test]
fn nothing_means_delete_and_what_else_is_written_has_to_be_known() {
    assert_eq!(OnDelete::read("onDelete", ""), Ok(OnDelete::Delete));
    for known in OnDelete::ALL {
        let written = known.name().to_uppercase();
        assert_eq!(OnDelete::read("onDelete", &written), Ok(*known));
    }
    let refused = OnDelete::read("onDelete", "destroy");
    assert!(matches!(refused, Err(Error::InvalidArgument(m)) if m.starts_with("onDelete")));
}

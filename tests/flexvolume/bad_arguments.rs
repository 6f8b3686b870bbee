//! Arguments that make no sense: one JSON object each time, and nothing happens.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use drivebay_tests::{Answer, DEVICE, NODE_ID, Node, Volume, options, text};

/// The longest argument that Linux takes (MAX_ARG_STRLEN, 32 pages, with the NUL at the end).
const LONGEST: usize = (128 << 10) - 1;

#[test]
fn no_arguments_at_all() {
    let node = Node::with_local("v1");
    node.unchanged_by(|| {
        node.call(&[])
            .fails_with("no call-out given; kubelet calls a driver with init")
    });
}

#[test]
fn an_unknown_call_out_is_not_supported() {
    let node = Node::with_local("v1");
    node.unchanged_by(|| {
        for name in ["waitfordetach", "MOUNT", "", "--help", "{}"] {
            let answer = node.call(&[name, "a", "b"]);
            assert_eq!(answer.status(), "Not supported");
            assert!(
                answer.message().contains(&format!("{name:?} is not known")),
                "{}",
                answer.text
            );
            assert_eq!(
                answer.json.as_object().map(serde_json::Map::len),
                Some(2),
                "{}",
                answer.text
            );
        }
    });
}

#[test]
fn too_few_and_too_many_arguments() {
    let node = Node::with_local("v1");
    let takes = [
        ("getvolumename", "OPTIONS"),
        ("attach", "OPTIONS NODE"),
        ("detach", "VOLUME NODE"),
        ("waitforattach", "DEVICE OPTIONS"),
        ("isattached", "OPTIONS NODE"),
        ("mountdevice", "DIRECTORY DEVICE OPTIONS"),
        ("unmountdevice", "DIRECTORY"),
        ("mount", "DIRECTORY OPTIONS"),
        ("unmount", "DIRECTORY"),
        ("expandvolume", "OPTIONS DEVICE NEW OLD"),
        ("expandfs", "OPTIONS DEVICE DIRECTORY NEW OLD"),
    ];
    node.unchanged_by(|| {
        for (name, expected) in takes {
            let right = expected.split(' ').count();
            for given in (0..right).chain([right + 1, right + 20]) {
                let mut arguments = vec![name];
                arguments.extend(std::iter::repeat_n("{}", given));
                let words = format!("call-out {name} takes {expected}, got {given} arguments");
                node.call(&arguments).fails_with(&words);
            }
        }
    });
}

#[test]
fn arguments_that_are_not_utf_8() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    let wild = OsString::from_vec(b"{\"volume\":\"\xff\"}".to_vec());
    node.unchanged_by(|| {
        let mut callout = node.callout("drivebay~local/local", &["mount", text(&pod)]);
        let output = callout.arg(&wild).output().expect("the shim runs");
        Answer::of(&output).fails_with("argument 2 of the call-out is not UTF-8");
        let mut callout = node.callout("drivebay~local/local", &[]);
        let output = callout.arg(&wild).output().expect("the shim runs");
        Answer::of(&output).fails_with("argument 0 of the call-out is not UTF-8");
    });
}

#[test]
fn options_of_every_wrong_kind() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"a\":{}", "{\"a\":".repeat(20_000));
    let wrong = [
        ("", "syntax error at line 1 column 0"),
        (" ", "syntax error"),
        ("null", "they are null"),
        ("true", "they are a boolean"),
        ("7", "they are a number"),
        ("-7", "they are a number"),
        ("1e999", "syntax error"),
        ("7.5", "they are a number"),
        ("\"text\"", "they are a string"),
        ("[]", "they are an array"),
        ("[{}]", "they are an array"),
        ("{", "syntax error"),
        ("{\"a\"", "syntax error"),
        ("{\"a\":", "syntax error"),
        ("{\"a\":\"b\",}", "syntax error"),
        ("{a:\"b\"}", "syntax error"),
        ("{'a':'b'}", "syntax error"),
        ("{} {}", "syntax error"),
        ("{}x", "syntax error"),
        ("{\"a\":1}", "option \"a\" is a number, not a string"),
        ("{\"a\":null}", "option \"a\" is null, not a string"),
        ("{\"a\":true}", "option \"a\" is a boolean, not a string"),
        ("{\"a\":[\"b\"]}", "option \"a\" is an array, not a string"),
        (
            "{\"a\":{\"b\":\"c\"}}",
            "option \"a\" is an object, not a string",
        ),
        ("{\"a\":\"\\ud800\"}", "syntax error"),
        (&deep, "the options are not a JSON object of strings"),
        (&nested, "the options are not a JSON object of strings"),
    ];
    node.unchanged_by(|| {
        for (json, words) in wrong {
            node.call(&["mount", text(&pod), json]).fails_with(words);
        }
    });
}

#[test]
fn a_key_given_twice_in_any_case() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    node.unchanged_by(|| {
        for json in [
            r#"{"volume":"v1","volume":"v1"}"#,
            r#"{"volume":"v1","Volume":"v2"}"#,
            r#"{"kubernetes.io/readwrite":"ro","kubernetes.io/readwrite":"rw"}"#,
        ] {
            node.call(&["mount", text(&pod), json])
                .fails_with("is given twice (case does not matter)");
        }
    });
}

#[test]
fn the_longest_argument_there_can_be_is_answered() {
    let node = Node::with_local("v1");
    let pod = node.pod("web");
    let filled = |frame: &str| frame.replace('#', &"x".repeat(LONGEST + 1 - frame.len()));
    node.unchanged_by(|| {
        let garbage = filled("#");
        assert_eq!(garbage.len(), LONGEST);
        node.call(&["mount", text(&pod), &garbage])
            .fails_with("syntax error at line 1 column 1");
        node.call(&["mount", text(&pod), &filled("{\"#\":1}")])
            .fails_with("is a number, not a string");
        let answer = node
            .call(&["attach", &filled(&options("#", &[])), NODE_ID])
            .fails_with("xxx");
        assert!(
            answer.text.len() < 8 << 10,
            "kubelet makes an event of {} bytes",
            answer.text.len()
        );
        node.call(&[&garbage]).json.as_object().expect("an answer");
    });
}

#[test]
fn a_longer_argument_never_reaches_the_shim() {
    // kubelet then says "argument list too long" (E2BIG) by itself; there is no process to answer.
    let node = Node::with_local("v1");
    let megabyte = options("v1", &[("volume", &"x".repeat(1 << 20))]);
    for json in [&megabyte, &"x".repeat(LONGEST + 1)] {
        let refused = node
            .callout("drivebay~local/local", &["attach", json, NODE_ID])
            .spawn();
        let error = refused
            .map(|mut child| child.wait())
            .expect_err("the kernel refuses");
        assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::E2BIG as i32));
    }
}

#[test]
fn a_secret_that_is_not_base64_and_a_word_that_is_neither_ro_nor_rw() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let pod = node.pod("web");
    node.unchanged_by(|| {
        let json = options("v1", &[("kubernetes.io/secret/token", "!!")]);
        node.call(&["mount", text(&pod), &json])
            .fails_with("secret \"token\" is not base64");
        let json = options("v1", &[("kubernetes.io/readwrite", "RO")]);
        node.call(&["mount", text(&pod), &json])
            .fails_with("is neither \"ro\" nor \"rw\"");
    });
    volume.unmount_device().succeeds();
}

#[test]
fn directories_that_are_not_absolute_and_plain() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]).staged();
    let climbing = format!("{}/../web", text(&node.pod("web")));
    let broken = format!("{}\n", text(&node.pod("web")));
    let json = volume.options();
    node.unchanged_by(|| {
        for directory in ["", "web", "./web", "/", "..", &climbing, &broken] {
            let words = "must be absolute";
            node.call(&["mount", directory, &json]).fails_with(words);
            node.call(&["mountdevice", directory, DEVICE, &json])
                .fails_with(words);
            node.call(&["unmount", directory]).fails_with(words);
            node.call(&["unmountdevice", directory]).fails_with(words);
        }
    });
}

#[test]
fn sizes_that_are_none() {
    let node = Node::with_local("v1");
    let json = options("v1", &[]);
    node.unchanged_by(|| {
        for size in ["", "-1", "1Gi", "1.5", "99999999999999999999999"] {
            let words = "got a size that is not a number of bytes";
            node.call(&["expandvolume", &json, "device", size, "1"])
                .fails_with(words);
            node.call(&["expandfs", &json, DEVICE, "/pod", size, "1"])
                .fails_with(words);
        }
    });
}

#[test]
fn a_device_that_attach_never_answered() {
    let node = Node::with_local("v1");
    let volume = Volume::new(&node, "v1", &[]);
    volume.attach().succeeds();
    let staging = node.pod("staging");
    node.unchanged_by(|| {
        for device in [
            "/dev/vda",
            "drivebay:claimed-by",
            "drivebay:a=%zz",
            "claimed-by=node-1",
        ] {
            node.call(&["mountdevice", text(&staging), device, &volume.options()])
                .fails_with("is not a device that this driver returned from attach");
        }
        node.call(&[
            "mountdevice",
            text(&staging),
            "drivebay:claimed-by=node-2",
            &volume.options(),
        ])
        .fails_with("is now used by node node-1");
    });
}

#[test]
fn options_without_the_volumes_name() {
    let node = Node::with_local("v1");
    let staging = node.pod("staging");
    node.unchanged_by(|| {
        for json in ["{}", r#"{"kubernetes.io/pvOrVolumeName":""}"#] {
            let words = "the options lack kubernetes.io/pvOrVolumeName";
            node.call(&["attach", json, NODE_ID]).fails_with(words);
            node.call(&["isattached", json, NODE_ID]).fails_with(words);
            node.call(&["mountdevice", text(&staging), DEVICE, json])
                .fails_with(words);
            node.call(&["mount", text(&staging), json])
                .fails_with(words);
            node.call(&["expandvolume", json, "device", "2", "1"])
                .fails_with(words);
        }
    });
}

#[test]
fn names_that_would_lead_out_of_the_pool() {
    let node = Node::with_local("v1");
    std::fs::create_dir(node.path("outside")).expect("writable");
    let staging = node.pod("staging");
    node.unchanged_by(|| {
        for name in [
            "..",
            "../outside",
            "v1/../../outside",
            "/etc",
            ".drivebay",
            "v1\n",
        ] {
            let json = options("v1", &[("volume", name)]);
            node.call(&["attach", &json, NODE_ID])
                .fails_with("name of one directory of the pool");
            node.call(&["mountdevice", text(&staging), "", &json])
                .fails_with("name of one directory");
        }
        let json = options("v1", &[("pool", "other")]);
        node.call(&["attach", &json, NODE_ID]).fails_with("other");
    });
}

#[test]
fn a_program_path_that_names_no_driver() {
    let node = Node::with_local("v1");
    for program in [
        "local",
        "/plugins/local",
        "/plugins/other~vendor/local",
        "",
        "/",
        "/p/~/",
    ] {
        node.call_as(program, &["init"])
            .fails_with("serves flexvolume = ");
    }
    // Not a program's name that a worker would take for its own.
    assert_eq!(
        node.call_as("/x/drivebay-worker", &["init"]).status(),
        "Failure"
    );
}

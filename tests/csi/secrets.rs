//! A backend uses what CSI's callers bring, in each call that brings any; afterwards it is nowhere.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use drivebay_tests::csi_proto as proto;
use drivebay_tests::csi_proto::volume_capability::access_mode::Mode;
use drivebay_tests::{
    ApplianceServer, Csi, KEY, Node, PASSWORD, TOKEN, USERNAME, WORDS, descendants, eventually,
    guest, memory_holds, mounted, text, untold_beneath, untold_by,
};
use nix::unistd::Pid;
use tonic::{Code, Status};

type Brought<'a> = &'a [(&'a str, &'a str)];

const ADMINISTRATOR: Brought<'static> = &[("username", USERNAME), ("password", PASSWORD)];

/// A node with the example driver, and the appliance that it speaks to.
struct Site {
    node: Node,
    appliance: ApplianceServer,
    csi: Csi,
}

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(pair).collect()
}

impl Site {
    /// While a request is under way, nobody can see in the processes what it is made with.
    fn new() -> Self {
        Self::granting(str::to_owned)
    }

    fn granting(change: impl Fn(&str) -> String) -> Self {
        let serve = Arc::new(AtomicI32::new(0));
        let watched = Arc::clone(&serve);
        let appliance = ApplianceServer::start(move || {
            let serve = Pid::from_raw(watched.load(Ordering::Relaxed));
            for process in descendants(serve).into_iter().chain([serve]) {
                untold_by(process, &WORDS);
            }
        });
        let node = Node::empty();
        let pool = node.path("pool");
        fs::create_dir(pool.join("v1")).expect("writable");
        node.add_driver("appliance", &change(&appliance.grants(&pool)));
        node.install(&[&guest("appliance")]);
        let csi = node.serve_with("appliance", &["--node-id", "n1"]);
        serve.store(csi.process().as_raw(), Ordering::Relaxed);
        Self {
            node,
            appliance,
            csi,
        }
    }

    fn create(&self, secrets: Brought<'_>) -> Result<proto::Volume, Status> {
        let answer = self.csi.create_volume(proto::CreateVolumeRequest {
            name: "pvc-1".to_owned(),
            volume_capabilities: vec![mounted(Mode::SingleNodeWriter)],
            secrets: map(secrets),
            ..proto::CreateVolumeRequest::default()
        })?;
        Ok(answer.volume.expect("a volume"))
    }

    fn delete(&self, secrets: Brought<'_>) -> Result<(), Status> {
        let request = proto::DeleteVolumeRequest {
            volume_id: "v1".to_owned(),
            secrets: map(secrets),
        };
        self.csi.delete_volume(request).map(drop)
    }

    fn attach(&self, secrets: Brought<'_>) -> Result<(), Status> {
        let request = proto::ControllerPublishVolumeRequest {
            volume_id: "v1".to_owned(),
            node_id: "n1".to_owned(),
            volume_capability: Some(mounted(Mode::SingleNodeWriter)),
            volume_context: map(&[("account", "acc-1")]),
            secrets: map(secrets),
            ..proto::ControllerPublishVolumeRequest::default()
        };
        self.csi.controller_publish_volume(request).map(drop)
    }

    fn stage(&self, secrets: Brought<'_>) -> Result<(), Status> {
        let request = proto::NodeStageVolumeRequest {
            volume_id: "v1".to_owned(),
            staging_target_path: text(&self.node.pod("staging")).to_owned(),
            volume_capability: Some(mounted(Mode::SingleNodeWriter)),
            volume_context: map(&[("account", "acc-1")]),
            secrets: map(secrets),
            ..proto::NodeStageVolumeRequest::default()
        };
        self.csi.node_stage_volume(request).map(drop)
    }

    fn expand(&self, secrets: Brought<'_>) -> Result<i64, Status> {
        let request = proto::ControllerExpandVolumeRequest {
            volume_id: "v1".to_owned(),
            capacity_range: Some(proto::CapacityRange {
                required_bytes: 2 << 30,
                limit_bytes: 0,
            }),
            secrets: map(secrets),
            ..proto::ControllerExpandVolumeRequest::default()
        };
        let answer = self.csi.controller_expand_volume(request)?;
        Ok(answer.capacity_bytes)
    }

    /// What kubelet and the sidecars call without any secret.
    fn take_away(&self) {
        let staging = text(&self.node.path("pods/staging")).to_owned();
        let unstage = proto::NodeUnstageVolumeRequest {
            volume_id: "v1".to_owned(),
            staging_target_path: staging,
        };
        self.csi.node_unstage_volume(unstage).expect("unstaged");
        let detach = proto::ControllerUnpublishVolumeRequest {
            volume_id: "v1".to_owned(),
            node_id: "n1".to_owned(),
            ..proto::ControllerUnpublishVolumeRequest::default()
        };
        self.csi
            .controller_unpublish_volume(detach)
            .expect("detached");
    }

    /// Every call that uses a secret, with what it needs.
    fn live(&self) {
        self.create(ADMINISTRATOR).expect("created");
        self.attach(&[("password", PASSWORD)]).expect("attached");
        self.stage(&[("key", KEY)]).expect("staged");
        assert_eq!(self.expand(&[("token", TOKEN)]).expect("grown"), 2 << 30);
        self.take_away();
        self.delete(ADMINISTRATOR).expect("deleted");
    }
}

#[test]
fn each_call_uses_the_secrets_that_it_brings_and_none_are_needed_to_take_away() {
    let site = Site::new();
    site.live();
    let by = |line: &str, who: String| format!("{line} {who}");
    assert_eq!(
        site.appliance.heard(),
        [
            by(
                "POST /volumes?name=pvc-1&bytes=1073741824",
                ApplianceServer::administrator()
            ),
            by(
                "PUT /volumes/v1/attachment?node=n1",
                ApplianceServer::attacher()
            ),
            by("GET /volumes/v1/export", ApplianceServer::account()),
            by("PUT /volumes/v1?bytes=2147483648", ApplianceServer::token()),
            by("DELETE /volumes/v1", ApplianceServer::administrator()),
        ]
    );
}

#[test]
fn a_call_that_lacks_a_secret_says_which_and_asks_nobody() {
    let site = Site::new();
    let refused = site
        .create(&[("username", USERNAME)])
        .expect_err("no password");
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    assert!(
        refused
            .message()
            .contains("this call brought no secret \"password\""),
        "{refused:?}"
    );
    // Those of another call are gone.
    site.create(ADMINISTRATOR).expect("created");
    let refused = site.delete(&[]).expect_err("none");
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    assert_eq!(site.appliance.heard().len(), 1);
}

#[test]
fn a_use_that_is_not_granted_is_denied_with_the_key_that_decides_and_asks_nobody() {
    type Call = fn(&Site) -> Result<(), Status>;
    // Of a creation or a growth the sidecar takes PERMISSION_DENIED for its end, and forgets what was begun.
    let cases: [(&str, &str, &str, Code, Call); 4] = [
        (
            "basic-authentication = [\"password\"]",
            "basic-authentication = [\"user\"]",
            "secret \"password\" as password of basic authentication is not granted (grants.secrets.password.basic-authentication = [\"user\"])",
            Code::Unavailable,
            |site| site.create(ADMINISTRATOR).map(drop),
        ),
        (
            "headers = [\"authorization\"]",
            "headers = [\"x-token\"]",
            "secret \"token\" in header \"authorization\" is not granted (grants.secrets.token.headers = [\"x-token\"])",
            Code::Unavailable,
            |site| site.expand(&[("token", TOKEN)]).map(drop),
        ),
        (
            "signing = [\"hmac-sha256\"]",
            "signing = [\"hmac-sha1\"]",
            "secret \"key\" as a key for hmac-sha256 is not granted (grants.secrets.key.signing = [\"hmac-sha1\"])",
            Code::PermissionDenied,
            |site| site.stage(&[("key", KEY)]),
        ),
        (
            "[grants.secrets.key]",
            "[grants.secrets.other]",
            "secret \"key\" is not granted (grants.secrets has [\"other\", \"password\", \"token\", \"username\"])",
            Code::PermissionDenied,
            |site| site.stage(&[("key", KEY)]),
        ),
    ];
    for (from, to, said, code, call) in cases {
        let site = Site::granting(|grants| {
            assert!(grants.contains(from), "{grants}");
            grants.replace(from, to)
        });
        let refused = call(&site).expect_err("not granted");
        assert_eq!(refused.code(), code, "{refused:?}");
        assert!(refused.message().contains(said), "{refused:?} lacks {said}");
        assert_eq!(site.appliance.heard(), Vec::<String>::new());
    }
}

#[test]
fn a_server_that_repeats_a_wrong_secret_does_not_get_it_into_an_answer() {
    let site = Site::new();
    let wrong = [("username", USERNAME), ("password", TOKEN)];
    let refused = site.create(&wrong).expect_err("wrong");
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.message().contains("401"), "{refused:?}");
    assert!(refused.message().contains("****"), "{refused:?}");
    for word in WORDS {
        assert!(!refused.message().contains(word), "{refused:?}");
    }
    untold_beneath(&site.node.path(""), &WORDS);
}

#[test]
fn too_many_secrets_are_refused_before_anything_else() {
    let site = Site::new();
    let names: Vec<String> = (0..65).map(|at| at.to_string()).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (&**name, PASSWORD)).collect();
    let refused = site.create(&pairs).expect_err("too many");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    assert_eq!(
        refused.message(),
        "the call brings 65 secrets; 64 are the most"
    );
}

#[test]
fn after_the_calls_a_secret_is_neither_on_the_disk_nor_in_any_process() {
    let site = Site::new();
    let serve = site.csi.process();
    site.live();
    untold_beneath(&site.node.path(""), &WORDS);
    for process in descendants(serve).into_iter().chain([serve]) {
        untold_by(process, &WORDS);
    }
    // What a connection has read last stays in its buffer until something else is read, or its caller is gone.
    for _ in 0..200 {
        site.csi
            .probe(proto::ProbeRequest {})
            .expect("it serves on");
    }
    let held = || {
        let all = descendants(serve).into_iter().chain([serve]);
        all.flat_map(|process| memory_holds(process, &WORDS))
            .collect::<Vec<_>>()
    };
    eventually("the last of the secrets to be gone from memory", || {
        held().is_empty()
    });
}

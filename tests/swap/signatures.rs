//! Whose components serve: those whose digest is listed, or that a listed key has signed, offline.

use drivebay_tests::{KeyPair, digest, text};

use crate::backend::backend;
use crate::site::{FILE, Kind, Site, Watcher, for_both, grants, prepared};

const SIGNATURE: &str = "swap.wasm.sig";

/// A site whose driver's file requires a key, and the keys: that one, and somebody else's.
struct Signed {
    site: Site,
    ours: KeyPair,
    others: KeyPair,
}

impl Signed {
    #[track_caller]
    fn new(watcher: Watcher) -> Self {
        let (node, source) = prepared("");
        let ours = KeyPair::make(&node.path(""), "release");
        let others = KeyPair::make(&node.path(""), "stranger");
        node.add_driver("swap", &grants(&node, &required(&ours)));
        let component = backend("1.0.0").component();
        source.write(&[(FILE, &component), (SIGNATURE, &ours.sign(&component))]);
        let site = Site::watched(watcher, Kind::Mounted, node, source, &[]);
        site.serves("1.0.0");
        Self { site, ours, others }
    }
}

fn required(key: &KeyPair) -> String {
    format!("[require]\npublic-keys = [\"{}\"]\n", text(key.public()))
}

#[test]
fn what_openssl_or_cosign_signed_with_the_key_serves() {
    for_both(|watcher| {
        let Signed { site, ours, .. } = Signed::new(watcher);
        let component = backend("2.0.0").component();
        let bundle = ours.bundle(&component);
        site.source
            .write(&[(FILE, &component), (SIGNATURE, &bundle)]);
        site.serves("2.0.0");
        let component = backend("3.0.0").component();
        let signature = ours.sign(&component);
        site.source
            .write(&[(FILE, &component), (SIGNATURE, &signature)]);
        site.serves("3.0.0");
    });
}

#[test]
fn what_is_not_signed_or_wrongly_or_by_another_is_refused() {
    for_both(|watcher| {
        let Signed { site, ours, others } = Signed::new(watcher);
        let component = backend("2.0.0").component();
        let of_another_content = ours.sign(b"something else");
        let by_another_key = others.sign(&component);
        let mut damaged = ours.sign(&component);
        damaged.truncate(20);
        for (signature, step) in [
            (None, "verify"),
            (Some(&of_another_content[..]), "verify"),
            (Some(&by_another_key), "verify"),
            (Some(&others.bundle(&component)), "verify"),
            (Some(&damaged), "verify"),
            (Some(b""), "verify"),
            (Some(&vec![b'{'; 1 << 20]), "read"),
        ] {
            let signature = signature.map(|signature| (SIGNATURE, signature));
            let files = [Some((FILE, &component[..])), signature];
            let files: Vec<_> = files.into_iter().flatten().collect();
            site.source.write(&files);
            site.refuses(step, "", "1.0.0");
            // The same component is tried again with each signature: what it failed for has changed.
            let first = backend("1.0.0").component();
            let signed = ours.sign(&first);
            site.source.write(&[(FILE, &first), (SIGNATURE, &signed)]);
            site.tells("nothing refused", |status| {
                status.each("refused", "step").is_empty()
            });
        }
        let signature = ours.sign(&component);
        site.source
            .write(&[(FILE, &component), (SIGNATURE, &signature)]);
        site.serves("2.0.0");
    });
}

#[test]
fn the_signature_is_of_the_component_and_not_of_its_compressed_form() {
    for_both(|watcher| {
        let Signed { site, ours, .. } = Signed::new(watcher);
        let component = backend("2.0.0").component();
        let file = backend("2.0.0").write(site.node.path(FILE));
        let compressed = drivebay_tests::Node::run("zstd", &["-q", "-c", text(&file)]).stdout;
        let name = "swap.wasm.zst";
        let signature = ours.sign(&component);
        site.source
            .write(&[(name, &compressed), (SIGNATURE, &signature)]);
        site.serves("2.0.0");
    });
}

#[test]
fn a_digest_that_is_not_listed_is_refused_and_either_a_digest_or_a_key_suffices() {
    for_both(|watcher| {
        let first = backend("1.0.0").component();
        let second = backend("2.0.0").component();
        let listed = |digests: &[&[u8]]| {
            let digests: Vec<String> = digests.iter().map(|content| digest(content)).collect();
            format!("[require]\nsha256 = {digests:?}\n")
        };
        let site = Site::granted(watcher, &listed(&[&first]));
        site.show(&second);
        site.refuses("verify", "require.sha256", "1.0.0");
        let key = KeyPair::make(&site.node.path(""), "release");
        let keys = format!("public-keys = [\"{}\"]\n", text(key.public()));
        site.rewrite_grants(&(listed(&[&first]) + &keys));
        let signature = key.sign(&second);
        site.source
            .write(&[(FILE, &second), (SIGNATURE, &signature)]);
        site.serves("2.0.0");
    });
}

#[test]
fn a_key_that_cannot_be_read_is_named_and_nothing_is_let_through() {
    for_both(|watcher| {
        let site = Site::new(watcher);
        let missing = site.node.path("no-such.pem");
        let more = format!("[require]\npublic-keys = [\"{}\"]\n", text(&missing));
        site.rewrite_grants(&more);
        site.show_version("2.0.0");
        site.tells("the key that is missing", |status| {
            let refused = status.get("refused").to_string();
            refused.contains("no-such.pem")
        });
        site.keeps("1.0.0");
    });
}

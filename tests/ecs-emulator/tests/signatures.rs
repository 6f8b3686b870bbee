//! Whose requests are accepted: keys, times, nonces, hosts, temporary keys from both sources.

#![expect(
    clippy::expect_used,
    reason = "in tests, a panic is how a broken promise is reported"
)]

mod support;

use serde_json::{Value, json};
use support::{Emulator, Key, text};
use tempfile::TempDir;

fn emulator() -> (Emulator, TempDir) {
    let state = tempfile::tempdir().expect("writable");
    (Emulator::start(state.path(), &[]), state)
}

fn key(credentials: &Value) -> Key {
    Key {
        id: text(&credentials["AccessKeyId"]),
        secret: text(&credentials["AccessKeySecret"]).into(),
        token: Some(text(&credentials["SecurityToken"])),
    }
}

#[test]
fn signed_request_is_answered_and_a_forged_one_is_not() {
    let (emulator, _state) = emulator();
    emulator.call("DescribeRegions", &[]).succeeds();
    let mut forged = emulator.key.clone();
    forged.secret = "wrong".to_owned().into();
    let request = emulator.request("DescribeRegions", &[]);
    let reply = emulator.try_send(&request, &forged).expect("an answer");
    assert!(text(&reply.body["Message"]).contains("server StringToSign is [ACS3-HMAC-SHA256\n"));
    reply.refused_with(400, "SignatureDoesNotMatch");
}

#[test]
fn names_with_sharp_characters_are_signed_like_any_other() {
    let (emulator, _state) = emulator();
    let sharp = "pvc a+b*c~é'!()/\"%41";
    let pairs = [support::REGION, ("DiskName", sharp)];
    emulator.call("DescribeDisks", &pairs).succeeds();
}

#[test]
fn host_without_its_port_is_another_host() {
    let (emulator, _state) = emulator();
    let mut request = emulator.request("DescribeRegions", &[]);
    request.host = "127.0.0.1".to_owned();
    let reply = emulator
        .try_send(&request, &emulator.key)
        .expect("an answer");
    reply.refused_with(400, "SignatureDoesNotMatch");
}

#[test]
fn nonce_and_time_keep_requests_from_being_sent_again() {
    let (emulator, _state) = emulator();
    let request = emulator.request("DescribeRegions", &[]);
    emulator
        .try_send(&request, &emulator.key)
        .expect("an answer")
        .succeeds();
    let again = emulator
        .try_send(&request, &emulator.key)
        .expect("an answer");
    again.refused_with(400, "SignatureNonceUsed");
    let mut old = emulator.request("DescribeRegions", &[]);
    old.date = "2026-01-02T03:04:05Z".to_owned();
    let reply = emulator.try_send(&old, &emulator.key).expect("an answer");
    reply.refused_with(400, "InvalidTimeStamp.Expired");
}

#[test]
fn unknown_keys_and_actions_are_refused() {
    let (emulator, _state) = emulator();
    let stranger = Key {
        id: "nobody".to_owned(),
        ..emulator.key.clone()
    };
    let request = emulator.request("DescribeRegions", &[]);
    let reply = emulator.try_send(&request, &stranger).expect("an answer");
    reply.refused_with(404, "InvalidAccessKeyId.NotFound");
    emulator
        .call("RunInstances", &[])
        .refused_with(404, "InvalidAction.NotFound");
}

#[test]
fn role_of_the_instance_is_a_key_that_works_with_its_token_only() {
    let (emulator, _state) = emulator();
    let path = "/latest/meta-data/ram/security-credentials/";
    assert_eq!(emulator.metadata("GET", path, ("accept", "*/*")).0, 401);
    let ttl = ("X-aliyun-ecs-metadata-token-ttl-seconds", "60");
    let (status, token) = emulator.metadata("PUT", "/latest/api/token", ttl);
    assert_eq!(status, 200, "{token}");
    let token = ("X-aliyun-ecs-metadata-token", token.as_str());
    let (_, role) = emulator.metadata("GET", path, token);
    let (_, credentials) = emulator.metadata("GET", &format!("{path}{role}"), token);
    let credentials: Value = serde_json::from_str(&credentials).expect("JSON");
    assert_eq!(credentials["Code"], "Success");
    let mut key = key(&credentials);
    let request = emulator.request("DescribeRegions", &[]);
    emulator
        .try_send(&request, &key)
        .expect("an answer")
        .succeeds();
    key.token = None;
    let request = emulator.request("DescribeRegions", &[]);
    let reply = emulator.try_send(&request, &key).expect("an answer");
    reply.refused_with(400, "MissingSecurityToken");
}

#[test]
fn instance_learns_who_and_where_it_is() {
    let (emulator, _state) = emulator();
    emulator.control("POST", "/settings", &json!({ "metadata_v1": "allowed" }));
    let get = |path: &str| emulator.metadata("GET", path, ("accept", "*/*")).1;
    assert_eq!(get("/latest/meta-data/instance-id"), emulator.here());
    assert_eq!(get("/latest/meta-data/zone-id"), "cn-hangzhou-g");
    let document = get("/latest/dynamic/instance-identity/document");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["region-id"], "cn-hangzhou");
}

#[test]
fn oidc_token_buys_a_key_that_expires() {
    let (emulator, _state) = emulator();
    emulator.control("POST", "/settings", &json!({ "oidc_token": "good" }));
    let assume = |token: &str| {
        emulator.unsigned(&[
            ("Action", "AssumeRoleWithOIDC"),
            ("Version", "2015-04-01"),
            ("RoleArn", "acs:ram::1:role/r"),
            ("OIDCProviderArn", "acs:ram::1:oidc-provider/p"),
            ("RoleSessionName", "s"),
            ("OIDCToken", token),
        ])
    };
    assume("bad").refused_with(400, "AuthenticationFail.OIDCToken.Invalid");
    let send = || {
        let key = key(&assume("good").succeeds()["Credentials"]);
        let request = emulator.request("DescribeRegions", &[]);
        emulator.try_send(&request, &key).expect("an answer")
    };
    send().succeeds();
    let over = json!({ "sts_lifetime_seconds": 0 });
    emulator.control("POST", "/settings", &over);
    send().refused_with(400, "InvalidSecurityToken.Expired");
}

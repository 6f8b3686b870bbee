//! A guest as text that makes one request and tells what came back.

use crate::WatGuest;

/// A guest that sends one request when it is asked to stage a volume. It fails with the host's error, or with
/// `answer NNN: BODY`.
pub fn asking(endpoint: &str, method: &str, path: &str) -> WatGuest {
    let (e, m, p) = (endpoint.len(), method.len(), path.len());
    WatGuest::named("hostile")
        .imports("https")
        .core(&format!(
            r#"(import "drivebay:driver/https@0.1.0" "open-endpoint" (func $open (param i32 i32 i32)))
               (import "drivebay:driver/https@0.1.0" "[method]endpoint.send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
               (data (i32.const 1024) "{endpoint}") (data (i32.const 1536) "{method}") (data (i32.const 2048) "{path}") (data (i32.const 4096) "answer ...: ")
               (func $digit (param $at i32) (param $number i32)
                 (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10)))))
               (func $tell (local $status i32)
                 (local.set $status (i32.load16_u (i32.const 68)))
                 (call $digit (i32.const 4103) (i32.div_u (local.get $status) (i32.const 100)))
                 (call $digit (i32.const 4104) (i32.div_u (local.get $status) (i32.const 10)))
                 (call $digit (i32.const 4105) (local.get $status))
                 (memory.copy (i32.const 4108) (i32.load (i32.const 80)) (i32.load (i32.const 84)))
                 (i32.store (i32.const 76) (i32.add (i32.const 12) (i32.load (i32.const 84))))
                 (i32.store (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 10)) (i32.store (i32.const 72) (i32.const 4096)))"#
        ))
        .stage(&format!(
            "(call $open (i32.const 1024) (i32.const {e}) (i32.const 64))
             (if (i32.eqz (i32.load8_u (i32.const 64))) (then
               (call $send (i32.load (i32.const 68)) (i32.const 1536) (i32.const {m}) (i32.const 2048) (i32.const {p})
                 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
               (if (i32.eqz (i32.load8_u (i32.const 64))) (then (call $tell)))))"
        ))
}

/// What a guest does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// Asks for the public id.
    Id,
    /// Asks for the session token.
    SessionToken,
    /// Signs `what do ya want for nothing?` with HMAC-SHA-1 and says it in hexadecimal.
    Sign,
}

/// A guest that uses a key when it is asked to stage a volume, and fails with what it got.
pub fn using_key(name: &str, key_use: KeyUse) -> WatGuest {
    let length = name.len();
    let tell = |text: &str, size: &str| {
        format!(
            "(i32.store (i32.const 76) {size}) (i32.store (i32.const 72) {text})
             (i32.store (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 10))"
        )
    };
    let at = |address: u32| format!("(i32.load (i32.const {address}))");
    let (function, signature, arguments, told) = match key_use {
        KeyUse::Id => ("id", "i32 i32", "", tell("(local.get $kept)", &at(72))),
        KeyUse::SessionToken => (
            "session-token",
            "i32 i32",
            "",
            // The option's own word lies before the text.
            tell(&at(72), &at(76)),
        ),
        KeyUse::Sign => (
            "sign",
            "i32 i32 i32 i32 i32 i32",
            "(i32.const 2560) (i32.const 9) (i32.const 3072) (i32.const 28)",
            format!(
                "(call $hex (local.get $kept) (i32.load (i32.const 72))) {}",
                tell("(i32.const 4096)", "(i32.const 40)")
            ),
        ),
    };
    WatGuest::named("hostile")
        .imports("signing")
        .core(&format!(
            r#"(import "drivebay:driver/signing@0.1.0" "open-key" (func $open (param i32 i32 i32)))
               (import "drivebay:driver/signing@0.1.0" "[method]signing-key.{function}" (func $use (param {signature})))
               (data (i32.const 1024) "{name}") (data (i32.const 2048) "0123456789abcdef") (data (i32.const 2560) "hmac-sha1")
               (data (i32.const 3072) "what do ya want for nothing?")
               (func $hex (param $from i32) (param $left i32) (local $to i32) (local $byte i32)
                 (local.set $to (i32.const 4096))
                 (loop $next
                   (local.set $byte (i32.load8_u (local.get $from)))
                   (i32.store8 (local.get $to) (i32.load8_u offset=2048 (i32.shr_u (local.get $byte) (i32.const 4))))
                   (i32.store8 offset=1 (local.get $to) (i32.load8_u offset=2048 (i32.and (local.get $byte) (i32.const 15))))
                   (local.set $from (i32.add (local.get $from) (i32.const 1)))
                   (local.set $to (i32.add (local.get $to) (i32.const 2)))
                   (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                   (br_if $next (local.get $left))))
               (func $tell (local $kept i32) (local.set $kept (i32.load (i32.const 68))) {told})"#
        ))
        .stage(&format!(
            "(call $open (i32.const 1024) (i32.const {length}) (i32.const 64))
             (if (i32.eqz (i32.load8_u (i32.const 64))) (then
               (call $use (i32.load (i32.const 68)) {arguments} (i32.const 64))
               (if (i32.eqz (i32.load8_u (i32.const 64))) (then (call $tell)))))"
        ))
}

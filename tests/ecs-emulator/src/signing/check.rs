//! Whether a request's claims hold: key, time, signature, security token, nonce, in this order.
//!
//! The nonce comes last, so that a request that was refused for something else may be sent again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::cloud::keys::{Key, Keys, Permanence};
use crate::error::Refusal;
use crate::signing::Claims;
use crate::signing::claims::Version;
use crate::words::SecurityToken;

/// How far a request's time may be off, to either side.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// Nonces that were used, for as long as a request with one of them would still be in time: twice the window, because a
/// request may have come from 15 minutes in the future.
#[derive(Debug, Default)]
pub(crate) struct Nonces(Mutex<Used>);

#[derive(Debug, Default)]
struct Used {
    nonces: HashMap<String, Timestamp>,
    /// How many there were when they were last looked through.
    looked_through: usize,
}

impl Nonces {
    fn spend(&self, nonce: &str, now: Timestamp) -> Result<(), Refusal> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget_old(now);
        let before = used.nonces.insert(nonce.to_owned(), now);
        if before.is_some_and(|before| counts(before, now)) {
            let message = "Specified signature nonce was used already.";
            return Err(Refusal::bad("SignatureNonceUsed", message));
        }
        Ok(())
    }
}

impl Used {
    /// Once there are twice as many: looking through them at each request would cost more than the request.
    fn forget_old(&mut self, now: Timestamp) {
        if self.nonces.len() > 2 * self.looked_through {
            self.nonces.retain(|_, at| counts(*at, now));
            self.looked_through = self.nonces.len();
        }
    }
}

fn counts(used: Timestamp, now: Timestamp) -> bool {
    now.duration_since(used) <= WINDOW * 2
}

/// Refuses what does not come from the holder of a key.
pub(crate) fn check(
    claims: &Claims,
    keys: &Keys,
    nonces: &Nonces,
    now: Timestamp,
) -> Result<(), Refusal> {
    check_time(&claims.date, now)?;
    let Some(key) = keys.find(&claims.key) else {
        let message = "Specified access key is not found.";
        return Err(Refusal::missing("InvalidAccessKeyId.NotFound", message));
    };
    if claims.expected(&key.secret) != claims.signature {
        return Err(mismatch(claims));
    }
    check_token(claims.token.as_ref(), key, keys, now)?;
    nonces.spend(&claims.nonce, now)
}

fn check_time(date: &str, now: Timestamp) -> Result<(), Refusal> {
    let Ok(date) = date.parse::<Timestamp>() else {
        let message = "Specified time stamp or date value is not well formatted.";
        return Err(Refusal::bad("InvalidTimeStamp.Format", message));
    };
    if now.duration_since(date).abs() > WINDOW {
        let message = "Specified time stamp or date value is expired.";
        return Err(Refusal::bad("InvalidTimeStamp.Expired", message));
    }
    Ok(())
}

fn mismatch(claims: &Claims) -> Refusal {
    let text = &claims.string_to_sign;
    let message = match claims.version {
        // The first SDK generation splits the message at the colon and fails without one.
        Version::V1 => format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}"
        ),
        Version::V3 => format!(
            "Specified signature does not match our calculation. server StringToSign is [{text}]"
        ),
    };
    Refusal::bad("SignatureDoesNotMatch", message)
}

fn check_token(
    token: Option<&SecurityToken>,
    key: &Key,
    keys: &Keys,
    now: Timestamp,
) -> Result<(), Refusal> {
    match (&key.permanence, token) {
        (Permanence::Permanent, None) => Ok(()),
        (
            Permanence::Temporary {
                token: own,
                expires,
            },
            Some(sent),
        ) if own == sent => {
            if *expires > now {
                return Ok(());
            }
            let message = "Specified SecurityToken is expired.";
            Err(Refusal::bad("InvalidSecurityToken.Expired", message))
        }
        (Permanence::Temporary { .. }, None) => {
            let message = "SecurityToken is required for this action.";
            Err(Refusal::bad("MissingSecurityToken", message))
        }
        (_, Some(sent)) if keys.issued(sent) => {
            let message = "Specified SecurityToken is not match with the AccessKey.";
            let code = "InvalidSecurityToken.MismatchWithAccessKey";
            Err(Refusal::bad(code, message))
        }
        (_, Some(_)) => {
            let message = "Specified SecurityToken is malformed.";
            Err(Refusal::bad("InvalidSecurityToken.Malformed", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{AccessKeyId, Secret};

    const NOW: &str = "2026-01-02T03:04:05Z";

    fn keys() -> Keys {
        Keys::new(
            AccessKeyId::from("testid"),
            Secret::from("testsecret".to_owned()),
        )
    }

    fn claims(key: &AccessKeyId, secret: &Secret, token: Option<SecurityToken>) -> Claims {
        let mut claims = Claims {
            version: Version::V3,
            key: key.clone(),
            token,
            nonce: "once".to_owned(),
            date: NOW.to_owned(),
            signature: String::new(),
            string_to_sign: "ACS3-HMAC-SHA256\nhash".to_owned(),
        };
        claims.signature = claims.expected(secret);
        claims
    }

    fn testid() -> Claims {
        claims(
            &"testid".into(),
            &Secret::from("testsecret".to_owned()),
            None,
        )
    }

    fn code(claims: &Claims, keys: &Keys) -> String {
        let now = NOW.parse().unwrap();
        let refusal = check(claims, keys, &Nonces::default(), now).unwrap_err();
        refusal.code.into_owned()
    }

    #[test]
    fn nonce_counts_only_once_and_only_if_all_else_held() {
        let (nonces, now) = (Nonces::default(), NOW.parse().unwrap());
        let forged = Claims {
            signature: "forged".to_owned(),
            ..testid()
        };
        assert!(check(&forged, &keys(), &nonces, now).is_err());
        assert_eq!(check(&testid(), &keys(), &nonces, now), Ok(()));
        let again = check(&testid(), &keys(), &nonces, now).unwrap_err();
        assert_eq!(again.code, "SignatureNonceUsed");
    }

    #[test]
    fn nonce_counts_as_long_as_a_request_with_it_is_in_time() {
        let (nonces, now) = (Nonces::default(), NOW.parse::<Timestamp>().unwrap());
        assert_eq!(nonces.spend("once", now), Ok(()));
        assert!(nonces.spend("once", now + WINDOW * 2).is_err());
        let later = now + WINDOW * 5;
        assert_eq!(nonces.spend("once", later), Ok(()));
        for number in 0..9 {
            assert_eq!(
                nonces.spend(&number.to_string(), later + WINDOW * 3),
                Ok(())
            );
        }
        assert!(!nonces.0.lock().unwrap().nonces.contains_key("once"));
    }

    #[test]
    fn time_may_be_off_by_15_minutes_and_no_more() {
        for (date, expected) in [
            ("2026-01-02T02:49:05Z", None),
            ("2026-01-02T03:19:05Z", None),
            ("2026-01-02T02:48:05Z", Some("InvalidTimeStamp.Expired")),
            ("2026-01-02T03:20:05Z", Some("InvalidTimeStamp.Expired")),
            ("yesterday", Some("InvalidTimeStamp.Format")),
        ] {
            let refusal = check_time(date, NOW.parse().unwrap()).err();
            assert_eq!(
                refusal.as_ref().map(|refusal| &*refusal.code),
                expected,
                "{date}"
            );
        }
    }

    #[test]
    fn unknown_keys_and_wrong_secrets_are_told_apart() {
        let secret = Secret::from("wrong".to_owned());
        assert_eq!(
            code(&claims(&"nobody".into(), &secret, None), &keys()),
            "InvalidAccessKeyId.NotFound"
        );
        assert_eq!(
            code(&claims(&"testid".into(), &secret, None), &keys()),
            "SignatureDoesNotMatch"
        );
    }

    #[test]
    fn mismatch_in_version_1_has_the_colon_its_sdk_splits_at() {
        let forged = Claims {
            version: Version::V1,
            ..testid()
        };
        let now = NOW.parse().unwrap();
        let refusal = check(&forged, &keys(), &Nonces::default(), now).unwrap_err();
        assert!(
            refusal.message.contains("server string to sign is:ACS3"),
            "{refusal:?}"
        );
    }

    #[test]
    fn temporary_keys_need_their_own_token_while_it_lasts() {
        let mut keys = keys();
        let now: Timestamp = NOW.parse().unwrap();
        let lasting = keys.issue(now + SignedDuration::from_secs(60));
        let over = keys.issue(now);
        let sent = |key: &crate::cloud::keys::Issued, token: Option<&str>| {
            claims(&key.key_id, &key.secret, token.map(SecurityToken::from))
        };
        let own = sent(&lasting, Some(lasting.token.as_str()));
        assert_eq!(check(&own, &keys, &Nonces::default(), now), Ok(()));
        assert_eq!(code(&sent(&lasting, None), &keys), "MissingSecurityToken");
        assert_eq!(
            code(&sent(&lasting, Some("x")), &keys),
            "InvalidSecurityToken.Malformed"
        );
        assert_eq!(
            code(&sent(&lasting, Some(over.token.as_str())), &keys),
            "InvalidSecurityToken.MismatchWithAccessKey"
        );
        assert_eq!(
            code(&sent(&over, Some(over.token.as_str())), &keys),
            "InvalidSecurityToken.Expired"
        );
    }
}

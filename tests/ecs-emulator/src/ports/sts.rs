//! AssumeRoleWithOIDC: an OIDC token for a temporary key.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::actions::{Outcome, fields, show};
use crate::cloud::Cloud;
use crate::cloud::keys::Issued;
use crate::error::Refusal;
use crate::service::Service;
use crate::wire::parameters::Parameters;

/// Seconds that a key lasts unless the request says otherwise, and the bounds of what it may say.
const LIFETIME: u32 = 3600;
const LIFETIMES: std::ops::RangeInclusive<u32> = 900..=43200;

pub(crate) fn assume_role(service: &Arc<Service>, parameters: &Parameters) -> Outcome {
    let role = parameters.required("RoleArn")?;
    let provider = parameters.required("OIDCProviderArn")?;
    let session = parameters.required("RoleSessionName")?;
    let token = parameters.required("OIDCToken")?;
    let seconds = parameters.number("DurationSeconds")?.unwrap_or(LIFETIME);
    if !LIFETIMES.contains(&seconds) {
        return Err(Refusal::invalid_parameter("DurationSeconds"));
    }
    let issued = service.change(|cloud| {
        check_token(cloud, token)?;
        Ok::<Issued, Refusal>(issue(cloud, seconds))
    })??;
    Ok(fields([
        ("Credentials", shown(&issued)),
        (
            "AssumedRoleUser",
            json!({ "Arn": format!("{role}/{session}"), "AssumedRoleId": format!("33157794895460****:{session}") }),
        ),
        (
            "OIDCTokenInfo",
            json!({ "Subject": "drivebay", "Issuer": provider, "ClientIds": "sts.aliyuncs.com", "VerificationInfo": "Success" }),
        ),
    ]))
}

fn check_token(cloud: &Cloud, token: &str) -> Result<(), Refusal> {
    let expected = cloud.knobs.oidc_token.as_deref();
    if expected.is_none_or(|expected| expected == token) {
        return Ok(());
    }
    let message = "This JWT token is not valid or has expired.";
    Err(Refusal::bad(
        "AuthenticationFail.OIDCToken.Invalid",
        message,
    ))
}

/// Issues a key that lasts so long, or as long as the tests want.
pub(crate) fn issue(cloud: &mut Cloud, seconds: u32) -> Issued {
    let seconds = cloud.knobs.sts_lifetime_seconds.unwrap_or(seconds);
    let expires = Timestamp::now() + SignedDuration::from_secs(i64::from(seconds));
    cloud.keys.issue(expires)
}

pub(crate) fn shown(issued: &Issued) -> Value {
    json!({
        "AccessKeyId": issued.key_id,
        "AccessKeySecret": issued.secret,
        "SecurityToken": issued.token,
        "Expiration": show::time(issued.expires),
    })
}

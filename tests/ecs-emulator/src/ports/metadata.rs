//! The metadata service, which real instances have at 100.100.100.200.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Reply, sts};
use crate::actions::show;
use crate::chance;
use crate::cloud::Cloud;
use crate::cloud::keys::Issued;
use crate::cloud::knobs::Permission;
use crate::service::Service;
use crate::wire::answer::response;
use crate::wire::call::Call;

/// Seconds that the role's keys last: six hours, as on real instances.
const LIFETIME: u32 = 21600;

/// Tokens of the second version of the service, and the role's current key.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    tokens: Mutex<HashMap<String, Timestamp>>,
    key: Mutex<Option<Issued>>,
}

impl Sessions {
    fn open(&self, seconds: i64) -> String {
        let token = chance::secret();
        let expires = Timestamp::now() + SignedDuration::from_secs(seconds);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(token.clone(), expires);
        token
    }

    fn holds(&self, token: &str) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(token)
            .is_some_and(|expires| *expires > Timestamp::now())
    }

    /// The role's key. A new one comes half an hour before the old one ends, or at half its life.
    fn key(&self, service: &Service) -> anyhow::Result<Issued> {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let overridden = service.read(|cloud| cloud.knobs.sts_lifetime_seconds);
        let seconds = i64::from(overridden.unwrap_or(LIFETIME));
        let early = SignedDuration::from_secs(1800.min(seconds / 2));
        let lasts = |key: &&Issued| {
            let left = key.expires.duration_since(Timestamp::now());
            left > early && left <= SignedDuration::from_secs(seconds)
        };
        if let Some(key) = key.as_ref().filter(lasts) {
            return Ok(key.clone());
        }
        let issued = service.change(|cloud| sts::issue(cloud, LIFETIME));
        let issued = issued.map_err(|refusal| anyhow::anyhow!(refusal.message))?;
        Ok(key.insert(issued).clone())
    }
}

pub(crate) fn respond(service: &Arc<Service>, call: &Call) -> Reply {
    let (status, text) = answer(service, call)?;
    Ok(response(status, "text/plain", text))
}

fn answer(service: &Arc<Service>, call: &Call) -> anyhow::Result<(u16, String)> {
    if call.path == "/latest/api/token" {
        return Ok(token(service, call));
    }
    if call.method != "GET" {
        return Ok((405, "405 Method Not Allowed".to_owned()));
    }
    let sent = call.header("x-aliyun-ecs-metadata-token");
    let allowed = match sent {
        Some(token) => service.sessions.holds(token),
        None => service.read(|cloud| cloud.knobs.metadata_v1) == Permission::Allowed,
    };
    if !allowed {
        return Ok((401, "401 - Unauthorized".to_owned()));
    }
    let role = service.read(|cloud| cloud.knobs.role.clone());
    let credentials = "/latest/meta-data/ram/security-credentials/";
    if let Some(asked) = call
        .path
        .strip_prefix(credentials)
        .filter(|_| !role.is_empty())
    {
        return match asked {
            "" => Ok((200, role)),
            asked if asked == role => Ok((200, key(service)?)),
            _ => Ok(not_found()),
        };
    }
    let fact = service.read(|cloud| fact(cloud, &call.path));
    Ok(fact.map_or_else(not_found, |text| (200, text)))
}

fn token(service: &Arc<Service>, call: &Call) -> (u16, String) {
    let seconds = call.header("x-aliyun-ecs-metadata-token-ttl-seconds");
    let seconds = seconds.and_then(|text| text.parse::<i64>().ok());
    match seconds {
        _ if call.method != "PUT" => (405, "405 Method Not Allowed".to_owned()),
        Some(seconds) if (1..=21600).contains(&seconds) => (200, service.sessions.open(seconds)),
        Some(_) | None => (400, "400 - Bad Request".to_owned()),
    }
}

fn key(service: &Arc<Service>) -> anyhow::Result<String> {
    let issued = service.sessions.key(service)?;
    let mut shown = sts::shown(&issued);
    shown["LastUpdated"] = show::time(Timestamp::now()).into();
    shown["Code"] = "Success".into();
    Ok(shown.to_string())
}

/// What the instance can learn of itself.
fn fact(cloud: &Cloud, path: &str) -> Option<String> {
    let instance = cloud.instances.get(&cloud.here)?;
    let id = instance.id.to_string();
    Some(match path {
        "/latest/meta-data/instance-id" => id,
        "/latest/meta-data/region-id" => cloud.region.to_string(),
        "/latest/meta-data/zone-id" => instance.zone.to_string(),
        "/latest/meta-data/hostname" => id.replace("i-", "iz"),
        "/latest/meta-data/owner-account-id" => ACCOUNT.to_owned(),
        "/latest/meta-data/instance/instance-type" => instance.instance_type.to_string(),
        "/latest/meta-data/" => {
            "hostname\ninstance-id\ninstance/\nram/\nregion-id\nzone-id".to_owned()
        }
        "/latest/dynamic/instance-identity/document" => json!({
            "instance-id": id,
            "instance-type": instance.instance_type,
            "region-id": cloud.region,
            "zone-id": instance.zone,
            "owner-account-id": ACCOUNT,
            "serial-number": id,
            "private-ipv4": "127.0.0.1",
            "mac": "00:16:3e:00:00:01",
            "image-id": "drivebay",
        })
        .to_string(),
        _ => return None,
    })
}

/// The account that everything belongs to.
const ACCOUNT: &str = "1135115445850001";

fn not_found() -> (u16, String) {
    (404, "404 - Not Found".to_owned())
}

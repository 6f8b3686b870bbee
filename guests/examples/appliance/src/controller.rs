//! Volumes come, go, grow and are attached.

use drivebay_guest::capacity::GIB;
use drivebay_guest::exports::{attachment, controller, expansion};
use drivebay_guest::https::{Request, Response};
use drivebay_guest::prelude::*;
use drivebay_guest::secrets::open_secret;

use crate::api::{self, as_administrator, request};
use crate::{ACCOUNT, Appliance};

/// What the appliance makes where nobody says how much.
const DEFAULT_BYTES: u64 = GIB;

impl controller::Guest for Appliance {
    fn create_volume(wanted: CreateRequest) -> Result<VolumeInfo, Error> {
        let name = &wanted.name;
        let bytes = match wanted.capacity.size()? {
            0 => DEFAULT_BYTES,
            bytes => bytes,
        };
        ensure!(wanted.capacity.holds(bytes), OutOfRange: "volume {name} would have {bytes} bytes, which is more than \
            the limit");
        let query = [("name", name.clone()), ("bytes", bytes.to_string())];
        let call = request("POST", "/volumes".into(), &query);
        let what = format!("making volume {name}");
        info(&api::text(&what, &as_administrator(&call)?)?)
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        let Ok(path) = path_of(&id) else {
            return Ok(());
        };
        let call = request("DELETE", path, &[]);
        let what = format!("deleting volume {id}");
        missing_is_none(api::text(&what, &as_administrator(&call)?)).map(drop)
    }

    fn validate_volume(volume: Volume, _: Vec<VolumeCapability>) -> Result<(), Error> {
        Self::get_volume(volume.id).map(drop)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        let call = request("GET", path_of(&id)?, &[]);
        let what = format!("looking at volume {id}");
        info(&api::text(&what, &as_administrator(&call)?)?)
    }
}

impl attachment::Guest for Appliance {
    fn attach_volume(volume: Volume, node_id: String, _: Access) -> Result<Parameters, Error> {
        let call = request("PUT", attachment_of(&volume.id)?, &[("node", node_id)]);
        let what = format!("attaching volume {}", volume.id);
        api::text(&what, &as_attacher(&call)?)?;
        Ok(Vec::new())
    }

    fn detach_volume(volume: Volume, node_id: String) -> Result<(), Error> {
        let Ok(path) = attachment_of(&volume.id) else {
            return Ok(());
        };
        if !has_password()? {
            return Ok(());
        }
        let call = request("DELETE", path, &[("node", node_id)]);
        let what = format!("detaching volume {}", volume.id);
        missing_is_none(api::text(&what, &as_attacher(&call)?)).map(drop)
    }

    fn is_attached(volume: Volume, node_id: String) -> Result<bool, Error> {
        let path = attachment_of(&volume.id)?;
        if !has_password()? {
            return Ok(true);
        }
        let call = request("GET", path, &[("node", node_id)]);
        let what = format!("looking where volume {} is attached", volume.id);
        let answer = api::text(&what, &as_attacher(&call)?);
        Ok(missing_is_none(answer)?.is_some())
    }
}

fn as_attacher(call: &Request) -> Result<Response, Error> {
    api::as_user("attacher", call)
}

/// FlexVolume detaches, and asks what is attached, without any secret: an attachment ends by itself then.
fn has_password() -> Result<bool, Error> {
    Ok(missing_is_none(open_secret("password"))?.is_some())
}

impl expansion::Guest for Appliance {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        let bytes = capacity.required_bytes.unwrap_or_default();
        let path = path_of(&volume.id)?;
        let call = request("PUT", path, &[("bytes", bytes.to_string())]);
        let what = format!("growing volume {}", volume.id);
        let answer = api::text(&what, &api::with_token(&call)?)?;
        info(&answer).map(|info| info.capacity_bytes)
    }
}

/// `not-found` for what the appliance calls no volume: in a path it would name something else.
pub(crate) fn path_of(id: &str) -> Result<String, Error> {
    let is_plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    ensure!(is_plain, NotFound: "no volume is called {id}");
    Ok(format!("/volumes/{id}"))
}

fn attachment_of(id: &str) -> Result<String, Error> {
    Ok(path_of(id)? + "/attachment")
}

/// `ID ACCOUNT BYTES`, as the appliance describes a volume.
fn info(answer: &str) -> Result<VolumeInfo, Error> {
    let words: Vec<&str> = answer.split(' ').collect();
    let [id, account, bytes] = words[..] else {
        bail!(Internal: "the appliance describes a volume as {answer:?}");
    };
    Ok(VolumeInfo {
        id: id.into(),
        capacity_bytes: bytes.parse().unwrap_or_default(),
        context: vec![(ACCOUNT.into(), account.into())],
        ..VolumeInfo::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_its_id_its_account_and_its_size() {
        assert!(matches!(info("v1 acc-1 10"), Ok(info)
            if info.id == "v1" && info.capacity_bytes == 10 && info.context[0].1 == "acc-1"));
        assert!(info("v1").is_err());
    }

    #[test]
    fn an_id_leads_to_no_other_path() {
        assert!(matches!(path_of("v1"), Ok(path) if path == "/volumes/v1"));
        for id in ["", "..", "v1/export", "v1?a", "%2e", "ü"] {
            assert!(matches!(path_of(id), Err(Error::NotFound(_))), "{id}");
        }
    }
}

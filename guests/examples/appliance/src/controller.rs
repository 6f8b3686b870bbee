//! Volumes come, go, grow and are attached.

use drivebay_guest::capacity::GIB;
use drivebay_guest::exports::{attachment, controller, expansion};
use drivebay_guest::prelude::*;

use crate::api::{self, as_administrator, request};
use crate::{ACCOUNT, Appliance};

/// What the appliance makes where nobody says how much.
const DEFAULT_BYTES: u64 = GIB;

impl controller::Guest for Appliance {
    fn create_volume(wanted: CreateRequest) -> Result<VolumeInfo, Error> {
        let bytes = wanted.capacity.required_bytes.unwrap_or(DEFAULT_BYTES);
        let query = [("name", wanted.name.clone()), ("bytes", bytes.to_string())];
        let call = request("POST", "/volumes".into(), &query);
        let answer = api::text("making a volume", &as_administrator(&call)?)?;
        info(&answer)
    }

    fn delete_volume(id: String) -> Result<(), Error> {
        let call = request("DELETE", path_of(&id), &[]);
        let answer = api::text("deleting a volume", &as_administrator(&call)?);
        missing_is_none(answer).map(drop)
    }

    fn validate_volume(volume: Volume, _: Vec<VolumeCapability>) -> Result<(), Error> {
        Self::get_volume(volume.id).map(drop)
    }

    fn get_volume(id: String) -> Result<VolumeInfo, Error> {
        let call = request("GET", path_of(&id), &[]);
        info(&api::text(
            "looking at a volume",
            &as_administrator(&call)?,
        )?)
    }
}

impl attachment::Guest for Appliance {
    fn attach_volume(volume: Volume, node_id: String, _: Access) -> Result<Parameters, Error> {
        let path = format!("{}/attachment", path_of(&volume.id));
        let call = request("PUT", path, &[("node", node_id)]);
        api::text("attaching a volume", &api::as_user("attacher", &call)?)?;
        Ok(Vec::new())
    }

    fn detach_volume(_: Volume, _: String) -> Result<(), Error> {
        Ok(())
    }

    fn is_attached(_: Volume, _: String) -> Result<bool, Error> {
        Ok(true)
    }
}

impl expansion::Guest for Appliance {
    fn expand_volume(volume: Volume, capacity: CapacityRange) -> Result<u64, Error> {
        let bytes = capacity.required_bytes.unwrap_or_default();
        let call = request("PUT", path_of(&volume.id), &[("bytes", bytes.to_string())]);
        let answer = api::text("growing a volume", &api::with_token(&call)?)?;
        info(&answer).map(|info| info.capacity_bytes)
    }
}

pub(crate) fn path_of(id: &str) -> String {
    format!("/volumes/{id}")
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
}

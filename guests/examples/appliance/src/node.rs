//! On the node: the appliance says which directory it is, to whom has the key of the volume's account.

use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::{self, Target};
use drivebay_guest::prelude::*;

use crate::controller::path_of;
use crate::{ACCOUNT, Appliance, api};

impl node::Guest for Appliance {
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let volume = &request.volume;
        let account = Params(&volume.context).get(ACCOUNT).unwrap_or_default();
        let path = path_of(&volume.id)? + "/export";
        let answer = api::signed(account, api::request("GET", path, &[]))?;
        let what = format!("asking where volume {} is", volume.id);
        let directory = api::text(&what, &answer)?;
        target.bind(&mounts::open_directory("pool")?, &directory)
    }

    fn get_health(_: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
}

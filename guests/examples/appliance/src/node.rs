//! On the node: the appliance says which directory it is, to whom has the key of the volume's account.

use crate::bindings::drivebay::driver::mounts::{self, Target};
use crate::bindings::drivebay::driver::types::{Error, Volume};
use crate::bindings::exports::drivebay::driver::node::{self, Health, NodeInfo, StageRequest};
use crate::controller::path_of;
use crate::{ACCOUNT, Appliance, api};

impl node::Guest for Appliance {
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo {
            id: String::new(),
            max_volumes: 0,
        })
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let volume = &request.volume;
        let account = volume.context.iter().find(|(name, _)| name == ACCOUNT);
        let account = account.map(|(_, value)| value.as_str()).unwrap_or_default();
        let call = api::request("GET", format!("{}/export", path_of(&volume.id)), &[]);
        let answer = api::signed(account, call)?;
        let directory = api::text("asking where a volume is", &answer)?;
        target.bind(&mounts::open_directory("pool")?, &directory)
    }

    fn get_health(_: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
}

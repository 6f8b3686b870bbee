//! SMB shares that exist already: the smallest backend with a password.
//!
//! User and password come from the Secret that the volume names, as `username` and `password`. They are handed to the
//! mount as handles: this guest sees neither.

mod share;

use drivebay_guest::exports::identity::{self, Description};
use drivebay_guest::exports::node::{self, Health, NodeInfo, StageRequest};
use drivebay_guest::mounts::Target;
use drivebay_guest::parameters::described;
use drivebay_guest::prelude::*;
use drivebay_guest::secret_mounts::mount_remote;
use drivebay_guest::secrets::open_secret;
use drivebay_guest::volume::filesystem;

/// The guest.
#[derive(Debug)]
pub struct Smb;

drivebay_guest::log_panics!();
drivebay_guest::export!(Smb: identity, node);

impl identity::Guest for Smb {
    fn describe() -> Description {
        let parameters = described(&[share::OF_VOLUMES]);
        drivebay_guest::description!("mounts SMB shares with a user's password", parameters)
    }
}

impl node::Guest for Smb {
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo::default())
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let wanted = filesystem("a share", &request.kind)?;
        let params = Params(&request.volume.context);
        let source = share::source(params)?;
        let options = share::options(params, &wanted.mount_options);
        let (username, password) = (open_secret("username")?, open_secret("password")?);
        let secrets = [
            ("username".into(), &username),
            ("password".into(), &password),
        ];
        mount_remote(target, &source, &options, &secrets)
    }

    fn get_health(_: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
}

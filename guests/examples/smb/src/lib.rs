//! SMB shares that exist already: the smallest backend with a password.
//!
//! User and password come from the Secret that the volume names, as `username` and `password`. They are handed to the
//! mount as handles: this guest sees neither.

mod bindings;
mod share;

pub use bindings::Smb;
use bindings::drivebay::driver::mounts::Target;
use bindings::drivebay::driver::secrets;
use bindings::drivebay::driver::types::{AccessType, Error, Volume};
use bindings::exports::drivebay::driver::identity::{self, Description, Parameter};
use bindings::exports::drivebay::driver::node::{self, Health, NodeInfo, StageRequest};

use share::{OPTIONS, PATH, SERVER, SHARE};

impl identity::Guest for Smb {
    fn describe() -> Description {
        let parameter = |name: &str, required: bool, meaning: &str| Parameter {
            name: name.into(),
            scope: "volume".into(),
            required,
            default: None,
            description: meaning.into(),
        };
        Description {
            name: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "mounts SMB shares with a user's password".into(),
            parameters: vec![
                parameter(SERVER, true, "Host name or address of the server."),
                parameter(SHARE, true, "Name of the share."),
                parameter(PATH, false, "Directory on the share; all of it otherwise."),
                parameter(
                    OPTIONS,
                    false,
                    "Mount options, separated by commas: vers=3.1.1.",
                ),
            ],
        }
    }
}

impl node::Guest for Smb {
    fn get_info() -> Result<NodeInfo, Error> {
        Ok(NodeInfo {
            id: String::new(),
            max_volumes: 0,
        })
    }

    fn stage_volume(request: StageRequest, target: &Target) -> Result<(), Error> {
        let AccessType::Filesystem(wanted) = &request.kind else {
            return Err(Error::Unsupported(
                "a share is a directory, and no block device".into(),
            ));
        };
        let context = &request.volume.context;
        let source = share::source(context)?;
        let options = share::options(context, &wanted.mount_options);
        let username = secrets::open_secret("username")?;
        let password = secrets::open_secret("password")?;
        target.mount_remote_with_secrets(
            &source,
            &options,
            &[
                ("username".into(), &username),
                ("password".into(), &password),
            ],
        )
    }

    fn get_health(_: Volume) -> Result<Health, Error> {
        Ok(Health::Ok)
    }
}

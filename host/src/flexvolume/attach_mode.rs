//! Who attaches: nobody, kubelet by call-outs of its own, or we when a pod mounts.
//!
//! kubelet learns it from `init`, and with `attach` false it calls `mount` and `unmount` alone. Old
//! PersistentVolumes of drivers that did all their work in `mount` live on that way.

use crate::driver::{Capabilities, Export, Session};
use crate::error::DriverError;

/// Who attaches the volumes of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttachMode {
    /// There is nothing to attach.
    Never,
    /// The controller or kubelet, by call-outs.
    ByKubelet,
    /// We, with the first mount.
    OnMount,
}

impl AttachMode {
    /// What the component can do, and of that what the operator chose.
    pub(super) fn configured(session: &Session, capabilities: Capabilities) -> Self {
        let on_mount = session.config().flexvolume_attach.is_on_mount();
        match (capabilities.exports(Export::Attachment), on_mount) {
            (false, _) => Self::Never,
            (true, false) => Self::ByKubelet,
            (true, true) => Self::OnMount,
        }
    }

    pub(super) fn of(session: &Session) -> Result<Self, DriverError> {
        Ok(Self::configured(session, session.prepared_capabilities()?))
    }
}

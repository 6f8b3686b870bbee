//! Access keys: the permanent one, and temporary ones that STS and the metadata service issue.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chance;
use crate::words::{AccessKeyId, Secret, SecurityToken};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Keys(BTreeMap<AccessKeyId, Key>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) secret: Secret,
    pub(crate) permanence: Permanence,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Permanence {
    Permanent,
    Temporary {
        token: SecurityToken,
        expires: Timestamp,
    },
}

/// A temporary key, to be handed out.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) key_id: AccessKeyId,
    pub(crate) secret: Secret,
    pub(crate) token: SecurityToken,
    pub(crate) expires: Timestamp,
}

impl Keys {
    #[cfg(test)]
    pub(crate) fn new(id: AccessKeyId, secret: Secret) -> Self {
        let mut keys = Self::default();
        keys.set_permanent(id, secret);
        keys
    }

    /// There is one permanent key; one of an earlier run no longer counts.
    pub(crate) fn set_permanent(&mut self, id: AccessKeyId, secret: Secret) {
        self.0
            .retain(|_, key| matches!(key.permanence, Permanence::Temporary { .. }));
        let permanence = Permanence::Permanent;
        self.0.insert(id, Key { secret, permanence });
    }

    pub(crate) fn find(&self, id: &AccessKeyId) -> Option<&Key> {
        self.0.get(id)
    }

    /// Whether this token belongs to any key.
    pub(crate) fn issued(&self, sent: &SecurityToken) -> bool {
        self.0.values().any(|key| match &key.permanence {
            Permanence::Permanent => false,
            Permanence::Temporary { token, .. } => token == sent,
        })
    }

    /// Issues a temporary key.
    pub(crate) fn issue(&mut self, expires: Timestamp) -> Issued {
        let issued = Issued {
            key_id: AccessKeyId::from(format!("STS.{}", &chance::secret()[..24])),
            secret: Secret::from(chance::secret()),
            // Real tokens are Base64, so they hold characters that have to be encoded.
            token: SecurityToken::from(format!("CAIS+{}/{}==", chance::secret(), chance::secret())),
            expires,
        };
        let permanence = Permanence::Temporary {
            token: issued.token.clone(),
            expires,
        };
        let secret = issued.secret.clone();
        self.0
            .insert(issued.key_id.clone(), Key { secret, permanence });
        issued
    }
}

//! The kinds of faults and what can be said about each.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cloud::disk::{Late, Link, Quirks};
use crate::error::Refusal;
use crate::words::Gib;

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Instead of the action.
    Before,
    /// After the action, instead of its answer.
    After,
    /// While a description is made.
    Describing,
    /// When the device of an attachment is made.
    Device,
}

/// A fault, as it strikes.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Throttling(Refusal, Option<Duration>),
    ErrorBefore(Refusal),
    CutBefore,
    ErrorAfter(Refusal),
    LostReply,
    /// For so long, or until faults are cleared.
    SlowReply {
        delay: Option<Duration>,
    },
    GarbageBody {
        status: u16,
    },
    HugeBody {
        bytes: usize,
    },
    StaleDescribe,
    StaysAttaching,
    WrongSizeDevice {
        bytes: u64,
    },
    LateDevice {
        late: Late,
    },
    OtherName {
        link: Option<String>,
    },
}

/// The names of the kinds, as orders have them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KindName {
    Throttling,
    ErrorBefore,
    CutBefore,
    ErrorAfter,
    LostReply,
    SlowReply,
    GarbageBody,
    HugeBody,
    StaleDescribe,
    StaysAttaching,
    WrongSizeDevice,
    LateDevice,
    OtherName,
}

/// An order for a fault, as it comes through the control port.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// The action it hits; `*` for any.
    pub(crate) action: String,
    kind: KindName,
    /// How often it hits.
    #[serde(default = "once")]
    pub(crate) times: u32,
    /// How many requests it lets through first.
    #[serde(default)]
    pub(crate) skip: u32,
    /// Parameters that a request has to have.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, String>,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    millis: Option<u64>,
    bytes: Option<u64>,
    gib: Option<u64>,
    link: Option<String>,
}

fn once() -> u32 {
    1
}

/// What throttling says.
const THROTTLED: &str = "Request was denied due to user flow control.";

/// What an error without a message says.
const FAILED: &str = "The request processing has failed due to some unknown error.";

impl Order {
    /// The fault that is ordered; what it needs has to be there.
    pub(crate) fn kind(&self) -> Result<Kind, String> {
        let delay = self.millis.map(Duration::from_millis);
        let bytes = self.bytes.or(self.gib.map(|gib| Gib(gib).bytes()));
        Ok(match self.kind {
            KindName::Throttling => {
                let refusal = self.refusal(400, "Throttling.User", THROTTLED);
                Kind::Throttling(refusal, delay)
            }
            KindName::ErrorBefore => Kind::ErrorBefore(self.refusal(500, "InternalError", FAILED)),
            KindName::ErrorAfter => Kind::ErrorAfter(self.refusal(500, "InternalError", FAILED)),
            KindName::CutBefore => Kind::CutBefore,
            KindName::LostReply => Kind::LostReply,
            KindName::SlowReply => Kind::SlowReply { delay },
            KindName::GarbageBody => Kind::GarbageBody {
                status: self.status.unwrap_or(200),
            },
            KindName::HugeBody => {
                let bytes = usize::try_from(bytes.unwrap_or(16 << 20));
                Kind::HugeBody {
                    bytes: bytes.map_err(|error| error.to_string())?,
                }
            }
            KindName::StaleDescribe => Kind::StaleDescribe,
            KindName::StaysAttaching => Kind::StaysAttaching,
            KindName::WrongSizeDevice => {
                let bytes = bytes.ok_or("this kind needs \"bytes\" or \"gib\"")?;
                Kind::WrongSizeDevice { bytes }
            }
            KindName::LateDevice => Kind::LateDevice {
                late: self.millis.map_or(Late::Held, Late::Millis),
            },
            KindName::OtherName => Kind::OtherName {
                link: self.link.clone(),
            },
        })
    }

    fn refusal(&self, status: u16, code: &'static str, message: &str) -> Refusal {
        let code = self
            .code
            .clone()
            .map_or(code.into(), std::borrow::Cow::Owned);
        let message = self.message.clone().unwrap_or_else(|| message.to_owned());
        Refusal::new(self.status.unwrap_or(status), code, message)
    }
}

impl Kind {
    pub(crate) fn stage(&self) -> Stage {
        match self {
            Self::Throttling(..) | Self::ErrorBefore(_) | Self::CutBefore => Stage::Before,
            Self::ErrorAfter(_)
            | Self::LostReply
            | Self::SlowReply { .. }
            | Self::GarbageBody { .. }
            | Self::HugeBody { .. } => Stage::After,
            Self::StaleDescribe => Stage::Describing,
            Self::StaysAttaching
            | Self::WrongSizeDevice { .. }
            | Self::LateDevice { .. }
            | Self::OtherName { .. } => Stage::Device,
        }
    }

    pub(crate) fn name(&self) -> KindName {
        match self {
            Self::Throttling(..) => KindName::Throttling,
            Self::ErrorBefore(_) => KindName::ErrorBefore,
            Self::CutBefore => KindName::CutBefore,
            Self::ErrorAfter(_) => KindName::ErrorAfter,
            Self::LostReply => KindName::LostReply,
            Self::SlowReply { .. } => KindName::SlowReply,
            Self::GarbageBody { .. } => KindName::GarbageBody,
            Self::HugeBody { .. } => KindName::HugeBody,
            Self::StaleDescribe => KindName::StaleDescribe,
            Self::StaysAttaching => KindName::StaysAttaching,
            Self::WrongSizeDevice { .. } => KindName::WrongSizeDevice,
            Self::LateDevice { .. } => KindName::LateDevice,
            Self::OtherName { .. } => KindName::OtherName,
        }
    }

    /// What the fault makes odd about an attachment.
    pub(crate) fn add_to(&self, quirks: &mut Quirks) {
        match self {
            Self::StaysAttaching => quirks.held = true,
            Self::WrongSizeDevice { bytes } => quirks.bytes = Some(*bytes),
            Self::LateDevice { late } => quirks.late = *late,
            Self::OtherName { link } => {
                quirks.link = link.clone().map_or(Link::None, Link::Other);
            }
            Self::Throttling(..)
            | Self::ErrorBefore(_)
            | Self::CutBefore
            | Self::ErrorAfter(_)
            | Self::LostReply
            | Self::SlowReply { .. }
            | Self::GarbageBody { .. }
            | Self::HugeBody { .. }
            | Self::StaleDescribe => {}
        }
    }
}

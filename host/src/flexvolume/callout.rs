//! argv, as kubelet and the controller write it, to a call-out.
//!
//! The order of arguments changed over the years (the JSON came first in `waitforattach` and `mountdevice`
//! once), so the options are found as the argument that begins with `{`, and the others by their order.

use std::ffi::OsString;

use super::options::{Options, OptionsError};
use crate::volume::Secrets;

/// One call-out with its arguments.
#[derive(Debug)]
#[expect(missing_docs, reason = "fields are FlexVolume's own argument names")]
pub enum Callout {
    /// `init`
    Init,
    /// `getvolumename OPTIONS`
    GetVolumeName,
    /// `attach OPTIONS NODE`
    Attach { options: Options, node: String },
    /// `detach VOLUME NODE`: the documentation says device, kubelet sends the volume's name.
    Detach { volume: String, node: String },
    /// `waitforattach DEVICE OPTIONS`
    WaitForAttach { device: String, options: Options },
    /// `isattached OPTIONS NODE`
    IsAttached { options: Options, node: String },
    /// `mountdevice DIRECTORY DEVICE OPTIONS`
    MountDevice {
        directory: String,
        device: String,
        options: Options,
    },
    /// `unmountdevice DIRECTORY`
    UnmountDevice { directory: String },
    /// `mount DIRECTORY OPTIONS`
    Mount { directory: String, options: Options },
    /// `unmount DIRECTORY`
    Unmount { directory: String },
    /// `expandvolume OPTIONS DEVICE NEW OLD`: the device is a path relative to nothing.
    ExpandVolume { options: Options, bytes: u64 },
    /// `expandfs OPTIONS DEVICE DIRECTORY NEW OLD`
    ExpandFs {
        options: Options,
        directory: String,
        bytes: u64,
    },
}

/// Why argv is no call-out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalloutError {
    /// Nothing after the program's name.
    #[error("no call-out given; kubelet calls a driver with init, mount, unmount and so on")]
    Missing,
    /// A word nobody knows.
    #[error("call-out {name:?} is not known")]
    Unknown {
        /// The word.
        name: String,
    },
    /// Not text.
    #[error("argument {position} of the call-out is not UTF-8")]
    NotText {
        /// Counted from 1, the call-out's name being 0.
        position: usize,
    },
    /// Too few or too many.
    #[error("call-out {name} takes {expected}, got {given} arguments")]
    Arguments {
        /// Which call-out.
        name: String,
        /// What it takes.
        expected: &'static str,
        /// How many were given.
        given: usize,
    },
    /// A size that is none.
    #[error("call-out {name} got a size that is not a number of bytes")]
    Size {
        /// Which call-out.
        name: String,
    },
    /// The options are wrong.
    #[error(transparent)]
    Options(#[from] OptionsError),
}

impl Callout {
    /// From everything after the program's name.
    ///
    /// # Errors
    /// [`CalloutError`]; its message never shows an option's value.
    pub fn parse(arguments: &[OsString]) -> Result<Self, CalloutError> {
        let text = |(position, argument): (usize, &OsString)| {
            argument
                .to_str()
                .map(str::to_owned)
                .ok_or(CalloutError::NotText { position })
        };
        let arguments = arguments
            .iter()
            .enumerate()
            .map(text)
            .collect::<Result<Vec<_>, _>>()?;
        let Some((name, rest)) = arguments.split_first() else {
            return Err(CalloutError::Missing);
        };
        Arguments { name, all: rest }.callout()
    }

    /// What kubelet sent along from a Secret; it does with `mount` alone.
    pub fn secrets(&self) -> Option<&Secrets> {
        match self {
            Self::Attach { options, .. }
            | Self::WaitForAttach { options, .. }
            | Self::IsAttached { options, .. }
            | Self::MountDevice { options, .. }
            | Self::Mount { options, .. }
            | Self::ExpandVolume { options, .. }
            | Self::ExpandFs { options, .. } => Some(options.secrets()),
            Self::Init
            | Self::GetVolumeName
            | Self::Detach { .. }
            | Self::UnmountDevice { .. }
            | Self::Unmount { .. } => None,
        }
    }

    /// FlexVolume's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::GetVolumeName => "getvolumename",
            Self::Attach { .. } => "attach",
            Self::Detach { .. } => "detach",
            Self::WaitForAttach { .. } => "waitforattach",
            Self::IsAttached { .. } => "isattached",
            Self::MountDevice { .. } => "mountdevice",
            Self::UnmountDevice { .. } => "unmountdevice",
            Self::Mount { .. } => "mount",
            Self::Unmount { .. } => "unmount",
            Self::ExpandVolume { .. } => "expandvolume",
            Self::ExpandFs { .. } => "expandfs",
        }
    }
}

struct Arguments<'a> {
    name: &'a str,
    all: &'a [String],
}

impl Arguments<'_> {
    fn callout(&self) -> Result<Callout, CalloutError> {
        match self.name {
            "init" => Ok(Callout::Init),
            "getvolumename" => self
                .with_options("OPTIONS")
                .map(|(_, [])| Callout::GetVolumeName),
            "attach" => self
                .with_options("OPTIONS NODE")
                .map(|(options, [node])| Callout::Attach { options, node }),
            "isattached" => self
                .with_options("OPTIONS NODE")
                .map(|(options, [node])| Callout::IsAttached { options, node }),
            "waitforattach" => self
                .with_options("DEVICE OPTIONS")
                .map(|(options, [device])| Callout::WaitForAttach { device, options }),
            "mountdevice" => self.with_options("DIRECTORY DEVICE OPTIONS").map(
                |(options, [directory, device])| Callout::MountDevice {
                    directory,
                    device,
                    options,
                },
            ),
            "mount" => self
                .with_options("DIRECTORY OPTIONS")
                .map(|(options, [directory])| Callout::Mount { directory, options }),
            "expandvolume" => {
                let (options, [_device, new, _old]) =
                    self.with_options("OPTIONS DEVICE NEW OLD")?;
                Ok(Callout::ExpandVolume {
                    options,
                    bytes: self.bytes(&new)?,
                })
            }
            "expandfs" => {
                let (options, [_device, directory, new, _old]) =
                    self.with_options("OPTIONS DEVICE DIRECTORY NEW OLD")?;
                Ok(Callout::ExpandFs {
                    options,
                    directory,
                    bytes: self.bytes(&new)?,
                })
            }
            "detach" => self
                .plain("VOLUME NODE")
                .map(|[volume, node]| Callout::Detach { volume, node }),
            "unmountdevice" => self
                .plain("DIRECTORY")
                .map(|[directory]| Callout::UnmountDevice { directory }),
            "unmount" => self
                .plain("DIRECTORY")
                .map(|[directory]| Callout::Unmount { directory }),
            name => Err(CalloutError::Unknown {
                name: name.to_owned(),
            }),
        }
    }

    /// The options, wherever they stand, and the other arguments in order.
    fn with_options<const N: usize>(
        &self,
        expected: &'static str,
    ) -> Result<(Options, [String; N]), CalloutError> {
        let at = self
            .all
            .iter()
            .position(|argument| argument.trim_start().starts_with('{'));
        // Without one, the place where it belongs is parsed, so that the error says what it is instead.
        let at = at
            .or_else(|| expected.split(' ').position(|word| word == "OPTIONS"))
            .filter(|at| *at < self.all.len());
        let Some(at) = at.filter(|_| self.all.len() == N + 1) else {
            return Err(self.wrong_number(expected));
        };
        let options = Options::parse(&self.all[at])?;
        let others: Vec<String> = self
            .all
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != at)
            .map(|(_, text)| text.clone())
            .collect();
        others
            .try_into()
            .map(|others| (options, others))
            .map_err(|_| self.wrong_number(expected))
    }

    fn plain<const N: usize>(&self, expected: &'static str) -> Result<[String; N], CalloutError> {
        self.all
            .to_vec()
            .try_into()
            .map_err(|_| self.wrong_number(expected))
    }

    fn bytes(&self, text: &str) -> Result<u64, CalloutError> {
        text.parse().map_err(|_| CalloutError::Size {
            name: self.name.to_owned(),
        })
    }

    fn wrong_number(&self, expected: &'static str) -> CalloutError {
        CalloutError::Arguments {
            name: self.name.to_owned(),
            expected,
            given: self.all.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn parse(arguments: &[&str]) -> Result<Callout, CalloutError> {
        Callout::parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn every_call_out_is_understood_as_kubelet_writes_it() {
        for arguments in [
            &["init"][..],
            &["getvolumename", "{}"],
            &["attach", "{}", "node"],
            &["detach", "pv", "node"],
            &["waitforattach", "device", "{}"],
            &["isattached", "{}", "node"],
            &["mountdevice", "/dir", "device", "{}"],
            &["unmountdevice", "/dir"],
            &["mount", "/dir", "{}"],
            &["unmount", "/dir"],
            &["expandvolume", "{}", "device", "2", "1"],
            &["expandfs", "{}", "device", "/dir", "2", "1"],
        ] {
            assert_eq!(parse(arguments).expect("known").name(), arguments[0]);
        }
    }

    #[test]
    fn the_argument_order_of_older_releases_is_understood() {
        let Ok(Callout::MountDevice {
            directory, device, ..
        }) = parse(&["mountdevice", "{}", "/dir", "dev"])
        else {
            panic!("not understood");
        };
        assert_eq!((directory.as_str(), device.as_str()), ("/dir", "dev"));
        assert!(
            matches!(parse(&["isattached", "node", "{}"]), Ok(Callout::IsAttached { node, .. }) if node == "node")
        );
    }

    #[test]
    fn wrong_numbers_of_arguments_say_what_is_expected() {
        let text = |arguments| parse(arguments).expect_err("wrong").to_string();
        assert!(text(&[]).starts_with("no call-out given"));
        assert_eq!(
            text(&["mount"]),
            "call-out mount takes DIRECTORY OPTIONS, got 0 arguments"
        );
        assert_eq!(
            text(&["unmount", "/a", "/b"]),
            "call-out unmount takes DIRECTORY, got 2 arguments"
        );
        assert_eq!(
            text(&["expandvolume", "{}", "d", "x", "1"]),
            "call-out expandvolume got a size that is not a number of bytes"
        );
    }

    #[test]
    fn arguments_that_are_not_utf_8_are_refused() {
        let arguments = [
            OsString::from("mount"),
            OsString::from_vec(vec![0xff]),
            OsString::from("{}"),
        ];
        assert_eq!(
            Callout::parse(&arguments).expect_err("not text"),
            CalloutError::NotText { position: 1 }
        );
    }

    #[test]
    fn options_that_are_no_object_are_named_as_such() {
        assert!(
            parse(&["mount", "/dir", "[]"])
                .expect_err("no object")
                .to_string()
                .contains("not a JSON object")
        );
    }
}

//! The command line of `drivebay-provision migrate`.

use std::time::Duration;

use clap::{ArgGroup, Parser};
use drivebay::config;

use super::drivers::{Drivers, Names};
use super::replacement::Direction;

/// Turns FlexVolume PersistentVolumes into those of CSI, or back. Claims stay as they are: each volume's object alone is
/// replaced by one of the same name that the same claim holds, while no pod uses it. Says what would be done and changes
/// nothing, unless --apply is given. Finds the API server as kubectl does.
#[derive(Debug, Parser)]
#[command(
    name = "drivebay-provision migrate",
    bin_name = "drivebay-provision migrate",
    version
)]
#[command(group(ArgGroup::new("choice").args(["volumes", "class", "all"]).required(true)))]
pub(crate) struct Arguments {
    /// PersistentVolumes
    #[arg(value_name = "VOLUME")]
    volumes: Vec<String>,
    /// All volumes of a StorageClass
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// All FlexVolume PersistentVolumes; with --undo all that were such before
    #[arg(long)]
    all: bool,
    /// Do it
    #[arg(long)]
    apply: bool,
    /// Turn volumes that were migrated back into FlexVolumes
    #[arg(long)]
    undo: bool,
    /// Where it is written down what is going to be done, until it is done
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    pub(super) namespace: String,
    /// FlexVolume's name of alicloud-disk and CSI's, as they stand in the driver's file, in place of the shipped ones. Repeat it for more
    #[arg(
        long,
        value_name = "FLEXVOLUME=CSI",
        default_value = "alicloud/disk=diskplugin.csi.alibabacloud.com"
    )]
    disk: Vec<Names>,
    /// The same of nfs
    #[arg(
        long,
        value_name = "FLEXVOLUME=CSI",
        default_values = ["k8s/nfs=nfs.csi.k8s.io", "alicloud/nas=nfs.csi.k8s.io"]
    )]
    share: Vec<Names>,
    /// How many volumes are migrated at once: most of the time a volume waits until the controller-manager looks again
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) at_once: u16,
    /// How long to wait for one volume until its claim is Bound again
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = config::duration)]
    pub(super) patience: Duration,
}

/// Which volumes are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Named(Vec<String>),
    OfClass(String),
    All,
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    DryRun,
    Apply,
}

impl Arguments {
    pub(super) fn choice(&self) -> Choice {
        match &self.class {
            Some(name) => Choice::OfClass(name.clone()),
            None if self.all => Choice::All,
            None => Choice::Named(self.volumes.clone()),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self.apply {
            true => Mode::Apply,
            false => Mode::DryRun,
        }
    }

    pub(super) fn direction(&self) -> Direction {
        match self.undo {
            true => Direction::ToFlexVolume,
            false => Direction::ToCsi,
        }
    }

    pub(super) fn drivers(&self) -> Drivers {
        Drivers::new(&self.disk, &self.share)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["drivebay-provision migrate"], arguments].concat())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        let arguments = parsed(&["--all"]).expect("arguments");
        assert_eq!(
            (arguments.choice(), arguments.mode()),
            (Choice::All, Mode::DryRun)
        );
        assert_eq!(arguments.direction(), Direction::ToCsi);
        for name in ["alicloud/disk", "k8s/nfs", "alicloud/nas"] {
            assert!(arguments.drivers().by_flexvolume(name).is_some(), "{name}");
        }
    }

    #[test]
    fn volumes_are_chosen_in_one_way() {
        let named = parsed(&["a", "b", "--apply", "--undo"]).expect("arguments");
        assert_eq!(
            named.choice(),
            Choice::Named(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(
            (named.mode(), named.direction()),
            (Mode::Apply, Direction::ToFlexVolume)
        );
        let class = parsed(&["--class", "c"]).expect("arguments");
        assert_eq!(class.choice(), Choice::OfClass("c".to_owned()));
        for wrong in [&[][..], &["a", "--all"], &["--class", "c", "--all"]] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}

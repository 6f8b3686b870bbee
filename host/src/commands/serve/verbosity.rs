//! How much `serve` logs: by a level's name, or by klog's number as the CSI sidecars beside it.

use clap::{Args, ValueEnum};
use drivebay::log_stream::LogLevel;

#[derive(Debug, Args)]
pub(super) struct Verbosity {
    /// How much to log
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Level::Info)]
    log_level: Level,
    /// The same as klog's number: 0 to 3 are info, 4 is debug, 5 and more are trace
    #[arg(
        short = 'v',
        long = "v",
        value_name = "NUMBER",
        conflicts_with = "log_level"
    )]
    verbosity: Option<u8>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// Failures of the host
    Error,
    /// Also what failed or was refused
    Warn,
    /// Also what a process logs once
    Info,
    /// Also every call
    Debug,
    /// Everything
    Trace,
}

impl Verbosity {
    pub(super) fn level(&self) -> LogLevel {
        if let Some(number) = self.verbosity {
            return LogLevel::of_klog(number);
        }
        match self.log_level {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        verbosity: Verbosity,
    }

    fn level(arguments: &[&str]) -> LogLevel {
        let words = ["serve"].iter().chain(arguments);
        Alone::try_parse_from(words)
            .expect("understood")
            .verbosity
            .level()
    }

    #[test]
    fn a_level_is_given_by_name_or_by_klogs_number_in_every_spelling() {
        assert_eq!(level(&[]), LogLevel::Info);
        assert_eq!(level(&["--log-level", "warn"]), LogLevel::Warn);
        for spelling in [
            &["--v=5"][..],
            &["-v=5"],
            &["-v5"],
            &["-v", "5"],
            &["--v", "5"],
        ] {
            assert_eq!(level(spelling), LogLevel::Trace, "{spelling:?}");
        }
    }

    #[test]
    fn both_at_once_are_refused() {
        let both = ["serve", "--log-level=info", "--v=5"];
        assert!(Alone::try_parse_from(both).is_err());
    }
}

//! Where `serve` logs: the stream that container runtimes collect.

mod http2_refusals;

use std::fmt;

use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What is broken.
    Error,
    /// And what did not work, or was refused.
    Warn,
    /// And what a process says once.
    Info,
    /// And every call.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// From klog's number, by the conventions of Kubernetes: 2 is for production, 4 for debugging, 5 for
    /// following every step.
    pub fn of_klog(verbosity: u8) -> Self {
        match verbosity {
            0..=3 => Self::Info,
            4 => Self::Debug,
            5.. => Self::Trace,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// From here on, log lines go to stderr: key and value, one line each.
pub fn log_to_stderr(level: LogLevel) {
    // Whatever is above that ends before anybody is asked: one message has hundreds of such lines in the library that
    // carries it.
    let most = level.filter().max(http2_refusals::LEVEL.into());
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(most)
        .fmt_fields(Once(DefaultFields::new()))
        .with_writer(std::io::stderr)
        .finish()
        .with(Shown::at(level));
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// From here on, what the host warns of goes to stderr, for a person at a terminal. What guests log is not among it:
/// whoever runs one by hand prints that.
pub fn warn_on_stderr() {
    let is_the_hosts = |metadata: &Metadata<'_>| {
        *metadata.level() <= Level::WARN && metadata.fields().field("guest").is_none()
    };
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .finish()
        .with(filter_fn(is_the_hosts));
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Which events are shown. What is not shown may still be listened to.
struct Shown(Targets);

impl Shown {
    /// What others log of a connection, or of a message, is not ours to vouch for.
    fn at(level: LogLevel) -> Self {
        let targets = Targets::new()
            .with_default(level.filter().min(LevelFilter::WARN))
            .with_target("drivebay", level.filter());
        Self(targets)
    }

    fn shows(&self, metadata: &Metadata<'_>) -> bool {
        self.0.would_enable(metadata.target(), metadata.level())
    }
}

impl<S: Subscriber> Layer<S> for Shown {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.shows(metadata) || http2_refusals::may_tell_of_a_refusal(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.shows(metadata) || http2_refusals::may_tell_of_a_refusal(metadata)
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if http2_refusals::may_tell_of_a_refusal(metadata) {
            http2_refusals::listen(event);
        }
        self.shows(metadata)
    }
}

/// A span's fields, each value once: several layers may say which volume a call is about.
#[derive(Debug)]
struct Once(DefaultFields);

impl<'writer> FormatFields<'writer> for Once {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut added = String::new();
        self.0.format_fields(Writer::new(&mut added), fields)?;
        if !holds(&current.fields, &added) {
            if !current.fields.is_empty() {
                current.fields.push(' ');
            }
            current.fields.push_str(&added);
        }
        Ok(())
    }
}

/// Whether a field with that value is among them. Values stand in quotes, which are escaped inside.
fn holds(fields: &str, added: &str) -> bool {
    fields
        .match_indices(added)
        .any(|(start, _)| start == 0 || fields[..start].ends_with(' '))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn what_is_recorded_twice_is_shown_once_and_what_changed_is_added() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .fmt_fields(Once(DefaultFields::new()))
            .with_writer(lines.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::error_span!("csi", driver.name = "nfs", component.version = Empty);
            span.record("driver.name", "nfs");
            span.record("component.version", "1.0.0");
            span.record("component.version", "1.0.0");
            span.record("component.version", "0.9.0");
            span.in_scope(|| tracing::info!("here"));
        });
        let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
        let fields =
            "csi{driver.name=\"nfs\" component.version=\"1.0.0\" component.version=\"0.9.0\"}";
        assert!(text.contains(fields), "{text}");
    }

    #[test]
    fn klogs_numbers_mean_what_kubernetes_says() {
        assert_eq!(LogLevel::of_klog(0), LogLevel::Info);
        assert_eq!(LogLevel::of_klog(2), LogLevel::Info);
        assert_eq!(LogLevel::of_klog(4), LogLevel::Debug);
        assert_eq!(LogLevel::of_klog(5), LogLevel::Trace);
        assert_eq!(LogLevel::of_klog(10), LogLevel::Trace);
    }
}

//! Where `serve` logs: the stream that container runtimes collect.

use tracing_subscriber::filter::LevelFilter;

/// From here on, log lines go to stderr: key and value, one line each.
pub fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(std::io::stderr)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

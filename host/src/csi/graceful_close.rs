//! Connections that stay open for a moment after this side is done with them.
//!
//! A caller may be about to begin a call when it is told that no more are taken. Closed at once, the socket breaks the
//! pipe that it writes to, and it cannot tell a call that never began from one that was cut off. So it hears first that
//! nothing more comes, and closes by itself.

use std::convert::Infallible;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A caller that reads at all has closed by then.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// A caller's connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Until it is dropped.
    stream: Option<UnixStream>,
    /// Held until the socket is really closed.
    open: mpsc::Sender<Infallible>,
}

impl Connection {
    /// Whoever has the other end of `open` learns when all connections are closed.
    pub(super) fn new(stream: UnixStream, open: mpsc::Sender<Infallible>) -> Self {
        let stream = Some(stream);
        Self { stream, open }
    }

    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut UnixStream>> {
        let stream = self.get_mut().stream.as_mut();
        stream
            .map(Pin::new)
            .ok_or(io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) else {
            return;
        };
        let open = self.open.clone();
        runtime.spawn(async move {
            // What a caller still says is for nobody.
            let _ = timeout(LINGER, closed_by_caller(stream)).await;
            drop(open);
        });
    }
}

/// Reads to the end, after saying that nothing more is written.
async fn closed_by_caller(stream: UnixStream) -> io::Result<()> {
    let stream = stream.into_std()?;
    stream.shutdown(Shutdown::Write)?;
    let stream = UnixStream::from_std(stream)?;
    let mut ignored = [0; 4096];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut ignored) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(context)
    }
}

//! What a pod tells of itself: `GET /metrics`, as Prometheus asks it.
//!
//! Whoever answers may be anybody who has got the address since: it is waited for a moment, and read up to a bound.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use drivebay::csi::Samples;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One that is well answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Far more than any number of drivers has.
const LONGEST: u64 = 4 << 20;

pub(super) async fn of(address: SocketAddr) -> io::Result<Samples> {
    let answer = timeout(TIMEOUT, ask(address)).await;
    let answer = answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    body(&answer)
        .and_then(Samples::parse)
        .ok_or_else(|| io::Error::other("what listens there tells no figures"))
}

async fn ask(address: SocketAddr) -> io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    connection
        .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    connection.take(LONGEST).read_to_end(&mut answer).await?;
    String::from_utf8(answer).map_err(io::Error::other)
}

fn body(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    (is_http && words.next()? == "200").then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_is_read() {
        assert_eq!(
            body("HTTP/1.0 200 OK\r\na: b\r\n\r\npage\n"),
            Some("page\n")
        );
        for other in [
            "",
            "HTTP/1.0 200 OK\r\n",
            "HTTP/1.1 404 Not Found\r\n\r\nno\n",
            "220 mail\r\n\r\n",
        ] {
            assert_eq!(body(other), None, "{other:?}");
        }
    }
}

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Instant;

use super::*;
use crate::worker::Credentials;

/// A server on the loopback device; each connection is one thread's.
struct Server {
    port: u16,
    requests: mpsc::Receiver<String>,
}

/// Answers a request with a text, as often as the connection has one.
fn answering(answer: &'static str) -> Server {
    Server::start(move |stream, _| stream.write_all(answer.as_bytes()).is_ok())
}

impl Server {
    /// `serve` gets the connection after each request, and says whether it may have another.
    fn start(serve: impl Fn(&mut TcpStream, &str) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (heard, requests) = mpsc::channel();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (mut stream, heard) = (stream.expect("accepted"), heard.clone());
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    while let Some(request) = read_request(&stream) {
                        let _ = heard.send(format!("connection {number}\n{request}"));
                        if !serve(&mut stream, &request) {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, requests }
    }

    fn message(&self, method: &str, target: &str) -> HttpsMessage {
        HttpsMessage {
            sender: "endpoint test".into(),
            method: method.into(),
            origin: format!("http://api.example.com:{}", self.port),
            target: target.into(),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            port: self.port,
            headers: vec![("x-a".into(), "b".into())],
            body: Body::default(),
            credentials: Credentials::OfDriver,
            ca: None,
            timeout: Duration::from_millis(500),
            max_response_bytes: 1000,
        }
    }

    fn heard(&self) -> String {
        let patience = Duration::from_secs(10);
        self.requests.recv_timeout(patience).expect("a request")
    }
}

fn read_request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        text += &line.replace('\r', "");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8_lossy(&body))
}

#[track_caller]
fn fault(server: &Server) -> Fault {
    let begun = Instant::now();
    let fault = Client::default()
        .send(&server.message("GET", "/"))
        .expect_err("no answer");
    assert!(begun.elapsed() < Duration::from_secs(5), "it took too long");
    assert!(
        fault.message.starts_with("GET http://api.example.com:"),
        "{fault}"
    );
    fault
}

#[test]
fn a_request_is_sent_as_it_was_written_and_has_nothing_added() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-B: c\r\n\r\nok");
    let mut client = Client::default();
    let mut message = server.message("POST", "/a%20b?x=%2F&y=");
    message.body = Body::new(b"body".to_vec());
    let response = client.send(&message).expect("an answer");
    assert_eq!(
        (response.status, response.body.as_bytes()),
        (200, &b"ok"[..])
    );
    assert!(response.headers.contains(&("x-b".into(), "c".into())));
    assert_eq!(
        server.heard(),
        format!(
            "connection 0\nPOST /a%20b?x=%2F&y= HTTP/1.1\ncontent-length: 4\nhost: api.example.com:{}\nx-a: b\nbody",
            server.port
        )
    );
}

#[test]
fn methods_that_carry_a_body_say_how_long_it_is_also_when_it_is_empty() {
    let server = answering("HTTP/1.1 204 No Content\r\n\r\n");
    for method in ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"] {
        let mut client = Client::default();
        let response = client.send(&server.message(method, "/"));
        assert_eq!(response.expect("an answer").status, 204);
        let has_length = ["POST", "PUT", "PATCH"].contains(&method);
        let heard = server.heard();
        assert_eq!(heard.contains("content-length: 0"), has_length, "{heard}");
    }
}

#[test]
fn any_status_is_an_answer_and_no_redirect_is_followed() {
    for status in ["301 Moved", "307 Again", "404 Not Found", "503 Busy"] {
        let answer = format!("HTTP/1.1 {status}\r\nlocation: /other\r\ncontent-length: 1\r\n\r\nx");
        let server = answering(Box::leak(answer.into_boxed_str()));
        let response = Client::default().send(&server.message("GET", "/"));
        let response = response.expect("an answer");
        assert!(status.starts_with(&response.status.to_string()));
        assert!(
            response
                .headers
                .contains(&("location".into(), "/other".into()))
        );
        server.heard();
        assert!(server.requests.try_recv().is_err(), "it was followed");
    }
}

#[test]
fn a_connection_is_used_again_for_the_same_addresses_and_no_others() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let mut client = Client::default();
    let connection = |client: &mut Client, address: [u8; 4]| {
        let mut message = server.message("GET", "/");
        message.addresses = vec![address.into()];
        client.send(&message).map(|_| {
            let heard = server.heard();
            heard.lines().next().unwrap_or_default().to_owned()
        })
    };
    assert_eq!(
        connection(&mut client, [127, 0, 0, 1]),
        Ok("connection 0".into())
    );
    assert_eq!(
        connection(&mut client, [127, 0, 0, 1]),
        Ok("connection 0".into())
    );
    let other = connection(&mut client, [127, 0, 0, 2]).expect_err("nobody there");
    assert_eq!(other.kind, FaultKind::Unreachable);
    assert!(other.message.contains("Connection refused"), "{other}");
}

#[test]
fn a_body_of_the_allowed_size_passes_and_one_byte_more_does_not() {
    let answer = |size: usize| {
        let text = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{}",
            "x".repeat(size)
        );
        answering(Box::leak(text.into_boxed_str()))
    };
    let server = answer(1000);
    assert!(Client::default().send(&server.message("GET", "/")).is_ok());
    let fault = fault(&answer(1001));
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(
        fault
            .message
            .contains("larger than 1000 bytes (max-response"),
        "{fault}"
    );
}

#[test]
fn slow_headers_and_slow_bodies_end_at_the_timeout() {
    for begin in [
        "",
        "HTTP/1.1 200 OK\r\nx: ",
        "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n",
    ] {
        let server = Server::start(move |stream, _| {
            let _ = stream.write_all(begin.as_bytes());
            while !begin.is_empty() && stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_secs(5));
            false
        });
        let fault = fault(&server);
        assert_eq!(fault.kind, FaultKind::Unreachable);
        assert!(
            fault.message.contains("no whole answer in time"),
            "{begin}: {fault}"
        );
    }
}

#[test]
fn endless_headers_and_bodies_are_cut_off() {
    let endless = |begin: &'static str, more: &'static str| {
        Server::start(move |stream, _| {
            let _ = stream.write_all(begin.as_bytes());
            while stream.write_all(more.as_bytes()).is_ok() {}
            false
        })
    };
    let fault_of = |begin, more| fault(&endless(begin, more)).kind;
    let body = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(fault_of(body, "5\r\nxxxxx\r\n"), FaultKind::Unreachable);
    assert_eq!(
        fault_of("HTTP/1.1 200 OK\r\n\r\n", "xxxxx"),
        FaultKind::Unreachable
    );
    assert_eq!(
        fault_of("HTTP/1.1 200 OK\r\nx: ", "xxxxx"),
        FaultKind::Unreachable
    );
    // Too many or too large: which bound is met first depends on how the network cuts them.
    for (begin, more) in [
        ("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        assert_eq!(fault_of(begin, more), FaultKind::Unreachable);
    }
}

#[test]
fn what_is_not_http_and_what_ends_too_early_is_no_answer() {
    for (answer, reason) in [
        ("", "the connection ended before the answer did"),
        (
            "HTTP/1.1 200 OK\r\nconte",
            "the connection ended before the answer did",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
            "the connection ended before the answer did",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
            "the connection ended before the answer did",
        ),
        (
            "SSH-2.0-OpenSSH_9.2 hunter2\r\n\r\n",
            "the server's answer is not HTTP",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nhunter2\r\n",
            "the server's answer is not HTTP",
        ),
    ] {
        let server = Server::start(move |stream, _| {
            let _ = stream.write_all(answer.as_bytes());
            false
        });
        let fault = fault(&server);
        assert_eq!(fault.kind, FaultKind::Unreachable, "{answer:?}");
        assert!(fault.message.contains(reason), "{answer:?}: {fault}");
        assert!(!fault.message.contains("hunter2"), "{fault}");
    }
}

#[test]
fn a_grants_certificates_have_to_be_certificates() {
    let server = answering("");
    let mut message = server.message("GET", "/");
    message.origin = "https://api.example.com".into();
    for (pem, reason) in [
        ("", "holds no certificate"),
        ("nothing", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
            "cannot be understood",
        ),
    ] {
        message.ca = Some(Body::new(pem.into()));
        let fault = Client::default().send(&message).expect_err("no CA");
        assert!(fault.message.contains(reason), "{fault}");
    }
}

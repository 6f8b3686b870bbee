//! What stands between a provisioner and the API server: it notes each request, and lets one of them be the last.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// When a process is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The API server never learns of the request.
    Before,
    /// It has carried it out, and nobody learns of that.
    After,
    /// The API server never learns of it, and its connection breaks.
    Cut,
}

/// A request, by what its line begins with and what is in its path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
}

/// Which request springs a trap.
enum Wanted {
    Next(Request),
    /// That many more that change something come first.
    WriteAfter(usize),
}

struct Trap {
    moment: Moment,
    wanted: Wanted,
    sprung: Sender<()>,
    /// The request is handed on once that is told.
    goes_on: Option<Receiver<()>>,
}

/// A request that waits at the gate, once it has come.
pub(crate) struct Held {
    pub(crate) has_come: Receiver<()>,
    goes_on: Sender<()>,
}

impl Held {
    pub(crate) fn let_go(self) {
        // Whoever sent it may have ended.
        let _ = self.goes_on.send(());
    }
}

#[derive(Default)]
struct State {
    trap: Option<Trap>,
    /// Lines of requests, as `METHOD path`.
    seen: Vec<String>,
}

/// Listens until the test's process ends.
pub(crate) struct Gate {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Gate {
    /// In front of whoever listens there.
    pub(crate) fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, server) = (Arc::clone(&state), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, server) = (Arc::clone(&shared), server.clone());
                thread::spawn(move || serve(client, &server, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Tells when the next such request comes, which is answered to nobody.
    pub(crate) fn trap(&self, moment: Moment, request: Request) -> Receiver<()> {
        self.set(moment, Wanted::Next(request))
    }

    /// Keeps the next such request waiting.
    pub(crate) fn hold(&self, request: Request) -> Held {
        self.keep_waiting(Wanted::Next(request))
    }

    /// The same of a request that changes something, after so many others.
    pub(crate) fn hold_write_after(&self, others: usize) -> Held {
        self.keep_waiting(Wanted::WriteAfter(others))
    }

    fn keep_waiting(&self, wanted: Wanted) -> Held {
        let (goes_on, told) = channel();
        let has_come = self.set(Moment::Before, wanted);
        if let Some(trap) = &mut lock(&self.state).trap {
            trap.goes_on = Some(told);
        }
        Held { has_come, goes_on }
    }

    /// As [`Self::trap`], for a request that changes something, after so many others.
    pub(crate) fn trap_write_after(&self, moment: Moment, others: usize) -> Receiver<()> {
        self.set(moment, Wanted::WriteAfter(others))
    }

    /// Whoever comes passes.
    pub(crate) fn open(&self) {
        lock(&self.state).trap = None;
    }

    fn set(&self, moment: Moment, wanted: Wanted) -> Receiver<()> {
        let (sprung, told) = channel();
        lock(&self.state).trap = Some(Trap {
            moment,
            wanted,
            sprung,
            goes_on: None,
        });
        told
    }

    /// Requests by now, but for the lease's.
    pub(crate) fn requests(&self) -> Vec<String> {
        let state = lock(&self.state);
        let seen = state.seen.iter();
        seen.filter(|line| !line.contains("/leases"))
            .cloned()
            .collect()
    }

    /// Requests by now that change something, but for the lease.
    pub(crate) fn writes(&self) -> Vec<String> {
        let mut writes = self.requests();
        writes.retain(|line| !line.starts_with("GET "));
        writes
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection; requests come one after the other on it.
fn serve(client: TcpStream, server: &str, state: &Mutex<State>) {
    let Ok(upstream) = TcpStream::connect(server) else {
        return;
    };
    let (Ok(mut answers), Ok(mut back)) = (upstream.try_clone(), client.try_clone()) else {
        return;
    };
    let holds: Mutex<Option<Sender<()>>> = Mutex::new(None);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 16 << 10];
            while let Ok(length @ 1..) = answers.read(&mut buffer) {
                let held = holds.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(sprung) = held {
                    let _ = sprung.send(());
                    is_over.store(true, Ordering::SeqCst);
                }
                if !is_over.load(Ordering::SeqCst) && back.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = back.shutdown(Shutdown::Both);
        });
        let _ = forward(&client, &upstream, state, &holds);
        let _ = upstream.shutdown(Shutdown::Both);
    });
}

/// Hands on what the client says, until it says no more or springs the trap.
fn forward(
    mut client: &TcpStream,
    mut upstream: &TcpStream,
    state: &Mutex<State>,
    holds: &Mutex<Option<Sender<()>>>,
) -> std::io::Result<()> {
    let mut pending = Vec::new();
    loop {
        let Some(end) = head_end(&pending) else {
            let mut buffer = [0; 16 << 10];
            match client.read(&mut buffer)? {
                0 => return Ok(()),
                length => pending.extend_from_slice(&buffer[..length]),
            }
            continue;
        };
        let head = String::from_utf8_lossy(&pending[..end]).into_owned();
        let length = end + content_length(&head);
        while pending.len() < length {
            let mut buffer = [0; 16 << 10];
            match client.read(&mut buffer)? {
                0 => return Ok(()),
                read => pending.extend_from_slice(&buffer[..read]),
            }
        }
        match sprung(state, &head) {
            Some(Trap {
                goes_on: Some(goes_on),
                sprung,
                ..
            }) => {
                let _ = sprung.send(());
                let _ = goes_on.recv();
            }
            Some(Trap {
                moment: Moment::Cut,
                sprung,
                ..
            }) => {
                let _ = sprung.send(());
                let _ = client.shutdown(Shutdown::Both);
                return Ok(());
            }
            Some(Trap {
                moment: Moment::Before,
                sprung,
                ..
            }) => {
                let _ = sprung.send(());
                // Until the client is killed.
                while client.read(&mut [0; 1024])? > 0 {}
                return Ok(());
            }
            Some(trap) => *holds.lock().unwrap_or_else(PoisonError::into_inner) = Some(trap.sprung),
            None => {}
        }
        upstream.write_all(&pending[..length])?;
        pending.drain(..length);
    }
}

/// Notes a request; the trap, if it was for this one.
fn sprung(state: &Mutex<State>, head: &str) -> Option<Trap> {
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let mut state = lock(state);
    state.seen.push(format!("{method} {path}"));
    state.trap.take_if(|trap| trap.wanted.is(method, path))
}

impl Wanted {
    fn is(&mut self, method: &str, path: &str) -> bool {
        match self {
            Self::Next(request) => method == request.method && path.contains(request.path),
            Self::WriteAfter(_) if method == "GET" => false,
            Self::WriteAfter(0) => true,
            Self::WriteAfter(others) => {
                *others -= 1;
                false
            }
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    let found = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    found.map(|position| position + 4)
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    found
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

//! What a node's pod tells of itself, in a test's own words.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Listens until the test's process ends.
pub(crate) struct Figures {
    pub(crate) port: u16,
    page: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Figures {
    /// That tell nothing yet of what is offered.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let figures = Self {
            port: listener.local_addr().expect("an address").port(),
            page: Arc::default(),
            asked: Arc::default(),
        };
        let (page, asked) = (Arc::clone(&figures.page), Arc::clone(&figures.asked));
        thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                let page = page.lock().unwrap_or_else(PoisonError::into_inner).clone();
                answer(caller, &page);
                asked.fetch_add(1, Ordering::SeqCst);
            }
        });
        figures.tell("", "nothing");
        figures
    }

    /// What nfs is offered, by its digest, and how far that has come.
    pub(crate) fn tell(&self, content: &str, state: &str) {
        let refused = match state {
            "refused" => "drivebay_component_refused{driver=\"nfs\",step=\"check\"} 1\n",
            _ => "",
        };
        let page = format!(
            "drivebay_component_offer_info{{driver=\"nfs\",component=\"nfs\",content=\"{content}\",driver_file=\"\",\
             state=\"{state}\"}} 1\n{refused}# EOF\n"
        );
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    /// How often somebody has asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut caller: TcpStream, page: &str) {
    let mut request = [0; 1024];
    // Whoever hangs up is nobody's concern.
    let _ = caller.read(&mut request);
    let _ = write!(caller, "HTTP/1.0 200 OK\r\n\r\n{page}");
}

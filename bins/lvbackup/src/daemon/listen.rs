//! Answering who asks for metrics over HTTP: one at a time, in bounded time and memory.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Prometheus waits for 10 s; who sends its request more slowly than that hinders the next one.
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_REQUEST_BYTES: usize = 8 << 10;
/// How soon it ends when nobody needs it any more.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// Answers for as long as it is there.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    text: Arc<Mutex<String>>,
}

impl Listener {
    /// Listens there.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub(super) fn new(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        let text = Arc::new(Mutex::new(String::new()));
        let theirs = Arc::downgrade(&text);
        let address = socket.local_addr()?;
        std::thread::Builder::new().name("metrics".to_owned()).spawn(move || serve(&socket, &theirs))?;
        Ok(Self { address, text })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is answered from now on.
    pub(super) fn put(&self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

fn serve(socket: &TcpListener, text: &Weak<Mutex<String>>) {
    loop {
        let ready = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&TICK));
        let Some(text) = text.upgrade() else { return };
        if matches!(ready, Ok(1..))
            && let Ok((client, _)) = socket.accept()
        {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Who goes away early has no answer.
            let _ = answer(client, &text);
        }
    }
}

fn answer(mut client: TcpStream, text: &str) -> io::Result<()> {
    client.set_write_timeout(Some(TIMEOUT))?;
    let request = request(&mut client)?;
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let (status, text) = match words[..] {
        [b"GET", b"/metrics", version] if version.starts_with(b"HTTP/1.") => ("200 OK", text),
        [b"GET", _, version] if version.starts_with(b"HTTP/1.") => ("404 Not Found", "only /metrics is here\n"),
        _ => ("400 Bad Request", "only GET /metrics is answered\n"),
    };
    let kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8";
    let head = format!("HTTP/1.0 {status}\r\n{kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    client.write_all(head.as_bytes())?;
    client.write_all(text.as_bytes())
}

/// The whole head of a request: what is left unread when a connection is closed would cost the client its answer.
fn request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let until = Instant::now() + TIMEOUT;
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() >= MAX_REQUEST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            len => head.extend_from_slice(&buffer[..len]),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(listener: &Listener, request: &str) -> String {
        let mut client = TcpStream::connect(listener.address()).unwrap();
        let _ = client.write_all(request.as_bytes());
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn who_asks_rightly_is_answered_and_nobody_else() {
        let listener = Listener::new("127.0.0.1:0".parse().unwrap()).unwrap();
        listener.put("a_metric 1\n".to_owned());
        let answer = ask(&listener, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("\r\n\r\na_metric 1\n"), "{answer}");
        assert!(answer.contains("Content-Length: 11\r\n"));
        assert!(ask(&listener, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.0 404 "));
        assert!(ask(&listener, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.0 400 "));
        assert_eq!(ask(&listener, &"x".repeat(20_000)), "");
        // Who says nothing hinders the next one for 2 s at most.
        let silent = TcpStream::connect(listener.address()).unwrap();
        let begun = Instant::now();
        assert!(ask(&listener, "GET /metrics HTTP/1.0\r\n\r\n").ends_with("a_metric 1\n"));
        assert!(begun.elapsed() < Duration::from_secs(10));
        drop(silent);
        // When nobody needs it any more, the address is free again.
        let address = listener.address();
        drop(listener);
        assert!((0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            TcpListener::bind(address).is_ok()
        }));
    }
}

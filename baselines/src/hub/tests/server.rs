use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prismbench_weights::sha256;

pub(crate) const COMMIT: &str = "00112233445566778899aabbccddeeff00112233";

/// A hub on this machine that has one file, and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// How the server treats its file.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) content: Vec<u8>,
    pub(crate) etag: String,
    /// Instead of the file, if not 200.
    pub(crate) status: u16,
    /// Where a redirect of the file leads.
    pub(crate) location: String,
    /// What happens in the middle of a body.
    pub(crate) trouble: Trouble,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    None,
    /// The connection is closed after so many bytes.
    Cut(usize),
    /// Nothing comes any more after so many bytes, and the connection stays.
    Stall(usize),
    /// A byte is another one.
    Alter,
    /// Ranges are not known: every answer is the whole file.
    NoRanges,
}

impl Served {
    pub(crate) fn new(content: &[u8]) -> Self {
        Self {
            content: content.to_vec(),
            etag: sha256(content),
            status: 200,
            location: String::new(),
            trouble: Trouble::None,
        }
    }

    pub(crate) fn with(self, trouble: Trouble) -> Self {
        Self { trouble, ..self }
    }
}

impl Server {
    pub(crate) fn start(served: Served) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let request = read(&stream);
                // Before the answer: whoever has that finds the request here.
                seen.lock().unwrap().push(request.clone());
                let served = served.clone();
                // A stalled answer keeps no other waiting.
                std::thread::spawn(move || answer(stream, &request, &served));
            }
        });
        Self { endpoint, requests }
    }

    pub(crate) fn requests(&self) -> String {
        self.requests.lock().unwrap().join("\n")
    }
}

fn read(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request: Vec<String> =
        lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    request.join("\n")
}

fn answer(mut stream: TcpStream, request: &str, served: &Served) {
    let range = request
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let (first, last) =
        range.as_deref().and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let first: usize = first.parse().unwrap();
    let last = last.parse().unwrap_or(served.content.len() - 1);
    let mut content = served.content.clone();
    let is_probe = (first, last) == (0, 0);
    if served.trouble == Trouble::Alter && !is_probe {
        content[served.content.len() / 2] ^= 1;
    }
    let known = format!("ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n", served.etag);
    let (head, body) = match served.status {
        200 if served.trouble == Trouble::NoRanges && !is_probe => {
            (format!("HTTP/1.1 200 OK\r\n{known}"), &content[..])
        }
        200 => {
            let total = served.content.len();
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{known}Content-Range: bytes {first}-{last}/{total}\r\n"
            );
            (head, &content[first..=last])
        }
        status @ 300..400 => {
            let location = &served.location;
            (format!("HTTP/1.1 {status} There\r\n{known}Location: {location}\r\n"), &b""[..])
        }
        status => (format!("HTTP/1.1 {status} No\r\n"), &b""[..]),
    };
    let end = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &end).as_bytes()).unwrap();
    let sent = match served.trouble {
        Trouble::Cut(bytes) | Trouble::Stall(bytes) => bytes.min(body.len()),
        _ => body.len(),
    };
    // Whoever asked may be gone.
    let _ = stream.write_all(&body[..sent]);
    if matches!(served.trouble, Trouble::Stall(_)) && sent < body.len() {
        std::thread::sleep(Duration::from_secs(30));
    }
}

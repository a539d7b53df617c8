//! Files over HTTP: what the hub announces, and bytes from where it redirects to.
//!
//! The token goes to the hub's own address and nowhere else: large files lie at a storage that redirects
//! name, whose addresses are signed and need none.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

use super::is_hash;

/// Redirects that are followed: the hub needs two.
const MAX_REDIRECTS: usize = 10;

/// Attempts that may follow each other without a byte in between.
const ATTEMPTS: u32 = 4;

/// Before the second attempt; twice as much before each later one.
const WAIT: Duration = Duration::from_millis(300);

const CONNECT: Duration = Duration::from_secs(30);

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    #[error("the request failed")]
    Request(#[source] Box<ureq::Error>),
    #[error("the file cannot be written")]
    Io(#[source] io::Error),
    #[error("the answer has no usable header `{0}`")]
    Header(&'static str),
    #[error("nothing came for {} s; {done} of {total} bytes are here", patience.as_secs_f32())]
    Stalled { patience: Duration, done: u64, total: u64 },
    #[error("it ended after {done} of {total} bytes")]
    CutShort { done: u64, total: u64 },
    #[error("it is redirected more than {MAX_REDIRECTS} times")]
    Circles,
    #[error("it is redirected to `{0}`, which is no address to follow")]
    Redirect(String),
}

impl TransferError {
    /// The status that ended the request.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Request(error) => match error.as_ref() {
                ureq::Error::StatusCode(status) => Some(*status),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What the hub says of a file before it comes.
#[derive(Debug)]
pub(super) struct Announced {
    /// sha256 of a large file, what git calls it of a small one.
    pub(super) etag: String,
    pub(super) commit: String,
    pub(super) size: u64,
}

/// Whoever asks the hub.
pub(super) struct Client<'a> {
    agent: Agent,
    endpoint: &'a str,
    token: Option<&'a str>,
    patience: Duration,
}

/// An answer, and what the hub itself said on the way to it.
struct Answer {
    response: Response<Body>,
    etag: Option<String>,
    commit: Option<String>,
}

impl<'a> Client<'a> {
    /// `patience` is how long nothing may come.
    pub(super) fn new(endpoint: &'a str, token: Option<&'a str>, patience: Duration) -> Self {
        let config = Agent::config_builder()
            // Each is looked at here, for what is sent along.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT.min(patience)))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .build();
        Self { agent: config.into(), endpoint, token, patience }
    }

    /// Asks for the first byte, which the hub answers with what it knows of the file.
    pub(super) fn announced(&self, url: &str) -> Result<Announced, TransferError> {
        let answer = self.get(url, "bytes=0-0")?;
        let is_usable = |text: &String| is_hash(text);
        // Both become parts of paths.
        let etag = answer.etag.filter(is_usable).ok_or(TransferError::Header("etag"))?;
        let commit =
            answer.commit.filter(is_usable).ok_or(TransferError::Header("x-repo-commit"))?;
        let range = text(answer.response.headers(), "content-range");
        let size = range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
        let size = size.ok_or(TransferError::Header("content-range"))?;
        Ok(Announced { etag, commit, size })
    }

    /// Brings a file to its announced size, going on with what is there.
    pub(super) fn fill(
        &self,
        url: &str,
        path: &Path,
        (size, progress): (u64, &mut dyn FnMut(u64, u64)),
    ) -> Result<(), TransferError> {
        let opened = File::options().create(true).append(true).read(true).open(path);
        let file = &mut opened.map_err(TransferError::Io)?;
        let mut done = file.seek(SeekFrom::End(0)).map_err(TransferError::Io)?;
        if done > size {
            // Of another file: nothing of it is of use.
            file.set_len(0).map_err(TransferError::Io)?;
            done = 0;
        }
        let (mut attempts, mut wait) = (0, WAIT);
        while done < size {
            progress(done, size);
            let before = done;
            let tried = self.attempt(url, file, (&mut done, size), progress);
            if done > before {
                (attempts, wait) = (0, WAIT);
            }
            let error = match tried {
                Ok(()) if done == size => break,
                Ok(()) => TransferError::CutShort { done, total: size },
                // What is asked for is not there, and the disk does not grow by asking again.
                Err(error) if error.status().is_some_and(|status| status < 500) => {
                    return Err(error);
                }
                Err(error @ (TransferError::Io(_) | TransferError::Redirect(_))) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            attempts += 1;
            if attempts == ATTEMPTS {
                return Err(error);
            }
            thread::sleep(wait);
            wait *= 2;
        }
        progress(done, size);
        file.sync_all().map_err(TransferError::Io)
    }

    /// Asks for what is missing and appends what comes of it.
    fn attempt(
        &self,
        url: &str,
        file: &mut File,
        (done, size): (&mut u64, u64),
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), TransferError> {
        let response = self.get(url, &format!("bytes={done}-"))?.response;
        if response.status() != 206 && *done > 0 {
            // A server that does not know of ranges begins anew.
            file.set_len(0).map_err(TransferError::Io)?;
            *done = 0;
        }
        let mut body = response.into_body().into_reader().take(size - *done);
        let mut bytes = vec![0; 1 << 16];
        loop {
            let count = match body.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.stopped(error.into(), (*done, size))),
            };
            file.write_all(&bytes[..count]).map_err(TransferError::Io)?;
            *done += count as u64;
            progress(*done, size);
        }
    }

    fn stopped(&self, error: ureq::Error, (done, total): (u64, u64)) -> TransferError {
        match error {
            ureq::Error::Timeout(_) => {
                TransferError::Stalled { patience: self.patience, done, total }
            }
            error => TransferError::Request(Box::new(error)),
        }
    }

    /// Follows redirects by itself: `url` and every one of them is asked with the token only where it is the hub.
    fn get(&self, url: &str, range: &str) -> Result<Answer, TransferError> {
        let mut url = url.to_owned();
        let (mut etag, mut commit) = (None, None);
        for _ in 0..=MAX_REDIRECTS {
            let is_hub = origin(&url).is_some_and(|at| origin(self.endpoint) == Some(at));
            let mut request = self.agent.get(&url).header("range", range);
            // Packed bytes would have other places.
            request = request.header("accept-encoding", "identity");
            if let Some(token) = self.token.filter(|_| is_hub) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| self.stopped(error, (0, 0)))?;
            let headers = response.headers();
            if is_hub {
                let hash = text(headers, "x-linked-etag").or_else(|| text(headers, "etag"));
                etag = hash.map(|hash| hash.trim_start_matches("W/").replace('"', "")).or(etag);
                commit = text(headers, "x-repo-commit").or(commit);
            }
            if !response.status().is_redirection() {
                return Ok(Answer { response, etag, commit });
            }
            let location = text(headers, "location").ok_or(TransferError::Header("location"))?;
            url = resolved(&url, &location).ok_or(TransferError::Redirect(location))?;
        }
        Err(TransferError::Circles)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// Where a redirect leads: an address of its own, or a path at the same one. Never from https to http.
fn resolved(url: &str, location: &str) -> Option<String> {
    let (scheme, ..) = origin(url)?;
    if location.starts_with('/') && !location.starts_with("//") {
        let uri: Uri = url.parse().ok()?;
        return Some(format!("{scheme}://{}{location}", uri.authority()?));
    }
    let (next, ..) = origin(location)?;
    let is_safe = next == "https" || (next == "http" && scheme == "http");
    is_safe.then(|| location.to_owned())
}

/// Puts a pointer to `blob` at `place`, as Python's library does: a relative link, or a copy where there are none.
pub(super) fn point(blob: &Path, place: &Path, depth: usize) -> io::Result<()> {
    let (Some(name), Some(folder)) = (blob.file_name(), place.parent()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    fs::create_dir_all(folder)?;
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    #[cfg(unix)]
    {
        // snapshots/COMMIT/PATH, from which blobs/ is two folders up and one for each in PATH.
        let up = "../".repeat(depth + 2);
        std::os::unix::fs::symlink(Path::new(&up).join("blobs").join(name), place)
    }
    #[cfg(not(unix))]
    {
        let _ = (name, depth);
        fs::copy(blob, place).map(|_| ())
    }
}

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use prismbench_weights::sha256;

use super::*;

const FILE: HubFile = HubFile { repository: "owner/name", path: "vae/weights.safetensors" };

fn from(variables: &[(&str, &str)]) -> Hub {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Hub::from_variables(|name| find(name).map(|(_, value)| value.into()))
}

#[test]
fn the_environment_names_the_cache_as_for_python() {
    let all = [("HF_HUB_CACHE", "/a"), ("HF_HOME", "/b"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/d")];
    let cache = |variables| from(variables).cache;
    assert_eq!(cache(&all), PathBuf::from("/a"));
    assert_eq!(cache(&all[1..]), PathBuf::from("/b/hub"));
    assert_eq!(cache(&all[2..]), PathBuf::from("/c/huggingface/hub"));
    assert_eq!(cache(&all[3..]), PathBuf::from("/d/.cache/huggingface/hub"));
    assert_eq!(
        cache(&[("HF_HOME", ""), ("HOME", "/d")]),
        PathBuf::from("/d/.cache/huggingface/hub")
    );
}

#[test]
fn the_environment_names_address_token_and_offline_mode() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("token"), "hf_kept\n").unwrap();
    let home = home.path().to_str().unwrap();
    let hub =
        from(&[("HF_HOME", home), ("HF_ENDPOINT", "http://mirror/"), ("HF_HUB_OFFLINE", "1")]);
    assert_eq!(hub.token.as_deref(), Some("hf_kept"));
    assert_eq!((hub.endpoint.as_str(), hub.offline), ("http://mirror", true));
    let hub = from(&[("HF_HOME", home), ("HF_TOKEN", "hf_given"), ("HF_HUB_OFFLINE", "0")]);
    assert_eq!(hub.token.as_deref(), Some("hf_given"));
    assert_eq!((hub.endpoint.as_str(), hub.offline), ("https://huggingface.co", false));
}

#[test]
fn a_file_is_found_by_branch_and_by_commit() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("models--owner--name");
    let snapshot = repository.join("snapshots/0123abc/vae");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), "0123abc\n").unwrap();
    fs::write(repository.join("refs/escape"), "../../..").unwrap();
    let hub = Hub::new(folder.path(), "");
    assert_eq!(hub.find(&FILE, None), None);
    let path = snapshot.join("weights.safetensors");
    fs::write(&path, "x").unwrap();
    assert_eq!(hub.find(&FILE, None), Some(path.clone()));
    assert_eq!(hub.find(&FILE, Some("0123abc")), Some(path));
    assert_eq!(hub.find(&FILE, Some("v2")), None);
    assert!(hub.place(&FILE, Some("escape")).starts_with(repository.join("snapshots/escape")));
}

const COMMIT: &str = "00112233445566778899aabbccddeeff00112233";

/// A hub on this machine that has one file, and remembers what it was asked.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// How the server treats its file.
#[derive(Clone)]
struct Served {
    content: Vec<u8>,
    etag: String,
    /// Instead of the file, if not 200.
    status: u16,
}

impl Served {
    fn new(content: &[u8]) -> Self {
        Self { content: content.to_vec(), etag: sha256(content), status: 200 }
    }
}

impl Server {
    fn start(served: Served) -> Self {
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
                answer(stream, &request, &served);
            }
        });
        Self { endpoint, requests }
    }

    fn requests(&self) -> String {
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
    let (head, body) = match served.status {
        200 => {
            let body = &served.content[first..=last];
            let total = served.content.len();
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n\
                 Content-Range: bytes {first}-{last}/{total}\r\n",
                served.etag
            );
            (head, body)
        }
        status => (format!("HTTP/1.1 {status} No\r\n"), &b""[..]),
    };
    let end = format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all((head + &end).as_bytes()).unwrap();
    stream.write_all(body).unwrap();
}

fn fetch(hub: &Hub, revision: Option<&str>) -> Result<(PathBuf, Vec<(u64, u64)>), FetchError> {
    let mut steps = Vec::new();
    let path = hub.fetch(&FILE, revision, &mut |done, total| steps.push((done, total)))?;
    Ok((path, steps))
}

#[test]
fn a_fetched_file_is_found_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let content = vec![7; 100_000];
    let server = Server::start(Served::new(&content));
    let mut hub = Hub::new(folder.path(), &server.endpoint);
    hub.token = Some("hf_secret".to_owned());
    let (path, steps) = fetch(&hub, None).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(steps.last(), Some(&(100_000, 100_000)));
    assert_eq!(hub.find(&FILE, None), Some(path));
    assert!(hub.find(&FILE, Some(COMMIT)).is_some());
    let requests = server.requests().to_lowercase();
    assert!(requests.contains("/owner/name/resolve/main/vae/weights.safetensors"), "{requests}");
    assert!(requests.contains("authorization: bearer hf_secret"), "{requests}");
}

#[test]
fn a_download_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..50_000_u32).map(|i| (i % 251) as u8).collect();
    let served = Served::new(&content);
    let blobs = folder.path().join("models--owner--name/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let begun = blobs.join(format!("{}.part", served.etag));
    fs::write(&begun, &content[..20_000]).unwrap();
    let server = Server::start(served);
    let (path, _) = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap();
    assert_eq!(fs::read(path).unwrap(), content);
    let requests = server.requests().to_lowercase();
    assert!(requests.contains("range: bytes=20000-"), "{requests}");
}

#[test]
fn a_file_that_is_not_what_was_announced_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served { etag: sha256(b"other"), ..Served::new(b"something") };
    let server = Server::start(served);
    let hub = Hub::new(folder.path(), &server.endpoint);
    let error = fetch(&hub, None).unwrap_err();
    assert!(matches!(error, FetchError::Changed { .. }), "{error}");
    assert_eq!(hub.find(&FILE, None), None);
}

#[test]
fn announcements_that_would_escape_the_cache_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served { etag: "../../escaped".to_owned(), ..Served::new(b"something") };
    let server = Server::start(served);
    let error = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap_err();
    assert!(matches!(error, FetchError::Failed { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_the_hub_does_not_give_is_answered_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |status, revision| {
        let server = Server::start(Served { status, ..Served::new(b"x") });
        fetch(&Hub::new(folder.path(), &server.endpoint), revision).unwrap_err()
    };
    let error = refusal(404, Some("v9"));
    assert_eq!(
        error.to_string(),
        "the hub has no `vae/weights.safetensors` in owner/name at revision `v9`"
    );
    for status in [401, 403] {
        assert!(refusal(status, None).remedy().contains("HF_TOKEN"));
    }
    let unreachable = fetch(&Hub::new(folder.path(), "http://127.0.0.1:9"), None).unwrap_err();
    assert!(matches!(unreachable, FetchError::Failed { .. }));
    let offline = Hub { offline: true, ..Hub::new(folder.path(), "http://127.0.0.1:9") };
    let error = fetch(&offline, None).unwrap_err();
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
}

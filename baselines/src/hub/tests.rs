mod server;

use std::time::Duration;

use prismbench_weights::sha256;

use self::server::{COMMIT, Served, Server, Trouble};
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

/// Bytes that are no others' neighbours.
fn content() -> Vec<u8> {
    (0..50_000_u32).map(|i| (i % 251) as u8).collect()
}

fn failure(error: &FetchError) -> String {
    let cause = std::error::Error::source(error).map_or(String::new(), ToString::to_string);
    format!("{error}: {cause}")
}

/// Files below a folder whose names end so.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_str().unwrap().ends_with(end) => found.push(path),
                false => {}
            }
        }
    }
    found
}

#[test]
fn a_transfer_that_is_cut_goes_on_by_itself_and_what_came_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::new(&content());
    // Each answer ends after 20,000 bytes: three make the file.
    let server = Server::start(served.clone().with(Trouble::Cut(20_000)));
    let (path, steps) = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(steps.last(), Some(&(50_000, 50_000)));
    let requests = server.requests().to_lowercase();
    assert!(requests.contains("range: bytes=20000-") && requests.contains("range: bytes=40000-"));

    // Nothing comes at all: it is given up, and the next attempt goes on.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(served.clone().with(Trouble::Cut(0)));
    let hub = Hub::new(folder.path(), &server.endpoint);
    let error = fetch(&hub, None).unwrap_err();
    assert!(matches!(error, FetchError::Failed { .. }), "{error}");
    assert!(error.remedy().contains("goes on where the download stopped"));
    assert_eq!(hub.find(&FILE, None), None);
    let server = Server::start(served);
    let (path, _) = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

#[test]
fn a_transfer_that_stalls_is_given_up_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::new(&content());
    let server = Server::start(served.clone().with(Trouble::Stall(20_000)));
    let mut hub = Hub::new(folder.path(), &server.endpoint);
    hub.patience = Duration::from_millis(200);
    // Every attempt brings something, so the file comes whole all the same.
    let (path, _) = fetch(&hub, None).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());

    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(served.with(Trouble::Stall(0)));
    let mut hub = Hub::new(folder.path(), &server.endpoint);
    hub.patience = Duration::from_millis(200);
    let error = failure(&fetch(&hub, None).unwrap_err());
    assert!(error.contains("nothing came for 0.2 s"), "{error}");
    assert_eq!(hub.find(&FILE, None), None);
}

#[test]
fn an_altered_transfer_is_thrown_away_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Served::new(&content()).with(Trouble::Alter));
    let hub = Hub::new(folder.path(), &server.endpoint);
    let error = fetch(&hub, None).unwrap_err();
    assert!(matches!(error, FetchError::Changed { .. }), "{error}");
    assert!(error.to_string().contains("should have the sha256"), "{error}");
    // Neither taken for right nor gone on with.
    assert_eq!(hub.find(&FILE, None), None);
    assert!(files(folder.path(), ".part").is_empty());
    assert!(files(folder.path(), "weights.safetensors").is_empty());
}

/// What `git hash-object` says of `hello` and a line's end.
#[test]
fn a_small_file_is_checked_by_the_hash_that_git_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let etag = "ce013625030ba8dba906f756967f9e9ca394464a".to_owned();
    let served = Served { etag, ..Served::new(b"hello\n") };
    let altered = Server::start(served.clone().with(Trouble::Alter));
    let error = fetch(&Hub::new(folder.path(), &altered.endpoint), None).unwrap_err();
    assert!(matches!(error, FetchError::Changed { .. }), "{error}");
    assert!(error.to_string().contains("should have the git hash ce013625"), "{error}");
    assert!(files(folder.path(), ".part").is_empty());
    assert!(files(folder.path(), "weights.safetensors").is_empty());
    let server = Server::start(served);
    let (path, _) = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap();
    assert_eq!(fs::read(path).unwrap(), b"hello\n");
}

#[test]
fn a_server_that_knows_no_ranges_gives_the_file_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("models--owner--name/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.part", sha256(&content()))), [9; 777]).unwrap();
    let server = Server::start(Served::new(&content()).with(Trouble::NoRanges));
    let (path, _) = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_it_redirects_to() {
    for status in [301, 302, 303, 307, 308] {
        let folder = tempfile::tempdir().unwrap();
        let storage = Server::start(Served::new(&content()));
        let location = format!("{}/signed?key=1", storage.endpoint);
        let server = Server::start(Served { status, location, ..Served::new(&content()) });
        let mut hub = Hub::new(folder.path(), &server.endpoint);
        hub.token = Some("hf_secret".to_owned());
        let (path, _) = fetch(&hub, None).unwrap();
        assert_eq!(fs::read(path).unwrap(), content());
        let (asked, elsewhere) = (server.requests().to_lowercase(), storage.requests());
        assert!(asked.contains("authorization: bearer hf_secret"), "{asked}");
        assert!(elsewhere.contains("/signed?key=1"), "{elsewhere}");
        let elsewhere = elsewhere.to_lowercase();
        assert!(
            !elsewhere.contains("authorization") && !elsewhere.contains("hf_secret"),
            "{elsewhere}"
        );
    }
}

#[test]
fn redirects_in_circles_or_to_nowhere_end() {
    let folder = tempfile::tempdir().unwrap();
    for (location, expected) in [
        ("/again", "redirected more than"),
        ("ftp://elsewhere/x", "no address to follow"),
        ("file:///etc/passwd", "no address to follow"),
        ("//elsewhere/x", "no address to follow"),
    ] {
        let location = location.to_owned();
        let server = Server::start(Served { status: 302, location, ..Served::new(b"x") });
        let error = fetch(&Hub::new(folder.path(), &server.endpoint), None).unwrap_err();
        assert!(failure(&error).contains(expected), "{}", failure(&error));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn paths_and_revisions_that_would_leave_the_cache_are_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Served::new(&content()));
    let hub = Hub::new(folder.path(), &server.endpoint);
    for path in ["../escaped", "a/../../escaped", "/etc/passwd", ""] {
        let file = HubFile { repository: "owner/name", path };
        let error = hub.fetch(&file, None, &mut |_, _| {}).unwrap_err();
        assert!(matches!(error, FetchError::Outside { .. }), "{path}: {error}");
    }
    for revision in ["../../escaped", "/", "a?b", "a#b"] {
        let error = fetch(&hub, Some(revision)).unwrap_err();
        assert!(matches!(error, FetchError::Outside { .. }), "{revision}: {error}");
        assert_eq!(hub.find(&FILE, Some(revision)), None);
    }
    assert_eq!(server.requests(), "");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(fetch(&hub, Some("refs/pr/1")).is_ok());
}

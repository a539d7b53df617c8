//! `fetch` as a process, from a hub on this machine.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "other tests ask for more of it")]
#[path = "../../baselines/src/hub/tests/server.rs"]
mod server;

use std::fs;
use std::process::Command;

use server::{Served, Server, Trouble};

const PROGRAM: &str = env!("CARGO_BIN_EXE_prismbench");

#[test]
fn what_is_fetched_is_what_the_hub_announced_and_is_asked_for_once() {
    let folder = tempfile::tempdir().unwrap();
    // What `git hash-object` says of `hello` and a line's end.
    let etag = "ce013625030ba8dba906f756967f9e9ca394464a".to_owned();
    let served = Served { etag, ..Served::new(b"hello\n") };
    let fetch = |server: &Server| {
        let mut command = Command::new(PROGRAM);
        command.args(["fetch", "sd-vae-mse", "--progress", "none"]);
        command.env("HF_ENDPOINT", &server.endpoint).env("HF_HUB_CACHE", folder.path().join("hub"));
        command.env("HF_HOME", folder.path());
        for variable in ["HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let altered = Server::start(served.clone().with(Trouble::Alter));
    let (code, out, error) = fetch(&altered);
    assert_eq!((code, out.as_str()), (Some(5), ""), "{error}");
    assert!(error.contains("should have the git hash ce013625"), "{error}");
    assert!(error.contains("it was removed; fetch it again"), "{error}");
    let server = Server::start(served);
    let (code, first, error) = fetch(&server);
    assert_eq!(code, Some(0), "{error}");
    assert!(first.starts_with(folder.path().join("hub").to_str().unwrap()), "{first}");
    assert_eq!(fs::read(first.trim_end()).unwrap(), b"hello\n");
    let asked = server.requests();
    let (code, again, error) = fetch(&server);
    assert_eq!((code, again), (Some(0), first), "{error}");
    assert!(error.contains("sd-vae-mse: already here"), "{error}");
    assert_eq!(server.requests(), asked);
}

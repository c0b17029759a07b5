//! `agamid export`, `import`, `migrate` and `doctor`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support::server::{Server, binary};

fn agamid(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).env_remove("AGAMID_TOKEN");
    command
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    agamid(arguments, folder).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, said(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the doctor found, as (severity, place).
fn findings(output: &Output) -> Vec<(String, String)> {
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |finding: &serde_json::Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let all = found["findings"].as_array().unwrap().iter();
    all.map(|finding| (text(finding, "severity"), text(finding, "place"))).collect()
}

#[test]
fn a_running_server_is_backed_up_and_its_backup_becomes_another_server_s_store() {
    let mut server = Server::demo();
    let token = server.admin_token();
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    let export = ["export", "backup", "--server", &server.admin(), "--key-file", "backup.key"];
    let done = succeeds(&agamid(&export, there).env("AGAMID_TOKEN", &token).output().unwrap());
    assert!(done.contains("records"), "{done}");
    let bytes = std::fs::read(there.join("backup")).unwrap();
    assert!(bytes.starts_with(b"agamid-export/1 key\n") && !bytes.windows(5).any(|five| five == b"alice"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(there.join("backup")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let again = agamid(&export, there).env("AGAMID_TOKEN", &token).output().unwrap();
    assert!(again.status.code() == Some(3) && said(&again).contains("exists"), "{}", said(&again));
    let looked = ["doctor", "--server", &server.admin(), "--json"];
    // From a folder without a configuration, as from another machine.
    let looked = agamid(&looked, there).env("AGAMID_TOKEN", &token).output().unwrap();
    assert!(findings(&looked).iter().all(|(severity, _)| severity != "error"), "{}", said(&looked));
    succeeds(&run(&["init", "."], there));

    // The new server's store is empty, its signing keys open with the old one's envelope key.
    std::fs::copy(server.data.join("envelope.key"), there.join("data/envelope.key")).unwrap();
    let import = ["import", "backup", "--key-file", "backup.key"];
    let done = succeeds(&run(&import, there));
    assert!(done.contains("are in place"), "{done}");
    let again = run(&import, there);
    assert!(again.status.code() == Some(3) && said(&again).contains("not empty"), "{}", said(&again));
    let compare = ["doctor", "--json", "--compare", "backup", "--key-file", "backup.key"];
    let same = run(&compare, there);
    assert!(findings(&same).iter().all(|(severity, _)| severity != "error"), "{}", said(&same));
    assert!(same.status.success());
    assert!(succeeds(&run(&["migrate"], there)).contains("up to date"));

    // The first server stops: its store is a file like any other, and still what the backup says but for the backup's
    // own audit event and what the server did since.
    server.stop();
    let store = format!("sled:{}", server.data.join("store").display());
    let plain =
        agamid(&["export", "after", "--plaintext"], there).env("AGAMID_STORE__URL", store).output().unwrap();
    succeeds(&plain);
    assert!(std::fs::read_to_string(there.join("after")).unwrap().contains("store.exported"));
}

#[test]
fn a_store_that_a_server_holds_is_not_opened_and_the_way_to_ask_the_server_is_named() {
    let server = Server::demo();
    let folder = tempfile::tempdir().unwrap();
    succeeds(&run(&["init", "."], folder.path()));
    let store = format!("sled:{}", server.data.join("store").display());
    for arguments in [&["export", "x", "--plaintext"][..], &["doctor"]] {
        let output = agamid(arguments, folder.path()).env("AGAMID_STORE__URL", &store).output().unwrap();
        assert!(!output.status.success());
        let text = said(&output);
        assert!(text.contains("in use by process") && text.contains("--server"), "{text}");
    }
    assert!(!folder.path().join("x").exists() && !folder.path().join("x.partial").exists());
    let nobody = run(&["export", "x", "--plaintext", "--server", &server.admin()], folder.path());
    assert!(
        nobody.status.code() == Some(3) && said(&nobody).contains("config.export.read"),
        "{}",
        said(&nobody)
    );
}

#[test]
fn an_export_without_a_word_about_its_protection_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(&run(&["init", "."], folder.path()));
    let output = run(&["export", "x"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--passphrase-file") && said(&output).contains("--plaintext"));
    std::fs::write(folder.path().join("short"), "short\n").unwrap();
    let output = run(&["export", "x", "--passphrase-file", "short"], folder.path());
    assert!(output.status.code() == Some(3) && said(&output).contains("12 characters"), "{}", said(&output));
    let output = run(&["export", "x", "--plaintext"], folder.path());
    assert!(
        output.status.code() == Some(3) && said(&output).contains("there is no store"),
        "{}",
        said(&output)
    );
    assert!(!folder.path().join("data/store").exists(), "it made a store to export it");
}

/// A server that sends the beginning of an export, and then nothing more, or goes.
fn half_a_server(stays: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _read = stream.read(&mut [0; 4096]).unwrap();
        let line = "{\"agamid_export\":{\"format\":1,\"version\":\"0\",\"at\":1,\"backend\":\"sled\",\"kinds\":[]}}\n";
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{line}\r\n", line.len())
            .unwrap();
        if stays {
            std::thread::sleep(Duration::from_secs(600));
        } else {
            write!(stream, "0\r\n\r\n").unwrap();
        }
    });
    address
}

#[test]
fn an_export_that_ends_too_early_or_is_interrupted_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    let cut = half_a_server(false);
    let output =
        agamid(&["export", "x", "--plaintext", "--server", &cut], there).env("AGAMID_TOKEN", "t").output();
    let output = output.unwrap();
    assert!(output.status.code() == Some(3) && said(&output).contains("ends too early"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(there).unwrap().count(), 0);

    let slow = half_a_server(true);
    let mut child = agamid(&["export", "x", "--plaintext", "--server", &slow], there)
        .env("AGAMID_TOKEN", "t")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !std::fs::metadata(there.join("x.partial")).is_ok_and(|found| found.len() > 0) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.code() == Some(3) && said(&output).contains("interrupted"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(there).unwrap().count(), 0);
}

#[test]
fn the_doctor_names_what_is_wrong_with_the_configuration_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    succeeds(&run(&["init", "."], there));
    std::fs::remove_file(there.join("data/envelope.key")).unwrap();
    let doctor = |environment: &[(&str, &str)]| {
        let mut command = agamid(&["doctor", "--json"], there);
        command.envs(environment.iter().copied()).output().unwrap()
    };
    let output = doctor(&[("AGAMID_PUBLIC__ISSUER", "http://login.example.org")]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let found = findings(&output);
    for place in ["public.issuer", "secrets.envelope_key_file", "store.url"] {
        assert!(found.contains(&("error".to_owned(), place.to_owned())), "{place}: {found:?}");
    }
    let text = run(&["doctor"], there);
    assert!(said(&text).contains("error: secrets.envelope_key_file"), "{}", said(&text));
    let output = doctor(&[
        ("AGAMID_PUBLIC__ISSUER", "https://login.example.org"),
        ("AGAMID_PUBLIC__TLS__CERT", "no.pem"),
        ("AGAMID_PUBLIC__TLS__KEY", "no.key"),
    ]);
    assert!(findings(&output).contains(&("error".to_owned(), "public.tls".to_owned())), "{}", said(&output));
}

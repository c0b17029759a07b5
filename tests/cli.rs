//! The command line: what it refuses, and how it says so.

use std::process::{Command, Output};

use crate::support::server::{Server, binary, free_ports, hold};

fn agamid(arguments: &[&str], folder: &std::path::Path) -> Output {
    Command::new(binary()).args(arguments).current_dir(folder).output().unwrap()
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_unknown_setting_stops_the_start_and_is_named_with_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("agamid.toml"),
        "[public]\nissuer = \"http://localhost:1\"\nlisten_on = 1\n",
    )
    .unwrap();
    let output = agamid(&["serve"], folder.path());
    assert_eq!(output.status.code(), Some(3));
    let error = error_of(&output);
    assert!(error.contains("agamid.toml:3: public.listen_on"), "{error}");
    assert!(error.contains("`listen`"), "what is allowed: {error}");
}

#[test]
fn an_unknown_setting_in_a_seed_or_lock_is_named_with_file_line_and_key_too() {
    for (section, line, wrong) in [
        ("seed.oauth", "code_lifetme = 60", "seed.oauth.code_lifetme"),
        ("seed.oauth", "code_lifetime = \"long\"", "seed.oauth.code_lifetime"),
        ("lock.plugins.limits", "cpu_ms = -1", "lock.plugins.limits.cpu_ms"),
        ("seed.nothing", "x = 1", "seed.nothing"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert!(agamid(&["init", "."], folder.path()).status.success());
        let file = folder.path().join("agamid.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let ports = free_ports();
        let text = text.replace(":8080", &format!(":{ports}")).replace(":8081", &format!(":{}", ports + 1));
        let at = text.lines().count() + 2;
        std::fs::write(&file, format!("{text}[{section}]\n{line}\n")).unwrap();
        let output = agamid(&["serve"], folder.path());
        assert_eq!(output.status.code(), Some(3), "{section}");
        let error = error_of(&output);
        let line = if section == "seed.nothing" { at - 1 } else { at };
        assert!(error.contains(&format!("agamid.toml:{line}: {wrong}")), "{section}: {error}");
    }
}

#[test]
fn a_missing_configuration_names_init() {
    let folder = tempfile::tempdir().unwrap();
    let output = agamid(&["serve"], folder.path());
    assert_eq!(output.status.code(), Some(3));
    assert!(error_of(&output).contains("agamid init"), "{}", error_of(&output));
}

#[test]
fn a_usage_error_has_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(agamid(&["serve", "--confg", "x"], folder.path()).status.code(), Some(2));
}

#[test]
fn a_port_in_use_is_named() {
    let port = free_ports();
    let _taken = hold(port);
    let folder = tempfile::tempdir().unwrap();
    let output = agamid(&["demo", "--no-open", "--port", &port.to_string(), "--data", "data"], folder.path());
    assert_eq!(output.status.code(), Some(3));
    let error = error_of(&output);
    assert!(error.contains(&port.to_string()) && error.contains("another program has this port"), "{error}");
}

#[test]
fn a_second_process_on_the_same_data_directory_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Server::demo_on(folder.path(), free_ports(), &[]);
    let port = free_ports().to_string();
    let data = first.data.to_str().unwrap().to_owned();
    let output = agamid(&["demo", "--no-open", "--port", &port, "--data", &data], folder.path());
    assert_eq!(output.status.code(), Some(3));
    let error = error_of(&output);
    assert!(error.contains("in use by process") && error.contains("data"), "{error}");
    assert!(first.stop().success());
}

#[test]
fn init_makes_what_serve_starts_with() {
    let folder = tempfile::tempdir().unwrap();
    let output = agamid(&["init", "here"], folder.path());
    assert!(output.status.success(), "{}", error_of(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let password = said.lines().find_map(|line| line.trim().strip_prefix("password")).map(str::trim).unwrap();
    let dir = folder.path().join("here");
    let text = std::fs::read_to_string(dir.join("agamid.toml")).unwrap();
    assert!(password.len() >= 16 && !text.contains(password), "only the hash is kept");
    assert!(text.contains("$argon2id$"));

    let again = agamid(&["init", "here"], folder.path());
    assert_eq!(again.status.code(), Some(3), "init never overwrites");

    let port = free_ports();
    let mut server = Command::new(binary())
        .args(["serve", "--config", dir.join("agamid.toml").to_str().unwrap()])
        .env("AGAMID_PUBLIC__LISTEN", format!("127.0.0.1:{port}"))
        .env("AGAMID_PUBLIC__ISSUER", format!("http://localhost:{port}"))
        .env("AGAMID_ADMIN__LISTEN", format!("127.0.0.1:{}", port + 1))
        .current_dir("/")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    let ready = lines.find_map(|line| line.ok().filter(|line| line.starts_with("ready ")));
    assert_eq!(ready, Some(format!("ready http://localhost:{port}")));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn flow_check_names_file_line_column_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let good = "Flow a.good\n    Basepath \"a\"\n\nFinish true\n";
    std::fs::write(folder.path().join("a.good.flow"), good).unwrap();
    assert_eq!(agamid(&["flow", "check", "a.good.flow"], folder.path()).status.code(), Some(0));

    std::fs::write(
        folder.path().join("a.bad.flow"),
        "Flow a.bad\n    Basepath \"a\"\n\nx = 1 + 2\nFinish true\n",
    )
    .unwrap();
    let output = agamid(&["flow", "check", "a.bad.flow", "--format", "json"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["files"], 1);
    assert_eq!(report["diagnostics"][0]["line"], 4);
    assert_eq!(report["diagnostics"][0]["severity"], "error");
    let text = agamid(&["flow", "check", "a.bad.flow"], folder.path());
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("a.bad.flow:4:"), "{text}");
}

#[test]
fn the_demo_runs_anywhere_with_what_the_binary_brings() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports();
    let mut demo = Command::new(binary())
        .args(["demo", "--no-open", "--port", &port.to_string()])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(demo.stdout.take().unwrap()));
    let ready = lines.find_map(|line| line.ok().filter(|line| line.starts_with("ready ")));
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert_eq!(ready, Some(format!("ready http://localhost:{port}")));
}

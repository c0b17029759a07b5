//! `agamid flow …` from outside: what the tools write, print and exit with.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::server::{binary, root};

const GOOD: &str = "Flow a.good\n    Basepath \"a\"\n\nFinish true\n";
const UGLY: &str = "Flow   a.good\r\n  Basepath \"a\"\r\n\r\n\r\nFinish   true";

/// A folder to work in, and the binary in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(files: &[(&str, &str)]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            desk.write(path, text);
        }
        desk
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.path().join(path)).unwrap()
    }

    fn run(&self, arguments: &str) -> Ran {
        self.run_with(&arguments.split(' ').collect::<Vec<_>>(), "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(binary())
            .arg("flow")
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who refuses its arguments does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(&child.wait_with_output().unwrap())
    }
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

#[test]
fn check_reads_files_projects_folders_of_projects_and_archives() {
    let desk = Desk::new(&[
        ("one/project.json", r#"{"projectName": "one", "version": "1"}"#),
        ("one/code/one.main.flow", "Flow one.main\n    Basepath \"one\"\n\nx = Trigger two.main\nFinish x\n"),
        ("two/project.json", r#"{"projectName": "two", "version": "1"}"#),
        ("two/code/two.main.flow", "Flow two.main\n    Basepath \"two\"\n\nFinish true\n"),
        ("loose/a.good.flow", GOOD),
    ]);
    assert_eq!(desk.run("check one two").code, 0, "projects are checked together");
    assert_eq!(desk.run("check . --format json").json()["files"], 2, "a folder of projects");
    assert_eq!(desk.run("check loose --format json").json()["files"], 1, "a folder of flows");
    let alone = desk.run("check one");
    assert_eq!(alone.code, 1);
    assert!(alone.out.contains("there is no flow two.main"), "{}", alone.out);

    let mut archive = zip::ZipWriter::new(std::fs::File::create(desk.0.path().join("two.gama")).unwrap());
    for (path, text) in
        [("project.json", desk.read("two/project.json")), ("code/two.main.flow", "no flow".to_owned())]
    {
        archive.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    let ran = desk.run("check two.gama --format json");
    assert_eq!((ran.code, &ran.json()["diagnostics"][0]["file"]), (1, &json!("two.gama/code/two.main.flow")));
}

#[test]
fn check_knows_templates_and_the_routines_that_ship() {
    let body = "RRF \"no.html\"\nCall agamid.password#verfy 1 2\nCall agamid.pasword#verify 1 2\nCall agamid.clock#now 1\n\
        Call extras.otp.totp#uri 1\nCall java.lang.String#join 1\nFinish true\n";
    let flow = format!("Flow p.a\n    Basepath \"p\"\n\n{body}");
    let desk = Desk::new(&[
        ("p/project.json", r#"{"projectName": "p", "version": "1", "launchable": {"p.b": []}}"#),
        ("p/code/p.a.flow", &flow),
        ("p.a.flow", &flow),
    ]);
    let lines = |report: &Value| -> Vec<u64> {
        let found = report["diagnostics"].as_array().unwrap().iter();
        found
            .filter(|found| found["severity"] == "error")
            .map(|found| found["line"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(lines(&desk.run("check p --format json").json()), [4, 5, 6, 7, 8, 1]);
    assert_eq!(
        lines(&desk.run("check p.a.flow --format json").json()),
        [5, 6, 7, 8],
        "templates are unknown there"
    );
}

#[test]
fn warnings_are_errors_where_they_are_denied() {
    let desk = Desk::new(&[("a.flow", "Flow a\n    Basepath \"\"\n\nx = 1\nFinish true\nLog x\n")]);
    let ran = desk.run("check a.flow");
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("0 errors, ") && !ran.out.contains(" 0 warnings"), "{}", ran.out);
    assert_eq!(desk.run("check a.flow --deny warnings").code, 1);
}

#[test]
fn what_can_not_be_read_is_told_with_exit_code_3_and_bad_bytes_with_1() {
    let desk = Desk::new(&[]);
    let ran = desk.run("check nowhere.flow");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("nowhere.flow"), "{}", ran.err);
    std::fs::write(desk.0.path().join("bytes.flow"), b"Flow a\n    Basepath \"\xff\"\n").unwrap();
    let ran = desk.run("check bytes.flow --format json");
    assert_eq!((ran.code, &ran.json()["diagnostics"][0]["line"]), (1, &json!(2)));
    assert!(desk.run("check bytes.flow").out.contains("not UTF-8"));
    std::fs::create_dir(desk.0.path().join("empty")).unwrap();
    let ran = desk.run("check empty");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("no project.json"), "{}", ran.err);
}

#[test]
fn a_broken_project_is_a_finding_with_its_place() {
    let desk = Desk::new(&[
        ("p/project.json", "{\n  \"projectName\": \"p\",\n  oops\n}"),
        ("p/code/p.a.flow", GOOD),
        ("good.flow", GOOD),
        ("no.gama", "no archive"),
    ]);
    let ran = desk.run("check p good.flow no.gama --format json");
    let found = ran.json()["diagnostics"].clone();
    assert_eq!((ran.code, found.as_array().unwrap().len()), (1, 2), "{found}");
    assert_eq!((&found[0]["code"], &found[0]["file"]), (&json!("AGM0302"), &json!("p/project.json")));
    assert_eq!((&found[0]["line"], &found[1]["file"]), (&json!(3), &json!("no.gama")));
    let ran = desk.run("graph p");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("p/project.json:3:"), "{}", ran.err);
}

#[test]
fn fmt_writes_the_canonical_layout_and_says_what_it_changed() {
    let desk = Desk::new(&[("x/a.good.flow", UGLY), ("x/b.flow", GOOD)]);
    let ran = desk.run("fmt --check x");
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("x/a.good.flow is not formatted") && !ran.out.contains("b.flow"), "{}", ran.out);
    assert_eq!(desk.read("x/a.good.flow"), UGLY, "--check writes nothing");
    let ran = desk.run("fmt x");
    assert_eq!((ran.code, ran.out.as_str()), (0, "formatted x/a.good.flow\n"));
    assert_eq!(desk.read("x/a.good.flow"), GOOD);
    assert_eq!(desk.run("fmt --check x").code, 0);
    assert_eq!(std::fs::read_dir(desk.0.path().join("x")).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn fmt_reads_standard_input_and_leaves_alone_what_is_no_flow() {
    let desk = Desk::new(&[("bad.flow", "Flow a\n"), ("notes.txt", "x"), ("ugly.flow", UGLY)]);
    assert_eq!(desk.run_with(&["fmt", "-"], UGLY).out, GOOD);
    assert_eq!(desk.run_with(&["fmt", "--check", "-"], UGLY).code, 1);
    assert_eq!(desk.run_with(&["fmt", "--check", "-"], GOOD).code, 0);
    let ran = desk.run("fmt bad.flow ugly.flow");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("bad.flow:1:"), "{}", ran.err);
    assert_eq!((desk.read("bad.flow").as_str(), desk.read("ugly.flow").as_str()), ("Flow a\n", GOOD));
    assert_eq!(desk.run("fmt notes.txt").code, 2);
}

#[cfg(unix)]
#[test]
fn fmt_keeps_permissions_and_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(&[("real.flow", UGLY)]);
    let real = desk.0.path().join("real.flow");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.flow", desk.0.path().join("link.flow")).unwrap();
    assert_eq!(desk.run("fmt link.flow").code, 0);
    assert_eq!(desk.read("real.flow"), GOOD);
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(desk.0.path().join("link.flow").is_symlink());
}

#[test]
fn the_projects_that_ship_are_formatted() {
    let ran = Desk::new(&[]).run_with(&["fmt", "--check", root().join("flows").to_str().unwrap()], "");
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn graph_draws_one_flow_in_three_forms_or_a_project_into_a_folder() {
    let desk = Desk::new(&[]);
    let demo = root().join("flows/demo");
    let demo = demo.to_str().unwrap();
    let one =
        |format: &str| desk.run_with(&["graph", demo, "--flow", "demo.totp", "--format", format], "").out;
    assert!(one("svg").starts_with("<svg xmlns"));
    assert!(one("dot").starts_with("digraph \"demo.totp\""));
    assert!(one("mermaid").starts_with("flowchart TD\n"));
    let ran = desk.run_with(&["graph", demo], "");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--flow: demo.password, demo.totp"), "{}", ran.err);
    let file = format!("{demo}/code/demo.password.flow");
    assert_eq!(desk.run_with(&["graph", &file, "-o", "picture.svg"], "").code, 0);
    assert!(desk.read("picture.svg").ends_with("</svg>\n"));
    std::fs::create_dir(desk.0.path().join("all")).unwrap();
    assert_eq!(desk.run_with(&["graph", demo, "-o", "all"], "").code, 0);
    assert!(desk.read("all/demo.totp.svg").contains("totp-setup.html"));
}

#[test]
fn new_projects_check_clean_are_formatted_and_run() {
    let desk = Desk::new(&[]);
    for template in ["password", "totp"] {
        let name = format!("shop_{template}");
        assert_eq!(desk.run(&format!("new {name} --template {template}")).code, 0);
        assert_eq!(desk.run(&format!("check {name} --deny warnings")).code, 0);
        assert_eq!(desk.run(&format!("fmt --check {name}")).code, 0);
        let ran = desk.run(&format!(
            "run {name} --flow {name}.{template} --answers {name}/tests/{template}.answers.json --stubs {name}/tests/{template}.stubs.json --json"
        ));
        assert_eq!(ran.code, 0, "{}", ran.err);
        let report = ran.json();
        assert_eq!(report["outcome"]["data"]["userId"], "alice-id", "{report}");
        assert_eq!(report["unused_answers"], json!([]));
    }
    assert_eq!(desk.run("new shop_totp").code, 3, "new never overwrites");
    assert_eq!(desk.run("new a-b").code, 2);
    assert_eq!(desk.run("new Flow").code, 2);
}

#[test]
fn a_template_whose_routines_are_not_there_says_what_it_waits_for() {
    let desk = Desk::new(&[]);
    for template in ["magic-link", "registration", "passkey", "social"] {
        let ran = desk.run(&format!("new x --template {template}"));
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(template) && ran.err.contains("does not have yet"), "{}", ran.err);
    }
    assert!(!desk.0.path().join("x").exists());
}

#[test]
fn run_takes_properties_from_the_project_or_the_command_line() {
    let flow = "Flow p.a\n    Basepath \"\"\n    Configs conf\n    Inputs who\n\nr = {success: true, data: [conf.x, who]}\nFinish r\n";
    let desk = Desk::new(&[
        ("p/project.json", r#"{"projectName": "p", "version": "1", "configs": {"p.a": {"x": 1}}}"#),
        ("p/code/p.a.flow", flow),
        ("other-name.flow", flow),
        ("none.json", "[]"),
    ]);
    let data = |arguments: &[&str]| {
        let mut all = vec!["run"];
        all.extend(arguments);
        all.extend(["--answers", "none.json", "--json"]);
        desk.run_with(&all, "").json()["outcome"]["data"].clone()
    };
    assert_eq!(data(&["p", "--inputs", r#"{"who": "me"}"#]), json!([1, "me"]));
    assert_eq!(data(&["p/code/p.a.flow"]), json!([1, null]), "a file of a project has its properties");
    assert_eq!(data(&["p", "--config", r#"{"x": [2]}"#]), json!([[2], null]));
    assert_eq!(data(&["other-name.flow"]), json!([null, null]), "a single file may have any name");
}

#[test]
fn run_is_refused_by_syntax_errors_only_and_a_crash_exits_with_1() {
    let desk = Desk::new(&[
        ("bad.flow", "Flow a\n    Basepath \"\"\n\nx = 1 +\n"),
        ("odd.flow", "Flow a\n    Basepath \"\"\n\nCall agamid.no#such\nFinish true\n"),
        ("crash.flow", "Flow a\n    Basepath \"\"\n\nx = null\ny = x.z\nFinish y\n"),
        ("none.json", "[]"),
        ("stubs.json", r#"{"agamid.no#such": 1}"#),
    ]);
    let ran = desk.run("run bad.flow --answers none.json");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("bad.flow:4:"), "{}", ran.err);
    let ran = desk.run("run odd.flow --answers none.json --stubs stubs.json --json");
    assert_eq!((ran.code, &ran.json()["outcome"]["success"]), (0, &json!(true)));
    assert!(ran.err.contains("there is no routine agamid.no#such"), "findings are shown: {}", ran.err);
    let ran = desk.run("run crash.flow --answers none.json --json");
    assert_eq!((ran.code, &ran.json()["crash"]["line"]), (1, &json!(5)));
    let ran = desk.run("run odd.flow --answers stubs.json");
    assert_eq!(ran.code, 2, "answers are a list: {}", ran.err);
    assert_eq!(desk.run("run odd.flow --answers nowhere.json").code, 3);
    assert_eq!(desk.run_with(&["run", "odd.flow", "--inputs", "[]"], "").code, 2);
}

#[test]
fn run_asks_for_the_fields_of_pages_and_the_results_of_calls() {
    let desk = Desk::new(&[]);
    desk.run("new shop");
    let answers = "alice\nwrong\nnull\nalice\nright\nnonsense\n{\"id\": \"a1\"}\n";
    let ran = desk.run_with(&["run", "shop"], answers);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in [
        "page  shop/password.html",
        "at    shop.password, line ",
        "      page = {",
        "  login: ",
        "  password: ",
        "that is no JSON",
        "\"userId\":\"a1\"",
    ] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let report = desk.run_with(&["run", "shop", "--json"], answers).json();
    assert_eq!(report["outcome"]["data"]["userId"], "a1", "prompts do not mix with the report");
    let ran = desk.run_with(&["run", "shop"], "alice\n");
    assert_eq!(ran.code, 0);
    assert!(
        ran.out.contains("waiting for an answer to {\"template\":\"shop/password.html\"}"),
        "{}",
        ran.out
    );

    desk.write("plain.flow", "Flow a\n    Basepath \"\"\n\nf = RRF \"x.html\"\nc = RFAC \"https://a\"\nr = {success: true, data: {f: f, c: c}}\nFinish r\n");
    let report = desk.run_with(&["run", "plain.flow", "--json"], "a=1\nb=2\nb=3\n\ncode=4 state=5\n").json();
    assert_eq!(
        report["outcome"]["data"],
        json!({"f": {"a": "1", "b": ["2", "3"]}, "c": {"code": "4", "state": "5"}})
    );
    let report = desk.run_with(&["run", "plain.flow", "--json"], "a=1\n/abort\n").json();
    assert_eq!(
        (&report["outcome"]["aborted"], &report["outcome"]["data"]),
        (&json!(true), &json!({"a": "1"}))
    );
}

#[test]
fn watch_checks_again_when_a_file_is_saved() {
    let desk = Desk::new(&[("p/a.good.flow", GOOD)]);
    let mut child = Command::new(binary())
        .args(["flow", "watch", "p"])
        .current_dir(desk.0.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut next = |part: &str| lines.by_ref().map(Result::unwrap).find(|line| line.contains(part)).unwrap();
    assert_eq!(next("1 file"), "1 file, 0 errors, 0 warnings");
    desk.write("p/a.good.flow", "Flow a.good\n    Basepath \"a\"\n\nx = 1 +\n");
    next("a.good.flow:4:");
    desk.write("p/a.good.flow", GOOD);
    assert_eq!(next("0 errors"), "1 file, 0 errors, 0 warnings");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn nothing_is_coloured_where_there_is_no_terminal() {
    let desk = Desk::new(&[("bad.flow", "Flow a\n")]);
    assert!(!desk.run("check bad.flow").out.contains('\u{1b}'));
}

#[test]
fn the_commands_of_the_docs_work() {
    let docs = std::fs::read_to_string(root().join("docs/flows.md")).unwrap();
    let desk = Desk::new(&[]);
    let mut count = 0;
    for block in docs.split("```sh\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let Some(command) = line.strip_prefix("agamid flow ") else { continue };
            let command = command.split(" #").next().unwrap().trim();
            if command.starts_with("watch") {
                continue;
            }
            let arguments: Vec<&str> = command.split_whitespace().collect();
            let ran = desk.run_with(&arguments, "");
            assert_eq!(ran.code, 0, "{line}\n{}{}", ran.out, ran.err);
            count += 1;
        }
    }
    assert!(count >= 8, "{count} commands");
}

#[test]
fn a_thousand_flows_are_checked_quickly() {
    let desk = Desk::new(&[("p/project.json", r#"{"projectName": "p", "version": "1"}"#)]);
    let source = std::fs::read_to_string(root().join("flows/demo/code/demo.password.flow")).unwrap();
    for number in 0..1000 {
        let name = format!("p.flow{number}");
        desk.write(&format!("p/code/{name}.flow"), &source.replace("demo.password", &name));
    }
    let page = std::fs::read_to_string(root().join("flows/demo/web/demo/password.html")).unwrap();
    desk.write("p/web/demo/password.html", &page);
    let mut child = Command::new(binary())
        .args(["flow", "check", "p", "--format", "json"])
        .current_dir(desk.0.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The figure that counts is that of the release binary; this finds what is quadratic.
    for _ in 0..200 {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(child.try_wait().unwrap().is_some(), "it takes more than 20 seconds");
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, &ran.json()["files"]), (0, &json!(1000)));
}

#[test]
fn archives_can_not_be_formatted() {
    let desk = Desk::new(&[("x.gama", "x")]);
    assert_eq!(desk.run("fmt x.gama").code, 2);
    assert!(Path::new(&desk.0.path().join("x.gama")).exists());
}

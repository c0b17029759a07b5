//! Scripted runs: how answers and stubs are read, and what the report says.

use agama_lang::rehearse::{Answer, Flows, Report, Stubs, rehearse};
use agama_lang::value::{Map, Value};
use serde_json::{Value as Json, json};

const HEADER: &str = "\n    Basepath \"shop\"\n    Configs conf\n    Inputs hint\n\n";

fn flows(bodies: &[(&str, &str)]) -> Flows {
    let mut flows = Flows::default();
    for (name, body) in bodies {
        flows.add(&format!("Flow {name}{HEADER}{body}\n"), name).unwrap();
    }
    flows
}

fn map(json: Json) -> Map {
    match Value::from_json(json) {
        Value::Map(map) => map,
        other => panic!("{other:?} is no map"),
    }
}

fn play(flows: &Flows, answers: Json, stubs: Json) -> Report {
    let mut stubs = Stubs::read(stubs).unwrap();
    rehearse(flows, "a.b", map(json!({"hint": "alice"})), Answer::script(answers).unwrap(), &mut stubs)
}

fn run(body: &str, answers: Json, stubs: Json) -> Report {
    play(&flows(&[("a.b", body)]), answers, stubs)
}

#[test]
fn the_report_has_exactly_the_form_of_the_contract() {
    let mut flows = flows(&[(
        "a.b",
        "Log \"@warn for %\" hint\nform = RRF \"login.html\" conf\nuser | E = Call a.users#find form.login 2\nback = RFAC conf.url\nnote = Call user rename back.code\nFinish user.id",
    )]);
    flows.configure("a.b", map(json!({"url": "https://a.example/"})));
    let report = play(
        &flows,
        json!([{"login": "alice", "n": 1}, {"_callback": {"code": "c"}}, {"never": "asked"}]),
        json!({"a.users#find": {"id": "u1", "error": null}, "#rename": null}),
    );
    insta::with_settings!({ snapshot_path => "../snapshots/rehearse", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("report", report);
    });
}

#[test]
fn when_the_answers_run_out_the_report_says_what_is_waited_for() {
    let report = run("x = RRF \"one.html\"\ny = RRF \"two.html\"\nFinish true", json!([{}]), json!({}));
    assert_eq!(serde_json::to_value(&report.waiting).unwrap(), json!({"template": "shop/two.html"}));
    assert_eq!((report.outcome, report.crash), (None, None));
    let report = run("x = RFAC \"https://a.example/?a=b\"\nFinish true", json!([]), json!({}));
    assert_eq!(serde_json::to_value(&report.waiting).unwrap(), json!({"url": "https://a.example/?a=b"}));
    assert_eq!(report.redirects, ["https://a.example/?a=b"]);
}

#[test]
fn a_list_of_stubs_is_used_up_in_order_and_its_last_element_repeats() {
    let body =
        "a = Call x.y#z\nb = Call x.y#z\nc = Call x.y#z\nr = {success: true, data: [a, b, c]}\nFinish r";
    let data = |stubs: Json| run(body, json!([]), stubs).outcome.unwrap().data;
    assert_eq!(data(json!({"x.y#z": [1, "two"]})), json!([1, "two", "two"]));
    assert_eq!(data(json!({"x.y#z": {"value": [1, 2]}})), json!([[1, 2], [1, 2], [1, 2]]));
    assert_eq!(
        data(json!({"x.y#z": [{"value": {"error": "literal"}}, null]})),
        json!([{"error": "literal"}, null, null])
    );
    assert_eq!(
        data(json!({"x.y#z": {"error": "a", "more": 1}})),
        json!([{"error": "a", "more": 1}, {"error": "a", "more": 1}, {"error": "a", "more": 1}])
    );
}

#[test]
fn a_stub_raises_an_error_that_the_flow_can_catch() {
    let body = "a | E = Call x.y#z\nr = {success: true, data: [E.message, E.code, E.data]}\nFinish r";
    let data = |stubs: Json| run(body, json!([]), stubs).outcome.unwrap().data;
    assert_eq!(data(json!({"x.y#z": {"error": "no luck"}})), json!(["no luck", "failed", null]));
    let whole = json!({"x.y#z": {"error": {"message": "busy", "code": "later", "data": {"n": 1}}}});
    assert_eq!(data(whole), json!(["busy", "later", {"n": 1}]));
    let crash = run("a = Call x.y#z\nFinish true", json!([]), json!({"x.y#z": {"error": "no luck"}})).crash;
    assert_eq!(crash.unwrap().line, 6);
}

#[test]
fn a_routine_without_a_stub_is_an_error_that_says_how_to_stub_it_and_can_be_caught() {
    let crash = run("a = Call x.y#z 1\nFinish true", json!([]), json!({})).crash.unwrap();
    assert!(crash.message.contains("x.y#z has no stub"), "{}", crash.message);
    assert!(crash.message.contains("add \"x.y#z\": <its result>"), "{}", crash.message);
    let crash = run("a = Call hint shout\nFinish true", json!([]), json!({})).crash.unwrap();
    assert!(crash.message.contains("the method #shout has no stub"), "{}", crash.message);
    let caught = run("a | E = Call x.y#z 1\nFinish E.code", json!([]), json!({}));
    assert_eq!(caught.outcome.unwrap().data, json!({"userId": "no_such_routine"}));
    assert_eq!(caught.calls[0].error.as_ref().unwrap().code, "no_such_routine");
}

#[test]
fn giving_up_goes_to_the_flow_that_overrides_the_page() {
    let flows = flows(&[
        (
            "a.b",
            "r = Trigger a.c\n    Override templates \"shop/ask.html\" \"../mine/ask.html\"\nFinish r.data.why",
        ),
        ("a.c", "x = RRF \"ask.html\"\nFinish true"),
    ]);
    let report = play(&flows, json!([{"_abort": true, "why": "bored"}]), json!({}));
    assert_eq!(report.pages[0].template, "mine/ask.html");
    assert_eq!(report.outcome.unwrap().data, json!({"userId": "bored"}));

    let report = run("x = RRF \"ask.html\"\nFinish true", json!([{"_abort": "", "why": "bored"}]), json!({}));
    let outcome = report.outcome.unwrap();
    assert_eq!((outcome.success, outcome.aborted, outcome.data), (false, true, json!({"why": "bored"})));
    assert_eq!(outcome.url.as_deref(), Some("shop/ask.html"));
    let stays = run("x = RRF \"ask.html\"\nFinish x.why", json!([{"_abort": false, "why": "w"}]), json!({}));
    assert_eq!(stays.outcome.unwrap().data, json!({"userId": "w"}));
}

#[test]
fn an_answer_that_is_not_the_one_waited_for_ends_the_run_and_says_what_to_write() {
    let crash = run("x = RRF \"a.html\"\nFinish true", json!([{"_callback": {}}]), json!({})).crash.unwrap();
    assert!(crash.message.starts_with("answer 1 is a callback"), "{}", crash.message);
    assert_eq!((crash.line, crash.flow.as_str()), (6, "a.b"));
    let crash = run("x = RFAC \"https://a\"\nFinish true", json!([{"code": 1}]), json!({})).crash.unwrap();
    assert!(crash.message.contains("write {\"_callback\": {…}}"), "{}", crash.message);
    let open =
        run("x = RRF \"a.html\" conf true\nFinish x.code", json!([{"_callback": {"code": "c"}}]), json!({}));
    assert_eq!(open.outcome.unwrap().data, json!({"userId": "c"}));
}

#[test]
fn scripts_and_stubs_that_are_none_are_refused_with_their_place() {
    let said = |json: Json| Answer::script(json).unwrap_err().to_string();
    assert!(said(json!({"login": "a"})).contains("must be a JSON list"));
    assert!(said(json!([{}, "text"])).starts_with("answer 2 is a string"));
    assert!(said(json!([{"_callback": 1}])).contains("_callback is a number"));
    let said = |json: Json| Stubs::read(json).unwrap_err().to_string();
    assert!(said(json!([])).contains("must be a JSON object"));
    assert!(said(json!({"verify": 1})).contains("\"#method\""));
    assert!(said(json!({"a.b#c": []})).contains("{\"value\": []}"));
}

#[test]
fn only_what_can_not_be_read_is_refused() {
    let report =
        run("x = neverAssigned\nCall no.such#routine\nFinish true", json!([]), json!({"no.such#routine": 1}));
    assert!(report.crash.is_none_or(|crash| crash.message.contains("neverAssigned")));
    assert!(Flows::default().add("Flow a\n    Basepath \"\"\n\nx = 1 +\n", "a.flow").is_err());
}

#[test]
fn a_run_that_goes_on_for_ever_is_stopped() {
    let body = "Repeat 1000000 times max\n    x = Call a.b#c x\nFinish true";
    let long = run(body, json!([]), json!({"a.b#c": "x".repeat(100_000)})).crash.unwrap();
    assert!(long.message.contains("16 MiB"), "{}", long.message);
    let crash =
        run("Repeat 1000000 times max\n    Log \"x\"\nFinish true", json!([]), json!({})).crash.unwrap();
    // Whichever is used up first: what a report may hold, or the machine's own fuel.
    let stopped = ["does a loop never end?", "steps"].iter().any(|part| crash.message.contains(part));
    assert!(stopped, "{}", crash.message);
}

#[test]
fn values_keep_their_json_types_and_log_lines_their_levels() {
    let report = run(
        "f = RRF \"a.html\"\nLog \"@e %\" f.n\nLog \"@t t\"\nWhen f.n is 1 and f.b is true and f.l[1] is \"x\"\n    Finish true\nFinish false",
        json!([{"n": 1, "b": true, "l": [null, "x"]}]),
        json!({}),
    );
    assert!(report.outcome.unwrap().success);
    let log = serde_json::to_value(&report.log).unwrap();
    assert_eq!(log[0], json!({"level": "error", "message": "1", "source": "flow", "flow": "a.b"}));
    assert_eq!(log[1]["level"], "trace");
}

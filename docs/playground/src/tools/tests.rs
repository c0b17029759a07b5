use super::*;

const TWO: &str = "Flow a.b\n    Basepath \"x\"\n\nr = Trigger a.c 1 2\nFinish r\n\nFlow a.c\n    Basepath \"y\"\n    Inputs one\n\nform = RRF \"p.html\"\nLog form.a.b\nFinish true\n";

fn asked(tool: fn(&str) -> String, request: Json) -> Json {
    serde_json::from_str(&tool(&request.to_string())).unwrap()
}

#[test]
fn flows_of_one_text_know_each_other_and_findings_count_lines_in_the_whole() {
    let found = asked(check, json!({ "source": TWO }));
    assert_eq!(found["flows"], json!(["a.b", "a.c"]));
    let codes: Vec<&str> =
        found["diagnostics"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"AGM0210"), "{found:#}");
    let found = asked(check, json!({ "source": TWO.replace("form.a.b", "nope") }));
    let nope = found["diagnostics"].as_array().unwrap().iter().find(|one| one["code"] == "AGM0204").unwrap();
    assert_eq!((&nope["line"], &nope["column"], &nope["length"]), (&json!(12), &json!(5), &json!(4)));
    let found = asked(check, json!({ "source": TWO.replace("Trigger a.c", "Trigger a.d") }));
    assert_eq!(found["diagnostics"][0]["code"], "AGM0209");
}

#[test]
fn a_run_tells_crashes_with_the_line_of_the_whole_text() {
    let told = asked(run, json!({ "source": TWO, "answers": [{ "a": null }] }));
    assert_eq!(told["report"]["crash"]["line"], 12, "{told:#}");
    assert_eq!(told["report"]["crash"]["flow"], "a.c");
}

#[test]
fn every_flow_is_formatted() {
    let told = asked(format, json!({ "source": TWO.replace("    ", "  ") }));
    assert_eq!(told["text"], TWO);
}

#[test]
fn the_graph_is_of_the_flow_on_the_line() {
    let told = asked(graph, json!({ "source": TWO, "line": 1 }));
    assert_eq!(told["name"], "a.b");
    let told = asked(graph, json!({ "source": TWO, "line": 9 }));
    assert_eq!(told["name"], "a.c");
    assert!(told["svg"].as_str().unwrap().starts_with("<svg"));
    assert!(
        told["nodes"].as_array().unwrap().iter().any(|node| node["title"] == "p.html" && node["line"] == 11)
    );
}

#[test]
fn whatever_is_asked_is_answered() {
    for tool in [check, format, graph, run, examples] {
        for request in ["", "null", "{}", "{\"source\": \"\"}", "{\"source\": 1}", "{\"source\": \"Flow \"}"]
        {
            assert!(serde_json::from_str::<Json>(&tool(request)).is_ok(), "{request}");
        }
    }
    let told = asked(run, json!({ "source": TWO, "answers": 1 }));
    assert!(told["error"].as_str().unwrap().contains("must be a JSON list"));
    let told = asked(run, json!({ "source": TWO, "inputs": [] }));
    assert_eq!(told["error"], "\"inputs\" must be an object, but is a list");
}

#[test]
fn the_examples_are_those_of_the_document_with_their_first_run() {
    let told: Json = serde_json::from_str(&examples("")).unwrap();
    let all = told["examples"].as_array().unwrap();
    assert!(all.len() >= 20);
    assert_eq!(all[0]["title"], "Hello");
    assert!(all.iter().all(|one| one["script"]["outcome"]["success"].is_boolean()));
}

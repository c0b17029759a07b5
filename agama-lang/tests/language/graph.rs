//! Graphs: what they hold, in the two text forms. The picture has tests of its own (`src/graph/place/tests.rs`).

use agama_lang::graph::{Ending, Graph, Kind};
use agama_lang::parse::parse;

use crate::support::fixtures;

fn graph(source: &str) -> Graph {
    let (flow, found) = parse(source, "a.flow");
    Graph::of(&flow.unwrap_or_else(|| panic!("{found:?}"))).with_lines(source)
}

#[test]
fn the_text_forms_of_the_fixtures() {
    for (name, source) in fixtures("graph") {
        let graph = graph(&source);
        insta::with_settings!({ snapshot_path => "../snapshots/graph", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{name}.dot"), graph.to_dot());
            insta::assert_snapshot!(format!("{name}.mermaid"), graph.to_mermaid());
        });
    }
}

#[test]
fn every_legal_fixture_can_be_drawn() {
    for (_, source) in fixtures("ok").into_iter().chain(fixtures("format")) {
        let graph = graph(&source);
        let svg = graph.to_svg();
        for node in 0..graph.nodes.len() {
            assert!(
                svg.contains(&format!("<g id=\"{}\"", graph.id(node))),
                "{} is not drawn",
                graph.id(node)
            );
        }
        assert!(graph.edges.iter().all(|edge| edge.from < graph.nodes.len() && edge.to < graph.nodes.len()));
    }
}

#[test]
fn a_picture_is_sound_markup_whatever_strings_hold() {
    let source = "Flow a\n    Basepath \"\"\n\nx = \"<&\\u0000\\u0007\\u0022\\uffff]]>\"\nWhen x is \"</text>\"\n    Finish \"--> %% \\\\ #\"\nFinish false\n";
    let graph = graph(source);
    let svg = graph.to_svg();
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap();
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!graph.to_mermaid().contains("</text>"), "{}", graph.to_mermaid());
}

#[test]
fn a_finish_is_good_bad_or_depends_on_its_variable() {
    let ending = |body: &str| {
        let graph = graph(&format!("Flow a\n    Basepath \"\"\n    Inputs given\n\n{body}\n"));
        let found = graph.nodes.iter().find_map(|node| match node.kind {
            Kind::Finish(ending) => Some(ending),
            _ => None,
        });
        found.unwrap()
    };
    assert_eq!(ending("Finish true"), Ending::Success);
    assert_eq!(ending("Finish \"somebody\""), Ending::Success);
    assert_eq!(ending("Finish false"), Ending::Failure);
    assert_eq!(ending("Finish given"), Ending::Depends);
    assert_eq!(ending("x = {success: true}\nx.data = given\nFinish x"), Ending::Success);
    assert_eq!(ending("x = {success: false}\nFinish x"), Ending::Failure);
    assert_eq!(ending("x = {success: true}\nx.success = given\nFinish x"), Ending::Depends);
    assert_eq!(ending("x = {success: true}\nx = Call a.b#c\nFinish x"), Ending::Depends);
    assert_eq!(
        ending("x = {success: true}\nWhen given is null\n    x = {success: false}\nFinish x"),
        Ending::Depends
    );
}

#[test]
fn a_way_without_finish_leads_to_an_end_that_says_so() {
    let open = graph("Flow a\n    Basepath \"\"\n    Inputs x\n\nWhen x is null\n    Finish true\n");
    assert!(open.nodes.iter().any(|node| node.kind == Kind::NoFinish));
    let closed =
        graph("Flow a\n    Basepath \"\"\n    Inputs x\n\nWhen x is null\n    Finish true\nFinish x\n");
    assert!(closed.nodes.iter().all(|node| node.kind != Kind::NoFinish));
}

#[test]
fn nodes_are_named_by_their_line() {
    let graph = graph(
        "Flow a\n    Basepath \"\"\n    Inputs x\n\nRRF \"p.html\"\nRepeat 2 times max\n    x = 1\n    Quit When x is 1\nFinish true\n",
    );
    let ids: Vec<String> = (0..graph.nodes.len()).map(|node| graph.id(node)).collect();
    assert_eq!(ids, ["L1", "L5", "L6", "L7", "L8", "L8_1", "L9"]);
    assert_eq!(graph.id(99), "");
}

#[test]
fn the_picture_in_the_docs_is_that_of_the_flow() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let source = std::fs::read_to_string(root.join("flows/demo/code/demo.totp.flow")).unwrap();
    let shown = std::fs::read_to_string(root.join("docs/images/demo.totp.svg")).unwrap();
    let again = "agamid flow graph flows/demo --flow demo.totp -o docs/images/demo.totp.svg";
    assert!(graph(&source).to_svg() == shown, "the picture is old; draw it again: {again}");
}

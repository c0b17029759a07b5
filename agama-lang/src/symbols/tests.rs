use super::{KEYWORDS, OutlineItem, RenameError, Role, Symbols};
use crate::parse::parse;

const FLOW: &str = "\
Flow a.b
    Basepath \"a\"
    Configs conf
    Inputs hint

// page is not a name here, nor in \"page\"
page = {login: hint, page: 1}
n = Iterate over page using key
    page.$key = conf.page
    x | E = Call a.b.c#page page.login page[n]
form = RRF \"login.html\" page
When form.page is -n and
E is null
    Trigger $page.flow form
    r = Trigger a.other page
Otherwise
    Match form.kind to
        page
            Finish true
Finish page
";

fn symbols(source: &str) -> Symbols {
    let (flow, found) = parse(source, "test");
    Symbols::of(&flow.unwrap_or_else(|| panic!("{found:?}")))
}

fn legal() -> (String, Symbols) {
    (FLOW.to_owned(), symbols(FLOW))
}

#[test]
fn every_place_of_a_variable_is_found_and_nothing_else_of_that_name() {
    let (source, found) = legal();
    let places = found.rename("page", "view").unwrap();
    let mut renamed = source.clone();
    for span in places.iter().rev() {
        assert_eq!(&source[span.start as usize..span.end as usize], "page");
        renamed.replace_range(span.start as usize..span.end as usize, "view");
    }
    insta::assert_snapshot!(renamed);
    assert!(parse(&renamed, "test").0.is_some());
}

#[test]
fn inputs_configs_loop_and_error_variables_are_definitions() {
    let (source, found) = legal();
    let roles = |name: &str| -> Vec<Role> {
        found.variables[name].definitions.iter().map(|definition| definition.role).collect()
    };
    assert_eq!(roles("hint"), [Role::Input]);
    assert_eq!(roles("conf"), [Role::Configs]);
    assert_eq!(roles("key"), [Role::LoopItem]);
    assert_eq!(roles("E"), [Role::Error]);
    assert_eq!(roles("n"), [Role::Assigned]);
    assert!(found.is_input("hint") && !found.is_input("conf"));
    assert_eq!(found.variables["key"].uses.len(), 1, "`.$key` reads key");
    assert_eq!(found.variables["n"].uses.len(), 2, "`[n]` and `-n` read n");
    let changed: Vec<bool> = found.variables["page"].uses.iter().map(|place| place.changes).collect();
    assert_eq!(changed.iter().filter(|changes| **changes).count(), 1, "`page.$key =` changes page");
    let at = u32::try_from(source.find("conf.page").unwrap()).unwrap();
    assert_eq!(found.variable_at(at + 2).map(|(name, span)| (name, span.start)), Some(("conf", at)));
}

#[test]
fn templates_subflows_routines_and_properties_are_found() {
    let (_, found) = legal();
    let page = &found.templates[0];
    assert_eq!((page.path.as_str(), page.target.as_deref()), ("a/login.html", Some("form")));
    assert_eq!(page.model.as_deref(), Some("page"));
    assert_eq!(found.triggers.len(), 1, "a Trigger of a variable names no flow");
    assert_eq!((found.triggers[0].flow.node.as_str(), found.triggers[0].arguments), ("a.other", 1));
    assert_eq!(found.calls[0].function.node, "page");
    let keys: Vec<&String> = found.variables["page"].properties.keys().collect();
    assert_eq!(keys, ["flow", "login", "page"]);
}

#[test]
fn a_name_that_can_not_be_is_refused_with_the_reason() {
    let (_, found) = legal();
    let say = |from: &str, to: &str| found.rename(from, to).unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            say("nobody", "x"),
            say("page", "idx"),
            say("page", "When"),
            say("page", "1st"),
            say("page", "oh-me"),
            say("page", ""),
            say("page", "ünder"),
            say("page", "form"),
        ]
        .join("\n")
    );
    assert!(matches!(found.rename("idx", "i"), Err(RenameError::NoSuchVariable(_))));
    assert_eq!(found.rename("page", "page").unwrap().len(), found.variables["page"].spans().count());
}

#[test]
fn every_keyword_is_refused_as_a_variable_by_the_parser_too() {
    for word in KEYWORDS {
        let source = format!("Flow a\n    Basepath \"\"\n{word} = 1\nFinish true\n");
        assert!(parse(&source, "test").0.is_none(), "{word} can be a variable");
        let source = format!("Flow a\n    Basepath \"\"\nx = y.{word}\nFinish true\n");
        assert!(parse(&source, "test").0.is_some(), "{word} can't be a property");
    }
}

#[test]
fn the_outline_nests_like_the_source() {
    fn draw(items: &[OutlineItem], depth: usize, source: &str, out: &mut String) {
        for item in items {
            let lines = source[item.whole.start as usize..item.whole.end as usize].lines().count();
            let indent = "  ".repeat(depth);
            out.push_str(&format!("{indent}{:?}: {} ({lines})\n", item.kind, item.label(source)));
            draw(&item.children, depth + 1, source, out);
        }
    }
    let (source, found) = legal();
    let mut out = String::new();
    draw(&found.outline, 0, &source, &mut out);
    insta::assert_snapshot!(out);
}

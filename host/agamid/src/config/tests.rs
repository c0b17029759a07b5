use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<NodeConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agamid.toml");
    std::fs::write(&file, text).unwrap();
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    NodeConfig::load(&file, variables)
        .map_err(|e| e.to_string().replace(&folder.path().display().to_string(), "DIR"))
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_what_is_allowed() {
    let error =
        load("[public]\nissuer = \"http://localhost:1\"\nlistn = \"127.0.0.1:1\"\n", &[]).unwrap_err();
    assert!(error.starts_with("DIR/agamid.toml:3: public.listn:"), "{error}");
    assert!(error.contains("`listen`"), "{error}");
}

#[test]
fn a_wrong_type_is_named_with_file_line_and_key() {
    let error = load("[flows]\ndir = \"flows\"\nwatch = \"yes\"\n", &[]).unwrap_err();
    assert!(error.starts_with("DIR/agamid.toml:3: flows.watch:"), "{error}");
}

#[test]
fn broken_toml_is_named_with_its_line() {
    let error = load("[public]\nissuer = \n", &[]).unwrap_err();
    assert!(error.starts_with("DIR/agamid.toml:2:"), "{error}");
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = load(
        "[public]\nissuer = \"http://localhost:1\"\n",
        &[("AGAMID_PUBLIC__ISSUER", "http://localhost:2"), ("AGAMID_FLOWS__WATCH", "false"), ("HOME", "/")],
    )
    .unwrap();
    assert_eq!(config.public.issuer, "http://localhost:2");
}

#[test]
fn a_wrong_variable_is_named() {
    let error = load("", &[("AGAMID_PUBLIC__LISTEN", "nonsense")]).unwrap_err();
    assert!(error.contains("AGAMID_PUBLIC__LISTEN"), "{error}");
    let error = load("", &[("AGAMID_PUBIC__LISTEN", "127.0.0.1:1")]).unwrap_err();
    assert!(error.contains("AGAMID_PUBIC__LISTEN"), "{error}");
}

#[test]
fn an_unknown_section_of_settings_is_refused() {
    let error = load("[seed.flow]\ndefault_acr = \"x\"\n", &[]).unwrap_err();
    assert!(error.contains("seed.flow") && error.contains("identity"), "{error}");
}

#[test]
fn watching_without_a_folder_is_refused() {
    assert!(load("[flows]\nwatch = true\n", &[]).unwrap_err().contains("flows.dir"));
}

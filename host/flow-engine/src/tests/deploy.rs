//! Deployment: as a whole or not at all.

use std::io::Write as _;

use super::house::{House, project};
use crate::catalog::DeployError;
use crate::project::{ProjectError, ProjectFiles};

const FINE: &str = "Flow t.fine\n    Basepath \"\"\n\nFinish false\n";

fn codes(error: &DeployError) -> Vec<String> {
    match error {
        DeployError::Refused { findings, .. } => {
            findings.iter().map(|finding| format!("{} {}", finding.file, finding.message)).collect()
        }
        other => vec![other.to_string()],
    }
}

#[tokio::test]
async fn a_broken_project_is_refused_with_all_its_findings_and_the_old_one_serves() {
    let house = House::new(&[("t.fine", FINE)]).await;
    let before = house.engine.catalog().project("test").unwrap();
    for (flows, expected) in [
        (
            ("t.fine", "Flow t.fine\n    Basepath \"\"\n\nx = RRF \"missing.html\"\nFinish x\n"),
            "missing.html",
        ),
        (("t.fine", "Flow t.fine\n    Basepath \"\"\n\nx = Call no.such#thing\nFinish x\n"), "no.such"),
        (("t.fine", "Flow t.fine\n    Basepath \"\"\n\nx = Trigger t.gone\nFinish x\n"), "t.gone"),
        (("t.fine", "Flow t.fine\n    Basepath \"\"\n\nx = = 1\nFinish x\n"), "t.fine.flow"),
        (("t.other", FINE), "t.other.flow"),
    ] {
        let error = house.engine.catalog().deploy(project("test", &[flows]), "test").await.err().unwrap();
        assert!(
            codes(&error).iter().any(|finding| finding.contains(expected)),
            "{expected}: {:?}",
            codes(&error)
        );
        let after = house.engine.catalog().project("test").unwrap();
        assert_eq!(after.revision, before.revision);
    }
    let mut template = project("test", &[("t.fine", FINE)]);
    template.files.insert("web/page.html".to_owned(), b"{% if %}".to_vec());
    let error = house.engine.catalog().deploy(template, "test").await.err().unwrap();
    assert!(codes(&error)[0].contains("page.html"), "{:?}", codes(&error));
    assert!(!house.engine.catalog().project("test").unwrap().refused.is_empty(), "it is told");
    house.engine.catalog().deploy(project("test", &[("t.fine", FINE)]), "test").await.unwrap();
    assert!(house.engine.catalog().project("test").unwrap().refused.is_empty(), "until a good one comes");
}

#[tokio::test]
async fn a_flows_name_belongs_to_one_project() {
    let house = House::new(&[("t.fine", FINE)]).await;
    let error =
        house.engine.catalog().deploy(project("thief", &[("t.fine", FINE)]), "test").await.err().unwrap();
    assert!(error.to_string().contains("t.fine exists in another project"), "{error}");
}

#[tokio::test]
async fn a_flow_that_another_project_triggers_can_not_go_away() {
    let house = House::new(&[("t.fine", FINE)]).await;
    let user = "Flow u.user\n    Basepath \"\"\n\nx = Trigger t.fine\nFinish x\n";
    house.engine.catalog().deploy(project("user", &[("u.user", user)]), "test").await.unwrap();
    let renamed = FINE.replace("t.fine", "t.renamed");
    let gone = project("test", &[("t.renamed", renamed.as_str())]);
    let error = house.engine.catalog().deploy(gone, "test").await.err().unwrap();
    assert!(codes(&error).iter().any(|finding| finding.contains("u.user.flow")), "{:?}", codes(&error));
    assert!(house.engine.catalog().project("test").unwrap().flows.contains(&"t.fine".to_owned()));
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_is_read_with_or_without_a_top_folder_and_never_reaches_outside() {
    let manifest = br#"{"projectName": "a", "version": "1"}"#.as_slice();
    for name in ["project.json", "a-1.0/project.json"] {
        assert_eq!(
            ProjectFiles::from_archive(&archive(&[(name, manifest)])).unwrap().manifest.project_name,
            "a"
        );
    }
    for bad in ["../project.json", "/etc/passwd", "web/../../x", "web\\x"] {
        let refused = ProjectFiles::from_archive(&archive(&[("project.json", manifest), (bad, b"x")]));
        assert!(matches!(refused, Err(ProjectError::Archive(_))), "{bad}: {refused:?}");
    }
    let bomb = vec![0_u8; 17 << 20];
    let refused = ProjectFiles::from_archive(&archive(&[("project.json", manifest), ("web/x", &bomb)]));
    assert!(matches!(refused, Err(ProjectError::TooLarge(_))));
    assert!(matches!(ProjectFiles::from_archive(b"no zip"), Err(ProjectError::Archive(_))));
    let wrong = ProjectFiles::from_archive(&archive(&[("project.json", b"{\n\"version\": 1}")]));
    assert!(matches!(wrong, Err(ProjectError::Manifest { line: 2, .. })), "{wrong:?}");
}

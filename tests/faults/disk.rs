//! A full disk.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use super::GRACE;
use super::load::Load;
use super::plan::{Figures, plan};
use crate::nodes::until;
use crate::support::browser::{Browser, Request, text};
use crate::support::cluster::Cluster;

/// A file system of 8 MiB in memory; unmounted at the end.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "agamid-test"])
            .arg(folder.path())
            .output()
            .map_err(|error| format!("mount: {error}"))?;
        if mounted.status.success() {
            return Ok(Self { folder });
        }
        Err(format!("a tmpfs can't be mounted: {}", String::from_utf8_lossy(&mounted.stderr).trim()))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_lets_reads_go_on_and_is_over_when_there_is_room() {
    let mut all = Figures::default();
    for _ in 0..plan().repeats {
        match Small::mount() {
            Ok(small) => all.absorb(fill_up(&small).await),
            Err(reason) => {
                let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1");
                assert!(!in_ci, "{reason}; run as root");
                println!("SKIPPED full disk: {reason}; run as root");
                return;
            }
        }
    }
    assert_eq!(all.unanswered, 0);
    all.settle("disk full, sled on 8 MiB");
}

/// A server on a disk that gets full under load, and then is not full any more.
async fn fill_up(small: &Small) -> Figures {
    let cluster = Cluster::on(format!("sled:{}/store", small.path().display()), 1, GRACE);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let tokens = browser.tokens(node, &Request::new(node), "bob").await;
    let access = text(&tokens, "access_token");
    let load = Load::of(&cluster).await;
    let health = format!("{}/health/ready", node.admin());
    let filler = small.path().join("filler");
    load.during(plan().writers, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fill(&filler);
        let before = load.figures(|figures| figures.refused);
        until("writes are refused", async || load.figures(|figures| figures.refused) > before + 10).await;
    })
    .await;
    assert_eq!(browser.get(&health).await.status, 503);
    assert_eq!(browser.userinfo(node, &access).await.0, 200, "reads go on");
    assert_eq!(browser.get(&format!("{}/oauth2/jwks", node.issuer())).await.status, 200);
    std::fs::remove_file(&filler).unwrap();
    let begun = Instant::now();
    until("writes go on", async || load.serves(0).await).await;
    load.figures(|figures| figures.recoveries.push(begun.elapsed()));
    assert_eq!(browser.get(&health).await.status, 200);
    load.check(50).await;
    load.during(plan().writers, tokio::time::sleep(Duration::from_millis(300))).await;
    load.check(200).await;
    load.figures(std::mem::take)
}

/// Writes until nothing fits.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

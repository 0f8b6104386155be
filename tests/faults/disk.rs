//! Disks that are full or read-only.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Length,
    harness::{Fixture, apply, sqlite_behaviour},
    servers::Server,
    storm::Storm,
};

/// A small file system in memory, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Self {
        let path = folder.join("disk");
        std::fs::create_dir(&path).expect("no folder");
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=8m", "none", text(&path)],
        );
        Self(path)
    }

    fn remount(&self, options: &str) {
        run(
            "mount",
            &["-o", &format!("remount,{options}"), text(&self.0)],
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may have ended just now.
        run("umount", &["--lazy", text(&self.0)]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("not UTF-8")
}

fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(program)
        .args(arguments)
        .status()
        .expect(program);
    assert!(
        ran.success(),
        "{program} {arguments:?} failed: the full form needs root"
    );
}

/// The disk fills up, is emptied, becomes read-only, and can be written again.
#[apply(sqlite_behaviour)]
async fn a_full_or_read_only_disk_loses_and_doubles_nothing(mut fixture: Fixture) {
    if !Length::is_full() {
        return;
    }
    let disk = SmallDisk::mount(fixture.folder());
    fixture.url = format!("sqlite://{}/test.db", disk.0.display());
    let server = Server::start(&fixture).await;
    let storm = Storm::start(&[&server.base]).await;
    let wait_for_failures = async || {
        while storm.seen().unavailable < 100 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    wait_for_failures().await;
    eprintln!("disk full: {}", storm.reset());
    disk.remount("size=512m");
    storm.wait_for(Length::chosen().writes).await;
    storm.end(&fixture).await;
    server.stop().await;
}

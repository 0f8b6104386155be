//! Disks that are full.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Length,
    harness::{Fixture, apply, runner::not_asked_for, sqlite_behaviour},
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

    fn grow(&self) {
        run("mount", &["-o", "remount,size=512m", text(&self.0)]);
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

/// The disk fills up, and grows after a while.
#[apply(sqlite_behaviour)]
async fn a_full_disk_loses_and_doubles_nothing(mut fixture: Fixture) {
    if !Length::is_full() {
        not_asked_for("it mounts a file system, so only the full form runs it");
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
    disk.grow();
    storm.wait_for(Length::chosen().writes).await;
    storm.end(&fixture).await;
    server.stop().await;
}

//! Disks that are full, and files that are read-only.

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

/// Files that not even open handles can change, until it is dropped.
struct Immutable(Vec<PathBuf>);

impl Immutable {
    fn make(files: Vec<PathBuf>) -> Self {
        let made = Self(files);
        made.change("+i");
        made
    }

    fn change(&self, mode: &str) {
        for file in &self.0 {
            run("chattr", &[mode, text(file)]);
        }
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        self.change("-i");
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
    fixture.owner_url.clone_from(&fixture.url);
    let server = Server::start(&fixture).await;
    let storm = Storm::start(&[&server.base]).await;
    storm.wait_until(|seen| seen.full >= 100).await;
    eprintln!("disk full: {}", storm.reset());
    disk.grow();
    storm.wait_for(Length::chosen().writes).await;
    storm.end(&fixture).await;
    server.stop().await;
}

/// The files become read-only under open connections, as after an error of the disk, and are made writable
/// again.
#[apply(sqlite_behaviour)]
async fn a_read_only_file_loses_and_doubles_nothing(fixture: Fixture) {
    if !Length::is_full() {
        not_asked_for("it makes files immutable, so only the full form runs it");
    }
    let server = Server::start(&fixture).await;
    let storm = Storm::start(&[&server.base]).await;
    for _ in 0..3 {
        storm.wait_for(Length::chosen().writes).await;
        let files = ["test.db", "test.db-wal"].map(|file| fixture.folder().join(file));
        let read_only = Immutable::make(files.into());
        storm.reset();
        storm.wait_until(|seen| seen.unavailable >= 100).await;
        let seen = storm.reset();
        eprintln!("files read-only: {seen}");
        drop(read_only);
    }
    storm.wait_for(Length::chosen().writes).await;
    storm.end(&fixture).await;
    server.stop().await;
}

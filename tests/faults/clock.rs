//! Clocks that step back.

use std::fs;

use crate::{
    Length,
    harness::{Fixture, apply, behaviour, ignore},
    servers::Server,
    storm::Storm,
};

/// The library of Debian's package `faketime`.
fn library() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").expect("no /usr/lib").flatten();
    let files = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    files
        .into_iter()
        .find(|file| file.exists())?
        .to_str()
        .map(str::to_owned)
}

/// An hour, as after a virtual machine is resumed with a wrong clock.
#[apply(behaviour)]
async fn a_clock_that_steps_back_loses_and_doubles_nothing(fixture: Fixture) {
    let Some(library) = library() else {
        ignore("faketime is not installed");
    };
    let clock = fixture.folder().join("clock");
    fs::write(&clock, "+0").expect("not written");
    let clock_name = clock.to_str().expect("not UTF-8").to_owned();
    let settings = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &clock_name),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let server = Server::with(&fixture, &fixture.owner_url, &settings).await;
    let storm = Storm::start(&[&server.base]).await;
    let writes = Length::chosen().writes;
    for step in ["-3600", "+3600", "+0"] {
        storm.wait_for(writes).await;
        fs::write(&clock, step).expect("not written");
    }
    storm.wait_for(writes).await;
    storm.end(&fixture).await;
    server.stop().await;
}

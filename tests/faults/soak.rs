//! A long storm without faults: memory and open files.

use tokio::time::sleep;

use crate::{
    Length, at_most,
    harness::{Fixture, apply, behaviour},
    servers::Server,
    storm::Storm,
};

/// Maximum number of files that the server may have opened since the first tenth.
const FILES: usize = 8;

/// Prints memory and open files ten times. At the end memory is within 10 % of the first time.
#[apply(behaviour)]
async fn a_soak_keeps_every_write(fixture: Fixture) {
    let server = Server::start(&fixture).await;
    let storm = Storm::start(&[&server.base]).await;
    let mut measured = Vec::new();
    for tenth in 1..=10 {
        sleep(Length::chosen().soak / 10).await;
        let running = server.running();
        let (memory, files) = (running.resident(), running.open_files());
        eprintln!(
            "{}, {tenth}/10: {} writes, {memory} KiB, {files} open files",
            fixture.kind,
            storm.seen().writes,
        );
        measured.push((memory, files));
    }
    storm.end(&fixture).await;
    server.stop().await;
    let ((first_memory, first_files), (memory, files)) = (measured[0], measured[9]);
    at_most(memory, first_memory + first_memory / 10, "KiB at the end");
    at_most(files, first_files + FILES, "open files at the end");
}

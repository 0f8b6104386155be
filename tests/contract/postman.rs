//! The Postman collection, run by newman.

use crate::{
    harness::{Fixture, apply, behaviour},
    tools::{project, succeeds, tool},
};

#[apply(behaviour)]
async fn every_request_of_the_collection_passes(fixture: Fixture) {
    let service = fixture.serve().await;
    let folder = project("docs/postman");
    // A second run must pass on the data of the first.
    for run in 1..=2 {
        let mut newman = tool("newman", &folder);
        newman
            .args(["run", "acclaim.postman_collection.json"])
            .args(["-e", "acclaim.postman_environment.json"])
            .args(["--env-var", &format!("baseUrl={}", service.base)])
            .args(["--color", "off", "--disable-unicode"]);
        let printed = succeeds(&mut newman).await;
        let row = |name: &str| {
            let row = printed.lines().find(|line| line.contains(name));
            let cells = row.expect(&printed).split('|').map(str::trim);
            let numbers = cells.filter_map(|cell| cell.parse().ok());
            numbers.collect::<Vec<u32>>()
        };
        let (requests, assertions) = (row("requests"), row("assertions"));
        assert!(matches!(requests[..], [(40..), 0]), "{printed}");
        assert!(matches!(assertions[..], [(100..), 0]), "{printed}");
        println!(
            "newman, run {run} on {}: requests and failed {requests:?}, assertions and failed {assertions:?}",
            fixture.kind
        );
    }
}

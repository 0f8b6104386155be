//! Nobody learns what is hidden from them.

use serde_json::json;

use super::{suspend, vote};
use crate::harness::{Fixture, apply, behaviour, service::Service, statistics::folded};

async fn anonymous(service: &Service, path: &str) -> crate::harness::service::Answer {
    service.call("GET", path, None, None).await
}

#[apply(behaviour)]
async fn the_statistics_of_a_post_are_for_those_who_see_it(fixture: Fixture) {
    let service = fixture
        .serve_as(true, acclaim::config::Origins::These(Vec::new()))
        .await;
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let post = service.new_post(&ada, "Post").await;
    let draft = service.new_draft(&ada, "Draft").await;
    vote(&service, &bob, post).await;
    vote(&service, &ada, draft).await;
    folded(&fixture).await;
    let of = |id: i64| format!("/posts/{id}/stats");
    let answer = anonymous(&service, &of(post)).await.expect(200).json();
    assert_eq!(
        (&answer["votes"], &answer["complete"]),
        (&json!(1), &json!(true))
    );
    // Members that are not named here could tell who voted.
    let mut names: Vec<_> = answer.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["complete", "days", "position", "post_id", "votes"]);
    let mut names: Vec<_> = answer["days"][0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["added", "day", "net", "removed"]);

    let own = service.get(&of(draft), &ada).await.expect(200).json();
    assert_eq!(own["votes"], 1);
    let hidden = service.get(&of(draft), &bob).await.problem(404);
    let missing = service.get(&of(999_999), &bob).await.problem(404);
    assert_eq!(hidden["type"], missing["type"]);
    anonymous(&service, &of(draft)).await.problem(404);
    // At once, and not only after the next step of the job.
    suspend(&fixture.connect().await, ada.id, true).await;
    for path in [of(post), of(draft)] {
        service.get(&path, &bob).await.problem(404);
        anonymous(&service, &path).await.problem(404);
    }
}

#[apply(behaviour)]
async fn the_statistics_of_a_user_have_only_what_everyone_sees(fixture: Fixture) {
    let service = fixture
        .serve_as(true, acclaim::config::Origins::These(Vec::new()))
        .await;
    let ada = service.user("ada").await;
    service.new_post(&ada, "Post").await;
    let draft = service.new_draft(&ada, "Draft").await;
    vote(&service, &ada, draft).await;
    folded(&fixture).await;
    let path = format!("/users/{}/stats", ada.id);
    let by_owner = service.get(&path, &ada).await.expect(200).json();
    assert_eq!(
        (&by_owner["posts"], &by_owner["votes"]),
        (&json!(1), &json!(0))
    );
    let by_others = anonymous(&service, &path).await.expect(200).json();
    assert_eq!(by_owner, by_others);
    anonymous(&service, "/users/999999/stats")
        .await
        .problem(404);
    for path in ["/stats", "/tags"] {
        anonymous(&service, path).await.expect(200);
    }
}

#[apply(behaviour)]
async fn statistics_need_a_token_unless_reads_are_public(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    for path in ["/stats", "/tags", "/users/1/stats", "/posts/1/stats"] {
        anonymous(&service, path).await.problem(401);
        assert_ne!(service.get(path, &ada).await.status, 401);
    }
}

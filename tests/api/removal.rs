//! Deleted accounts: hidden at once, removed by a job.

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use crate::{
    auth::refresh::refuses_refresh,
    cli::acclaim,
    harness::{
        Fixture, apply, behaviour, column, insert_numbered, insert_posts,
        service::{PASSWORD, Service, User},
        wait_for,
    },
};

/// Deletes `user` while no job runs, so that the rows stay.
async fn mark(fixture: &Fixture, service: &Service, user: &User) {
    fixture.stop_jobs().await;
    let body = json!({"current_password": PASSWORD});
    let deletion = service.call("DELETE", "/users/me", Some(user), Some(body));
    deletion.await.expect(204);
}

async fn execute(connection: &DatabaseConnection, sql: &str) {
    connection.execute_unprepared(sql).await.expect(sql);
}

#[apply(behaviour)]
async fn a_deleted_account_is_hidden_at_once(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let new = json!({"title": "Zephyrine", "content": "c", "tags": ["engines"]});
    let post = service.post("/posts", &ada, new).await.expect(201).json();
    let post = format!("/posts/{}", post["id"]);
    let vote = format!("{post}/vote");
    service
        .call("PUT", &vote, Some(&grace), None)
        .await
        .expect(200);
    let new = json!({"name": "Bot", "scopes": ["account"]});
    let token = service.post("/tokens", &ada, new).await.expect(201).json();
    let bot = User {
        token: token["token"].as_str().unwrap().to_owned(),
        ..ada.clone()
    };
    let other = service.sign_in("ada", PASSWORD).await;
    mark(&fixture, &service, &ada).await;
    let connection = fixture.connect().await;
    assert_eq!(
        column(&connection, "SELECT count(*) FROM posts").await,
        ["1"]
    );

    for user in [&ada, &bot, &other] {
        service.get("/users/me", user).await.problem(401);
    }
    for query in [
        "",
        "sort=old",
        "sort=top",
        "sort=hot",
        "search=zephyrine",
        "tag=engines",
        "voted=true",
        "search=zephyrine&sort=new",
        "search=zephyrine&tag=engines",
        "created_after=2020-01-01T00:00:00Z",
        &format!("owner_id={}", ada.id),
    ] {
        let path = format!("/posts?count=exact&{query}");
        let list = service.get(&path, &grace).await.expect(200);
        assert_eq!(list.json(), json!([]), "{path}");
        assert_eq!(list.header("x-total-count"), Some("0"), "{path}");
    }
    service.get(&post, &grace).await.problem(404);
    for method in ["PUT", "DELETE"] {
        let answer = service.call(method, &vote, Some(&grace), None).await;
        answer.problem(404);
    }
    let user = format!("/users/{}", ada.id);
    service.get(&user, &grace).await.problem(404);

    // An unknown name gets the same answer.
    let sign_in = async |name: &str| {
        let body = json!({"username": name, "password": PASSWORD});
        let answer = service.call("POST", "/login", None, Some(body)).await;
        let mut problem = answer.problem(401);
        problem["instance"].take();
        problem
    };
    let unknown = sign_in("nobody").await;
    for name in ["ada", "ada@example.com"] {
        assert_eq!(sign_in(name).await, unknown);
    }
    refuses_refresh(&service, &other).await;
    // The names stay taken until the rows are removed.
    for (email, username, detail) in [
        ("ada@example.com", "eve", "the email is taken"),
        ("eve@example.com", "ada", "the username is taken"),
    ] {
        let body = json!({"email": email, "username": username, "password": PASSWORD});
        let answer = service.call("POST", "/users", None, Some(body)).await;
        assert_eq!(answer.problem(409)["detail"], detail);
    }
}

#[apply(behaviour)]
async fn a_deleted_account_cannot_be_moderated(fixture: Fixture) {
    let service = fixture.serve().await;
    let ada = service.user("ada").await;
    service.user("boss").await;
    let promoted = acclaim(&fixture, &["user", "promote", "boss"]).await;
    assert_eq!(promoted.code, Some(0), "{}", promoted.stderr);
    let root = service.sign_in("boss", PASSWORD).await;
    mark(&fixture, &service, &ada).await;
    let suspension = format!("/users/{}/suspension", ada.id);
    for (method, body) in [("PUT", Some(json!({}))), ("DELETE", None)] {
        let answer = service.call(method, &suspension, Some(&root), body).await;
        answer.problem(404);
    }
    let users = service.get("/users", &root).await.expect(200).json();
    let names: Vec<&Value> = users.as_array().unwrap().iter().collect();
    assert_eq!((names.len(), &names[0]["username"]), (1, &json!("boss")));
    for command in ["promote", "suspend", "restore"] {
        let ended = acclaim(&fixture, &["user", command, "ada"]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("user ada does not exist"),
            "{}",
            ended.stderr
        );
    }
}

/// A job removed a part of the account before its process ended. The next start removes the rest.
#[apply(behaviour)]
async fn a_removal_continues_after_a_restart(fixture: Fixture) {
    let service = fixture.serve().await;
    let (ada, grace) = (service.user("ada").await, service.user("grace").await);
    let hers = service.new_post(&grace, "Grace's").await;
    let connection = fixture.connect().await;
    // More posts, bytes and votes than one step removes.
    for owner in [&ada, &grace] {
        insert_posts(&connection, owner.id, 150, "c").await;
        insert_posts(&connection, owner.id, 12, &"x".repeat(30_000)).await;
    }
    let names = "n || '@example.com', 'voter' || n, 'x', created_at, created_at
        FROM numbers, users WHERE username = 'ada'";
    let columns = "users (email, username, password_hash, created_at, updated_at)";
    insert_numbered(&connection, 450, columns, names).await;
    for (posts, users) in [
        (
            format!(
                "posts.id = (SELECT min(id) FROM posts WHERE owner_id = {})",
                ada.id
            ),
            "TRUE",
        ),
        (
            format!("posts.owner_id = {}", grace.id),
            "username IN ('ada', 'voter1')",
        ),
    ] {
        let votes = format!(
            "INSERT INTO votes (post_id, user_id, created_at)
             SELECT posts.id, users.id, users.created_at FROM posts, users WHERE {posts} AND {users}"
        );
        execute(&connection, &votes).await;
    }
    mark(&fixture, &service, &ada).await;
    let half = format!(
        "DELETE FROM posts WHERE owner_id = {} AND id % 2 = 0",
        ada.id
    );
    execute(&connection, &half).await;

    let service = fixture.serve().await;
    let remaining = format!("SELECT id FROM users WHERE id = {}", ada.id);
    wait_for(&connection, &remaining, &[]).await;
    let others = format!("WHERE owner_id <> {}", grace.id);
    for rows in [
        format!("posts {others}"),
        format!("votes WHERE user_id = {}", ada.id),
        "post_tags WHERE post_id NOT IN (SELECT id FROM posts)".to_owned(),
        "ranks WHERE post_id NOT IN (SELECT id FROM posts)".to_owned(),
        format!("sessions WHERE user_id = {}", ada.id),
    ] {
        let count = format!("SELECT count(*) FROM {rows}");
        assert_eq!(column(&connection, &count).await, ["0"], "{rows}");
    }
    let counts = "SELECT count(*) FROM posts WHERE votes = 1";
    assert_eq!(column(&connection, counts).await, ["163"]);
    let post = service.get(&format!("/posts/{hers}"), &grace).await;
    assert_eq!(post.expect(200).json()["votes"], 1);
    // The names are free again.
    assert_ne!(service.user("ada").await.id, ada.id);
}

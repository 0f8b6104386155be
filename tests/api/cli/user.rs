//! `acclaim user`

use super::acclaim;
use crate::harness::{Fixture, apply, behaviour, process::run_with, service::PASSWORD};

#[apply(behaviour)]
async fn an_operator_creates_the_first_admin(fixture: Fixture) {
    let service = fixture.serve().await;
    let create = [
        "user",
        "create",
        "--username",
        "Root",
        "--email",
        "root@example.com",
        "--role",
        "admin",
    ];
    let url = [("DATABASE_URL", fixture.url.as_str())];
    let typed = format!("{PASSWORD}\n");
    let made = run_with(fixture.folder(), &create, &url, &typed).await;
    assert_eq!(
        (made.code, made.stdout.as_str()),
        (Some(0), "1 root admin\n"),
        "{}",
        made.stderr
    );
    let root = service.sign_in("root", PASSWORD).await;
    service.get("/audit-log", &root).await.expect(200);
    service.user("eve").await;
    let suspended = acclaim(&fixture, &["user", "suspend", "eve", "--reason", "why"]).await;
    assert_eq!(
        suspended.stdout, "2 eve user suspended\n",
        "{}",
        suspended.stderr
    );
    let listed = acclaim(&fixture, &["user", "list"]).await;
    assert_eq!(listed.stdout, "1 root admin\n2 eve user suspended\n");
    let restored = acclaim(&fixture, &["user", "restore", "eve@example.com"]).await;
    assert_eq!(restored.stdout, "2 eve user\n");
    let create = create.map(|word| if word == "Root" { "other" } else { word });
    let again = run_with(fixture.folder(), &create, &url, &typed).await;
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (Some(2), "acclaim: the email is taken\n")
    );
    let operator = create.map(|word| if word == "other" { "operator" } else { word });
    let refused = run_with(fixture.folder(), &operator, &url, &typed).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("audit log"), "{}", refused.stderr);
    let unknown = acclaim(&fixture, &["user", "promote", "nobody"]).await;
    assert_eq!(
        (unknown.code, unknown.stderr.as_str()),
        (Some(2), "acclaim: user nobody does not exist\n")
    );
}

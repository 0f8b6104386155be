//! `GET /.well-known/oauth-authorization-server` (RFC 8414) and the issuer of access tokens.

use acclaim::{config::Origins, keys::Keys};
use serde_json::{Value, json};

use crate::{
    auth::{access_tokens::decoded, keys::Ed25519},
    harness::{
        Fixture, SECRET, apply, behaviour,
        service::{Answer, Service},
        tokens,
    },
};

const PATH: &str = "/.well-known/oauth-authorization-server";

async fn metadata(service: &Service, host: Option<&str>) -> Answer {
    let mut request = service.request("GET", PATH);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    Answer::of(request.send().await.expect("no answer")).await
}

async fn serve(fixture: &Fixture, keys: Keys, public_url: Option<&str>) -> Service {
    fixture.migrate().await;
    let mut state = fixture.state(&fixture.database()).await;
    state.access_tokens = tokens(keys).with_issuer(public_url.map(str::to_owned));
    fixture.start(state, Origins::Any)
}

fn secret() -> Keys {
    Keys::from_secrets(&SECRET.into(), &[])
}

#[apply(behaviour)]
async fn the_metadata_leads_to_every_endpoint(fixture: Fixture) {
    let keys = Keys::from_pem(&Ed25519::new().private).unwrap();
    let service = serve(&fixture, keys, None).await;
    let answer = metadata(&service, None).await.expect(200);
    // The host of one request must not reach another client.
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = answer.json();
    let url = |path: &str| json!(format!("{}{path}", service.base));
    let expected = json!({
        "issuer": service.base,
        "token_endpoint": url("/login"),
        "revocation_endpoint": url("/revoke"),
        "introspection_endpoint": url("/introspect"),
        "jwks_uri": url("/.well-known/jwks.json"),
        "service_documentation": url("/docs"),
        "grant_types_supported": ["password", "refresh_token"],
        "response_types_supported": [],
        "scopes_supported": [
            "posts:read", "posts:create", "posts:update", "posts:delete", "votes:write", "events:read",
            "account", "introspect",
        ],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["Bearer"],
    });
    assert_eq!(answer, expected);
    let members = answer.as_object().unwrap().values();
    let urls = members.filter_map(Value::as_str);
    let paths = urls.filter_map(|url| url.strip_prefix(&service.base));
    for path in paths.filter(|path| !path.is_empty()) {
        let answer = service.call("GET", path, None, None).await;
        assert!([200, 405].contains(&answer.status), "{path}");
    }
}

#[apply(behaviour)]
async fn without_a_public_url_the_issuer_is_the_host_of_the_request(fixture: Fixture) {
    let service = serve(&fixture, secret(), None).await;
    for (host, issuer) in [
        ("localhost:8000", "http://localhost:8000"),
        ("API.example:80", "http://api.example"),
        ("[::1]:8000", "http://[::1]:8000"),
    ] {
        let answer = metadata(&service, Some(host)).await.expect(200).json();
        assert_eq!(answer["issuer"], issuer);
        assert_eq!(answer["token_endpoint"], format!("{issuer}/login"));
        assert_eq!(answer.get("jwks_uri"), None);
    }
    for host in [
        "a.example/x",
        "ada@a.example",
        "a.example?x",
        "a b",
        "",
        "a:99999",
    ] {
        let answer = metadata(&service, Some(host)).await;
        assert_eq!(answer.status, 400, "{host}: {}", answer.text);
    }
}

#[apply(behaviour)]
async fn a_public_url_is_the_issuer(fixture: Fixture) {
    let before = serve(&fixture, secret(), None).await;
    let ada = before.user("ada").await;
    assert_eq!(decoded(&ada.token).1["iss"], "acclaim");
    let url = "https://api.example";
    let service = serve(&fixture, secret(), Some(url)).await;
    let answer = metadata(&service, Some("evil.example")).await;
    let answer = answer.expect(200).json();
    assert_eq!(answer["issuer"], url);
    assert_eq!(
        answer["introspection_endpoint"],
        format!("{url}/introspect")
    );
    // Tokens that were issued before stay valid.
    service.get("/users/me", &ada).await.expect(200);
    let new = service
        .sign_in("ada", crate::harness::service::PASSWORD)
        .await;
    let claims = decoded(&new.token).1;
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(url), &json!("acclaim"))
    );
    let form = json!({"token": new.token});
    let shown = service.post("/introspect", &new, form).await.expect(200);
    assert_eq!(shown.json()["iss"], url);
    let form = json!({"grant_type": "password", "username": "ada", "password": "wrong"});
    let wrong = service.call("POST", "/login", None, Some(form)).await;
    assert_eq!(wrong.oauth_error(), "invalid_grant");
    let uri = format!("{url}/problems/invalid-credentials");
    assert_eq!(wrong.json()["error_uri"], uri);
}

//! A client of a running service.

use std::{net::IpAddr, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The password of all test users.
pub const PASSWORD: &str = "correct horse";

#[derive(Clone)]
pub struct Service {
    pub base: String,
    client: Client,
}

/// A user with a session.
#[derive(Clone)]
pub struct User {
    pub id: i64,
    pub token: String,
    pub refresh_token: String,
}

/// A response with its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("no body"),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Asserts the status and returns the response.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts complete problem details (RFC 9457) with `status` and returns them.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let problem = self.json();
        for member in ["type", "title", "detail"] {
            assert_ne!(
                problem[member].as_str().unwrap_or_default(),
                "",
                "{problem}"
            );
        }
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"].as_str(), self.header("x-request-id"));
        if matches!(status, 429 | 503) {
            assert!(self.header("retry-after").is_some());
        }
        problem
    }

    /// Asserts an error of OAuth 2.0 as RFC 6749, section 5.2, defines it, and returns its code.
    #[track_caller]
    pub fn oauth_error(&self) -> String {
        assert_eq!(self.status, 400, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("www-authenticate"), None);
        let error = self.json();
        let members: Vec<&str> = error.as_object().unwrap().keys().map(|k| &**k).collect();
        let expected = ["error", "error_description", "error_uri"];
        assert_eq!(members, expected, "{error}");
        let text = |member: &str| error[member].as_str().unwrap().to_owned();
        let description = text("error_description");
        let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        assert!(!description.is_empty() && description.chars().all(allowed));
        assert!(text("error_uri").contains("/problems/"), "{error}");
        text("error")
    }

    /// `field code` of every entry in `errors` of a 422.
    #[track_caller]
    pub fn field_errors(&self) -> Vec<String> {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().expect("no errors");
        let text = |error: &Value, member: &str| error[member].as_str().unwrap().to_owned();
        errors
            .iter()
            .inspect(|error| assert_ne!(text(error, "message"), ""))
            .map(|error| format!("{} {}", text(error, "field"), text(error, "code")))
            .collect()
    }
}

impl Service {
    pub fn new(base: String) -> Self {
        Self::connecting_from(base, None)
    }

    /// The same service, called from another address of this machine.
    pub fn from(&self, address: impl Into<IpAddr>) -> Self {
        Self::connecting_from(self.base.clone(), Some(address.into()))
    }

    fn connecting_from(base: String, address: Option<IpAddr>) -> Self {
        let client = Client::builder()
            .no_proxy()
            .local_address(address)
            .timeout(Duration::from_mins(1))
            .build()
            .expect("no client");
        Self { base, client }
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("not a method");
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request, with the token of `user` and a JSON `body` if given.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        user: Option<&User>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.request(method, path);
        if let Some(user) = user {
            request = request.bearer_auth(&user.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.expect("no answer")).await
    }

    pub async fn get(&self, path: &str, user: &User) -> Answer {
        self.call("GET", path, Some(user), None).await
    }

    pub async fn post(&self, path: &str, user: &User, body: Value) -> Answer {
        self.call("POST", path, Some(user), Some(body)).await
    }

    /// Asks for the readiness until the status of the answer, which may be a second old, is `status`.
    pub async fn readiness(&self, status: u16) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let answer = self.call("GET", "/health/ready", None, None).await;
            if answer.status == status {
                return answer;
            }
            assert!(Instant::now() < deadline, "{}", answer.text);
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Creates the user `name` and signs in.
    pub async fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "username": name, "password": PASSWORD});
        let made = self
            .call("POST", "/users", None, Some(body))
            .await
            .expect(201);
        let user = self.sign_in(name, PASSWORD).await;
        assert_eq!(made.json()["id"], user.id);
        user
    }

    /// Signs `name` in.
    pub async fn sign_in(&self, name: &str, password: &str) -> User {
        let form = [("username", name), ("password", password)];
        let request = self.request("POST", "/login").form(&form);
        let grant = Answer::of(request.send().await.expect("no answer")).await;
        let grant = grant.expect(200).json();
        let text = |name: &str| grant[name].as_str().expect(name).to_owned();
        let mut user = User {
            id: 0,
            token: text("access_token"),
            refresh_token: text("refresh_token"),
        };
        let me = self.get("/users/me", &user).await.expect(200).json();
        user.id = me["id"].as_i64().expect("no id");
        user
    }

    /// Creates a published post and returns its id.
    pub async fn new_post(&self, user: &User, title: &str) -> i64 {
        let body = json!({"title": title, "content": "Words."});
        let post = self.post("/posts", user, body).await.expect(201).json();
        post["id"].as_i64().expect("no id")
    }

    /// Creates a draft and returns its id.
    pub async fn new_draft(&self, user: &User, title: &str) -> i64 {
        let body = json!({"title": title, "content": "Words.", "published": false});
        let post = self.post("/posts", user, body).await.expect(201).json();
        post["id"].as_i64().expect("no id")
    }
}

//! Servers of one database, as processes that can be killed and started again.

use std::net::TcpListener;

use crate::harness::{Fixture, process::Running};

/// The signing secret, the same for all servers, so that sessions survive a kill.
const SECRET: &str = "only-the-fault-tests-sign-with-this-secret";

/// A server with a port of its own that it keeps.
pub struct Server {
    settings: Vec<(&'static str, String)>,
    folder: std::path::PathBuf,
    running: Option<Running>,
    pub base: String,
}

impl Server {
    /// A server of the database of `fixture`.
    pub async fn start(fixture: &Fixture) -> Self {
        Self::with(fixture, &fixture.owner_url, &[]).await
    }

    /// A server of the database at `url`, with further `settings`.
    pub async fn with(fixture: &Fixture, url: &str, settings: &[(&'static str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("no port").port().to_string();
        let mut all = vec![
            ("DATABASE_URL", url.to_owned()),
            ("AUTO_MIGRATE", "true".to_owned()),
            ("JWT_SECRET", SECRET.to_owned()),
            ("ACCESS_TOKEN_EXPIRE_MINUTES", "1440".to_owned()),
            ("QUOTA_POSTS", "0".to_owned()),
            ("QUOTA_BYTES", "0".to_owned()),
            ("PORT", port.clone()),
        ];
        all.extend(
            settings
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let mut server = Self {
            settings: all,
            folder: fixture.folder().to_owned(),
            running: None,
            base: format!("http://127.0.0.1:{port}"),
        };
        server.start_again().await;
        server
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the server does not run")
    }

    /// Ends the process at once, as a crash does.
    pub async fn kill(&mut self) {
        let running = self.running.take().expect("the server does not run");
        running.signal("KILL");
        running.end().await;
    }

    pub async fn start_again(&mut self) {
        let settings: Vec<(&str, &str)> = self
            .settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.running = Some(Running::start(&self.folder, &settings).await);
    }

    /// Ends gracefully. Panics if the server fails or its log has an unexpected error.
    pub async fn stop(mut self) {
        let running = self.running.take().expect("the server does not run");
        running.signal("TERM");
        let (code, log) = running.end().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

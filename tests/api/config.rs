//! Settings are validated at start, and all errors are reported together.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use acclaim::config::{Config, Origins, QuotaSettings, Rate};

use crate::{
    auth::keys::Ed25519,
    harness::{apply, check},
};

fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
    let settings: HashMap<&str, &str> = settings.iter().copied().collect();
    let lookup = |name: &str| settings.get(name).map(|&value| value.to_owned());
    Config::from_lookup(lookup).map_err(|errors| errors.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "`None` is off")]
fn rate(count: u32, seconds: u64) -> Option<Rate> {
    Some(Rate {
        count: NonZeroU32::new(count).unwrap(),
        period: Duration::from_secs(seconds),
    })
}

#[apply(check)]
fn every_setting_has_a_default() {
    let config = read(&[("PORT", " "), ("JWT_SECRET", "")]).unwrap();
    assert_eq!(
        config.database.to_string(),
        "the SQLite database `acclaim.db`"
    );
    assert_eq!(
        (config.host.to_string().as_str(), config.port),
        ("127.0.0.1", 8000)
    );
    assert!(config.keys.is_none() && config.public_url.is_none());
    assert_eq!(config.database_connections, 32);
    assert_eq!(config.access_token_lifetime.as_secs(), 3600);
    assert_eq!(config.origins, Origins::These(Vec::new()));
    assert_eq!(config.frontend_url, None);
    assert_eq!(config.metrics, None);
    assert!(!config.auto_migrate && !config.public_reads);
    let quotas = QuotaSettings {
        posts: Some(100_000),
        bytes: Some(1 << 30),
    };
    assert_eq!(config.quotas, quotas);
    let limits = config.limits;
    assert_eq!(limits.requests, rate(12_000, 60));
    assert_eq!(limits.sign_up, rate(60, 3600));
    assert_eq!(limits.sign_in, rate(30, 60));
    assert_eq!(limits.sign_in_account, rate(10, 60));
    assert_eq!(limits.writes, rate(1200, 60));
    assert_eq!(limits.trusted_proxies, []);
}

#[apply(check)]
fn settings_are_parsed() {
    let config = read(&[
        (
            "DATABASE_URL",
            "postgres://ada:hidden@db.example:6000/acclaim?sslmode=require",
        ),
        ("DATABASE_CONNECTIONS", "7"),
        ("HOST", "::"),
        ("PORT", "80"),
        ("PUBLIC_URL", "https://API.example:443/"),
        ("JWT_SECRET", "5f0b1c7e93d24a86bb7d0e58c16f2a39"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "5"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://App.example/, http://localhost:5173",
        ),
        ("FRONTEND_URL", " HTTPS://App.example#/feed"),
        ("AUTO_MIGRATE", "TRUE"),
        ("PUBLIC_READS", "1"),
        ("QUOTA_POSTS", "1"),
        ("QUOTA_BYTES", "0"),
        ("RATE_LIMIT_REQUESTS", "1000000/second"),
        ("RATE_LIMIT_SIGN_UP", "OFF"),
        ("RATE_LIMIT_SIGN_IN", " 1 / Hour "),
        (
            "TRUSTED_PROXIES",
            "127.0.0.1, 10.0.0.0/8,::1,::ffff:192.0.2.0/120",
        ),
        ("METRICS_ADDR", "[::1]:9464"),
    ])
    .unwrap();
    assert_eq!(config.database_connections, 7);
    let origins = ["https://app.example", "http://localhost:5173"].map(str::to_owned);
    assert_eq!(config.origins, Origins::These(origins.to_vec()));
    assert_eq!(config.public_url.as_deref(), Some("https://api.example"));
    let frontend_url = config.frontend_url.as_ref().map(url::Url::as_str);
    assert_eq!(frontend_url, Some("https://app.example/#/feed"));
    assert_eq!(config.access_token_lifetime.as_secs(), 300);
    assert!(config.auto_migrate && config.public_reads);
    assert_eq!((config.quotas.posts, config.quotas.bytes), (Some(1), None));
    assert_eq!(config.limits.requests, rate(1_000_000, 1));
    assert_eq!(config.limits.sign_up, None);
    assert_eq!(config.limits.sign_in, rate(1, 3600));
    assert_eq!(config.metrics, Some("[::1]:9464".parse().unwrap()));
    let proxies = ["127.0.0.1/32", "10.0.0.0/8", "::1/128", "192.0.2.0/24"];
    let proxies = proxies.map(|network| network.parse().unwrap());
    assert_eq!(config.limits.trusted_proxies, proxies);
    let shown = format!("{config:?} {}", config.database);
    assert!(shown.contains("db.example:6000"), "{shown}");
    assert!(
        !shown.contains("hidden") && !shown.contains("5f0b1c7e93d24a86"),
        "{shown}"
    );
}

#[apply(check)]
fn every_error_is_reported_with_the_name_of_its_setting() {
    let errors = read(&[
        ("DATABASE_URL", "mysql://root:hidden@localhost/x"),
        ("DATABASE_URL_FILE", "no/such/file"),
        ("DATABASE_CONNECTIONS", "6"),
        ("HOST", "localhost"),
        ("PORT", "65536"),
        ("PUBLIC_URL", "https://api.example/path"),
        ("JWT_SECRET", "short"),
        ("JWT_SECRET_FILE", "no/such/file"),
        ("JWT_KEY_FILE", "no/such/file"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "366"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/path"),
        ("FRONTEND_URL", "https://ada:hidden@app.example"),
        ("AUTO_MIGRATE", "maybe"),
        ("PUBLIC_READS", "2"),
        ("QUOTA_POSTS", "-1"),
        ("QUOTA_BYTES", "1 GiB"),
        ("RATE_LIMIT_REQUESTS", "0/minute"),
        ("RATE_LIMIT_SIGN_UP", "60"),
        ("RATE_LIMIT_SIGN_IN", "1/day"),
        ("RATE_LIMIT_SIGN_IN_ACCOUNT", "1000001/second"),
        ("RATE_LIMIT_WRITES", "/minute"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "many"),
        ("TRUSTED_PROXIES", "127.0.0.1, proxy.example"),
        ("METRICS_ADDR", "127.0.0.1"),
        ("RUST_LOG", "=="),
        ("LOG_FORMAT", "xml"),
    ])
    .unwrap_err();
    for setting in acclaim::config::SETTINGS {
        let line = errors
            .lines()
            .find(|line| line.trim().starts_with(setting.name));
        assert!(
            line.is_some_and(|line| line.len() > setting.name.len() + 10),
            "{errors}"
        );
    }
    assert!(
        !errors.contains("hidden") && !errors.contains("`short`"),
        "{errors}"
    );
}

#[apply(check)]
fn a_front_end_has_an_http_url_without_credentials() {
    for url in [
        "app.example",
        "/feed",
        "ftp://app.example",
        "javascript:alert(1)",
        "https://",
        "https://hidden@app.example",
        "https://:hidden@app.example",
    ] {
        let errors = read(&[("FRONTEND_URL", url)]).unwrap_err();
        let named = errors.contains("FRONTEND_URL: is not an http or https URL");
        assert!(named && !errors.contains("hidden"), "{errors}");
    }
}

#[apply(check)]
fn a_secret_is_required_unless_the_host_is_loopback() {
    for host in ["0.0.0.0", "::", "192.168.1.2"] {
        let errors = read(&[("HOST", host)]).unwrap_err();
        assert!(errors.contains("JWT_SECRET: is unset"), "{errors}");
    }
    for host in ["127.0.0.1", "127.1.2.3", "::1"] {
        assert!(read(&[("HOST", host)]).is_ok());
    }
}

#[apply(check)]
fn weak_secrets_are_refused_and_not_printed() {
    for secret in [
        "5f0b1c7e93d24a86bb7d0e58c16f2a3",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "passwordpasswordpasswordpassword",
        "passwordpasswordpasswordpassword1",
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz123456",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "x7Gq-x7Gq-x7Gq-x7Gq-x7Gq-x7Gq-x7Gq",
    ] {
        let errors = read(&[("JWT_SECRET", secret)]).unwrap_err();
        assert!(
            errors.contains("JWT_SECRET") && !errors.contains(secret),
            "{errors}"
        );
        let good = "5f0b1c7e93d24a86bb7d0e58c16f2a39";
        let errors = read(&[("JWT_SECRET", &format!("{good}, {secret}"))]).unwrap_err();
        assert!(
            errors.contains("JWT_SECRET: secret 2 of 2 ")
                && !errors.contains(secret)
                && !errors.contains(good),
            "{errors}"
        );
    }
    assert!(read(&[("JWT_SECRET", ",")]).is_err());
}

#[apply(check)]
fn random_secrets_are_accepted() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    for _ in 0..500 {
        let hex = rand::random::<[u8; 16]>()
            .map(|byte| format!("{byte:02x}"))
            .concat();
        let base64 = STANDARD.encode(rand::random::<[u8; 32]>());
        for secret in [hex, base64] {
            assert!(read(&[("JWT_SECRET", &secret)]).is_ok(), "{secret}");
        }
    }
}

#[apply(check)]
fn invalid_key_files_are_refused_and_not_repeated() {
    let key = Ed25519::new();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (p256, certificate) = (other.signing_key.serialize_pem(), other.cert.pem());
    let p256_public = key.private.clone() + &other.signing_key.public_key_pem();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.pem");
    let set = |path: &str| read(&[("HOST", "::"), ("JWT_KEY_FILE", path)]);
    for (text, error) in [
        ("", "has no PEM block `PRIVATE KEY`"),
        (&key.public, "has no PEM block `PRIVATE KEY`"),
        (&p256, "has a `PRIVATE KEY` that is not an Ed25519 key"),
        (
            &p256_public,
            "has a `PUBLIC KEY` that is not an Ed25519 key",
        ),
        (&certificate, "contains a PEM block other than"),
        (&key.private.repeat(101), "has more than 100 keys"),
        (&key.private[..80], "is not valid PEM"),
        (
            &key.private.replacen('-', "-----BEGIN PRIVATE KEY-----", 1),
            "is not valid PEM",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let errors = set(path.to_str().unwrap()).unwrap_err();
        let error = format!("JWT_KEY_FILE: {error}");
        assert!(errors.contains(&error), "{errors} is not {error}");
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }
    let none = folder.path().join("none");
    // The key itself may be set by mistake in place of its path.
    for path in [folder.path().to_str(), none.to_str(), Some(&*key.private)] {
        let errors = set(path.unwrap()).unwrap_err();
        assert!(
            errors.contains("JWT_KEY_FILE: cannot be read: "),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 2, "{errors}");
    }
    std::fs::write(&path, key.private.clone() + &key.public).unwrap();
    let config = set(path.to_str().unwrap()).unwrap();
    let shown = format!("{config:?}");
    let secret = key.private.lines().nth(1).unwrap();
    assert!(config.keys.is_some() && !shown.contains(secret), "{shown}");
}

const GOOD_SECRET: &str = "5f0b1c7e93d24a86bb7d0e58c16f2a39";

#[apply(check)]
fn secrets_are_read_from_files_and_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let file = path.to_str().unwrap();
    let set = |setting: &str, text: &str| {
        std::fs::write(&path, text).unwrap();
        read(&[("HOST", "::"), ("JWT_SECRET", GOOD_SECRET), (setting, file)])
    };
    let url = "postgres://ada:hidden@db.example:6000/acclaim";
    let config = set("DATABASE_URL_FILE", &format!("{url}\r\n")).unwrap();
    let shown = format!("{config:?} {}", config.database);
    assert!(
        shown.contains("db.example:6000") && !shown.contains("hidden"),
        "{shown}"
    );

    std::fs::write(&path, format!("{GOOD_SECRET}\n")).unwrap();
    let config = read(&[("HOST", "::"), ("JWT_SECRET_FILE", file)]).unwrap();
    assert!(config.keys.is_some() && !format!("{config:?}").contains(GOOD_SECRET));

    for (text, error) in [
        ("mysql://root:hidden@localhost/x", "DATABASE_URL_FILE: "),
        (" \n", "DATABASE_URL_FILE: is an empty file"),
    ] {
        let errors = set("DATABASE_URL_FILE", text).unwrap_err();
        assert!(
            errors.contains(error) && !errors.contains("hidden"),
            "{errors}"
        );
    }
    // The secret itself may be set by mistake in place of the path of its file.
    for path in [folder.path().to_str().unwrap(), url, GOOD_SECRET] {
        for setting in ["DATABASE_URL_FILE", "JWT_SECRET_FILE"] {
            let errors = read(&[(setting, path)]).unwrap_err();
            let error = format!("\n  {setting}: cannot be read: ");
            assert!(
                errors.contains(&error) && !errors.contains(path),
                "{errors}"
            );
        }
    }
}

#[apply(check)]
fn a_setting_and_its_file_are_mutually_exclusive() {
    for (setting, other, value) in [
        ("JWT_KEY_FILE", "JWT_SECRET", GOOD_SECRET),
        ("JWT_KEY_FILE", "JWT_SECRET", "short"),
        ("JWT_KEY_FILE", "JWT_SECRET_FILE", "secret"),
        ("JWT_SECRET_FILE", "JWT_SECRET", GOOD_SECRET),
        ("DATABASE_URL_FILE", "DATABASE_URL", "sqlite://other.db"),
    ] {
        let errors = read(&[(other, value), (setting, "no/such/file")]).unwrap_err();
        let error = format!("{setting}: is set together with {other}; set only one of them");
        assert!(errors.contains(&error), "{errors}");
    }
}

//! The settings of signing keys, and those that are read from files.

use super::read;
use crate::{
    auth::keys::Ed25519,
    harness::{apply, check},
};

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
        for setting in [
            "DATABASE_URL_FILE",
            "DATABASE_REPLICA_URL_FILE",
            "JWT_SECRET_FILE",
        ] {
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
        (
            "DATABASE_REPLICA_URL_FILE",
            "DATABASE_REPLICA_URL",
            "postgres://db.example/acclaim",
        ),
    ] {
        let errors = read(&[(other, value), (setting, "no/such/file")]).unwrap_err();
        let error = format!("{setting}: is set together with {other}; set only one of them");
        assert!(errors.contains(&error), "{errors}");
    }
}

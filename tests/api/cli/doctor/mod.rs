//! `acclaim doctor`: settings and files.

mod database;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::harness::{
    Fixture, apply, behaviour,
    process::{Ended, run},
};

const SECRET: (&str, &str) = ("JWT_SECRET", "a secret of the tests of enough bytes");

async fn doctor(fixture: &Fixture, settings: &[(&str, &str)]) -> Ended {
    let url = [("DATABASE_URL", fixture.url.as_str())];
    let settings = [&url[..], settings].concat();
    let ended = run(fixture.folder(), &["doctor"], &settings).await;
    assert_eq!(ended.stderr, "", "{}", ended.stdout);
    assert!(!ended.stdout.contains(SECRET.1), "{}", ended.stdout);
    for line in ended.stdout.lines() {
        let (level, _) = line.split_once(' ').expect(line);
        assert!(["ok", "warning", "fault"].contains(&level), "{line}");
    }
    let faulty = ended.stdout.lines().any(|line| line.starts_with("fault"));
    assert_eq!(ended.code, Some(i32::from(faulty)), "{}", ended.stdout);
    ended
}

/// The lines of `level`.
fn lines_of<'a>(ended: &'a Ended, level: &str) -> Vec<&'a str> {
    let lines = ended.stdout.lines();
    lines.filter(|line| line.starts_with(level)).collect()
}

/// Asserts that exactly one line has `level` and `subject`, and that it contains all of `words`.
#[track_caller]
fn assert_line(ended: &Ended, level: &str, subject: &str, words: &[&str]) {
    let start = format!("{level:<7} {subject}: ");
    let lines = ended.stdout.lines();
    let lines: Vec<_> = lines.filter(|line| line.starts_with(&start)).collect();
    assert!(
        lines.len() == 1 && words.iter().all(|word| lines[0].contains(word)),
        "{start}{words:?} is not in\n{}",
        ended.stdout
    );
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("no such file");
}

/// Starts the service once, and sets the file mode that `acclaim serve` sets.
async fn serve_once(fixture: &Fixture) {
    fixture.serve().await;
    if !fixture.is_postgres() {
        set_mode(&fixture.folder().join("test.db"), 0o600);
    }
}

#[apply(behaviour)]
async fn a_healthy_installation_has_no_fault(fixture: Fixture) {
    serve_once(&fixture).await;
    let dotenv = fixture.folder().join(".env");
    fs::write(&dotenv, format!("{}='{}'\n", SECRET.0, SECRET.1)).expect("not written");
    set_mode(&dotenv, 0o600);
    let ended = doctor(&fixture, &[]).await;
    assert_eq!(lines_of(&ended, "fault"), [""; 0]);
    let common = [
        "settings",
        "JWT_SECRET",
        "HOST",
        "CORS_ALLOWED_ORIGINS",
        ".env",
        "clock",
        "database",
        "migrations",
    ];
    let own = if fixture.is_postgres() {
        ["version", "TLS", "database's clock"].as_slice()
    } else {
        assert_eq!(lines_of(&ended, "warning"), [""; 0]);
        &["folder", "file", "WAL", "quick_check"]
    };
    for subject in common.iter().chain(own) {
        assert_line(&ended, "ok", subject, &[]);
    }
    assert!(ended.stdout.contains(" open files: "), "{}", ended.stdout);
}

#[apply(behaviour)]
async fn weak_secrets_are_faults_and_are_not_printed(fixture: Fixture) {
    fixture.migrate().await;
    for (secret, word) in [
        ("too-short", "has 9 bytes; expected at least 32"),
        ("a-string-secret-at-least-256-bits-long", "well-known"),
        ("passwordpasswordpasswordpassword", "is guessable"),
    ] {
        let ended = doctor(&fixture, &[("JWT_SECRET", secret)]).await;
        assert_line(
            &ended,
            "fault",
            "settings",
            &["JWT_SECRET", word, "`openssl rand -hex 32`"],
        );
        assert!(!ended.stdout.contains(secret), "{}", ended.stdout);
        // The database is still checked.
        assert_line(&ended, "ok", "migrations", &[]);
    }
    // All invalid settings are reported at once.
    let ended = doctor(&fixture, &[("HOST", "0.0.0.0"), ("PORT", "x")]).await;
    assert_eq!(lines_of(&ended, "fault").len(), 2, "{}", ended.stdout);
}

#[apply(behaviour)]
async fn risky_settings_are_warnings(fixture: Fixture) {
    fixture.migrate().await;
    let settings = [SECRET, ("HOST", "0.0.0.0"), ("CORS_ALLOWED_ORIGINS", "*")];
    let ended = doctor(&fixture, &settings).await;
    assert_eq!(ended.code, Some(0));
    assert_line(&ended, "warning", "HOST", &["0.0.0.0", "proxy", "TLS"]);
    assert_line(
        &ended,
        "warning",
        "CORS_ALLOWED_ORIGINS",
        &["every origin", "list only"],
    );
    let ended = doctor(&fixture, &[]).await;
    assert_eq!(ended.code, Some(0));
    assert_line(
        &ended,
        "warning",
        "JWT_SECRET",
        &["unset", "`openssl rand -hex 32`"],
    );
    let program = env!("CARGO_BIN_EXE_acclaim");
    let script = format!("ulimit -n 256 && exec {program} doctor");
    let limited = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(fixture.folder())
        .env("DATABASE_URL", &fixture.url)
        .output()
        .await;
    let limited = limited.expect("no bash").into();
    assert_line(&limited, "warning", "open files", &["256", "`ulimit -n"]);
}

#[apply(behaviour)]
async fn a_dotenv_that_others_can_read_is_a_fault(fixture: Fixture) {
    fixture.migrate().await;
    let dotenv = fixture.folder().join(".env");
    fs::write(&dotenv, format!("{}='{}'\n", SECRET.0, SECRET.1)).expect("not written");
    for (mode, level) in [
        (0o644, "fault"),
        (0o602, "fault"),
        (0o640, "warning"),
        (0o400, "ok"),
    ] {
        set_mode(&dotenv, mode);
        let ended = doctor(&fixture, &[]).await;
        let remedy = if level == "ok" { "" } else { "run `chmod 600" };
        assert_line(&ended, level, ".env", &[remedy]);
    }
    // It is also found from a subdirectory, as the settings are.
    let below = fixture.folder().join("below");
    fs::create_dir(&below).expect("no folder");
    set_mode(&dotenv, 0o644);
    let url = [("DATABASE_URL", fixture.url.as_str())];
    assert_line(&run(&below, &["doctor"], &url).await, "fault", ".env", &[]);
}

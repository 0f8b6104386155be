//! The commands of the documents.

use std::{
    env, fs,
    net::TcpListener,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{process::Command, time::timeout};
use url::Url;

use super::blocks::{Document, documents};
use crate::harness::{
    Fixture, apply, behaviour, ignore,
    postgres::{self, OwnServer},
    process::shifted_clock,
};

/// Separates the answers of two commands.
const MARK: &str = "--- end of the answer ---";
/// The address of the service in the documents.
const ADDRESS: &str = "http://127.0.0.1:8000";
/// The folder of the service in the documents.
const FOLDER: &str = "/var/lib/acclaim";
/// The address of PostgreSQL in the documents.
const POSTGRES: &str = "localhost:5432";
/// Leaves a stopped service.
const DEPLOYMENT: &str = "docs/deployment.md";
/// The answer to each prompt.
const PASSWORD: &str = "the first admin chose this\n";
/// Time limit for the commands of a document.
const LIMIT: Duration = Duration::from_mins(3);

/// Makes commands fail on an error response, and replaces the programs that need root or systemd.
const PRELUDE: &str = r#"
set -o pipefail
echo fail-with-body > "$HOME/.curlrc"
runuser() { shift 3; "$@"; }
start() {
    setpriv --pdeathsig TERM acclaim serve 2>>"$HOME/log" & server=$!
    until curl -s -o /dev/null "$BASE/health/live"; do
        kill -0 "$server" || { tail -n 3 "$HOME/log" >&2; return 1; }
        sleep 0.02
    done
}
stop() { kill "$server" && wait "$server" && server=; }
systemctl() {
    case $1 in
        start | enable) start ;;
        stop) stop ;;
        restart) stop && start ;;
        *) echo "systemctl $1 is unknown" >&2; return 1 ;;
    esac
}
trap '[ -z "$server" ] || stop 2>/dev/null' EXIT
"#;

#[apply(behaviour)]
async fn the_commands_of_the_documents_run(fixture: Fixture) {
    let path = env::var_os("PATH").unwrap_or_default();
    for program in ["curl", "openssl"] {
        if !env::split_paths(&path).any(|folder| folder.join(program).exists()) {
            ignore("curl or openssl is not installed");
        }
    }
    if fixture.is_postgres() && postgres::programs().is_none() {
        ignore("PostgreSQL is not installed");
    }
    let mut documents = documents();
    documents.retain(|document| !document.commands(fixture.is_postgres()).is_empty());
    let runs = documents.iter().map(async |document| {
        let own = Fixture::new(fixture.kind.clone()).await;
        let outcome = run(document, &own).await;
        own.end().await;
        outcome.err()
    });
    let failures: Vec<String> = join_all(runs).await.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Runs the commands of `document` in the folder of `fixture`.
async fn run(document: &Document, fixture: &Fixture) -> Result<(), String> {
    let folder = fixture.folder().to_str().expect("not UTF-8");
    let port = unused_port();
    let base = format!("http://127.0.0.1:{port}");
    let mut script = PRELUDE.to_owned();
    let mut command = Command::new("bash");
    let mut path = vec![
        Path::new(env!("CARGO_BIN_EXE_acclaim"))
            .parent()
            .unwrap()
            .into(),
    ];
    path.extend(postgres::programs());
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    command
        .env_clear()
        .envs(shifted_clock())
        .env("PATH", env::join_paths(path).expect("not a path"))
        .env("HOME", folder)
        .env("PORT", port.to_string())
        .env("BASE", &base);
    let mut address = POSTGRES.to_owned();
    let mut cluster = None;
    if !document.has("starts the service") {
        if fixture.is_postgres() {
            fixture.migrate().await;
            let setting = format!("DATABASE_URL={}\n", fixture.owner_url);
            fs::write(fixture.folder().join(".env"), setting).expect("not written");
            fs::set_permissions(fixture.folder().join(".env"), owner_only()).expect("no mode");
        }
        script += "start\n";
    } else if fixture.is_postgres() {
        // The commands create and drop a database and a role, so they get a server of their own.
        let server = cluster.insert(OwnServer::start().await);
        let url = Url::parse(&server.url).expect("not a URL");
        let (host, port) = (
            url.host_str().expect("no host"),
            url.port().expect("no port"),
        );
        address = format!("{host}:{port}");
        command
            .env("PGHOST", host)
            .env("PGPORT", port.to_string())
            .env("PGUSER", url.username());
    }
    let mut answers = Vec::new();
    for first in ["README.md", DEPLOYMENT] {
        if document.has(&format!("continues {first}")) {
            let first = Document::read(first);
            append(&first, fixture.is_postgres(), &mut script, &mut answers);
        }
    }
    if document.has(&format!("continues {DEPLOYMENT}")) {
        // Its last command reverts a migration of the stopped service.
        script +=
            "cd /var/lib/acclaim; acclaim migrate up > /dev/null && systemctl start acclaim\n";
    }
    append(document, fixture.is_postgres(), &mut script, &mut answers);
    let script = script
        .replace(ADDRESS, &base)
        .replace(FOLDER, folder)
        .replace(POSTGRES, &address);
    let input = fixture.folder().join("input");
    fs::write(&input, PASSWORD).expect("not written");
    let output = command
        .args(["-c", &script])
        .current_dir(folder)
        .stdin(Stdio::from(fs::File::open(&input).expect("no input")))
        .kill_on_drop(true)
        .output();
    let output = timeout(LIMIT, output).await;
    drop(cluster);
    let output = output
        .map_err(|_| format!("{}: the commands take too long", document.path))?
        .expect("bash did not start");
    let stdout = String::from_utf8(output.stdout).expect("not UTF-8");
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stdout.rsplit(MARK).next().unwrap_or_default();
        return Err(format!("{}: {stderr}\n{last}", document.path));
    }
    let printed: Vec<&str> = stdout.split(MARK).map(str::trim).collect();
    assert_eq!(printed.len(), answers.len() + 1, "{stdout}");
    for (printed, Answer { place, expected }) in printed.iter().zip(&answers) {
        let expected = expected.as_ref().map(|text| with_placeholders(text.trim()));
        let printed = with_placeholders(printed);
        if expected.as_ref().is_some_and(|text| *text != printed) {
            return Err(format!(
                "{place}: expected\n{}\nbut got\n{printed}",
                expected.unwrap()
            ));
        }
    }
    Ok(())
}

/// What is printed up to a mark.
struct Answer {
    place: String,
    /// What the document shows, if it shows anything.
    expected: Option<String>,
}

/// Appends the commands of `document` to `script`. A failure in a block of `sh` ends the script.
fn append(document: &Document, postgres: bool, script: &mut String, answers: &mut Vec<Answer>) {
    for block in document.commands(postgres) {
        let place = format!("{}:{}", document.path, block.line);
        let mark = format!("echo '{MARK}'\n");
        if block.language == "sh" {
            let trap = format!("trap 'echo \"{place}: $BASH_COMMAND\" >&2; exit 1' ERR\n");
            script.extend([&trap, &block.text, "trap - ERR\n", &mark]);
            answers.push(Answer {
                place,
                expected: None,
            });
            continue;
        }
        for line in block.text.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                script.extend([command, "\n", &mark]);
                let (place, expected) = (place.clone(), Some(String::new()));
                answers.push(Answer { place, expected });
            } else {
                let answer = answers.last_mut().expect("an answer without a command");
                let expected = answer
                    .expected
                    .as_mut()
                    .expect("an answer without a command");
                expected.extend([line, "\n"]);
            }
        }
    }
}

/// A port that no other test gets: those have ports from the system, which are higher.
fn unused_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(number % 20_000).expect("out of range");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn owner_only() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o600)
}

/// `text` with placeholders for dates, tokens and request ids, which differ in every run.
fn with_placeholders(text: &str) -> String {
    let parts = text.split('"').map(|part| {
        if OffsetDateTime::parse(part, &Rfc3339).is_ok() {
            "MOMENT"
        } else if uuid::Uuid::parse_str(part).is_ok() {
            "REQUEST ID"
        } else if part.starts_with("eyJ")
            || part.len() == 43 && part.chars().all(char::is_alphanumeric)
        {
            "TOKEN"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join("\"")
}

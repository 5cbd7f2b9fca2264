# What people do here. `just ci` is what CI runs.

default: test

# Start the service on the shipped configuration
serve *ARGS:
    cargo run --release -- serve {{ARGS}}

# All tests
test *ARGS:
    cargo test {{ARGS}}

# Faults: killed at named places; then a thousand kills at random moments, with their summary
faults:
    cargo test --features fault-points --test faults
    cargo test --features fault-points --test faults -- --ignored --nocapture

# Formatting, lints and documentation
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

# Licences, bans, sources and advisories of dependencies
audit:
    ./.ci/audit

# Look at changed snapshots one by one
review:
    cargo insta review

ci:
    ./.ci/run

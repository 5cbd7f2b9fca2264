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

# Any input to one of the edges: expression, app_file, request, record, log or source (`cargo install cargo-fuzz`)
fuzz TARGET SECONDS="3600":
    mkdir -p fuzz/found/{{TARGET}}
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none {{TARGET}} fuzz/found/{{TARGET}} fuzz/corpus/{{TARGET}} -- -max_total_time={{SECONDS}} -timeout=10 -rss_limit_mb=1024

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

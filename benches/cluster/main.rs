//! The numbers of the Tekton executor, beside their bounds, measured in the same run.
//!
//! `cargo bench --bench cluster` runs all on a scripted API server, a process of its own on loopback; with
//! `KUBECONFIG` set, `burst` also runs against that cluster, in the namespace `TEKCRON_BENCH_NAMESPACE`, with the
//! image `TEKCRON_BENCH_IMAGE`. `cargo bench --bench cluster -- burst` runs one, `--quick` fewer and smaller
//! rounds. Rounds of ours and of the bound alternate.

#![expect(clippy::disallowed_methods, reason = "what is measured here is the real time")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the results are printed")]

mod burst;
#[path = "../spine/daemon.rs"]
mod daemon;
#[path = "../spine/http.rs"]
mod http;
#[expect(dead_code, reason = "the spine uses more of it")]
#[path = "../spine/machine.rs"]
mod machine;
mod place;
#[expect(dead_code, reason = "the spine uses more of it")]
#[path = "../spine/report.rs"]
mod report;
#[path = "../spine/sample.rs"]
mod sample;
mod server;
mod target;
mod watched;

use std::process::ExitCode;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Smaller sizes.
    pub(crate) quick: bool,
    /// How often ours and the bound alternate.
    pub(crate) rounds: usize,
}

/// What is measured, by name.
type Bench = (&'static str, fn(Scale));

const BENCHES: [Bench; 2] = [("burst", burst::run), ("watched", watched::run)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|argument| argument == server::ROLE) {
        let latency = arguments.get(1).and_then(|latency| latency.parse().ok()).unwrap_or(0);
        server::serve(std::time::Duration::from_millis(latency));
        return ExitCode::SUCCESS;
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| *name != "--quick").collect();
    let is_ours = |name: &&str| BENCHES.iter().any(|(known, _)| known == name);
    if let Some(others) = wanted.iter().find(|name| !is_ours(name)) {
        // `cargo bench -- NAME` asks all targets, and the spine says what is unknown.
        eprintln!("`{others}` is none of burst and watched");
        return ExitCode::SUCCESS;
    }
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scale = Scale { quick, rounds: if quick { 1 } else { 3 } };
    report::head();
    for (_, run) in BENCHES.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        run(scale);
    }
    ExitCode::SUCCESS
}

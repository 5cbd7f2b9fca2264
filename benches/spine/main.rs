//! The numbers of the spine, each beside its bound, measured in the same run.
//!
//! `cargo bench` runs all, `cargo bench -- wheel durable` those, and `--quick` leaves the large sizes
//! out. Rounds of ours and of the bound alternate; each row is the median of its rounds, with the load
//! average beside it. Everything happens in temporary directories and on loopback.

#![expect(clippy::disallowed_methods, reason = "what is measured here is the real time")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the results are printed")]

mod clock;
mod daemon;
mod demand;
mod durable;
mod growth;
mod history;
mod http;
mod idle;
mod ledger;
mod life;
mod machine;
mod overload;
mod plan;
mod processes;
mod push;
mod records;
mod recovery;
mod reload;
mod report;
mod sample;
mod schedule;
mod syncs;
mod takes_all;
mod wheel;

use std::process::ExitCode;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// The large sizes are left out.
    pub(crate) quick: bool,
    /// How often ours and the bound alternate.
    pub(crate) rounds: usize,
}

impl Scale {
    /// Fewer rounds for what takes long.
    pub(crate) fn rounds_of(self, size: usize) -> usize {
        if size >= 100_000 { self.rounds.min(3) } else { self.rounds }
    }
}

/// What is measured, by name.
type Bench = (&'static str, fn(Scale));

const BENCHES: [Bench; 15] = [
    ("wheel", wheel::run),
    ("schedule", schedule::run),
    ("durable", durable::run),
    ("processes", processes::run),
    ("idle", idle::run),
    ("demand", demand::run),
    ("overload", overload::run),
    ("history", history::run),
    ("ledger", ledger::run),
    ("recovery", recovery::run),
    ("growth", growth::run),
    ("life", life::run),
    ("plan", plan::run),
    ("reload", reload::run),
    ("push", push::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| *name != "--quick").collect();
    if let Some(unknown) = wanted.iter().find(|name| BENCHES.iter().all(|(known, _)| known != *name)) {
        let known = BENCHES.map(|(name, _)| name).join(", ");
        eprintln!("expected `--quick` or some of {known}, found `{unknown}`");
        return ExitCode::from(2);
    }
    let scale = Scale { quick, rounds: if quick { 3 } else { 5 } };
    report::head();
    for (_, run) in BENCHES.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        run(scale);
    }
    ExitCode::SUCCESS
}

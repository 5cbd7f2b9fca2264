//! `tekcron serve`: the daemon, until a signal ends it.
//!
//! SIGTERM and SIGINT let it drain, a second one ends it at once, SIGHUP reloads the configuration.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::CliError;
use super::session::Session;
use super::{connection, exit_code, output};
use crate::daemon::{self, Banner, Options, Signals};

/// How long threads that still write may take when all else has ended.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Ignored by every Rust program, and set right by the library when it starts another.
const SIGPIPE: i32 = 13;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes any free one [env: TEKCRON_LISTEN]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("expected an address and a port as in `127.0.0.1:7070`, found `{text}`"))
}

/// Serves until told to stop.
pub(super) fn run(args: &ServeArgs, session: Session) -> Result<(), CliError> {
    let options = Options {
        config_dir: session.globals.config().to_owned(),
        overrides: session.globals.overrides_and(args.listen)?,
        shim: std::env::current_exe().map_err(CliError::Program)?,
        token: connection::token_variable(),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Start)?;
    let served = runtime.block_on(async {
        let signals = listen_to_signals().map_err(CliError::Start)?;
        Ok(daemon::serve(options, session.clock, signals, announce).await?)
    });
    runtime.shutdown_timeout(LAST_WRITES);
    served
}

fn announce(banner: &Banner) {
    let mut out = io::stdout().lock();
    // Nobody has to read it.
    let _ = write!(out, "{banner}").and_then(|()| out.flush());
}

fn listen_to_signals() -> io::Result<Signals> {
    let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let hangup = signal(SignalKind::hangup())?;
    hear_what_was_ignored()?;
    let stop = CancellationToken::new();
    let (wanted, reload) = mpsc::channel(1);
    tokio::spawn(stop_when_told(terminate, interrupt, stop.clone()));
    tokio::spawn(reload_when_told(hangup, wanted));
    Ok(Signals { stop, reload })
}

/// Signals that our starter has ignored would be ignored by every task too, and one of them, SIGCHLD,
/// hides how a task ended. A handler of ours is not handed on: a new program begins with the default.
fn hear_what_was_ignored() -> io::Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    for number in (1..32).filter(|number| mask >> (number - 1) & 1 == 1 && *number != SIGPIPE) {
        // Those that nobody may handle cannot be ignored either.
        drop(signal(SignalKind::from_raw(number))?);
    }
    Ok(())
}

async fn stop_when_told(mut terminate: Signal, mut interrupt: Signal, stop: CancellationToken) {
    for _ in 0..2 {
        let code = tokio::select! {
            _ = terminate.recv() => exit_code::TERMINATED,
            _ = interrupt.recv() => exit_code::INTERRUPTED,
        };
        if stop.is_cancelled() {
            output::say("stopped at once; running tasks go on");
            std::process::exit(i32::from(code));
        }
        stop.cancel();
    }
}

async fn reload_when_told(mut hangup: Signal, wanted: mpsc::Sender<()>) {
    while hangup.recv().await.is_some() {
        // A full channel holds such a wish already.
        let _ = wanted.try_send(());
    }
}

//! `tekcron push`: from a directory of source, or an image, to an App that tasks run on.
//!
//! What is wanted is read and checked here first: flags over the manifest's words ([`wanted`]). The source is packed,
//! and sent where the service does not have it ([`upload`]); then the service makes a revision, and its end is
//! waited for. Ctrl-C ends an upload, which the same command takes up again, or the wait, but no build.

mod error;
mod upload;
mod wanted;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::create_job::set;
use super::error::CliError;
use super::output::say;
use super::run_options as options;
use super::session::Session;
use super::table::printable;
use super::{exit_code, progress, reference, revision, steer, wait};
use crate::app::check_image;
use crate::hint;
use crate::push::Tree;
use wanted::{Code, Wanted};

pub(super) use self::error::PushError;

/// Arguments of `push`.
#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// The App; the manifest's where it has one application
    #[arg(value_parser = reference::app)]
    app: Option<String>,
    /// Push for tasks: no routes, and nothing that keeps running
    #[arg(long)]
    task: bool,
    /// Directory of the source; without it the manifest's, else this one
    #[arg(short, long, value_name = "DIR", conflicts_with = "image")]
    path: Option<PathBuf>,
    /// Container image, in place of a source
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    image: Option<String>,
    /// Shell line that its tasks run
    #[arg(short, long, value_name = "LINE", value_parser = options::shell_line, allow_hyphen_values = true)]
    command: Option<String>,
    /// CPU limit in cores, as in 0.5 or 500m
    #[arg(long, value_name = "CORES", value_parser = options::cores, allow_hyphen_values = true)]
    cpu_cores: Option<String>,
    /// Memory limit, as in 256M or 1Gi
    #[arg(short, long, value_name = "SIZE", value_parser = options::size, allow_hyphen_values = true)]
    memory_limit: Option<String>,
    /// Disk limit, as in 1G
    #[arg(short = 'k', long, value_name = "SIZE", value_parser = options::size, allow_hyphen_values = true)]
    disk_quota: Option<String>,
    /// Environment variable of its tasks; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = options::variable)]
    env: Vec<(String, String)>,
    /// Shell line that builds it, in the directory of the source
    #[arg(long, value_name = "LINE", value_parser = options::shell_line, allow_hyphen_values = true)]
    #[arg(conflicts_with = "image")]
    build_command: Option<String>,
    /// Manifest of Cloud Foundry; without it `manifest.yml`, here or in the directory of --path
    #[arg(short = 'f', long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Read no manifest
    #[arg(long, conflicts_with_all = ["manifest", "vars_file", "var"])]
    no_manifest: bool,
    /// Value of a ((variable)) of the manifest; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = options::variable)]
    var: Vec<(String, String)>,
    /// File with values of the manifest's ((variables)), as YAML; may be repeated
    #[arg(long, value_name = "FILE")]
    vars_file: Vec<PathBuf>,
    /// Do not wait for the build
    #[arg(long)]
    no_wait: bool,
}

fn image(text: &str) -> Result<String, String> {
    check_image(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// Pushes an App. Gives the exit code: the build's, where there is one.
pub(super) async fn run(args: &PushArgs, session: &Session) -> Result<u8, CliError> {
    let Wanted { name, code, app, build } = Wanted::of(args)?;
    // A service that is not there is better known before everything has been read.
    session.client()?;
    let by = steer::caller();
    let pushed = |code| {
        set([code, ("app", Some(app.into())), ("build", Some(build.into())), ("by", by.map(Value::from))])
    };
    let pushed = match code {
        Code::Image(image) => pushed(("image", Some(image.into()))),
        Code::Source(directory) => {
            let tree = Arc::new(Tree::read(&directory).map_err(PushError::Tree)?);
            let packed = upload::pack(&tree, &directory)?;
            let pushed = pushed(("source", Some(packed.hash.to_string().into())));
            // Up to here Ctrl-C ends the program as it ends any.
            let interrupt = signal(SignalKind::interrupt()).map_err(CliError::Start)?;
            let sent = upload::send(session, &tree, &packed, (&name, &pushed));
            if wait::unless_interrupted(interrupt, sent).await.transpose()?.is_none() {
                say(
                    "the upload was interrupted; nothing was pushed\nhint: the same command takes it up where it stopped",
                );
                return Ok(exit_code::INTERRUPTED);
            }
            pushed
        }
    };
    let made = session.client()?.push(&name, &pushed).await?;
    for warning in &made.warnings {
        let (message, hint) = hint::split(warning);
        let hint = hint.map(|hint| format!("\nhint: {}", printable(hint))).unwrap_or_default();
        say(&format!("warning: {}{hint}", printable(message)));
    }
    revision::made(session, &made, !args.no_wait).await
}

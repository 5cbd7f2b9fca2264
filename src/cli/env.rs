//! `tekcron env`, `set-env` and `unset-env`: the variables of an App's tasks.

use std::collections::BTreeMap;

use clap::Args;

use super::error::CliError;
use super::output::{self, Format, OutputArgs, print, say};
use super::reference;
use super::session::Session;
use super::steer::caller;
use crate::api::resources::EnvBody;

/// Arguments of `env`.
#[derive(Debug, Args)]
pub(super) struct EnvArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `set-env`.
#[derive(Debug, Args)]
pub(super) struct SetEnvArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// The variable
    name: String,
    /// Its value
    #[arg(allow_hyphen_values = true)]
    value: String,
}

/// Arguments of `unset-env`.
#[derive(Debug, Args)]
pub(super) struct UnsetEnvArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// The variable
    name: String,
}

/// Shows variables.
pub(super) async fn show(args: &EnvArgs, session: &Session) -> Result<(), CliError> {
    let env = session.client()?.env(&args.app).await?;
    match args.output.output {
        Format::Json => print(&output::json(&env)),
        Format::Yaml => print(&output::yaml(&env)),
        Format::Name => print(&env.env.keys().map(|name| format!("{name}\n")).collect::<String>()),
        Format::Table | Format::Wide => {
            let lines = env.env.iter().map(|(name, value)| format!("{name}={}\n", one_line(value)));
            print(&lines.collect::<String>())?;
            if env.env.is_empty() {
                say(&format!("the App `{}` sets no variables", env.app));
            }
            if !env.services.is_empty() {
                say(&format!("VCAP_SERVICES has the credentials of {}", env.services.join(", ")));
            }
            Ok(())
        }
    }
}

/// So that one variable is one line, and moves nothing on a terminal.
fn one_line(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// Sets a variable.
pub(super) async fn set(args: &SetEnvArgs, session: &Session) -> Result<(), CliError> {
    let set = BTreeMap::from([(args.name.clone(), args.value.clone())]);
    let body = EnvBody { set, unset: Vec::new(), by: caller() };
    let app = session.client()?.set_env(&args.app, &body).await?;
    say(&format!("set `{}` of the App `{}`, for its next tasks", args.name, app.name));
    Ok(())
}

/// Removes a variable.
pub(super) async fn unset(args: &UnsetEnvArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let was_set = client.env(&args.app).await?.env.contains_key(&args.name);
    let body = EnvBody { set: BTreeMap::new(), unset: vec![args.name.clone()], by: caller() };
    let app = client.set_env(&args.app, &body).await?;
    say(&match was_set {
        true => format!("removed `{}` from the App `{}`, for its next tasks", args.name, app.name),
        false => format!("`{}` was not set on the App `{}`", args.name, app.name),
    });
    Ok(())
}

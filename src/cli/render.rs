//! `tekcron render`: the PipelineRun of an App or job, or of an App's build, as it would be submitted, and on request
//! what stands beside it. Needs no daemon, reads no credentials.

use std::borrow::Cow;
use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::reference;
use crate::app::{App, AppName, NameError};
use crate::config::{Config, Stored, StoredApp};
use crate::executor::cluster::{self, BindingSecret, SourceSecret};
use crate::executor::pipeline_run::{self, BuildError, PipelineRun};
use crate::hint::{did_you_mean, nearest};
use crate::job::{JobName, JobRef};
use crate::push::{RevisionNumber, SourceHash};
use crate::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};

/// Arguments of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// What to render: APP, APP.JOB, or JOB where that is unique
    #[arg(value_name = "APP[.JOB]", value_parser = reference::app_or_job)]
    pub target: String,
    /// How to write it
    #[arg(short, long, value_enum, default_value_t)]
    pub output: RenderFormat,
    /// Also the Secret of its credentials, without them, and the NetworkPolicies of its security groups
    #[arg(long)]
    pub all: bool,
    /// The build of an App's source in place of a task; the App need not be there yet
    #[arg(long)]
    pub build: bool,
    /// The hash of the source that is built; zeros unless given
    #[arg(long, value_name = "HASH", requires = "build")]
    pub source: Option<SourceHash>,
}

/// How an object is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RenderFormat {
    /// YAML, as for `kubectl apply`.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

/// Why there is nothing to render.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// There is no such App or job.
    #[error("expected an App or job, found neither called `{target}`{}", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        target: String,
        /// The App or job of the nearest name.
        nearest: Option<String>,
    },
    /// Several Apps have a job of that name.
    #[error("several Apps have a job `{target}`: {}\nhint: name the App too, as in `APP.JOB`", listed(found))]
    Ambiguous {
        /// What was asked for.
        target: String,
        /// The jobs.
        found: Vec<String>,
    },
    /// No App can have that name.
    #[error("expected the name of an App, found `{target}`: {problem}")]
    App {
        /// What was asked for.
        target: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot become an object.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The object could not be written.
    #[error("writing the object failed")]
    Write(#[source] std::io::Error),
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Writes the object of `args.target` to `out`. What only a real run has is a placeholder: the task id is
/// 0, and the name is that of no run.
///
/// # Errors
/// [`RenderError`].
pub fn run(args: &RenderArgs, config: &Config, out: &mut dyn Write) -> Result<(), RenderError> {
    if args.build {
        return render_build(args, config, out);
    }
    let (app, job) = find(config, &args.target)?;
    let beside = match config.apps.get(&app) {
        Some(app) if args.all => beside(config, app),
        _ => Ok(vec![]),
    };
    let run = pipeline_run::build(config, &placeholder(config, app, job), None)?;
    let text = beside.and_then(|beside| written(&run, beside, args.output));
    let text = text.map_err(|error| RenderError::Write(std::io::Error::other(error)))?;
    writeln!(out, "{}", text.trim_end()).map_err(RenderError::Write)
}

fn render_build(args: &RenderArgs, config: &Config, out: &mut dyn Write) -> Result<(), RenderError> {
    let app: AppName = args.target.parse().map_err(|error: NameError| RenderError::App {
        target: args.target.clone(),
        problem: error.to_string(),
    })?;
    let config = with_app(config, &app)?;
    let build = placeholder(&config, app, None);
    let run = pipeline_run::build_source(&config, &build, &args.source.unwrap_or_else(nothing))?;
    let secret = args.all.then(|| SourceSecret::new(&config.settings, &build, "".into()).redacted());
    let beside = secret.map(serde_json::to_value).transpose().map_err(Into::into);
    let text = beside.and_then(|beside| written(&run, beside.into_iter().collect(), args.output));
    let text = text.map_err(|error| RenderError::Write(std::io::Error::other(error)))?;
    writeln!(out, "{}", text.trim_end()).map_err(RenderError::Write)
}

/// With an App of this name, as a first push would make it, where there is none.
pub(super) fn with_app<'c>(config: &'c Config, name: &AppName) -> Result<Cow<'c, Config>, RenderError> {
    if config.apps.contains_key(name) {
        return Ok(Cow::Borrowed(config));
    }
    let pushed = StoredApp {
        toml: format!("[app]\nname = \"{name}\"\n"),
        current: None,
        newest: RevisionNumber::default(),
        by: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        deleting: false,
    };
    let stored = Stored { apps: [(name.clone(), pushed)].into(), ..Stored::default() };
    Ok(Cow::Owned(config.with_stored(stored).0))
}

/// The hash of no source.
pub(super) fn nothing() -> SourceHash {
    "0".repeat(64).parse().expect("these are 64 digits")
}

type Written<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the run needs to be there, in the order in which it is made.
fn beside(config: &Config, app: &App) -> Written<Vec<Value>> {
    let secret = BindingSecret::outline(config, app).map(serde_json::to_value);
    let policies = cluster::network_policies(config, app);
    Ok(secret.into_iter().chain(policies.into_iter().map(serde_json::to_value)).collect::<Result<_, _>>()?)
}

/// One object as it is; several as documents, or as the items of a list.
fn written(run: &PipelineRun, beside: Vec<Value>, format: RenderFormat) -> Written<String> {
    Ok(match format {
        RenderFormat::Yaml => {
            let documents = beside.iter().map(document).collect::<Result<Vec<_>, _>>()?;
            [documents, vec![serde_yaml_ng::to_string(run)?]].concat().join("---\n")
        }
        RenderFormat::Json if beside.is_empty() => serde_json::to_string_pretty(run)?,
        RenderFormat::Json => {
            let items = [beside, vec![serde_json::to_value(run)?]].concat();
            serde_json::to_string_pretty(&json!({ "apiVersion": "v1", "kind": "List", "items": items }))?
        }
    })
}

fn document(object: &Value) -> Result<String, serde_yaml_ng::Error> {
    let text = serde_yaml_ng::to_string(object)?;
    let comment = "# Its values are not shown: tekcron writes them before the first run that needs them.\n";
    Ok(if object["kind"] == "Secret" { format!("{comment}{text}") } else { text })
}

/// An App goes before a job of the same name.
fn find(config: &Config, target: &str) -> Result<(AppName, Option<JobName>), RenderError> {
    if let Some((app, _)) = config.apps.get_key_value(target) {
        return Ok((app.clone(), None));
    }
    let jobs: Vec<JobRef> = config.jobs().map(|(app, job)| JobRef::of(app, job)).collect();
    let named = |job: &&JobRef| job.to_string() == target || job.job.as_str() == target;
    match jobs.iter().filter(named).collect::<Vec<_>>().as_slice() {
        [job] => Ok((job.app.clone(), Some(job.job.clone()))),
        [] => Err(RenderError::Unknown { target: target.to_owned(), nearest: meant(config, &jobs, target) }),
        several => Err(RenderError::Ambiguous {
            target: target.to_owned(),
            found: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

fn meant(config: &Config, jobs: &[JobRef], target: &str) -> Option<String> {
    let apps = config.apps.keys().map(ToString::to_string);
    nearest(target, apps.chain(jobs.iter().map(ToString::to_string)))
}

pub(super) fn placeholder(config: &Config, app: AppName, job: Option<JobName>) -> Task {
    let (instance, namespace) = (&config.settings.instance, &config.settings.namespace);
    let identity = RunIdentity::Request("render");
    Task {
        id: TaskId(0),
        name: TaskName::of(instance, namespace, &app, job.as_ref(), identity, 1),
        display_name: job.as_ref().map_or_else(|| app.to_string(), ToString::to_string),
        app,
        job,
        schedule: None,
        scheduled: None,
        ordinal: 0,
        trigger: Trigger::Manual,
        attempt: 1,
        first_attempt: None,
        request: None,
        overrides: Overrides::default(),
        revision: None,
        image: None,
        generation: config.generation.clone(),
        created: jiff::Timestamp::UNIX_EPOCH,
        not_before: None,
        started: None,
        finished: None,
        phase: Phase::Queued,
        terminating: None,
        logs_on_terminate: crate::app::LogsOnTerminate::default(),
        reason: None,
        message: None,
        exit_code: None,
        log: LogSize::default(),
    }
}

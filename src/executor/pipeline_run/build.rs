use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, PersistentVolumeClaimVolumeSource,
    ResourceRequirements, SecretEnvSource, SecretKeySelector,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::escape::{DOLLAR, escape, needs_dollar};
use super::identity::TaskMeta;
use super::object::{
    EmbeddedTask, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask, Step, TaskRunTemplate, Timeouts,
    Workspace, WorkspaceBinding,
};
use super::pod;
use super::source::{LAUNCHER, is_of_buildpacks, source_submission};
use crate::app::env::{self, Value, Variable};
use crate::app::{
    App, AppName, Command, CredentialError, CredentialSource, ImageError, Resources, ServiceName, Timeout,
    check_image, is_label_value, read_secrets,
};
use crate::config::{Config, ExecutorKind};
use crate::executor::cluster::BindingSecret;
use crate::executor::{Submission, binding_secret, label, security_group_label, state_claim};
use crate::job::{Job, JobName};
use crate::push::{RevisionNumber, revision_dir};
use crate::task::Task;

/// The name of the one task of the embedded pipeline.
pub const PIPELINE_TASK: &str = "task";
/// The name of its one step.
pub const STEP: &str = "user-container";
/// The workspace that holds the App's lasting directory.
pub const STATE_WORKSPACE: &str = "state";

/// Why a task cannot become an object. An error of this task.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The App is gone.
    #[error("expected an App `{0}`, found none in the config")]
    UnknownApp(AppName),
    /// The job is gone.
    #[error("expected a job `{job}` on App `{app}`, found none in the config")]
    UnknownJob {
        /// The App.
        app: AppName,
        /// The job.
        job: JobName,
    },
    /// Nothing of the App can run yet.
    #[error(
        "App `{app}` has no revision that is ready\nhint: `tekcron app {app}` shows how far they are; `tekcron push {app} --task` makes another"
    )]
    NoCode {
        /// The App.
        app: AppName,
    },
    /// What the task was to run is gone.
    #[error("revision {revision} of App `{app}` is gone")]
    NoRevision {
        /// The App.
        app: AppName,
        /// The revision.
        revision: RevisionNumber,
    },
    /// There is nothing to execute.
    #[error(
        "expected a start command on the run, its job or App `{app}`, found none\nhint: set `command` in the App's file, or give one with each run"
    )]
    NoCommand {
        /// The App.
        app: AppName,
    },
    /// A variable that Kubernetes would refuse.
    #[error(
        "expected a variable's name of letters, digits, `_`, `.` and `-`, a letter or `_` first, found `{name}`"
    )]
    EnvName {
        /// The name.
        name: String,
    },
    /// A byte that no environment can hold.
    #[error("expected text in variable `{name}`, found a NUL byte")]
    EnvValue {
        /// The variable.
        name: String,
    },
    /// A value that Kubernetes would refuse as a label's.
    #[error(
        "expected at most 63 letters, digits, `-`, `_` or `.`, a letter or digit at both ends, in label `{key}`, found `{found}`"
    )]
    Label {
        /// The label.
        key: String,
        /// What stands there.
        found: String,
    },
    /// A cluster has nothing to run.
    #[error(
        "expected an image on App `{app}`, as its tasks run on a cluster, found none\nhint: {}",
        if *pushed { "`tekcron restage` has one made of its source" } else { "set `image` in the App's file" }
    )]
    NoImage {
        /// The App.
        app: AppName,
        /// Whether it was pushed, when there was no cluster yet.
        pushed: bool,
    },
    /// No registry can have an image of that name.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Two volumes in one place.
    #[error("expected a path of its own for each volume of App `{app}`, found two at `{path}`")]
    Mount {
        /// The App.
        app: AppName,
        /// The path.
        path: String,
    },
    /// The App binds to what only a cluster has.
    #[error(
        "service `{service}` is Secret `{secret}` of a cluster, which a task on this machine cannot get\nhint: `executor = \"tekton\"`, or `credentials = {{ env = \"VARIABLE\" }}` or `{{ file = \"PATH\" }}`"
    )]
    ClusterSecret {
        /// The service.
        service: ServiceName,
        /// The Secret.
        secret: String,
    },
    /// More credentials than a Secret holds.
    #[error("expected at most 1 MiB of credentials for App `{app}`, found {bytes} bytes")]
    SecretSize {
        /// The App.
        app: AppName,
        /// How many.
        bytes: usize,
    },
    /// The App's credentials could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// Nobody makes images of sources.
    #[error(
        "expected `[build]` in `tekcron.toml`, as a cluster builds the source of App `{app}`, found none\nhint: {}",
        "it takes `builder`, `image` and `registry`, and `public_url` beside it; `push --image` needs none"
    )]
    NoBuilder {
        /// The App.
        app: AppName,
    },
    /// No build finds its way here.
    #[error(
        "expected `public_url` in `tekcron.toml`, from which builds fetch their source, found none\nhint: as pods of the cluster reach the API: `public_url = \"https://tekcron.example.org\"`"
    )]
    NoPublicUrl,
    /// No token can be made.
    #[error("the key of the tokens that sources are fetched with cannot be had")]
    SourceKey(#[source] std::io::Error),
}

/// The object that carries `task`. The run's command, limits and time-out win over the job's, these
/// over the App's. `previous_success` is the nominal time of the job's last success, for the task to see.
///
/// # Errors
/// [`BuildError`], never about credentials: the object only names them.
pub fn build(
    config: &Config,
    task: &Task,
    previous_success: Option<Timestamp>,
) -> Result<PipelineRun, BuildError> {
    let (app, job) = configured(config, task)?;
    let app = app.as_ref();
    let command = command(app, job, task)?;
    let resources = resources(app, job, task);
    let variables = env::variables(config, app, job, task, resources, previous_success);
    let timeout = go_duration(timeout(app, job, task));
    let workspaces = if app.state { vec![Workspace { name: STATE_WORKSPACE.to_owned() }] } else { vec![] };
    let step = Step {
        env_from: env_from(config, app),
        volume_mounts: pod::mounts(app)?,
        ..step(image(config, app)?, app, &words(config, app, &command), &variables, resources)?
    };
    pod::check_labels(app)?;
    Ok(PipelineRun {
        api_version: "tekton.dev/v1".to_owned(),
        kind: "PipelineRun".to_owned(),
        metadata: metadata(config, task, &app.security_groups)?,
        spec: PipelineRunSpec {
            pipeline_spec: PipelineSpec {
                tasks: vec![PipelineTask {
                    name: PIPELINE_TASK.to_owned(),
                    task_spec: EmbeddedTask {
                        steps: vec![step],
                        results: vec![],
                        volumes: vec![],
                        workspaces: workspaces.clone(),
                    },
                    timeout: Some(timeout.clone()),
                    workspaces: workspaces.clone(),
                }],
                workspaces: workspaces.clone(),
                results: vec![],
            },
            task_run_template: task_run_template(app),
            timeouts: Some(Timeouts { pipeline: Some(timeout) }),
            workspaces: workspaces.into_iter().map(|workspace| state_binding(app, workspace)).collect(),
            status: None,
        },
    })
}

/// The object with what an executor needs beside it. Reads the App's credentials.
///
/// # Errors
/// [`BuildError`].
pub fn submission(
    config: &Config,
    task: &Task,
    previous_success: Option<Timestamp>,
) -> Result<Submission, BuildError> {
    if config.settings.executor == ExecutorKind::Tekton
        && let Some(revision) = task.built()
    {
        let gone = || BuildError::NoRevision { app: task.app.clone(), revision };
        return source_submission(config, task, &config.source_of(task).ok_or_else(gone)?);
    }
    let run = build(config, task, previous_success)?;
    let (app, _) = configured(config, task)?;
    let app = app.as_ref();
    if config.settings.executor == ExecutorKind::Local {
        refuse_cluster_secrets(config, app)?;
    }
    let secrets = read_secrets(config, app)?;
    Ok(Submission {
        run,
        binding: match config.settings.executor {
            ExecutorKind::Local => None,
            ExecutorKind::Tekton => BindingSecret::new(config, app, &secrets)?,
        },
        secrets,
        token: None,
        source: app.path.clone(),
        in_place: task.built().map(|number| revision_dir(&config.settings.data_dir, &app.name, number)),
        keep_workdir: app.keep_workdir,
        state: app.state,
        grace: config.settings.grace,
        max_log: config.settings.max_log,
    })
}

/// The App with the code that the task is to run, and the job.
fn configured<'a>(config: &'a Config, task: &Task) -> Result<(Cow<'a, App>, Option<&'a Job>), BuildError> {
    let app = config.apps.get(&task.app).ok_or_else(|| BuildError::UnknownApp(task.app.clone()))?;
    let unknown = |job: &JobName| BuildError::UnknownJob { app: task.app.clone(), job: job.clone() };
    let job = task.job.as_ref().map(|job| app.jobs.get(job).ok_or_else(|| unknown(job))).transpose()?;
    if task.built().is_some() {
        return Ok((Cow::Owned(building(app)), job));
    }
    if app.stored && task.revision.is_none() {
        return Err(BuildError::NoCode { app: task.app.clone() });
    }
    let gone =
        || BuildError::NoRevision { app: task.app.clone(), revision: task.revision.unwrap_or_default() };
    Ok((config.app_at(&task.app, task.revision).ok_or_else(gone)?, job))
}

/// The App while it is built: its command is another, it has no directory but the one that it is built in, and no
/// credentials: they are for its tasks, and what a builder prints stays in its log.
fn building(app: &App) -> App {
    let build = &app.build;
    let mut env = app.env.clone();
    env.extend(build.env.clone());
    App {
        path: None,
        command: build.command.clone(),
        env,
        services: Vec::new(),
        resources: build.resources.or(app.resources),
        timeout: build.timeout.unwrap_or(app.timeout),
        state: false,
        keep_workdir: false,
        ..app.clone()
    }
}

fn refuse_cluster_secrets(config: &Config, app: &App) -> Result<(), BuildError> {
    let found = config.services_of(app).find_map(|service| match &service.credentials {
        CredentialSource::Secret(secret) => Some((service.name.clone(), secret.clone())),
        _ => None,
    });
    found.map_or(Ok(()), |(service, secret)| Err(BuildError::ClusterSecret { service, secret }))
}

/// On a cluster there must be one, of a name that can be one.
fn image(config: &Config, app: &App) -> Result<Option<String>, BuildError> {
    if config.settings.executor == ExecutorKind::Tekton {
        let none = || BuildError::NoImage { app: app.name.clone(), pushed: app.stored };
        check_image(app.image.as_deref().ok_or_else(none)?)?;
    }
    Ok(app.image.clone())
}

/// The Secrets that the App binds to, as they are: where two have one key, the later one's counts.
fn env_from(config: &Config, app: &App) -> Vec<EnvFromSource> {
    let from = |secret: &String| EnvFromSource {
        secret_ref: Some(SecretEnvSource { name: secret.clone(), optional: None }),
        ..EnvFromSource::default()
    };
    let secrets = config.services_of(app).filter_map(|service| match &service.credentials {
        CredentialSource::Secret(secret) => Some(from(secret)),
        _ => None,
    });
    secrets.collect()
}

fn task_run_template(app: &App) -> Option<TaskRunTemplate> {
    let template = TaskRunTemplate {
        service_account_name: app.service_account.clone(),
        pod_template: pod::template(app),
    };
    (template != TaskRunTemplate::default()).then_some(template)
}

fn command(app: &App, job: Option<&Job>, task: &Task) -> Result<Command, BuildError> {
    let run = task.overrides.command.as_ref();
    let parameters = job.and_then(|job| job.parameters(task.schedule.as_ref()));
    let of_schedule = parameters.and_then(|parameters| parameters.command.as_ref());
    let of_job = job.and_then(|job| job.terms.command.as_ref());
    let command = run.or(of_schedule).or(of_job).or(app.command.as_ref());
    command.cloned().ok_or_else(|| BuildError::NoCommand { app: app.name.clone() })
}

fn resources(app: &App, job: Option<&Job>, task: &Task) -> Resources {
    let job = job.map(|job| job.terms.resources).unwrap_or_default();
    task.overrides.resources.or(job).or(app.resources)
}

fn timeout(app: &App, job: Option<&Job>, task: &Task) -> Timeout {
    task.overrides.timeout.or(job.and_then(|job| job.terms.timeout)).unwrap_or(app.timeout)
}

/// The words of the command, as the image starts them.
fn words(config: &Config, app: &App, command: &Command) -> Vec<String> {
    let launcher: &[&str] = if is_of_buildpacks(config, app) { &LAUNCHER } else { &[] };
    launcher.iter().map(|word| (*word).to_owned()).chain(command.argv()).collect()
}

pub(super) fn metadata(
    config: &Config,
    task: &Task,
    security_groups: &[String],
) -> Result<ObjectMeta, BuildError> {
    let meta = TaskMeta::of(&config.settings.instance, task);
    let mut labels = meta.labels();
    let group = |group: &String| (security_group_label(group), "bound".to_owned());
    labels.extend(security_groups.iter().map(group));
    for (key, value) in &labels {
        let name = key.rsplit('/').next().unwrap_or(key);
        if let Some(found) = [name, value].into_iter().find(|text| !is_label_value(text)) {
            return Err(BuildError::Label { key: key.clone(), found: found.to_owned() });
        }
    }
    Ok(ObjectMeta {
        name: Some(task.name.to_string()),
        namespace: Some(config.settings.namespace.clone()),
        labels: Some(labels),
        annotations: Some(meta.annotations()),
        finalizers: config.settings.tekton.finalizer.then(|| vec![label::FINALIZER.to_owned()]),
        ..ObjectMeta::default()
    })
}

fn step(
    image: Option<String>,
    app: &App,
    words: &[String],
    variables: &[Variable],
    resources: Resources,
) -> Result<Step, BuildError> {
    let command: Vec<String> = words.iter().map(|word| escape(word).into_owned()).collect();
    let mut env = Vec::with_capacity(variables.len() + 1);
    for variable in variables {
        env.push(env_var(app, variable)?);
    }
    add_dollar(&command, &mut env);
    Ok(Step {
        name: STEP.to_owned(),
        image,
        command,
        args: vec![],
        working_dir: None,
        env,
        env_from: vec![],
        volume_mounts: vec![],
        compute_resources: compute_resources(resources),
        security_context: None,
    })
}

/// Sets the variable that an escaped word, or the value of a variable, may refer to.
pub(super) fn add_dollar(words: &[String], env: &mut Vec<EnvVar>) {
    let values = env.iter().filter_map(|variable| variable.value.as_ref());
    if words.iter().chain(values).any(|text| needs_dollar(text)) {
        env.retain(|variable| variable.name != DOLLAR);
        env.insert(0, literal(DOLLAR, "$$".to_owned()));
    }
}

fn env_var(app: &App, variable: &Variable) -> Result<EnvVar, BuildError> {
    let name = &variable.name;
    if !env::is_name(name) {
        return Err(BuildError::EnvName { name: name.clone() });
    }
    Ok(match &variable.value {
        Value::Text(text) if text.contains('\0') => return Err(BuildError::EnvValue { name: name.clone() }),
        Value::Text(text) => literal(name, escape(text).into_owned()),
        Value::Address => field(name, "status.podIP"),
        Value::InstanceId => field(name, "metadata.uid"),
        // Expanded by Kubernetes: the address stands further up.
        Value::AddressAndPort(port) => literal(name, format!("$(CF_INSTANCE_IP):{port}")),
        Value::Credential { optional } => secret(name, binding_secret(&app.name), *optional),
        // Substituted by Tekton.
        Value::StateDirectory => literal(name, format!("$(workspaces.{STATE_WORKSPACE}.path)")),
    })
}

pub(super) fn literal(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}

fn field(name: &str, path: &str) -> EnvVar {
    let field_ref = ObjectFieldSelector { api_version: None, field_path: path.to_owned() };
    from(name, EnvVarSource { field_ref: Some(field_ref), ..EnvVarSource::default() })
}

pub(super) fn secret(name: &str, secret: String, optional: bool) -> EnvVar {
    let secret_key_ref =
        SecretKeySelector { name: secret, key: name.to_owned(), optional: optional.then_some(true) };
    from(name, EnvVarSource { secret_key_ref: Some(secret_key_ref), ..EnvVarSource::default() })
}

fn from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}

pub(super) fn compute_resources(resources: Resources) -> Option<ResourceRequirements> {
    let all = [
        ("cpu", resources.cpu.map(|cpu| cpu.to_string())),
        ("memory", resources.memory.map(|memory| memory.to_string())),
        ("ephemeral-storage", resources.disk.map(|disk| disk.to_string())),
    ];
    let amounts: BTreeMap<String, Quantity> =
        all.into_iter().filter_map(|(name, amount)| Some((name.to_owned(), Quantity(amount?)))).collect();
    (!amounts.is_empty()).then(|| ResourceRequirements {
        limits: Some(amounts.clone()),
        requests: Some(amounts),
        claims: None,
    })
}

fn state_binding(app: &App, workspace: Workspace) -> WorkspaceBinding {
    let claim = PersistentVolumeClaimVolumeSource { claim_name: state_claim(&app.name), read_only: None };
    WorkspaceBinding { name: workspace.name, persistent_volume_claim: Some(claim) }
}

/// A duration as Go writes it, so that a cluster gives back what it was given.
pub(super) fn go_duration(timeout: Timeout) -> String {
    let Timeout::After(duration) = timeout else { return "0s".to_owned() };
    let duration = duration.max(SignedDuration::ZERO);
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = match nanos {
        0 => String::new(),
        _ => format!(".{nanos:09}").trim_end_matches('0').to_owned(),
    };
    let seconds = format!("{}{fraction}s", seconds % 60);
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, _) => format!("{minutes}m{seconds}"),
        _ => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_written_as_go_writes_it() {
        let written = |millis| go_duration(Timeout::After(SignedDuration::from_millis(millis)));
        assert_eq!(written(3_600_000), "1h0m0s");
        assert_eq!(written(90_000), "1m30s");
        assert_eq!(written(1_500), "1.5s");
        assert_eq!(written(0), "0s");
        assert_eq!(go_duration(Timeout::None), "0s");
    }
}

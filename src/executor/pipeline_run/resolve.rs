use std::collections::HashMap;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource};
use secrecy::ExposeSecret;

use super::escape::{expand, unescape};
use super::object::{PipelineRun, Step};
use crate::app::{Secrets, env};

/// Where a local task runs.
const LOOPBACK: &str = "127.0.0.1";

/// Why an object's variables have no local value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The object has no step, or several.
    #[error("expected one step in the object, found {0}")]
    Steps(usize),
    /// A credential that nobody handed over.
    #[error("expected key `{key}` of secret `{secret}` for variable `{name}`, found none")]
    Secret {
        /// The variable.
        name: String,
        /// The secret.
        secret: String,
        /// The key in it.
        key: String,
    },
    /// A Secret that only a cluster has.
    #[error("expected variables of this machine, found those of secret `{0}` of a cluster")]
    EnvFrom(String),
    /// A source that only a cluster has.
    #[error("variable `{name}` takes its value from a source that this machine does not have")]
    Source {
        /// The variable.
        name: String,
    },
}

/// The argument vector that the process gets: what the author wrote.
///
/// # Errors
/// [`ResolveError::Steps`].
pub fn resolve_command(run: &PipelineRun) -> Result<Vec<String>, ResolveError> {
    let step = step(run)?;
    Ok(step.command.iter().chain(&step.args).map(|word| unescape(word)).collect())
}

/// The environment that the process gets, each name once, as the kubelet would make it: `$$` and
/// `$(VAR)` expanded, credentials taken from `secrets`, the pod's address and uid replaced by this
/// machine's loopback address and the run's uid, or its name where it has none. [`env::STATE_DIR`] is
/// left out, because only the executor knows the path.
///
/// # Errors
/// [`ResolveError`]. An optional credential that is absent is not an error.
pub fn resolve_env(run: &PipelineRun, secrets: &Secrets) -> Result<Vec<(String, String)>, ResolveError> {
    let mut resolved: Vec<(String, String)> = Vec::new();
    let mut position: HashMap<&str, usize> = HashMap::new();
    let step = step(run)?;
    if let Some(source) = step.env_from.first() {
        let secret = source.secret_ref.as_ref().map(|secret| secret.name.clone());
        return Err(ResolveError::EnvFrom(secret.unwrap_or_default()));
    }
    for variable in step.env.iter().filter(|variable| variable.name != env::STATE_DIR) {
        let value = match &variable.value_from {
            Some(source) => sourced(run, secrets, variable, source)?,
            None => {
                let known = |name: &str| position.get(name).map(|at| resolved[*at].1.as_str());
                Some(expand(variable.value.as_deref().unwrap_or_default(), known))
            }
        };
        let Some(value) = value else { continue };
        match position.get(variable.name.as_str()) {
            Some(at) => resolved[*at].1 = value,
            None => {
                position.insert(&variable.name, resolved.len());
                resolved.push((variable.name.clone(), value));
            }
        }
    }
    Ok(resolved)
}

fn step(run: &PipelineRun) -> Result<&Step, ResolveError> {
    let steps: Vec<&Step> =
        run.spec.pipeline_spec.tasks.iter().flat_map(|task| &task.task_spec.steps).collect();
    match steps.as_slice() {
        [step] => Ok(step),
        steps => Err(ResolveError::Steps(steps.len())),
    }
}

fn sourced(
    run: &PipelineRun,
    secrets: &Secrets,
    variable: &EnvVar,
    source: &EnvVarSource,
) -> Result<Option<String>, ResolveError> {
    let name = || variable.name.clone();
    if let Some(reference) = &source.secret_key_ref {
        return match secrets.get(&reference.name, &reference.key) {
            Some(value) => Ok(Some(value.expose_secret().to_owned())),
            None if reference.optional == Some(true) => Ok(None),
            None => Err(ResolveError::Secret {
                name: name(),
                secret: reference.name.clone(),
                key: reference.key.clone(),
            }),
        };
    }
    let path = source.field_ref.as_ref().map(|reference| reference.field_path.as_str());
    match path {
        Some("status.podIP") => Ok(Some(LOOPBACK.to_owned())),
        Some("metadata.uid") => Ok(run.metadata.uid.clone().or_else(|| run.metadata.name.clone())),
        _ => Err(ResolveError::Source { name: name() }),
    }
}

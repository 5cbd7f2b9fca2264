//! The object that makes an image of a pushed source.
//!
//! One task of up to three steps that share a volume: `fetch` downloads the source, checks its hash and unpacks it;
//! `user-container` is the builder, which pushes what it made; where that only writes a report, `digest` turns it into
//! the run's result. The flags are those of
//! [the platform specification of Cloud Native Buildpacks](https://github.com/buildpacks/spec/blob/main/platform.md#creator),
//! [buildah-build(1)](https://github.com/containers/buildah/blob/main/docs/buildah-build.1.md) with
//! [buildah-push(1)](https://github.com/containers/buildah/blob/main/docs/buildah-push.1.md), and
//! [Kaniko's](https://github.com/GoogleContainerTools/kaniko#additional-flags).
//!
//! The builder never sees the token, and neither it nor `fetch` anything that the App binds to. Registry credentials
//! are a mounted Secret that nobody here reads.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, EmptyDirVolumeSource, EnvVar, KeyToPath, SecretVolumeSource, SecurityContext, Volume,
    VolumeMount,
};

use super::build::{
    BuildError, PIPELINE_TASK, STEP, add_dollar, compute_resources, go_duration, literal, metadata, secret,
};
use super::escape::escape;
use super::object::{
    EmbeddedTask, PipelineResult, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask, PodTemplate,
    Step, TaskResult, TaskRunTemplate, Timeouts,
};
use super::pod;
use crate::app::{App, Secrets, env};
use crate::config::{BuildSettings, Builder, Config};
use crate::executor::cluster::SourceSecret;
use crate::executor::{Submission, label, source_secret};
use crate::push::{SourceHash, SourceKey};
use crate::task::Task;

/// The step that fetches the source.
pub const FETCH_STEP: &str = "fetch";
/// The step that turns a report into a result.
const DIGEST_STEP: &str = "digest";
/// The run's result: the image's digest.
pub const IMAGE_DIGEST: &str = "image-digest";

/// What starts the programs of an image that Buildpacks made: without it they are not found.
pub(super) const LAUNCHER: [&str; 2] = ["/cnb/lifecycle/launcher", "--"];

/// Where the steps have their volume. Not below `/workspace`, where Tekton's own volume would hide what an image
/// of Buildpacks has in the same place.
const SHARED: &str = "/tekcron";
const TREE: &str = "/tekcron/source";
/// The digest's file, by Tekton's variable.
const DIGEST_FILE: &str = "$(results.image-digest.path)";
const REGISTRY_CONFIG: &str = "/var/run/tekcron/registry";

/// What lifecycles from 0.17 (2023) to those of today know.
const PLATFORM_API: &str = "0.12";

/// The source is checked by its name, whoever answered. Its modes are for everybody: a builder is any user.
const FETCH: &str = r#"set -eu
umask 0
fetch() {
  if command -v curl >/dev/null 2>&1; then
    curl --fail --silent --show-error --header "Authorization: Bearer $SOURCE_TOKEN" --output /tekcron/source.tar "$SOURCE_URL"
  else
    wget -q --header "Authorization: Bearer $SOURCE_TOKEN" -O /tekcron/source.tar "$SOURCE_URL"
  fi
}
tries=1
until fetch; do
  if [ "$tries" -ge 5 ]; then
    echo "the source cannot be fetched from $SOURCE_URL" >&2
    exit 1
  fi
  sleep "$tries"
  tries=$((tries + 1))
done
found=$(sha256sum < /tekcron/source.tar | cut -d ' ' -f 1)
if [ "$found" != "$SOURCE_HASH" ]; then
  echo "expected a source of hash $SOURCE_HASH, found one of $found" >&2
  exit 1
fi
mkdir -p /tekcron/source /tekcron/platform/env
tar -x -o -f /tekcron/source.tar -C /tekcron/source
rm /tekcron/source.tar
chmod -R a+rwX /tekcron/source
for variable in "$@"; do
  printf '%s' "${variable#*=}" > "/tekcron/platform/env/${variable%%=*}"
done
echo "fetched source $SOURCE_HASH"
"#;

const BUILDAH: &str = r#"set -eu
buildah build --tag "$IMAGE" "$@" /tekcron/source
buildah push --digestfile "$DIGEST_FILE" "$IMAGE" "docker://$IMAGE"
"#;

/// `report.toml`: the first key of that name is the image's.
const REPORT: &str = r#"set -eu
digest=$(sed -n 's/^[[:space:]]*digest[[:space:]]*=[[:space:]]*"\(sha256:[0-9a-f]*\)".*/\1/p' /tekcron/report.toml | head -n 1)
if [ -z "$digest" ]; then
  echo "expected the image's digest in the builder's report, found none" >&2
  exit 1
fi
printf '%s' "$digest" > "$DIGEST_FILE"
echo "pushed $digest"
"#;

/// Whether the App's image is one that Buildpacks made here.
pub(super) fn is_of_buildpacks(config: &Config, app: &App) -> bool {
    let build = config.settings.build.as_ref().filter(|build| build.builder == Builder::Buildpacks);
    build.zip(app.image.as_ref()).is_some_and(|(build, image)| {
        image.strip_prefix(&build.repository(&app.name)).is_some_and(|rest| rest.starts_with('@'))
    })
}

/// The object of the task that makes an image of `source`. Limits, variables and time-out are the task's.
///
/// # Errors
/// [`BuildError`].
pub fn build_source(config: &Config, task: &Task, source: &SourceHash) -> Result<PipelineRun, BuildError> {
    let app = config.apps.get(&task.app).ok_or_else(|| BuildError::UnknownApp(task.app.clone()))?;
    let settings =
        config.settings.build.as_ref().ok_or_else(|| BuildError::NoBuilder { app: app.name.clone() })?;
    let url = config.settings.public_url.as_ref().ok_or(BuildError::NoPublicUrl)?;
    for (name, value) in &task.overrides.env {
        if !env::is_name(name) {
            return Err(BuildError::EnvName { name: name.clone() });
        }
        if value.contains('\0') {
            return Err(BuildError::EnvValue { name: name.clone() });
        }
    }
    let image = Image { settings, app, task, source };
    let mut steps = vec![image.fetch(url), image.builder()];
    steps.extend((settings.builder == Builder::Buildpacks).then(|| image.digest()));
    pod::check_labels(app)?;
    let timeout = go_duration(task.overrides.timeout.unwrap_or(settings.timeout));
    let template = task_run_template(settings, app);
    Ok(PipelineRun {
        api_version: "tekton.dev/v1".to_owned(),
        kind: "PipelineRun".to_owned(),
        metadata: image.metadata(config)?,
        spec: PipelineRunSpec {
            pipeline_spec: PipelineSpec {
                tasks: vec![PipelineTask {
                    name: PIPELINE_TASK.to_owned(),
                    task_spec: EmbeddedTask {
                        steps,
                        results: vec![TaskResult { name: IMAGE_DIGEST.to_owned() }],
                        volumes: volumes(settings),
                        workspaces: vec![],
                    },
                    timeout: Some(timeout.clone()),
                    workspaces: vec![],
                }],
                workspaces: vec![],
                results: vec![PipelineResult {
                    name: IMAGE_DIGEST.to_owned(),
                    value: format!("$(tasks.{PIPELINE_TASK}.results.{IMAGE_DIGEST})"),
                }],
            },
            task_run_template: (template != TaskRunTemplate::default()).then_some(template),
            timeouts: Some(Timeouts { pipeline: Some(timeout) }),
            workspaces: vec![],
            status: None,
        },
    })
}

/// The object with the token that it fetches its source with. Reads the key that tokens are made with, or makes it.
///
/// # Errors
/// [`BuildError`].
pub fn source_submission(
    config: &Config,
    task: &Task,
    source: &SourceHash,
) -> Result<Submission, BuildError> {
    let run = build_source(config, task, source)?;
    let key = SourceKey::open(&config.settings.data_dir).map_err(BuildError::SourceKey)?;
    let token = key.token(&task.name, source);
    Ok(Submission {
        run,
        secrets: Secrets::default(),
        binding: None,
        token: Some(SourceSecret::new(&config.settings, task, token)),
        source: None,
        in_place: None,
        keep_workdir: false,
        state: false,
        grace: config.settings.grace,
        max_log: config.settings.max_log,
    })
}

/// What becomes an image, and which.
struct Image<'a> {
    settings: &'a BuildSettings,
    app: &'a App,
    task: &'a Task,
    source: &'a SourceHash,
}

impl Image<'_> {
    fn repository(&self) -> String {
        self.settings.repository(&self.app.name)
    }

    /// No two builds push under one tag: a registry may drop what has none.
    fn reference(&self) -> String {
        let hash = self.source.to_string();
        format!("{}:{}-{}", self.repository(), &hash[..12], self.task.id)
    }

    /// Those of the App's security groups are not among the labels: what the App's tasks may reach says nothing of
    /// what its build must.
    fn metadata(
        &self,
        config: &Config,
    ) -> Result<k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta, BuildError> {
        let mut metadata = metadata(config, self.task, &[])?;
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(label::SOURCE.to_owned(), self.source.to_string());
        annotations.insert(label::IMAGE.to_owned(), self.repository());
        Ok(metadata)
    }

    fn fetch(&self, url: &str) -> Step {
        let url = format!("{url}/v1/sources/{}/content", self.source);
        let env = vec![
            literal("SOURCE_URL", escape(&url).into_owned()),
            literal("SOURCE_HASH", self.source.to_string()),
            EnvVar {
                name: "SOURCE_TOKEN".to_owned(),
                ..secret(SourceSecret::KEY, source_secret(&self.task.name), false)
            },
        ];
        // Buildpacks find the variables of a build in files.
        let variables = match self.settings.builder {
            Builder::Buildpacks => self.variables().collect(),
            _ => vec![],
        };
        self.step(FETCH_STEP, &self.settings.fetch_image, shell(FETCH_STEP, FETCH), &variables, env)
    }

    fn builder(&self) -> Step {
        let (command, args, mut env) = match self.settings.builder {
            Builder::Buildpacks => self.buildpacks(),
            Builder::Buildah => self.buildah(),
            Builder::Kaniko => self.kaniko(),
            Builder::Custom => (self.args().collect(), vec![], vec![]),
        };
        if self.settings.registry_secret.is_some() {
            env.push(literal("DOCKER_CONFIG", REGISTRY_CONFIG.to_owned()));
            env.push(literal("REGISTRY_AUTH_FILE", format!("{REGISTRY_CONFIG}/config.json")));
        }
        if self.settings.builder != Builder::Buildpacks {
            let ours: Vec<String> = env.iter().map(|variable| variable.name.clone()).collect();
            let theirs = self.task.overrides.env.iter().filter(|(name, _)| !ours.contains(name));
            env.extend(theirs.map(|(name, value)| literal(name, escape(value).into_owned())));
        }
        let is_buildah = self.settings.builder == Builder::Buildah;
        Step {
            compute_resources: compute_resources(self.task.overrides.resources),
            // What it unpacks base images with.
            security_context: is_buildah.then(|| SecurityContext {
                capabilities: Some(Capabilities { add: Some(vec!["SETFCAP".to_owned()]), drop: None }),
                ..SecurityContext::default()
            }),
            ..self.step(STEP, &self.settings.image, command, &args, env)
        }
    }

    /// What the build before this one left under `latest` is used again.
    fn buildpacks(&self) -> (Vec<String>, Vec<String>, Vec<EnvVar>) {
        let latest = format!("{}:latest", self.repository());
        let ours = [
            format!("-app={TREE}"),
            "-layers=/layers".to_owned(),
            format!("-platform={SHARED}/platform"),
            format!("-report={SHARED}/report.toml"),
            format!("-previous-image={latest}"),
            format!("-tag={latest}"),
        ];
        let args = ours.into_iter().chain(self.args()).chain([self.reference()]);
        let env = vec![literal("CNB_PLATFORM_API", PLATFORM_API.to_owned())];
        (vec!["/cnb/lifecycle/creator".to_owned()], args.collect(), env)
    }

    /// Without a kernel that lets it mount.
    fn buildah(&self) -> (Vec<String>, Vec<String>, Vec<EnvVar>) {
        let env = vec![
            literal("BUILDAH_ISOLATION", "chroot".to_owned()),
            literal("STORAGE_DRIVER", "vfs".to_owned()),
            literal("IMAGE", self.reference()),
            literal("DIGEST_FILE", DIGEST_FILE.to_owned()),
        ];
        let variables = self.variables().map(|variable| format!("--build-arg={variable}"));
        (shell("buildah", BUILDAH), variables.chain(self.args()).collect(), env)
    }

    fn kaniko(&self) -> (Vec<String>, Vec<String>, Vec<EnvVar>) {
        let ours = [
            format!("--context=dir://{TREE}"),
            format!("--destination={}", self.reference()),
            format!("--digest-file={DIGEST_FILE}"),
        ];
        let variables = self.variables().map(|variable| format!("--build-arg={variable}"));
        (
            vec!["/kaniko/executor".to_owned()],
            ours.into_iter().chain(variables).chain(self.args()).collect(),
            vec![],
        )
    }

    fn digest(&self) -> Step {
        let env = vec![literal("DIGEST_FILE", DIGEST_FILE.to_owned())];
        self.step(DIGEST_STEP, &self.settings.fetch_image, shell(DIGEST_STEP, REPORT), &[], env)
    }

    fn step(
        &self,
        name: &str,
        image: &str,
        command: Vec<String>,
        args: &[String],
        mut env: Vec<EnvVar>,
    ) -> Step {
        let words: Vec<String> = command.iter().chain(args).cloned().collect();
        add_dollar(&words, &mut env);
        let builds = name == STEP;
        Step {
            name: name.to_owned(),
            image: Some(image.to_owned()),
            command,
            args: args.to_vec(),
            working_dir: builds.then(|| TREE.to_owned()),
            env,
            env_from: vec![],
            volume_mounts: mounts(self.settings, builds),
            compute_resources: None,
            security_context: None,
        }
    }

    /// The variables of the build, `$` escaped.
    fn variables(&self) -> impl Iterator<Item = String> {
        let all: &BTreeMap<String, String> = &self.task.overrides.env;
        all.iter().map(|(name, value)| escape(&format!("{name}={value}")).into_owned())
    }

    /// The arguments of the settings, with what stands in for a place in them, `$` escaped.
    fn args(&self) -> impl Iterator<Item = String> {
        let (repository, image) = (self.repository(), self.reference());
        self.settings.args.iter().map(move |arg| {
            let arg = arg.replace("{source}", TREE).replace("{image}", &image);
            let arg = arg.replace("{repository}", &repository);
            escape(&arg).replace("{digest_file}", DIGEST_FILE)
        })
    }
}

/// A script whose arguments follow.
fn shell(name: &str, script: &str) -> Vec<String> {
    ["/bin/sh", "-c", &escape(script), name].map(str::to_owned).to_vec()
}

/// Where the App's tasks run, its build runs too; as whom, is the builder's image's.
fn task_run_template(settings: &BuildSettings, app: &App) -> TaskRunTemplate {
    let of_tasks = pod::template(app).unwrap_or_default();
    let template = PodTemplate { security_context: None, volumes: vec![], ..of_tasks };
    TaskRunTemplate {
        service_account_name: settings.service_account.clone(),
        pod_template: (template != PodTemplate::default()).then_some(template),
    }
}

const SHARED_VOLUME: &str = "tekcron-shared";
const REGISTRY_VOLUME: &str = "tekcron-registry";
const LAYERS_VOLUME: &str = "tekcron-layers";
const STORAGE_VOLUME: &str = "tekcron-storage";

fn volumes(settings: &BuildSettings) -> Vec<Volume> {
    let empty = |name: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    let config =
        KeyToPath { key: ".dockerconfigjson".to_owned(), path: "config.json".to_owned(), mode: None };
    let registry = settings.registry_secret.as_ref().map(|secret| Volume {
        name: REGISTRY_VOLUME.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.clone()),
            items: Some(vec![config]),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
    let scratch = scratch(settings.builder).map(|(name, _)| empty(name));
    [empty(SHARED_VOLUME)].into_iter().chain(scratch).chain(registry).collect()
}

/// Each step has the shared volume; the builder has what is its own.
fn mounts(settings: &BuildSettings, builds: bool) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let mut mounts = vec![mount(SHARED_VOLUME, SHARED, false)];
    if builds {
        mounts.extend(scratch(settings.builder).map(|(name, path)| mount(name, path, false)));
        mounts
            .extend(settings.registry_secret.as_ref().map(|_| mount(REGISTRY_VOLUME, REGISTRY_CONFIG, true)));
    }
    mounts
}

/// A directory of the builder's own.
fn scratch(builder: Builder) -> Option<(&'static str, &'static str)> {
    match builder {
        Builder::Buildpacks => Some((LAYERS_VOLUME, "/layers")),
        Builder::Buildah => Some((STORAGE_VOLUME, "/var/lib/containers")),
        Builder::Kaniko | Builder::Custom => None,
    }
}

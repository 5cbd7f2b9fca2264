//! What a pod says, as far as an App can say it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, ResourceRequirements, Volume as PodVolume};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Serialize;
use serde_json::Value;

use super::documents::Remarks;
use crate::config::shape::{
    App, ByteSize, Command, Cpu, Env, ObjectName, PodTemplate, TaintEffect, Toleration, Volume,
};

const POD: [&str; 14] = [
    "containers",
    "initContainers",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "securityContext",
    "serviceAccountName",
    "serviceAccount",
    "volumes",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "schedulerName",
    "activeDeadlineSeconds",
];
const CONTAINER: [&str; 11] = [
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "args",
    "env",
    "envFrom",
    "resources",
    "volumeMounts",
    "terminationMessagePath",
    "terminationMessagePolicy",
];
const SECURITY: [&str; 4] = ["runAsUser", "runAsGroup", "fsGroup", "runAsNonRoot"];

/// The App of the pod's container, but for its name.
pub(super) fn app(pod: &PodSpec, path: &str, needs_command: bool, remarks: &mut Remarks) -> App {
    let at = |field: &str| format!("{path}.{field}");
    remarks.left_out(path, &json(pod), &POD);
    if pod.init_containers.as_ref().is_some_and(|containers| !containers.is_empty()) {
        remarks.refuse(
            &at("initContainers"),
            "expected no init container, found one: a task is one container",
            "let the command do what it does first",
        );
    }
    let [container] = &pod.containers[..] else {
        remarks.refuse(
            &at("containers"),
            format!("expected one container, found {}: a task is one", pod.containers.len()),
            "leave out what only stands beside the task",
        );
        return App::default();
    };
    let path = at("containers[0]");
    remarks.left_out(&path, &json(container), &CONTAINER);
    let template = template(pod, container, remarks);
    let (cpu, memory, disk) = resources(container.resources.as_ref(), &path, remarks);
    App {
        image: container.image.clone().filter(|image| !image.is_empty()),
        command: command(container, &path, needs_command, remarks),
        env: env(container, &path, remarks),
        cpu,
        memory,
        disk,
        service_account: pod.service_account_name.clone().filter(|name| name != "default"),
        pod_template: template,
        ..App::default()
    }
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("objects are plain data")
}

/// `command` and `args` together: here nobody asks the image for one of them.
fn command(container: &Container, path: &str, needed: bool, remarks: &mut Remarks) -> Option<Command> {
    let args = container.args.clone().unwrap_or_default();
    let Some(command) = container.command.clone().filter(|command| !command.is_empty()) else {
        if needed || !args.is_empty() {
            remarks.refuse(
                &format!("{path}.command"),
                "expected `command`, found none: here the entry point of an image is not looked up",
                "write the image's ENTRYPOINT into `command` first",
            );
        }
        return None;
    };
    let words = [command, args].concat();
    if words.iter().any(|word| word.contains("$(")) {
        remarks.warn(
            &format!("{path}.command"),
            "Kubernetes puts variables in the place of `$(NAME)`; here a command is run as it is written",
            "`/bin/sh -c` with `$NAME` does the same",
        );
    }
    match &words[..] {
        [shell, flag, line] if shell == "/bin/sh" && flag == "-c" => Some(Command::Shell(line.clone())),
        _ => Some(Command::Exec(words)),
    }
}

fn env(container: &Container, path: &str, remarks: &mut Remarks) -> Option<Env> {
    if container.env_from.as_ref().is_some_and(|sources| !sources.is_empty()) {
        remarks.warn(
            &format!("{path}.envFrom"),
            "`envFrom` is left out: here variables are in the file, and credentials come from a service",
            "declare a service in `tekcron.toml` and name it in `services`",
        );
    }
    let mut env = BTreeMap::new();
    for EnvVar { name, value, value_from } in container.env.iter().flatten() {
        let place = format!("{path}.env.{name}");
        if value_from.is_some() {
            remarks.warn(
                &place,
                format!("`{name}` is left out: its value comes from elsewhere in the cluster"),
                "credentials come from a service that the App names in `services`",
            );
            continue;
        }
        let value = value.clone().unwrap_or_default();
        if value.contains("$(") {
            let message =
                "Kubernetes puts variables in the place of `$(NAME)`; here a value is what is written";
            remarks.warn(&place, message, "write the value itself");
        }
        env.insert(name.clone(), value);
    }
    (!env.is_empty()).then_some(Env(env))
}

type Sizes = (Option<Cpu>, Option<ByteSize>, Option<ByteSize>);

/// Limits; where there is none, the request.
fn resources(resources: Option<&ResourceRequirements>, path: &str, remarks: &mut Remarks) -> Sizes {
    let Some(resources) = resources else { return (None, None, None) };
    let limit = |name: &str| resources.limits.as_ref().and_then(|limits| limits.get(name));
    let request = |name: &str| resources.requests.as_ref().and_then(|requests| requests.get(name));
    let mut take = |name: &str| {
        if let (Some(limit), Some(request)) = (limit(name), request(name))
            && limit != request
        {
            remarks.warn(
                &format!("{path}.resources"),
                format!(
                    "{name} is limited to `{}` and asks for `{}`; here a task asks for its limit",
                    limit.0, request.0
                ),
                "set the value that is to hold for both",
            );
        }
        limit(name).or_else(|| request(name)).cloned()
    };
    let cpu = take("cpu").map(|Quantity(text)| Cpu::Text(text));
    let memory = take("memory").map(bytes);
    let disk = take("ephemeral-storage").map(bytes);
    (cpu, memory, disk)
}

/// Kubernetes counts bytes where no unit is named.
pub(super) fn bytes(Quantity(text): Quantity) -> ByteSize {
    let bare = text.ends_with(|c: char| c.is_ascii_digit());
    ByteSize(if bare { format!("{text}B") } else { text })
}

fn template(pod: &PodSpec, container: &Container, remarks: &mut Remarks) -> Option<PodTemplate> {
    let context = pod.security_context.as_ref();
    if let Some(context) = context {
        remarks.left_out("spec.securityContext", &json(context), &SECURITY);
    }
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let pull_secrets = pod.image_pull_secrets.iter().flatten().map(|secret| ObjectName(secret.name.clone()));
    let template = PodTemplate {
        node_selector: pod.node_selector.clone().filter(|labels| !labels.is_empty()),
        tolerations: some(pod.tolerations.iter().flatten().map(|toleration| Toleration {
            key: toleration.key.clone(),
            value: toleration.value.clone(),
            effect: toleration.effect.as_deref().and_then(|effect| match effect {
                "NoSchedule" => Some(TaintEffect::NoSchedule),
                "PreferNoSchedule" => Some(TaintEffect::PreferNoSchedule),
                "NoExecute" => Some(TaintEffect::NoExecute),
                _ => None,
            }),
            toleration_seconds: id(toleration.toleration_seconds),
        })),
        volumes: some(volumes(pod, container, remarks).into_iter()),
        image_pull_secrets: some(pull_secrets),
        run_as_user: id(context.and_then(|context| context.run_as_user)),
        run_as_group: id(context.and_then(|context| context.run_as_group)),
        fs_group: id(context.and_then(|context| context.fs_group)),
        run_as_non_root: context.and_then(|context| context.run_as_non_root),
    };
    (json(&template) != json(&PodTemplate::default())).then_some(template)
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn volumes(pod: &PodSpec, container: &Container, remarks: &mut Remarks) -> Vec<Volume> {
    let mut taken = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let place = format!("volumes.{}", mount.name);
        let found = pod.volumes.iter().flatten().find(|volume| volume.name == mount.name);
        let whole = mount.sub_path.is_none() && mount.sub_path_expr.is_none();
        let volume = found.filter(|_| whole).and_then(|volume| {
            volume_of(volume, mount.mount_path.clone(), mount.read_only.filter(|read_only| *read_only))
        });
        match volume {
            Some(volume) => taken.push(volume),
            None => remarks.warn(
                &place,
                "the volume is left out: it is no whole Secret, ConfigMap, empty directory or claim",
                "`[app.pod_template]` says which volumes there are",
            ),
        }
    }
    taken
}

fn volume_of(volume: &PodVolume, mount_path: String, read_only: Option<bool>) -> Option<Volume> {
    let secret = volume.secret.as_ref().filter(|source| source.items.is_none());
    let config_map = volume.config_map.as_ref().filter(|source| source.items.is_none());
    let claim = volume.persistent_volume_claim.as_ref();
    let taken = Volume {
        secret: secret.and_then(|source| source.secret_name.clone()).map(ObjectName),
        config_map: config_map.map(|source| ObjectName(source.name.clone())),
        empty_dir: volume.empty_dir.as_ref().map(|_| true),
        persistent_volume_claim: claim.map(|claim| ObjectName(claim.claim_name.clone())),
        mount_path,
        read_only,
    };
    let any = taken.secret.is_some()
        || taken.config_map.is_some()
        || taken.empty_dir.is_some()
        || taken.persistent_volume_claim.is_some();
    any.then_some(taken)
}

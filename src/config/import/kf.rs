//! Kf's Apps, Tasks and TaskSchedules (`kf.dev/v1alpha1`): a TaskSchedule is a job on its App, and so is a Task,
//! without a schedule.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde_json::Value;

use super::cronjob::overlap;
use super::documents::{Object, Remarks, objects};
use super::elsewhere::translated;
use super::name::Names;
use super::{Imported, container, finish};
use crate::config::problem::Problems;
use crate::config::shape::{App, AppFile, Command, Cpu, Cron, Dst, Job, Name};

#[derive(Deserialize)]
struct Spec<T> {
    spec: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskSpec {
    display_name: Option<String>,
    app_ref: Option<Reference>,
    cpu: Option<String>,
    memory: Option<String>,
    disk: Option<String>,
    command: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScheduleSpec {
    schedule: String,
    concurrency_policy: Option<String>,
    #[serde(default)]
    suspend: bool,
    task_template: TaskSpec,
}

/// An App's jobs, and what is known of the App.
#[derive(Default)]
struct Known {
    app: Option<App>,
    names: Names,
    jobs: Vec<Job>,
}

impl Object {
    /// The App that it is, or that it runs on.
    fn app(&self) -> &str {
        let named = |path| self.value.pointer(path).and_then(Value::as_str);
        match self.kind.as_str() {
            "App" => &self.name,
            "Task" => named("/spec/appRef/name").unwrap_or_default(),
            "TaskSchedule" => named("/spec/taskTemplate/appRef/name").unwrap_or_default(),
            _ => "",
        }
    }
}

/// Where an App's image stands: as it was built, as it was given, and as early versions gave it.
const IMAGES: [&str; 4] = [
    "/status/image",
    "/spec/build/image",
    "/spec/source/containerImage/image",
    "/spec/source/containerimage/image",
];

/// Reads the manifests of `file`.
///
/// # Errors
/// [`Problems`]: all that cannot be taken over.
pub fn kf(file: &str, text: &str) -> Result<Imported, Problems> {
    let mut remarks = Remarks::new(file);
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut objects = objects(text, &mut remarks);
    // What a task needs to say depends on its App.
    objects.sort_by_key(|object| object.kind != "App");
    for object in objects {
        remarks.about(&object, object.app());
        match object.kind.as_str() {
            "App" => known.entry(object.name.clone()).or_default().app = Some(app(&object, &mut remarks)),
            "Task" => task(&object, &mut known, &mut remarks),
            "TaskSchedule" => schedule(&object, &mut known, &mut remarks),
            kind => {
                let message = format!("a {kind} is left out");
                remarks.warn("", message, "Apps, Tasks and TaskSchedules are read here");
            }
        }
    }
    let apps: Vec<_> = known
        .into_iter()
        .map(|(name, known)| AppFile {
            build: None,
            app: App { name: Name(name), ..known.app.unwrap_or_default() },
            jobs: (!known.jobs.is_empty()).then_some(known.jobs),
        })
        .collect();
    finish(file, &apps, remarks.into_problems())
}

fn app(object: &Object, remarks: &mut Remarks) -> App {
    let image = IMAGES.iter().find_map(|path| object.value.pointer(path)).and_then(Value::as_str);
    let pod = object.value.pointer("/spec/template/spec").cloned();
    let mut app = match pod.map(serde_json::from_value::<PodSpec>) {
        Some(Ok(pod)) => container::app(&pod, "spec.template.spec", false, remarks),
        Some(Err(error)) => {
            let message = format!("this is no pod: {error}");
            remarks.refuse("spec.template.spec", message, "as `kubectl get app -o yaml` prints it");
            App::default()
        }
        None => App::default(),
    };
    app.image = image.map(str::to_owned).or(app.image);
    if app.image.is_none() {
        remarks.warn(
            "spec.build",
            "no image is known: it was to be built",
            "set `image` for a cluster, `path` for this machine",
        );
    }
    for (path, message, hint) in [
        (
            "/spec/routes",
            "its routes are left out: an App here answers no requests",
            "tasks are all that runs",
        ),
        (
            "/spec/serviceInstanceBindings",
            "its bound services are left out",
            "declare them in `tekcron.toml`, and name them in `services`",
        ),
    ] {
        let some = object.value.pointer(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        if some {
            remarks.warn(path.trim_start_matches('/').replace('/', ".").as_str(), message, hint);
        }
    }
    app
}

fn task(object: &Object, known: &mut BTreeMap<String, Known>, remarks: &mut Remarks) {
    let Some(Spec { spec }) = object.read::<Spec<TaskSpec>>(remarks) else { return };
    let name = spec.display_name.clone().unwrap_or_else(|| object.name.clone());
    add(spec, &name, Job::default(), "spec", known, remarks);
}

fn schedule(object: &Object, known: &mut BTreeMap<String, Known>, remarks: &mut Remarks) {
    let Some(Spec { spec }) = object.read::<Spec<ScheduleSpec>>(remarks) else { return };
    let Some(schedule) = translated(&spec.schedule, "spec.schedule", remarks) else { return };
    if spec.suspend {
        let message =
            format!("it is suspended: the job is taken over without its schedule `{}`", schedule.cron);
        remarks.warn("spec.suspend", message, format!("`schedule = \"{}\"` lets it run", schedule.cron));
    }
    let job = Job {
        dst: schedule.timezone.as_ref().map(|_| Dst::Literal),
        timezone: schedule.timezone,
        schedule: (!spec.suspend).then_some(Cron(schedule.cron)),
        overlap: overlap(spec.concurrency_policy.as_deref(), remarks),
        ..Job::default()
    };
    add(spec.task_template, &object.name, job, "spec.taskTemplate", known, remarks);
}

/// Puts a job on the App that the task names.
fn add(
    task: TaskSpec,
    name: &str,
    job: Job,
    path: &str,
    known: &mut BTreeMap<String, Known>,
    remarks: &mut Remarks,
) {
    let Some(Reference { name: app }) = task.app_ref.filter(|app| !app.name.is_empty()) else {
        let message = "expected the name of an App, found none";
        return remarks.refuse(&format!("{path}.appRef.name"), message, "a task runs on an App");
    };
    let on = known.entry(app).or_default();
    let command = task.command.filter(|command| !command.is_empty());
    let has_command = command.is_some() || on.app.as_ref().is_some_and(|app| app.command.is_some());
    if !has_command {
        let message =
            "expected `command`, found none: here the start command of a built image is not looked up";
        return remarks.refuse(&format!("{path}.command"), message, "write it into `command` first");
    }
    on.jobs.push(Job {
        name: Name(on.names.own(name)),
        command: command.map(Command::Shell),
        cpu: size(task.cpu).map(Cpu::Text),
        memory: size(task.memory).map(|text| container::bytes(Quantity(text))),
        disk: size(task.disk).map(|text| container::bytes(Quantity(text))),
        ..job
    });
}

fn size(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

//! Kubernetes' CronJobs (`batch/v1`): each an App with one job.

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec};

use super::container;
use super::documents::{Object, Remarks, objects};
use super::elsewhere::translated;
use super::{Imported, finish, is_utc};
use crate::config::problem::Problems;
use crate::config::shape::{App, AppFile, Cron, Dst, Duration, Job, Name, Overlap, Retries};

const SPEC: [&str; 8] = [
    "schedule",
    "timeZone",
    "concurrencyPolicy",
    "startingDeadlineSeconds",
    "suspend",
    "jobTemplate",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
];
const JOB: [&str; 5] =
    ["template", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "completionMode"];
/// How often Kubernetes tries again unless told.
const BACKOFF_LIMIT: i32 = 6;

/// Reads the manifests of `file`.
///
/// # Errors
/// [`Problems`]: all that cannot be taken over.
pub fn cronjob(file: &str, text: &str) -> Result<Imported, Problems> {
    let mut remarks = Remarks::new(file);
    let mut apps = Vec::new();
    for object in objects(text, &mut remarks) {
        remarks.about(&object, if object.kind == "CronJob" { &object.name } else { "" });
        match object.kind.as_str() {
            "CronJob" => apps.extend(app(&object, &mut remarks)),
            kind => remarks.warn("", format!("a {kind} is left out"), "only CronJobs are read here"),
        }
    }
    finish(file, &apps, remarks.into_problems())
}

fn app(object: &Object, remarks: &mut Remarks) -> Option<AppFile> {
    let CronJob { spec, .. } = object.read(remarks)?;
    let Some(spec) = spec else {
        remarks.refuse("spec", "expected a `spec`, found none", "as `kubectl get cronjob -o yaml` prints it");
        return None;
    };
    remarks.left_out("spec", object.value.get("spec")?, &SPEC);
    let template = spec.job_template.spec.as_ref();
    let Some((work, pod)) = template.and_then(|job| Some((job, job.template.spec.as_ref()?))) else {
        remarks.refuse(
            "spec.jobTemplate",
            "expected a pod in `spec.template.spec`, found none",
            "as `kubectl get cronjob -o yaml` prints it",
        );
        return None;
    };
    remarks.left_out("spec.jobTemplate.spec", object.value.pointer("/spec/jobTemplate/spec")?, &JOB);
    let job = job(object, &spec, work, remarks)?;
    let pod = container::app(pod, "spec.jobTemplate.spec.template.spec", true, remarks);
    let timeout =
        work.active_deadline_seconds.map_or_else(|| "0".to_owned(), |seconds| format!("{seconds}s"));
    let app = App { name: Name(object.name.clone()), timeout: Some(Duration::Text(timeout)), ..pod };
    Some(AppFile { app, build: None, jobs: Some(vec![job]) })
}

fn job(object: &Object, spec: &CronJobSpec, work: &JobSpec, remarks: &mut Remarks) -> Option<Job> {
    let schedule = translated(&spec.schedule, "spec.schedule", remarks)?;
    let timezone = spec.time_zone.clone().or(schedule.timezone);
    if timezone.is_none() {
        remarks.warn(
            "spec.timeZone",
            "no zone is named: there it is that of the controller, here UTC",
            "set `timezone`, should the controller's be another",
        );
    }
    let suspended = spec.suspend == Some(true);
    if suspended {
        let message =
            format!("it is suspended: the job is taken over without its schedule `{}`", schedule.cron);
        remarks.warn("spec.suspend", message, format!("`schedule = \"{}\"` lets it run", schedule.cron));
    }
    let deadline = spec.starting_deadline_seconds;
    Some(Job {
        name: Name(object.name.clone()),
        schedule: (!suspended).then_some(Cron(schedule.cron)),
        // There a time that is jumped over does not run, and one that is shown twice runs twice.
        dst: timezone.as_deref().is_some_and(|zone| !is_utc(zone)).then_some(Dst::Literal),
        timezone: timezone.filter(|zone| !is_utc(zone)),
        start_deadline: deadline.map(|seconds| Duration::Text(format!("{seconds}s"))),
        overlap: overlap(spec.concurrency_policy.as_deref(), remarks),
        retries: retries(work.backoff_limit.unwrap_or(BACKOFF_LIMIT)),
        ..Job::default()
    })
}

/// The policy of either, by its word.
pub(super) fn overlap(policy: Option<&str>, remarks: &mut Remarks) -> Option<Overlap> {
    let path = "spec.concurrencyPolicy";
    match policy {
        None | Some("" | "Allow" | "Always") => None,
        Some("Forbid") => {
            let message = "there a run that `Forbid` held back may start when the one before has ended; `skip` leaves it out for good";
            remarks.warn(path, message, "`overlap = \"queue-one\"` lets one wait");
            Some(Overlap::Skip)
        }
        Some("Replace") => Some(Overlap::Replace),
        Some(other) => {
            let message = format!("expected `Allow`, `Always`, `Forbid` or `Replace`, found `{other}`");
            remarks.refuse(path, message, "what becomes of a run while the one before has not ended");
            None
        }
    }
}

/// As often as there, with the same waits.
fn retries(limit: i32) -> Option<Retries> {
    let attempts = u32::try_from(limit).ok().filter(|attempts| *attempts > 0)?;
    let wait = |text: &str| Some(Duration::Text(text.to_owned()));
    Some(Retries {
        attempts: attempts.min(1000),
        backoff: wait("10s"),
        max_backoff: wait("6m"),
        on_lost: None,
    })
}

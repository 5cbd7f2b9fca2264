//! Whose object it is: labels and annotations, written, read back and compared.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::app::AppName;
use crate::executor::label;
use crate::job::JobName;
use crate::push::RevisionNumber;
use crate::schedule::ScheduleKey;
use crate::task::{Task, TaskId, TaskName, Trigger};

/// Who manages our objects.
pub(in crate::executor) const MANAGER: &str = "tekcron";
const COMPONENT: &str = "task";

/// What an object says of its task: enough to rebuild the record from the cluster alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskMeta {
    /// Its name.
    pub name: TaskName,
    /// The tekcron instance that made it.
    pub instance: String,
    /// The App.
    pub app: AppName,
    /// The number on that App.
    pub id: TaskId,
    /// The job.
    pub job: Option<JobName>,
    /// The schedule whose slot it runs.
    pub schedule: Option<ScheduleKey>,
    /// That slot.
    pub scheduled: Option<Timestamp>,
    /// Which run of the slot.
    pub ordinal: u32,
    /// Which attempt.
    pub attempt: u32,
    /// The first attempt, where this is a later one.
    pub first_attempt: Option<TaskId>,
    /// What made it.
    pub trigger: Trigger,
    /// The request that asked for it.
    pub request: Option<String>,
    /// The revision of its App.
    pub revision: Option<RevisionNumber>,
    /// What people call it.
    pub display_name: String,
    /// Generation of the config at the claim.
    pub generation: String,
}

/// Why an object is not a readable task of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// Somebody else made it.
    #[error("expected an object managed by `tekcron`, found one managed by `{0}`")]
    Foreign(String),
    /// A name, label or annotation is not there.
    #[error("expected `{0}` on the object, found none")]
    Missing(&'static str),
    /// A name, label or annotation does not read.
    #[error("`{key}` of the object does not read: found `{found}`")]
    Unreadable {
        /// Where it stands.
        key: &'static str,
        /// What stands there.
        found: String,
    },
}

/// Why two objects of one name are not the same run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// They differ.
    #[error("another run has this name: expected {part} `{ours}`, found `{theirs}`")]
    Differs {
        /// What differs.
        part: &'static str,
        /// What ours says.
        ours: String,
        /// What theirs says.
        theirs: String,
    },
    /// One of them is not a task's object.
    #[error("another object has this name: {0}")]
    Unreadable(#[from] MetaError),
}

impl TaskMeta {
    /// What the object of `task` says, made by `instance`.
    pub fn of(instance: &str, task: &Task) -> Self {
        Self {
            name: task.name.clone(),
            instance: instance.to_owned(),
            app: task.app.clone(),
            id: task.id,
            job: task.job.clone(),
            schedule: task.schedule.clone(),
            scheduled: task.scheduled,
            ordinal: task.ordinal,
            attempt: task.attempt,
            first_attempt: task.first_attempt,
            trigger: task.trigger,
            request: task.request.clone(),
            revision: task.revision,
            display_name: task.display_name.clone(),
            generation: task.generation.clone(),
        }
    }

    /// Reads an object's metadata.
    ///
    /// # Errors
    /// [`MetaError`], also for an object that is not ours.
    pub fn read(meta: &ObjectMeta) -> Result<Self, MetaError> {
        let read = Reader { meta };
        let manager = read.label(label::MANAGED_BY).ok_or(MetaError::Missing(label::MANAGED_BY))?;
        if manager != MANAGER {
            return Err(MetaError::Foreign(manager.to_owned()));
        }
        Ok(Self {
            name: required("metadata.name", parsed("metadata.name", meta.name.as_deref())?)?,
            instance: required(label::INSTANCE, read.label(label::INSTANCE))?.to_owned(),
            app: required(label::APP, parsed(label::APP, read.label(label::APP))?)?,
            id: required(label::TASK_ID, parsed(label::TASK_ID, read.label(label::TASK_ID))?)?,
            job: parsed(label::JOB, read.label(label::JOB))?,
            schedule: parsed(label::SCHEDULE, read.label(label::SCHEDULE))?,
            scheduled: parsed(label::SLOT, read.annotation(label::SLOT))?,
            ordinal: parsed(label::ORDINAL, read.annotation(label::ORDINAL))?.unwrap_or(0),
            attempt: parsed(label::ATTEMPT, read.annotation(label::ATTEMPT))?.unwrap_or(1),
            first_attempt: parsed(label::FIRST_ATTEMPT, read.annotation(label::FIRST_ATTEMPT))?,
            trigger: required(label::TRIGGER, trigger(read.label(label::TRIGGER))?)?,
            request: read.annotation(label::REQUEST).map(str::to_owned),
            revision: parsed(label::REVISION, read.label(label::REVISION))?,
            display_name: read.annotation(label::DISPLAY_NAME).unwrap_or_default().to_owned(),
            generation: read.annotation(label::GENERATION).unwrap_or_default().to_owned(),
        })
    }

    /// The labels, by which objects are selected.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let always = [
            (label::APP, self.app.to_string()),
            (label::INSTANCE, self.instance.clone()),
            (label::MANAGED_BY, MANAGER.to_owned()),
            (label::COMPONENT, COMPONENT.to_owned()),
            (label::TASK_ID, self.id.to_string()),
            (label::TRIGGER, self.trigger.to_string()),
        ];
        let sometimes = [
            (label::JOB, self.job.as_ref().map(JobName::to_string)),
            (label::SCHEDULE, self.schedule.as_ref().map(ScheduleKey::to_string)),
            (label::REVISION, self.revision.as_ref().map(RevisionNumber::to_string)),
        ];
        collected(always, sometimes)
    }

    /// The annotations, which may hold any text.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let always = [
            (label::ORDINAL, self.ordinal.to_string()),
            (label::ATTEMPT, self.attempt.to_string()),
            (label::DISPLAY_NAME, self.display_name.clone()),
            (label::GENERATION, self.generation.clone()),
        ];
        let sometimes = [
            (label::SLOT, self.scheduled.as_ref().map(Timestamp::to_string)),
            (label::FIRST_ATTEMPT, self.first_attempt.as_ref().map(TaskId::to_string)),
            (label::REQUEST, self.request.clone()),
        ];
        collected(always, sometimes)
    }
}

/// Whether `theirs`, found under the name of `ours`, carries the same run. If so its task id wins,
/// and is returned.
///
/// # Errors
/// [`Mismatch`] names the first part that differs.
pub fn same_run(ours: &ObjectMeta, theirs: &ObjectMeta) -> Result<TaskId, Mismatch> {
    let (ours, theirs) = (TaskMeta::read(ours)?, TaskMeta::read(theirs)?);
    compare("instance", &ours.instance, &theirs.instance)?;
    compare("App", ours.app.as_str(), theirs.app.as_str())?;
    compare("job", &shown(ours.job.as_ref()), &shown(theirs.job.as_ref()))?;
    compare("schedule", &shown(ours.schedule.as_ref()), &shown(theirs.schedule.as_ref()))?;
    compare("slot", &shown(ours.scheduled.as_ref()), &shown(theirs.scheduled.as_ref()))?;
    compare("run ordinal", &ours.ordinal.to_string(), &theirs.ordinal.to_string())?;
    compare("attempt", &ours.attempt.to_string(), &theirs.attempt.to_string())?;
    compare("request", &shown(ours.request.as_ref()), &shown(theirs.request.as_ref()))?;
    Ok(theirs.id)
}

fn compare(part: &'static str, ours: &str, theirs: &str) -> Result<(), Mismatch> {
    if ours == theirs {
        return Ok(());
    }
    Err(Mismatch::Differs { part, ours: ours.to_owned(), theirs: theirs.to_owned() })
}

fn shown(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

struct Reader<'a> {
    meta: &'a ObjectMeta,
}

impl<'a> Reader<'a> {
    fn label(&self, key: &str) -> Option<&'a str> {
        self.meta.labels.as_ref()?.get(key).map(String::as_str)
    }

    fn annotation(&self, key: &str) -> Option<&'a str> {
        self.meta.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

fn required<T>(key: &'static str, value: Option<T>) -> Result<T, MetaError> {
    value.ok_or(MetaError::Missing(key))
}

fn parsed<T: std::str::FromStr>(key: &'static str, value: Option<&str>) -> Result<Option<T>, MetaError> {
    let unreadable = |found: &str| MetaError::Unreadable { key, found: found.to_owned() };
    value.map(|text| text.parse().map_err(|_| unreadable(text))).transpose()
}

fn trigger(value: Option<&str>) -> Result<Option<Trigger>, MetaError> {
    let all = [
        Trigger::Schedule,
        Trigger::CatchUp,
        Trigger::Backfill,
        Trigger::Manual,
        Trigger::Retry,
        Trigger::Build,
    ];
    let known = |text: &str| all.into_iter().find(|trigger| trigger.as_str() == text);
    let unreadable = |found: &str| MetaError::Unreadable { key: label::TRIGGER, found: found.to_owned() };
    value.map(|text| known(text).ok_or_else(|| unreadable(text))).transpose()
}

fn collected<const A: usize, const S: usize>(
    always: [(&str, String); A],
    sometimes: [(&str, Option<String>); S],
) -> BTreeMap<String, String> {
    let sometimes = sometimes.into_iter().filter_map(|(key, value)| Some((key, value?)));
    always.into_iter().chain(sometimes).map(|(key, value)| (key.to_owned(), value)).collect()
}

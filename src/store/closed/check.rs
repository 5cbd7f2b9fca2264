//! Whether every record reads, and whether those that speak of each other agree.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use crate::app::AppName;
use crate::store::error::StoreError;
use crate::store::key::{self, Kind};
use crate::store::raw::{Pages, Stop};
use crate::store::record::{self, IdempotencyV1};
use crate::task::{Task, TaskId, TaskName};

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// How many records there are of each kind, by its name.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Groups of commits that were written so far.
    pub groups: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Bytes on disk.
    pub on_disk: u64,
}

/// Reads every record.
pub(super) fn check(dir: &Path, pages: &Pages) -> Result<Contents, StoreError> {
    let (mut contents, mut links) = (Contents::default(), Links::default());
    let checked = pages.rows(|at, value| {
        if !key::is_meta(at) {
            let kind = Kind::of(at).map_or("other", Kind::as_str);
            *contents.kinds.entry(kind).or_default() += 1;
            links.take(at, value).map_err(Stop::Each)?;
        }
        Ok(())
    });
    let unreadable = |message: String| StoreError::unreadable(dir)(message);
    checked.map_err(|stop| match stop {
        Stop::Damage(damage) => unreadable(damage.to_string()),
        Stop::Each(error) => unreadable(error.to_string()),
    })?;
    match links.wrong() {
        Some(wrong) => Err(unreadable(wrong)),
        None => Ok(contents),
    }
}

/// What records say of each other, as they come in the order of their keys: active, counter, task.
#[derive(Debug, Default)]
struct Links {
    active: BTreeSet<Vec<u8>>,
    counters: BTreeMap<AppName, TaskId>,
    /// The App whose tasks come now, and what those before were called.
    app: Option<AppName>,
    names: HashSet<TaskName>,
    wrong: Option<String>,
}

impl Links {
    fn take(&mut self, at: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let shape = |kind| record::unreadable(kind, at, "a key of another shape");
        match Kind::of(at) {
            Some(Kind::Active) => drop(self.active.insert(key::task_of_active(at))),
            Some(Kind::Counter) => {
                let app = key::app_of(at).ok_or_else(|| shape("counter"))?;
                self.counters.insert(app, record::decode_counter(at, value)?);
            }
            Some(Kind::Task) => {
                let task = record::decode_task(at, value)?;
                self.task(at, &task);
            }
            _ => readable(at, value)?,
        }
        Ok(())
    }

    fn task(&mut self, at: &[u8], task: &Task) {
        if self.app.as_ref() != Some(&task.app) {
            self.app = Some(task.app.clone());
            self.names.clear();
        }
        if !self.names.insert(task.name.clone()) {
            self.note(format!("there are two tasks `{}`", task.name));
        }
        if self.active.remove(at) == task.phase.is_terminal() {
            self.note(format!("the task `{}` is {}, and listed as what it is not", task.name, task.phase));
        }
        if self.counters.get(&task.app).is_none_or(|highest| *highest < task.id) {
            self.note(format!("the counter of the App `{}` is behind its task {}", task.app, task.id));
        }
    }

    fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    /// The first that does not agree.
    fn wrong(mut self) -> Option<String> {
        let mut leftover: Vec<_> = self.active.iter().map(|at| key::display(at)).collect();
        leftover.sort();
        if let Some(first) = leftover.first() {
            self.note(format!("the task at `{first}` is listed, and is not there"));
        }
        self.wrong
    }
}

/// Whether a record reads by itself.
pub(super) fn readable(at: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let shape = |kind| record::unreadable(kind, at, "a key of another shape");
    match Kind::of(at) {
        Some(Kind::Task) => record::decode_task(at, value).map(drop),
        Some(Kind::Slot) => record::decode_slot(at, value).map(drop),
        Some(Kind::Steering) => {
            key::job_of(at).ok_or_else(|| shape("steering"))?;
            record::decode_steering(at, value).map(drop)
        }
        Some(Kind::Watermark) => {
            key::schedule_of_watermark(at).ok_or_else(|| shape("watermark"))?;
            record::decode_watermark(at, value).map(drop)
        }
        Some(Kind::Job) => {
            key::job_of(at).ok_or_else(|| shape("job"))?;
            record::decode::<String>("job", at, value).map(drop)
        }
        Some(Kind::App) => {
            key::app_of(at).ok_or_else(|| shape("app"))?;
            record::decode_app(at, value).map(drop)
        }
        Some(Kind::Revision) => record::decode_revision(at, value).map(drop),
        Some(Kind::Service) => {
            key::service_of(at).ok_or_else(|| shape("service"))?;
            record::decode_service(at, value).map(drop)
        }
        Some(Kind::Idempotency) => record::decode::<IdempotencyV1>("idempotency", at, value).map(drop),
        Some(Kind::PreviousSuccess) => {
            let nominal = record::decode("previous success", at, value)?;
            record::timestamp("previous success", at, nominal).map(drop)
        }
        Some(Kind::Standing) => {
            key::job_of(at).ok_or_else(|| shape("standing"))?;
            record::decode_standing(at, value).map(drop)
        }
        Some(Kind::Notice) => record::decode_notice(at, value).map(drop),
        Some(Kind::Streak) => {
            key::job_of(at).ok_or_else(|| shape("streak"))?;
            record::decode_streak(at, value).map(drop)
        }
        Some(Kind::Counter) => {
            key::app_of(at).ok_or_else(|| shape("counter"))?;
            record::decode_counter(at, value).map(drop)
        }
        Some(Kind::Front) => {
            key::parts_of_task(at).ok_or_else(|| shape("front"))?;
            record::decode::<i64>("front", at, value).map(drop)
        }
        Some(Kind::Active | Kind::Name) => Ok(()),
        None => Err(shape("unknown")),
    }
}

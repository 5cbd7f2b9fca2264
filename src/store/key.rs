//! Keys: one prefix byte a kind, big-endian numbers, so that order in the tree is order in time.

use std::str::FromStr;

use jiff::Timestamp;

use crate::app::{AppName, ServiceName};
use crate::job::JobRef;
use crate::push::RevisionNumber;
use crate::schedule::ScheduleKey;
use crate::task::TaskId;

const ACTIVE: u8 = b'a';
const COUNTER: u8 = b'c';
const APP: u8 = b'e';
const IDEMPOTENCY: u8 = b'i';
const META: u8 = b'm';
const NAME: u8 = b'n';
const NOTICE: u8 = b'o';
const PREVIOUS_SUCCESS: u8 = b'p';
const JOB: u8 = b'j';
const FRONT: u8 = b'q';
const REVISION: u8 = b'r';
const SLOT: u8 = b's';
const STANDING: u8 = b'l';
const STEERING: u8 = b'h';
const STREAK: u8 = b'k';
const TASK: u8 = b't';
const SERVICE: u8 = b'v';
const WATERMARK: u8 = b'w';

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Active,
    /// An App that was pushed.
    App,
    Counter,
    /// A waiting task that was moved to the front of the queue.
    Front,
    Idempotency,
    /// A job that was created by command.
    Job,
    /// Where the task of a name is: in format 1, and in exports of it.
    Name,
    Notice,
    PreviousSuccess,
    /// What was pushed of an App once.
    Revision,
    /// A service that was created by command.
    Service,
    Slot,
    /// What somebody decided about a job's slots.
    Steering,
    Standing,
    Streak,
    Task,
    Watermark,
}

impl Kind {
    const ALL: [(u8, Self, &'static str); 17] = [
        (ACTIVE, Self::Active, "active"),
        (APP, Self::App, "app"),
        (COUNTER, Self::Counter, "counter"),
        (FRONT, Self::Front, "front"),
        (IDEMPOTENCY, Self::Idempotency, "idempotency"),
        (JOB, Self::Job, "job"),
        (NAME, Self::Name, "name"),
        (NOTICE, Self::Notice, "notice"),
        (PREVIOUS_SUCCESS, Self::PreviousSuccess, "previous-success"),
        (REVISION, Self::Revision, "revision"),
        (SERVICE, Self::Service, "service"),
        (SLOT, Self::Slot, "slot"),
        (STEERING, Self::Steering, "steering"),
        (STANDING, Self::Standing, "standing"),
        (STREAK, Self::Streak, "streak"),
        (TASK, Self::Task, "task"),
        (WATERMARK, Self::Watermark, "watermark"),
    ];

    /// The kind of the record at `key`.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        let first = key.first()?;
        Self::ALL.into_iter().find_map(|(prefix, kind, _)| (prefix == *first).then_some(kind))
    }

    /// The kind of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(_, kind, known)| (known == name).then_some(kind))
    }

    /// Its name.
    pub(super) fn as_str(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> (u8, &'static str) {
        let found = Self::ALL.into_iter().find(|(_, kind, _)| *kind == self);
        found.map(|(prefix, _, name)| (prefix, name)).expect("every kind is listed")
    }

    /// What the texts of its keys are, in order.
    fn texts(self) -> &'static [&'static str] {
        match self {
            Self::Active | Self::App | Self::Counter | Self::Front | Self::Revision | Self::Task => &["app"],
            Self::Idempotency => &["key"],
            Self::Name => &["name"],
            Self::Notice => &["notice"],
            Self::Service => &["service"],
            Self::Job | Self::PreviousSuccess | Self::Standing | Self::Steering | Self::Streak => {
                &["app", "job"]
            }
            Self::Slot | Self::Watermark => &["app", "job", "schedule"],
        }
    }

    fn has_number(self) -> bool {
        matches!(self, Self::Active | Self::Front | Self::Revision | Self::Slot | Self::Task)
    }
}

/// A key in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) kind: Kind,
    /// Each with what it is.
    pub(super) texts: Vec<(&'static str, String)>,
    /// The last eight bytes.
    pub(super) number: Option<u64>,
}

impl Parts {
    /// The parts of `key`; nothing where it has others than its kind has.
    pub(super) fn of(key: &[u8]) -> Option<Self> {
        let kind = Kind::of(key)?;
        let rest = key.get(1..)?;
        let (texts, number) = match kind.has_number() {
            true => rest
                .split_last_chunk::<8>()
                .map(|(texts, number)| (texts, Some(u64::from_be_bytes(*number))))?,
            false => (rest, None),
        };
        let texts = std::str::from_utf8(texts).ok()?;
        let found: Vec<&str> = match kind {
            Kind::Idempotency => vec![texts],
            _ => texts.strip_suffix('\0')?.split('\0').collect(),
        };
        let names = kind.texts();
        let texts = names.iter().zip(&found).map(|(name, text)| (*name, (*text).to_owned())).collect();
        (found.len() == names.len()).then_some(Self { kind, texts, number })
    }

    /// A key's parts, by what they are called; nothing where one is missing.
    pub(super) fn named(
        kind: Kind,
        number: Option<u64>,
        text: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let texts = kind.texts().iter().map(|name| Some((*name, text(name)?))).collect::<Option<_>>()?;
        (kind.has_number() == number.is_some()).then_some(Self { kind, texts, number })
    }

    /// The key.
    pub(super) fn key(&self) -> Vec<u8> {
        let texts: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
        let mut key = text_key(self.kind.entry().0, &texts);
        if self.kind == Kind::Idempotency {
            key.pop();
        }
        match self.number {
            Some(number) => numbered(key, number),
            None => key,
        }
    }
}

/// The records that there are many of.
pub(super) const MANY: [u8; 2] = [SLOT, TASK];

/// Where the format's number stands.
pub(super) const FORMAT: &str = "format";
/// Where the tally stands.
pub(super) const TALLY: &str = "tally";

/// Ends a text within a key. Names cannot hold it.
const END: u8 = 0;

fn text_key(prefix: u8, texts: &[&str]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + texts.iter().map(|text| text.len() + 1).sum::<usize>() + 8);
    key.push(prefix);
    for text in texts {
        key.extend_from_slice(text.as_bytes());
        key.push(END);
    }
    key
}

fn numbered(mut key: Vec<u8>, number: u64) -> Vec<u8> {
    key.extend_from_slice(&number.to_be_bytes());
    key
}

pub(super) fn task(app: &AppName, id: TaskId) -> Vec<u8> {
    numbered(tasks_of(app), id.0)
}

pub(super) fn tasks_of(app: &AppName) -> Vec<u8> {
    text_key(TASK, &[app.as_str()])
}

/// The App and id of the task at `key`, or of what stands beside it.
pub(super) fn parts_of_task(key: &[u8]) -> Option<(AppName, TaskId)> {
    let (text, number) = key.split_at_checked(key.len().checked_sub(8)?)?;
    let app = std::str::from_utf8(text.get(1..text.len().checked_sub(1)?)?).ok()?;
    Some((app.parse().ok()?, TaskId(u64::from_be_bytes(number.try_into().ok()?))))
}

pub(super) fn active(app: &AppName, id: TaskId) -> Vec<u8> {
    numbered(text_key(ACTIVE, &[app.as_str()]), id.0)
}

/// All keys of that kind that are of `app`.
pub(super) fn of_app(kind: Kind, app: &AppName) -> Vec<u8> {
    text_key(kind.entry().0, &[app.as_str()])
}

pub(super) fn active_of(app: &AppName) -> Vec<u8> {
    of_app(Kind::Active, app)
}

pub(super) fn front(app: &AppName, id: TaskId) -> Vec<u8> {
    numbered(text_key(FRONT, &[app.as_str()]), id.0)
}

pub(super) fn all_fronts() -> Vec<u8> {
    vec![FRONT]
}

pub(super) fn all_active() -> Vec<u8> {
    vec![ACTIVE]
}

/// The task key that an active key stands for.
pub(super) fn task_of_active(active: &[u8]) -> Vec<u8> {
    let mut key = active.to_vec();
    if let Some(prefix) = key.first_mut() {
        *prefix = TASK;
    }
    key
}

/// Whether a format before this one had such a row, which is left out of whatever is written anew.
pub(super) fn is_former(key: &[u8]) -> bool {
    key.first() == Some(&NAME)
}

pub(super) fn counter(app: &AppName) -> Vec<u8> {
    text_key(COUNTER, &[app.as_str()])
}

pub(super) fn all_counters() -> Vec<u8> {
    vec![COUNTER]
}

/// The counters of the Apps whose names begin so.
pub(super) fn counters_from(beginning: &str) -> Vec<u8> {
    let mut key = vec![COUNTER];
    key.extend_from_slice(beginning.as_bytes());
    key
}

/// The App whose counter, or own record, `key` is.
pub(super) fn app_of(key: &[u8]) -> Option<AppName> {
    name_of(key)
}

/// The service whose record `key` is.
pub(super) fn service_of(key: &[u8]) -> Option<ServiceName> {
    name_of(key)
}

fn name_of<T: FromStr>(key: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(key.get(1..key.len().checked_sub(1)?)?).ok()?;
    text.parse().ok()
}

pub(super) fn app(app: &AppName) -> Vec<u8> {
    text_key(APP, &[app.as_str()])
}

pub(super) fn all_apps() -> Vec<u8> {
    vec![APP]
}

pub(super) fn revision(app: &AppName, number: RevisionNumber) -> Vec<u8> {
    numbered(text_key(REVISION, &[app.as_str()]), number.0.into())
}

pub(super) fn all_revisions() -> Vec<u8> {
    vec![REVISION]
}

/// The App and the number of the revision at `key`.
pub(super) fn parts_of_revision(key: &[u8]) -> Option<(AppName, RevisionNumber)> {
    let (app, TaskId(number)) = parts_of_task(key)?;
    Some((app, RevisionNumber(number.try_into().ok()?)))
}

pub(super) fn service(service: &ServiceName) -> Vec<u8> {
    text_key(SERVICE, &[service.as_str()])
}

pub(super) fn all_services() -> Vec<u8> {
    vec![SERVICE]
}

pub(super) fn idempotency(request: &str) -> Vec<u8> {
    let mut key = vec![IDEMPOTENCY];
    key.extend_from_slice(request.as_bytes());
    key
}

pub(super) fn all_idempotency() -> Vec<u8> {
    vec![IDEMPOTENCY]
}

pub(super) fn meta(what: &str) -> Vec<u8> {
    text_key(META, &[what])
}

/// Whether the store itself needs this row, which is no record.
pub(super) fn is_meta(key: &[u8]) -> bool {
    key.first() == Some(&META)
}

pub(super) fn previous_success(job: &JobRef) -> Vec<u8> {
    text_key(PREVIOUS_SUCCESS, &[job.app.as_str(), job.job.as_str()])
}

pub(super) fn job(job: &JobRef) -> Vec<u8> {
    text_key(JOB, &[job.app.as_str(), job.job.as_str()])
}

pub(super) fn all_jobs() -> Vec<u8> {
    vec![JOB]
}

pub(super) fn notice(id: &str) -> Vec<u8> {
    text_key(NOTICE, &[id])
}

pub(super) fn all_notices() -> Vec<u8> {
    vec![NOTICE]
}

/// The id of the notice at `key`.
pub(super) fn id_of_notice(key: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(key.get(1..)?).ok()?.strip_suffix('\0')?;
    (!text.contains('\0')).then(|| text.to_owned())
}

pub(super) fn streak(job: &JobRef) -> Vec<u8> {
    text_key(STREAK, &[job.app.as_str(), job.job.as_str()])
}

pub(super) fn standing(job: &JobRef) -> Vec<u8> {
    text_key(STANDING, &[job.app.as_str(), job.job.as_str()])
}

pub(super) fn all_standings() -> Vec<u8> {
    vec![STANDING]
}

/// The job whose record, steering, standing or streak `key` is.
pub(super) fn job_of(key: &[u8]) -> Option<JobRef> {
    let texts = std::str::from_utf8(key.get(1..)?).ok()?;
    let (app, job) = texts.strip_suffix('\0')?.split_once('\0')?;
    Some(JobRef::new(app.parse().ok()?, job.parse().ok()?))
}

pub(super) fn steering(job: &JobRef) -> Vec<u8> {
    text_key(STEERING, &[job.app.as_str(), job.job.as_str()])
}

pub(super) fn all_steerings() -> Vec<u8> {
    vec![STEERING]
}

pub(super) fn watermark(job: &JobRef, schedule: &ScheduleKey) -> Vec<u8> {
    text_key(WATERMARK, &[job.app.as_str(), job.job.as_str(), schedule.as_str()])
}

pub(super) fn all_watermarks() -> Vec<u8> {
    vec![WATERMARK]
}

/// The schedule whose watermark `key` is.
pub(super) fn schedule_of_watermark(key: &[u8]) -> Option<(JobRef, ScheduleKey)> {
    let mut texts = key.get(1..)?.split(|byte| *byte == END);
    let mut next = || std::str::from_utf8(texts.next()?).ok();
    let (app, job, schedule) = (next()?, next()?, next()?);
    Some((JobRef::new(app.parse().ok()?, job.parse().ok()?), schedule.parse().ok()?))
}

pub(super) fn slots_of(job: &JobRef, schedule: &ScheduleKey) -> Vec<u8> {
    text_key(SLOT, &[job.app.as_str(), job.job.as_str(), schedule.as_str()])
}

pub(super) fn slots_of_job(job: &JobRef) -> Vec<u8> {
    text_key(SLOT, &[job.app.as_str(), job.job.as_str()])
}

pub(super) fn slot(job: &JobRef, schedule: &ScheduleKey, first: Timestamp) -> Vec<u8> {
    numbered(slots_of(job, schedule), ordered(first))
}

/// A time as keys have it: the sign bit flipped, so that times before 1970 sort first.
pub(super) fn ordered(time: Timestamp) -> u64 {
    (time.as_millisecond() as u64) ^ (1 << 63)
}

/// The time that keys have so.
pub(super) fn time_of(ordered: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond((ordered ^ (1 << 63)) as i64).ok()
}

pub(super) fn all_slots() -> Vec<u8> {
    vec![SLOT]
}

pub(super) fn slots_end_of_all() -> Vec<u8> {
    vec![SLOT + 1]
}

/// The job and the schedule of the slot row at `key`.
pub(super) fn ledger_of_slot(key: &[u8]) -> Option<(JobRef, ScheduleKey)> {
    let (texts, _) = key.split_at_checked(key.len().checked_sub(8)?)?;
    // A watermark's key is the same without the time.
    schedule_of_watermark(texts)
}

/// Behind every slot of a schedule.
pub(super) fn slots_end(job: &JobRef, schedule: &ScheduleKey) -> Vec<u8> {
    let mut key = numbered(slots_of(job, schedule), u64::MAX);
    key.push(END);
    key
}

/// The schedule and the first instant of the slot row at `key`.
pub(super) fn parts_of_slot(key: &[u8]) -> Option<(ScheduleKey, Timestamp)> {
    let (texts, number) = key.split_at_checked(key.len().checked_sub(8)?)?;
    let first = time_of(u64::from_be_bytes(number.try_into().ok()?))?;
    let schedule = texts.get(1..)?.split(|byte| *byte == END).nth(2)?;
    let schedule = std::str::from_utf8(schedule).ok()?.parse().ok()?;
    Some((schedule, first))
}

/// For messages: the key with its numbers spelled as hexadecimal.
pub(super) fn display(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_key_sorts_by_time_and_reads_back() {
        let job: JobRef = "etl.nightly".parse().unwrap();
        let schedule = ScheduleKey::hashed("0 2 * * *", "UTC", "vixie");
        let at = |second| Timestamp::from_second(second).unwrap();
        let keys: Vec<_> = [-60, 0, 60, 1 << 33].map(|s| slot(&job, &schedule, at(s))).into();
        assert!(keys.is_sorted());
        assert_eq!(parts_of_slot(&keys[0]), Some((schedule.clone(), at(-60))));
        let watermark = watermark(&job, &schedule);
        assert_eq!(schedule_of_watermark(&watermark), Some((job, schedule)));
    }

    #[test]
    fn one_apps_tasks_are_not_anothers_whose_name_begins_alike() {
        let (etl, etl2): (AppName, AppName) = ("etl".parse().unwrap(), "etl2".parse().unwrap());
        assert!(!task(&etl2, TaskId(1)).starts_with(&tasks_of(&etl)));
    }
}

//! Records as the dispatcher makes them, and configurations of many schedules.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tekcron::app::{AppName, LogsOnTerminate};
use tekcron::config::{self, Config, SettingsOverrides};
use tekcron::job::JobRef;
use tekcron::schedule::ScheduleKey;
use tekcron::store::{Commit, SlotClaim, SlotOutcome, SlotRow, Watermark};
use tekcron::task::{LogSize, Outcome, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};

/// Jobs of each App.
pub(crate) const JOBS: usize = 100;

/// Slots of one commit, as in the dispatcher.
pub(crate) const SLOTS_PER_COMMIT: usize = 256;

/// The name of an App.
pub(crate) fn app(number: usize) -> AppName {
    format!("app-{number:05}").parse().expect("it is a name")
}

/// Writes a configuration of `schedules` jobs that run `command`, each at `cron`.
pub(crate) fn write_config(dir: &Path, schedules: usize, command: &str, cron: impl Fn(usize) -> String) {
    fs::create_dir_all(dir.join("apps")).expect("the directory is ours");
    fs::write(dir.join("tekcron.toml"), "log = \"error\"\n").expect("the directory is ours");
    for number in 0..schedules.div_ceil(JOBS) {
        let mut text = format!("[app]\nname = \"{}\"\ncommand = {command}\n", app(number));
        for job in (0..JOBS).take(schedules - number * JOBS) {
            let cron = cron(number * JOBS + job);
            write!(text, "\n[[jobs]]\nname = \"job-{job:03}\"\nschedule = \"{cron}\"\n").expect("a String");
        }
        fs::write(dir.join(format!("apps/{}.toml", app(number))), text).expect("the directory is ours");
    }
}

/// Reads it, with its data in `data`.
pub(crate) fn load_config(dir: &Path, data: &Path) -> Arc<Config> {
    let overrides = SettingsOverrides { data_dir: Some(data.to_owned()), ..SettingsOverrides::default() };
    Arc::new(config::load(dir, &overrides).expect("the configuration is right"))
}

/// A slot that was claimed.
pub(crate) struct Claim {
    pub(crate) job: JobRef,
    pub(crate) task: Task,
    pub(crate) slot: SlotRow,
    pub(crate) watermark: Watermark,
}

impl Claim {
    /// The claim number `id` of a job of App `number`.
    pub(crate) fn new(number: usize, job: usize, id: u64) -> Self {
        let schedule = ScheduleKey::hashed("0 0 * * *", "UTC", "vixie");
        let job: JobRef = format!("{}.job-{job:03}", app(number)).parse().expect("it is a job");
        let at = Timestamp::from_second(1_893_456_000 + 60 * id as i64).expect("it is a time");
        let identity = RunIdentity::Slot { schedule: &schedule, slot: at, ordinal: 0 };
        let task = Task {
            app: job.app.clone(),
            id: TaskId(id),
            name: TaskName::of("tekcron", "default", &job.app, Some(&job.job), identity, 1),
            display_name: job.job.to_string(),
            job: Some(job.job.clone()),
            schedule: Some(schedule.clone()),
            scheduled: Some(at),
            ordinal: 0,
            trigger: Trigger::Schedule,
            attempt: 1,
            first_attempt: None,
            request: None,
            overrides: Overrides::default(),
            revision: None,
            image: None,
            generation: "q2w3e4r5t6y7".to_owned(),
            created: at,
            not_before: None,
            started: None,
            finished: None,
            phase: Phase::Pending,
            terminating: None,
            logs_on_terminate: LogsOnTerminate::Keep,
            reason: None,
            message: None,
            exit_code: None,
            log: LogSize::default(),
        };
        let outcome = SlotOutcome::Ran { task: task.id };
        let slot = SlotRow {
            schedule: schedule.clone(),
            first: at,
            last: at,
            outcome,
            claim: Some(SlotClaim { due: at, at }),
            note: None,
        };
        Self { job, task, slot, watermark: Watermark { at, fingerprint: "a1b2c3d4e5f6".to_owned() } }
    }

    /// The same when its task has succeeded.
    pub(crate) fn ended(mut self) -> Self {
        let started = self.task.created + SignedDuration::from_millis(40);
        self.task.phase = Phase::Running;
        self.task.finish(Outcome {
            phase: Phase::Succeeded,
            exit_code: Some(0),
            reason: "Completed".to_owned(),
            message: "it ended with exit code 0".to_owned(),
            started: Some(started),
            finished: started + SignedDuration::from_secs(7),
            log: LogSize { kept: 1234, cut: 0 },
            image: None,
        });
        self
    }

    /// Its rows.
    pub(crate) fn write(&self, commit: &mut Commit) {
        commit.create_task(&self.task).put_slot(&self.job, &self.slot);
        commit.put_watermark(&self.job, &self.slot.schedule, &self.watermark);
    }

    /// About how many bytes its rows are.
    pub(crate) fn size(&self) -> usize {
        let task = postcard::to_stdvec(&self.task).expect("a task is plain data").len();
        // Keys and the small rows: counter, active, slot, watermark.
        task + 4 * 48 + 16
    }
}

/// One claim each of `count` jobs.
pub(crate) fn claims(count: usize) -> Vec<Claim> {
    (0..count).map(|index| Claim::new(index / JOBS, index % JOBS, (index % JOBS) as u64 + 1)).collect()
}

/// Their commits, as the dispatcher cuts them.
pub(crate) fn commits(claims: &[Claim]) -> Vec<Commit> {
    let commit = |claims: &[Claim]| {
        let mut commit = Commit::new();
        claims.iter().for_each(|claim| claim.write(&mut commit));
        commit
    };
    claims.chunks(SLOTS_PER_COMMIT).map(commit).collect()
}

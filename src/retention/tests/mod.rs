mod policy;
mod slots;
mod sweep;

use jiff::Timestamp;

use super::TaskSummary;
use crate::app::{LogsOnTerminate, Retention};
use crate::task::{Phase, TaskId};

const NOW: i64 = 1_000_000;

/// Task `id` of `job` (`-` for none), which ended `id` seconds after the epoch if it ended at all.
fn task(id: u64, job: &str, phase: Phase) -> TaskSummary {
    let seconds = i64::try_from(id).unwrap();
    TaskSummary {
        id: TaskId(id),
        name: format!("t-{id}").parse().unwrap(),
        job: (job != "-").then(|| job.parse().unwrap()),
        phase,
        finished: phase.is_terminal().then(|| Timestamp::from_second(seconds).unwrap()),
        log: 10,
        logs_on_terminate: LogsOnTerminate::Keep,
    }
}

/// Tasks from a picture, oldest first: `S`ucceeded, `F`ailed, `C`ancelled, `R`unning, each with its job.
fn tasks(picture: &str) -> Vec<TaskSummary> {
    let one = |(index, word): (usize, &str)| {
        let (phase, job) = word.split_at(1);
        let phase = match phase {
            "S" => Phase::Succeeded,
            "F" => Phase::Failed,
            "C" => Phase::Cancelled,
            _ => Phase::Running,
        };
        task(index as u64 + 1, job, phase)
    };
    let mut tasks: Vec<_> = picture.split_whitespace().enumerate().map(one).collect();
    tasks.reverse();
    tasks
}

fn keep(keep: u32) -> Retention {
    Retention { keep, keep_for: None, keep_per_job: 1 }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

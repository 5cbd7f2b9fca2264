use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{NOW, keep, now, task, tasks};
use crate::app::{LogsOnTerminate, Retention};
use crate::job::JobName;
use crate::retention::{LoggedTask, TaskSummary, is_due, plan, plan_logs};
use crate::task::{Phase, TaskId};

fn removed(picture: &str, retention: &Retention) -> Vec<u64> {
    plan(&tasks(picture), retention, |_| true, now()).remove.iter().map(|id| id.0).collect()
}

#[test]
fn what_fits_is_kept_and_beyond_that_the_oldest_go() {
    assert_eq!(removed("S- S- S-", &keep(3)), [0; 0]);
    assert_eq!(removed("S- S- S- S- S-", &keep(3)), [1, 2]);
    assert_eq!(removed("", &keep(0)), [0; 0]);
}

#[test]
fn the_five_hundred_and_first_task_pushes_out_the_first() {
    let all: Vec<_> = (1..=501).rev().map(|id| task(id, "-", Phase::Succeeded)).collect();
    let plan = plan(&all, &Retention::default(), |_| true, now());
    assert_eq!(plan.remove, [TaskId(1)]);
}

#[test]
fn a_running_task_stays_and_counts() {
    assert_eq!(removed("R- S- S- S-", &keep(2)), [2, 3]);
    assert_eq!(removed("R- R- R-", &keep(2)), [0; 0], "exceeded by running tasks alone");
    assert_eq!(removed("R- R- S-", &keep(2)), [3]);
}

#[test]
fn a_quiet_job_keeps_its_last_success_and_failure_beside_a_noisy_one() {
    assert_eq!(removed("Squiet Fquiet Snoisy Snoisy Snoisy Snoisy", &keep(4)), [3, 4]);
    assert_eq!(removed("Squiet Squiet Fquiet Fquiet Snoisy Snoisy", &keep(3)), [1, 3, 5]);
    assert_eq!(removed("Cquiet Snoisy Snoisy", &keep(2)), [2], "its newest task, whatever became of it");
}

#[test]
fn the_newest_of_each_job_are_protected_as_many_as_asked_for() {
    let retention = Retention { keep_per_job: 2, ..keep(1) };
    assert_eq!(removed("Sa Sa Sa Sb", &retention), [1]);
    let retention = Retention { keep_per_job: 0, ..keep(1) };
    assert_eq!(removed("Ca Ca Cb", &retention), [1, 2]);
}

#[test]
fn a_job_that_is_no_longer_configured_protects_nothing() {
    let plan = plan(&tasks("Sgone Fgone Sa Sa"), &keep(2), |job| job.as_str() != "gone", now());
    assert_eq!(plan.remove, [TaskId(1), TaskId(2)]);
}

#[test]
fn the_aged_go_first_and_unless_protected_even_if_there_is_room() {
    let retention = Retention { keep_for: Some(SignedDuration::from_secs(NOW - 2)), ..keep(500) };
    assert_eq!(removed("S- S- S-", &retention), [1], "exactly that old is not older");
    assert_eq!(removed("Sa S- S-", &retention), [0; 0], "the last success of its job");
    let mut mixed = tasks("S- S- S-");
    (mixed[2].finished, mixed[0].finished) = (mixed[0].finished, mixed[2].finished);
    let retention = Retention { keep: 2, ..retention };
    assert_eq!(plan(&mixed, &retention, |_| true, now()).remove, [TaskId(3)], "the third ended first");
}

#[test]
fn the_log_of_a_terminated_task_goes_where_the_app_wants_it_so() {
    let mut all = tasks("C- C- S- C-");
    for task in &mut all {
        task.logs_on_terminate = LogsOnTerminate::Delete;
    }
    all[0].log = 0;
    let plan = plan(&all, &keep(3), |_| true, now());
    assert_eq!((plan.remove, plan.remove_logs), (vec![TaskId(1)], vec![TaskId(2)]));
}

#[test]
fn logs_go_oldest_first_until_the_rest_fits() {
    let log = |id: u64, finished: i64, log: u64| LoggedTask {
        app: "etl".parse().unwrap(),
        id: TaskId(id),
        name: format!("t-{id}").parse().unwrap(),
        finished: Timestamp::from_second(finished).unwrap(),
        log,
    };
    let logs = vec![log(1, 30, 5), log(2, 10, 5), log(3, 20, 0), log(4, 15, 5)];
    let gone = |budget| plan_logs(logs.clone(), budget).iter().map(|task| task.id.0).collect::<Vec<_>>();
    assert_eq!(gone(15), [0; 0]);
    assert_eq!(gone(14), [2]);
    assert_eq!(gone(10), [2]);
    assert_eq!(gone(9), [2, 4]);
    assert_eq!(gone(0), [2, 4, 1]);
}

prop_compose! {
    fn any_task()(
        phase in prop::sample::select(Phase::ALL.to_vec()),
        job in prop::sample::select(vec!["-", "a", "b", "c", "gone"]),
        age in 0_i64..100,
    ) -> (Phase, &'static str, i64) {
        (phase, job, age)
    }
}

proptest! {
    #[test]
    fn no_plan_breaks_a_promise(
        all in prop::collection::vec(any_task(), 0..60),
        keep in 0_u32..50,
        keep_per_job in 0_u32..4,
        keep_for in prop::option::of(0_i64..100),
    ) {
        let mut tasks: Vec<_> = (1..).zip(&all).map(|(id, (phase, job, age))| {
            let mut task = task(id, job, *phase);
            task.finished = task.finished.map(|_| Timestamp::from_second(NOW - age).unwrap());
            task
        }).collect();
        tasks.reverse();
        let keep_for = keep_for.map(SignedDuration::from_secs);
        let retention = Retention { keep, keep_for, keep_per_job };
        let is_job = |job: &JobName| job.as_str() != "gone";
        let plan = plan(&tasks, &retention, is_job, now());
        let gone: BTreeSet<TaskId> = plan.remove.iter().copied().collect();
        let (left, removed): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| !gone.contains(&task.id));

        prop_assert_eq!(gone.len(), plan.remove.len(), "no task twice");
        prop_assert!(plan.remove.is_sorted(), "oldest first");
        prop_assert!(removed.iter().all(|task| task.phase.is_terminal()), "running never");

        for job in ["a", "b", "c"] {
            let of = |tasks: &[&TaskSummary], wanted: &[Phase]| -> Vec<TaskId> {
                let mine = |task: &&&TaskSummary| task.job.as_ref().is_some_and(|name| name.as_str() == job);
                tasks.iter().filter(mine).filter(|task| wanted.contains(&task.phase)).map(|task| task.id).collect()
            };
            let before: Vec<&TaskSummary> = tasks.iter().collect();
            for kind in [&[Phase::Succeeded][..], &[Phase::Failed, Phase::TimedOut, Phase::Lost]] {
                let last = |tasks| of(tasks, kind).first().copied();
                prop_assert_eq!(last(&before), last(&left), "last of its kind");
            }
            let newest = |tasks: &[&TaskSummary]| {
                of(tasks, &Phase::ALL).into_iter().take(keep_per_job as usize).collect::<Vec<_>>()
            };
            prop_assert_eq!(newest(&before), newest(&left), "the newest of each job");
        }

        let aged = |task: &TaskSummary| match (keep_for, task.finished) {
            (Some(keep_for), Some(finished)) => now().duration_since(finished) > keep_for,
            _ => false,
        };
        // Planning again what is left finds nothing: the plan went far enough.
        let rest: Vec<TaskSummary> = left.iter().map(|task| (*task).clone()).collect();
        let again = crate::retention::plan(&rest, &retention, is_job, now());
        prop_assert!(again.remove.is_empty(), "repeatable");
        // And no further: without age, only the excess, and none that is newer than an unprotected one left.
        let young = removed.iter().filter(|task| !aged(task)).count();
        prop_assert!(young == 0 || left.len() >= keep as usize, "no more than needed");
        let protected = |task: &TaskSummary| {
            let alone = Retention { keep: 0, ..retention };
            !crate::retention::plan(&tasks, &alone, is_job, now()).remove.contains(&task.id)
        };
        if let Some(newest_gone) = removed.iter().filter(|task| !aged(task)).map(|task| task.id).max() {
            prop_assert!(left.iter().all(|task| protected(task) || task.id > newest_gone), "oldest first");
        }
        if left.len() > keep as usize {
            prop_assert!(left.iter().all(|task| protected(task)), "exceeded by protected tasks alone");
        }
        if !is_due(tasks.len(), &retention) && keep_for.is_none() {
            prop_assert!(plan.remove.is_empty(), "the cheap question misses nothing");
        }
    }

    #[test]
    fn no_plan_of_logs_breaks_a_promise(
        all in prop::collection::vec((0_i64..20, 0_u64..100), 0..40),
        budget in 0_u64..2000,
    ) {
        let logs: Vec<_> = (1..).zip(all).map(|(id, (finished, log))| LoggedTask {
            app: "etl".parse().unwrap(),
            id: TaskId(id),
            name: format!("t-{id}").parse().unwrap(),
            finished: Timestamp::from_second(finished).unwrap(),
            log,
        }).collect();
        let gone = plan_logs(logs.clone(), budget);
        let left: Vec<_> = logs.iter().filter(|task| !gone.contains(task)).collect();
        let kept: u64 = left.iter().map(|task| task.log).sum();
        prop_assert!(kept <= budget);
        if let Some(last) = gone.last() {
            prop_assert!(kept + last.log > budget, "no more than needed");
            prop_assert!(left.iter().all(|task| task.log == 0 || task.finished >= last.finished));
        }
    }
}

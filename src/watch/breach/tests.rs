use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::app::LogsOnTerminate;
use crate::config::Config;
use crate::job::Job;
use crate::store::{SkipReason, SlotOutcome};
use crate::task::{LogSize, Overrides, RunIdentity, TaskName, Trigger};
use crate::watch::last_slot;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The job `etl.j` with these lines.
fn job(lines: &str) -> (JobRef, Job) {
    let app = format!("[app]\nname = \"etl\"\ncommand = \"true\"\n[[jobs]]\nname = \"j\"\n{lines}");
    let config = Config::from_toml("", &[&app]).unwrap();
    let (app, job) = config.jobs().next().unwrap();
    (JobRef::of(app, job), job.clone())
}

/// Task `id` of `etl.j` for the slot at `slot` of its first schedule.
pub(in crate::watch) fn task(
    job: &Job,
    id: u64,
    slot: Timestamp,
    phase: Phase,
    started: Option<Timestamp>,
) -> Task {
    let identity = RunIdentity::Request("x");
    let app = "etl".parse().unwrap();
    Task {
        name: TaskName::of("tekcron", "default", &app, Some(&job.name), identity, 1),
        app,
        id: TaskId(id),
        display_name: job.name.to_string(),
        job: Some(job.name.clone()),
        schedule: job.schedules.first().map(|schedule| schedule.key.clone()),
        scheduled: Some(slot),
        ordinal: 0,
        trigger: Trigger::Schedule,
        attempt: 1,
        first_attempt: None,
        request: None,
        overrides: Overrides::default(),
        revision: None,
        image: None,
        generation: String::new(),
        created: slot,
        not_before: None,
        started,
        finished: None,
        phase,
        terminating: None,
        logs_on_terminate: LogsOnTerminate::default(),
        reason: None,
        message: None,
        exit_code: None,
        log: LogSize::default(),
    }
}

fn watched(watch: &Watch, facts: &Facts, now: Timestamp) -> Vec<(BreachKind, Timestamp)> {
    let (name, job) = job("schedule = \"0 * * * *\"");
    let found = breaches(&name, &job.schedules, watch, facts, now);
    found.into_iter().map(|breach| (breach.kind, breach.since)).collect()
}

#[test]
fn a_slot_is_late_exactly_when_its_fate_says_that_nothing_came_of_it_and_no_success_made_up_for_it() {
    let watch = Watch { late_after: Some(MINUTE), ..Watch::default() };
    let (due, now) = (at("2026-01-01T02:00:00Z"), at("2026-01-01T02:30:00Z"));
    let fates = [
        (Fate::Settled, [false; 3]),
        (Fate::Undecided, [true; 3]),
        (Fate::Waiting { task: TaskId(1), phase: Phase::Pending }, [true; 3]),
        (Fate::NeverStarted { task: TaskId(1) }, [true, true, false]),
        (Fate::Skipped { reason: SkipReason::Deadline }, [true, true, false]),
        (Fate::Missed, [true, true, false]),
    ];
    let successes = [None, Some(due - MINUTE), Some(due + MINUTE)];
    for (fate, expected) in fates {
        for (last_success, expected) in successes.into_iter().zip(expected) {
            for (since, counts) in [(due - HOUR, true), (due, true), (due + MINUTE, false)] {
                let streak = Streak { last_success, ..Streak::default() };
                let facts = Facts {
                    since,
                    streak,
                    slots: vec![LastSlot { slot: due, due, fate }],
                    ..Facts::default()
                };
                let expected: &[_] =
                    if expected && counts { &[(BreachKind::Late, due + MINUTE)] } else { &[] };
                assert_eq!(watched(&watch, &facts, now), expected, "{fate:?} {last_success:?} {since}");
                assert_eq!(watched(&Watch::default(), &facts, now), [], "nobody watches");
            }
        }
    }
}

#[test]
fn the_fate_of_a_slot_follows_from_its_row_the_watermark_and_its_task() {
    let (_, job) = job("schedule = \"0 * * * *\"");
    let slot = at("2026-01-01T02:00:00Z");
    let ran = |task| Some(SlotOutcome::Ran { task: TaskId(task) });
    let skipped = |reason| Some(SlotOutcome::Skipped { reason });
    let of = |row, task: Option<&Task>| Fate::of(slot, Some(slot), row, task);
    assert_eq!(Fate::of(slot, None, None, None), Fate::Settled);
    assert_eq!(Fate::of(slot, Some(slot), None, None), Fate::Settled);
    assert_eq!(Fate::of(slot, Some(slot - MINUTE), None, None), Fate::Undecided);
    assert_eq!(of(Some(SlotOutcome::Missed), None), Fate::Missed);
    for reason in [SkipReason::Deadline, SkipReason::Unreachable] {
        assert_eq!(of(skipped(reason), None), Fate::Skipped { reason });
    }
    let wanted = [
        SkipReason::Overlap { task: TaskId(1) },
        SkipReason::CatchUp,
        SkipReason::Paused,
        SkipReason::Excluded,
    ];
    for reason in wanted {
        assert_eq!(of(skipped(reason), None), Fate::Settled);
    }
    assert_eq!(of(ran(7), None), Fate::Settled, "its task is on record no longer");
    for phase in Phase::ALL {
        let started = task(&job, 7, slot, phase, Some(slot));
        assert_eq!(of(ran(7), Some(&started)), Fate::Settled, "{phase}");
        let expected = match phase {
            Phase::Succeeded | Phase::Cancelled => Fate::Settled,
            Phase::Failed | Phase::TimedOut | Phase::Lost => Fate::NeverStarted { task: TaskId(7) },
            _ => Fate::Waiting { task: TaskId(7), phase },
        };
        let unstarted = task(&job, 7, slot, phase, None);
        assert_eq!(of(ran(7), Some(&unstarted)), expected, "{phase}");
        assert_eq!(of(Some(SlotOutcome::CaughtUp { task: TaskId(7) }), Some(&unstarted)), expected);
    }
}

#[test]
fn an_earlier_slot_that_still_waits_is_late_though_a_later_one_started() {
    let (_, job) = job("schedule = \"0 * * * *\"");
    let watch = Watch { late_after: Some(MINUTE), ..Watch::default() };
    let (slot, now) = (at("2026-01-01T02:00:00Z"), at("2026-01-01T03:30:00Z"));
    let waits = |phase, started, attempt| Facts {
        active: vec![Task { attempt, ..task(&job, 1, slot, phase, started) }],
        ..Facts::default()
    };
    let late = [(BreachKind::Late, slot + MINUTE)];
    for phase in [Phase::Queued, Phase::Pending, Phase::Submitted] {
        assert_eq!(watched(&watch, &waits(phase, None, 1), now), late, "{phase}");
        assert_eq!(watched(&watch, &waits(phase, None, 1), slot + MINUTE), late, "{phase}: to the second");
        assert_eq!(watched(&watch, &waits(phase, None, 1), slot + MINUTE - SignedDuration::from_secs(1)), []);
        assert_eq!(watched(&watch, &waits(phase, None, 2), now), [], "a retry is no slot");
    }
    assert_eq!(watched(&watch, &waits(Phase::Running, Some(slot), 1), now), []);
}

#[test]
fn time_without_success_counts_from_the_last_one_else_from_when_it_is_watched() {
    let watch = Watch { max_since_success: Some(HOUR), ..Watch::default() };
    let since = at("2026-01-01T00:00:00Z");
    for last_success in [None, Some(since + HOUR), Some(since - HOUR)] {
        let streak = Streak { last_success, ..Streak::default() };
        let facts = Facts { since, streak, ..Facts::default() };
        let limit = last_success.unwrap_or(since) + HOUR;
        assert_eq!(watched(&watch, &facts, limit - SignedDuration::from_millis(1)), []);
        assert_eq!(watched(&watch, &facts, limit), [(BreachKind::NoSuccess, limit)]);
        assert_eq!(watched(&watch, &facts, limit + HOUR), [(BreachKind::NoSuccess, limit)]);
    }
}

#[test]
fn the_task_that_runs_for_longest_is_the_one_that_is_told_of() {
    let (_, job) = job("schedule = \"0 * * * *\"");
    let watch = Watch { max_runtime: Some(HOUR), ..Watch::default() };
    let start = at("2026-01-01T00:00:00Z");
    let running = |id, started| task(&job, id, start, Phase::Running, Some(started));
    let facts = Facts { active: vec![running(1, start + MINUTE), running(2, start)], ..Facts::default() };
    assert_eq!(watched(&watch, &facts, start + HOUR - MINUTE), []);
    let (name, _) = super::tests::job("");
    let found = breaches(&name, &[], &watch, &facts, start + HOUR);
    assert_eq!(
        found.iter().map(|breach| (breach.kind, breach.since, breach.task)).collect::<Vec<_>>(),
        [(BreachKind::TooLong, start + HOUR, Some(TaskId(2)))]
    );
    let waits = Facts { active: vec![task(&job, 1, start, Phase::Submitted, None)], ..Facts::default() };
    assert_eq!(watched(&watch, &waits, start + HOUR * 9), []);
}

#[test]
fn the_last_slot_is_the_latest_that_was_due_long_enough_ago_its_jitter_included() {
    for lines in ["schedule = \"*/7 * * * *\"", "schedule = \"*/7 * * * *\"\njitter = \"6m\""] {
        let (name, job) = job(lines);
        let schedule = &job.schedules[0];
        let begin = at("2026-01-01T00:00:00Z");
        let mut slots = vec![schedule.recurrence.last_until(begin).unwrap()];
        while *slots.last().unwrap() < begin + HOUR * 3 {
            slots.push(schedule.recurrence.next_after(*slots.last().unwrap()).unwrap());
        }
        for second in 3600..10_000 {
            let now = begin + SignedDuration::from_secs(second);
            let due = |slot: Timestamp| slot + crate::schedule::jitter(schedule, &name, slot);
            let expected = slots.iter().rev().copied().find(|slot| due(*slot) + MINUTE <= now).unwrap();
            assert_eq!(last_slot(schedule, &name, MINUTE, now), Some((expected, due(expected))), "{now}");
        }
    }
}

/// Every second of two hours: what is broken changes only at a moment that was announced.
#[test]
fn nothing_is_broken_by_time_alone_before_the_next_look() {
    let lines = "late_after = \"2m\"\nmax_since_success = \"50m\"\nmax_runtime = \"40m\"\njitter = \"5m\"\n\
                 schedules = [{ cron = \"*/9 * * * *\" }, { cron = \"5 * * * *\" }]";
    let (name, job) = job(lines);
    let begin = at("2026-01-01T00:00:00Z");
    let active = vec![
        task(&job, 1, begin + MINUTE * 9, Phase::Pending, None),
        task(&job, 2, begin, Phase::Running, Some(begin + MINUTE * 3)),
    ];
    let mut changes = 0;
    for active in [active, vec![]] {
        changes += changes_within(SignedDuration::from_hours(2), begin, &name, &job, &active);
    }
    assert!(changes >= 10, "only {changes} changes were seen");
}

fn changes_within(
    span: SignedDuration,
    begin: Timestamp,
    name: &JobRef,
    job: &Job,
    active: &[Task],
) -> usize {
    let watch = job.terms.watch.as_deref().unwrap();
    let (mut announced, mut before, mut changes) = (Some(begin), None, 0);
    for second in 0..span.as_secs() {
        let now = begin + SignedDuration::from_secs(second);
        let slots = job.schedules.iter().filter_map(|schedule| {
            let (slot, due) = last_slot(schedule, name, watch.late_after?, now)?;
            Some(LastSlot { slot, due, fate: Fate::Undecided })
        });
        let facts =
            Facts { since: begin, slots: slots.collect(), active: active.to_vec(), ..Facts::default() };
        let found = breaches(name, &job.schedules, watch, &facts, now);
        if before.as_ref().is_some_and(|before| *before != found) {
            assert!(announced.is_some_and(|moment| moment <= now), "{now}: {found:?}");
            changes += 1;
        }
        if announced.is_some_and(|moment| moment <= now) {
            announced = next_look(name, &job.schedules, watch, &facts, now);
            assert!(announced.is_some_and(|moment| moment > now));
        }
        before = Some(found);
    }
    changes
}

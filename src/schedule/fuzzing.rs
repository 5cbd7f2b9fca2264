//! What holds for any expression, zone and instant.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    CatchUp, DstMode, Expression, Recurrence, Rules, Schedule, ScheduleKey, SlotRange, Zone, jitter, missed,
};
use crate::cli::next::{self, NextArgs, NextFormat};
use crate::clock::ManualClock;

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

/// See [`crate::fuzzing::expression`].
pub(crate) fn expression(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let mut lines = input.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (text, zone, seconds, job) = (line(), line(), line(), line());
    shown(text, zone, seconds, job);
    let expression = match Expression::for_job(text, job) {
        Ok(expression) => expression,
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{error:?}");
            assert!(!error.message().is_empty());
            return;
        }
    };
    let shown = expression.to_string();
    assert_eq!(shown, text.trim());
    assert_eq!(Expression::for_job(&shown, job).as_ref(), Ok(&expression));
    if let Some(resolved) = expression.resolved() {
        let read: Expression = resolved.parse().expect("what `H` stands for is an expression");
        assert!(read.resolved().is_none() && read.fields() == expression.fields(), "{resolved}");
    }
    if let Some(other) = expression.other_reading() {
        assert!(!shown[other.span].is_empty());
    }
    let zone = zone.parse().unwrap_or(Zone::UTC);
    let from = seconds.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    for dst in [DstMode::Vixie, DstMode::Skip, DstMode::Literal] {
        match Recurrence::new(expression.clone(), zone.clone(), dst) {
            Ok(recurrence) => slots(&recurrence, from.unwrap_or_default()),
            Err(never) => assert!(never.to_string().contains("never comes")),
        }
    }
}

/// As a person sees it: the slots, or what is wrong.
fn shown(expression: &str, zone: &str, from: &str, job: &str) {
    let args = NextArgs {
        expression: expression.to_owned(),
        timezone: zone.to_owned(),
        dst: "vixie".to_owned(),
        job: job.parse().ok(),
        from: Some(from.to_owned()),
        count: 3,
        output: NextFormat::Table,
    };
    let mut out = Vec::new();
    if let Err(error) = next::run(&args, &ManualClock::new(Timestamp::UNIX_EPOCH), &mut out) {
        assert!(!error.to_string().is_empty());
    }
}

/// Both searches give the same slots, in order, and what is made of slots lies within its bounds.
fn slots(recurrence: &Recurrence, from: Timestamp) {
    let after = |slot: &Timestamp| recurrence.next_after(*slot);
    let mut before = from;
    for slot in std::iter::successors(after(&from), after).take(4) {
        assert!(slot > before, "{slot} after {before}");
        assert_eq!(recurrence.last_until(slot), Some(slot));
        let just_before = slot - NANOSECOND;
        assert_eq!(recurrence.next_after(just_before), Some(slot));
        assert!(recurrence.last_until(just_before).is_none_or(|last| last <= before), "{before} to {slot}");
        before = slot;
    }
    if let Some(change) = recurrence.next_clock_change(from) {
        assert!(change.at > from && !change.to_string().is_empty());
    }
    policies(recurrence, from);
}

fn policies(recurrence: &Recurrence, from: Timestamp) {
    let schedule = Schedule {
        key: ScheduleKey::hashed(recurrence.expression().as_str(), "UTC", "vixie"),
        recurrence: recurrence.clone(),
        rules: Arc::new(Rules {
            catch_up: CatchUp::All,
            catch_up_window: Some(SignedDuration::MAX),
            max_catch_up: 3,
            jitter: SignedDuration::MAX,
            ..Rules::default()
        }),
        parameters: None,
    };
    let job = "app.job".parse().expect("this is a job");
    let next = recurrence.next_after(from);
    for at in [Some(from), next].into_iter().flatten() {
        let found = schedule.explain(at);
        assert_eq!(found.due, recurrence.last_until(found.at) == Some(found.at), "{found:?}");
        assert!(found.fields.is_empty() == found.instants.is_some(), "{found:?}");
    }
    let delay = jitter(&schedule, &job, from);
    assert!(next.is_none_or(|next| delay < next.duration_since(from)), "{delay}");
    let watermark = from.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let missed = missed(&schedule, watermark, from);
    assert!(missed.run.is_sorted() && missed.run.len() <= 3);
    assert!(missed.run.iter().all(|slot| *slot > watermark && *slot <= from));
    if let Some(SlotRange { first, last }) = missed.given_up {
        assert!(watermark < first && first <= last);
        assert!(missed.run.first().is_some_and(|slot| last < *slot));
    }
}

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::job::JobRef;
use crate::schedule::{Schedule, jitter};

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant that is no longer in it.
    pub to: Timestamp,
}

/// A schedule and its job.
#[derive(Debug, Clone)]
pub struct Entry<'c> {
    /// The job.
    pub job: JobRef,
    /// The schedule.
    pub schedule: &'c Schedule,
    /// The job's place among those that have a schedule.
    pub(super) of: u32,
}

/// All schedules of a configuration, in the order of Apps, jobs and files.
#[derive(Debug, Clone)]
pub struct Timetable<'c>(Vec<Entry<'c>>);

/// One slot of one schedule.
#[derive(Debug, Clone, Copy)]
pub struct Fire<'t> {
    /// Whose.
    pub entry: &'t Entry<'t>,
    /// The nominal instant.
    pub slot: Timestamp,
    /// When it starts: the slot, and its jitter.
    pub start: Timestamp,
}

impl Entry<'_> {
    /// The first slot after `after`, exclusive, that runs.
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next_after(after)
    }

    /// The slots in `span` that no calendar excludes.
    pub fn slots(&self, span: Span) -> impl Iterator<Item = Timestamp> {
        let first = self.next_after(before(span.from));
        std::iter::successors(first, |slot| self.next_after(*slot)).take_while(move |slot| *slot < span.to)
    }

    /// The fires in `span`.
    pub fn fires(&self, span: Span) -> impl Iterator<Item = Fire<'_>> {
        self.slots(span).map(|slot| self.fire(slot))
    }

    fn fire(&self, slot: Timestamp) -> Fire<'_> {
        Fire { entry: self, slot, start: slot + jitter(self.schedule, &self.job, slot) }
    }
}

impl<'c> Timetable<'c> {
    /// That of a configuration.
    pub fn of(config: &'c Config) -> Self {
        let scheduled = config.jobs().filter(|(_, job)| !job.schedules.is_empty());
        let entries = scheduled.zip(0..).flat_map(|((app, job), of)| {
            let name = JobRef::of(app, job);
            job.schedules.iter().map(move |schedule| Entry { job: name.clone(), schedule, of })
        });
        Self(entries.collect())
    }

    /// Each schedule.
    pub fn entries(&self) -> &[Entry<'c>] {
        &self.0
    }

    /// How many fires there are in `span`; none where there are more than `most`.
    pub fn count(&self, span: Span, most: usize) -> Option<usize> {
        let mut count = 0;
        for entry in &self.0 {
            count += entry.slots(span).take(most + 1 - count).count();
            if count > most {
                return None;
            }
        }
        Some(count)
    }

    /// The fires in `span`, by slot; those of one slot in the order of the schedules.
    pub fn fires(&self, span: Span) -> Fires<'_> {
        let first = |(place, entry): (u32, &Entry<'_>)| Some(Reverse((entry.slots(span).next()?, place)));
        Fires { entries: &self.0, span, next: (0..).zip(&self.0).filter_map(first).collect() }
    }
}

/// The fires of many schedules, by slot.
#[derive(Debug, Clone)]
pub struct Fires<'t> {
    entries: &'t [Entry<'t>],
    span: Span,
    /// The next slot of each schedule, the earliest on top.
    next: BinaryHeap<Reverse<(Timestamp, u32)>>,
}

impl<'t> Iterator for Fires<'t> {
    type Item = Fire<'t>;

    fn next(&mut self) -> Option<Fire<'t>> {
        let mut top = self.next.peek_mut()?;
        let Reverse((slot, place)) = *top;
        let entry = &self.entries[place as usize];
        match entry.next_after(slot).filter(|next| *next < self.span.to) {
            // Sinks to its new place when `top` is dropped.
            Some(next) => *top = Reverse((next, place)),
            None => drop(std::collections::binary_heap::PeekMut::pop(top)),
        }
        Some(entry.fire(slot))
    }
}

/// What lies right before an instant.
fn before(instant: Timestamp) -> Timestamp {
    instant.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const JOBS: &str = r#"
[app]
name = "etl"
command = "date"

[[jobs]]
name = "by-hand"

[[jobs]]
name = "hourly"
schedule = "0 * * * *"
jitter = "10m"

[[jobs]]
name = "nightly"
schedules = [{ cron = "0 2 * * *", timezone = "Europe/Paris" }, { cron = "30 1,13 * * *" }]
"#;

    fn span(from: &str, to: &str) -> Span {
        Span { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn fires_come_by_slot_and_each_slot_of_each_schedule_is_there_once() {
        let config = Config::from_toml("", &[JOBS]).unwrap();
        let table = Timetable::of(&config);
        let span = span("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z");
        let merged: Vec<_> = table.fires(span).map(|fire| (fire.slot, fire.entry.job.to_string())).collect();
        assert!(merged.is_sorted(), "{merged:?}");
        let mut apart: Vec<_> = table
            .entries()
            .iter()
            .flat_map(|entry| entry.fires(span).map(|fire| (fire.slot, fire.entry.job.to_string())))
            .collect();
        apart.sort();
        assert_eq!(merged, apart);
        assert_eq!((merged.len(), table.count(span, 54)), (54, Some(54)));
        assert_eq!(table.count(span, 53), None);
    }

    #[test]
    fn a_span_holds_its_first_instant_and_not_its_last() {
        let config = Config::from_toml("", &[JOBS]).unwrap();
        let hourly = &Timetable::of(&config).0[0];
        for (from, to, expected) in [
            ("2026-03-28T00:00:00Z", "2026-03-28T02:00:00Z", 2),
            ("2026-03-28T00:00:00.5Z", "2026-03-28T02:00:00.5Z", 2),
            ("2026-03-28T00:00:01Z", "2026-03-28T01:00:00Z", 0),
            ("1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00.5Z", 1),
        ] {
            assert_eq!(hourly.slots(span(from, to)).count(), expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_fire_starts_when_the_dispatcher_would_start_it() {
        let config = Config::from_toml("", &[JOBS]).unwrap();
        let table = Timetable::of(&config);
        let mut late = 0;
        for fire in table.fires(span("2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z")) {
            let expected = jitter(fire.entry.schedule, &fire.entry.job, fire.slot);
            assert_eq!(fire.start.duration_since(fire.slot), expected);
            late += usize::from(!expected.is_zero());
        }
        assert!(late > 20, "{late}");
    }
}

use std::cmp::Ordering;

use jiff::Timestamp;

use super::{Entry, Span, Timetable};
use crate::job::JobRef;

/// What an edit does to the fires of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The job.
    pub job: JobRef,
    /// Each fire that differs, by time.
    pub changes: Vec<Change>,
}

/// What an edit does to a fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Appears(Instants),
    /// It is there no more.
    Vanishes(Instants),
    /// It has another slot, or starts at another time after the same one.
    Moves {
        /// Where it was.
        old: Instants,
        /// Where it is.
        new: Instants,
    },
}

/// When something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instants {
    /// The nominal instant.
    pub slot: Timestamp,
    /// The slot, and its jitter.
    pub start: Timestamp,
}

/// The jobs whose fires in `span` differ, in the order of their names.
///
/// A fire that vanishes and one of the same job that appears are one that moved where each is the nearest to
/// the other.
pub fn differences(old: &Timetable<'_>, new: &Timetable<'_>, span: Span) -> impl Iterator<Item = Difference> {
    let mut old = old.entries().chunk_by(|a, b| a.of == b.of).peekable();
    let mut new = new.entries().chunk_by(|a, b| a.of == b.of).peekable();
    let pairs = std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old[0].job.cmp(&new[0].job),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let none: &[Entry<'_>] = &[];
        Some(match order {
            Ordering::Less => (old.next()?, none),
            Ordering::Greater => (none, new.next()?),
            Ordering::Equal => (old.next()?, new.next()?),
        })
    });
    pairs.filter_map(move |(old, new)| {
        let changes = changes(fires(old, span), fires(new, span));
        let job = &old.first().or(new.first())?.job;
        (!changes.is_empty()).then(|| Difference { job: job.clone(), changes })
    })
}

fn fires(entries: &[Entry<'_>], span: Span) -> Vec<Instants> {
    let fires = entries.iter().flat_map(|entry| entry.fires(span));
    let mut fires: Vec<_> = fires.map(|fire| Instants { slot: fire.slot, start: fire.start }).collect();
    fires.sort_unstable();
    fires
}

fn changes(old: Vec<Instants>, new: Vec<Instants>) -> Vec<Change> {
    let (mut changes, mut gone, mut come) = (Vec::new(), Vec::new(), Vec::new());
    let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.slot.cmp(&new.slot),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match order {
            Ordering::Less => gone.extend(old.next()),
            Ordering::Greater => come.extend(new.next()),
            Ordering::Equal => {
                let same = old.next().zip(new.next()).filter(|(old, new)| old != new);
                changes.extend(same.map(|(old, new)| Change::Moves { old, new }));
            }
        }
    }
    let mut moved = vec![false; come.len()];
    for (place, old) in gone.iter().enumerate() {
        let near = nearest(&come, *old).filter(|near| nearest(&gone, come[*near]) == Some(place));
        changes.push(match near {
            Some(near) => {
                moved[near] = true;
                Change::Moves { old: *old, new: come[near] }
            }
            None => Change::Vanishes(*old),
        });
    }
    let appeared = come.iter().zip(moved).filter(|(_, moved)| !moved);
    changes.extend(appeared.map(|(new, _)| Change::Appears(*new)));
    changes.sort_by_key(|change| match change {
        Change::Appears(at) | Change::Vanishes(at) => *at,
        Change::Moves { old, new } => *old.min(new),
    });
    changes
}

/// The place of the fire whose slot is nearest; of two alike the earlier.
fn nearest(fires: &[Instants], to: Instants) -> Option<usize> {
    let after = fires.partition_point(|fire| fire.slot < to.slot);
    let distance = |place: &usize| fires[*place].slot.duration_since(to.slot).abs();
    let before = after.checked_sub(1).map(|last| fires.partition_point(|fire| fire.slot < fires[last].slot));
    before.into_iter().chain((after < fires.len()).then_some(after)).min_by_key(distance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// What an edit does on a day in March: `-` what vanishes, `+` what appears, `>` what moves.
    fn told(old: &str, new: &str) -> Vec<String> {
        let config = |jobs: &str| {
            Config::from_toml("", &[&format!("[app]\nname = \"etl\"\ncommand = \"date\"\n{jobs}")]).unwrap()
        };
        let (old, new) = (config(old), config(new));
        let from: Timestamp = "2026-03-10T00:00:00Z".parse().unwrap();
        let span = Span { from, to: from + jiff::SignedDuration::from_hours(24) };
        let shown = |at: &Instants| at.slot.strftime("%H:%M").to_string();
        let told = |change: &Change| match change {
            Change::Appears(at) => format!("+{}", shown(at)),
            Change::Vanishes(at) => format!("-{}", shown(at)),
            Change::Moves { old, new } if old.slot == new.slot => format!("~{}", shown(old)),
            Change::Moves { old, new } => format!("{}>{}", shown(old), shown(new)),
        };
        differences(&Timetable::of(&old), &Timetable::of(&new), span)
            .flat_map(|found| {
                found
                    .changes
                    .iter()
                    .map(told)
                    .map(move |told| format!("{} {told}", found.job.job))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn job(name: &str, keys: &str) -> String {
        format!("[[jobs]]\nname = \"{name}\"\n{keys}\n")
    }

    #[test]
    fn what_appears_vanishes_and_moves_is_told_of_each_job() {
        let at = |cron: &str| format!("schedule = \"{cron}\"");
        for (old, new, expected) in [
            (at("0 2 * * *"), at("0 2 * * *"), &[][..]),
            (at("0 2 * * *"), at("30 3 * * *"), &["j 02:00>03:30"]),
            (at("0 2 * * *"), at("0 2,14 * * *"), &["j +14:00"]),
            (at("0 2,14 * * *"), at("0 14 * * *"), &["j -02:00"]),
            (at("0 2,14 * * *"), at("0 3 * * *"), &["j 02:00>03:00", "j -14:00"]),
            (at("0 6 * * *"), at("0 5,7 * * *"), &["j 06:00>05:00", "j +07:00"]),
            (at("0 6 * * *"), String::new(), &["j -06:00"]),
            // The same instants in other words, and under another key.
            (at("0 6 * * *"), "schedules = [{ cron = \"0 6 * * *\", id = \"x\" }]".to_owned(), &[]),
            (at("0 6 * * *"), at("0 7 * * *") + "\ntimezone = \"Europe/Paris\"", &[]),
            (at("0 6 * * *"), at("0 6 * * *") + "\njitter = \"1h\"", &["j ~06:00"]),
            (
                at("0 6 * * *"),
                "schedules = [{ cron = \"0 6 * * *\" }, { cron = \"0 0 6 * * *\" }]".to_owned(),
                &["j +06:00"],
            ),
        ] {
            assert_eq!(told(&job("j", &old), &job("j", &new)), expected, "{old} to {new}");
        }
    }

    #[test]
    fn a_job_that_is_new_or_gone_has_all_its_fires_told() {
        let (a, b, c) = ("schedule = \"0 1 * * *\"", "schedule = \"0 2 * * *\"", "schedule = \"0 3 * * *\"");
        let old = [job("a", a), job("b", b)].concat();
        let new = [job("b", b), job("c", c)].concat();
        assert_eq!(told(&old, &new), ["a -01:00", "c +03:00"]);
        assert_eq!(told(&new, &old), ["a +01:00", "c -03:00"]);
    }
}

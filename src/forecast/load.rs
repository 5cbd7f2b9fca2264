use std::collections::HashMap;

use jiff::Timestamp;

use super::{Fire, Timetable};
use crate::job::JobRef;

/// The minutes that are told by name.
const BUSIEST: usize = 5;

/// What starts in each minute. Takes eight bytes a fire.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Minutes since the epoch, each with the job that starts.
    starts: Vec<(u32, u32)>,
}

/// One minute in which something starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// Its first instant.
    pub at: Timestamp,
    /// How much starts in it.
    pub starts: usize,
}

/// Jobs that start in the same minute, and how often they do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// The jobs, two or more.
    pub jobs: Vec<JobRef>,
    /// In how many minutes.
    pub minutes: usize,
    /// The first of these.
    pub first: Timestamp,
}

/// The whole load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The fires.
    pub fires: usize,
    /// The jobs that have one.
    pub jobs: usize,
    /// Each minute in which something starts, in order.
    pub minutes: Vec<Minute>,
    /// The minutes in which most starts, the busiest first.
    pub busiest: Vec<Minute>,
    /// Jobs that meet, the most frequent first.
    pub together: Vec<Together>,
    /// Jobs of one App that meet, the most frequent first.
    pub of_one_app: Vec<Together>,
}

impl Load {
    /// Counts a fire in the minute in which it starts.
    pub fn add(&mut self, fire: &Fire<'_>) {
        // Slots lie in the years 1970 to 2100.
        let minute = fire.start.as_second().div_euclid(60);
        self.starts.push((u32::try_from(minute).unwrap_or_default(), fire.entry.of));
    }

    /// What was counted, of fires of `timetable`.
    pub fn summary(mut self, timetable: &Timetable<'_>) -> Summary {
        self.starts.sort_unstable();
        let fires = self.starts.len();
        let mut minutes = Vec::new();
        let (mut together, mut of_one_app) = (Meetings::default(), Meetings::default());
        let jobs = jobs(timetable);
        let app = |job: &u32| &jobs[*job as usize].app;
        for starts in self.starts.chunk_by(|a, b| a.0 == b.0) {
            let at = minute(starts[0].0);
            minutes.push(Minute { at, starts: starts.len() });
            let mut meeting: Vec<u32> = starts.iter().map(|(_, job)| *job).collect();
            meeting.dedup();
            // The jobs of an App stand beside each other.
            meeting.chunk_by(|a, b| app(a) == app(b)).for_each(|of_app| of_one_app.add(of_app, at));
            together.add(&meeting, at);
        }
        let mut starting: Vec<u32> = self.starts.iter().map(|(_, job)| *job).collect();
        starting.sort_unstable();
        starting.dedup();
        let mut busiest = minutes.clone();
        busiest.sort_by_key(|minute| std::cmp::Reverse(minute.starts));
        busiest.truncate(BUSIEST);
        Summary {
            fires,
            jobs: starting.len(),
            minutes,
            busiest,
            together: together.named(&jobs),
            of_one_app: of_one_app.named(&jobs),
        }
    }
}

fn minute(since_epoch: u32) -> Timestamp {
    Timestamp::from_second(i64::from(since_epoch) * 60).expect("it came from a timestamp")
}

/// Each job once, at its place.
fn jobs(timetable: &Timetable<'_>) -> Vec<JobRef> {
    let of_jobs = timetable.entries().chunk_by(|a, b| a.of == b.of);
    of_jobs.map(|of_job| of_job[0].job.clone()).collect()
}

/// Who meets, how often, and when first.
#[derive(Default)]
struct Meetings(HashMap<Box<[u32]>, (usize, Timestamp)>);

impl Meetings {
    fn add(&mut self, jobs: &[u32], at: Timestamp) {
        if jobs.len() < 2 {
            return;
        }
        match self.0.get_mut(jobs) {
            Some((minutes, _)) => *minutes += 1,
            None => drop(self.0.insert(jobs.into(), (1, at))),
        }
    }

    fn named(self, names: &[JobRef]) -> Vec<Together> {
        let named = |(jobs, (minutes, first)): (Box<[u32]>, _)| Together {
            jobs: jobs.iter().map(|job| names[*job as usize].clone()).collect(),
            minutes,
            first,
        };
        let mut together: Vec<_> = self.0.into_iter().map(named).collect();
        let order = |a: &Together, b: &Together| {
            b.minutes.cmp(&a.minutes).then(a.first.cmp(&b.first)).then_with(|| a.jobs.cmp(&b.jobs))
        };
        together.sort_unstable_by(order);
        together
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::forecast::Span;

    fn app(name: &str, jobs: &[(&str, &str)]) -> String {
        let mut text = format!("[app]\nname = \"{name}\"\ncommand = \"date\"\n");
        for (job, schedule) in jobs {
            text += &format!("[[jobs]]\nname = \"{job}\"\n{schedule}\n");
        }
        text
    }

    fn summary(apps: &[&str]) -> Summary {
        let config = Config::from_toml("", apps).unwrap();
        let table = Timetable::of(&config);
        let from: Timestamp = "2026-03-28T00:00:00Z".parse().unwrap();
        let mut load = Load::default();
        let span = Span { from, to: from + jiff::SignedDuration::from_hours(24) };
        table.fires(span).for_each(|fire| load.add(&fire));
        load.summary(&table)
    }

    fn names(together: &[Together]) -> Vec<(Vec<String>, usize, String)> {
        let shown = |one: &Together| {
            (one.jobs.iter().map(ToString::to_string).collect(), one.minutes, one.first.to_string())
        };
        together.iter().map(shown).collect()
    }

    #[test]
    fn jobs_that_start_in_one_minute_meet_whatever_their_second() {
        let etl = app("etl", &[("a", "schedule = \"0 * * * *\""), ("b", "schedule = \"30 0 6,18 * * *\"")]);
        let mail = app("mail", &[("c", "schedule = \"0 6 * * *\""), ("d", "schedule = \"1 6 * * *\"")]);
        let found = summary(&[&etl, &mail]);
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            names(&found.together),
            [
                (text(&["etl.a", "etl.b", "mail.c"]), 1, "2026-03-28T06:00:00Z".to_owned()),
                (text(&["etl.a", "etl.b"]), 1, "2026-03-28T18:00:00Z".to_owned()),
            ]
        );
        assert_eq!(
            names(&found.of_one_app),
            [(text(&["etl.a", "etl.b"]), 2, "2026-03-28T06:00:00Z".to_owned())]
        );
        assert_eq!((found.fires, found.jobs, found.minutes.len()), (28, 4, 25));
        assert_eq!(
            (found.busiest[0].starts, found.busiest[0].at.to_string().as_str()),
            (3, "2026-03-28T06:00:00Z")
        );
    }

    #[test]
    fn two_schedules_of_one_job_are_load_but_no_meeting() {
        let twice = "schedules = [{ cron = \"0 6 * * *\" }, { cron = \"30 0 6 * * *\" }]";
        let found = summary(&[&app("etl", &[("a", twice)])]);
        assert_eq!((found.busiest[0].starts, found.together.len(), found.jobs), (2, 0, 1));
    }

    #[test]
    fn what_starts_by_jitter_counts_where_it_starts() {
        let spread = "schedule = \"0 6 * * *\"\njitter = \"1h\"";
        let jobs: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| (name, spread)).to_vec();
        let found = summary(&[&app("etl", &jobs)]);
        assert_eq!(found.fires, 5);
        assert!(found.minutes.len() > 2, "{found:?}");
    }
}

//! Slots that calendars exclude, beside a look at each slot.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tekcron::config::Config;
use tekcron::schedule::Schedule;

use crate::sample::at;

const CALENDARS: &str = r#"
[calendars.weekend]
cron = ["* * * * SAT,SUN"]
[calendars.nights]
cron = ["* 22-5 * * *", "0-29 6 * * *"]
[calendars.days]
dates = ["2026-03-29", "2026-07-14", "2026-12-24..2027-01-01"]
"#;

fn schedule(cron: &str, zone: &str, exclude: &str) -> Schedule {
    let app = format!(
        "[app]\nname = \"a\"\ncommand = \"true\"\n[[jobs]]\nname = \"j\"\nschedule = \"{cron}\"\ntimezone = \"{zone}\"\nexclude = [{exclude}]\n"
    );
    let config = Config::from_toml(CALENDARS, &[&app]).unwrap();
    let (_, job) = config.jobs().next().unwrap();
    (*job.schedules[0]).clone()
}

/// What the calendars say, looked at one slot at a time.
fn is_excluded(slot: Timestamp, zone: &str, exclude: &str) -> bool {
    let shown = TimeZone::get(zone).unwrap().to_datetime(slot);
    let date = shown.date();
    let day = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    let night = shown.hour() >= 22 || shown.hour() <= 5 || (shown.hour() == 6 && shown.minute() < 30);
    let listed = date == day("2026-03-29")
        || date == day("2026-07-14")
        || (day("2026-12-24")..=day("2027-01-01")).contains(&date);
    (exclude.contains("weekend") && weekend)
        || (exclude.contains("nights") && night)
        || (exclude.contains("days") && listed)
}

#[test]
fn what_runs_and_what_does_not_is_what_each_slot_says() {
    let (from, until) = (at("2025-12-20T00:00:00Z"), at("2027-01-20T00:00:00Z"));
    for cron in ["0 */3 * * *", "*/37 * * * *", "30 2 * * *", "@every 5h"] {
        for zone in ["UTC", "Europe/Paris", "Australia/Lord_Howe", "Pacific/Apia"] {
            for exclude in ["\"weekend\"", "\"nights\", \"days\"", "\"weekend\", \"nights\", \"days\""] {
                // All of its slots are at night.
                if cron.starts_with("30 2") && exclude.contains("nights") {
                    continue;
                }
                let schedule = schedule(cron, zone, exclude);
                let all = crate::sample::forward(&schedule.recurrence, from, until);
                let expected: Vec<_> =
                    all.iter().copied().filter(|slot| !is_excluded(*slot, zone, exclude)).collect();
                let next = |slot: &Timestamp| schedule.next_after(*slot);
                let forward = std::iter::successors(next(&from), next).take_while(|slot| *slot <= until);
                assert_eq!(forward.collect::<Vec<_>>(), expected, "{cron} {zone} {exclude}");
                let before = |slot: &Timestamp| schedule.last_until(*slot - SignedDuration::from_secs(1));
                let backward = std::iter::successors(schedule.last_until(until), before);
                let mut backward: Vec<_> = backward.take_while(|slot| *slot > from).collect();
                backward.reverse();
                assert_eq!(backward, expected, "{cron} {zone} {exclude}");
                ranges(&schedule, &all, zone, exclude);
            }
        }
    }
}

/// Neighbours that one calendar excludes are one range, up to the last slot that it does.
fn ranges(schedule: &Schedule, all: &[Timestamp], zone: &str, exclude: &str) {
    let until = *all.last().unwrap();
    let mut rest = all;
    while let [first, ..] = rest {
        let calendar = exclude.split(", ").find(|calendar| is_excluded(*first, zone, calendar));
        let count = match calendar {
            Some(calendar) => rest.iter().take_while(|slot| is_excluded(**slot, zone, calendar)).count(),
            None => rest.iter().take_while(|slot| !is_excluded(**slot, zone, exclude)).count(),
        };
        let found = schedule.excluded_from(*first, until);
        let found = found.map(|(by, range)| (format!("{:?}", by.name()), range.first, range.last));
        let expected = calendar.map(|calendar| (calendar.to_owned(), *first, rest[count - 1]));
        assert_eq!(found, expected, "{first} {zone} {exclude}");
        rest = &rest[count..];
    }
}

#[test]
fn a_year_of_seconds_that_is_excluded_is_one_range_at_once() {
    let schedule = schedule("* * * * * *", "Europe/Paris", "\"days\"");
    let found = schedule.excluded_from(at("2026-12-23T23:00:00Z"), at("2026-12-31T00:00:00Z"));
    let (_, range) = found.unwrap();
    assert_eq!((range.first, range.last), (at("2026-12-23T23:00:00Z"), at("2026-12-31T00:00:00Z")));
    assert_eq!(schedule.next_after(at("2026-12-24T12:00:00Z")), Some(at("2027-01-01T23:00:00Z")));
}

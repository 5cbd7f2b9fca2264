//! `from`, `until`, calendars and what a schedule says of its own runs.

use jiff::Timestamp;
use tekcron::app::Command;
use tekcron::config::Config;
use tekcron::schedule::Schedule;

use crate::harness::{PLAIN, Place};
use crate::problems::{said, settings};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn app(schedules: &str) -> String {
    format!("{PLAIN}[[jobs]]\nname = \"j\"\n{schedules}\n")
}

/// The first schedule of the only job.
fn schedule(config: &Config) -> &Schedule {
    &config.jobs().next().unwrap().1.schedules[0]
}

fn slots(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
    let next = |slot: &Timestamp| schedule.next_after(*slot);
    std::iter::successors(next(&at(from)), next).take(count).map(|slot| slot.to_string()).collect()
}

fn with_calendar(calendar: &str, schedules: &str) -> Place {
    let settings = format!("[calendars.off]\n{calendar}\n");
    Place::with(&[("tekcron.toml", &settings), ("apps/plain.toml", &app(schedules))])
}

#[test]
fn bounds_are_on_the_clocks_of_the_zone_and_included() {
    let keys = "schedule = \"0 0 * * *\"\ntimezone = \"Europe/Paris\"\n";
    for (bounds, first, count) in [
        ("from = \"2027-01-10\"\nuntil = \"2027-01-12\"", "2027-01-09T23:00:00Z", 3),
        ("from = \"2027-01-10T00:01\"\nuntil = \"2027-01-12T00:00\"", "2027-01-10T23:00:00Z", 2),
        ("from = \"2027-01-09T23:00:00Z\"\nuntil = \"2027-01-11T23:00:00Z\"", "2027-01-09T23:00:00Z", 3),
        (
            "from = \"2027-01-10T00:00:00+01:00\"\nuntil = \"2027-01-10T22:59:59.9Z\"",
            "2027-01-09T23:00:00Z",
            1,
        ),
    ] {
        let config = Place::with_app(&app(&format!("{keys}{bounds}"))).load();
        let schedule = schedule(&config);
        let found = slots(schedule, "2020-01-01T00:00:00Z", 10);
        assert_eq!((found[0].as_str(), found.len()), (first, count), "{bounds}");
        let last = schedule.recurrence.last_until(at("2100-01-01T00:00:00Z")).unwrap();
        assert_eq!(&last.to_string(), found.last().unwrap(), "{bounds}");
        assert_eq!(schedule.recurrence.last_until(at(first) - jiff::SignedDuration::from_nanos(1)), None);
        assert_ne!(schedule.recurrence.fingerprint(), schedule.recurrence.key());
    }
}

#[test]
fn bounds_that_leave_no_slot_are_refused() {
    let one = |keys: &str| said(&Place::with_app(&app(&format!("schedule = \"0 2 * * *\"\n{keys}"))));
    let time = "as in `2026-12-01T02:00:00Z`, or on the clocks of the time zone as in `2026-12-01T02:00` or `2026-12-01`";
    for (keys, expected) in [
        ("from = \"soon\"", format!("jobs[0].from <\"soon\"> expected a time, found `soon` | {time}")),
        ("until = \"2026-13-01\"", format!("jobs[0].until <\"2026-13-01\"> expected a time, found `2026-13-01` | {time}")),
        (
            "from = \"2027-01-02\"\nuntil = \"2027-01-01T12:00\"",
            format!(
                "jobs[0].until <\"2027-01-01T12:00\"> expected a time after `from`, which is 2027-01-02T00:00:00Z, found 2027-01-01T12:00:00Z | {time}"
            ),
        ),
        (
            "from = \"2027-01-02T03:00\"\nuntil = \"2027-01-02T04:00\"",
            "jobs[0].schedule <\"0 2 * * *\"> expected a slot between `from` and `until`, found none | the first one after `from` is 2027-01-03T02:00:00Z"
                .to_owned(),
        ),
    ] {
        assert_eq!(one(keys), expected);
    }
}

#[test]
fn a_schedule_whose_last_slot_has_passed_is_warned_of() {
    let schedules = "schedules = [{ cron = \"@at 2026-01-01T02:00:00Z\" }, { cron = \"0 2 * * *\", until = \"2026-03-01\" }, { cron = \"@at 2030-01-01T02:00:00Z\" }]";
    let (_, screen) = Place::with_app(&app(schedules)).screen(None);
    assert_eq!(screen.matches("has passed: it is not due again").count(), 2, "{screen}");
    assert!(screen.contains("2026-03-01T02:00:00Z") && screen.contains("2026-01-01T02:00:00Z"), "{screen}");
    assert!(screen.contains("no problems"), "{screen}");
}

#[test]
fn a_schedule_has_parameters_of_its_own() {
    let text = app(
        "command = \"all\"\nschedules = [{ cron = \"@daily\", command = [\"one\", \"two\"], env = { MODE = \"full\" } }, { cron = \"@hourly\" }]",
    );
    let config = Place::with_app(&text).load();
    let (_, job) = config.jobs().next().unwrap();
    let [daily, hourly] = &job.schedules[..] else { panic!("{job:?}") };
    let parameters = job.parameters(Some(&daily.key)).unwrap();
    assert_eq!(parameters.command, Some(Command::Exec(vec!["one".to_owned(), "two".to_owned()])));
    assert_eq!(parameters.env, [("MODE".to_owned(), "full".to_owned())].into());
    assert_eq!((job.parameters(Some(&hourly.key)), job.parameters(None)), (None, None));
}

#[test]
fn dates_ranges_and_minutes_are_excluded_on_the_clocks_of_the_schedule() {
    let calendar = "dates = [\"2026-12-25\", \"2026-12-31..2027-01-01\"]\ncron = [\"* * * * SAT,SUN\"]";
    let place =
        with_calendar(calendar, "schedule = \"0 0 * * *\"\ntimezone = \"Asia/Tokyo\"\nexclude = [\"off\"]");
    let config = place.load();
    let schedule = schedule(&config);
    // Thursday, 24 December, in Tokyo; then Monday, 28; after New Year, a Friday, comes Monday, 4 January.
    assert_eq!(
        slots(schedule, "2026-12-23T14:59:59Z", 5),
        [
            "2026-12-23T15:00:00Z",
            "2026-12-27T15:00:00Z",
            "2026-12-28T15:00:00Z",
            "2026-12-29T15:00:00Z",
            "2027-01-03T15:00:00Z"
        ]
    );
    assert_eq!(schedule.last_until(at("2027-01-03T00:00:00Z")), Some(at("2026-12-29T15:00:00Z")));
    assert_eq!(schedule.excluded_by(at("2026-12-24T15:00:00Z")).unwrap().name(), "off");
}

/// An iCalendar file of these lines, an event each.
fn ics(events: &[&str]) -> String {
    let events: String =
        events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n")).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

fn with_ics(text: &str, schedules: &str) -> Place {
    let place = with_calendar("ics = \"holidays.ics\"", schedules);
    place.write("holidays.ics", text);
    place
}

#[test]
fn events_of_a_file_are_excluded_each_on_its_own_clock() {
    let text = ics(&[
        // A day, wherever it is.
        "SUMMARY:Labour Day\r\nDTSTART;VALUE=DATE:20270501",
        // Three days, by its end, folded as long lines are.
        "SUMMARY:A long name that is\r\n  folded\r\nDTSTART;VALUE=DATE:20270504\r\nDTEND;VALUE=DATE:20270507\r\nTRANSP:TRANSPARENT",
        // Each 10th until the summer, but one.
        "UID:a\r\nDTSTART;VALUE=DATE:20270110\r\nRRULE:FREQ=MONTHLY;UNTIL=20270710\r\nEXDATE;VALUE=DATE:20270610",
        // One of which is moved by two days.
        "UID:a\r\nRECURRENCE-ID;VALUE=DATE:20270510\r\nDTSTART;VALUE=DATE:20270512",
        // From 09:00 to 18:00 in New York, which is after midnight's slot in Paris on the same day.
        "DTSTART;TZID=America/New_York:20270514T090000\r\nDTEND;TZID=America/New_York:20270514T200000",
        "DTSTART:20270516T220000Z\r\nDURATION:PT1H",
        "DTSTART;VALUE=DATE:20270520\r\nSTATUS:CANCELLED",
    ]);
    let place = with_ics(&text, "schedule = \"0 0 * 5 *\"\ntimezone = \"Europe/Paris\"\nexclude = [\"off\"]");
    let config = place.load();
    let found = slots(schedule(&config), "2027-04-01T00:00:00Z", 31);
    let days: Vec<i8> = found
        .iter()
        .map(|slot| at(slot).in_tz("Europe/Paris").unwrap().date())
        .take_while(|date| date.year() == 2027)
        .map(|date| date.day())
        .collect();
    let excluded: Vec<i8> = (1..=31).filter(|day| !days.contains(day)).collect();
    // 20:00 in New York is 02:00 of the next day in Paris.
    assert_eq!(excluded, [1, 4, 5, 6, 12, 15, 17]);
}

#[test]
fn an_event_over_a_change_of_the_clocks_ends_when_its_clock_says() {
    let text = ics(&[
        // A day of 25 hours, and one of 23.
        "DTSTART;TZID=Europe/Paris:20271030T220000\r\nDTEND;TZID=Europe/Paris:20271031T220000",
        "DTSTART;TZID=Europe/Paris:20280325T220000\r\nDTEND;TZID=Europe/Paris:20280326T220000",
    ]);
    let keys = "schedule = \"30 21,22 30,31,25,26 3,10 *\"\ntimezone = \"Europe/Paris\"\nexclude = [\"off\"]";
    let config = with_ics(&text, keys).load();
    let local = |from: &str, count: usize| -> Vec<String> {
        let found = slots(schedule(&config), from, count);
        let shown = found.iter().map(|slot| at(slot).in_tz("Europe/Paris").unwrap());
        shown.map(|slot| slot.strftime("%d %H:%M").to_string()).collect()
    };
    assert_eq!(local("2027-10-30T00:00:00Z", 2), ["30 21:30", "31 22:30"]);
    assert_eq!(local("2028-03-25T00:00:00Z", 2), ["25 21:30", "26 22:30"]);
}

#[test]
fn a_calendar_that_is_wrong_is_refused_with_its_place() {
    let dates = "as in `2026-12-25`, or from one to another, both excluded, `2026-12-24..2027-01-01`";
    let holds =
        "as in `dates = [\"2026-12-25\"]`, `cron = [\"* * * * SAT,SUN\"]` or `ics = \"holidays.ics\"`";
    for (keys, expected) in [
        ("dates = [\"2026-02-30\"]", format!("calendars.off.dates[0] <\"2026-02-30\"> expected a date, found `2026-02-30` | {dates}")),
        (
            "dates = [\"2026-12-25..2026-12-24\"]",
            format!("calendars.off.dates[0] <\"2026-12-25..2026-12-24\"> expected the last day at or after the first, found `2026-12-25..2026-12-24` | {dates}"),
        ),
        (
            "cron = [\"* * * * SAN\"]",
            "calendars.off.cron[0] <SAN> day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `SAN` | `SUN`".to_owned(),
        ),
        (
            "cron = [\"H 0 * * *\"]",
            "calendars.off.cron[0] <\"H 0 * * *\"> expected five fields that mean the same for each job, found `H 0 * * *` | as in `* * * * SAT,SUN`".to_owned(),
        ),
        (
            "cron = [\"0 * * * * *\"]",
            "calendars.off.cron[0] <\"0 * * * * *\"> expected five fields that mean the same for each job, found `0 * * * * *` | as in `* * * * SAT,SUN`".to_owned(),
        ),
        (
            "ics = \"holidays.ics\"",
            "calendars.off.ics <\"holidays.ics\"> expected an `.ics` file of the config directory, found `holidays.ics` | it lies in the config directory, beside `tekcron.toml`, and ends in `.ics`".to_owned(),
        ),
        ("", format!("calendars.off <[calendars.off]> expected one of `dates`, `cron`, `ics`, found none | {holds}")),
    ] {
        assert_eq!(settings(&format!("[calendars.off]\n{keys}\n")), expected);
    }
}

#[test]
fn an_unknown_calendar_and_one_that_leaves_no_slot_are_refused() {
    let named = |name: &str| {
        said(&with_calendar(
            "cron = [\"* * * * SAT,SUN\"]",
            &format!("schedule = \"0 2 * * SAT\"\nexclude = [\"{name}\"]"),
        ))
    };
    assert_eq!(
        named("offf"),
        "jobs[0].exclude[0] <\"offf\"> expected a declared calendar, found `offf` | did you mean `off`?"
    );
    assert_eq!(
        named("holidays"),
        "jobs[0].exclude[0] <\"holidays\"> expected a declared calendar, found `holidays` | calendars are declared in `tekcron.toml`: `[calendars.NAME]`"
    );
    assert_eq!(
        named("off"),
        "jobs[0].schedule <\"0 2 * * SAT\"> expected a slot that no calendar excludes, found none: `off` | leave a calendar out of `exclude`, or the schedule"
    );
}

#[test]
fn a_file_that_is_no_calendar_or_never_ends_is_refused() {
    let rule = "end it with `UNTIL=21001231`, or exclude it by a cron expression: `cron = [\"* * 25 12 *\"]`";
    let export = "it begins with `BEGIN:VCALENDAR`, ends with `END:VCALENDAR`, and holds `VEVENT`s";
    let times = "dates are written `20261225`, times `20261225T090000`, `20261225T090000Z`";
    let whole = ics(&["SUMMARY:Day\r\nDTSTART;VALUE=DATE:20270501"]);
    let event = |lines: &str| ics(&[&format!("SUMMARY:Day\r\n{lines}")]);
    for (text, expected) in [
        ("<html>".to_owned(), format!("expected an iCalendar file, found other text | {export}")),
        (
            whole.replace("END:VCALENDAR", ""),
            format!("expected an iCalendar file, found one that stops before its end | {export}"),
        ),
        (
            event("DTSTART;VALUE=DATE:20271225\r\nRRULE:FREQ=YEARLY"),
            format!("event `Day`: expected a rule that ends, found `FREQ=YEARLY`, which never does | {rule}"),
        ),
        (
            event("DTSTART:20270101T000000\r\nRRULE:FREQ=SECONDLY;UNTIL=20280101T000000"),
            "event `Day`: expected a rule of less than 65535 times, found more, or a search for none | a cron expression says such times shorter: `cron = [\"…\"]`".to_owned(),
        ),
        (event("DTSTART:tomorrow"), format!("event `Day`: expected a date or a time, found `tomorrow` | {times}")),
        (event("DURATION:PT1H"), format!("event `Day`: expected a `DTSTART`, found none | {times}")),
    ] {
        let place = with_ics(&text, "schedule = \"0 2 * * *\"\nexclude = [\"off\"]");
        assert_eq!(said(&place), format!("calendars.off.ics <\"holidays.ics\"> {expected}"));
    }
    let zone = event("DTSTART;TZID=W. Europe Standard Time:20270501T000000");
    let place = with_ics(&zone, "schedule = \"0 2 * * *\"\nexclude = [\"off\"]");
    assert!(said(&place).contains("expected an IANA time zone"), "{}", said(&place));
    let never =
        event("DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20901231");
    let place = with_ics(&never, "schedule = \"0 2 * * *\"\nexclude = [\"off\"]");
    place.load();
}

#[test]
fn an_edited_calendar_is_another_generation() {
    let place =
        with_ics(&ics(&["DTSTART;VALUE=DATE:20270501"]), "schedule = \"0 2 * * *\"\nexclude = [\"off\"]");
    let before = place.load().generation;
    place.write("holidays.ics", &ics(&["DTSTART;VALUE=DATE:20270502"]));
    assert_ne!(place.load().generation, before);
    assert_eq!(tekcron::config::fingerprint(&place.config()).unwrap(), place.load().generation);
}

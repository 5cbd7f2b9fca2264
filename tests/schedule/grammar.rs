//! What an expression means, in UTC.

use tekcron::schedule::{DstMode, Expression, Recurrence, Zone};

use crate::sample::at;

/// The first slots after Thursday, 1 January 2026, 00:00 UTC, exclusive.
const FIRST_SLOTS: &[(&str, &[&str])] = &[
    // Each field.
    ("* * * * *", &["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]),
    ("5 4 * * *", &["2026-01-01T04:05:00Z", "2026-01-02T04:05:00Z"]),
    ("05 04 * * *", &["2026-01-01T04:05:00Z"]),
    ("0 0 1 * *", &["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]),
    ("0 0 1 3 *", &["2026-03-01T00:00:00Z", "2027-03-01T00:00:00Z"]),
    ("0 0 29 2 *", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
    ("0 0 31 * *", &["2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"]),
    // The second first.
    ("* * * * * *", &["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"]),
    ("30 5 4 * * *", &["2026-01-01T04:05:30Z", "2026-01-02T04:05:30Z"]),
    ("*/20 * * * * *", &["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"]),
    // Weekdays count from Sunday, 0 or 7; Monday is 1.
    ("0 0 * * 0", &["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"]),
    ("0 0 * * 7", &["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"]),
    ("0 0 * * 1", &["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"]),
    ("0 0 * * 6", &["2026-01-03T00:00:00Z"]),
    ("0 0 * * 1-5", &["2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z"]),
    (
        "0 0 * * 5-7",
        &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-09T00:00:00Z"],
    ),
    ("0 0 * * 0-7", &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
    (
        "0 0 * * 7-2",
        &["2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", "2026-01-11T00:00:00Z"],
    ),
    // Names, in any case.
    ("0 0 * * MON", &["2026-01-05T00:00:00Z"]),
    ("0 0 * * sun,Wed", &["2026-01-04T00:00:00Z", "2026-01-07T00:00:00Z"]),
    (
        "0 0 * * MON-WED",
        &["2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", "2026-01-12T00:00:00Z"],
    ),
    (
        "0 0 * * MON-3",
        &["2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", "2026-01-12T00:00:00Z"],
    ),
    ("0 0 1 FEB,dec *", &["2026-02-01T00:00:00Z", "2026-12-01T00:00:00Z"]),
    (
        "0 0 1 mar-MAY *",
        &["2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z", "2027-03-01T00:00:00Z"],
    ),
    // Lists, ranges, steps.
    (
        "15,45,30 0 * * *",
        &["2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z", "2026-01-01T00:45:00Z", "2026-01-02T00:15:00Z"],
    ),
    (
        "0 9-11 * * *",
        &["2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-02T09:00:00Z"],
    ),
    ("0 9-9 * * *", &["2026-01-01T09:00:00Z", "2026-01-02T09:00:00Z"]),
    ("*/25 * * * *", &["2026-01-01T00:25:00Z", "2026-01-01T00:50:00Z", "2026-01-01T01:00:00Z"]),
    (
        "10-40/15 0 * * *",
        &["2026-01-01T00:10:00Z", "2026-01-01T00:25:00Z", "2026-01-01T00:40:00Z", "2026-01-02T00:10:00Z"],
    ),
    (
        "0 0-4/2,23 * * *",
        &["2026-01-01T02:00:00Z", "2026-01-01T04:00:00Z", "2026-01-01T23:00:00Z", "2026-01-02T00:00:00Z"],
    ),
    (
        "0 0 */10 * *",
        &["2026-01-11T00:00:00Z", "2026-01-21T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"],
    ),
    ("0 0 * * */3", &["2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-07T00:00:00Z"]),
    (
        "0 0 * * 1-7/2",
        &["2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z"],
    ),
    // Ranges around the end of the field.
    (
        "0 0 * * FRI-MON",
        &[
            "2026-01-02T00:00:00Z",
            "2026-01-03T00:00:00Z",
            "2026-01-04T00:00:00Z",
            "2026-01-05T00:00:00Z",
            "2026-01-09T00:00:00Z",
        ],
    ),
    (
        "0 0 * * FRI-SUN",
        &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-09T00:00:00Z"],
    ),
    (
        "0 22-2 * * *",
        &[
            "2026-01-01T01:00:00Z",
            "2026-01-01T02:00:00Z",
            "2026-01-01T22:00:00Z",
            "2026-01-01T23:00:00Z",
            "2026-01-02T00:00:00Z",
        ],
    ),
    ("0 22-3/2 * * *", &["2026-01-01T02:00:00Z", "2026-01-01T22:00:00Z", "2026-01-02T00:00:00Z"]),
    (
        "58-1 3 * * *",
        &[
            "2026-01-01T03:00:00Z",
            "2026-01-01T03:01:00Z",
            "2026-01-01T03:58:00Z",
            "2026-01-01T03:59:00Z",
            "2026-01-02T03:00:00Z",
        ],
    ),
    (
        "0 0 30-2 * *",
        &["2026-01-02T00:00:00Z", "2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"],
    ),
    (
        "0 0 1 NOV-FEB *",
        &["2026-02-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"],
    ),
    // Both day fields: either may match.
    (
        "0 0 13 * FRI",
        &["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"],
    ),
    ("0 0 1,15 * 1", &["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-15T00:00:00Z"]),
    ("0 0 1-31 * MON", &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
    ("0 0 30 2 MON", &["2026-02-02T00:00:00Z", "2026-02-09T00:00:00Z"]),
    (
        "0 0 1-31/2 * MON",
        &[
            "2026-01-03T00:00:00Z",
            "2026-01-05T00:00:00Z",
            "2026-01-07T00:00:00Z",
            "2026-01-09T00:00:00Z",
            "2026-01-11T00:00:00Z",
            "2026-01-12T00:00:00Z",
        ],
    ),
    // Both must match where either starts with `*`, is `?`, or the weekday starts with `+`.
    ("0 0 * * MON", &["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"]),
    ("0 0 ? * MON", &["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"]),
    ("0 0 13 * ?", &["2026-01-13T00:00:00Z", "2026-02-13T00:00:00Z"]),
    ("0 0 ? * ?", &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]),
    ("0 0 */2 * 1", &["2026-01-05T00:00:00Z", "2026-01-19T00:00:00Z", "2026-02-09T00:00:00Z"]),
    ("0 0 13 * */5", &["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z", "2026-09-13T00:00:00Z"]),
    ("0 0 13 * +FRI", &["2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z", "2026-11-13T00:00:00Z"]),
    ("0 0 8-14 * +TUE", &["2026-01-13T00:00:00Z", "2026-02-10T00:00:00Z"]),
    // Days that each month has elsewhere.
    ("0 0 L * *", &["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]),
    ("0 0 l 2 *", &["2026-02-28T00:00:00Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"]),
    ("0 0 L-2 * *", &["2026-01-29T00:00:00Z", "2026-02-26T00:00:00Z"]),
    ("0 0 L-30 * *", &["2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z"]),
    ("0 0 15W * *", &["2026-01-15T00:00:00Z", "2026-02-16T00:00:00Z", "2026-03-16T00:00:00Z"]),
    // On Saturday, 1 August, and on Sunday, 31 May: within the month.
    ("0 0 1W 8 *", &["2026-08-03T00:00:00Z"]),
    ("0 0 31w 5 *", &["2026-05-29T00:00:00Z"]),
    ("0 0 31W * *", &["2026-01-30T00:00:00Z", "2026-03-31T00:00:00Z", "2026-05-29T00:00:00Z"]),
    ("0 0 LW * *", &["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-31T00:00:00Z"]),
    ("0 0 1,L * *", &["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"]),
    ("0 0 * * FRIL", &["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"]),
    ("0 0 * * 7L", &["2026-01-25T00:00:00Z", "2026-02-22T00:00:00Z"]),
    ("0 0 * * MON#1", &["2026-01-05T00:00:00Z", "2026-02-02T00:00:00Z"]),
    ("0 0 * * sun#5", &["2026-03-29T00:00:00Z", "2026-05-31T00:00:00Z"]),
    ("0 0 ? * 2#2,2#4", &["2026-01-13T00:00:00Z", "2026-01-27T00:00:00Z", "2026-02-10T00:00:00Z"]),
    ("0 0 L * FRI#1", &["2026-01-02T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-06T00:00:00Z"]),
    ("0 0 L * +FRI", &["2026-07-31T00:00:00Z", "2027-04-30T00:00:00Z"]),
    // Instants.
    ("@every 1w", &["2026-01-02T22:35:39Z", "2026-01-09T22:35:39Z"]),
    ("@at 2026-12-01T02:00:00Z", &["2026-12-01T02:00:00Z"]),
    ("@AT 2026-12-01 02:00:00+01:00", &["2026-12-01T01:00:00Z"]),
    // Shorthands.
    ("@yearly", &["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"]),
    ("@annually", &["2027-01-01T00:00:00Z"]),
    ("@monthly", &["2026-02-01T00:00:00Z"]),
    ("@weekly", &["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"]),
    ("@daily", &["2026-01-02T00:00:00Z"]),
    ("@midnight", &["2026-01-02T00:00:00Z"]),
    ("@hourly", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]),
    ("@Daily", &["2026-01-02T00:00:00Z"]),
    // Space anywhere around the fields.
    ("  0\t0   1  * * ", &["2026-02-01T00:00:00Z"]),
];

#[test]
fn an_expression_is_due_when_its_fields_say() {
    for (expression, expected) in FIRST_SLOTS {
        let recurrence = in_utc(expression);
        let mut from = at("2026-01-01T00:00:00Z");
        for slot in *expected {
            let next = recurrence.next_after(from).unwrap();
            assert_eq!(next, at(slot), "`{expression}` after {from}");
            assert_eq!(recurrence.last_until(next), Some(next), "`{expression}`");
            from = next;
        }
    }
}

/// The most that may stand for an `H`: what is chosen is one of these for each of many jobs, and each of these
/// is chosen for some.
const HASHES: &[(&str, &[&str])] = &[
    ("H(0-2) 0 * * *", &["0 0 * * *", "1 0 * * *", "2 0 * * *"]),
    ("0 h(22-1) * * *", &["0 22 * * *", "0 23 * * *", "0 0 * * *", "0 1 * * *"]),
    ("H(0-5)/2 * * * *", &["0-5/2 * * * *", "1-5/2 * * * *"]),
    ("H(5-9)/3 0 * * *", &["5-9/3 0 * * *", "6-9/3 0 * * *", "7 0 * * *"]),
    ("0 0 * * H(FRI-SUN)", &["0 0 * * 5", "0 0 * * 6", "0 0 * * 0"]),
    (
        "0 0 * H/6 *",
        &[
            "0 0 * 1-12/6 *",
            "0 0 * 2-12/6 *",
            "0 0 * 3-12/6 *",
            "0 0 * 4-12/6 *",
            "0 0 * 5-12/6 *",
            "0 0 * 6-12/6 *",
        ],
    ),
    ("0 0 1,H(2-3),L * *", &["0 0 1,2,L * *", "0 0 1,3,L * *"]),
    ("H(0-1) 0 0 * * +H(1-1)", &["0 0 0 * * +1", "1 0 0 * * +1"]),
];

#[test]
fn h_stands_for_a_value_by_the_jobs_name_and_any_of_its_range() {
    let jobs: Vec<String> = (0..400).map(|n| format!("etl.job-{n}")).collect();
    let read = |text: &str, job: &str| Expression::for_job(text, job).unwrap();
    for (text, choices) in HASHES {
        let mut chosen: Vec<String> =
            jobs.iter().map(|job| read(text, job).resolved().unwrap().to_owned()).collect();
        for (job, chosen) in jobs.iter().zip(&chosen) {
            assert_eq!(read(text, job).resolved(), Some(&**chosen), "{text} for {job}");
            let (hashed, plain) = (read(text, job), chosen.parse().unwrap());
            assert_eq!(hashed.as_str(), *text);
            let slots = |expression| {
                let recurrence = Recurrence::new(expression, Zone::UTC, DstMode::Vixie).unwrap();
                let next = |slot: &jiff::Timestamp| recurrence.next_after(*slot);
                std::iter::successors(Some(at("2026-01-01T00:00:00Z")), next).take(9).collect::<Vec<_>>()
            };
            assert_eq!(slots(hashed), slots(plain), "{text} for {job}");
        }
        chosen.sort();
        chosen.dedup();
        let mut choices: Vec<_> = choices.iter().map(|choice| (*choice).to_owned()).collect();
        choices.sort();
        assert_eq!(chosen, choices, "{text}");
    }
}

#[test]
fn fields_of_one_job_choose_apart_and_a_day_is_one_that_each_month_has() {
    let mut together = 0;
    for n in 0..400 {
        let read = Expression::for_job("H H H * *", &format!("etl.job-{n}")).unwrap();
        let resolved: Vec<u8> = read.resolved().unwrap().split(' ').map_while(|v| v.parse().ok()).collect();
        assert!((1..=28).contains(&resolved[2]), "{resolved:?}");
        together += usize::from(resolved[0] == resolved[1]);
    }
    assert!((1..30).contains(&together), "{together} of 400");
}

#[test]
fn an_interval_begins_at_a_second_of_its_own_for_each_job_and_asks_no_clock() {
    let phase = |job: &str, zone: &str| {
        let expression = Expression::for_job("@every 36h", job).unwrap();
        let recurrence = Recurrence::new(expression, zone.parse().unwrap(), DstMode::Vixie).unwrap();
        let first = recurrence.next_after(at("1950-01-01T00:00:00Z")).unwrap();
        let slots = crate::sample::forward(&recurrence, first, at("1975-01-01T00:00:00Z"));
        assert!((1216..=1217).contains(&slots.len()));
        for (k, slot) in slots.iter().enumerate() {
            assert_eq!(slot.as_second(), first.as_second() + (k as i64 + 1) * 36 * 3600);
        }
        let last = recurrence.last_until(at("2101-06-01T00:00:00Z")).unwrap();
        assert_eq!(recurrence.next_after(last), None);
        assert!(last >= at("2100-12-30T11:59:59Z") && last < at("2101-01-01T00:00:00Z"), "{last}");
        first.as_second()
    };
    let phases: Vec<i64> = (0..50).map(|n| phase(&format!("etl.job-{n}"), "UTC")).collect();
    assert!(phases.iter().all(|phase| (0..36 * 3600).contains(phase)));
    assert!(phases.iter().filter(|phase| **phase < 18 * 3600).count().abs_diff(25) < 15, "{phases:?}");
    assert_eq!(phase("etl.job-7", "Europe/Paris"), phases[7]);
}

#[test]
fn an_instant_is_one_slot() {
    let once = in_utc("@at 2026-12-01T02:00:00Z");
    let slot = at("2026-12-01T02:00:00Z");
    let nanosecond = jiff::SignedDuration::from_nanos(1);
    assert_eq!(once.next_after(at("1950-01-01T00:00:00Z")), Some(slot));
    assert_eq!(once.next_after(slot - nanosecond), Some(slot));
    assert_eq!(once.next_after(slot), None);
    assert_eq!(once.last_until(slot - nanosecond), None);
    assert_eq!(once.last_until(at("2200-01-01T00:00:00Z")), Some(slot));
}

#[test]
fn the_text_stays_the_authors() {
    for (given, shown) in [("  0 0 * *   mon ", "0 0 * *   mon"), ("@Daily", "@Daily")] {
        let expression: Expression = given.parse().unwrap();
        assert_eq!(expression.to_string(), shown);
        assert_eq!(shown.parse::<Expression>().unwrap(), expression);
    }
}

#[test]
fn next_is_exclusive_and_last_is_inclusive_to_the_nanosecond() {
    let recurrence = in_utc("0 12 * * *");
    let noon = at("2026-01-01T12:00:00Z");
    let nanosecond = jiff::SignedDuration::from_nanos(1);
    assert_eq!(recurrence.next_after(noon - nanosecond), Some(noon));
    assert_eq!(recurrence.next_after(noon), Some(at("2026-01-02T12:00:00Z")));
    assert_eq!(recurrence.next_after(noon + nanosecond), Some(at("2026-01-02T12:00:00Z")));
    assert_eq!(recurrence.last_until(noon - nanosecond), Some(at("2025-12-31T12:00:00Z")));
    assert_eq!(recurrence.last_until(noon), Some(noon));
    assert_eq!(recurrence.last_until(noon + nanosecond), Some(noon));
}

#[test]
fn slots_begin_in_1970_and_end_with_2100() {
    let recurrence = in_utc("0 0 * * *");
    for before in ["-009999-01-02T01:59:59Z", "1969-12-31T23:59:59.999999999Z", "1950-06-01T00:00:00Z"] {
        assert_eq!(recurrence.next_after(at(before)), Some(at("1970-01-01T00:00:00Z")), "{before}");
        assert_eq!(recurrence.last_until(at(before)), None, "{before}");
    }
    for after in ["9999-12-30T22:00:00.999999999Z", "2100-12-31T00:00:00Z", "2101-06-01T00:00:00Z"] {
        assert_eq!(recurrence.next_after(at(after)), None, "{after}");
        assert_eq!(recurrence.last_until(at(after)), Some(at("2100-12-31T00:00:00Z")), "{after}");
    }
}

#[test]
fn a_leap_day_on_a_given_weekday_is_found_decades_ahead_and_behind() {
    let recurrence = in_utc("0 0 29 2 +SUN");
    assert_eq!(recurrence.next_after(at("2032-02-29T00:00:00Z")), Some(at("2060-02-29T00:00:00Z")));
    assert_eq!(recurrence.last_until(at("2060-02-28T00:00:00Z")), Some(at("2032-02-29T00:00:00Z")));
}

fn in_utc(expression: &str) -> Recurrence {
    let parsed = expression.parse().unwrap_or_else(|error| panic!("`{expression}`: {error}"));
    Recurrence::new(parsed, Zone::UTC, DstMode::Vixie).unwrap()
}

//! What the clocks of places do to schedules, by hand.

use tekcron::schedule::DstMode;

use crate::sample::{MODES, at, recurrence, slots};

/// A zone and a stretch of time in it.
struct Change {
    zone: &'static str,
    from: &'static str,
    until: &'static str,
}

/// 29 March 2026: 02:00 to 03:00 is jumped over.
const PARIS_SPRING: Change =
    Change { zone: "Europe/Paris", from: "2026-03-29T00:59:00+01:00", until: "2026-03-29T04:00:00+02:00" };
/// 25 October 2026: 02:00 to 03:00 is shown twice.
const PARIS_AUTUMN: Change =
    Change { zone: "Europe/Paris", from: "2026-10-25T01:59:00+02:00", until: "2026-10-25T03:00:00+01:00" };
/// 8 March 2026: 02:00 to 03:00 is jumped over.
const NEW_YORK_SPRING: Change = Change {
    zone: "America/New_York",
    from: "2026-03-08T00:59:00-05:00",
    until: "2026-03-08T04:00:00-04:00",
};
/// 1 November 2026: 01:00 to 02:00 is shown twice.
const NEW_YORK_AUTUMN: Change = Change {
    zone: "America/New_York",
    from: "2026-11-01T00:59:00-04:00",
    until: "2026-11-01T02:00:00-05:00",
};
/// 4 October 2026: 02:00 to 02:30 is jumped over.
const LORD_HOWE_SPRING: Change = Change {
    zone: "Australia/Lord_Howe",
    from: "2026-10-04T00:59:00+10:30",
    until: "2026-10-04T03:00:00+11:00",
};
/// 5 April 2026: 01:30 to 02:00 is shown twice.
const LORD_HOWE_AUTUMN: Change = Change {
    zone: "Australia/Lord_Howe",
    from: "2026-04-05T01:29:00+11:00",
    until: "2026-04-05T02:00:00+10:30",
};
/// 4 November 2018: midnight to 01:00 is jumped over.
const SAO_PAULO_SPRING: Change = Change {
    zone: "America/Sao_Paulo",
    from: "2018-11-03T12:00:00-03:00",
    until: "2018-11-05T12:00:00-02:00",
};
/// 17 February 2018: 23:00 to midnight is shown twice.
const SAO_PAULO_AUTUMN: Change = Change {
    zone: "America/Sao_Paulo",
    from: "2018-02-17T12:00:00-02:00",
    until: "2018-02-18T12:00:00-03:00",
};
/// 30 December 2011 is jumped over.
const APIA: Change =
    Change { zone: "Pacific/Apia", from: "2011-12-29T00:00:00-10:00", until: "2011-12-31T23:59:00+14:00" };

/// What is due, the same in each mode.
const IN_ANY_MODE: &[(&Change, &str, &[&str])] = &[
    // Whole hours and parts of them follow the hands over a jump.
    (
        &PARIS_SPRING,
        "0 * * * *",
        &["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"],
    ),
    (
        &PARIS_SPRING,
        "*/30 * * * *",
        &[
            "2026-03-29T01:00:00+01:00",
            "2026-03-29T01:30:00+01:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-29T03:30:00+02:00",
            "2026-03-29T04:00:00+02:00",
        ],
    ),
    (&PARIS_SPRING, "*/30 2 * * *", &[]),
    (&PARIS_SPRING, "30 */2 * * *", &[]),
    (&PARIS_SPRING, "0 3 * * *", &["2026-03-29T03:00:00+02:00"]),
    (&PARIS_AUTUMN, "0 3 * * *", &["2026-10-25T03:00:00+01:00"]),
    (&NEW_YORK_SPRING, "30 * * * *", &["2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00"]),
    (&NEW_YORK_AUTUMN, "0 2 * * *", &["2026-11-01T02:00:00-05:00"]),
    (&LORD_HOWE_SPRING, "0 * * * *", &["2026-10-04T01:00:00+10:30", "2026-10-04T03:00:00+11:00"]),
    (
        &LORD_HOWE_SPRING,
        "*/15 * * * *",
        &[
            "2026-10-04T01:00:00+10:30",
            "2026-10-04T01:15:00+10:30",
            "2026-10-04T01:30:00+10:30",
            "2026-10-04T01:45:00+10:30",
            "2026-10-04T02:30:00+11:00",
            "2026-10-04T02:45:00+11:00",
            "2026-10-04T03:00:00+11:00",
        ],
    ),
    (&LORD_HOWE_SPRING, "30 2 * * *", &["2026-10-04T02:30:00+11:00"]),
    (&LORD_HOWE_AUTUMN, "0 2 * * *", &["2026-04-05T02:00:00+10:30"]),
    (&SAO_PAULO_AUTUMN, "0 0 * * *", &["2018-02-18T00:00:00-03:00"]),
    (&SAO_PAULO_AUTUMN, "30 23 18 2 *", &[]),
    (
        &APIA,
        "0 */6 * * *",
        &[
            "2011-12-29T06:00:00-10:00",
            "2011-12-29T12:00:00-10:00",
            "2011-12-29T18:00:00-10:00",
            "2011-12-31T00:00:00+14:00",
            "2011-12-31T06:00:00+14:00",
            "2011-12-31T12:00:00+14:00",
            "2011-12-31T18:00:00+14:00",
        ],
    ),
];

/// What is due under `vixie`, `skip` and `literal`.
type ByMode = [&'static [&'static str]; 3];

const BY_MODE: &[(&Change, &str, ByMode)] = &[
    // A time of day that is jumped over is made up for under `vixie`, at the first instant after.
    (&PARIS_SPRING, "30 2 * * *", [&["2026-03-29T03:00:00+02:00"], &[], &[]]),
    (&PARIS_SPRING, "0 2 * * *", [&["2026-03-29T03:00:00+02:00"], &[], &[]]),
    (&PARIS_SPRING, "59 59 2 * * *", [&["2026-03-29T03:00:00+02:00"], &[], &[]]),
    (&NEW_YORK_SPRING, "30 2 * * *", [&["2026-03-08T03:00:00-04:00"], &[], &[]]),
    (&NEW_YORK_SPRING, "30 2 8 3 *", [&["2026-03-08T03:00:00-04:00"], &[], &[]]),
    (&LORD_HOWE_SPRING, "0 2 * * *", [&["2026-10-04T02:30:00+11:00"], &[], &[]]),
    (&LORD_HOWE_SPRING, "15 2 * * *", [&["2026-10-04T02:30:00+11:00"], &[], &[]]),
    (
        &SAO_PAULO_SPRING,
        "0 0 * * *",
        [
            &["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"],
            &["2018-11-05T00:00:00-02:00"],
            &["2018-11-05T00:00:00-02:00"],
        ],
    ),
    (&SAO_PAULO_SPRING, "@weekly", [&["2018-11-04T01:00:00-02:00"], &[], &[]]),
    (
        &APIA,
        "0 12 * * *",
        [
            &["2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"],
            &["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"],
            &["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"],
        ],
    ),
    (&APIA, "0 9 30 12 *", [&["2011-12-31T00:00:00+14:00"], &[], &[]]),
    // Lists and ranges are times of day too; the seconds field does not matter.
    (
        &PARIS_SPRING,
        "15,45 2,3 * * *",
        [
            &["2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00", "2026-03-29T03:45:00+02:00"],
            &["2026-03-29T03:15:00+02:00", "2026-03-29T03:45:00+02:00"],
            &["2026-03-29T03:15:00+02:00", "2026-03-29T03:45:00+02:00"],
        ],
    ),
    (&PARIS_SPRING, "0-59/20 2 * * *", [&["2026-03-29T03:00:00+02:00"], &[], &[]]),
    (&PARIS_SPRING, "* 30 2 * * *", [&["2026-03-29T03:00:00+02:00"], &[], &[]]),
    // Times that come to the same instant are one slot.
    (
        &PARIS_SPRING,
        "0,30 2-3 * * *",
        [
            &["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
            &["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
            &["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
        ],
    ),
    (
        &APIA,
        "0 0 * * *",
        [&["2011-12-31T00:00:00+14:00"], &["2011-12-31T00:00:00+14:00"], &["2011-12-31T00:00:00+14:00"]],
    ),
    // A time of day that is shown twice runs the first time, or under `literal` both times.
    (
        &PARIS_AUTUMN,
        "30 2 * * *",
        [
            &["2026-10-25T02:30:00+02:00"],
            &["2026-10-25T02:30:00+02:00"],
            &["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"],
        ],
    ),
    (
        &NEW_YORK_AUTUMN,
        "0,30 1 * * *",
        [
            &["2026-11-01T01:00:00-04:00", "2026-11-01T01:30:00-04:00"],
            &["2026-11-01T01:00:00-04:00", "2026-11-01T01:30:00-04:00"],
            &[
                "2026-11-01T01:00:00-04:00",
                "2026-11-01T01:30:00-04:00",
                "2026-11-01T01:00:00-05:00",
                "2026-11-01T01:30:00-05:00",
            ],
        ],
    ),
    (
        &LORD_HOWE_AUTUMN,
        "45 1 * * *",
        [
            &["2026-04-05T01:45:00+11:00"],
            &["2026-04-05T01:45:00+11:00"],
            &["2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"],
        ],
    ),
    (
        &SAO_PAULO_AUTUMN,
        "30 23 17 2 *",
        [
            &["2018-02-17T23:30:00-02:00"],
            &["2018-02-17T23:30:00-02:00"],
            &["2018-02-17T23:30:00-02:00", "2018-02-17T23:30:00-03:00"],
        ],
    ),
    // What follows the hands does so through the repeated hour too, but for `skip`.
    (
        &PARIS_AUTUMN,
        "*/30 * * * *",
        [
            &[
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:00:00+01:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:00:00+01:00",
            ],
            &["2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"],
            &[
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:00:00+01:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:00:00+01:00",
            ],
        ],
    ),
    (
        &LORD_HOWE_AUTUMN,
        "*/15 * * * *",
        [
            &[
                "2026-04-05T01:30:00+11:00",
                "2026-04-05T01:45:00+11:00",
                "2026-04-05T01:30:00+10:30",
                "2026-04-05T01:45:00+10:30",
                "2026-04-05T02:00:00+10:30",
            ],
            &["2026-04-05T01:30:00+11:00", "2026-04-05T01:45:00+11:00", "2026-04-05T02:00:00+10:30"],
            &[
                "2026-04-05T01:30:00+11:00",
                "2026-04-05T01:45:00+11:00",
                "2026-04-05T01:30:00+10:30",
                "2026-04-05T01:45:00+10:30",
                "2026-04-05T02:00:00+10:30",
            ],
        ],
    ),
];

#[test]
fn where_no_time_of_day_is_skipped_or_repeated_all_modes_agree() {
    for (change, expression, expected) in IN_ANY_MODE {
        for mode in MODES {
            assert_eq!(due(change, expression, mode), *expected, "`{expression}` {} {mode}", change.zone);
        }
    }
}

#[test]
fn each_mode_meets_a_skipped_and_a_repeated_time_in_its_way() {
    for (change, expression, expected) in BY_MODE {
        for (mode, expected) in MODES.into_iter().zip(expected) {
            assert_eq!(due(change, expression, mode), *expected, "`{expression}` {} {mode}", change.zone);
        }
    }
}

#[test]
fn asked_from_within_a_repeated_hour_the_answer_lies_ahead() {
    let half_hourly = recurrence("*/30 * * * *", "Europe/Paris", DstMode::Vixie);
    let next = |from| half_hourly.next_after(at(from)).unwrap();
    assert_eq!(next("2026-10-25T02:10:00+02:00"), at("2026-10-25T02:30:00+02:00"));
    assert_eq!(next("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:00:00+01:00"));
    assert_eq!(next("2026-10-25T02:10:00+01:00"), at("2026-10-25T02:30:00+01:00"));
    let daily = recurrence("30 2 * * *", "Europe/Paris", DstMode::Vixie);
    assert_eq!(daily.next_after(at("2026-10-25T02:10:00+01:00")), Some(at("2026-10-26T02:30:00+01:00")));
    assert_eq!(daily.last_until(at("2026-10-25T02:40:00+01:00")), Some(at("2026-10-25T02:30:00+02:00")));
}

#[test]
fn a_yearly_time_that_one_year_skipped_comes_in_the_others() {
    let yearly = recurrence("0 9 30 12 *", "Pacific/Apia", DstMode::Skip);
    assert_eq!(yearly.next_after(at("2011-01-01T00:00:00Z")), Some(at("2012-12-30T09:00:00+14:00")));
    assert_eq!(yearly.last_until(at("2012-01-01T00:00:00Z")), Some(at("2010-12-30T09:00:00-10:00")));
}

/// What the next change of the clocks after the start of 2026 does to a schedule.
const NEXT_CHANGES: &[(&str, &str, DstMode, Option<&str>)] = &[
    (
        "30 2 * * *",
        "Europe/Paris",
        DstMode::Vixie,
        Some("on 2026-03-29 at 02:30 the clocks jump over it, and it runs right after"),
    ),
    (
        "30 2 * * *",
        "Europe/Paris",
        DstMode::Skip,
        Some("on 2026-03-29 at 02:30 the clocks jump over it, and it does not run"),
    ),
    (
        "15 2 * 10 *",
        "Europe/Paris",
        DstMode::Vixie,
        Some("on 2026-10-25 at 02:15 the clocks show it twice, and it runs the first time"),
    ),
    (
        "45 1 * * SUN",
        "Australia/Lord_Howe",
        DstMode::Literal,
        Some("on 2026-04-05 at 01:45 the clocks show it twice, and it runs both times"),
    ),
    ("30 3 * * *", "Europe/Paris", DstMode::Vixie, None),
    ("30 2 * * MON-SAT", "Europe/Paris", DstMode::Vixie, None),
    ("*/5 2 * * *", "Europe/Paris", DstMode::Vixie, None),
    ("30 2 * * *", "Asia/Tokyo", DstMode::Vixie, None),
    ("30 2 * * *", "UTC", DstMode::Vixie, None),
];

#[test]
fn the_next_change_of_the_clocks_that_a_schedule_meets_is_told_with_its_date() {
    for (expression, zone, mode, expected) in NEXT_CHANGES {
        let change = recurrence(expression, zone, *mode).next_clock_change(at("2026-01-01T00:00:00Z"));
        let told = change.map(|change| change.to_string());
        assert_eq!(told.as_deref(), *expected, "`{expression}` {zone} {mode}");
    }
}

fn due(change: &Change, expression: &str, mode: DstMode) -> Vec<String> {
    slots(&recurrence(expression, change.zone, mode), at(change.from), at(change.until))
}

//! `tekcron next`, through the function behind it.

use clap::Parser;
use tekcron::cli::next::{self, NextArgs};
use tekcron::clock::ManualClock;

use crate::sample::at;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    next: NextArgs,
}

/// What the command says when it is called at some time.
pub(crate) fn said_at(now: &str, line: &[&str]) -> Result<String, String> {
    let line = Line::try_parse_from([&["next"], line].concat()).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    next::run(&line.next, &ManualClock::new(at(now)), &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn said(line: &[&str]) -> Result<String, String> {
    said_at("2026-03-28T22:00:00Z", line)
}

#[test]
fn people_see_the_next_slots_in_utc_on_the_wall_clock_and_how_far_away_they_are() {
    insta::assert_snapshot!(said(&["30 2 * * *", "--timezone", "Europe/Paris"]).unwrap(), @r"
    SCHEDULED             LOCAL                      AWAY
    2026-03-29T01:00:00Z  2026-03-29T03:00:00+02:00  in 3h 0m
    2026-03-30T00:30:00Z  2026-03-30T02:30:00+02:00  in 1d 2h
    2026-03-31T00:30:00Z  2026-03-31T02:30:00+02:00  in 2d 2h
    2026-04-01T00:30:00Z  2026-04-01T02:30:00+02:00  in 3d 2h
    2026-04-02T00:30:00Z  2026-04-02T02:30:00+02:00  in 4d 2h
    ");
}

#[test]
fn programs_get_instants_and_local_times_with_their_offset() {
    insta::assert_snapshot!(said(&["0 12 * * *", "--timezone", "europe/paris", "-n", "2", "-o", "json"]).unwrap(), @r#"
    [
      {
        "scheduled": "2026-03-29T10:00:00Z",
        "local": "2026-03-29T12:00:00+02:00"
      },
      {
        "scheduled": "2026-03-30T10:00:00Z",
        "local": "2026-03-30T12:00:00+02:00"
      }
    ]
    "#);
}

#[test]
fn the_mode_decides_about_the_night_without_half_past_two() {
    let first =
        |mode| said(&["30 2 * * *", "--timezone", "Europe/Paris", "--dst", mode, "-n", "1", "-o", "json"]);
    assert!(first("vixie").unwrap().contains("2026-03-29T03:00:00+02:00"));
    assert!(first("skip").unwrap().contains("2026-03-30T02:30:00+02:00"));
    assert!(first("literal").unwrap().contains("2026-03-30T02:30:00+02:00"));
}

#[test]
fn from_is_exclusive_and_may_be_a_time_in_the_zone() {
    for (from, expected) in [
        ("2026-06-01T10:00:00Z", "2026-06-02T10:00:00Z"),
        ("2026-06-01T09:59:59Z", "2026-06-01T10:00:00Z"),
        ("2026-06-01T12:00:00+02:00", "2026-06-02T10:00:00Z"),
        ("2026-06-01T11:59", "2026-06-01T10:00:00Z"),
        ("2026-06-01T12:00", "2026-06-02T10:00:00Z"),
        ("2026-06-01", "2026-06-01T10:00:00Z"),
        ("2026-06-01T06:00[America/New_York]", "2026-06-02T10:00:00Z"),
        ("2020-02-28", "2020-02-28T11:00:00Z"),
    ] {
        let line = ["0 12 * * *", "--timezone", "Europe/Paris", "-n", "1", "-o", "json", "--from", from];
        let said = said(&line).unwrap();
        let slots: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(slots[0]["scheduled"], expected, "{from}");
    }
}

#[test]
fn an_expression_that_ends_gives_fewer_than_asked_for() {
    assert_eq!(said(&["@yearly", "--from", "2100-06-01", "-o", "json"]).unwrap(), "[]\n");
    let two = said(&["0 0 1 * *", "--from", "2100-10-15", "-o", "json"]).unwrap();
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&two).unwrap().len(), 2);
}

#[test]
fn slots_behind_now_are_shown_as_such() {
    let table = said(&["0 12 * * *", "--from", "2026-03-27", "-n", "2"]).unwrap();
    insta::assert_snapshot!(table, @r"
    SCHEDULED             LOCAL                      AWAY
    2026-03-27T12:00:00Z  2026-03-27T12:00:00+00:00  1d 10h ago
    2026-03-28T12:00:00Z  2026-03-28T12:00:00+00:00  10h 0m ago
    ");
}

#[test]
fn what_is_wrong_is_underlined() {
    insta::assert_snapshot!(said(&["0 24 * * *"]).unwrap_err(), @r"
    hour: expected a number from 0 to 23, found `24`
      0 24 * * *
        ^^
    hint: midnight is `0`
    ");
    insta::assert_snapshot!(said(&["0 0 30 2 *"]).unwrap_err(), @r"
    expected a day that one of the months has, found `0 0 30 2 *`, which never comes
    hint: this month has at most 29 days: `0 0 28 2 *`
    ");
    insta::assert_snapshot!(said(&["@daily", "--timezone", "Europe/Pari"]).unwrap_err(), @r"
    expected an IANA time zone such as `Europe/Paris`, found `Europe/Pari`
    hint: `Europe/Paris`
    ");
    insta::assert_snapshot!(said(&["@daily", "--dst", "never"]).unwrap_err(), @"`--dst`: expected one of `vixie`, `skip`, `literal`, found `never`");
    insta::assert_snapshot!(said(&["@daily", "--from", "tomorrow"]).unwrap_err(), @"`--from`: expected a time such as `2026-03-29T00:30:00Z`, `2026-03-29T01:30` or `2026-03-29`, found `tomorrow`");
    insta::assert_snapshot!(said(&["@daily", "--from", "1764340000"]).unwrap_err(), @"`--from`: expected a time such as `2026-03-29T00:30:00Z`, `2026-03-29T01:30` or `2026-03-29`, found `1764340000`");
    insta::assert_snapshot!(said(&["@daily", "--from", "9999-12-31T23:59:59Z"]).unwrap_err(), @"`--from`: expected a time up to the year 2100, where expressions end, found `9999-12-31T23:59:59Z`");
}

#[test]
fn the_number_of_slots_is_bounded() {
    for none in ["0", "10001", "-1", "many"] {
        assert!(said(&["* * * * *", "-n", none]).is_err(), "{none}");
    }
    assert_eq!(said(&["* * * * * *", "-n", "10000"]).unwrap().lines().count(), 10_001);
}

#[test]
fn a_reader_that_went_away_is_an_error() {
    let full: &mut [u8] = &mut [0; 3];
    let line = Line::try_parse_from(["next", "@daily"]).unwrap();
    let clock = ManualClock::new(at("2026-03-28T22:00:00Z"));
    let error = next::run(&line.next, &clock, &mut &mut *full).unwrap_err();
    assert_eq!(error.to_string(), "writing the slots failed");
}

//! The report is what the clocks of the world say at the slot.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sandbox::{Sandbox, repository, skipped};

const ETL: &str = "sh etl.sh";
/// A minute before summer begins in the European Union, and that very instant.
const BEFORE: &str = "2026-03-29T00:59:00Z";
const AFTER: &str = "2026-03-29T01:00:00Z";

/// Whether this machine knows time zones; `date` has no others.
pub(crate) fn has_zones() -> bool {
    let found = Path::new("/usr/share/zoneinfo/Europe/Paris").exists();
    if !found {
        skipped("/usr/share/zoneinfo has no time zones");
    }
    found
}

fn at(slot: &str) -> Sandbox {
    Sandbox::of("etl").with("TEKCRON_SCHEDULED_TIME", slot)
}

fn report(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.state().join(name)).unwrap()
}

/// The pairs of country code and zone in the data.
fn places() -> Vec<(String, String)> {
    let data = fs::read_to_string(repository().join("examples/etl/data/zone1970.tab")).unwrap();
    let lines = data.lines().filter(|line| !line.starts_with('#'));
    let cells = lines.map(|line| line.split('\t').collect::<Vec<_>>());
    cells
        .flat_map(|cells| {
            let zone = cells[2].to_owned();
            let codes: Vec<_> = cells[0].split(',').map(|code| (code.to_owned(), zone.clone())).collect();
            codes
        })
        .collect()
}

/// The cells of a CSV text after RFC 4180.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut rest = csv.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            letter => cell.push(letter),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "the text ends within a row");
    rows
}

/// The main path, for any shell and tools.
pub(crate) fn round(sandbox: Sandbox) {
    let said = sandbox.ok("sh etl.sh --country FR --format csv");
    let expected = "country,name,zone,local,offset,state,remark\n\
        \"FR\",\"France\",\"Europe/Paris\",\"Sun 01:59\",\"+01:00\",\"asleep\",\"\"\n";
    let path = sandbox.state().join("report-FR.csv");
    assert_eq!(said, format!("{expected}report: {}\n", path.display()));
    assert_eq!(fs::read_to_string(path).unwrap(), expected);
    sandbox.ok("sh etl.sh --full --format csv");
    assert_eq!(cells(&report(&sandbox, "report.csv")).len(), places().len() + 1);
    assert_eq!(sandbox.listing(), ["report-FR.csv", "report.csv"]);
}

#[test]
fn a_report_on_demand_is_of_one_country() {
    if has_zones() {
        round(at(BEFORE));
    }
}

#[test]
fn the_hour_that_is_skipped_is_skipped_in_the_report() {
    if !has_zones() {
        return;
    }
    for (slot, local) in [
        (BEFORE, "Sun 01:59 | +01:00 | asleep"),
        (AFTER, "Sun 03:00 | +02:00 | asleep"),
        ("2026-10-25T00:59:59Z", "Sun 02:59 | +02:00 | asleep"),
        ("2026-10-25T01:00:00Z", "Sun 02:00 | +01:00 | asleep"),
        ("2026-11-24T07:59:59Z", "Tue 08:59 | +01:00 | awake"),
        ("2026-11-24T08:00:00Z", "Tue 09:00 | +01:00 | at work"),
        ("2026-11-24T16:00:00Z", "Tue 17:00 | +01:00 | awake"),
        ("2026-11-24T22:00:00Z", "Tue 23:00 | +01:00 | asleep"),
        ("2026-11-28T12:00:00Z", "Sat 13:00 | +01:00 | weekend"),
        ("2024-02-29T23:00:00Z", "Fri 00:00 | +01:00 | asleep"),
        ("1999-12-31T23:00:00Z", "Sat 00:00 | +01:00 | asleep"),
    ] {
        let sandbox = at(slot);
        sandbox.ok("sh etl.sh --country FR");
        let counted =
            ["at work", "awake", "asleep", "weekend"].map(|state| i32::from(local.ends_with(state)));
        let [work, awake, asleep, weekend] = counted;
        let expected = format!(
            "# Who is at work at {slot}\n\n\
             1 places: {work} at work, {awake} awake, {asleep} asleep, {weekend} in their weekend.\n\n\
             | Country | Zone | Local time | UTC offset | State |\n|---|---|---|---|---|\n\
             | France | Europe/Paris | {local} |\n"
        );
        assert_eq!(report(&sandbox, "report-FR.md"), expected);
    }
}

#[test]
fn offsets_of_quarters_and_west_of_greenwich_are_written_as_they_are() {
    if !has_zones() {
        return;
    }
    let sandbox = at(AFTER);
    sandbox.ok("sh etl.sh --full --format csv");
    let rows = cells(&report(&sandbox, "report.csv"));
    let row = |zone: &str| rows.iter().find(|row| row[2] == zone).unwrap()[3..6].join(" ");
    assert_eq!(row("Asia/Kathmandu"), "Sun 06:45 +05:45 asleep");
    assert_eq!(row("America/St_Johns"), "Sat 22:30 -02:30 weekend");
    assert_eq!(row("Pacific/Kiritimati"), "Sun 15:00 +14:00 weekend");
}

#[test]
fn a_full_report_has_every_place_and_a_short_one_each_country_once() {
    if !has_zones() {
        return;
    }
    let sandbox = at(BEFORE);
    let said = sandbox.ok("sh etl.sh --full --format csv");
    assert_eq!(said.lines().count(), 13, "{said}");
    let rows = cells(&report(&sandbox, "report.csv"));
    assert!(rows.iter().all(|row| row.len() == 7 && row.iter().take(6).all(|cell| !cell.is_empty())));
    let found: BTreeSet<_> = rows[1..].iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    assert_eq!(rows.len() - 1, found.len());
    assert_eq!(found, places().into_iter().collect());
    let papua = rows.iter().find(|row| row[0] == "PG" && row[2] == "Pacific/Port_Moresby").unwrap();
    assert_eq!(papua[6], "Papua New Guinea (most areas), Chuuk, Yap, Dumont d'Urville");

    sandbox.ok("sh etl.sh --format csv");
    let rows = cells(&report(&sandbox, "report.csv"));
    let found: BTreeSet<_> = rows[1..].iter().map(|row| row[0].clone()).collect();
    assert_eq!(rows.len() - 1, found.len());
    assert_eq!(found, places().into_iter().map(|(code, _)| code).collect());
}

#[test]
fn quotes_and_commas_of_the_data_stay_within_their_cell() {
    if !has_zones() {
        return;
    }
    let sandbox = at(BEFORE);
    let data = sandbox.work().join("data");
    fs::write(data.join("iso3166.tab"), "XX\tThe \"Free\" Port, Ltd.\n").unwrap();
    fs::write(data.join("zone1970.tab"), "XX\t+0000+00000\tUTC\t\"a\", b\n").unwrap();
    sandbox.ok("sh etl.sh --format csv");
    let rows = cells(&report(&sandbox, "report.csv"));
    let expected = ["XX", "The \"Free\" Port, Ltd.", "UTC", "Sun 00:59", "+00:00", "asleep", "\"a\", b"];
    assert_eq!(rows[1], expected);
}

#[test]
fn bad_arguments_are_refused_and_nothing_is_written() {
    for (arguments, code, words) in [
        ("--country XX", 65, "expected an ISO 3166 country code, found XX"),
        ("--country fr", 65, "found fr"),
        ("--country .", 65, "found ."),
        ("--country ../../FR", 65, "found ../../FR"),
        ("--country", 2, "expected a country after --country"),
        ("--country ''", 2, "expected a country after --country"),
        ("--format", 2, "expected md or csv after --format"),
        ("--format json", 64, "expected md or csv, found json"),
        ("--all", 64, "expected --country CODE, --format md|csv or --full, found --all"),
        ("FR", 64, "found FR"),
    ] {
        let sandbox = at(BEFORE);
        sandbox.run(&format!("{ETL} {arguments}")).failed(code, words);
        assert!(sandbox.listing().is_empty(), "{arguments}");
    }
}

#[test]
fn a_report_that_fails_midway_leaves_the_old_one() {
    if !has_zones() {
        return;
    }
    for tool in ["date", "mv", "sort"] {
        let sandbox = at(BEFORE);
        sandbox.ok("sh etl.sh --country FR");
        let before = report(&sandbox, "report-FR.md");
        let sandbox = sandbox.with("TEKCRON_SCHEDULED_TIME", AFTER);
        sandbox.shim(tool, "exit 1");
        let ran = sandbox.run("sh etl.sh --country FR");
        assert_ne!(ran.code, Some(0), "{tool}: {ran}");
        assert_eq!(report(&sandbox, "report-FR.md"), before, "{tool}");
    }
}

#[test]
fn without_the_zones_there_is_no_report_rather_than_a_wrong_one() {
    let empty = tempfile::TempDir::new().unwrap();
    for (zones, words) in [
        (empty.path().join("nowhere"), "expected the time zone database (package tzdata)"),
        (empty.path().to_owned(), "expected time zones in"),
    ] {
        let sandbox = at(BEFORE).with("TZDIR", zones.to_str().unwrap());
        sandbox.run("sh etl.sh --country JP").failed(69, words);
        assert!(sandbox.listing().is_empty());
    }
}

#[test]
fn a_zone_that_the_machine_does_not_know_is_left_out_and_named() {
    if !has_zones() {
        return;
    }
    let sandbox = at(BEFORE);
    let data = "FR\t+4852+00220\tEurope/Paris\t\nFR\t+0000+00000\tEurope/Atlantis\t\n";
    fs::write(sandbox.work().join("data/zone1970.tab"), data).unwrap();
    let ran = sandbox.run("sh etl.sh --full --format csv");
    assert!(ran.err.contains("left out Europe/Atlantis"), "{ran}");
    assert_eq!(cells(&report(&sandbox, "report.csv")).len(), 2);
}

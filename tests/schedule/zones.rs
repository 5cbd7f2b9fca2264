//! Names of time zones.

use tekcron::schedule::{Zone, tzdb_version};

const EXPECTED: &str = "expected an IANA time zone such as `Europe/Paris`, found";

#[test]
fn a_zone_is_known_by_its_name_in_the_databases_spelling() {
    for (given, shown) in [
        ("Europe/Paris", "Europe/Paris"),
        ("europe/PARIS", "Europe/Paris"),
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("Etc/GMT-2", "Etc/GMT-2"),
        ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        // Older names stay what they were: a schedule's key holds them.
        ("Asia/Calcutta", "Asia/Calcutta"),
    ] {
        assert_eq!(given.parse::<Zone>().unwrap().to_string(), shown, "{given}");
    }
}

#[test]
fn what_is_no_zone_is_refused_with_the_nearest_real_one() {
    for (given, rest) in [
        ("Europe/Pari", "`Europe/Pari`\nhint: `Europe/Paris`"),
        ("Europe/Londn", "`Europe/Londn`\nhint: `Europe/London`"),
        ("America/NewYork", "`America/NewYork`\nhint: `America/New_York`"),
        ("New York", "`New York`\nhint: `America/New_York`"),
        ("Tokyo", "`Tokyo`\nhint: `Asia/Tokyo`"),
        ("US/Pacfic", "`US/Pacfic`\nhint: `US/Pacific`"),
        ("PST", "`PST`\nhint: name a place: an abbreviation stands for several, and not all year"),
    ] {
        assert_eq!(refusal(given), format!("{EXPECTED} {rest}"), "{given}");
    }
    for given in [
        "Mars/Olympus_Mons",
        "",
        "localtime",
        "Etc/Unknown",
        "../../../etc/passwd",
        "/usr/share/zoneinfo/Europe/Paris",
    ] {
        let hint = "`UTC`, or an area and a city in it; `timedatectl list-timezones` lists them all";
        assert_eq!(refusal(given), format!("{EXPECTED} `{given}`\nhint: {hint}"));
    }
}

#[test]
fn offsets_and_posix_rules_are_refused_as_what_they_are() {
    for (given, rest) in [
        ("+02:00", "the fixed offset `+02:00`\nhint: `Etc/GMT-2` is UTC+2, all year"),
        ("-0500", "the fixed offset `-0500`\nhint: `Etc/GMT+5` is UTC-5, all year"),
        ("UTC+1", "the fixed offset `UTC+1`\nhint: `Etc/GMT-1` is UTC+1, all year"),
        ("GMT-3", "the fixed offset `GMT-3`\nhint: `Etc/GMT+3` is UTC-3, all year"),
        (
            "+05:30",
            "the fixed offset `+05:30`\nhint: name a place that has this offset, as `Asia/Kolkata` has +05:30",
        ),
        ("+00:00", "the fixed offset `+00:00`\nhint: `UTC`"),
        ("Z", "the fixed offset `Z`\nhint: `UTC`"),
        (
            "EST5EDT,M3.2.0,M11.1.0",
            "the POSIX rule `EST5EDT,M3.2.0,M11.1.0`\nhint: a place brings its rules along",
        ),
        ("<+03>-3", "the POSIX rule `<+03>-3`\nhint: a place brings its rules along"),
    ] {
        assert_eq!(refusal(given), format!("{EXPECTED} {rest}"), "{given}");
    }
}

#[test]
fn the_version_of_the_database_names_its_origin() {
    let version = tzdb_version();
    let (number, origin) = version.split_once(" (").unwrap();
    assert!(number == "unknown version" || number.starts_with("20"), "{version}");
    assert!(origin == "bundled)" || origin.starts_with("system, /"), "{version}");
}

fn refusal(text: &str) -> String {
    text.parse::<Zone>().map(|zone| panic!("{text} is {zone}")).unwrap_err().to_string()
}

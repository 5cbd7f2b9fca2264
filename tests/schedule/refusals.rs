//! What is refused, in which words, and at which place.

use proptest::prelude::*;
use tekcron::schedule::{DstMode, Expression, Recurrence, Zone};

const UNITS: &str = "as in `@every 15m`; units are `w`, `d`, `h`, `m` and `s`, the larger ones first";

/// The expression, the part that is wrong, what is said, and the hint.
const REFUSALS: &[(&str, &str, &str, &str)] = &[
    // Numbers out of range.
    ("60 * * * *", "60", "minute: expected a number from 0 to 59, found `60`", "a full hour is `0`"),
    ("61 * * * *", "61", "minute: expected a number from 0 to 59, found `61`", "the last minute is `59`"),
    ("60 0 * * * *", "60", "second: expected a number from 0 to 59, found `60`", "a full minute is `0`"),
    ("0 24 * * *", "24", "hour: expected a number from 0 to 23, found `24`", "midnight is `0`"),
    (
        "0 0 0 * *",
        "0",
        "day of month: expected a number from 1 to 31, found `0`",
        "the first day of month is `1`",
    ),
    (
        "0 0 32 * *",
        "32",
        "day of month: expected a number from 1 to 31, found `32`",
        "the last day of month is `31`",
    ),
    (
        "0 0 1 13 *",
        "13",
        "month: expected a number from 1 to 12 or a name from JAN to DEC, found `13`",
        "the last month is `12`",
    ),
    (
        "0 0 * * 8",
        "8",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `8`",
        "Sunday is `0` or `7`",
    ),
    (
        "0 0 * * 1-8",
        "8",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `8`",
        "Sunday is `0` or `7`",
    ),
    (
        "1,2,99999999999999999999 * * * *",
        "99999999999999999999",
        "minute: expected a number from 0 to 59, found `99999999999999999999`",
        "the last minute is `59`",
    ),
    // Of several mistakes the first.
    ("61 25 32 13 8", "61", "minute: expected a number from 0 to 59, found `61`", "the last minute is `59`"),
    ("0 25 32 13 8", "25", "hour: expected a number from 0 to 23, found `25`", "the last hour is `23`"),
    (
        "0 0 1 13 8",
        "13",
        "month: expected a number from 1 to 12 or a name from JAN to DEC, found `13`",
        "the last month is `12`",
    ),
    // What is no number and no name.
    (
        "-1 * * * *",
        "-1",
        "minute: expected a number from 0 to 59, found `-1`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "x * * * *",
        "x",
        "minute: expected a number from 0 to 59, found `x`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "+5 * * * *",
        "+5",
        "minute: expected a number from 0 to 59, found `+5`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "1.5 * * * *",
        "1.5",
        "minute: expected a number from 0 to 59, found `1.5`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "٣ * * * *",
        "٣",
        "minute: expected a number from 0 to 59, found `٣`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "1-2-3 * * * *",
        "1-2-3",
        "minute: expected a number from 0 to 59, found `1-2-3`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "5- * * * *",
        "5-",
        "minute: expected a number from 0 to 59, found `5-`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "? * * * *",
        "?",
        "minute: expected a number from 0 to 59, found `?`",
        "`?` stands only in a day field, alone; `*` means any",
    ),
    (
        "0 0 ?/2 * *",
        "?",
        "day of month: expected a number from 1 to 31, found `?`",
        "`?` stands only in a day field, alone; `*` means any",
    ),
    (
        "0 0 * * MOM",
        "MOM",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `MOM`",
        "`MON`",
    ),
    (
        "0 0 * * Monday",
        "Monday",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `Monday`",
        "`MON`",
    ),
    (
        "0 0 1 sept *",
        "sept",
        "month: expected a number from 1 to 12 or a name from JAN to DEC, found `sept`",
        "`SEP`",
    ),
    (
        "0 0 * MON *",
        "MON",
        "month: expected a number from 1 to 12 or a name from JAN to DEC, found `MON`",
        "`MON` is a day of week; the order is minute, hour, day of month, month, day of week",
    ),
    (
        "0 0 1 * JAN",
        "JAN",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `JAN`",
        "`JAN` is a month; the order is minute, hour, day of month, month, day of week",
    ),
    // Steps.
    ("5/15 * * * *", "5/15", "minute: expected `*` or a range before `/`, found `5/15`", "`5-59/15`"),
    ("0 8/2 * * *", "8/2", "hour: expected `*` or a range before `/`, found `8/2`", "`8-23/2`"),
    ("0 0 * * 1/2", "1/2", "day of week: expected `*` or a range before `/`, found `1/2`", "`1-6/2`"),
    (
        "0 0 * * MON/2",
        "MON/2",
        "day of week: expected `*` or a range before `/`, found `MON/2`",
        "`MON-SAT/2`",
    ),
    ("/5 * * * *", "/5", "minute: expected `*` or a range before `/`, found `/5`", "`*/5`"),
    ("5/x * * * *", "5/x", "minute: expected `*` or a range before `/`, found `5/x`", "`5-59/2`"),
    (
        "*/0 * * * *",
        "*/0",
        "minute: expected a step from 1 to 59 after `/`, found `0`",
        "`*` is every minute, `*/2` every second one",
    ),
    (
        "*/ * * * *",
        "*/",
        "minute: expected a step from 1 to 59 after `/`, found nothing",
        "`*` is every minute, `*/2` every second one",
    ),
    (
        "*/x * * * *",
        "*/x",
        "minute: expected a step from 1 to 59 after `/`, found `x`",
        "`*` is every minute, `*/2` every second one",
    ),
    (
        "*/5/5 * * * *",
        "*/5/5",
        "minute: expected a step from 1 to 59 after `/`, found `5/5`",
        "`*` is every minute, `*/2` every second one",
    ),
    (
        "*/90 * * * *",
        "*/90",
        "minute: expected a step from 1 to 59 after `/`, found `90`",
        "a step counts within one hour; this would match only `0`",
    ),
    (
        "0 9-17/24 * * *",
        "9-17/24",
        "hour: expected a step from 1 to 23 after `/`, found `24`",
        "a step counts within one day; this would match only `9`",
    ),
    // Lists.
    ("1,,2 * * * *", "1,,2", "minute: expected a value on each side of a comma, found `1,,2`", "`1,2`"),
    ("* * * * ,", ",", "day of week: expected a value on each side of a comma, found `,`", "`*` means any"),
    ("0 0 * * +", "+", "day of week: expected a value after `+`, found nothing", "`+MON`"),
    // The number of fields.
    (
        "",
        "",
        "expected 5 fields (minute, hour, day of month, month, day of week), or 6 with the second first, found nothing",
        "`0 2 * * *` is every day at 02:00",
    ),
    (
        "0 2 *",
        "0 2 *",
        "expected 5 fields (minute, hour, day of month, month, day of week), or 6 with the second first, found 3 (`0 2 *`)",
        "`0 2 * * *`, if any will do in the rest",
    ),
    (
        "0 0 2 * * ? 2026",
        "2026",
        "expected 5 fields (minute, hour, day of month, month, day of week), or 6 with the second first, found 7 (`0 0 2 * * ? 2026`)",
        "there is no field for the year: `0 0 2 * * ?`",
    ),
    (
        "0 2 * * * root run this now",
        "run this now",
        "expected 5 fields (minute, hour, day of month, month, day of week), or 6 with the second first, found 9 (`0 2 * * * root run this now`)",
        "what is to run stands in `command`, not behind the fields",
    ),
    // Days that each month has elsewhere.
    (
        "0 0 32W * *",
        "32W",
        "day of month: expected a number from 1 to 31 before `W`, found `32`",
        "`31W`, or `LW` for the last working day",
    ),
    (
        "0 0 0W * *",
        "0W",
        "day of month: expected a number from 1 to 31 before `W`, found `0`",
        "`1W` is the first working day",
    ),
    (
        "0 0 1-15W * *",
        "1-15W",
        "day of month: expected one day or `L` before `W`, found `1-15W`",
        "`15W`, one for each day: `14W,15W`",
    ),
    (
        "0 0 W * *",
        "W",
        "day of month: expected one day or `L` before `W`, found `W`",
        "`15W`, one for each day: `14W,15W`",
    ),
    (
        "0 0 L-3W * *",
        "L-3W",
        "day of month: expected one day or `L` before `W`, found `L-3W`",
        "`LW` is the last working day",
    ),
    (
        "0 0 L-31 * *",
        "L-31",
        "day of month: expected a number of days from 1 to 30 after `L-`, found `31`",
        "`L-30` is the 1st of a month of 31 days",
    ),
    (
        "0 0 L-0 * *",
        "L-0",
        "day of month: expected a number of days from 1 to 30 after `L-`, found `0`",
        "`L` is the last day itself, `L-1` the one before it",
    ),
    (
        "0 0 L- * *",
        "L-",
        "day of month: expected a number of days from 1 to 30 after `L-`, found nothing",
        "`L` is the last day itself, `L-1` the one before it",
    ),
    (
        "0 0 5L * *",
        "5L",
        "day of month: expected a day, found the weekday `5L`",
        "`*` as day of month, and `5L` as day of week",
    ),
    (
        "0 0 28L * *",
        "28L",
        "day of month: expected a day, found the weekday `28L`",
        "`L` is the last day, `L-1` the one before it",
    ),
    (
        "0 0 mon#2 * *",
        "mon#2",
        "day of month: expected a day, found the weekday `mon#2`",
        "`*` as day of month, and `MON#2` as day of week",
    ),
    (
        "0 0 * * MON#6",
        "MON#6",
        "day of week: expected a number from 1 to 5 after `#`, found `6`",
        "`MON#5`, or `MONL` for the last one of the month",
    ),
    (
        "0 0 * * MON#0",
        "MON#0",
        "day of week: expected a number from 1 to 5 after `#`, found `0`",
        "`MON#1` is the first one of the month",
    ),
    (
        "0 0 * * 5#",
        "5#",
        "day of week: expected a number from 1 to 5 after `#`, found nothing",
        "`5#1` is the first one of the month",
    ),
    (
        "0 0 * * 5#L",
        "5#L",
        "day of week: expected a number from 1 to 5 after `#`, found `L`",
        "`5#5`, or `5L` for the last one of the month",
    ),
    ("0 0 * * #2", "#2", "day of week: expected a weekday before `#`, found `#2`", "`MON#2`"),
    (
        "0 0 * * 8#2",
        "8",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `8`",
        "Sunday is `0` or `7`",
    ),
    (
        "0 0 * * L",
        "L",
        "day of week: expected a weekday before `L`, found `L` alone",
        "`FRIL` is the last Friday of the month; Quartz takes `L` alone for `SAT`",
    ),
    (
        "0 0 * * FRUL",
        "FRU",
        "day of week: expected a number from 0 to 7 or a name from SUN to SAT, found `FRU`",
        "`FRI`",
    ),
    (
        "0 0 * * 15w",
        "15w",
        "day of week: expected a weekday, found the day of month `15w`",
        "`15W` as day of month, and `*` as day of week",
    ),
    (
        "0 0 * * L-3",
        "L-3",
        "day of week: expected a weekday, found the day of month `L-3`",
        "`L-3` as day of month, and `*` as day of week",
    ),
    (
        "0 L * * *",
        "L",
        "hour: expected a number from 0 to 23, found `L`",
        "`L`, `W` and `#` stand only in day fields",
    ),
    // Values by the job's name.
    ("H(50-70) * * * *", "70", "minute: expected a number from 0 to 59, found `70`", "`H(50-59)`"),
    ("0 0 H(0-9) * *", "0", "day of month: expected a number from 1 to 31, found `0`", "`H(1-9)`"),
    ("0 H(24-99) * * *", "24", "hour: expected a number from 0 to 23, found `24`", "`H(0-23)`"),
    (
        "H(a-9) * * * *",
        "a",
        "minute: expected a number from 0 to 59, found `a`",
        "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`",
    ),
    (
        "H(5) * * * *",
        "H(5)",
        "minute: expected `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, found `H(5)`",
        "`H(5-59)`",
    ),
    ("H() * * * *", "H()", "minute: expected `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, found `H()`", "`H`"),
    (
        "H(0-5 * * * *",
        "H(0-5",
        "minute: expected `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, found `H(0-5`",
        "`H(0-5)`",
    ),
    ("H5 * * * *", "H5", "minute: expected `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, found `H5`", "`H/5`"),
    ("H-5 * * * *", "H-5", "minute: expected `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, found `H-5`", "`H(0-5)`"),
    (
        "0 H/24 * * *",
        "H/24",
        "hour: expected a step from 1 to 23 after `/`, found `24`",
        "`H` is one value of each day",
    ),
    (
        "H(0-10)/20 * * * *",
        "H(0-10)/20",
        "minute: expected a step from 1 to 11 after `/`, found `20`",
        "`H(0-10)` is one value of each hour",
    ),
    (
        "H/ * * * *",
        "H/",
        "minute: expected a step from 1 to 59 after `/`, found nothing",
        "`H/2` is every second minute",
    ),
    (
        "0~30 * * * *",
        "0~30",
        "minute: `~` (a random value) has no slot to account for, found `0~30`",
        "`H(0-30)` is a value by the job's name",
    ),
    (
        "~ * * * *",
        "~",
        "minute: `~` (a random value) has no slot to account for, found `~`",
        "`H` is a value by the job's name",
    ),
    // Instants.
    ("@every", "@every", "expected a duration after `@every`, found nothing", UNITS),
    ("@every soon", "soon", "expected a duration after `@every`, found `soon`", UNITS),
    (
        "@every 15",
        "15",
        "expected a duration with its unit after `@every`, found `15`",
        "`@every 15m`, `@every 15s`",
    ),
    (
        "@every 500ms",
        "500ms",
        "expected whole seconds after `@every`, found `500ms`",
        "`@every 1s` is the shortest",
    ),
    ("@every 0s", "0s", "expected whole seconds after `@every`, found `0s`", "`@every 1s` is the shortest"),
    (
        "@every -1h",
        "-1h",
        "expected whole seconds after `@every`, found `-1h`",
        "`@every 1s` is the shortest",
    ),
    (
        "@every 1mo",
        "1mo",
        "expected a duration without months and years after `@every`, found `1mo`",
        "these differ in length: `@monthly`, `@yearly`, or weeks and days",
    ),
    (
        "@every 400d",
        "400d",
        "expected a year at most after `@every`, found `400d`",
        "`@yearly`, or a date in fields, as in `0 0 1 1 *`",
    ),
    ("@at", "@at", "expected an instant after `@at`, found nothing", "`@at 2026-12-01T02:00:00Z`"),
    ("@at noon", "noon", "expected an instant after `@at`, found `noon`", "`@at 2026-12-01T02:00:00Z`"),
    (
        "@at 2026-12-01 02:00",
        "2026-12-01 02:00",
        "expected an instant after `@at`, found `2026-12-01 02:00`",
        "with its distance from UTC: `@at 2026-12-01T02:00:00Z`, `@at 2026-12-01T02:00:00+01:00`",
    ),
    (
        "@at 2026-12-01T02:00:00.5Z",
        "2026-12-01T02:00:00.5Z",
        "expected a whole second after `@at`, found `2026-12-01T02:00:00.5Z`",
        "`@at 2026-12-01T02:00:00Z`",
    ),
    (
        "@at 2126-12-01T02:00:00Z",
        "2126-12-01T02:00:00Z",
        "expected an instant in the years 1970 to 2100 after `@at`, found `2126-12-01T02:00:00Z`",
        "`@at 2026-12-01T02:00:00Z`",
    ),
    // What other crons know, by name.
    (
        "@reboot",
        "@reboot",
        "`@reboot` names no time: each run belongs to a slot, and a start of the machine is none",
        "let the machine's init system start the job by `tekcron run-job`",
    ),
    (
        "@dayly",
        "@dayly",
        "expected one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, `@every`, `@at`, found `@dayly`",
        "`@daily`",
    ),
    (
        "@fortnightly",
        "@fortnightly",
        "expected one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, `@every`, `@at`, found `@fortnightly`",
        "or five fields, as in `0 2 * * *` for every day at 02:00",
    ),
    (
        "@daily at noon",
        "at noon",
        "expected nothing after `@daily`, found `at noon`",
        "`@daily` is all there is to it; `0 0 * * *` is the same in fields",
    ),
    (
        "CRON_TZ=Europe/Paris 0 2 * * *",
        "CRON_TZ=Europe/Paris",
        "expected the first field, found the time zone `CRON_TZ=Europe/Paris`",
        "the zone stands beside the expression: `timezone = \"Europe/Paris\"`",
    ),
    (
        "TZ=UTC @daily",
        "TZ=UTC",
        "expected the first field, found the time zone `TZ=UTC`",
        "the zone stands beside the expression: `timezone = \"UTC\"`",
    ),
];

#[test]
fn an_expression_with_every_value_listed_is_read_and_a_longer_one_is_not_said_back() {
    let list =
        |first: u8, last: u8| (first..=last).map(|value| value.to_string()).collect::<Vec<_>>().join(",");
    let [minutes, hours, days, months, weekdays] =
        [list(0, 59), list(0, 23), list(1, 31), list(1, 12), list(0, 7)];
    let all = format!("{minutes} {minutes} {hours} {days} {months} {weekdays}");
    assert!(all.parse::<Expression>().is_ok(), "{} bytes", all.len());
    for endless in ["0,".repeat(50_000), "* ".repeat(50_000), format!("@{}", "x".repeat(100_000))] {
        let error = endless.parse::<Expression>().unwrap_err();
        let expected =
            format!("expected an expression of at most 1000 bytes, found {}", endless.trim().len());
        assert_eq!(
            (error.message(), error.hint()),
            (&*expected, "ranges and steps say it shorter, as in `0-59/5`")
        );
        assert_eq!(error.span(), 0..endless.trim().len());
    }
}

#[test]
fn a_text_that_is_no_expression_is_refused_with_the_place_the_reason_and_a_hint() {
    for (text, place, message, hint) in REFUSALS {
        let Err(error) = text.parse::<Expression>() else { panic!("`{text}` is no expression") };
        assert_eq!(error.message(), *message, "`{text}`");
        assert_eq!(error.hint(), *hint, "`{text}`");
        assert_eq!(&text[error.span()], *place, "`{text}`");
        assert_eq!(error.to_string(), format!("{message}\nhint: {hint}"));
    }
}

#[test]
fn a_place_is_counted_from_the_start_of_the_text_as_it_was_given() {
    let error = "   * *\t* * 1,8 ".parse::<Expression>().unwrap_err();
    assert_eq!(error.span(), 13..14);
}

/// What never comes, what the month can have, and what is offered instead.
const NEVER: &[(&str, &str)] = &[
    ("0 0 30 2 *", "this month has at most 29 days: `0 0 28 2 *`"),
    ("0 0 30,31 FEB +MON", "this month has at most 29 days: `0 0 28 FEB +MON`"),
    ("0 0 31 4,6,9,11 *", "these months have at most 30 days: `0 0 30 4,6,9,11 *`"),
    ("30 0 0 31 SEP ?", "this month has at most 30 days: `30 0 0 30 SEP ?`"),
    ("0 0 31 2-2/2 */2", "this month has at most 29 days: `0 0 28 2-2/2 */2`"),
    ("0 0 L-29 2 *", "this month has at most 29 days, and a day must match both day fields"),
    ("0 0 31W 4 *", "this month has at most 30 days, and a day must match both day fields"),
    ("0 0 1 * +MON#2", "these months have at most 31 days, and a day must match both day fields"),
];

#[test]
fn an_expression_that_never_comes_is_refused_in_each_mode() {
    for (expression, hint) in NEVER {
        for mode in crate::sample::MODES {
            let error = Recurrence::new(expression.parse().unwrap(), Zone::UTC, mode).unwrap_err();
            let message =
                format!("expected a day that one of the months has, found `{expression}`, which never comes");
            assert_eq!(error.to_string(), format!("{message}\nhint: {hint}"));
        }
        let Some(instead) = hint.split('`').nth(1) else { continue };
        assert!(Recurrence::new(instead.parse().unwrap(), Zone::UTC, DstMode::Vixie).is_ok(), "{instead}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_at_a_place_that_it_has(
        text in prop_oneof!["(?s).{0,40}", "[-0-9*/,?+LWH#@~A-Z() \t\n]{0,24}", "([0-9LHW()/#-]{1,6} ){4}[0-9LHW()/#A-Z-]{1,6}", "@(every|at|reboot|daily)[ \n][0-9a-z]{0,6}"],
    ) {
        if let Err(error) = text.parse::<Expression>() {
            prop_assert!(text.get(error.span()).is_some(), "{:?} {:?}", text, error);
            prop_assert!(!error.message().contains('\n'), "{:?} {:?}", text, error);
        }
    }
}

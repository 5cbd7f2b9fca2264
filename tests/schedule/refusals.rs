//! What is refused, in which words, and at which place.

use proptest::prelude::*;
use tekcron::schedule::{DstMode, Expression, Recurrence, Zone};

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
    // What other crons know, by name.
    (
        "0 0 L * *",
        "L",
        "day of month: `L` (the last such day of the month) is not supported yet, found `L`",
        "`28-31`, with a command that goes on only where tomorrow is the 1st",
    ),
    (
        "0 0 L-3 * *",
        "L-3",
        "day of month: `L` (the last such day of the month) is not supported yet, found `L-3`",
        "`28-31`, with a command that goes on only where tomorrow is the 1st",
    ),
    (
        "0 0 * * 5L",
        "5L",
        "day of week: `L` (the last such day of the month) is not supported yet, found `5L`",
        "`22-28` as day of month with `+5` as day of week is the fourth",
    ),
    (
        "0 0 * * friL",
        "friL",
        "day of week: `L` (the last such day of the month) is not supported yet, found `friL`",
        "`22-28` as day of month with `+FRI` as day of week is the fourth",
    ),
    (
        "0 0 15W * *",
        "15W",
        "day of month: `W` (the working day nearest to a date) is not supported yet, found `15W`",
        "`15` is the date itself, whatever day of the week that is",
    ),
    (
        "0 0 LW * *",
        "LW",
        "day of month: `W` (the working day nearest to a date) is not supported yet, found `LW`",
        "`28-31`, with a command that goes on only where tomorrow is the 1st",
    ),
    (
        "0 0 * * FRI#2",
        "FRI#2",
        "day of week: `#` (the n-th weekday of the month) is not supported yet, found `FRI#2`",
        "`8-14` as day of month with `+FRI` as day of week",
    ),
    (
        "0 0 * * 1#5",
        "1#5",
        "day of week: `#` (the n-th weekday of the month) is not supported yet, found `1#5`",
        "`29-31` as day of month with `+1` as day of week",
    ),
    (
        "H * * * *",
        "H",
        "minute: `H` (a value by the job's name) is not supported yet, found `H`",
        "choose a value; `jitter` spreads starts",
    ),
    (
        "H/15 * * * *",
        "H/15",
        "minute: `H` (a value by the job's name) is not supported yet, found `H/15`",
        "choose a value; `jitter` spreads starts",
    ),
    (
        "0 H(0-5) * * *",
        "H(0-5)",
        "hour: `H` (a value by the job's name) is not supported yet, found `H(0-5)`",
        "choose a value; `jitter` spreads starts",
    ),
    (
        "0~30 * * * *",
        "0~30",
        "minute: `~` (a random value) is not supported yet, found `0~30`",
        "choose a value; `jitter` spreads starts",
    ),
    ("@every 15m", "@every 15m", "`@every` (a fixed interval) is not supported yet", "`*/15 * * * *`"),
    ("@every 1h", "@every 1h", "`@every` (a fixed interval) is not supported yet", "`0 * * * *`"),
    ("@every 30s", "@every 30s", "`@every` (a fixed interval) is not supported yet", "`*/30 * * * * *`"),
    ("@every 6h", "@every 6h", "`@every` (a fixed interval) is not supported yet", "`0 */6 * * *`"),
    (
        "@every 1h30m",
        "@every 1h30m",
        "`@every` (a fixed interval) is not supported yet",
        "a step that divides the hour or the day does, as in `*/15 * * * *`",
    ),
    (
        "@every",
        "@every",
        "`@every` (a fixed interval) is not supported yet",
        "a step that divides the hour or the day does, as in `*/15 * * * *`",
    ),
    (
        "@at 2026-12-01T02:00:00Z",
        "@at 2026-12-01T02:00:00Z",
        "`@at` (one instant) is not supported yet",
        "give the job no schedule, and start it when it is time by `tekcron run-job`",
    ),
    (
        "@reboot",
        "@reboot",
        "`@reboot` names no time: each run belongs to a slot, and a start of the machine is none",
        "let the machine's init system start the job by `tekcron run-job`",
    ),
    (
        "@dayly",
        "@dayly",
        "expected one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, found `@dayly`",
        "`@daily`",
    ),
    (
        "@fortnightly",
        "@fortnightly",
        "expected one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, found `@fortnightly`",
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
        let instead = hint.split('`').nth(1).unwrap();
        assert!(Recurrence::new(instead.parse().unwrap(), Zone::UTC, DstMode::Vixie).is_ok(), "{instead}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_at_a_place_that_it_has(
        text in prop_oneof!["(?s).{0,40}", "[-0-9*/,?+LWH#@~A-Z \t\n]{0,24}", "@(every|at|reboot|daily)[ \n][0-9a-z]{0,6}"],
    ) {
        if let Err(error) = text.parse::<Expression>() {
            prop_assert!(text.get(error.span()).is_some(), "{:?} {:?}", text, error);
            prop_assert!(!error.message().contains('\n'), "{:?} {:?}", text, error);
        }
    }
}

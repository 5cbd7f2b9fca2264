//! What a check warns of: each with its next date, each once, and many alike in one.

use insta::assert_snapshot;
use tekcron::cli::check::CheckOutcome;
use tekcron::config::Severity;

use crate::harness::{PLAIN, Place};

fn job(name: &str, keys: &str) -> String {
    format!("[[jobs]]\nname = \"{name}\"\n{keys}\n")
}

/// The warnings of a job, and that there is nothing else.
fn warned(keys: &str) -> Vec<String> {
    let place = Place::with_app(&format!("{PLAIN}{}", job("j", keys)));
    let problems = place.look().problems;
    assert_eq!(problems.errors(), 0, "{problems}");
    problems.iter().map(|problem| format!("{} | {}", problem.message, problem.hint)).collect()
}

#[test]
fn each_warning_names_the_next_time_at_which_it_bites() {
    let jobs = [
        job("last", "schedule = \"0 6 31 * *\""),
        job("either", "schedule = \"0 6 13 * FRI\""),
        job("sevens", "schedule = \"*/7 * * * *\"\noverlap = \"skip\""),
        job("heap", "schedule = \"* * * * *\"\ntimeout = \"10m\""),
        job("twice", "schedules = [{ cron = \"0 */6 * * *\" }, { cron = \"0 6 * * *\" }]"),
    ];
    let (outcome, screen) = Place::with_app(&format!("{PLAIN}{}", jobs.concat())).screen(None);
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Sound);
}

#[test]
fn what_does_what_it_says_is_not_warned_of() {
    for keys in [
        "schedule = \"0 6 28 * *\"",
        "schedule = \"0 6 L * *\"",
        "schedule = \"H H H * *\"",
        "schedule = \"@every 31d\"",
        "schedule = \"@at 2027-01-31T00:00:00Z\"",
        "schedule = \"0 6 1-31 * *\"",
        "schedule = \"0 6 31 1,12 *\"",
        "schedule = \"0 6 13 * +FRI\"",
        "schedule = \"*/15 * * * *\"\ntimeout = \"15m\"",
        "schedule = \"*/15 * * * *\"\noverlap = \"skip\"",
        "schedule = \"*/15 * * * *\"\noverlap = \"replace\"\ntimeout = \"0\"",
        "schedule = \"0 * * * *\"",
        "schedules = [{ cron = \"0 2 * * *\" }, { cron = \"30 2 * * *\" }]",
        "schedule = \"*/7 9 * * *\"\noverlap = \"skip\"",
    ] {
        assert_eq!(warned(keys), Vec::<String>::new(), "{keys}");
    }
}

#[test]
fn what_another_cron_reads_otherwise_is_not_told_twice() {
    let both = warned("schedule = \"0 0 1-31/2 * MON\"");
    assert_eq!(both.len(), 1, "{both:?}");
    assert!(
        both[0].starts_with(
            "a day that matches `1-31/2` (day of month) or `MON` (day of week) is enough: next on 2026-12-03"
        ),
        "{both:?}"
    );
    let otherwise = warned("schedule = \"0 0 1,* * MON\"");
    assert_eq!(otherwise.len(), 1, "{otherwise:?}");
    assert!(otherwise[0].contains("Kubernetes"), "{otherwise:?}");
}

#[test]
fn runs_pile_up_where_nothing_ends_them() {
    let without = warned("schedule = \"*/20 * * * *\"\ntimeout = \"0\"");
    assert!(
        without[0].starts_with(
            "any number of runs of this job at once: due every 20m, next again at 2026-12-01T00:40:00Z"
        ),
        "{without:?}"
    );
    let app = "[app]\nname = \"etl\"\ncommand = \"date\"\ntimeout = \"50m\"\n";
    let place = Place::with_app(&format!("{app}{}", job("j", "schedule = \"*/20 * * * *\"")));
    let found = place.look().problems.to_string();
    assert!(found.contains("up to 3 runs of this job at once"), "{found}");
}

#[test]
fn of_many_alike_three_are_shown_and_the_rest_counted() {
    let jobs: String = (0..20)
        .map(|number| job(&format!("job-{number}"), "schedule = \"30 2 * * *\"\ntimezone = \"Europe/Paris\""))
        .collect();
    let place = Place::with_app(&format!("{PLAIN}{jobs}"));
    let problems = place.look().problems;
    let found: Vec<_> = problems.iter().map(|problem| place.without_dir(&problem.message)).collect();
    assert_eq!(found.len(), 4, "{problems}");
    assert_eq!(
        found[3],
        "17 more schedules that meet a change of the clocks: config/apps/etl.toml:18, config/apps/etl.toml:22, config/apps/etl.toml:26, config/apps/etl.toml:30, config/apps/etl.toml:34 and 12 more"
    );
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning));
}

#[test]
fn a_crowd_at_minute_0_is_one_warning_of_the_whole() {
    let crowd = |count: usize, keys: &str| -> Vec<String> {
        let jobs: String = (0..count)
            .map(|number| {
                job(&format!("job-{number}"), &format!("schedule = \"0 {} * * *\"\n{keys}", number % 2))
            })
            .collect();
        let others: String =
            (0..3).map(|number| job(&format!("other-{number}"), "schedule = \"7 3 * * *\"")).collect();
        let problems = Place::with_app(&format!("{PLAIN}{jobs}{others}")).look().problems;
        problems.iter().map(|problem| problem.message.clone()).collect()
    };
    assert_eq!(
        crowd(11, ""),
        [
            "11 of 14 jobs with a schedule start at minute 0: next at 2026-12-02T00:00:00Z 6 of them, such as `plain.job-0`"
        ]
    );
    assert_eq!(crowd(8, ""), Vec::<String>::new());
    assert_eq!(crowd(11, "jitter = \"5m\""), Vec::<String>::new());
}

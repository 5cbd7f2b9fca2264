use insta::assert_snapshot;
use tekcron::cli::check::CheckOutcome;

use crate::harness::{PLAIN, Place};

const TEN_MISTAKES: &str = r#"
[app]
name = "ETL_Nightly"
image = "registry.example/etl:1.4"
path = "examples/etl"
cpu = "half"
memory = 512
timeout = "90"
keep = -1
services = ["warehause"]
comand = "sh etl.sh"

[app.env]
2ND = "no"

[[jobs]]
name = "nightly"
schedule = "0 2 * * *"
timezone = "Europe/Lundon"
overlap = "sometimes"

[[jobs]]
name = "nightly"
schedule = "0 0 30 2 *"
command = ["sh", 7]
"#;

const SETTINGS: &str = r#"
listen = "0.0.0.0:7070"
max_children = "many"
log_fromat = "json"
grace = "1 year"

[services.warehouse]
label = "postgres"
credentials = { uri = "postgres://etl:hunter2@db/x" }
"#;

#[test]
fn every_mistake_of_every_file_is_on_one_screen() {
    let place = Place::with(&[
        ("tekcron.toml", SETTINGS),
        ("apps/broken.toml", "[app]\nname = broken\ncommand = \"date\"\n"),
        ("apps/etl.toml", TEN_MISTAKES),
        ("apps/plain.toml", PLAIN),
        ("apps/twin.toml", PLAIN),
    ]);
    let (outcome, screen) = place.screen(None);
    assert_snapshot!(screen);
    assert!(matches!(outcome, CheckOutcome::Problems(_)));
}

#[test]
fn a_configuration_without_a_fault_says_what_it_holds() {
    let jobs = "[[jobs]]\nname = \"a\"\nschedule = \"0 2 * * *\"\n[[jobs]]\nname = \"b\"\n";
    let place = Place::with(&[("apps/plain.toml", &format!("{PLAIN}{jobs}"))]);
    let (outcome, screen) = place.screen(None);
    assert_eq!(screen, "no problems: 1 App, 2 jobs, 1 schedule\n");
    assert_eq!(outcome, CheckOutcome::Sound);
}

#[test]
fn warnings_do_not_fail_a_check() {
    let place = Place::with(&[("apps/lazy.toml", "[app]\nname = \"lazy\"\n"), ("stray.toml", PLAIN)]);
    let (outcome, screen) = place.screen(None);
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Sound);
}

#[test]
fn schedules_that_meet_a_change_of_the_clocks_are_warned_of() {
    let jobs = r#"
[[jobs]]
name = "skipped"
schedule = "30 2 * * *"
timezone = "Europe/Berlin"

[[jobs]]
name = "repeated"
schedules = [{ cron = "15 1 1-7 NOV SUN", timezone = "America/New_York", dst = "literal" }]

[[jobs]]
name = "untouched"
schedules = [{ cron = "0 12 * * *", timezone = "Europe/Berlin" }, { cron = "*/5 * * * *" }]
"#;
    let (outcome, screen) = Place::with_app(&format!("{PLAIN}{jobs}")).screen(None);
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Sound);
}

#[test]
fn an_expression_that_another_cron_reads_otherwise_is_warned_of() {
    let job = "[[jobs]]\nname = \"odd\"\nschedule = \" 0 0 */2 * 1\"\n";
    let (outcome, screen) = Place::with_app(&format!("{PLAIN}{job}")).screen(None);
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Sound);
}

#[test]
fn what_h_stands_for_is_shown_job_by_job() {
    let jobs = r#"
[[jobs]]
name = "spread"
schedules = [{ cron = "H H(0-5) * * *" }, { cron = "0 12 * * *" }]

[[jobs]]
name = "also"
schedule = "H/15 * * * *"
"#;
    let (outcome, screen) = Place::with_app(&format!("{PLAIN}{jobs}")).screen(None);
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Sound);
}

#[test]
fn a_missing_config_directory_is_named() {
    assert_snapshot!(Place::with(&[]).report());
}

#[test]
fn an_empty_config_directory_says_how_to_begin() {
    let place = Place::with(&[]);
    std::fs::create_dir(place.config()).unwrap();
    assert_snapshot!(place.report());
}

#[test]
fn a_file_whose_name_ends_almost_right_is_seen() {
    let place = Place::with(&[
        ("apps/plain.toml", PLAIN),
        ("apps/a.TOML", "!"),
        ("apps/c.tml", "!"),
        ("tekcron.tom", "!"),
        ("apps/README.md", "!"),
        ("apps/.b.TOML", "!"),
    ]);
    let (outcome, screen) = place.screen(None);
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Sound);
    let report = Place::with(&[("apps/a.TOML", PLAIN)]).report();
    assert!(report.contains("hint: only what ends in `.toml` is read, not `apps/a.TOML`"), "{report}");
}

#[test]
fn an_app_in_the_wrong_place_is_seen() {
    assert_snapshot!(Place::with(&[("etl.toml", PLAIN)]).report());
}

#[test]
fn the_directory_of_the_apps_is_not_the_configuration() {
    let (outcome, screen) = Place::with_app(PLAIN).screen(Some("config/apps"));
    assert_eq!(outcome, CheckOutcome::Problems(1));
    assert!(screen.contains("hint: name the directory that holds this one"), "{screen}");
}

#[test]
fn colour_is_only_where_it_is_asked_for() {
    let problems = Place::with_app("[app]").look().problems;
    assert!(problems.report(true).contains('\u{1b}'));
    assert!(!problems.to_string().contains('\u{1b}'));
}

#[test]
fn one_app_file_is_checked_against_the_settings_around_it() {
    let app = "[app]\nname = \"etl\"\ncommand = \"date\"\nservices = [\"db\", \"bd\"]\n";
    let settings = "[services.db]\ncredentials = { env = \"DB\" }\n";
    let place = Place::with(&[("tekcron.toml", settings), ("apps/etl.toml", app), ("apps/bad.toml", "!")]);
    let (outcome, screen) = place.screen(Some("config/apps/etl.toml"));
    assert_snapshot!(screen);
    assert_eq!(outcome, CheckOutcome::Problems(1));
}

#[test]
fn an_app_file_elsewhere_may_bind_services_that_nobody_knows() {
    let app = "[app]\nname = \"etl\"\ncommand = \"date\"\nservices = [\"db\"]\n";
    let place = Place::with(&[("../etl.toml", app)]);
    let (outcome, screen) = place.screen(Some("etl.toml"));
    assert_eq!(
        (outcome, screen.as_str()),
        (CheckOutcome::Sound, "no problems: 1 App, 0 jobs, 0 schedules\n")
    );
}

#[test]
fn the_settings_file_stands_for_its_configuration() {
    let place = Place::with_settings("grace = \"5s\"\n");
    let (outcome, screen) = place.screen(Some("config/tekcron.toml"));
    assert_eq!(
        (outcome, screen.as_str()),
        (CheckOutcome::Sound, "no problems: 1 App, 0 jobs, 0 schedules\n")
    );
}

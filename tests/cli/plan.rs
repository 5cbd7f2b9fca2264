//! What a configuration will start, and how that is written.

use serde_json::Value;

use crate::offline::Home;

const ETL: &str = r#"
[app]
name = "etl"
command = "sh etl.sh"

[[jobs]]
name = "refill"

[[jobs]]
name = "nightly"
schedule = "30 2 * * *"
timezone = "Europe/Paris"

[[jobs]]
name = "hourly"
schedule = "0 * * * *"
jitter = "10m"

[[jobs]]
name = "early"
schedules = [{ cron = "0 1 * * *" }, { cron = "30 0 1 * * *" }]
"#;

const MAIL: &str = r#"
[app]
name = "mail"
command = "sh mail.sh"
[[jobs]]
name = "report"
schedule = "*/30 * * * *"
"#;

fn home() -> Home {
    Home::with(&[("etl", ETL), ("mail", MAIL)])
}

/// The night in which Paris has no half past two.
const NIGHT: [&str; 4] = ["--from", "2026-03-29T00:30:00Z", "--to", "2026-03-29T02:00:00Z"];

#[tokio::test]
async fn people_see_each_fire_in_time_order_and_what_meets() {
    let run = home().run(&[&["plan"][..], &NIGHT].concat()).await;
    insta::assert_snapshot!(run);
}

#[tokio::test]
async fn programs_get_the_same_as_one_object() {
    let run = home().run(&[&["plan", "-o", "json"][..], &NIGHT].concat()).await;
    let plan: Value = serde_json::from_str(&run.out).unwrap();
    let fires = plan["fires"].as_array().unwrap();
    assert_eq!((run.code, fires.len()), (0, 7), "{run}");
    let nightly = fires.iter().find(|fire| fire["job"] == "etl.nightly").unwrap();
    assert_eq!(
        (&nightly["scheduled"], &nightly["local"]),
        (&"2026-03-29T01:00:00Z".into(), &"2026-03-29T03:00:00+02:00".into())
    );
    let hourly = fires.iter().find(|fire| fire["job"] == "etl.hourly").unwrap();
    assert!(hourly["starts"].as_str() > hourly["scheduled"].as_str(), "{hourly}");
    let load: u64 =
        plan["load"].as_array().unwrap().iter().map(|minute| minute["starts"].as_u64().unwrap()).sum();
    assert_eq!(load, 7);
    assert_eq!(plan["together"][0]["jobs"], serde_json::json!(["etl.early", "etl.nightly", "mail.report"]));
    assert_eq!(plan["together_of_one_app"][0]["jobs"], serde_json::json!(["etl.early", "etl.nightly"]));
}

#[tokio::test]
async fn a_configuration_that_starts_nothing_is_a_whole_answer_too() {
    let home = Home::with(&[("etl", "[app]\nname = \"etl\"\ncommand = \"date\"\n")]);
    let from = ["plan", "--from", "2026-03-29", "-o"];
    let run = home.run(&[&from[..], &["json"]].concat()).await;
    let plan: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (run.code, &plan["fires"], &plan["load"]),
        (0, &serde_json::json!([]), &serde_json::json!([]))
    );
    let run = home.run(&[&from[..], &["svg"]].concat()).await;
    assert!(run.code == 0 && run.out.ends_with("</svg>\n"), "{run}");
    let run = home.run(&[&from[..], &["table"]].concat()).await;
    assert!(run.out.contains("0 fires of 0 jobs from 2026-03-29T00:00:00Z to 2026-03-30T00:00:00Z"), "{run}");
}

#[tokio::test]
async fn a_calendar_keeps_to_the_letter_of_its_format() {
    let long = "a-name-as-long-as-a-kubernetes-label-may-be-which-is-63-letters";
    let app = format!(
        "[app]\nname = \"{long}\"\ncommand = \"date\"\n[[jobs]]\nname = \"{long}\"\nschedule = \"0,30 1 * * *\"\njitter = \"5m\"\n"
    );
    let run = Home::with(&[("etl", &app)]).run(&["plan", "--from", "2026-03-29", "-o", "ics"]).await;
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(run.out.matches('\n').count(), run.out.matches("\r\n").count());
    assert!(run.out.split("\r\n").all(|line| line.len() <= 75), "{run}");
    let unfolded = run.out.replace("\r\n ", "");
    let lines: Vec<_> = unfolded.lines().collect();
    assert_eq!(
        (lines[0], lines[1], *lines.last().unwrap()),
        ("BEGIN:VCALENDAR", "VERSION:2.0", "END:VCALENDAR")
    );
    for (line, count) in [("BEGIN:VEVENT", 2), ("END:VEVENT", 2)] {
        assert_eq!(lines.iter().filter(|found| **found == line).count(), count, "{unfolded}");
    }
    let uids: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("UID:")).collect();
    assert!(uids[0].starts_with(&format!("{long}.{long}.")) && uids[0] != uids[1], "{uids:?}");
    let starts: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("DTSTART:")).collect();
    assert!(starts[0] >= "20260329T010000Z" && starts[0] < "20260329T010500Z", "{starts:?}");
    assert!(lines.contains(&&*format!("SUMMARY:{long}.{long}")), "{unfolded}");
    assert!(
        unfolded.contains(r"DESCRIPTION:0\,30 1 * * * in UTC\; the slot of 2026-03-29T01:00:00+00:00"),
        "{unfolded}"
    );
}

#[tokio::test]
async fn a_picture_has_titles_and_a_bar_for_each_minute_in_which_something_starts() {
    let run = home().run(&[&["plan", "-o", "svg"][..], &NIGHT].concat()).await;
    assert_eq!(run.code, 0, "{run}");
    assert!(
        run.out
            .contains("<title>Starts in each minute, 2026-03-29T00:30:00Z to 2026-03-29T02:00:00Z</title>"),
        "{run}"
    );
    assert!(
        run.out.contains(">7 fires of 4 jobs; most in one minute: 4, at 2026-03-29T01:00:00Z</text>"),
        "{run}"
    );
    let bars = run.out.lines().filter(|line| line.starts_with("<rect x")).count();
    assert_eq!(bars, 4, "{run}");
    let week = home().run(&["plan", "-o", "svg", "--from", "2026-03-29", "--to", "2026-04-29"]).await;
    assert!(week.out.contains("each bar is the busiest minute of 60"), "{week}");
}

#[tokio::test]
async fn what_cannot_be_planned_is_told_with_a_hint() {
    let home = home();
    for (args, code, said) in [
        (
            ["--from", "2026-03-29", "--to", "2026-03-28"],
            64,
            "error: `--to`: expected a time behind 2026-03-29T00:00:00Z, found `2026-03-28T00:00:00Z`\nhint: ",
        ),
        (["--from", "2026-03-29", "--to", "2026-03-29"], 64, "error: `--to`: expected a time behind"),
        (["--from", "tomorrow", "--to", "2026-03-29"], 64, "error: `--from`: expected a time such as"),
        (["--from", "2026-02-30", "--to", "2026-03-29"], 64, "error: `--from`: expected a time such as"),
        (
            ["--from", "2026-03-29", "--to", "9999-01-01"],
            64,
            "error: `--to`: expected a time up to the year 2100",
        ),
        (
            ["--from", "2026-01-01", "--to", "2090-01-01"],
            64,
            "error: expected at most 1000000 fires, found more from 2026-01-01T00:00:00Z to 2090-01-01T00:00:00Z\nhint: the first 1000000 are over by then: `--to 20",
        ),
        (
            ["--config", "nowhere", "--to", "2090-01-01"],
            64,
            "error: expected a config directory, found nothing at `nowhere`",
        ),
    ] {
        let run = home.run(&[&["plan"][..], &args].concat()).await;
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{args:?}: {run}");
        assert!(run.err.starts_with(said), "{args:?}: {run}");
    }
}

#[tokio::test]
async fn the_time_that_is_offered_is_one_that_is_taken() {
    let home = Home::with(&[(
        "etl",
        "[app]\nname = \"etl\"\ncommand = \"date\"\n[[jobs]]\nname = \"busy\"\nschedule = \"* * * * * *\"\n",
    )]);
    let run = home.run(&["plan", "--from", "2026-01-01", "--to", "2027-01-01", "-o", "svg"]).await;
    let (_, to) = run.err.split_once("`--to ").unwrap();
    let to = to.trim_end().trim_end_matches('`');
    let run = home.run(&["plan", "--from", "2026-01-01", "--to", to, "-o", "svg"]).await;
    assert!(run.code == 0 && run.out.contains(">1000000 fires of 1 jobs;"), "{run}");
}

/// Two directories, side by side.
fn edited(old: &str, new: &str) -> Home {
    let home = Home::with(&[("etl", new)]);
    let before = home.0.path().join("old/config/apps");
    std::fs::create_dir_all(&before).unwrap();
    std::fs::write(before.join("etl.toml"), old).unwrap();
    home
}

const DIFF: [&str; 8] =
    ["plan", "--diff", "old/config", "config", "--from", "2026-03-10", "--to", "2026-03-11"];

#[tokio::test]
async fn a_review_sees_what_appears_vanishes_and_moves() {
    let old = ETL.replace("name = \"refill\"", "name = \"refill\"\nschedule = \"*/2 9 * * *\"");
    let new = ETL.replace("30 2 * * *", "45 2 * * *").replace("jitter = \"10m\"", "jitter = \"20m\"");
    let new = new.replace("{ cron = \"0 1 * * *\" }, ", "{ cron = \"0 1,13 * * *\" }, ");
    let home = edited(&old, &new);
    insta::assert_snapshot!(home.run(&DIFF).await);
    let run = home.run(&[&DIFF[..], &["-o", "json"]].concat()).await;
    let found: Value = serde_json::from_str(&run.out).unwrap();
    let changes = found["changes"].as_array().unwrap();
    let count = |word: &str| changes.iter().filter(|change| change["change"] == word).count();
    assert_eq!((count("appears"), count("vanishes"), count("moves")), (1, 30, 25), "{run}");
    let moved = changes.iter().find(|change| change["job"] == "etl.nightly").unwrap();
    assert_eq!(moved["old"]["scheduled"], "2026-03-10T01:30:00Z");
    assert_eq!(moved["new"]["scheduled"], "2026-03-10T01:45:00Z");
}

#[tokio::test]
async fn a_difference_ends_well_unless_it_was_asked_to_tell_by_its_exit_code() {
    let differs = edited(ETL, &ETL.replace("30 2", "45 2"));
    let same = edited(ETL, &format!("# The same.\n{ETL}"));
    for (home, args, code) in
        [(&differs, None, 0), (&differs, Some("--exit-code"), 1), (&same, Some("--exit-code"), 0)]
    {
        let run = home.run(&DIFF.into_iter().chain(args).collect::<Vec<_>>()).await;
        assert_eq!((run.code, run.err.as_str()), (code, ""), "{run}");
    }
    let run = same.run(&DIFF).await;
    assert_eq!(run.out, "no fire differs from 2026-03-10T00:00:00Z to 2026-03-11T00:00:00Z\n");
}

#[tokio::test]
async fn a_difference_of_what_is_not_there_is_none() {
    let home = edited(ETL, ETL);
    for (args, said) in [
        (
            &["plan", "--diff", "older", "config"][..],
            "error: expected a config directory, found nothing at `older`",
        ),
        (
            &["plan", "--diff", "config", "newer"],
            "error: expected a config directory, found nothing at `newer`",
        ),
        (
            &["plan", "--diff", "config", "old/config", "-o", "ics"],
            "error: `--diff` is written as `table` or `json`, found `ics`",
        ),
        (&["plan", "--exit-code"], "error: the following required arguments were not provided:"),
    ] {
        let run = home.run(args).await;
        assert_eq!((run.code, run.out.as_str()), (64, ""), "{args:?}: {run}");
        assert!(run.err.starts_with(said), "{args:?}: {run}");
    }
}

/// Each kind of schedule, some of their slots excluded or out of bounds.
const KINDS: &str = r#"
[app]
name = "kinds"
command = "date"

[[jobs]]
name = "hashed"
schedule = "H H(0-5) * * *"
exclude = ["holidays"]

[[jobs]]
name = "instants"
schedules = [{ cron = "@every 12h", id = "every" }, { cron = "@at 2026-12-26T12:00:00Z", id = "at" }]

[[jobs]]
name = "season"
schedule = "0 2 * * *"
from = "2026-12-23"
until = "2026-12-27"
exclude = ["holidays"]
"#;

fn holidays(home: Home, dates: &str) -> Home {
    let settings = format!("[calendars.holidays]\ndates = [\"{dates}\"]\n");
    std::fs::write(home.0.path().join("config/tekcron.toml"), settings).unwrap();
    home
}

#[tokio::test]
async fn what_is_excluded_or_out_of_bounds_is_in_no_plan() {
    let home = holidays(Home::with(&[("kinds", KINDS)]), "2026-12-24..2026-12-26");
    let run = home.run(&["plan", "--from", "2026-12-22", "--to", "2026-12-30", "-o", "json"]).await;
    let plan: Value = serde_json::from_str(&run.out).unwrap();
    let of = |job: &str, schedule: &str| -> Vec<String> {
        let fires = plan["fires"].as_array().unwrap().iter();
        let fires =
            fires.filter(|fire| fire["job"] == job && fire["schedule"].as_str().unwrap().contains(schedule));
        fires.map(|fire| fire["scheduled"].as_str().unwrap().to_owned()).collect()
    };
    let days: Vec<_> = of("kinds.hashed", "").iter().map(|slot| slot[8..10].to_owned()).collect();
    assert_eq!(days, ["22", "23", "27", "28", "29"], "{run}");
    let next = home
        .run(&["next", "H H(0-5) * * *", "--job", "kinds.hashed", "--from", "2026-12-22", "-n", "1"])
        .await;
    assert!(next.out.contains(&of("kinds.hashed", "")[0]), "{next}");
    assert_eq!(of("kinds.season", ""), ["2026-12-23T02:00:00Z", "2026-12-27T02:00:00Z"], "{run}");
    assert_eq!(of("kinds.instants", "at"), ["2026-12-26T12:00:00Z"], "{run}");
    let every: Vec<jiff::Timestamp> =
        of("kinds.instants", "every").iter().map(|slot| slot.parse().unwrap()).collect();
    let apart = every.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_hours());
    assert_eq!((every.len(), apart.collect::<Vec<_>>()), (16, vec![12; 15]), "{run}");
    let load: u64 =
        plan["load"].as_array().unwrap().iter().map(|minute| minute["starts"].as_u64().unwrap()).sum();
    assert_eq!(load, 24, "{run}");
}

#[tokio::test]
async fn a_review_of_a_calendar_sees_which_fires_it_takes() {
    let home = holidays(edited(KINDS, KINDS), "2026-12-24..2026-12-26");
    std::fs::write(
        home.0.path().join("old/config/tekcron.toml"),
        "[calendars.holidays]\ndates = [\"2026-12-25\"]\n",
    )
    .unwrap();
    let span = ["plan", "--diff", "old/config", "config", "--from", "2026-12-22", "--to", "2026-12-30"];
    let run = home.run(&[&span[..], &["-o", "json"]].concat()).await;
    let found: Value = serde_json::from_str(&run.out).unwrap();
    let changes = found["changes"].as_array().unwrap().iter();
    let told: Vec<_> = changes
        .map(|change| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (
                text(&change["job"]),
                text(&change["change"]),
                text(&change["old"]["scheduled"])[8..10].to_owned(),
            )
        })
        .collect();
    let gone = |job: &str, day: &str| (job.to_owned(), "vanishes".to_owned(), day.to_owned());
    assert_eq!(
        told,
        [
            gone("kinds.hashed", "24"),
            gone("kinds.hashed", "26"),
            gone("kinds.season", "24"),
            gone("kinds.season", "26")
        ],
        "{run}"
    );
}

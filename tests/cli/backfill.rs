//! `backfill` and `rerun`.

use tekcron::api::resources::{BackfillResource, OldSlotResource, TaskResource};
use tekcron::task::Phase;

use crate::fake::{Fake, Reply};
use crate::sample::{ended, queued};

const POST: &str = "POST /v1/jobs/etl.nightly/backfill";
const RANGE: [&str; 6] =
    ["backfill", "etl.nightly", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"];

fn slot(text: &str, was: &str) -> OldSlotResource {
    let name = format!("etl.nightly@{text}");
    OldSlotResource { name, schedule: "k".into(), slot: text.parse().unwrap(), was: was.into() }
}

fn answer(claimed: Vec<TaskResource>) -> BackfillResource {
    let slots = vec![
        slot("2026-01-01T02:00:00Z", "missed"),
        slot("2026-01-01T03:00:00Z", "skipped: overlap with task 7"),
    ];
    BackfillResource { slots, claimed, under_way: Vec::new() }
}

async fn shown(args: &[&str], replies: Vec<(&'static str, Reply)>) -> String {
    let fake = Fake::start(replies).await;
    let run = fake.run(args).await;
    fake.requests();
    run.to_string()
}

#[tokio::test]
async fn a_dry_run_shows_the_slots_and_what_they_were() {
    let args = [RANGE.as_slice(), &["--dry-run"]].concat();
    insta::assert_snapshot!(shown(&args, vec![(POST, Reply::ok(&answer(vec![])))]).await);
}

#[tokio::test]
async fn the_ends_are_waited_for_and_tell_the_exit_code() {
    let tasks = "GET /v1/jobs/etl.nightly/tasks?limit=1000";
    let done = || ended(8, Phase::Succeeded, Some(0), "Completed", "it ended well");
    let failed = ended(9, Phase::Failed, Some(3), "Error", "it ended with exit code 3");
    let replies = vec![
        (POST, Reply::ok(&answer(vec![queued(8), queued(9)]))),
        (tasks, Reply::page(&[queued(9), done()], None)),
        (tasks, Reply::page(&[failed, done()], None)),
    ];
    insta::assert_snapshot!(shown(&RANGE, replies).await);
}

#[tokio::test]
async fn a_failure_counts_though_retention_removes_it_before_the_last_end() {
    let tasks = "GET /v1/jobs/etl.nightly/tasks?limit=1000";
    let failed = ended(9, Phase::Failed, Some(3), "Error", "it ended with exit code 3");
    let done = ended(8, Phase::Succeeded, Some(0), "Completed", "it ended well");
    let away = Reply::error(503, "busy", "all places are taken", None);
    let replies = vec![
        (POST, Reply::ok(&answer(vec![queued(8), queued(9)]))),
        (tasks, Reply::page(&[failed, queued(8)], None)),
        (tasks, away),
        (tasks, Reply::page(&[done], None)),
    ];
    let shown = shown(&RANGE, replies).await;
    assert!(
        shown.contains("the backfill has ended: 1 succeeded, 1 did not") && shown.contains("[1]"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_backfill_names_its_range_and_one_choice() {
    let fake = Fake::start([]).await;
    for args in [
        &["backfill", "nightly"][..],
        &[&RANGE[..], &["--missing", "--failed"]].concat(),
        &[&RANGE[..], &["--max-running", "0"]].concat(),
        &[&RANGE[..], &["--cancel"]].concat(),
        &["backfill", "nightly", "--from", "yesterday", "--to", "2026-01-02T00:00:00Z"],
    ] {
        let run = fake.run(args).await.to_string();
        assert!(run.contains("[64]"), "{args:?}: {run}");
    }
    fake.requests();
}

#[tokio::test]
async fn a_rerun_says_what_it_is() {
    let reply = Reply::ok(&queued(8));
    let args = ["rerun", "etl", "7", "-o", "name"];
    insta::assert_snapshot!(shown(&args, vec![("POST /v1/apps/etl/tasks/7/rerun", reply)]).await);
}

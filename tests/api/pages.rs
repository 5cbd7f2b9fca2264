//! Pages cover a listing once, whatever else happens meanwhile.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tekcron::task::Phase;

use crate::sample;
use crate::world::World;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// `APP/ID` of every task that the pages of `path` hold, and how many pages there were; `meanwhile` happens
/// after each page.
async fn all(world: &World, path: &str, mut meanwhile: impl AsyncFnMut(usize)) -> (Vec<String>, usize) {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for page in 1.. {
        let separator = if path.contains('?') { '&' } else { '?' };
        let answer = world.get(&format!("{path}{separator}limit=7{cursor}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        for task in json["items"].as_array().unwrap() {
            found.push(format!("{}/{}", task["app"].as_str().unwrap(), task["id"]));
        }
        match json["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (found, page),
        }
        meanwhile(page).await;
    }
    unreachable!("pages end");
}

#[tokio::test]
async fn pages_of_all_apps_hold_each_task_once_newest_first_while_new_ones_arrive() {
    let world = World::new();
    let mut expected = Vec::new();
    for (app, every, count) in [("etl", 3, 40), ("backup", 5, 30), ("gone", 7, 20)] {
        // Every second task of an App was claimed in the same instant as the one before it.
        let tasks: Vec<_> =
            (1..=count).map(|id| sample::task(app, id, at(1000 + every * (id as i64 / 2)))).collect();
        expected.extend(tasks.iter().map(|task| (task.created, task.app.clone(), task.id)));
        world.record(&tasks).await;
    }
    expected.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(b.2.cmp(&a.2)));
    let expected: Vec<_> = expected.iter().map(|(_, app, id)| format!("{app}/{id}")).collect();
    let arrive = async |page: usize| {
        let created = world.now() + Duration::from_secs(page as u64);
        world.record(&[sample::task("etl", 100 + page as u64, created)]).await;
        world.record(&[sample::task("new", page as u64, created)]).await;
    };
    assert_eq!(all(&world, "/v1/tasks", arrive).await.0, expected);
    world.end().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_loses_and_doubles_no_task() {
    let world = World::new();
    let mut expected = Vec::new();
    for app in ["etl", "backup"] {
        let created = |id: u64| at(10_000 + 10 * id as i64 - if (10..20).contains(&id) { 3000 } else { 0 });
        let tasks: Vec<_> = (1..=30).map(|id| sample::task(app, id, created(id))).collect();
        expected.extend(tasks.iter().map(|task| format!("{app}/{}", task.id)));
        world.record(&tasks).await;
    }
    let (mut found, _) = all(&world, "/v1/tasks", async |_| {}).await;
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    world.end().await;
}

#[tokio::test]
async fn the_tasks_of_one_app_are_filtered_by_phase() {
    let world = World::new();
    let tasks: Vec<_> = (1..=50_u64)
        .map(|id| {
            let mut task = sample::task("etl", id, at(id as i64));
            task.phase = if id.is_multiple_of(5) { Phase::Failed } else { Phase::Succeeded };
            task
        })
        .collect();
    world.record(&tasks).await;
    let (found, pages) = all(&world, "/v1/apps/etl/tasks?phase=failed", async |_| {}).await;
    let expected: Vec<_> = (1..=10).rev().map(|n| format!("etl/{}", 5 * n)).collect();
    assert_eq!((found, pages), (expected, 2));
    assert_eq!(all(&world, "/v1/tasks?phase=running", async |_| {}).await.0, Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn tasks_that_have_not_ended_are_found_among_many_that_have() {
    let world = World::new();
    let running = |id: u64| id.is_multiple_of(5);
    let mut expected = Vec::new();
    for app in ["etl", "backup"] {
        let tasks: Vec<_> = (1..=50_u64)
            .map(|id| {
                let mut task = sample::task(app, id, at(1000 + id as i64));
                task.phase = if running(id) { Phase::Running } else { Phase::Succeeded };
                task
            })
            .collect();
        world.record(&tasks).await;
        expected.push((1..=50).rev().filter(|id| running(*id)).map(move |id| format!("{app}/{id}")));
    }
    let etl: Vec<_> = expected.remove(0).collect();
    let both: Vec<_> = expected.remove(0).zip(&etl).flat_map(|(backup, etl)| [backup, etl.clone()]).collect();
    assert_eq!(all(&world, "/v1/apps/etl/tasks?phase=running", async |_| {}).await.0, etl);
    assert_eq!(all(&world, "/v1/tasks?phase=running", async |_| {}).await, (both, 3));
    assert_eq!(all(&world, "/v1/jobs/etl.nightly/tasks?phase=running", async |_| {}).await.0.len(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_task_that_retention_removes_between_two_pages_takes_no_other_along() {
    let world = World::new();
    let tasks: Vec<_> = (1..=20).map(|id| sample::task("etl", id, at(id as i64))).collect();
    world.record(&tasks).await;
    let remove = async |page: usize| {
        // The last one of the page, which its cursor names, and one to come.
        let mut commit = tekcron::store::Commit::new();
        commit.remove_task(&tasks[20 - 7 * page]).remove_task(&tasks[20 - 7 * page - 3]);
        world.store.commit(commit).await.unwrap();
    };
    let (found, _) = all(&world, "/v1/apps/etl/tasks", remove).await;
    let expected: Vec<_> =
        (1..=20).rev().filter(|id| ![11, 4].contains(id)).map(|id| format!("etl/{id}")).collect();
    assert_eq!(found, expected);
    world.end().await;
}

#[tokio::test]
async fn a_cursor_is_refused_on_another_path_or_filter() {
    let world = World::new();
    let tasks: Vec<_> = (1..=20).map(|id| sample::task("etl", id, at(id as i64))).collect();
    world.record(&tasks).await;
    let cursor = world.get("/v1/apps/etl/tasks?limit=5").await.json()["next"].as_str().unwrap().to_owned();
    for path in [
        "/v1/tasks?",
        "/v1/apps/backup/tasks?",
        "/v1/apps/etl/tasks?phase=succeeded&",
        "/v1/apps?",
        "/v1/jobs/etl.nightly/slots?",
    ] {
        let answer = world.get(&format!("{path}cursor={cursor}")).await;
        answer.expect(400, "bad-request", "the cursor belongs to another query", "without `cursor`");
    }
    let next = world.get(&format!("/v1/apps/etl/tasks?limit=3&cursor={cursor}")).await.json();
    assert_eq!(next["items"][0]["id"], 15, "another limit is no other query");
    world.end().await;
}

#[tokio::test]
async fn apps_and_jobs_are_paged_by_name() {
    let world = World::new();
    for (path, key, expected) in [
        ("/v1/apps", "name", &["backup", "etl", "idle"][..]),
        ("/v1/jobs", "name", &["backup.nightly", "backup.weekly", "etl.nightly"]),
        ("/v1/jobs?app=backup", "name", &["backup.nightly", "backup.weekly"]),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = world.get(&format!("{path}{separator}limit=1{cursor}")).await.json();
            found.extend(
                page["items"].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expected, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn times_are_rfc_3339_in_utc_and_what_is_unset_is_null() {
    let world = World::new();
    let created = at(0) + SignedDuration::from_millis(1500);
    world.record(&[sample::task("etl", 1, created)]).await;
    let task = world.get("/v1/apps/etl/tasks/1").await.json();
    assert_eq!(task["created"], "1970-01-01T00:00:01.5Z");
    assert!(task["scheduled"].is_null() && task.get("not_before").is_some());
    world.end().await;
}

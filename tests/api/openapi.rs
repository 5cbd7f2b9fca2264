//! The OpenAPI document is what the router serves, and what it answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tekcron::api::{Access, openapi, routes};
use tekcron::schedule::ScheduleKey;
use tekcron::store::{Commit, SlotClaim, SlotOutcome, SlotRow};
use tekcron::task::TaskId;

use crate::sample;
use crate::world::{Answer, World};

/// A source that nobody sends.
const SOURCE: &str = "/v1/sources/00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

#[test]
fn the_document_lists_every_route_and_no_other() {
    let document = document();
    let documented: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let served: BTreeSet<_> =
        routes().map(|(method, path, _)| (method.to_string(), path.to_owned())).collect();
    assert_eq!(documented, served);
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document = document();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let names: BTreeSet<_> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), routes().count());
}

#[test]
fn only_open_routes_are_documented_as_open() {
    let document = document();
    for (method, path, access) in routes() {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let open = operation["security"].as_array().is_some_and(|ways| ways.contains(&json!({})));
        assert_eq!(open, access == Access::Open, "{method} {path}");
    }
}

/// Errors of an answer against the schema that the document has for it.
fn errors(document: &Value, method: &str, path: &str, answer: &Answer) -> Vec<String> {
    let responses = &document["paths"][path][method]["responses"];
    let status = answer.status.to_string();
    let response = responses.get(&status).unwrap_or(&responses["default"]);
    let kind = answer.header("content-type").split(';').next().unwrap();
    let Some(schema) = response["content"].get(kind) else {
        return vec![format!("{status} `{kind}` is not documented: {response}")];
    };
    if kind != "application/json" {
        return Vec::new();
    }
    // References begin at the top.
    let mut schema = schema["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(&answer.json()).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[tokio::test]
async fn every_route_answers_as_it_is_documented_and_every_schema_tells_wrong_from_right() {
    let world = World::new();
    let mut first = sample::task("etl", 1, world.now());
    first.job = Some("nightly".parse().unwrap());
    world.record(&[first, sample::task("etl", 2, world.now())]).await;
    let row = SlotRow {
        schedule: ScheduleKey::hashed("a", "UTC", "vixie"),
        first: world.now(),
        last: world.now(),
        outcome: SlotOutcome::Ran { task: TaskId(1) },
        claim: Some(SlotClaim { due: world.now(), at: world.now() }),
        note: None,
    };
    let mut commit = Commit::new();
    commit.put_slot(&"etl.nightly".parse().unwrap(), &row);
    world.store.commit(commit).await.unwrap();
    crate::pushed::push(&world).await;
    let document = document();
    let mut asked = BTreeSet::new();
    for (method, path, at) in [
        ("get", "/openapi.json", "/openapi.json"),
        ("get", "/livez", "/livez"),
        ("get", "/readyz", "/readyz?verbose"),
        ("get", "/healthz/schedules", "/healthz/schedules?verbose"),
        ("get", "/healthz/schedules", "/healthz/schedules"),
        ("get", "/v1/status", "/v1/status"),
        ("get", "/metrics", "/metrics"),
        ("get", "/v1/apps", "/v1/apps"),
        ("get", "/v1/apps", "/v1/apps?limit=0"),
        ("get", "/v1/apps/{app}", "/v1/apps/etl"),
        ("get", "/v1/apps/{app}", "/v1/apps/none"),
        ("get", "/v1/apps/{app}", "/v1/apps/web"),
        ("get", "/v1/apps/{app}/env", "/v1/apps/etl/env"),
        ("post", "/v1/apps/{app}/env", "/v1/apps/web/env"),
        ("post", "/v1/apps/{app}/env", "/v1/apps/etl/env"),
        ("post", "/v1/services", "/v1/services"),
        ("get", "/v1/services", "/v1/services"),
        ("post", "/v1/apps/{app}/services", "/v1/apps/web/services"),
        ("post", "/v1/services/{name}", "/v1/services/db"),
        ("post", "/v1/services/{name}", "/v1/services/none"),
        ("delete", "/v1/services/{name}", "/v1/services/db"),
        ("delete", "/v1/apps/{app}/services/{service}", "/v1/apps/web/services/db"),
        ("delete", "/v1/services/{name}", "/v1/services/db"),
        ("get", "/v1/stored-apps", "/v1/stored-apps"),
        ("delete", "/v1/apps/{app}", "/v1/apps/web"),
        ("delete", "/v1/apps/{app}", "/v1/apps/etl"),
        ("get", "/v1/apps/{app}/tasks", "/v1/apps/etl/tasks?limit=1"),
        ("post", "/v1/apps/{app}/tasks", "/v1/apps/etl/tasks"),
        ("post", "/v1/apps/{app}/tasks", "/v1/apps/idle/tasks"),
        ("get", "/v1/apps/{app}/tasks/{id}", "/v1/apps/etl/tasks/1"),
        ("get", "/v1/apps/{app}/tasks/{id}", "/v1/apps/etl/tasks/x"),
        ("get", "/v1/apps/{app}/tasks/{id}/logs", "/v1/apps/etl/tasks/1/logs"),
        ("post", "/v1/apps/{app}/tasks/{id}/terminate", "/v1/apps/etl/tasks/1/terminate"),
        ("get", "/v1/jobs", "/v1/jobs"),
        ("get", "/v1/jobs/{job}", "/v1/jobs/etl.nightly"),
        ("get", "/v1/jobs/{job}/tasks", "/v1/jobs/etl.nightly/tasks"),
        ("post", "/v1/jobs/{job}/tasks", "/v1/jobs/etl.nightly/tasks"),
        ("get", "/v1/jobs/{job}/slots", "/v1/jobs/etl.nightly/slots"),
        ("post", "/v1/apps/{app}/jobs", "/v1/apps/etl/jobs"),
        ("post", "/v1/apps/{app}/jobs", "/v1/apps/none/jobs"),
        ("post", "/v1/jobs/{job}/schedules", "/v1/jobs/etl.made/schedules"),
        ("get", "/v1/stored-jobs", "/v1/stored-jobs"),
        ("delete", "/v1/jobs/{job}/schedules/{schedule}", "/v1/jobs/etl.made/schedules/often"),
        ("delete", "/v1/jobs/{job}", "/v1/jobs/etl.made"),
        ("delete", "/v1/jobs/{job}", "/v1/jobs/etl.nightly"),
        ("post", "/v1/jobs/{job}/pause", "/v1/jobs/backup.weekly/pause"),
        ("post", "/v1/jobs/{job}/skip-next", "/v1/jobs/backup.weekly/skip-next"),
        ("get", "/v1/jobs/{job}", "/v1/jobs/backup.weekly"),
        ("post", "/v1/jobs/{job}/resume", "/v1/jobs/backup.weekly/resume"),
        ("post", "/v1/jobs/{job}/resume", "/v1/jobs/backup.weekly/resume"),
        ("post", "/v1/jobs/{job}/backfill", "/v1/jobs/etl.nightly/backfill"),
        ("post", "/v1/apps/{app}/tasks/{id}/rerun", "/v1/apps/etl/tasks/1/rerun"),
        ("get", "/v1/queue", "/v1/queue"),
        ("post", "/v1/apps/{app}/tasks/{id}/front", "/v1/apps/etl/tasks/1/front"),
        ("post", "/v1/apps/{app}/tasks/{id}/drop", "/v1/apps/etl/tasks/99/drop"),
        ("post", "/v1/tasks/{name}/front", "/v1/tasks/none/front"),
        ("post", "/v1/tasks/{name}/drop", "/v1/tasks/none/drop"),
        ("get", "/v1/tasks", "/v1/tasks"),
        ("get", "/v1/tasks/{name}", "/v1/tasks/none"),
        ("post", "/v1/tasks/{name}/terminate", "/v1/tasks/none/terminate"),
        ("get", "/v1/sources/{hash}", SOURCE),
        ("put", "/v1/sources/{hash}", SOURCE),
        ("put", "/v1/sources/{hash}", "/v1/sources/none"),
        ("get", "/v1/sources/{hash}/content", "/v1/sources/none/content"),
        ("post", "/v1/apps/{app}/push", "/v1/apps/web/push"),
        ("post", "/v1/apps/{app}/push", "/v1/apps/etl/push"),
        ("post", "/v1/apps/{app}/rollback", "/v1/apps/web/rollback"),
        ("post", "/v1/apps/{app}/restage", "/v1/apps/web/restage"),
        ("get", "/v1/apps/{app}/revisions", "/v1/apps/web/revisions"),
        ("get", "/v1/apps/{app}/revisions/{number}", "/v1/apps/web/revisions/1"),
        ("get", "/v1/apps/{app}/revisions/{number}", "/v1/apps/web/revisions/2"),
        ("post", "/v1/reload", "/v1/reload"),
        ("post", "/v1/token/rotate", "/v1/token/rotate"),
    ] {
        let body = match at {
            "/v1/apps/etl/jobs" => r#"{"name": "made", "command": ["true"]}"#,
            "/v1/services" => r#"{"name": "db", "credentials": {"uri": "x:y"}, "tags": ["a"], "by": "me"}"#,
            "/v1/services/db" if method == "post" => r#"{"credentials": {"uri": "y:z"}}"#,
            "/v1/apps/web/services" => r#"{"service": "db"}"#,
            "/v1/apps/web/env" => r#"{"set": {"A": "1"}}"#,
            "/v1/apps/web/push" | "/v1/apps/etl/push" => r#"{"image": "busybox"}"#,
            "/v1/apps/web/rollback" => r#"{"revision": 1}"#,
            "/v1/jobs/etl.made/schedules" => r#"{"cron": "0 2 * * *", "id": "often"}"#,
            _ => "",
        };
        let answer = match method {
            "get" => world.get(at).await,
            "post" => world.post(at, body).await,
            "put" => world.put(at, body).await,
            _ => world.delete(at).await,
        };
        assert_eq!(errors(&document, method, path, &answer), [""; 0], "{method} {at}: {answer:?}");
        asked.insert((method.to_uppercase(), path.to_owned()));
        // Without one of its fields it would be another.
        if answer.header("content-type") == "application/json" && at != "/openapi.json" {
            let keys: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
            for key in keys {
                let mut less = answer.json();
                less.as_object_mut().unwrap().remove(&key);
                let less = Answer {
                    status: answer.status,
                    headers: answer.headers.clone(),
                    body: less.to_string().into(),
                };
                assert_ne!(errors(&document, method, path, &less), [""; 0], "{at} without {key}");
            }
        }
    }
    let served: BTreeSet<_> =
        routes().map(|(method, path, _)| (method.to_string(), path.to_owned())).collect();
    assert_eq!(asked, served);
    world.end().await;
}

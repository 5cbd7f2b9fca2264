//! What is asked about Apps that were pushed and about services, and what is said.

use serde_json::{Value, json};
use tekcron::api::resources::{AppResource, ServiceResource};

use crate::fake::{Fake, Reply};
use crate::sample::app;

fn pushed() -> AppResource {
    AppResource { stored: true, file: None, revision: Some(3), path: None, ..app() }
}

fn env(env: &Value) -> Reply {
    Reply::ok(&json!({ "app": "etl", "env": env, "services": ["warehouse"] }))
}

fn service() -> ServiceResource {
    ServiceResource {
        name: "db".into(),
        label: "user-provided".into(),
        tags: vec!["sql".into()],
        credentials: "file".into(),
        place: "/data/services/db-1.json".into(),
        apps: vec!["etl".into(), "web".into()],
        stored: true,
        by: None,
        created: None,
    }
}

#[tokio::test]
async fn variables_are_shown_a_line_each_and_changed_one_at_a_time() {
    let variables = env(&json!({ "A": "1 2", "B": "x\ny\u{1b}[2J" }));
    let fake = Fake::start([
        ("GET /v1/apps/etl/env", variables),
        ("POST /v1/apps/etl/env", Reply::ok(&pushed())),
        ("GET /v1/apps/etl/env", env(&json!({ "A": "1" }))),
        ("POST /v1/apps/etl/env", Reply::ok(&pushed())),
        ("GET /v1/apps/etl/env", env(&json!({}))),
        ("POST /v1/apps/etl/env", Reply::ok(&pushed())),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["env", "etl"]).await, @r"
    A=1 2
    B=x\ny\u{1b}[2J
    ! VCAP_SERVICES has the credentials of warehouse
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["set-env", "etl", "A", "-1"]).await, @r"
    ! set `A` of the App `etl`, for its next tasks
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["unset-env", "etl", "A"]).await, @r"
    ! removed `A` from the App `etl`, for its next tasks
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["unset-env", "etl", "A"]).await, @r"
    ! `A` was not set on the App `etl`
    [0]
    ");
    let requests = fake.requests();
    let sent = |index: usize| (requests[index].body["set"].clone(), requests[index].body["unset"].clone());
    assert_eq!(sent(1), (json!({ "A": "-1" }), json!([])));
    assert_eq!(sent(3), (json!({}), json!(["A"])));
}

#[tokio::test]
async fn services_are_listed_made_bound_and_deleted() {
    let fake = Fake::start([
        ("GET /v1/services?limit=50", Reply::page(&[service()], None)),
        ("POST /v1/services", Reply::created(&service())),
        ("POST /v1/services", Reply::created(&service())),
        ("GET /v1/apps/etl", Reply::ok(&pushed())),
        ("POST /v1/apps/etl/services", Reply::ok(&pushed())),
        ("GET /v1/apps/etl", Reply::ok(&pushed())),
        ("DELETE /v1/apps/etl/services/warehouse", Reply::ok(&pushed())),
        ("DELETE /v1/services/db", Reply::ok(&service())),
        ("POST /v1/services/db", Reply::ok(&service())),
        ("POST /v1/services/db", Reply::ok(&ServiceResource { apps: Vec::new(), ..service() })),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["services", "-o", "wide"]).await, @r"
    Name   Label           Apps       Source               Tags   Credentials                     By
    db     user-provided   etl, web   created by command   sql    file /data/services/db-1.json   -
    [0]
    ");
    let credentials = r#"{"uri": "x:s3same"}"#;
    insta::assert_snapshot!(fake.run(&["cups", "db", "-p", credentials, "-t", "sql, main"]).await, @r"
    ! created the service `db`; `tekcron bind-service APP db` gives it to an App
    [0]
    ");
    let secret = ["create-user-provided-service", "db", "--secret", "db-credentials"];
    assert_eq!(fake.run(&secret).await.code, 0);
    insta::assert_snapshot!(fake.run(&["bind-service", "etl", "db"]).await, @r"
    ! the App `etl` binds the service `db`, for its next tasks
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["unbind-service", "etl", "service/warehouse"]).await, @r"
    ! the App `etl` no longer binds the service `warehouse`
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["delete-service", "db", "-f"]).await, @r"
    ! deleted the service `db` and its credentials
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["uups", "db", "-p", credentials]).await, @r"
    ! changed the service `db`, for the next tasks of etl, web
    [0]
    ");
    let tags = ["update-user-provided-service", "db", "-t", "", "--secret", "db-credentials"];
    insta::assert_snapshot!(fake.run(&tags).await, @r"
    ! changed the service `db`, no App binds it
    [0]
    ");
    let requests = fake.requests();
    assert_eq!(requests[8].body["credentials"], json!({ "uri": "x:s3same" }));
    assert_eq!((&requests[8].body["tags"], &requests[9].body["tags"]), (&Value::Null, &json!([])));
    assert_eq!(requests[9].body["secret"], "db-credentials");
    assert_eq!(requests[1].body["credentials"], json!({ "uri": "x:s3same" }));
    assert_eq!(
        (&requests[1].body["tags"], &requests[1].body["secret"]),
        (&json!(["sql", "main"]), &Value::Null)
    );
    assert_eq!(
        (&requests[2].body["secret"], &requests[2].body["credentials"]),
        (&json!("db-credentials"), &Value::Null)
    );
    assert_eq!(requests[4].body["service"], "db");
}

#[tokio::test]
async fn a_deletion_is_waited_for_until_the_app_is_gone() {
    let goes = || Reply::Json(202, json!({ "name": "etl", "gone": false }));
    let fake = Fake::start([
        ("DELETE /v1/apps/etl?force=true", goes()),
        ("DELETE /v1/apps/etl?force=true", Reply::ok(&json!({ "name": "etl", "gone": true }))),
        ("DELETE /v1/apps/etl?force=true", goes()),
        ("DELETE /v1/apps/etl?force=true", Reply::error(404, "not-found", "App `etl` does not exist", None)),
        ("DELETE /v1/apps/etl?force=true", Reply::error(404, "not-found", "App `etl` does not exist", None)),
    ])
    .await;
    for _ in 0..2 {
        let run = fake.run(&["delete", "etl", "-f"]).await.to_string();
        insta::allow_duplicates! {
            insta::assert_snapshot!(run, @r"
            ! the App `etl` goes when its tasks have ended; Ctrl-C ends only the wait
            ! deleted the App `etl`
            [0]
            ");
        }
    }
    insta::assert_snapshot!(fake.run(&["delete", "etl", "-f"]).await, @r"
    ! error: App `etl` does not exist
    [1]
    ");
    // Nobody is there to be asked, so nothing is asked of the service either.
    let unasked = fake.run(&["delete", "etl"]).await;
    assert!(unasked.code == 64 && unasked.err.contains("`--force` deletes without asking"), "{unasked}");
    assert_eq!(fake.requests().len(), 5);
}

#[tokio::test]
async fn a_pushed_app_is_exported_with_its_jobs_and_what_the_settings_need() {
    let stored = json!({
        "name": "etl", "toml": "[app]\nname = \"etl\"\ncommand = \"true\"\n", "current": 3, "file": null,
        "services": "[services.db.credentials]\nfile = \"/data/services/db-1.json\"\n", "by": null,
        "changed": "2026-01-01T00:00:00Z", "deleting": false,
    });
    let job = |name: &str, app: &str| {
        let toml = format!("[[jobs]]\nname = \"{name}\"\n");
        json!({ "name": format!("{app}.{name}"), "app": app, "file": null, "runs": true, "toml": toml })
    };
    let fake = Fake::start([
        ("GET /v1/stored-jobs?limit=1000", Reply::page(&[job("a", "etl"), job("b", "other")], None)),
        ("GET /v1/stored-apps?limit=1000", Reply::page(&[stored], None)),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["export", "etl"]).await, @r#"
    # in `tekcron.toml`:
    # [services.db.credentials]
    # file = "/data/services/db-1.json"

    [app]
    name = "etl"
    command = "true"

    [[jobs]]
    name = "a"
    ! the settings' file needs the services that the first lines name
    ! stands as a file in `apps`; then `tekcron delete etl` removes the App that was pushed, and its jobs there
    [0]
    "#);
}

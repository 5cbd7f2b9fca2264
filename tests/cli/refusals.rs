//! What the service says no to, in its words, with its hint.

use crate::fake::{Fake, Reply};

#[tokio::test]
async fn the_services_words_and_hint_are_printed_and_the_exit_code_tells_the_kind() {
    let mut seen = String::new();
    for (status, code, message, hint) in [
        (404, "not-found", "the App `elt` does not exist", Some("did you mean `etl`?")),
        (409, "overlap", "the job `etl.nightly` runs already, as task 7", None),
        (409, "ambiguous", "several jobs are called `nightly`", Some("etl.nightly, mail.nightly")),
        (422, "no-command", "neither the run nor the App `etl` has a command", Some("give one with -c")),
        (400, "bad-request", "expected a time as in `90s`, found `soon`", None),
        (403, "forbidden", "requests from other sites are refused", None),
        (503, "stopping", "the service is stopping", None),
        (500, "internal", "something broke", None),
    ] {
        let reply = Reply::error(status, code, message, hint);
        let fake = Fake::start([("POST /v1/apps/etl/tasks", reply)]).await;
        let run = fake.run(&["run-task", "etl"]).await;
        fake.requests();
        seen += &format!("{run}\n");
    }
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn an_answer_that_is_not_tekcrons_is_told_as_such() {
    let html = Fake::start([("GET /v1/tasks?limit=50", Reply::Text("<html>it works</html>"))]).await;
    let run = html.run(&["tasks"]).await;
    assert_eq!(run.code, 69, "{run}");
    assert!(run.err.starts_with("error: expected an answer of tekcron from `http://127.0.0.1:"), "{run}");
    let found =
        "found something else: expected value at line 1 column 1\nhint: another server may listen there";
    assert!(run.err.contains(found), "{run}");
    let gateway = Fake::start([("GET /v1/tasks?limit=50", Reply::Json(502, "bad gateway".into()))]).await;
    let run = gateway.run(&["tasks"]).await;
    assert!(run.err.contains("found status 502 Bad Gateway without a reason"), "{run}");
}

#[tokio::test]
async fn a_bad_new_configuration_is_reported_as_the_service_says() {
    let fake = Fake::start([
        ("POST /v1/reload", Reply::Json(200, serde_json::json!({ "changed": true, "generation": "c0ffee" }))),
        (
            "POST /v1/reload",
            Reply::Json(200, serde_json::json!({ "changed": false, "generation": "c0ffee" })),
        ),
        ("POST /v1/reload", Reply::error(409, "bad-config", "config/apps/etl.toml:3:1: unknown key", None)),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["reload"]).await, @r"
    ! the configuration was reloaded
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["reload"]).await, @r"
    ! the configuration is unchanged
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["reload"]).await, @r"
    ! error: config/apps/etl.toml:3:1: unknown key
    [1]
    ");
    fake.requests();
}

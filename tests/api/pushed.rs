//! Apps that were pushed, and services: what they are given, and their end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tekcron::app::{Command, read_secrets};
use tekcron::config::{Stored, StoredApp, StoredName};
use tekcron::daemon::Change;
use tekcron::push::{Revision, RevisionNumber, RevisionState};
use tekcron::store::Commit;
use tekcron::task::Phase;

use crate::world::{Answer, World, logged};

/// Makes the App `web`, as a push of an image does.
pub(crate) async fn push(world: &World) {
    let name: tekcron::app::AppName = "web".parse().unwrap();
    let (number, at) = (RevisionNumber(1), world.now());
    let app = StoredApp {
        toml: "[app]\nname = \"web\"\n[app.env]\nSTAGE = \"test\"\n".to_owned(),
        current: Some(number),
        newest: number,
        by: Some("alice".to_owned()),
        at,
        deleting: false,
    };
    let revision = Revision {
        number,
        source: None,
        image: Some("example/web:1".to_owned()),
        command: Some(Command::shell("sh web.sh").unwrap()),
        state: RevisionState::Ready,
        build: None,
        from: None,
        by: None,
        at,
        ended: Some(at),
    };
    let change = world.service.reloader.change(|config| {
        let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
        commit.put_app(&name, &app);
        stored.apps.insert(name.clone(), app);
        stored.revisions.insert(name.clone(), [(number, revision)].into());
        Ok((Change { stored, commit, about: Some(StoredName::App(name.clone())) }, ()))
    });
    change.await.unwrap();
}

async fn service(world: &World, body: &str) -> Answer {
    world.post("/v1/services", body).await
}

fn credential_files(world: &World) -> Vec<PathBuf> {
    let files = fs::read_dir(world.dir.path().join("services")).into_iter().flatten();
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test]
async fn variables_are_changed_and_in_effect_at_once() {
    let world = World::new();
    push(&world).await;
    let app = world.get("/v1/apps/web").await.json();
    assert_eq!((&app["stored"], &app["file"], &app["revision"]), (&json!(true), &Value::Null, &json!(1)));
    assert_eq!((&app["image"], &app["command"]), (&json!("example/web:1"), &json!("sh web.sh")));
    let body = r#"{"set": {"A": "1", "B": "x=\"y\""}, "unset": ["STAGE", "NEVER"], "by": "bob"}"#;
    let app = world.post("/v1/apps/web/env", body).await.json();
    assert_eq!(app["env"], json!(["A", "B"]));
    let env = world.get("/v1/apps/web/env").await.json();
    assert_eq!(env, json!({ "app": "web", "env": { "A": "1", "B": "x=\"y\"" }, "services": [] }));
    let stored = world.get("/v1/stored-apps").await.json()["items"][0].clone();
    assert_eq!(
        (&stored["by"], &stored["current"], &stored["file"]),
        (&json!("bob"), &json!(1), &Value::Null)
    );
    let filed = world.get("/v1/apps/etl/env").await.json();
    assert_eq!(filed["env"], json!({ "STAGE": "not-to-be-shown" }));

    let before = world.service.config.load_full();
    for (path, body, status, code, message, hint) in [
        ("etl/env", r#"{"set": {"A": "1"}}"#, 409, "read-only", "stands in a file", "edit `etl.toml`"),
        ("wep/env", "{}", 404, "not-found", "App `wep` does not exist", "did you mean `web`?"),
        ("web/env", r#"{"set": {"A=": "1"}}"#, 400, "bad-request", "expected the name of a variable", ""),
        ("web/env", r#"{"set": {"A": 1}}"#, 400, "bad-request", "the body is wrong", ""),
        ("web/env", r#"{"sett": {}}"#, 400, "bad-request", "unknown field `sett`", ""),
        ("web/env", r#"{"by": "a\nb"}"#, 400, "bad-request", "expected a line", ""),
        ("web/env", r#"{"set": {"A": "a\u0000b"}}"#, 400, "bad-request", "NUL", ""),
        ("web/services", "{}", 404, "not-found", "the service `` does not exist", ""),
        ("web/services", r#"{"service": "db"}"#, 404, "not-found", "does not exist", "tekcron services"),
    ] {
        world.post(&format!("/v1/apps/{path}"), body).await.expect(status, code, message, hint);
    }
    assert_eq!(*before, *world.service.config.load_full());
    world.end().await;
}

#[tokio::test]
async fn credentials_are_in_a_file_of_their_own_and_reach_the_tasks_that_bind_them() {
    let world = World::new();
    push(&world).await;
    let body = r#"{"name": "db", "credentials": {"uri": "postgres://u:s3same@db/x"}, "tags": ["sql"], "by": "alice"}"#;
    let made = service(&world, body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    assert_eq!(
        (&made["stored"], &made["by"], &made["label"]),
        (&json!(true), &json!("alice"), &json!("user-provided"))
    );
    let bound = world.post("/v1/apps/web/services", r#"{"service": "db"}"#).await.json();
    assert_eq!(bound["services"], json!(["db"]));
    assert_eq!(
        world.post("/v1/apps/web/services", r#"{"service": "db"}"#).await.json(),
        bound,
        "once is enough"
    );

    let config = world.service.config.load_full();
    let secrets = read_secrets(&config, &config.apps["web"]).unwrap();
    let secrets = secrets.by_secret();
    let values: Vec<_> =
        secrets.values().flat_map(|keys| keys.values()).map(|value| value.expose_secret()).collect();
    assert!(values.iter().any(|value| value.starts_with("{\"user-provided\"") && value.contains("s3same")));
    assert!(values.contains(&"postgres://u:s3same@db/x"));

    let [file] = credential_files(&world).try_into().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let mut seen = vec![logged()];
    for path in ["/v1/services", "/v1/apps/web", "/v1/apps/web/env", "/v1/stored-apps", "/v1/apps"] {
        seen.push(world.get(path).await.text().to_owned());
    }
    let store = fs::read_dir(world.dir.path().join("store")).unwrap();
    seen.extend(store.map(|file| {
        String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap_or_default()).into_owned()
    }));
    assert!(seen.iter().all(|text| !text.contains("s3same")));
    assert!(seen[1].contains("\"db\""), "{}", seen[1]);

    // A task that is being started may still read those of before; those before them nobody does.
    for (secret, files) in [("s3cond", 2), ("th1rd", 2)] {
        let body = json!({ "credentials": { "uri": format!("postgres://u:{secret}@db/x") } }).to_string();
        let changed = world.post("/v1/services/db", &body).await.json();
        assert_eq!((&changed["tags"], &changed["by"]), (&json!(["sql"]), &json!("alice")));
        let config = world.service.config.load_full();
        let secrets = read_secrets(&config, &config.apps["web"]).unwrap();
        let secrets = secrets.by_secret();
        let mut values = secrets.values().flat_map(|keys| keys.values());
        assert!(values.any(|value| value.expose_secret() == format!("postgres://u:{secret}@db/x")));
        assert_eq!(credential_files(&world).len(), files, "{secret}");
    }
    assert!(!file.exists());
    let tags = world.post("/v1/services/db", r#"{"tags": []}"#).await.json();
    assert_eq!((&tags["tags"], credential_files(&world).len()), (&json!([]), 2));
    for (body, message) in [
        ("{}", "expected `credentials`, `secret`, `label` or `tags`, found none of them"),
        (r#"{"credentials": {}, "secret": "x"}"#, "expected either `credentials` or `secret`"),
        (r#"{"credentials": "s3same"}"#, "`credentials`: expected an object"),
        (r#"{"credentials": {"a": "s3same"}, "label": " "}"#, "expected text"),
    ] {
        let refused = world.post("/v1/services/db", body).await;
        refused.expect(400, "bad-request", message, "");
        assert!(!refused.text().contains("s3same"));
    }
    world.post("/v1/services/none", r#"{"tags": []}"#).await.expect(404, "not-found", "does not exist", "");
    assert_eq!(credential_files(&world).len(), 2);

    let refused = world.delete("/v1/services/db").await;
    refused.expect(409, "bound", "is bound by `web`", "tekcron unbind-service APP db");
    assert_eq!(credential_files(&world).len(), 2, "a refused deletion takes none away");
    let unbound = world.delete("/v1/apps/web/services/db").await.json();
    assert_eq!(unbound["services"], json!([]));
    assert_eq!(world.delete("/v1/apps/web/services/db").await.json(), unbound);
    assert_eq!(world.delete("/v1/services/db").await.json()["name"], "db");
    assert_eq!(
        (credential_files(&world).len(), world.get("/v1/services").await.json()["items"].clone()),
        (0, json!([]))
    );
    world.delete("/v1/services/db").await.expect(404, "not-found", "the service `db` does not exist", "");
    world.end().await;
}

#[tokio::test]
async fn a_service_that_is_none_is_refused_and_leaves_no_credentials() {
    let world = World::new();
    assert_eq!(
        service(&world, r#"{"name": "vault", "secret": "vault-credentials"}"#).await.json()["place"],
        "vault-credentials"
    );
    for (body, status, code, message) in [
        ("{}", 400, "bad-request", "a name is missing"),
        (r#"{"name": "Db", "credentials": {}}"#, 400, "bad-request", "expected lower-case letters"),
        (r#"{"name": "db"}"#, 400, "bad-request", "expected either `credentials` or `secret`"),
        (r#"{"name": "db", "credentials": {}, "secret": "x"}"#, 400, "bad-request", "expected either"),
        (
            r#"{"name": "db", "credentials": "s3same"}"#,
            400,
            "bad-request",
            "`credentials`: expected an object",
        ),
        (r#"{"name": "db", "file": "/etc/passwd"}"#, 400, "bad-request", "unknown field `file`"),
        (r#"{"name": "db", "secret": "No Secret"}"#, 400, "bad-request", "the name of a Secret"),
        (
            r#"{"name": "db", "credentials": {"a": "s3same"}, "label": " "}"#,
            400,
            "bad-request",
            "expected text",
        ),
        (r#"{"name": "vault", "credentials": {"a": "s3same"}}"#, 409, "exists", "exists already"),
    ] {
        let answer = service(&world, body).await;
        answer.expect(status, code, message, "");
        assert!(!answer.text().contains("s3same") && !answer.text().contains("No Secret"), "{answer:?}");
    }
    assert!(credential_files(&world).is_empty());
    assert_eq!(world.get("/v1/services").await.json()["items"].as_array().unwrap().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn an_app_goes_with_all_that_is_kept_of_it_and_its_neighbours_stay() {
    let world = World::new();
    push(&world).await;
    world.post("/v1/apps/web/jobs", r#"{"name": "tick", "schedule": "* * * * *"}"#).await;
    world.post("/v1/apps/etl/jobs", r#"{"name": "tock", "schedule": "* * * * *"}"#).await;
    world.clock.advance(Duration::from_secs(60));
    let counted = async |path: &str| world.get(path).await.json()["items"].as_array().unwrap().len();
    world.until("both have run", || world.executor.submitted() >= 2).await;
    for name in world.get("/v1/apps/web/tasks").await.json()["items"].as_array().unwrap() {
        world.executor.end(name["name"].as_str().unwrap(), Phase::Succeeded, world.now());
    }
    let app: tekcron::app::AppName = "web".parse().unwrap();
    world.until("they have ended", || world.store.active_tasks_of(&app).unwrap().is_empty()).await;
    let waiting = world.post("/v1/apps/web/tasks", "").await.json();
    world.post("/v1/jobs/web.tick/pause", "").await;

    let refused = world.delete("/v1/apps/web").await;
    refused.expect(409, "running", "of the App `web` has not ended: ", "tekcron delete web -f");
    assert_eq!(world.get("/v1/apps/web").await.status, 200);
    assert_eq!(counted("/v1/jobs/web.tick/slots").await, 1);

    let request = world.request(Method::DELETE, "/v1/apps/web?force=true").body(Body::empty()).unwrap();
    let (deleted, ()) = tokio::join!(world.send(request), async {
        let name: tekcron::task::TaskName = waiting["name"].as_str().unwrap().parse().unwrap();
        world.until("it is asked to end", || world.executor.cancelled().contains(&name)).await;
        // Nothing new begins meanwhile.
        world.post("/v1/apps/web/tasks", "").await.expect(404, "not-found", "", "");
        world.post("/v1/apps/web/env", "{}").await.expect(409, "deleting", "is being deleted", "");
        world.executor.end(name.as_str(), Phase::Cancelled, world.now());
    });
    assert_eq!((deleted.status, deleted.json()), (200, json!({ "name": "web", "gone": true })));
    for path in ["/v1/apps/web", "/v1/apps/web/tasks", "/v1/jobs/web.tick", "/v1/jobs/web.tick/slots"] {
        world.get(path).await.expect(404, "not-found", "", "");
    }
    assert_eq!(counted("/v1/stored-apps").await, 0);
    assert_eq!(world.get("/v1/stored-jobs").await.json()["items"][0]["name"], "etl.tock");
    assert_eq!((counted("/v1/jobs/etl.tock/slots").await, counted("/v1/apps/etl/tasks").await), (1, 1));
    let job = "web.tick".parse().unwrap();
    assert_eq!(world.store.steering(&job).unwrap(), tekcron::job::Steering::default());
    assert_eq!(world.store.previous_success(&job).unwrap(), None);
    world.delete("/v1/apps/web").await.expect(404, "not-found", "App `web` does not exist", "");
    world.delete("/v1/apps/etl?force=true").await.expect(
        409,
        "read-only",
        "stands in a file",
        "edit `etl.toml`",
    );

    // No number is given twice.
    push(&world).await;
    let again = world.post("/v1/apps/web/tasks", "").await.json();
    assert_eq!(again["id"].as_u64(), waiting["id"].as_u64().map(|id| id + 1));
    world.end().await;
}

/// A request ends in the middle when its connection does.
#[tokio::test]
async fn what_was_begun_is_done_though_whoever_asked_hangs_up() {
    let world = World::new();
    push(&world).await;
    let hang_up = async |method: Method, path: &str, body: &str| {
        let request = world.request(method, path).body(Body::from(body.to_owned())).unwrap();
        let mut asked = std::pin::pin!(world.send(request));
        assert!(futures::poll!(asked.as_mut()).is_pending(), "{path}");
    };
    let stored = || std::sync::Arc::clone(&world.service.config.load().stored);
    let web: tekcron::app::AppName = "web".parse().unwrap();
    hang_up(Method::POST, "/v1/apps/web/env", r#"{"set": {"A": "1"}}"#).await;
    world.until("the variable is set", || stored().apps[&web].toml.contains("A = \"1\"")).await;
    hang_up(Method::POST, "/v1/apps/web/push", r#"{"image": "example/web:2"}"#).await;
    world.until("the revision is current", || stored().apps[&web].current == Some(RevisionNumber(2))).await;
    hang_up(Method::POST, "/v1/services", r#"{"name": "db", "credentials": {"a": "b"}}"#).await;
    world.until("the service is there", || !stored().services.is_empty()).await;
    assert_eq!(credential_files(&world).len(), 1);
    hang_up(Method::DELETE, "/v1/services/db", "").await;
    world.until("its credentials are gone", || credential_files(&world).is_empty()).await;
    hang_up(Method::DELETE, "/v1/apps/web", "").await;
    world.until("the App is gone", || stored().apps.is_empty()).await;
    world.end().await;
}

/// Lets go whoever waits for somebody to write to a named pipe, also where a test fails.
struct Pipe(PathBuf);

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = fs::File::options().read(true).write(true).open(&self.0);
    }
}

/// What still unpacks a source would otherwise build what is pushed under the same name.
#[tokio::test]
async fn an_app_goes_only_when_nobody_brings_its_revision_on() {
    let dir = tempfile::TempDir::new().unwrap();
    let web: tekcron::app::AppName = "web".parse().unwrap();
    let (number, at) = (RevisionNumber(1), jiff::Timestamp::UNIX_EPOCH);
    let hash = tekcron::push::SourceHash::of_digest([0; 32]);
    let toml = "[app]\nname = \"web\"\n".to_owned();
    let app = StoredApp { toml, current: None, newest: number, by: None, at, deleting: false };
    let revision = Revision {
        number,
        source: Some(hash),
        image: None,
        command: None,
        state: RevisionState::Building,
        build: None,
        from: None,
        by: None,
        at,
        ended: None,
    };
    let stored = Stored {
        apps: [(web.clone(), app)].into(),
        revisions: [(web.clone(), [(number, revision)].into())].into(),
        ..Stored::default()
    };
    // Whoever unpacks it waits for somebody who writes.
    let source = dir.path().join("sources").join(format!("{hash}.tar"));
    fs::create_dir(dir.path().join("sources")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&source).status().unwrap().success());
    let _pipe = Pipe(source.clone());
    let (config, _) = crate::sample::config(dir.path()).with_stored(stored);
    let world = World::with_config(dir, config);
    let stored = || std::sync::Arc::clone(&world.service.config.load().stored);
    let request = world.request(Method::DELETE, "/v1/apps/web?force=true").body(Body::empty()).unwrap();
    let mut asked = Box::pin(world.send(request));
    assert!(futures::poll!(asked.as_mut()).is_pending());
    world.until("it is on its way out", || stored().apps[&web].deleting).await;
    for _ in 0..100 {
        world.store.commit(Commit::new()).await.unwrap();
    }
    assert!(stored().apps.contains_key(&web), "it has not waited");
    let writer = tokio::task::spawn_blocking(|| fs::File::options().write(true).open(source));
    drop(writer.await.unwrap().unwrap());
    assert_eq!(asked.await.status, 200);
    assert!(stored().apps.is_empty());
    world.end().await;
}

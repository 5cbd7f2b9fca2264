//! From a source to tasks that run on it, on the embedded executor.

use std::fs;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tekcron::push::SourceKey;
use tekcron::task::TaskName;

use crate::harness::Place;
use crate::wire::{ask, ask_as, get, post, send, settled, source};

fn place() -> Place {
    Place::with(&[("filed", "[app]\nname = \"filed\"\ncommand = \"true\"\n")])
}

/// Pushes these files; the revision when it is made.
fn push(place: &Place, files: &[(&str, &str)], app: Value, build: Value) -> Value {
    let source = send(place, files);
    let (status, revision) = post(
        place,
        "/v1/apps/web/push",
        &json!({ "source": source, "app": app, "build": build, "by": "ann" }),
    );
    assert_eq!(status, 202, "{revision}");
    settled(place, "web", revision["number"].as_u64().unwrap())
}

fn says(place: &Place, command: &str) -> String {
    place.ok(&["run-task", "web", "-c", command, "--follow"])
}

#[test]
fn a_source_is_built_runs_is_rolled_back_and_built_again() {
    let place = place();
    let daemon = place.serve();
    let build = json!({ "command": "tr a-z A-Z < word > WORD; echo built $WHAT", "env": { "WHAT": "it" } });
    let app = json!({ "command": "cat WORD; echo $TEKCRON_REVISION $STAGE", "env": { "STAGE": "test" } });
    let first = push(&place, &[("word", "one")], app, build);
    assert_eq!((&first["state"], &first["current"]), (&json!("ready"), &json!(true)), "{first}");
    let built = first["build_task"].to_string();
    assert!(place.ok(&["logs", "web", "--task", &built]).contains("built it"));
    let task = place.json(&["task", "web", &built]);
    assert_eq!(
        (&task["trigger"], &task["revision"], &task["job"]),
        (&json!("build"), &json!(1), &Value::Null)
    );
    assert_eq!(place.ok(&["run-task", "web", "--follow"]).lines().next(), Some("ONE1 test"));

    // The command stays, as does the build.
    let second = push(&place, &[("word", "two")], json!({}), json!({}));
    assert_eq!(second["number"], 2);
    assert!(place.ok(&["run-task", "web", "--follow"]).contains("TWO2 test"));
    let (status, third) = post(&place, "/v1/apps/web/rollback", &json!({ "revision": 1, "by": "bob" }));
    assert_eq!((status, &third["state"], &third["from"]), (202, &json!("ready"), &json!(1)), "{third}");
    assert!(place.ok(&["run-task", "web", "--follow"]).contains("ONE3 test"));
    let (_, fourth) = post(&place, "/v1/apps/web/restage", &json!({}));
    assert_eq!((&fourth["state"], &fourth["from"]), (&json!("building"), &json!(3)));
    assert_eq!(settled(&place, "web", 4)["state"], "ready");

    // A restart forgets nothing of it.
    daemon.kill();
    let _daemon = place.serve();
    assert!(place.ok(&["run-task", "web", "--follow"]).contains("ONE4 test"));
    let (_, page) = get(&place, "/v1/apps/web/revisions?limit=3");
    let numbers: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| &item["number"]).collect();
    assert_eq!(numbers, [4, 3, 2]);
    let (_, rest) =
        get(&place, &format!("/v1/apps/web/revisions?limit=3&cursor={}", page["next"].as_str().unwrap()));
    assert_eq!((rest["items"][0]["number"].as_u64(), &rest["next"]), (Some(1), &Value::Null));
}

#[test]
fn a_build_that_fails_leaves_the_app_on_its_last_good_revision() {
    let place = place();
    let _daemon = place.serve();
    push(&place, &[("word", "one")], json!({ "command": "cat word" }), json!({ "command": "test -e word" }));
    let failed = push(&place, &[("other", "")], json!({}), json!({}));
    assert_eq!((&failed["state"], &failed["current"]), (&json!("failed"), &json!(false)));
    let reason = failed["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("its build, task 2, ended as `failed`: ") && reason.contains("hint: "),
        "{reason}"
    );
    assert!(place.ok(&["run-task", "web", "--follow"]).contains("one"));
    assert!(!place.path().join("data/revisions/web/2").exists(), "what it left is gone");
    let (status, refused) = post(&place, "/v1/apps/web/rollback", &json!({ "revision": 2 }));
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("not-ready")), "{refused}");
    assert_eq!(refused["error"]["hint"], "those that are ready: 1");
}

#[test]
fn a_build_has_no_credentials_and_its_log_none_to_show() {
    let place = place();
    let _daemon = place.serve();
    place.ok(&["create-user-provided-service", "db", "-p", r#"{"uri":"postgres://etl:hunter22@db/etl"}"#]);
    let app = json!({ "command": "echo $DATABASE_URL", "services": ["db"] });
    let made = push(&place, &[("word", "one")], app, json!({ "command": "echo $VCAP_SERVICES; env" }));
    assert_eq!(made["state"], "ready", "{made}");
    let log = place.ok(&["logs", "web", "--task", &made["build_task"].to_string()]);
    assert!(log.starts_with("{}\n") && !log.contains("hunter22"), "{log}");
    assert!(place.ok(&["run-task", "web", "--follow"]).contains("hunter22"), "its tasks have them");
}

/// A data directory may be reached by more than one name.
#[test]
fn what_a_file_names_by_way_of_a_link_stays_when_what_was_pushed_is_deleted() {
    let place = place();
    let daemon = place.serve();
    place.ok(&["cups", "db", "-p", r#"{"uri":"postgres://db"}"#]);
    push(&place, &[("word", "one")], json!({}), json!({}));
    let services = place.path().join("data/services");
    let name = fs::read_dir(&services).unwrap().next().unwrap().unwrap().file_name();
    assert!(daemon.terminate().success());
    let link = place.path().join("link");
    std::os::unix::fs::symlink("data", &link).unwrap();
    let (file, path) = (link.join("services").join(&name), link.join("revisions/web/1"));
    let settings = format!("[services.other.credentials]\nfile = \"{}\"\n", file.display());
    fs::write(place.path().join("config/tekcron.toml"), settings).unwrap();
    let app = "[app]\nname = \"filed\"\nservices = [\"other\"]\ncommand = \"cat word; echo $DATABASE_URL\"\n";
    place.write_app("filed", &format!("{app}path = \"{}\"\n", path.display()));
    let daemon = place.serve();
    place.ok(&["delete-service", "db", "-f"]);
    place.ok(&["delete", "web", "-f"]);
    assert!(daemon.terminate().success());
    let _daemon = place.serve();
    assert!(place.ok(&["run-task", "filed", "--follow"]).contains("onepostgres://db"));
}

#[test]
fn a_push_changes_nothing_of_what_runs_and_waits_for_no_run() {
    let place = place();
    let _daemon = place.serve();
    let app = json!({ "command": "cat word; while [ ! -e $HOME/../go ]; do sleep 0.05; done; cat word", "max_running": 1 });
    push(&place, &[("word", "one\n")], app, json!({}));
    place.ok(&["run-task", "web"]);
    place.until("it runs", || place.ok(&["logs", "web", "--task", "1"]).contains("one").then_some(()));
    place.ok(&["run-task", "web", "--name", "claimed before"]);
    // Its build starts though one task runs, which is all that may.
    let second = push(&place, &[("word", "two\n")], json!({}), json!({ "command": "true" }));
    assert_eq!(second["state"], "ready");
    assert_eq!(place.json(&["task", "web", "2"])["revision"], 1, "it was claimed before");
    let name = place.json(&["task", "web", "1"])["name"].as_str().unwrap().to_owned();
    fs::write(place.path().join("data/tasks").join(name).join("go"), "").unwrap();
    place.until("it ends", || (place.json(&["task", "web", "1"])["phase"] == "succeeded").then_some(()));
    assert!(place.ok(&["logs", "web", "--task", "1"]).contains("one\none"));
    place.until("the next one runs", || {
        place.ok(&["logs", "web", "--task", "2"]).contains("one").then_some(())
    });
    place.ok(&["terminate-task", "web", "2"]);
    assert!(says(&place, "cat word").contains("two"));
}

#[test]
fn one_push_at_a_time_and_what_is_built_can_be_ended() {
    let place = place();
    let _daemon = place.serve();
    let hash = send(&place, &[("word", "one")]);
    let body =
        json!({ "source": hash, "app": { "command": "cat word" }, "build": { "command": "sleep 600" } });
    let (status, first) = post(&place, "/v1/apps/web/push", &body);
    assert_eq!((status, &first["state"]), (202, &json!("building")), "{first}");
    for (path, body) in [("push", &body), ("restage", &json!({})), ("rollback", &json!({ "revision": 1 }))] {
        let (status, refused) = post(&place, &format!("/v1/apps/web/{path}"), body);
        assert_eq!((status, &refused["error"]["code"]), (409, &json!("building")), "{path}: {refused}");
    }
    let refused = place.run(&["run-task", "web"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("App `web` has no revision that is ready\nhint: "), "{words}");
    let build = place.until("its build", || get(&place, "/v1/apps/web/revisions/1").1["build_task"].as_u64());
    place.until("it runs", || {
        (place.json(&["task", "web", &build.to_string()])["phase"] == "running").then_some(())
    });
    let rerun = place.run(&["rerun", "web", &build.to_string()]);
    assert!(!rerun.status.success());
    place.ok(&["terminate-task", "web", &build.to_string()]);
    let ended = settled(&place, "web", 1);
    assert_eq!(ended["state"], "failed");
    assert!(ended["reason"].as_str().unwrap().contains("`cancelled`"), "{ended}");
}

#[test]
fn what_is_wrong_makes_no_revision() {
    let place = place();
    let _daemon = place.serve();
    let hash = send(&place, &[("word", "one")]);
    let (unsent, _) = source(&[("word", "other")]);
    for (app, body, status, words) in [
        ("filed", json!({ "source": hash }), 409, "config/apps/filed.toml"),
        ("web", json!({ "source": unsent }), 404, "is not here"),
        ("web", json!({ "source": "1234" }), 400, "expected the SHA-256 of a tar"),
        ("web", json!({}), 400, "found neither"),
        ("web", json!({ "source": hash, "image": "busybox" }), 400, "found both"),
        ("web", json!({ "image": "busy box" }), 400, "busy box"),
        ("web", json!({ "source": hash, "app": { "memory": "12" } }), 400, "expected a unit"),
        ("web", json!({ "source": hash, "app": { "path": "/" } }), 400, "expected no `path`"),
        ("web", json!({ "source": hash, "app": { "command": [] } }), 400, "expected a shell line"),
        (
            "web",
            json!({ "source": hash, "app": { "services": ["none"] } }),
            400,
            "`tekcron create-user-provided-service none",
        ),
        ("web", json!({ "source": hash, "build": { "zzz": 1 } }), 400, "unknown key `zzz`"),
        ("Web!", json!({ "source": hash }), 400, "Web!"),
    ] {
        let (found, answer) = post(&place, &format!("/v1/apps/{app}/push"), &body);
        assert_eq!(found, status, "{body}: {answer}");
        assert!(answer["error"].to_string().contains(words), "{body}: {answer}");
    }
    // Tried out, a source need not be here.
    let tried = json!({ "source": unsent, "app": { "command": "cat word" }, "dry_run": true });
    let (status, would_be) = post(&place, "/v1/apps/web/push", &tried);
    assert_eq!((status, &would_be["number"], &would_be["state"]), (200, &json!(1), &json!("building")));
    let (status, answer) = post(&place, "/v1/apps/filed/push", &tried);
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("read-only")), "{answer}");
    assert_eq!(get(&place, "/v1/apps/web").0, 404);
    assert_eq!(post(&place, "/v1/apps/web/restage", &json!({})).0, 404);
    assert_eq!(post(&place, "/v1/apps/web/rollback", &json!({ "revision": 1 })).0, 404);
    push(&place, &[("word", "one")], json!({ "command": "cat word" }), json!({}));
    let (status, answer) = post(&place, "/v1/apps/web/rollback", &json!({ "revision": 7 }));
    assert_eq!((status, &answer["error"]["hint"]), (404, &json!("those that are ready: 1")), "{answer}");
    let (status, answer) = post(&place, "/v1/apps/web/rollback", &json!({ "revision": 1 }));
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("current")), "{answer}");
    let (_, revisions) = get(&place, "/v1/apps/web/revisions");
    assert_eq!(revisions["items"].as_array().unwrap().len(), 1);
}

#[test]
fn the_newest_five_revisions_stay_and_what_a_task_runs() {
    let place = place();
    let _daemon = place.serve();
    push(&place, &[("word", "1")], json!({ "command": "cat word; sleep 600" }), json!({}));
    place.ok(&["run-task", "web"]);
    place.until("it runs", || (place.json(&["task", "web", "1"])["phase"] == "running").then_some(()));
    for number in 2..=7 {
        push(&place, &[("word", &number.to_string())], json!({}), json!({}));
    }
    let left = |dir: &str| {
        let mut names: Vec<_> = fs::read_dir(place.path().join("data").join(dir))
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    place.until("what nobody needs is gone", || {
        (left("revisions/web") == ["1", "3", "4", "5", "6", "7"]).then_some(())
    });
    let (_, revisions) = get(&place, "/v1/apps/web/revisions");
    let numbers: Vec<_> =
        revisions["items"].as_array().unwrap().iter().map(|item| item["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3, 1]);
    // Its source goes later: somebody may be about to push it again.
    assert_eq!(left("sources").len(), 7);
    place.ok(&["terminate-task", "web", "1"]);
}

#[test]
fn an_upload_that_is_cut_off_goes_on() {
    use std::io::Write;
    let place = place();
    let _daemon = place.serve();
    let content: String = (0..4 << 20).map(|number| if number % 61 == 0 { '\n' } else { 'x' }).collect();
    let (hash, tar) = source(&[("large", &content)]);
    let path = format!("/v1/sources/{hash}");
    let read =
        |name: &str| fs::read_to_string(place.path().join("data").join(name)).unwrap().trim().to_owned();
    let mut stream = std::net::TcpStream::connect(read("address").strip_prefix("http://").unwrap()).unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        read("token"),
        tar.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&tar[..3 << 20]).unwrap();
    let received = || get(&place, &path).1["received"].as_u64().filter(|received| *received >= 2 << 20);
    place.until("most of it is here", received);
    drop(stream);
    // Until it is given up, nobody else may go on with it.
    place.until("it goes on", || {
        let (_, standing) = get(&place, &path);
        assert_eq!(standing["complete"], false);
        let offset = standing["received"].as_u64()?;
        let rest = &tar[usize::try_from(offset).unwrap()..];
        let (status, answer) = ask(&place, "PUT", &format!("{path}?offset={offset}"), rest)?;
        assert!(
            status == 200 || answer["error"]["code"] == "under-way" || answer["received"].is_u64(),
            "{answer}"
        );
        (status == 200).then_some(())
    });
    let (status, refused) = ask(&place, "PUT", &format!("{path}?offset=x"), b"").unwrap();
    assert_eq!(status, 400, "{refused}");
    assert_eq!(get(&place, &path).1["complete"], true);
    let (other, _) = source(&[("other", "")]);
    let (status, refused) = ask(&place, "PUT", &format!("/v1/sources/{other}?offset=5"), b"").unwrap();
    assert_eq!((status, &refused["received"]), (409, &json!(0)), "{refused}");
}

/// As a build on a cluster does it, with a build that waits to be fetched for.
#[test]
fn a_build_fetches_its_source_once_with_a_token_of_its_own() {
    let place = place();
    let _daemon = place.serve();
    let files = [("word", "one")];
    let hash = send(&place, &files);
    let waits = json!({ "command": "while [ ! -e fetched ]; do sleep 0.1; done" });
    let pushed = post(&place, "/v1/apps/web/push", &json!({ "source": hash, "build": waits }));
    assert_eq!(pushed.0, 202, "{}", pushed.1);
    let build = place.until("it is being built", || {
        let tasks = place.json(&["tasks", "web"]);
        tasks.as_array()?.iter().find(|task| task["phase"] == "running").cloned()
    });
    let name: TaskName = build["name"].as_str().unwrap().parse().unwrap();
    let data = place.path().join("data");
    let token = SourceKey::open(&data).unwrap().token(&name, &hash.parse().unwrap());
    let fetch = |token: &str, hash: &str| {
        ask_as(&place, token, "GET", &format!("/v1/sources/{hash}/content"), b"").unwrap()
    };
    let own = fs::read_to_string(data.join("token")).unwrap();
    let other = source(&[("word", "two")]).0;
    for (token, hash) in [(own.trim(), &hash), (token.expose_secret(), &other), ("no.token", &hash)] {
        assert_eq!(fetch(token, hash).0, 401);
    }
    let (status, tar) = fetch(token.expose_secret(), &hash);
    assert_eq!((status, tar.as_bytes() == source(&files).1), (200, true));
    let (status, said) = fetch(token.expose_secret(), &hash);
    assert!(status == 401 && said.contains("used already"), "{said}");
    // What it opens it opens to nobody but there.
    assert_eq!(ask_as(&place, token.expose_secret(), "GET", "/v1/apps", b"").unwrap().0, 401);

    fs::write(data.join("revisions/web/1/fetched"), "").unwrap();
    assert_eq!(settled(&place, "web", 1)["state"], "ready");
    assert_eq!(fetch(token.expose_secret(), &hash).0, 401);
}

//! `push`, `rollback` and `restage`: what is sent, what is said, and how they end.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tekcron::api::resources::{AppResource, TaskResource};
use tekcron::push::{Packed, Tree};
use tekcron::task::Phase;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::fake::{Fake, Reply, Run, tekcron};
use crate::sample::{app, ended, queued};

const PUSH: &str = "POST /v1/apps/hello/push";
const LOOK: &str = "GET /v1/apps/hello/revisions/3?wait=30";
const BUILD: &str = "GET /v1/apps/hello/tasks/7";
const LOG: &str = "GET /v1/apps/hello/tasks/7/logs?follow=true";

/// A directory with a program that was written for Cloud Foundry.
fn program(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn hello() -> TempDir {
    program(&[("run.sh", "echo hello\n"), ("lib/words", "one\ntwo\n")])
}

fn packed(dir: &Path) -> Packed {
    Tree::read(dir).unwrap().hash(|_| ()).unwrap()
}

fn source(packed: &Packed, received: u64) -> Reply {
    Reply::ok(&json!({ "hash": packed.hash, "received": received, "complete": received == packed.length }))
}

fn revision(state: &str, reason: Option<&str>) -> Reply {
    Reply::Json(
        202,
        json!({
            "app": "hello", "number": 3, "state": state, "current": state == "ready", "source": null,
            "image": null, "build_task": 7, "from": null, "by": null, "created": queued(7).created,
            "finished": null,
            "reason": reason,
        }),
    )
}

fn of(reply: Reply, changes: Value) -> Reply {
    let Reply::Json(status, Value::Object(mut fields)) = reply else { panic!("expected JSON") };
    fields.extend(changes.as_object().unwrap().clone());
    Reply::Json(status, fields.into())
}

fn built(phase: Phase, code: i32) -> Reply {
    Reply::ok(&TaskResource { app: "hello".into(), ..ended(7, phase, Some(code), "Done", "it ended") })
}

fn running() -> Reply {
    Reply::ok(&TaskResource { app: "hello".into(), phase: Phase::Running, ..queued(7) })
}

/// The program, run in `dir`.
async fn run(fake: &Fake, dir: &Path, args: &[&str]) -> Run {
    let mut command = fake.command(args);
    command.current_dir(dir);
    Run::of(command).await
}

fn lines<'a>(packed: &Packed) -> [&'a str; 2] {
    let leak = |line: String| -> &'a str { Box::leak(line.into_boxed_str()) };
    [
        leak(format!("GET /v1/sources/{}", packed.hash)),
        leak(format!("PUT /v1/sources/{}?offset=0", packed.hash)),
    ]
}

#[tokio::test]
async fn a_source_is_sent_and_built_and_its_log_is_shown() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, send] = lines(&packed);
    let fake = Fake::start([
        (ask, source(&packed, 0)),
        (PUSH, revision("building", None)),
        (send, source(&packed, packed.length)),
        (PUSH, revision("building", None)),
        (BUILD, running()),
        (LOG, Reply::Text("compiling\nlinking\n")),
        (LOOK, revision("ready", None)),
        (BUILD, built(Phase::Succeeded, 0)),
    ])
    .await;
    let flags =
        "push hello --task -p . -c run.sh -m 256M -k 1G --cpu-cores 0.5 --env A=1 --build-command make";
    insta::assert_snapshot!(run(&fake, dir.path(), &flags.split(' ').collect::<Vec<_>>()).await, @r"
    compiling
    linking
    ! `.`: 3 files and directories, 3.5 KiB packed
    ! uploaded 3.5 KiB
    ! revision 3 of the App `hello` is being built; Ctrl-C ends only the wait
    ! revision 3 of the App `hello` is ready
    ! hint: `tekcron run-task hello --follow` runs a task on it
    [0]
    ");
    let requests = fake.requests();
    assert_eq!(requests[2].headers["content-type"], "application/x-tar");
    assert_eq!(requests[2].headers["content-length"], packed.length.to_string().as_str());
    let mut tar = Vec::new();
    Tree::read(dir.path()).unwrap().write(0, &mut tar).unwrap();
    assert_eq!(requests[2].bytes, tar);
    let mut pushed = json!({
        "source": packed.hash,
        "app": { "command": "run.sh", "cpu": "0.5", "memory": "256M", "disk": "1G", "env": { "A": "1" } },
        "build": { "command": "make" },
    });
    assert_eq!(requests[3].body, pushed);
    pushed["dry_run"] = true.into();
    assert_eq!(requests[1].body, pushed);
}

#[tokio::test]
async fn what_the_service_has_is_not_sent() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let ready = of(revision("ready", None), json!({ "build_task": null }));
    let fake = Fake::start([(ask, source(&packed, packed.length)), (PUSH, ready)]).await;
    insta::assert_snapshot!(run(&fake, dir.path(), &["push", "hello", "--task"]).await, @r"
    ! `.`: 3 files and directories, 3.5 KiB packed
    ! the service has this source: nothing is uploaded
    ! revision 3 of the App `hello` is ready
    ! hint: `tekcron run-task hello --follow` runs a task on it
    [0]
    ");
    assert_eq!(fake.requests()[1].body, json!({ "source": packed.hash, "app": {}, "build": {} }));
}

#[tokio::test]
async fn an_upload_that_was_cut_off_goes_on_where_it_stopped() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, send] = lines(&packed);
    let on = format!("PUT /v1/sources/{}?offset=700", packed.hash);
    let ready = || of(revision("ready", None), json!({ "build_task": null }));
    let fake = Fake::start([
        (ask, source(&packed, 0)),
        (PUSH, ready()),
        (send, Reply::Broken),
        (ask, source(&packed, 700)),
        (&on, source(&packed, packed.length)),
        (PUSH, ready()),
    ])
    .await;
    let run = run(&fake, dir.path(), &["push", "hello", "--task"]).await;
    assert!(run.err.contains("going on with the upload behind 700 bytes\n"), "{run}");
    assert_eq!(run.code, 0, "{run}");
    let mut rest = Vec::new();
    Tree::read(dir.path()).unwrap().write(700, &mut rest).unwrap();
    assert_eq!(fake.requests()[4].bytes, rest);
}

/// All of it came, and was cut off before it was checked.
#[tokio::test]
async fn a_source_that_is_there_and_not_yet_checked_is_asked_for_with_nothing_more() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let all = of(source(&packed, packed.length), json!({ "complete": false }));
    let rest = format!("PUT /v1/sources/{}?offset={}", packed.hash, packed.length);
    let ready = || of(revision("ready", None), json!({ "build_task": null }));
    let script =
        [(ask, all), (PUSH, ready()), (rest.as_str(), source(&packed, packed.length)), (PUSH, ready())];
    let fake = Fake::start(script).await;
    let run = run(&fake, dir.path(), &["push", "hello", "--task"]).await;
    assert_eq!(run.code, 0, "{run}");
    let sent = &fake.requests()[2];
    assert_eq!((sent.bytes.len(), sent.headers["content-length"].as_bytes()), (0, &b"0"[..]));
}

/// Somebody else has sent something else under its name, and more than it has.
#[tokio::test]
async fn a_source_that_is_longer_there_than_here_is_not_sent_and_is_refused_by_the_service() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let longer = packed.length + 512;
    let rest = format!("PUT /v1/sources/{}?offset={longer}", packed.hash);
    let other = Reply::error(422, "bad-source", "expected another SHA-256", Some("push again"));
    let script = [(ask, source(&packed, longer)), (PUSH, revision("building", None)), (rest.as_str(), other)];
    let fake = Fake::start(script).await;
    let run = run(&fake, dir.path(), &["push", "hello", "--task"]).await;
    assert_eq!(fake.requests()[2].bytes.len(), 0);
    assert!(run.err.ends_with("error: expected another SHA-256\nhint: push again\n"), "{run}");
}

#[tokio::test]
async fn where_the_service_has_other_bytes_than_it_said_they_are_asked_for_anew_and_not_for_ever() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, send] = lines(&packed);
    let conflict = || Reply::error(409, "offset", "the source goes on at byte 100", None);
    let mut script = vec![(ask, source(&packed, 0)), (PUSH, revision("building", None)), (send, conflict())];
    for _ in 0..5 {
        script.extend([(ask, source(&packed, 0)), (send, conflict())]);
    }
    let fake = Fake::start(script).await;
    let run = run(&fake, dir.path(), &["push", "hello", "--task"]).await;
    fake.requests();
    assert_eq!(run.code, 1, "{run}");
    assert!(run.err.contains("and takes no others\nhint: perhaps somebody else pushes"), "{run}");
}

#[tokio::test]
async fn what_the_service_refuses_is_told_in_its_words() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, send] = lines(&packed);
    let full = Reply::error(507, "no-space", "the disk is full", Some("make room, and push again"));
    let fake =
        Fake::start([(ask, source(&packed, 0)), (PUSH, revision("building", None)), (send, full)]).await;
    let run = run(&fake, dir.path(), &["push", "hello", "--task"]).await;
    fake.requests();
    assert!(run.err.ends_with("error: the disk is full\nhint: make room, and push again\n"), "{run}");
    assert_eq!(run.code, 1);
}

#[tokio::test]
async fn what_would_be_refused_is_not_sent() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let read_only =
        Reply::error(409, "read-only", "the App `hello` stands in a file", Some("edit `hello.toml`"));
    let fake = Fake::start([(ask, source(&packed, 0)), (PUSH, read_only)]).await;
    let run = run(&fake, dir.path(), &["push", "hello", "--task"]).await;
    assert_eq!(fake.requests()[1].body["dry_run"], true);
    assert!(run.err.ends_with("error: the App `hello` stands in a file\nhint: edit `hello.toml`\n"), "{run}");
}

#[tokio::test]
async fn a_report_of_the_service_stands_by_itself() {
    let report = "error: unknown key `foo`\n --> stored App hello:2:1\n\n1 problem";
    let fake = Fake::start([(PUSH, Reply::error(400, "bad-request", report, None))]).await;
    let run = fake.run(&["push", "hello", "--task", "--image", "hello:1"]).await;
    fake.requests();
    assert!(run.err.starts_with("error: unknown key"), "{run}");
}

#[tokio::test]
async fn what_is_probably_not_meant_is_said() {
    let warned =
        json!({ "build_task": null, "warnings": ["a build means nothing here\nhint: leave it out"] });
    let fake = Fake::start([(PUSH, of(revision("ready", None), warned))]).await;
    let run = fake.run(&["push", "hello", "--task", "--image", "hello:1"]).await;
    fake.requests();
    assert!(run.err.starts_with("warning: a build means nothing here\nhint: leave it out\n"), "{run}");
}

#[tokio::test]
async fn a_file_that_changes_between_reading_and_sending_is_named_and_nothing_is_pushed() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let (answer, pieces) = mpsc::unbounded_channel();
    let fake = Fake::start([(ask, Reply::Stream(pieces)), (PUSH, revision("building", None))]).await;
    let mut command = fake.command(&["push", "hello", "--task"]);
    command.current_dir(dir.path());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next_line().await.unwrap().unwrap().contains("3 files and directories"));
    fs::write(dir.path().join("run.sh"), "echo goodbye\n").unwrap();
    let text = format!(r#"{{"hash":"{}","received":0,"complete":false}}"#, packed.hash);
    answer.send(Box::leak(text.into_boxed_str())).unwrap();
    drop(answer);
    let line = said.next_line().await.unwrap().unwrap();
    assert!(line.starts_with("error: `") && line.contains("run.sh` changed while it was pushed"), "{line}");
    assert_eq!(child.wait().await.unwrap().code(), Some(74));
}

#[tokio::test]
async fn a_failed_build_tells_its_exit_code() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let fake = Fake::start([
        (ask, source(&packed, packed.length)),
        (PUSH, revision("building", None)),
        (BUILD, running()),
        (LOG, Reply::Text("error: no such module\n")),
        (LOOK, revision("failed", Some("the build ended with exit code 4"))),
        (BUILD, built(Phase::Failed, 4)),
    ])
    .await;
    insta::assert_snapshot!(run(&fake, dir.path(), &["push", "hello", "--task"]).await, @r"
    error: no such module
    ! `.`: 3 files and directories, 3.5 KiB packed
    ! the service has this source: nothing is uploaded
    ! revision 3 of the App `hello` is being built; Ctrl-C ends only the wait
    ! revision 3 of the App `hello` has failed: the build ended with exit code 4
    ! hint: what tasks run stays as it was
    [4]
    ");
    fake.requests();
}

#[tokio::test]
async fn the_build_is_looked_for_until_it_has_a_task_and_a_service_that_restarts_is_waited_for() {
    let first = "GET /v1/apps/hello/revisions/3?wait=1";
    let fake = Fake::start([
        (PUSH, of(revision("building", None), json!({ "build_task": null }))),
        (first, Reply::Broken),
        (first, revision("building", None)),
        (BUILD, running()),
        (LOG, Reply::Text("")),
        (LOOK, Reply::error(503, "stopping", "the service is stopping", None)),
        (LOOK, revision("ready", None)),
        (BUILD, built(Phase::Succeeded, 0)),
    ])
    .await;
    let run = fake.run(&["push", "hello", "--task", "--image", "registry.example/hello:1"]).await;
    assert_eq!(run.code, 0, "{run}");
    let expected = json!({ "image": "registry.example/hello:1", "app": {}, "build": {} });
    assert_eq!(fake.requests()[0].body, expected);
}

#[tokio::test]
async fn whoever_does_not_wait_is_told_where_to_look() {
    let fake = Fake::start([(PUSH, revision("building", None))]).await;
    let run = fake.run(&["push", "hello", "--task", "--image", "hello:1", "--no-wait"]).await;
    fake.requests();
    insta::assert_snapshot!(run, @r"
    ! revision 3 of the App `hello` is being built
    ! hint: `tekcron app hello` shows what becomes of it
    [0]
    ");
}

#[tokio::test]
async fn ctrl_c_ends_only_the_wait_for_a_build() {
    let fake =
        Fake::start([(PUSH, revision("building", None)), (BUILD, running()), (LOG, Reply::Silence)]).await;
    let mut child = fake.command(&["push", "hello", "--task", "--image", "hello:1"]).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next_line().await.unwrap().unwrap().ends_with("Ctrl-C ends only the wait"));
    kill_process(Pid::from_raw(child.id().unwrap().cast_signed()).unwrap(), Signal::INT).unwrap();
    assert_eq!(said.next_line().await.unwrap().unwrap(), "no longer waiting; the build goes on");
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
}

#[tokio::test]
async fn ctrl_c_in_an_upload_says_that_nothing_was_pushed() {
    let dir = hello();
    let packed = packed(dir.path());
    let [ask, _] = lines(&packed);
    let on = format!("PUT /v1/sources/{}?offset=700", packed.hash);
    let fake =
        Fake::start([(ask, source(&packed, 700)), (PUSH, revision("building", None)), (&on, Reply::Silence)])
            .await;
    let mut command = fake.command(&["push", "hello", "--task"]);
    command.current_dir(dir.path());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.next_line().await.unwrap().unwrap().contains("packed"));
    assert!(said.next_line().await.unwrap().unwrap().starts_with("going on with the upload"));
    kill_process(Pid::from_raw(child.id().unwrap().cast_signed()).unwrap(), Signal::INT).unwrap();
    let line = said.next_line().await.unwrap().unwrap();
    assert_eq!(line, "the upload was interrupted; nothing was pushed");
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
}

const MANIFEST: &str = "\
applications:
- name: hello
  path: src
  memory: ((memory))
  command: sh run.sh
  env:
    LEVEL: debug
    GREETING: hello ((who))
  services: [db]
  routes:
  - route: hello.example.com
  buildpacks: [binary_buildpack]
  tekcron:
    build: make
    timeout: 5m
";

#[tokio::test]
async fn a_manifest_is_read_and_flags_win_over_it() {
    let dir = program(&[
        ("manifest.yml", MANIFEST),
        ("vars.yml", "memory: 1G\nwho: nobody\n"),
        ("src/run.sh", "echo $GREETING\n"),
    ]);
    let packed = packed(&dir.path().join("src"));
    let [ask, _] = lines(&packed);
    let fake = Fake::start([(ask, source(&packed, packed.length)), (PUSH, revision("ready", None))]).await;
    let flags = "push --task --vars-file vars.yml --var who=world --env LEVEL=info -m 512M";
    let run = run(&fake, dir.path(), &flags.split(' ').collect::<Vec<_>>()).await;
    insta::assert_snapshot!(run, @r"
    ! `manifest.yml`: ignored, as they mean nothing for tasks: routes, buildpacks
    ! `./src`: 1 file, 2.0 KiB packed
    ! the service has this source: nothing is uploaded
    ! revision 3 of the App `hello` is ready
    ! hint: `tekcron run-task hello --follow` runs a task on it
    [0]
    ");
    assert_eq!(
        fake.requests()[1].body,
        json!({
            "source": packed.hash,
            "app": {
                "memory": "512M", "command": "sh run.sh", "services": ["db"], "timeout": "5m",
                "env": { "LEVEL": "info", "GREETING": "hello world" },
            },
            "build": { "command": "make" },
        })
    );
}

#[tokio::test]
async fn of_several_applications_one_is_named() {
    let several = "applications:\n- {name: hello, docker: {image: a}}\n- {name: mail, docker: {image: b}}\n";
    let dir = program(&[("manifest.yml", several)]);
    let fake = Fake::start([(PUSH, revision("ready", None))]).await;
    let told = async |args: &[&str]| run(&fake, dir.path(), args).await.to_string();
    insta::assert_snapshot!(told(&["push", "--task"]).await, @r"
    ! error: `manifest.yml` has 2 applications
    ! hint: name one of them: hello, mail
    [64]
    ");
    insta::assert_snapshot!(told(&["push", "helo", "--task"]).await, @r"
    ! error: `manifest.yml` has no application `helo`
    ! hint: did you mean `hello`?
    [64]
    ");
    assert!(told(&["push", "hello", "--task"]).await.ends_with("[0]"));
    assert_eq!(fake.requests()[0].body, json!({ "image": "a", "app": {}, "build": {} }));
}

#[tokio::test]
async fn bad_input_is_told_before_anybody_is_asked() {
    let dir = program(&[
        ("empty/.gitignore", "*\n"),
        ("indent.yml", "applications:\n- name: hello\n   memory: 1G\n"),
        ("vars.yml", "applications:\n- name: hello\n  memory: ((memory))\n"),
        ("named.yml", "applications:\n- name: Hello World\n"),
        ("file", ""),
    ]);
    let fake = Fake::start([]).await;
    let mut seen = String::new();
    for args in [
        "push hello",
        "push --task",
        "push hello --task -p none",
        "push hello --task -p file",
        "push hello --task -p empty",
        "push hello --task --image Not:An:Image",
        "push hello --task -f none.yml",
        "push hello --task -f indent.yml",
        "push hello --task -f vars.yml",
        "push hello --task -f vars.yml --vars-file none.yml",
        "push --task -f named.yml",
        "push hello --task --var a=b",
        "push hello --task -m 12",
        "rollback hello",
        "rollback hello --revision 0",
    ] {
        let args: Vec<_> = args.split(' ').collect();
        seen += &format!("$ tekcron {}\n{}\n", args.join(" "), run(&fake, dir.path(), &args).await);
    }
    fake.requests();
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn a_service_that_does_not_run_is_told_before_anything_is_read() {
    let dir = hello();
    let mut command = tekcron(&["push", "hello", "--task", "--data-dir", "nowhere"]);
    command.current_dir(dir.path());
    let run = Run::of(command).await;
    assert_eq!(run.code, 69, "{run}");
    assert!(run.err.starts_with("error: no tekcron is running"), "{run}");
}

#[tokio::test]
async fn a_rollback_and_a_restage_make_a_revision() {
    let back = of(revision("ready", None), json!({ "from": 1, "build_task": null }));
    let fake = Fake::start([
        ("POST /v1/apps/hello/rollback", back),
        ("POST /v1/apps/hello/restage", revision("building", None)),
        (BUILD, running()),
        (LOG, Reply::Text("again\n")),
        (LOOK, revision("ready", None)),
        (BUILD, built(Phase::Succeeded, 0)),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["rollback", "hello", "--revision", "1"]).await, @r"
    ! revision 3 of the App `hello` is ready, with the code of revision 1
    ! hint: `tekcron run-task hello --follow` runs a task on it
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["restage", "app/hello"]).await, @r"
    again
    ! revision 3 of the App `hello` is being built; Ctrl-C ends only the wait
    ! revision 3 of the App `hello` is ready
    ! hint: `tekcron run-task hello --follow` runs a task on it
    [0]
    ");
    let requests = fake.requests();
    assert_eq!(requests[0].body, json!({ "revision": 1, "by": null }));
    assert_eq!(requests[1].body, json!({ "by": null }));
}

#[tokio::test]
async fn an_app_that_was_pushed_is_shown_with_its_revisions() {
    let app = AppResource { stored: true, file: None, revision: Some(2), jobs: vec![], ..app() };
    let digest = format!("registry.example/hello@sha256:{}", "d".repeat(64));
    let fields = |reply: Reply| match reply {
        Reply::Json(_, fields) => fields,
        _ => unreachable!("a revision is JSON"),
    };
    let items = [
        json!({ "number": 3, "source": "c".repeat(64), "by": "ada" }),
        json!({ "number": 2, "source": "a".repeat(64), "image": digest, "from": 1, "state": "ready", "current": true }),
        json!({ "number": 1, "image": "hello:1", "build_task": null, "state": "ready" }),
    ];
    let failed = || revision("failed", Some("the build ended with exit code 4\nhint: `tekcron logs hello`"));
    let items: Vec<_> = items.into_iter().map(|changes| fields(of(failed(), changes))).collect();
    let list = "GET /v1/apps/etl/revisions?limit=10";
    let fake = Fake::start([
        ("GET /v1/apps/etl", Reply::ok(&app)),
        (list, Reply::page(&items, None)),
        ("GET /v1/apps/etl", Reply::ok(&app)),
        (list, Reply::page::<Value>(&[], None)),
        ("GET /v1/apps/etl", Reply::ok(&app)),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["app", "etl"]).await);
    assert!(fake.run(&["app", "etl"]).await.out.ends_with("the App has no revisions\n"));
    assert_eq!(fake.run(&["app", "etl", "-o", "name"]).await.out, "app/etl\n");
    fake.requests();
}

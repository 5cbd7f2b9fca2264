//! Builds by a stand-in builder, from a source that this test serves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use secrecy::ExposeSecret;
use serde_json::json;
use sha2::{Digest, Sha256};
use tekcron::clock::{Clock, SharedClock, SystemClock};
use tekcron::config::Config;
use tekcron::executor::pipeline_run::source_submission;
use tekcron::executor::tekton::{TektonExecutor, TektonOptions};
use tekcron::executor::{Executor, LogQuery, Observed};
use tekcron::push::{SourceHash, SourceKey, SourceTokens};
use tekcron::task::{Outcome, Phase, RunIdentity, Task, TaskName};

use crate::world::World;

/// Serves one source to whoever has its token.
struct Source {
    hash: SourceHash,
    url: String,
    /// The status of each answer.
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Source {
    fn serve(address: &str, data_dir: &Path, task: &Task) -> Self {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("sub")).unwrap();
        std::fs::write(tree.path().join("sub/hello"), "hello from the source\n").unwrap();
        let tar = Command::new("tar").args(["-c", "-C"]).arg(tree.path()).arg("sub").output().unwrap().stdout;
        let hash: SourceHash = data_encoding::HEXLOWER.encode(&Sha256::digest(&tar)).parse().unwrap();
        let listener = TcpListener::bind((address, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tokens, answers) = (SourceTokens::open(data_dir).unwrap(), Arc::new(Mutex::new(vec![])));
        let (answered, of, task) = (Arc::clone(&answers), hash, task.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let status = answer(&connection, &tokens, &of, &task, &tar);
                answered.lock().unwrap().push(status);
            }
        });
        Self { hash, url, answers }
    }

    /// The status of the answer to one who asks for it with `token`.
    fn answer_to(&self, token: &str) -> u16 {
        let mut asking = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        let hash = &self.hash;
        write!(asking, "GET /v1/sources/{hash}/content HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        asking.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn answer(
    mut connection: &TcpStream,
    tokens: &SourceTokens,
    of: &SourceHash,
    task: &Task,
    tar: &[u8],
) -> u16 {
    let head: Vec<String> = BufReader::new(connection)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let asked = head[0].split(' ').nth(1).unwrap_or_default() == format!("/v1/sources/{of}/content");
    let token = head.iter().find_map(|line| line.strip_prefix("Authorization: Bearer ")).unwrap_or_default();
    let now = SystemClock::new().now();
    let status = match tokens.redeem(token, of, Some(task), now) {
        Ok(()) if asked => 200,
        _ => 401,
    };
    let body = if status == 200 { tar } else { &[] };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // Who asked may have gone.
    let _ = connection.write_all(&[head.as_bytes(), body].concat());
    status
}

struct Built {
    outcome: Outcome,
    log: String,
    source: Source,
    secret_after: bool,
    token: String,
}

/// Builds with `script`, whose arguments are the source and the digest's file.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn build(test: &str, script: &str) -> Option<Built> {
    let Some(address) = std::env::var("TEKCRON_TEST_ADDRESS").ok().filter(|address| !address.is_empty())
    else {
        eprintln!("SKIPPED: no address of this machine that pods reach: set TEKCRON_TEST_ADDRESS");
        return None;
    };
    let world = World::new(test, "", &[])?;
    let image = std::env::var("TEKCRON_TEST_IMAGE").unwrap();
    let settings = |url: &str| {
        format!(
            "executor = \"tekton\"\nnamespace = \"{}\"\ninstance = \"{}\"\npublic_url = \"{url}\"\ninsecure = true\n\
             [build]\nbuilder = \"custom\"\nimage = \"{image}\"\nfetch_image = \"{image}\"\nregistry = \"registry.example/team\"\n\
             args = [\"/bin/sh\", \"-c\", {script:?}, \"it\", \"{{source}}\", \"{{digest_file}}\"]\n",
            world.namespace, world.instance,
        )
    };
    let app = format!("[app]\nname = \"pushed\"\nimage = \"{image}\"\ncommand = \"true\"\n");
    let task = task(&world);
    let source = Source::serve(&address, world.place.path(), &task);
    let mut config = Config::from_toml(&settings(&source.url), &[&app]).unwrap();
    config.settings.data_dir = world.place.path().to_owned();
    let clock: SharedClock = Arc::new(SystemClock::new());
    let key = SourceKey::open(world.place.path()).unwrap();
    let token = key.token(&task.name, &source.hash).expose_secret().to_owned();
    let (outcome, log) = world.wait(async {
        let executor = TektonExecutor::open(TektonOptions::of(&config.settings), clock).await.unwrap();
        let mut observations = executor.observations().unwrap();
        executor.submit(source_submission(&config, &task, &source.hash).unwrap()).await.unwrap();
        let outcome = loop {
            if let Observed::Finished(outcome) = observations.recv().await.unwrap().state {
                break *outcome;
            }
        };
        let log = log(executor.as_ref(), &task.name).await;
        assert!(world.has_secret_of(&task.name).await, "its token stays until its end is on record");
        // Whoever has it by now comes too late.
        assert_eq!(source.answer_to(&token), 401);
        executor.release(&task.name).await.unwrap();
        (outcome, log)
    });
    let secret_after = world.wait(world.has_secret_of(&task.name));
    Some(Built { outcome, log, source, secret_after, token })
}

fn task(world: &World) -> Task {
    let app = "pushed".parse().unwrap();
    let name = TaskName::of(&world.instance, &world.namespace, &app, None, RunIdentity::Request("push"), 1);
    let task = json!({
        "app": "pushed", "id": 1, "name": name, "display_name": "pushed", "ordinal": 0, "trigger": "manual",
        "attempt": 1, "request": "push", "overrides": { "env": {}, "resources": {} }, "generation": "",
        "created": "2026-12-01T02:00:00Z", "phase": "submitted", "logs_on_terminate": "keep",
        "log": { "kept": 0, "cut": 0 },
    });
    serde_json::from_value(task).unwrap()
}

async fn log(executor: &dyn Executor, name: &TaskName) -> String {
    let mut text = Vec::new();
    let mut pieces = executor.logs(name, LogQuery::default()).await.unwrap();
    while let Some(piece) = pieces.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[test]
#[ignore = "needs a cluster"]
fn a_source_is_fetched_once_and_what_is_built_of_it_is_known_by_its_digest() {
    let script = "cat $1/sub/hello; printf sha256:%s $(sha256sum < $1/sub/hello | cut -d ' ' -f 1) > $2";
    let Some(built) = build("build", script) else { return };
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest("hello from the source\n"));
    assert_eq!((built.outcome.phase, built.outcome.exit_code), (Phase::Succeeded, Some(0)), "{}", built.log);
    assert_eq!(built.outcome.image, Some(format!("registry.example/team/pushed@sha256:{digest}")));
    assert_eq!(built.log, format!("fetched source {}\nhello from the source\n", built.source.hash));
    assert!(!built.secret_after);
    assert!(!built.log.contains(&built.token));
    assert_eq!(*built.source.answers.lock().unwrap(), [200, 401]);
}

#[test]
#[ignore = "needs a cluster"]
fn a_build_that_fails_ends_with_its_exit_code() {
    let Some(built) = build("buildfails", "echo no; exit 3") else { return };
    assert_eq!((built.outcome.phase, built.outcome.exit_code), (Phase::Failed, Some(3)), "{}", built.log);
    assert_eq!(built.outcome.message, "it ended with exit code 3");
    assert!(built.log.contains("no\n"), "{}", built.log);
    assert!(!built.secret_after);
}

#[test]
#[ignore = "needs a cluster"]
fn a_builder_that_leaves_no_digest_or_another_text_has_failed() {
    for (test, script) in [("buildnone", "true"), ("buildother", "echo latest > $2")] {
        let Some(built) = build(test, script) else { return };
        assert_eq!((built.outcome.phase, built.outcome.exit_code), (Phase::Failed, None), "{}", built.log);
        assert_eq!((built.outcome.reason.as_str(), built.outcome.image), ("NoImageDigest", None));
    }
}

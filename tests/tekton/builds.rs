//! Builds: the source's token, the three steps' log, and the image by its digest.

use std::sync::Arc;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tekcron::clock::SharedClock;
use tekcron::config::Config;
use tekcron::executor::pipeline_run::source_submission;
use tekcron::executor::tekton::release_by_hand;
use tekcron::executor::{Executor, LogQuery, Observation, Observed, SubmitError, Submitted, label};
use tekcron::push::{SourceHash, SourceKey};
use tekcron::task::{Outcome, Phase, RunIdentity, Task, TaskName};
use tokio::sync::mpsc;

use crate::cluster::{Act, RUNS, SECRETS};
use crate::world::{World, has_finalizer};

/// Of a cluster that builds.
pub(crate) const SETTINGS: &str = r#"
public_url = "https://tekcron.example"
[build]
builder = "buildpacks"
image = "registry.example/builder:1"
registry = "registry.example/team"
"#;
const STARTED: &str = "2026-12-01T02:00:05Z";
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const FETCH: &str = "step-fetch";
const BUILDER: &str = "step-user-container";
const REPORT: &str = "step-digest";

/// A build, and who has it built.
struct Building {
    world: World,
    config: Config,
    executor: Arc<dyn Executor>,
    observations: mpsc::Receiver<Observation>,
    task: Task,
    source: SourceHash,
}

impl Building {
    async fn new() -> Self {
        let world = World::with(SETTINGS, "");
        let mut config = world.config();
        config.settings.data_dir = world.dir.path().to_owned();
        let executor = world.executor().await;
        let observations = executor.observations().unwrap();
        let (task, source) = (task(&config), "ab".repeat(32).parse().unwrap());
        Self { world, config, executor, observations, task, source }
    }

    async fn submit(&self) -> Result<Submitted, SubmitError> {
        let submission = source_submission(&self.config, &self.task, &self.source).unwrap();
        self.executor.submit(submission).await
    }

    fn name(&self) -> &str {
        self.task.name.as_str()
    }

    fn token(&self) -> String {
        let key = SourceKey::open(self.world.dir.path()).unwrap();
        key.token(&self.task.name, &self.source).expose_secret().to_owned()
    }

    fn secret(&self) -> Option<Value> {
        let name = format!("tekcron-source-{}", self.name());
        self.world.cluster.look(|state| state.objects.get(SECRETS, &name).cloned())
    }

    /// Its end; time passes.
    async fn ends(&mut self) -> Outcome {
        let Self { world, observations, .. } = self;
        let ended = || match observations.try_recv() {
            Ok(Observation { state: Observed::Finished(outcome), .. }) => Some(*outcome),
            _ => None,
        };
        world.pass_until("the build has ended", ended).await
    }

    async fn log(&self) -> String {
        use futures::StreamExt;
        let mut pieces = self.executor.logs(&self.task.name, LogQuery::default()).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = pieces.next().await {
            text.extend_from_slice(&piece.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    async fn log_is(&self, text: &str) {
        for _ in 0..600 {
            if self.log().await == text {
                return;
            }
            self.world.pass(1).await;
        }
        panic!("its log is {:?}", self.log().await);
    }
}

fn task(config: &Config) -> Task {
    let app = "etl".parse().unwrap();
    let (instance, namespace) = (&config.settings.instance, &config.settings.namespace);
    let name = TaskName::of(instance, namespace, &app, None, RunIdentity::Request("push"), 1);
    let task = json!({
        "app": "etl", "id": 7, "name": name, "display_name": "etl", "ordinal": 0, "trigger": "manual",
        "attempt": 1, "request": "push", "overrides": { "env": {}, "resources": {} }, "generation": "",
        "created": "2026-12-01T02:00:00Z", "phase": "pending", "logs_on_terminate": "keep",
        "log": { "kept": 0, "cut": 0 },
    });
    serde_json::from_value(task).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_ends_with_its_image_and_takes_its_token_along() {
    let mut building = Building::new().await;
    assert_eq!(building.submit().await.unwrap(), Submitted::Created);
    let calls = building.world.cluster.look(|state| state.calls.clone());
    let at = |verb, resource| calls.iter().position(|call| call.is(verb, resource)).unwrap();
    assert!(at("patch", SECRETS) < at("create", RUNS), "the token is there before anybody asks for it");
    let secret = building.secret().unwrap();
    let held = data_encoding::BASE64.decode(secret["data"]["token"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(String::from_utf8(held).unwrap(), building.token());
    assert_eq!(secret["metadata"]["labels"]["app.kubernetes.io/instance"], "tekcron");
    let run = building.world.cluster.run(building.name()).unwrap();
    assert!(!run.to_string().contains(&building.token()), "{run:#}");
    assert_eq!(run["metadata"]["annotations"][label::SOURCE], "ab".repeat(32));

    // Who restarted in between asks for the same, with the same token.
    assert!(matches!(building.submit().await.unwrap(), Submitted::Adopted { .. }));
    assert_eq!(building.secret().unwrap()["data"], secret["data"]);

    let name = building.name().to_owned();
    building.world.cluster.becomes(&name, "build-succeeded");
    let outcome = building.ends().await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Succeeded, Some(0)));
    assert_eq!(outcome.image, Some(format!("registry.example/team/etl@{DIGEST}")));
    assert!(building.secret().is_some(), "until that is on record");

    building.executor.release(&building.task.name).await.unwrap();
    assert_eq!(building.secret(), None);
    assert!(!has_finalizer(&building.world.cluster.run(&name).unwrap()));
    building.executor.release(&building.task.name).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_says_which_step_and_only_the_builders_exit_code() {
    for (sample, exit_code, reason, message) in [
        ("build-failed-exit-3", Some(3), "Error", "it ended with exit code 3"),
        ("build-fetch-failed", None, "FetchFailed", "its source could not be fetched: its log says why"),
        ("build-no-digest", None, "NoImageDigest", "the builder succeeded, and left no digest of an image"),
        (
            "build-no-report",
            None,
            "NoImageDigest",
            "the builder succeeded, and its report has no digest of an image",
        ),
    ] {
        let mut building = Building::new().await;
        building.submit().await.unwrap();
        building.world.cluster.becomes(building.task.name.as_str(), sample);
        let outcome = building.ends().await;
        assert_eq!((outcome.phase, outcome.exit_code), (Phase::Failed, exit_code), "{sample}");
        assert_eq!((outcome.reason.as_str(), outcome.message.as_str()), (reason, message), "{sample}");
        assert_eq!(outcome.image, None);
        building.executor.release(&building.task.name).await.unwrap();
        assert_eq!(building.secret(), None, "{sample}");
    }
}

/// Whoever prints the token, and wherever the connection breaks, it is not in the log; and what the steps wrote is
/// there once, in their order.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_steps_wrote_is_here_without_the_token() {
    for cut in [None, Some(10), Some(33), Some(60), Some(80), Some(100), Some(120), Some(170), Some(200)] {
        let mut building = Building::new().await;
        building.submit().await.unwrap();
        let (name, token) = (building.name().to_owned(), building.token());
        let cluster = &building.world.cluster;
        if let Some(cut) = cut {
            cluster.next("get", "pods/log", 4, Act::Cut(cut));
        }
        cluster.fetches_since(&name, STARTED);
        cluster.container_writes(&name, FETCH, "2026-12-01T02:00:05.1Z", &format!("> Bearer {token}\n"));
        cluster.container_writes(&name, FETCH, "2026-12-01T02:00:05.2Z", "fetched\n");
        building.log_is("> Bearer [redacted]\nfetched\n").await;
        cluster.container_ends(&name, FETCH);
        let twice = format!("{token}{token}, {}\n", &token[..20]);
        cluster.container_writes(&name, BUILDER, "2026-12-01T02:00:07.1Z", &twice);
        cluster.container_writes(&name, BUILDER, "2026-12-01T02:00:07.2Z", "built\n");
        let text = format!("> Bearer [redacted]\nfetched\n[redacted][redacted], {}\nbuilt\n", &token[..20]);
        building.log_is(&text).await;
        cluster.container_writes(&name, REPORT, "2026-12-01T02:00:09.1Z", &token[..30]);
        cluster.becomes(&name, "build-succeeded");
        building.ends().await;
        assert_eq!(building.log().await, format!("{text}{}", &token[..30]), "cut at {cut:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_refused_leaves_no_token_there() {
    let building = Building::new().await;
    building.world.cluster.next("create", RUNS, 1, Act::status(422, "Invalid", "no"));
    assert!(matches!(building.submit().await, Err(SubmitError::Refused { .. })));
    assert_eq!(building.secret(), None);
}

/// What is not taken away yet is taken away later: it is asked for again with the next list.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_removed_holds_the_run() {
    let mut building = Building::new().await;
    building.submit().await.unwrap();
    building.world.cluster.becomes(building.task.name.as_str(), "build-succeeded");
    building.ends().await;
    building.world.cluster.next("delete", SECRETS, 1, Act::status(500, "InternalError", "later"));
    assert!(building.executor.release(&building.task.name).await.is_err());
    assert!(has_finalizer(&building.world.cluster.run(building.name()).unwrap()));
    building.executor.release(&building.task.name).await.unwrap();
    assert_eq!(building.secret(), None);
}

/// Whoever takes a build away takes its token along: retention, and a person by hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_deleted_or_let_go_by_hand_leaves_no_token() {
    let building = Building::new().await;
    building.submit().await.unwrap();
    building.executor.delete(&building.task.name).await.unwrap();
    assert_eq!((building.secret(), building.world.cluster.run(building.name())), (None, None));

    let building = Building::new().await;
    building.submit().await.unwrap();
    let clock: SharedClock = building.world.clock.clone();
    let names = [building.task.name.clone()];
    let released = release_by_hand(&building.world.options, Some(&names), &clock).await.unwrap();
    assert_eq!((released.as_slice(), building.secret()), (&names[..], None));
    assert!(!has_finalizer(&building.world.cluster.run(building.name()).unwrap()));
}

#[tokio::test]
async fn the_secret_of_an_app_that_is_gone_goes_unless_somebody_else_wrote_it() {
    let world = World::with("", "");
    let executor = world.executor().await;
    let app = "etl".parse().unwrap();
    let secret = || world.cluster.look(|state| state.objects.get(SECRETS, "tekcron-env-etl").cloned());
    executor.forget(&app).await.unwrap();
    assert_eq!(secret(), None, "there was none");
    for (labels, stays) in [
        (json!({ label::INSTANCE: "tekcron" }), false),
        (json!({}), true),
        (json!({ label::INSTANCE: "another" }), true),
    ] {
        let there = json!({
            "apiVersion": "v1", "kind": "Secret", "data": { "KEY": "dmFsdWU=" },
            "metadata": { "name": "tekcron-env-etl", "labels": labels },
        });
        world.cluster.with(|state| state.objects.create(SECRETS, there, STARTED).unwrap());
        executor.forget(&app).await.unwrap();
        let data = secret().map(|secret| secret["data"].clone());
        assert_eq!(data, stays.then(|| json!({ "KEY": "dmFsdWU=" })), "{labels}");
        world.cluster.with(|state| state.objects.delete(SECRETS, "tekcron-env-etl", None, STARTED).ok());
    }
    world.cluster.next("delete", SECRETS, 1, Act::status(500, "InternalError", "later"));
    assert!(executor.forget(&app).await.is_err(), "it is asked for again");
}

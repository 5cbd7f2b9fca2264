//! Whatever the API server makes of a create.

use jiff::SignedDuration;
use tekcron::executor::pipeline_run::submission;
use tekcron::executor::{SubmitError, Submitted};
use tekcron::task::{Phase, TaskId};

use crate::cluster::{Act, RUNS};
use crate::world::{Life, World, has_finalizer, runs};

async fn held(world: &World, life: &Life, words: &str) {
    let what = format!("it is held: {words}");
    world
        .pass_until(&what, || {
            let task = life.task(1);
            assert!(!task.phase.is_terminal(), "{task:?}");
            let said = task.message.as_deref().is_some_and(|message| message.contains(words));
            (task.reason.as_deref() == Some("Held") && said).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_our_own_is_adopted() {
    let world = World::new();
    let life = world.begin().await;
    let task = life.run().await;
    world.created(&[]).await;
    let (other, config) = (world.executor().await, world.config());
    let adopted = other.submit(submission(&config, &task, None).unwrap()).await.unwrap();
    assert_eq!(adopted, Submitted::Adopted { id: TaskId(1) });
    assert_eq!(world.cluster.count("create", RUNS), 2);
    assert_eq!(runs(&world), 1);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_is_left_alone_and_named() {
    let world = World::new();
    let life = world.begin().await;
    world.cluster.always("create", RUNS, Act::Wait);
    let task = life.run().await;
    let create = world.until("it is asked to create", || world.cluster.calls("create", RUNS).pop()).await;
    world.cluster.with(|state| {
        let theirs = serde_json::json!({ "metadata": { "name": create.body["metadata"]["name"] } });
        state.objects.create(RUNS, theirs, "2026-12-01T01:00:00Z").unwrap();
    });
    world.cluster.clear_rules();
    let ended = life.comes_to(&world, 1, Phase::Failed).await;
    assert_eq!(ended.reason.as_deref(), Some("NameTaken"));
    assert!(ended.message.unwrap().contains("another object has this name"));
    // Retention changes nothing of it.
    life.executor.delete(&task.name).await.unwrap();
    let theirs = world.cluster.run(task.name.as_str()).unwrap();
    assert!(!has_finalizer(&theirs));
    assert_eq!(world.cluster.count("delete", RUNS), 0);
    life.end(&world).await;
}

/// It was carried out, and nobody heard of it: it is found by looking, and there is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_got_lost_is_found_by_looking() {
    for act in [Act::CloseAfter, Act::HangAfter] {
        let world = World::new();
        world.cluster.next("create", RUNS, 1, act);
        let life = world.begin().await;
        life.run().await;
        life.comes_to(&world, 1, Phase::Submitted).await;
        assert_eq!(world.cluster.count("create", RUNS), 1, "it is looked for, not created again");
        world.pass_until("all is well", || life.executor.trouble().is_none().then_some(())).await;
        let name = world.created(&[]).await;
        world.cluster.becomes(&name, "succeeded");
        assert_eq!(life.ends(&world, 1).await.phase, Phase::Succeeded);
        assert_eq!(runs(&world), 1);
        life.end(&world).await;
    }
}

/// It was not carried out, which nobody can know: it is looked for, and created again.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_got_lost_is_made_again() {
    for act in [
        Act::CloseBefore,
        Act::Hang,
        Act::status(503, "ServiceUnavailable", "apiserver is shutting down"),
        Act::text(502, "bad gateway"),
        Act::status(504, "Timeout", "timed out"),
    ] {
        let world = World::new();
        world.cluster.next("create", RUNS, 2, act.clone());
        let life = world.begin().await;
        life.run().await;
        held(&world, &life, "").await;
        assert!(life.executor.trouble().is_some(), "{act:?}");
        let name = world.created(&[]).await;
        assert_eq!(world.cluster.count("create", RUNS), 3, "{act:?}");
        life.comes_to(&world, 1, Phase::Submitted).await;
        assert_eq!(life.executor.trouble(), None);
        world.cluster.becomes(&name, "succeeded");
        life.ends(&world, 1).await;
        assert_eq!(runs(&world), 1);
        life.end(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_too_much_to_do_is_left_alone_for_as_long_as_it_says() {
    let world = World::new();
    world.cluster.next("create", RUNS, 1, Act::too_many(40));
    let life = world.begin().await;
    life.run().await;
    held(&world, &life, "the API server has too much to do (429)").await;
    let asked = world.now();
    // Others wait too.
    life.run().await;
    let name = world.created(&[]).await;
    assert!(
        world.now() >= asked + SignedDuration::from_secs(39),
        "asked at {asked}, again at {}",
        world.now()
    );
    world.created(&[name]).await;
    assert_eq!(world.cluster.count("create", RUNS), 3);
    life.end(&world).await;
}

const QUOTA: &str = "pipelineruns.tekton.dev \"x\" is forbidden: exceeded quota: runs, requested: \
                     count/pipelineruns.tekton.dev=1, used: 10, limited: 10";

fn waits() -> [(Act, &'static str); 4] {
    [
        (Act::status(401, "Unauthorized", "Unauthorized"), "does not accept the credentials (401)"),
        (Act::status(403, "Forbidden", QUOTA), "exceeded quota: runs"),
        (
            Act::status(
                500,
                "InternalError",
                "Internal error occurred: failed calling webhook \"validation.webhook\": connection refused",
            ),
            "a webhook of the cluster does not answer (500)",
        ),
        (
            Act::status(409, "Conflict", "please apply your changes to the latest version"),
            "reports a conflict (409)",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_waited_for() {
    for (act, words) in waits() {
        let world = World::new();
        world.cluster.always("create", RUNS, act);
        let life = world.begin().await;
        life.run().await;
        held(&world, &life, words).await;
        let trouble = life.executor.trouble().unwrap();
        assert!(trouble.contains(words), "{trouble}");
        world.pass(120).await;
        assert!(world.cluster.count("create", RUNS) >= 5, "it is asked again and again");
        assert!(world.cluster.count("create", RUNS) <= 16, "and not all the time");
        world.cluster.clear_rules();
        life.comes_to(&world, 1, Phase::Submitted).await;
        assert_eq!(life.executor.trouble(), None);
        life.end(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_waited_for_no_longer_than_hold() {
    for (act, words) in waits() {
        let world = World::with("hold = \"1m\"", "");
        world.cluster.always("create", RUNS, act);
        let life = world.begin().await;
        life.run().await;
        let ended = life.comes_to(&world, 1, Phase::Failed).await;
        assert_eq!(ended.reason.as_deref(), Some("ExecutorUnavailable"));
        assert!(ended.message.as_deref().unwrap().contains(words), "{ended:?}");
        assert!(world.now().duration_since(ended.created) >= SignedDuration::from_mins(1));
        assert_eq!(runs(&world), 0);
        life.end(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_judged_is_final_at_once_in_its_words() {
    let webhook = "admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: validation failed: \
                   invalid value: -5s should be >= 0: spec.timeouts.pipeline";
    let rights = "pipelineruns.tekton.dev is forbidden: User \"u\" cannot create resource \"pipelineruns\"";
    let table = [
        (Act::status(400, "BadRequest", webhook), "BadRequest", webhook),
        (Act::status(403, "Forbidden", rights), "Forbidden", rights),
        (
            Act::status(404, "NotFound", "namespaces \"batch\" not found"),
            "NotFound",
            "the namespace does not exist (404)",
        ),
        (Act::text(404, "404 page not found\n"), "NotFound", "install Tekton Pipelines 0.60 or newer"),
        (
            Act::status(422, "Invalid", "metadata.name: Invalid value: \"Bad\""),
            "Invalid",
            "metadata.name: Invalid value: \"Bad\"",
        ),
    ];
    for (act, reason, words) in table {
        let world = World::with("", "[[jobs]]\nname = \"job\"\nretries = { attempts = 3 }\n");
        world.cluster.next("create", RUNS, 1, act);
        let life = world.begin().await;
        life.run().await;
        let ended = life.comes_to(&world, 1, Phase::Failed).await;
        assert_eq!(ended.reason.as_deref(), Some(reason));
        assert!(ended.message.as_deref().unwrap().contains(words), "{ended:?}");
        assert_eq!(world.cluster.count("create", RUNS), 1, "a refused create is not tried again");
        assert_eq!(life.executor.trouble(), None, "it is the task's, not the cluster's");
        // The next one is asked about on its own.
        life.run().await;
        world.created(&[]).await;
        life.end(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_tekton_is_told_what_to_install() {
    let world = World::new();
    world.cluster.with(|state| state.installed = false);
    let life = world.begin().await;
    life.run().await;
    let ended = life.comes_to(&world, 1, Phase::Failed).await;
    assert!(ended.message.unwrap().contains("install Tekton Pipelines 0.60 or newer"));
    let trouble =
        || life.executor.trouble().filter(|trouble| trouble.contains("install Tekton Pipelines 0.60"));
    world.until("what watches says so too", trouble).await;
    world.cluster.with(|state| state.installed = true);
    world.pass_until("all is well", || life.executor.trouble().is_none().then_some(())).await;
    life.run().await;
    world.created(&[]).await;
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_in_flight_are_bounded() {
    let mut world = World::new();
    world.options.max_creates = 3;
    world.cluster.always("create", RUNS, Act::Wait);
    let life = world.begin().await;
    for _ in 0..10 {
        life.run().await;
    }
    world.until("three are under way", || (world.cluster.count("create", RUNS) == 3).then_some(())).await;
    world.cluster.clear_rules();
    world.until("all are created", || (runs(&world) == 10).then_some(())).await;
    assert_eq!(world.cluster.most_under_way("create", RUNS), 3);
    life.end(&world).await;
}

/// The dispatcher alone decides how often a create is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn one_submission_is_one_request() {
    for act in [Act::status(503, "", ""), Act::too_many(1), Act::status(500, "", ""), Act::CloseBefore] {
        let world = World::new();
        world.cluster.always("create", RUNS, act);
        let life = world.begin().await;
        let task = life.run().await;
        world.until("it is asked", || (world.cluster.count("create", RUNS) == 1).then_some(())).await;
        life.end(&world).await;
        let executor = world.executor().await;
        let before = world.cluster.count("create", RUNS);
        let submitted = executor.submit(submission(&world.config(), &task, None).unwrap()).await;
        assert!(
            matches!(submitted, Err(SubmitError::Unknown { .. } | SubmitError::Unreachable { .. })),
            "{submitted:?}"
        );
        assert_eq!(world.cluster.count("create", RUNS), before + 1);
    }
}

/// The object says how long the server may go on with it: no longer than anybody waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_tells_the_server_when_to_stop() {
    let world = World::new();
    let life = world.begin().await;
    life.run().await;
    world.created(&[]).await;
    let create = world.cluster.calls("create", RUNS).pop().unwrap();
    assert_eq!(create.query("timeout"), "15s");
    assert!(life.executor.create_may_linger() > SignedDuration::from_secs(15));
    life.end(&world).await;
}

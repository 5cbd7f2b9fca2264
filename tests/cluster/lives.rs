//! One task each, from its start to its end.

use serde_json::{Value, json};

use crate::world::{World, env_of};

#[test]
#[ignore = "needs a cluster"]
fn a_task_succeeds_or_fails_with_its_exit_code_and_its_log_is_here() {
    let Some(world) = World::new("success", "", &[("hello", "command = \"echo hello; echo there >&2\"")])
    else {
        return;
    };
    let _daemon = world.serve();
    let (code, task) = world.run(&["hello"]);
    assert_eq!((code, &task["phase"], &task["exit_code"]), (0, &json!("succeeded"), &json!(0)), "{task}");
    let log = world.log_of("hello", task["name"].as_str().unwrap());
    assert!(log == "hello\nthere\n" || log == "there\nhello\n", "{log}");
    let (code, task) = world.run(&["hello", "-c", "echo oops; exit 3"]);
    assert_eq!((code, &task["phase"], &task["exit_code"]), (3, &json!("failed"), &json!(3)), "{task}");
    assert_eq!(task["reason"], "Error");
    assert_eq!(world.log_of("hello", task["name"].as_str().unwrap()), "oops\n");
    world.place.until("both are released", || {
        let held = |run: &Value| run["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        let runs = world.objects("PipelineRun");
        (runs.len() == 2 && !runs.iter().any(held)).then_some(())
    });
}

#[test]
#[ignore = "needs a cluster"]
fn a_task_that_runs_too_long_is_ended_and_its_log_is_here() {
    let Some(world) =
        World::new("timeout", "", &[("slow", "command = \"echo begun; sleep 600\"\ntimeout = \"20s\"")])
    else {
        return;
    };
    let _daemon = world.serve();
    let (code, task) = world.run(&["slow"]);
    assert_eq!(
        (code, &task["phase"], &task["exit_code"]),
        (124, &json!("timed-out"), &Value::Null),
        "{task}"
    );
    assert_eq!(world.log_of("slow", task["name"].as_str().unwrap()), "begun\n");
}

#[test]
#[ignore = "needs a cluster"]
fn a_terminated_task_leaves_its_log_here_and_no_pod_there() {
    let Some(world) = World::new("terminate", "", &[("slow", "command = \"echo begun; sleep 600\"")]) else {
        return;
    };
    let _daemon = world.serve();
    let name = world.begin(&["slow"]);
    world.place.until("it wrote", || (world.log_of("slow", &name) == "begun\n").then_some(()));
    world.place.ok(&["terminate-task", &name]);
    let task = world.ended(&name);
    assert_eq!((&task["phase"], &task["reason"]), (&json!("cancelled"), &json!("Cancelled")), "{task}");
    assert_eq!(world.log_of("slow", &name), "begun\n");
    world.place.until("its pod is gone", || world.pods().is_empty().then_some(()));
    let run = world.run_object(&name).unwrap();
    assert_eq!(run["spec"]["status"], "Cancelled");
    // Once more says so, and changes nothing.
    world.place.ok(&["terminate-task", &name]);
    assert_eq!(world.task(&name), task);
}

#[test]
#[ignore = "needs a cluster"]
fn limits_are_requests_and_limits_of_the_pod() {
    let limits = "command = \"sleep 600\"\ncpu = \"150m\"\nmemory = \"48Mi\"\ndisk = \"96Mi\"";
    let Some(world) = World::new("limits", "", &[("small", limits)]) else { return };
    let _daemon = world.serve();
    let name = world.begin(&["small"]);
    let pods = world.pods();
    let [pod] = pods.as_slice() else { panic!("{pods:?}") };
    let spec = pod.spec.as_ref().unwrap();
    let step = spec.containers.iter().find(|container| container.name == "step-user-container").unwrap();
    let resources = step.resources.as_ref().unwrap();
    for amounts in [&resources.limits, &resources.requests] {
        let amounts = amounts.as_ref().unwrap();
        let of = |name: &str| amounts[name].0.as_str();
        assert_eq!([of("cpu"), of("memory"), of("ephemeral-storage")], ["150m", "48Mi", "96Mi"]);
    }
    world.place.ok(&["terminate-task", &name]);
    world.ended(&name);
}

#[test]
#[ignore = "needs a cluster"]
fn what_the_author_wrote_is_what_the_task_sees() {
    let app = r#"
command = 'echo "/tmp/x.$$" | grep -qE "x\.[0-9]+$" && echo pid; echo $(date -u +%Z); echo "$(HOME)" 2>&1 | tail -n 1; echo ${UNSET:-y}; echo "$TEXT"; echo "$CF_INSTANCE_ADDR"; echo "$VCAP_APPLICATION"; echo "$DATABASE_URL"; echo "$VCAP_SERVICES"'
memory = "64Mi"
services = ["db"]
env = { TEXT = "$$ $(HOME) ${X} $(params.x) $(context.taskRun.name)" }
"#;
    let settings = "[services.db]\nlabel = \"postgres\"\ncredentials = { env = \"DB_FOR_TEST\" }";
    let Some(world) = World::new("sees", settings, &[("seer", app)]) else { return };
    let world = world.with_env("DB_FOR_TEST", r#"{"uri":"postgres://u:geheim@db/x"}"#);
    let _daemon = world.serve();
    let (code, task) = world.run(&["seer"]);
    assert_eq!(code, 0, "{task}");
    let name = task["name"].as_str().unwrap();
    let log = world.log_of("seer", name);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0..2], ["pid", "UTC"], "{log}");
    assert_eq!(lines[3..5], ["y", "$$ $(HOME) ${X} $(params.x) $(context.taskRun.name)"], "{log}");
    assert!(lines[5].ends_with(":8080") && lines[5].len() > 8, "{log}");
    let vcap: Value = serde_json::from_str(lines[6]).unwrap();
    assert_eq!((&vcap["application_name"], &vcap["limits"]["mem"]), (&json!("seer"), &json!(64)), "{vcap}");
    assert_eq!(lines[7], "postgres://u:geheim@db/x");
    let services: Value = serde_json::from_str(lines[8]).unwrap();
    assert_eq!(services["postgres"][0]["credentials"]["uri"], "postgres://u:geheim@db/x");
    let run = world.run_object(name).unwrap();
    assert!(!run.to_string().contains("geheim"), "{run}");
    assert_eq!(env_of(&run)["DATABASE_URL"]["valueFrom"]["secretKeyRef"]["name"], "tekcron-env-seer");
}

#[test]
#[ignore = "needs a cluster"]
fn both_time_outs_are_what_the_config_says() {
    let Some(world) = World::new("timeouts", "", &[("quick", "command = \"true\"")]) else { return };
    let _daemon = world.serve();
    for (asked, written) in [("2h", "2h0m0s"), ("0", "0s")] {
        let (code, task) = world.run(&["quick", "--timeout", asked]);
        assert_eq!(code, 0, "{task}");
        let name = task["name"].as_str().unwrap();
        assert_eq!(world.run_object(name).unwrap()["spec"]["timeouts"]["pipeline"], written);
        let of_run = |task_run: &&Value| task_run["metadata"]["labels"]["tekton.dev/pipelineRun"] == name;
        let task_runs = world.objects("TaskRun");
        assert_eq!(task_runs.iter().find(of_run).unwrap()["spec"]["timeout"], written);
    }
}

/// Whether they are kept is up to the cluster's network.
#[test]
#[ignore = "needs a cluster"]
fn a_security_group_is_a_policy_that_selects_its_pods() {
    let group = "[security_groups.db]\nrules = [{ protocol = \"tcp\", destination = \"10.0.0.7\", ports = \"5432\" }]";
    let app = "command = \"sleep 600\"\nsecurity_groups = [\"db\"]";
    let Some(world) = World::new("policy", group, &[("bound", app)]) else { return };
    let _daemon = world.serve();
    let name = world.begin(&["bound"]);
    let policies = world.policies();
    let [policy] = policies.as_slice() else { panic!("{policies:?}") };
    let spec = policy.spec.clone().unwrap();
    let selected = spec.pod_selector.unwrap().match_labels.unwrap();
    let pods = world.pods();
    let labels = pods[0].metadata.labels.as_ref().unwrap();
    assert!(selected.iter().all(|(key, value)| labels.get(key) == Some(value)), "{selected:?} {labels:?}");
    assert_eq!(
        spec.egress.unwrap()[0].to.as_ref().unwrap()[0].ip_block.as_ref().unwrap().cidr,
        "10.0.0.7/32"
    );
    world.place.ok(&["terminate-task", &name]);
    world.ended(&name);
}

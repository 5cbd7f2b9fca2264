//! The real binary, on a scripted cluster.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Output, Stdio};

use serde_json::Value;
use tekcron::executor::tekton::{RIGHTS, Right};

use crate::builds;
use crate::cluster::{Act, Call, Cluster, RUNS, SECRETS};
use crate::harness::{Daemon, Place, text};
use crate::world::has_finalizer;

const SETTINGS: &str = "executor = \"tekton\"\nnamespace = \"batch\"\n";
const APP: &str = "[app]\nname = \"etl\"\nimage = \"busybox:1\"\ncommand = \"true\"\n";
const STARTED: &str = "2026-12-01T02:00:05Z";

struct World {
    cluster: Cluster,
    place: Place,
}

impl World {
    fn with(settings: &str, app: &str) -> Self {
        let place = Place::with(&[("etl", &format!("{APP}{app}"))]);
        fs::write(place.path().join("config/tekcron.toml"), format!("{SETTINGS}{settings}")).unwrap();
        Self { cluster: Cluster::start(), place }
    }

    fn serve(&self) -> Daemon {
        let kubeconfig = self.cluster.kubeconfig(self.place.path());
        self.place.serve_with(&[
            ("KUBECONFIG", kubeconfig.to_str().unwrap()),
            ("WAREHOUSE", "postgres://u:hunter2@db/x"),
        ])
    }

    /// The names of the runs, once there are so many.
    fn created(&self, count: usize) -> Vec<String> {
        self.cluster
            .until("runs are created", |state| (state.objects.all(RUNS).count() >= count).then_some(()));
        self.cluster.names()
    }

    fn task(&self, id: u64) -> Value {
        self.place.json(&["task", "etl", &id.to_string()])
    }

    fn comes_to(&self, id: u64, phase: &str) -> Value {
        self.place.until(phase, || Some(self.task(id)).filter(|task| task["phase"] == phase))
    }

    fn released(&self, name: &str) {
        self.cluster.until("it is released", |state| {
            let run = state.objects.get(RUNS, name);
            (!run.is_some_and(has_finalizer)).then_some(())
        });
    }

    /// `run-task --wait`, while `meanwhile` plays the cluster.
    fn run_and_wait(&self, meanwhile: impl FnOnce(&str)) -> Output {
        let before = self.cluster.names();
        let mut command = self.place.command(&["run-task", "etl", "--wait"]);
        let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let names = self.created(before.len() + 1);
        meanwhile(names.iter().find(|name| !before.contains(name)).unwrap());
        waiting.wait_with_output().unwrap()
    }

    /// Asks the API, as somebody who has the token.
    fn get(&self, path: &str) -> (u16, String) {
        let address = fs::read_to_string(self.place.path().join("data/address")).unwrap();
        let token = fs::read_to_string(self.place.path().join("data/token")).unwrap();
        let address = address.trim().trim_start_matches("http://").trim_end_matches('/');
        let mut connection = TcpStream::connect(address).unwrap();
        let token = token.trim();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let code = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (code, answer)
    }
}

#[test]
fn waiting_ends_with_the_exit_code_and_the_log_is_shown() {
    let world = World::with("", "");
    let daemon = world.serve();
    let output = world.run_and_wait(|name| {
        world.cluster.runs_since(name, STARTED);
        world.cluster.writes(name, "2026-12-01T02:00:06Z", "hello\n");
        world.cluster.becomes(name, "succeeded");
    });
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(world.place.ok(&["logs", "etl", "--task", "1"]), "hello\n");
    let output = world.run_and_wait(|name| world.cluster.becomes(name, "failed-exit-3"));
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let output = world.run_and_wait(|name| world.cluster.becomes(name, "image-pull"));
    assert_eq!(output.status.code(), Some(125), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("failed to pull the image"), "{}", text(&output.stderr));
    let output = world.run_and_wait(|name| world.cluster.becomes(name, "timed-out"));
    assert_eq!(output.status.code(), Some(124), "{}", text(&output.stderr));
    assert!(daemon.terminate().success());
}

#[test]
fn a_terminated_task_keeps_its_log() {
    let world = World::with("", "");
    let daemon = world.serve();
    world.place.ok(&["run-task", "etl"]);
    let name = world.created(1).remove(0);
    world.cluster.runs_since(&name, STARTED);
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "hello\n");
    world.comes_to(1, "running");
    world.place.ok(&["terminate-task", "etl", "1"]);
    world.comes_to(1, "cancelled");
    assert!(!world.cluster.has_pod(&name));
    assert_eq!(world.place.ok(&["logs", "etl", "--task", "1"]), "hello\n");
    assert!(daemon.terminate().success());
}

#[test]
fn while_the_cluster_is_away_it_is_ready_and_says_why_tasks_wait() {
    let world = World::with("hold = \"1h\"\n", "");
    world.cluster.goes_away();
    let daemon = world.serve();
    world.place.ok(&["run-task", "etl"]);
    let said = world.place.until("the cause is told", || {
        let (code, said) = world.get("/readyz?verbose");
        assert_eq!(code, 200, "{said}");
        said.contains("creating PipelineRuns").then_some(said)
    });
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(world.get("/readyz").0, 200);
    let task = world.task(1);
    assert!(task["message"].as_str().unwrap().contains("Connection refused"), "{task}");
    world.cluster.comes_back();
    let name = world.created(1).remove(0);
    world.cluster.becomes(&name, "succeeded");
    world.comes_to(1, "succeeded");
    assert!(daemon.terminate().success());
}

#[test]
fn killed_while_it_fires_there_is_one_object_and_one_end() {
    for act in [Act::HangAfter, Act::Hang] {
        let world = World::with("", "");
        world.cluster.next("create", RUNS, 1, act);
        let daemon = world.serve();
        world.place.ok(&["run-task", "etl"]);
        world.cluster.until("it is asked", |state| {
            state.calls.iter().any(|call| call.is("create", RUNS)).then_some(())
        });
        daemon.kill();
        world.cluster.clear_rules();
        let daemon = world.serve();
        let name = world.created(1).remove(0);
        world.comes_to(1, "submitted");
        world.cluster.becomes(&name, "succeeded");
        world.comes_to(1, "succeeded");
        world.released(&name);
        assert_eq!(world.cluster.names(), [name]);
        assert!(daemon.terminate().success());
    }
}

#[test]
fn killed_while_a_task_runs_its_end_and_its_log_are_found() {
    let world = World::with("", "");
    let daemon = world.serve();
    world.place.ok(&["run-task", "etl"]);
    let name = world.created(1).remove(0);
    world.cluster.runs_since(&name, STARTED);
    world.cluster.writes(&name, "2026-12-01T02:00:06.5Z", "before\n");
    let log = || Some(world.place.ok(&["logs", "etl", "--task", "1"])).filter(|log| log == "before\n");
    world.place.until("its log is here", log);
    daemon.kill();
    world.cluster.writes(&name, "2026-12-01T02:00:06.6Z", "meanwhile\n");
    world.cluster.becomes(&name, "failed-exit-3");
    let daemon = world.serve();
    let task = world.comes_to(1, "failed");
    assert_eq!(task["exit_code"], 3, "{task}");
    world.released(&name);
    assert_eq!(world.place.ok(&["logs", "etl", "--task", "1"]), "before\nmeanwhile\n");
    assert_eq!(world.cluster.count("create", RUNS), 1);
    assert!(daemon.terminate().success());
}

#[test]
fn killed_between_end_and_release_it_is_released() {
    let world = World::with("", "");
    world.cluster.always("patch", RUNS, Act::Hang);
    let daemon = world.serve();
    world.place.ok(&["run-task", "etl"]);
    let name = world.created(1).remove(0);
    world.cluster.becomes(&name, "succeeded");
    world.comes_to(1, "succeeded");
    world.cluster.until("it is being released", |state| {
        state.calls.iter().any(|call| call.is("patch", RUNS)).then_some(())
    });
    daemon.kill();
    world.cluster.clear_rules();
    assert!(has_finalizer(&world.cluster.run(&name).unwrap()));
    let daemon = world.serve();
    world.released(&name);
    assert_eq!(world.place.json(&["tasks", "etl"]).as_array().unwrap().len(), 1);
    assert!(daemon.terminate().success());
}

#[test]
fn retention_removes_the_oldest_from_the_cluster_too() {
    let world = World::with("", "keep = 1\n");
    let daemon = world.serve();
    let mut names = Vec::new();
    for count in 1..=3 {
        world.place.ok(&["run-task", "etl"]);
        let name = world.cluster.until("another is created", |state| {
            let name = |run: &Value| run["metadata"]["name"].as_str().unwrap().to_owned();
            state.objects.all(RUNS).map(name).find(|name| !names.contains(name))
        });
        world.cluster.becomes(&name, "failed-exit-3");
        world.comes_to(count, "failed");
        names.push(name);
    }
    let last = names.pop().unwrap();
    world.cluster.until("the others go", |state| {
        names.iter().all(|name| state.objects.get(RUNS, name).is_none()).then_some(())
    });
    assert!(world.cluster.run(&last).is_some());
    for delete in world.cluster.calls("delete", RUNS) {
        assert_eq!(delete.body["propagationPolicy"], "Background");
        assert!(delete.body["preconditions"]["uid"].is_string());
    }
    assert!(daemon.terminate().success());
}

#[test]
fn every_right_that_the_role_grants_is_used() {
    let group = "[security_groups.warehouse]\nrules = [{ protocol = \"tcp\", destination = \"10.0.0.7\", ports = \"5432\" }]\n";
    let service = "[services.db]\nlabel = \"postgres\"\ncredentials = { env = \"WAREHOUSE\" }\n";
    let bound = "keep = 1\nservices = [\"db\"]\n";
    let world =
        World::with(&format!("{service}{group}"), &format!("{bound}security_groups = [\"warehouse\"]\n"));
    let daemon = world.serve();
    for count in 1..=2 {
        let output = world.run_and_wait(|name| {
            let policies = world.cluster.look(|state| state.objects.all("networkpolicies").count());
            assert_eq!(policies, 1, "there before the run");
            world.cluster.becomes(name, "succeeded");
        });
        assert!(output.status.success(), "{count}: {output:?}");
    }
    world.cluster.until("the first goes", |state| (state.objects.all(RUNS).count() == 1).then_some(()));
    world.place.write_app("etl", &format!("{APP}{bound}"));
    fs::write(world.place.path().join("config/tekcron.toml"), format!("{SETTINGS}{service}")).unwrap();
    world.place.ok(&["reload"]);
    world
        .cluster
        .until("its policy goes", |state| (state.objects.all("networkpolicies").count() == 0).then_some(()));
    let used = |right: &Right, verb: &str| {
        world.cluster.look(|state| {
            let same = |call: &&Call| call.group == right.group && call.is(verb, right.resource);
            state.calls.iter().any(|call| same(&call))
        })
    };
    for right in RIGHTS {
        let unused: Vec<_> = right.verbs.iter().filter(|verb| !used(&right, verb)).collect();
        // Looked up by name only where a list, or an answer, leaves a doubt.
        let doubt = |verb: &&&str| **verb == "get" && right.group == "tekton.dev";
        // A patch that applies creates what is not there, for which the server asks for both rights.
        let apply = |verb: &&&str| **verb == "create" && right.resource != RUNS;
        // With the end of a build its token goes: `builds` has one.
        let token = |verb: &&&str| **verb == "delete" && right.resource == SECRETS;
        let explained = |verb: &&&str| doubt(verb) || apply(verb) || token(verb);
        let unexplained: Vec<_> = unused.iter().filter(|verb| !explained(verb)).collect();
        assert!(unexplained.is_empty(), "{}: {unexplained:?} is granted and not used", right.resource);
    }
    assert!(daemon.terminate().success());
}

#[test]
fn credentials_are_in_the_secret_and_nowhere_else() {
    let settings =
        "[services.warehouse]\nlabel = \"postgres\"\ncredentials = { file = \"warehouse.json\" }\n";
    let world = World::with(settings, "services = [\"warehouse\"]\n");
    let write = |value: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = world.place.path().join("warehouse.json");
        fs::write(&path, format!("{{\"uri\":\"postgres://u:{value}@db/x\"}}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let kubeconfig = world.cluster.kubeconfig(world.place.path());
    let daemon = {
        write("hunter2");
        world.place.serve_with(&[
            ("KUBECONFIG", kubeconfig.to_str().unwrap()),
            ("RUST_LOG", "trace"),
            ("TEKCRON_LOG", "trace"),
        ])
    };
    world.place.ok(&["run-task", "etl"]);
    world.created(1);
    let position = |verb: &str, resource: &str| {
        world.cluster.look(|state| state.calls.iter().position(|call| call.is(verb, resource)))
    };
    assert!(
        position("patch", SECRETS).unwrap() < position("create", RUNS).unwrap(),
        "the Secret comes first"
    );
    world.place.ok(&["run-task", "etl"]);
    world.created(2);
    assert_eq!(world.cluster.count("patch", SECRETS), 1, "what has not changed is not written again");
    write("s3same");
    world.place.ok(&["run-task", "etl"]);
    let names = world.created(3);
    assert_eq!(world.cluster.count("patch", SECRETS), 2);
    let secret =
        world.cluster.look(|state| state.objects.get(SECRETS, "tekcron-env-etl").unwrap().to_string());
    let encoded = |value: &str| data_encoding::BASE64.encode(format!("postgres://u:{value}@db/x").as_bytes());
    assert!(secret.contains(&encoded("s3same")) && !secret.contains(&encoded("hunter2")), "{secret}");
    for name in &names {
        world.cluster.runs_since(name, STARTED);
        world.cluster.becomes(name, "succeeded");
    }
    for id in 1..=3 {
        world.comes_to(id, "succeeded");
    }
    assert!(daemon.terminate().success());
    let mut seen = vec![world.place.log()];
    seen.extend(world.place.data_files().iter().map(|file| text(&fs::read(file).unwrap_or_default())));
    seen.extend(world.cluster.look(|state| {
        let others = state.calls.iter().filter(|call| call.resource != SECRETS);
        others.map(|call| format!("{call:?}")).collect::<Vec<_>>()
    }));
    for (index, part) in seen.iter().enumerate() {
        for value in [
            "hunter2".to_owned(),
            "s3same".to_owned(),
            "t0ken".to_owned(),
            encoded("hunter2"),
            encoded("s3same"),
        ] {
            assert!(!part.contains(&value), "{value} in part {index}: {part}");
        }
    }
}

#[test]
fn without_a_way_to_a_cluster_the_start_is_refused_with_a_hint() {
    let world = World::with("", "");
    let place = &world.place;
    let good = world.cluster.kubeconfig(place.path());
    let broken = place.path().join("broken");
    fs::write(&broken, "contexts: [").unwrap();
    let nowhere = place.path().join("nosuch");
    let home = place.path().to_str().unwrap();
    let table = [
        ("none at all", vec![("HOME", home)], vec!["found no kubeconfig", "KUBECONFIG"]),
        (
            "not there",
            vec![("TEKCRON_KUBECONFIG", nowhere.to_str().unwrap())],
            vec!["expected a kubeconfig at", "nosuch"],
        ),
        (
            "not readable",
            vec![("TEKCRON_KUBECONFIG", broken.to_str().unwrap())],
            vec!["expected a kubeconfig at", "broken"],
        ),
        (
            "another context",
            vec![("KUBECONFIG", good.to_str().unwrap()), ("TEKCRON_KUBE_CONTEXT", "there")],
            vec!["expected a context `there`", "`here`"],
        ),
    ];
    for (what, env, words) in table {
        let mut command = place.command(&["--config", "config", "serve", "--listen", "127.0.0.1:0"]);
        command.env_remove("KUBECONFIG").env_remove("KUBERNETES_SERVICE_HOST").envs(env.iter().copied());
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{what}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: expected {word} in: {said}");
        }
        assert!(said.contains("hint: "), "{what}: {said}");
    }
    let daemon = world.serve();
    assert!(daemon.terminate().success());
}

#[test]
fn an_expired_token_holds_tasks_and_is_told() {
    let world = World::with("", "");
    let kubeconfig = world.cluster.kubeconfig(world.place.path());
    let text = fs::read_to_string(&kubeconfig).unwrap();
    fs::write(&kubeconfig, text.replace("t0ken", "expired")).unwrap();
    let daemon = world.place.serve_with(&[("KUBECONFIG", kubeconfig.to_str().unwrap())]);
    world.place.ok(&["run-task", "etl"]);
    let said = world.place.until("it is told", || {
        let (code, said) = world.get("/readyz?verbose");
        assert_eq!(code, 200);
        (said.contains("creating PipelineRuns") && said.contains("watching")).then_some(said)
    });
    assert!(said.contains("does not accept the credentials (401)"), "{said}");
    assert_eq!(world.task(1)["phase"], "pending");
    assert!(daemon.terminate().success());
}

#[test]
fn a_terminated_task_whose_log_is_not_to_stay_leaves_none() {
    let world = World::with("", "logs_on_terminate = \"delete\"\n");
    let daemon = world.serve();
    for id in 1..=2 {
        let before = world.cluster.names();
        world.place.ok(&["run-task", "etl"]);
        let names = world.created(before.len() + 1);
        let name = names.iter().find(|name| !before.contains(name)).unwrap();
        world.cluster.runs_since(name, STARTED);
        world.cluster.writes(name, "2026-12-01T02:00:06Z", "hello\n");
        world.comes_to(id, "running");
        let task = id.to_string();
        let log = || Some(world.place.ok(&["logs", "etl", "--task", &task])).filter(|log| !log.is_empty());
        assert_eq!(world.place.until("its log is here", log), "hello\n");
        // The other one ends by itself, and keeps its log.
        match id {
            1 => _ = world.place.ok(&["terminate-task", "etl", "1"]),
            _ => world.cluster.becomes(name, "succeeded"),
        }
        world.comes_to(id, if id == 1 { "cancelled" } else { "succeeded" });
    }
    let log = |task: &str| world.place.ok(&["logs", "etl", "--task", task]);
    world.place.until("the first is gone", || log("1").is_empty().then_some(()));
    assert_eq!(log("2"), "hello\n");
    assert!(daemon.terminate().success());
}

#[test]
fn what_no_daemon_will_record_is_released_by_hand() {
    let world = World::with("", "");
    let daemon = world.serve();
    world.place.ok(&["run-task", "etl"]);
    world.place.ok(&["run-task", "etl"]);
    let names = world.created(2);
    world.comes_to(2, "submitted");
    daemon.kill();
    let kubeconfig = world.cluster.kubeconfig(world.place.path());
    let release = |args: &[&str]| {
        let mut command = world.place.command(&[&["--config", "config", "release"], args].concat());
        command.env("KUBECONFIG", &kubeconfig).output().unwrap()
    };
    let held = || world.cluster.runs().iter().filter(|run| has_finalizer(run)).count();
    let output = release(&["nosuch-234567"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("expected"), "{output:?}");
    assert_eq!(held(), 2, "a name that is wrong changes nothing");
    let output = release(&[&names[0]]);
    assert!(output.status.success() && text(&output.stderr).contains(&names[0]), "{output:?}");
    assert_eq!(held(), 1);
    assert!(!has_finalizer(&world.cluster.run(&names[0]).unwrap()), "and it stays until somebody deletes it");
    let output = release(&["--all"]);
    assert!(output.status.success() && text(&output.stderr).contains(&names[1]), "{output:?}");
    assert_eq!(held(), 0);
    let output = release(&["--all"]);
    assert!(text(&output.stderr).contains("no PipelineRun was held"), "{output:?}");
}

#[test]
fn the_start_says_which_cluster() {
    let world = World::with("", "");
    let kubeconfig = world.cluster.kubeconfig(world.place.path());
    let daemon = world.place.spawn(&[("KUBECONFIG", kubeconfig.to_str().unwrap())]);
    let line = std::iter::from_fn(|| daemon.line()).find(|line| line.trim_start().starts_with("cluster"));
    let line = line.unwrap();
    assert!(line.contains(&world.cluster.url()) && line.contains("(namespace batch)"), "{line}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_secret_of_another_instance_stays_and_the_task_says_so() {
    let service = "[services.db]\nlabel = \"postgres\"\ncredentials = { env = \"WAREHOUSE\" }\n";
    let world = World::with(service, "services = [\"db\"]\n");
    let theirs = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "data": { "DATABASE_URL": "dGhlaXJz" },
        "metadata": { "name": "tekcron-env-etl", "labels": { "app.kubernetes.io/instance": "another" } },
    });
    world.cluster.with(|state| state.objects.create(SECRETS, theirs, STARTED).unwrap());
    let daemon = world.serve();
    let output = world.place.run(&["run-task", "etl", "--wait"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let task = world.task(1);
    assert_eq!(task["reason"], "SecretTaken", "{task}");
    let message = task["message"].as_str().unwrap();
    assert!(
        message.contains("belongs to another tekcron instance") && message.contains("hint: "),
        "{message}"
    );
    let stays = world.cluster.look(|state| state.objects.get(SECRETS, "tekcron-env-etl").unwrap().clone());
    assert_eq!(stays["data"]["DATABASE_URL"], "dGhlaXJz");
    assert_eq!(world.cluster.count("create", RUNS), 0);
    assert!(daemon.terminate().success());
}

#[test]
fn a_check_of_the_cluster_says_all_that_is_missing() {
    let world = World::with("", "service_account = \"robot\"\n");
    world.cluster.with(|state| state.checked = true);
    let kubeconfig = world.cluster.kubeconfig(world.place.path());
    let check = || {
        let mut command = world.place.command(&["--config", "config", "check", "--cluster"]);
        let output = command.env("KUBECONFIG", &kubeconfig).output().unwrap();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    world.cluster.with(|state| state.installed = false);
    let (fine, said) = check();
    assert!(
        !fine && said.contains("the cluster has no `tekton.dev/v1`") && said.contains("hint: "),
        "{said}"
    );
    world.cluster.with(|state| {
        state.installed = true;
        state.denied = Some("delete");
        state.clock_is(jiff::SignedDuration::from_secs(1));
    });
    let (fine, said) = check();
    assert!(!fine, "{said}");
    let expected = [
        "not allowed in namespace `batch`: delete pipelineruns.tekton.dev",
        "behind this machine's",
        "service account `robot` of `etl` does not exist in namespace `batch`",
    ];
    for words in expected {
        assert!(said.contains(words), "expected {words} in: {said}");
    }
    let refused =
        "admission webhook \"webhook.pipeline.tekton.dev\" denied the request: it is not as it should be";
    world.cluster.next("create", RUNS, 1, Act::status(400, "BadRequest", refused));
    let (fine, said) = check();
    assert!(
        !fine && said.contains("`etl` would not be taken") && said.contains("not as it should be"),
        "{said}"
    );
    assert_eq!(world.cluster.runs().len(), 0, "nothing is created");
}

/// A directory to push.
fn program(world: &World) -> String {
    let dir = world.place.path().join("program");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("run.sh"), "echo hello\n").unwrap();
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_push_is_built_on_the_cluster_and_tasks_run_the_image_by_its_digest() {
    let world = World::with(builds::SETTINGS, "");
    let daemon = world.serve();
    let dir = program(&world);
    let args = ["push", "web", "--task", "-p", &dir, "-c", "sh run.sh", "--build-command", "make"];
    let mut push = world.place.command(&args);
    let push = push.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let build = world.created(1).remove(0);
    world.cluster.becomes(&build, "build-succeeded");
    let pushed = push.wait_with_output().unwrap();
    let said = text(&pushed.stderr);
    assert_eq!(pushed.status.code(), Some(0), "{said}");
    assert!(
        said.contains("warning: a build's `command` means nothing with `executor = \"tekton\"`"),
        "{said}"
    );
    assert!(said.contains("revision 1 of the App `web` is ready"), "{said}");
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let (_, revision) = world.get("/v1/apps/web/revisions/1");
    assert!(revision.contains(&format!("registry.example/team/web@{digest}")), "{revision}");

    world.place.ok(&["run-task", "web"]);
    let names = world.created(2);
    let run = names.iter().find(|name| **name != build).unwrap();
    let run = world.cluster.run(run).unwrap().to_string();
    assert!(run.contains(&format!("\"image\":\"registry.example/team/web@{digest}\"")), "{run}");
    assert!(run.contains("\"tekcron.dev/revision\":\"1\""), "{run}");
    assert!(daemon.terminate().success());
}

#[test]
fn without_a_builder_a_source_is_refused_before_it_is_sent_and_an_image_is_not() {
    let world = World::with("", "");
    let daemon = world.serve();
    let dir = program(&world);
    let refused = world.place.run(&["push", "web", "--task", "-p", &dir, "-c", "sh run.sh"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the settings name no builder\nhint: a table `[build]` in `tekcron.toml`"),
        "{said}"
    );
    assert!(!said.contains("uploaded"), "{said}");
    assert_eq!(world.get("/v1/apps/web").0, 404);
    let pushed = world.place.ok(&["push", "web", "--task", "--image", "busybox:1", "-c", "true"]);
    assert_eq!(pushed, "");
    assert_eq!(world.get("/v1/apps/web").0, 200);
    assert!(daemon.terminate().success());
}

#[test]
fn while_the_cluster_is_away_a_slot_that_waits_is_explained_by_it() {
    let job = "[[jobs]]\nname = \"tick\"\nschedule = \"* * * * * *\"\noverlap = \"allow\"\n";
    let world = World::with("hold = \"1s\"\n", job);
    world.cluster.goes_away();
    let daemon = world.serve();
    let explain = |at: &Value| world.place.json(&["explain", "etl.tick", at.as_str().unwrap()])[0].clone();
    let (slots, explained) = world.place.until("slots wait", || {
        let rows = world.place.json(&["slots", "etl.tick"]);
        let newest = rows.as_array().unwrap().first()?["first"].clone();
        let explained = explain(&newest);
        explained["waits_for"].is_string().then_some((newest, explained))
    });
    assert_eq!(explained["task"]["phase"], "pending", "{explained}");
    let waits_for = explained["waits_for"].as_str().unwrap();
    assert!(waits_for.contains("Connection refused") && waits_for.contains("(since 20"), "{waits_for}");
    // Beyond `hold` nothing is claimed, and there is no row.
    let parked = world.place.until("a slot without a row", || {
        let now = world.place.json(&["explain", "etl.tick"])[0]["before"].clone();
        let explained = explain(&now);
        (explained["ledger"].is_null() && explained["waits_for"].is_string() && now != slots)
            .then_some(explained)
    });
    assert_eq!(parked["unknown"], "no row yet: it is decided when tasks can start");
    assert!(daemon.terminate().success());
}

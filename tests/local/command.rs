//! What the command is, and what it sees.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, SecretKeySelector};
use tekcron::app::{Command, Secrets};
use tekcron::task::Phase;

use crate::world::{World, exec, shell, with};

#[tokio::test]
async fn dollars_arrive_as_the_author_wrote_them() {
    let mut world = World::new();
    let words = ["/tmp/x.$$", "$(date)", "$(HOME)", "${X:-y}", "$(params.foo)", "£ $"];
    let mut line = vec!["printf".to_owned(), "%s\\n".to_owned()];
    line.extend(words.map(str::to_owned));
    let (name, outcome) = world.run_to_end(with(Command::exec(line).unwrap(), |_| {})).await;
    assert_eq!(outcome.phase, Phase::Succeeded, "{outcome:?}");
    assert_eq!(world.log(&name).await, words.map(|word| format!("{word}\n")).concat());

    let (name, _) = world.run(r#"test "$$" -gt 1 && echo "${X:-y} $(echo sub)""#).await;
    assert_eq!(world.log(&name).await, "y sub\n");
}

#[tokio::test]
async fn the_environment_is_clean() {
    let mut world = World::new();
    let submission = with(Command::exec(vec!["env".into()]).unwrap(), |app| {
        app.env = BTreeMap::from([("STAGE".into(), "a=b".into()), ("dotted.name".into(), "x".into())]);
    });
    let (name, _) = world.run_to_end(submission).await;
    let log = world.log(&name).await;
    let env: BTreeMap<&str, &str> = log.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(env["STAGE"], "a=b");
    assert_eq!(env["dotted.name"], "x");
    assert_eq!(env["TEKCRON_TASK_NAME"], name.as_str());
    assert_eq!(env["TEKCRON_TASK_ID"], "7");
    assert_eq!(env["HOME"], world.task_dir(&name).join("work").to_str().unwrap());
    assert!(env["PATH"].contains("/usr/bin"));
    assert_eq!(env["CF_INSTANCE_ADDR"], "127.0.0.1:8080");
    let ours =
        |name: &str| ["TEKCRON_", "CF_INSTANCE_", "VCAP_"].iter().any(|prefix| name.starts_with(prefix));
    let others: Vec<&&str> = env.keys().filter(|name| !ours(name)).collect();
    assert_eq!(others, [&"HOME", &"INSTANCE_GUID", &"LANG", &"PATH", &"STAGE", &"dotted.name"]);
}

#[tokio::test]
async fn each_execution_has_an_id_of_its_own() {
    let mut world = World::new();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (name, _) = world.run("echo $CF_INSTANCE_GUID").await;
        ids.push(world.log(&name).await);
    }
    assert!(!ids[0].trim().is_empty());
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn it_reads_nothing_and_has_no_terminal() {
    let mut world = World::new();
    let (name, outcome) =
        world.run("cat; (: </dev/tty) 2>/dev/null && echo terminal; ls /proc/self/fd | wc -l").await;
    assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
    // Three streams and the directory that `ls` reads.
    assert_eq!(world.log(&name).await, "4\n");
}

#[tokio::test]
async fn a_broken_pipe_ends_a_program_as_usual() {
    let mut world = World::new();
    let (_, outcome) = world.run("kill -PIPE $$; echo survived").await;
    assert_eq!(outcome.message, "it was killed by SIGPIPE");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_to_be_so() {
    let mut world = World::new();
    let (_, outcome) = world.run_to_end(exec(["no-such-program", "x"])).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Failed, None));
    assert_eq!((outcome.reason.as_str(), outcome.started), ("StartError", None));
    assert!(
        outcome.message.starts_with("`no-such-program` was not found in PATH, which is `/"),
        "{outcome:?}"
    );

    let (_, outcome) = world.run_to_end(exec(["./run.sh"])).await;
    assert!(outcome.message.contains("was not found in the task's working directory"), "{outcome:?}");

    let (_, outcome) = world.run_to_end(exec(["/etc/passwd"])).await;
    assert!(outcome.message.contains("Permission denied"), "{outcome:?}");
}

#[tokio::test]
async fn credentials_reach_the_task_and_no_file() {
    let mut world = World::new();
    let secret = "s3cr3t-of-the-warehouse";
    let mut submission = shell("test -n \"$DATABASE_URL\" && echo ${#DATABASE_URL}; read -r _ < \"$GO\"");
    let fifo = world.scratch().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let variable = |name: &str, value: Option<&str>| EnvVar {
        name: name.into(),
        value: value.map(Into::into),
        value_from: None,
    };
    let selector = SecretKeySelector { name: "bindings".into(), key: "url".into(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
    let url = EnvVar { value_from: Some(source), ..variable("DATABASE_URL", None) };
    let step = &mut submission.run.spec.pipeline_spec.tasks[0].task_spec.steps[0];
    step.env.extend([url, variable("GO", fifo.to_str())]);
    submission.secrets = Secrets::default();
    submission.secrets.insert("bindings", "url", secret.to_owned().into());
    let name = world.submit(submission).await;
    world.logged(&name, &format!("{}\n", secret.len())).await;
    let command = world.pid(&name);
    let shim = world.shim(&name);
    for process in [shim, command] {
        let line = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
        assert!(!line.contains(secret), "{line}");
    }
    assert_eq!(fs::read(format!("/proc/{shim}/environ")).unwrap(), b"");
    assert_nowhere(&world.data(), secret);
    fs::write(&fifo, "\n").unwrap();
    assert_eq!(world.outcome(&name).await.exit_code, Some(0));
    assert_nowhere(&world.data(), secret);
}

fn assert_nowhere(dir: &Path, secret: &str) {
    let files = files(dir);
    assert!(files.iter().any(|file| file.ends_with("record")));
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{}", file.display());
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(self::files(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

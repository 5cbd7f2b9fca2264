//! Where a task runs.

use std::fs;
use std::os::unix::fs::symlink;

use tekcron::app::Command;
use tekcron::executor::{Observed, Submission};
use tekcron::task::Phase;

use crate::world::{World, shell, with};

#[tokio::test]
async fn each_task_has_a_copy_of_its_own() {
    let mut world = World::new();
    let source = world.scratch().join("app");
    fs::create_dir_all(source.join("lib")).unwrap();
    fs::write(source.join("lib/data"), "original\n").unwrap();
    symlink("lib/data", source.join("link")).unwrap();
    let line = "cat link; echo changed > lib/data; touch new; test -L link && cat link; ls | wc -l";
    for _ in 0..2 {
        let submission = with(Command::shell(line).unwrap(), |app| app.path = Some(source.clone()));
        let (name, outcome) = world.run_to_end(submission).await;
        assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
        assert_eq!(world.log(&name).await, "original\nchanged\n3\n");
        assert!(!world.task_dir(&name).join("work").exists());
    }
    assert_eq!(fs::read_to_string(source.join("lib/data")).unwrap(), "original\n");
    assert!(!source.join("new").exists());
}

#[tokio::test]
async fn the_working_directory_stays_where_asked_for() {
    let mut world = World::new();
    let (name, _) = world.run_to_end(Submission { keep_workdir: true, ..shell("echo kept > file") }).await;
    assert_eq!(fs::read_to_string(world.task_dir(&name).join("work/file")).unwrap(), "kept\n");
    let (name, _) = world.run("mkdir -p a/b; touch a/b/c; chmod 555 a a/b").await;
    assert!(!world.task_dir(&name).join("work").exists());
}

#[tokio::test]
async fn a_source_that_is_not_there_fails_the_task_in_words() {
    let mut world = World::new();
    let submission = Submission { source: Some("/no/such/app".into()), ..shell("true") };
    let (_, outcome) = world.run_to_end(submission).await;
    assert_eq!((outcome.phase, outcome.exit_code, outcome.started), (Phase::Failed, None, None));
    assert_eq!(outcome.reason, "StartError");
    assert!(outcome.message.starts_with("copying `/no/such/app` failed: No such file"), "{outcome:?}");
    let submission = Submission { source: Some(world.scratch().to_owned()), ..shell("true") };
    let (_, outcome) = world.run_to_end(submission).await;
    assert!(outcome.message.contains("outside of tekcron's data"), "{outcome:?}");
}

#[tokio::test]
async fn what_cannot_be_copied_is_said_in_the_log() {
    let mut world = World::new();
    let source = world.scratch().join("app");
    fs::create_dir_all(&source).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, source.join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let (name, outcome) = world.run_to_end(Submission { source: Some(source.clone()), ..shell("ls") }).await;
    assert_eq!(outcome.exit_code, Some(0));
    let expected =
        format!("[tekcron: `{}` was not copied, since it is a pipe]\n", source.join("pipe").display());
    assert_eq!(world.log(&name).await, expected);
}

#[tokio::test]
async fn the_lasting_directory_lasts() {
    let mut world = World::new();
    for expected in ["1\n", "2\n"] {
        let line = r#"echo x >> "$TEKCRON_STATE_DIR/runs"; wc -l < "$TEKCRON_STATE_DIR/runs""#;
        let submission = with(Command::shell(line).unwrap(), |app| app.state = true);
        let (name, _) = world.run_to_end(submission).await;
        assert_eq!(world.log(&name).await, expected);
        world.executor.delete(&name).await.unwrap();
    }
    assert_eq!(fs::read_to_string(world.data().join("state/demo/runs")).unwrap(), "x\nx\n");
}

#[tokio::test]
async fn nothing_is_left_of_a_deleted_task() {
    let mut world = World::new();
    let name = world.submit(shell("echo ready; sleep 1000")).await;
    world.logged(&name, "ready").await;
    assert!(world.executor.delete(&name).await.unwrap_err().to_string().contains("it still runs"));
    world.executor.cancel(&name).await.unwrap();
    world.outcome(&name).await;
    world.executor.delete(&name).await.unwrap();
    world.executor.delete(&name).await.unwrap();
    assert_eq!(fs::read_dir(world.data().join("tasks")).unwrap().count(), 0);
    assert_eq!(world.executor.observe(&name).await.unwrap(), Observed::Absent);
    assert_eq!(world.log(&name).await, "");
}

#[tokio::test]
async fn the_data_is_for_its_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let mut world = World::new();
    let (name, _) = world.run("true").await;
    for path in [world.data().join("tasks"), world.data().join("state"), world.task_dir(&name)] {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700, "{}", path.display());
    }
}

//! What a machine runs out of: space, permission, descriptors, processes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use crate::harness::{Daemon, Place, text};
use crate::store::files;
use crate::wire::{ask, get, post, send, settled, source};

const APP: &str = r#"
[app]
name = "work"
path = "source"
command = "true"

[[jobs]]
name = "each"
schedule = "* * * * * *"
catch_up = "all"
"#;

/// A file system of its own, as small as it says.
struct Small {
    at: PathBuf,
}

impl Small {
    /// Mounts one at the data directory of `place`; none where that is not allowed here, which is said.
    fn mount(place: &Place, options: &str) -> Option<Self> {
        let at = place.path().join("data");
        fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self { at });
        }
        eprintln!("SKIPPED: no file system can be mounted here, so a full disk is not tried");
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.at).status().unwrap();
        assert!(status.success());
    }

    /// Takes all space that is left.
    fn fill(&self) -> PathBuf {
        let ballast = self.at.join("ballast");
        let mut file = fs::File::create(&ballast).unwrap();
        let copied = std::io::copy(&mut std::io::repeat(b'x'), &mut file);
        assert_eq!(copied.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: what still runs there goes on without a name.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn place() -> Place {
    place_with(APP)
}

fn place_with(app: &str) -> Place {
    let place = Place::with(&[("work", app)]);
    fs::create_dir(place.path().join("source")).unwrap();
    fs::write(place.path().join("source/file"), "x").unwrap();
    place
}

/// Ids and phases of the tasks that the API shows.
fn tasks(place: &Place) -> Vec<(u64, String)> {
    let tasks = place.json(&["tasks", "work"]);
    let one =
        |task: &serde_json::Value| (task["id"].as_u64().unwrap(), task["phase"].as_str().unwrap().to_owned());
    tasks.as_array().unwrap().iter().map(one).collect()
}

fn phase_of(place: &Place, id: u64) -> String {
    tasks(place).into_iter().find(|(other, _)| *other == id).map(|(_, phase)| phase).unwrap()
}

/// Runs by hand until one is not taken on; the ids of those that were.
fn run_until_refused(place: &Place) -> Vec<u64> {
    let long = format!("true {}", "x".repeat(20_000));
    let mut taken = Vec::new();
    loop {
        let output = place.run(&["run-task", "work", "-c", &long, "-o", "json"]);
        if !output.status.success() {
            return taken;
        }
        let task: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let task = task.as_array().map_or(&task, |tasks| &tasks[0]);
        taken.push(task["id"].as_u64().unwrap());
    }
}

#[test]
fn a_disk_that_fills_while_committing_ends_the_daemon_and_nothing_acknowledged_is_lost() {
    let place = place();
    let Some(disk) = Small::mount(&place, "size=24m") else { return };
    let daemon = place.serve();
    place.ok(&["run-task", "work", "--wait"]);
    let ballast = disk.fill();
    let taken = run_until_refused(&place);
    assert!(!daemon.ended().success());
    let log = place.log();
    assert!(log.contains("nothing more is acknowledged") && log.contains("No space left"), "{log}");
    fs::remove_file(ballast).unwrap();
    let daemon = place.serve();
    place.until("the end of what was acknowledged", || {
        let tasks = tasks(&place);
        let ended = |id: &u64| tasks.iter().any(|(other, phase)| other == id && phase == "succeeded");
        taken.iter().all(ended).then_some(())
    });
    assert!(daemon.terminate().success());
}

#[test]
fn a_full_disk_at_the_start_is_said_and_an_emptied_one_starts() {
    let place = place();
    let Some(disk) = Small::mount(&place, "size=4m") else { return };
    let ballast = disk.fill();
    let daemon = place.spawn(&[]);
    assert_eq!(daemon.line(), None);
    assert!(!daemon.ended().success());
    assert!(place.log().contains("No space left"), "{}", place.log());
    fs::remove_file(ballast).unwrap();
    disk.remount("size=24m");
    let daemon = place.serve();
    place.ok(&["run-task", "work", "--wait"]);
    assert!(daemon.terminate().success());
}

#[test]
fn a_compaction_that_finds_the_disk_full_leaves_the_store_as_it_was() {
    let place = place();
    let Some(disk) = Small::mount(&place, "size=24m") else { return };
    let daemon = place.serve();
    (0..3).for_each(|_| drop(place.ok(&["run-task", "work", "--wait"])));
    assert!(daemon.terminate().success());
    let exported = place.ok(&["store", "export"]);
    let before = files(&disk.at.join("store"));
    let ballast = disk.fill();
    let refused = place.run(&["store", "compact"]);
    assert_eq!(refused.status.code(), Some(73));
    let words = text(&refused.stderr);
    assert!(words.contains("No space left") && words.contains("hint: the store is as it was"), "{words}");
    assert!(files(&disk.at.join("store")) == before, "it was changed");
    assert!(!disk.at.join("store.new").exists());
    fs::remove_file(ballast).unwrap();
    place.ok(&["store", "compact"]);
    assert_eq!(place.ok(&["store", "export"]), exported);
}

#[test]
fn a_source_that_does_not_fit_fails_its_task_with_the_reason() {
    let place =
        Place::with(&[("work", &APP.replace("schedule = \"* * * * * *\"\ncatch_up = \"all\"\n", ""))]);
    let source = place.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("large"), vec![7; 40 << 20]).unwrap();
    let Some(_disk) = Small::mount(&place, "size=24m") else { return };
    let daemon = place.serve();
    let output = place.run(&["run-task", "work", "--wait"]);
    let words = text(&output.stderr);
    // Either the copy has no room, or the store beside it: the first fails the task, the second ends the daemon.
    if words.contains("No space left") {
        assert!(!output.status.success());
        fs::remove_file(source.join("large")).unwrap();
        place.ok(&["run-task", "work", "--wait"]);
        assert!(daemon.terminate().success(), "{}", place.log());
        return;
    }
    assert!(!daemon.ended().success(), "{words}\n{}", place.log());
    assert!(place.log().contains("No space left"), "{}", place.log());
    fs::remove_file(source.join("large")).unwrap();
    let daemon = place.serve();
    let id = place.until("its record", || tasks(&place).first().map(|(id, _)| *id));
    place.until("its end", || (phase_of(&place, id) == "failed").then_some(()));
    assert!(daemon.terminate().success());
}

#[test]
fn a_log_that_fills_the_disk_is_cut_and_its_task_ends_as_it_was() {
    let app = APP.replace("schedule = \"* * * * * *\"\ncatch_up = \"all\"\n", "");
    let place = Place::with(&[("work", &app)]);
    fs::create_dir(place.path().join("source")).unwrap();
    fs::create_dir(place.path().join("go")).unwrap();
    fs::write(place.path().join("config/tekcron.toml"), "max_log = \"1Gi\"\n").unwrap();
    let Some(disk) = Small::mount(&place, "size=24m") else { return };
    let daemon = place.serve();
    let go = place.path().join("go");
    let line = format!(
        "head -c 60000000 /dev/zero | tr '\\0' '\\n'; : > {go}/full; until [ -e {go}/on ]; do sleep 0.1; done; exit 7",
        go = go.display()
    );
    let output = place.run(&["run-task", "work", "-c", &line, "-o", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    place.until("a full disk", || go.join("full").exists().then_some(()));
    // The daemon may have met the full disk too; then it has ended, and is started again with more.
    disk.remount("size=64m");
    fs::write(go.join("on"), "").unwrap();
    let alive = place.run(&["tasks", "work"]).status.success();
    let daemon = if alive {
        daemon
    } else {
        assert!(!daemon.ended().success());
        assert!(place.log().contains("No space left"), "{}", place.log());
        place.serve()
    };
    place.until("its end", || (phase_of(&place, 1) == "failed").then_some(()));
    let task = place.json(&["task", "work", "1"]);
    let task = task.as_array().map_or(&task, |tasks| &tasks[0]);
    assert_eq!(task["exit_code"], 7, "{task}");
    let shown = place.ok(&["logs", "work", "--task", "1"]);
    assert!(shown.contains("bytes cut here"), "{:.300}", shown.trim());
    assert!(daemon.terminate().success());
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named_with_a_hint() {
    let place = place();
    let Some(disk) = Small::mount(&place, "size=24m") else { return };
    let daemon = place.serve();
    place.ok(&["run-task", "work", "--wait"]);
    daemon.kill();
    place.until("the end of its supervisors", || {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.at).output().unwrap().status;
        status.success().then_some(())
    });
    let before = fs::read(disk.at.join("store/db")).unwrap();
    let daemon = place.spawn(&[]);
    assert_eq!(daemon.line(), None);
    assert!(!daemon.ended().success());
    let log = place.log();
    assert!(log.contains("cannot write the data directory") && log.contains("Read-only"), "{log}");
    assert!(log.contains("hint: "), "{log}");
    assert_eq!(fs::read(disk.at.join("store/db")).unwrap(), before);
    disk.remount("rw");
    let daemon = place.serve();
    assert!(tasks(&place).iter().any(|(id, _)| *id == 1));
    assert!(daemon.terminate().success());
}

/// Moves a soft limit of a process while it runs, by `program`, which must be run by the same user.
fn limit(mut program: Command, pid: i32, limit: &str) {
    let output = program.args(["--pid", &pid.to_string(), limit]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The children of a process, whichever of its threads started them.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("children")));
    let numbers = |list: String| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>();
    lists.filter_map(Result::ok).flat_map(numbers).collect()
}

#[test]
fn without_descriptors_claims_are_held_and_go_on_once_there_are_some() {
    let place = place();
    let daemon = place.serve();
    place.until("a run", || place.log().contains("a task has ended").then_some(()));
    // What is open stays open, and nothing more can be opened.
    limit(Command::new("prlimit"), daemon.pid().as_raw_pid(), "--nofile=3:");
    place.until("a held claim", || place.log().contains("held and asked again").then_some(()));
    limit(Command::new("prlimit"), daemon.pid().as_raw_pid(), "--nofile=4096:");
    all_claimed_so_far_run(&place);
    assert!(daemon.terminate().success());
}

fn all_claimed_so_far_run(place: &Place) {
    let before = tasks(place).into_iter().map(|(id, _)| id).max().unwrap();
    place.until("everything that was claimed", || {
        let tasks = tasks(place);
        let claimed: Vec<_> = tasks.iter().filter(|(id, _)| *id <= before).collect();
        claimed.iter().all(|(_, phase)| phase == "succeeded").then_some(())
    });
    let ids: Vec<u64> = tasks(place).into_iter().map(|(id, _)| id).filter(|id| *id <= before).collect();
    assert_eq!(ids, (1..=before).rev().collect::<Vec<_>>(), "one is lost");
}

/// A daemon of a user that nobody else is, whom the limit on processes holds, as it does not hold root.
pub(crate) struct Stranger {
    pub(crate) place: Place,
    user: String,
}

impl Stranger {
    /// None where nobody may become somebody else, which is said.
    pub(crate) fn with(app: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let user = 54_000 + std::process::id() % 1000 * 4 + NEXT.fetch_add(1, Ordering::Relaxed);
        let stranger = Self { place: place_with(app), user: user.to_string() };
        let path = stranger.place.path();
        fs::copy(env!("CARGO_BIN_EXE_tekcron"), path.join("tekcron")).unwrap();
        let owned = Command::new("chown").args(["-R", &stranger.user]).arg(path).output().unwrap();
        if owned.status.success() {
            return Some(stranger);
        }
        eprintln!("SKIPPED: this is not root, so no other user's processes can be limited");
        None
    }

    /// One whose daemon starts nothing by itself, and has run a task. None where nobody may become somebody else.
    fn that_ran_once() -> Option<(Self, Daemon)> {
        let stranger = Self::with(&APP.replace("schedule = ", "# ").replace("catch_up = ", "# "))?;
        let daemon = stranger.serve();
        stranger.place.ok(&["run-task", "work", "--wait"]);
        Some((stranger, daemon))
    }

    /// What the programs of this user's processes are called.
    pub(crate) fn programs(&self) -> Vec<String> {
        self.processes("Name:")
    }

    /// How many threads of this user's count against the limit on processes.
    pub(crate) fn threads(&self) -> u32 {
        self.processes("Threads:").iter().map(|threads| threads.parse::<u32>().unwrap()).sum()
    }

    /// What the kernel says of each of this user's processes under `name`.
    fn processes(&self, name: &str) -> Vec<String> {
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let own = |status: String| {
            let field = |name: &str| {
                status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
            };
            (field("Uid:") == Some(&self.user)).then(|| field(name).unwrap().to_owned())
        };
        processes.filter_map(|path| own(fs::read_to_string(path.join("status")).ok()?)).collect()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &self.user, "--clear-groups", program]).current_dir(self.place.path());
        command
    }

    pub(crate) fn serve(&self) -> Daemon {
        let log = fs::File::options().append(true).create(true).open(self.place.path().join("log")).unwrap();
        let mut serve = self.command("./tekcron");
        let daemon = Daemon::started(
            serve.args(["--config", "config", "serve", "--listen", "127.0.0.1:0"]).stderr(log),
        );
        assert!(daemon.line().is_some(), "{}", self.place.log());
        daemon
    }

    /// Limits the daemon, and the process that forks for it.
    pub(crate) fn limit(&self, daemon: &Daemon, processes: u32) {
        let daemon = daemon.pid().as_raw_pid();
        for pid in children(daemon).into_iter().chain([daemon]) {
            limit(self.command("prlimit"), pid, &format!("--nproc={processes}:"));
        }
    }
}

#[test]
fn without_processes_claims_are_held_and_go_on_once_there_are_some() {
    let Some(stranger) = Stranger::with(APP) else { return };
    let place = &stranger.place;
    let daemon = stranger.serve();
    place.until("a run", || place.log().contains("a task has ended").then_some(()));
    stranger.limit(&daemon, 1);
    place.until("a held claim", || place.log().contains("held and asked again").then_some(()));
    stranger.limit(&daemon, 4096);
    all_claimed_so_far_run(place);
    assert!(daemon.terminate().success());
}

#[test]
fn a_command_waits_in_its_supervisor_for_a_process_and_starts_once_there_is_one() {
    let Some((stranger, daemon)) = Stranger::that_ran_once() else { return };
    let place = &stranger.place;
    let [nursery] = children(daemon.pid().as_raw_pid())[..] else { panic!("it has one child") };
    let limited =
        |processes: u32| limit(stranger.command("prlimit"), nursery, &format!("--nproc={processes}:"));
    limited(stranger.threads());
    place.ok(&["run-task", "work"]);
    let supervisor = place.until("a supervisor whose command waits", || {
        // How many threads the daemon has changes.
        limited(stranger.threads() + 1);
        let log = String::from_utf8(place.run(&["logs", "work", "--task", "2"]).stdout).unwrap();
        let waits = log.contains("it is started when the machine lets it: ");
        waits.then(|| children(nursery)).and_then(|children| children.first().copied())
    });
    assert_eq!(phase_of(place, 2), "submitted");
    limit(stranger.command("prlimit"), supervisor, "--nproc=4096:");
    place.until("its end", || (phase_of(place, 2) == "succeeded").then_some(()));
    assert!(daemon.terminate().success());
}

#[test]
fn without_another_thread_claims_wait_and_the_daemon_goes_on() {
    let Some((stranger, daemon)) = Stranger::that_ran_once() else { return };
    let place = &stranger.place;
    stranger.limit(&daemon, 1);
    for _ in 0..20 {
        place.ok(&["run-task", "work"]);
    }
    place.until("a held claim", || place.log().contains("held and asked again").then_some(()));
    stranger.limit(&daemon, 4096);
    all_claimed_so_far_run(place);
    assert!(daemon.terminate().success());
}

#[test]
fn a_disk_that_fills_while_a_source_arrives_or_is_unpacked_keeps_nothing_of_it_and_the_service_goes_on() {
    let place = place();
    let Some(_disk) = Small::mount(&place, "size=96m") else { return };
    let _daemon = place.serve();
    let large = |mebibytes: usize| "x".repeat(mebibytes << 20);
    let kept = || fs::read_dir(place.path().join("data/sources")).unwrap().count();
    let (hash, tar) = source(&[("large", &large(120))]);
    let path = format!("/v1/sources/{hash}");
    let (status, refused) = ask(&place, "PUT", &path, &tar).unwrap();
    assert_eq!((status, &refused["error"]["code"]), (507, &json!("disk-full")), "{refused}");
    assert_eq!((kept(), &get(&place, &path).1["received"]), (0, &json!(0)));

    let push = |hash: String| post(&place, "/v1/apps/web/push", &json!({ "source": hash }));
    // It fits once, and not unpacked beside itself.
    assert_eq!(push(send(&place, &[("large", &large(50))])).0, 202);
    let failed = settled(&place, "web", 1);
    assert_eq!(failed["state"], "failed");
    assert!(failed["reason"].as_str().unwrap().contains("is full"), "{failed}");
    assert_eq!(fs::read_dir(place.path().join("data/revisions/web")).unwrap().count(), 0);
    assert_eq!(push(send(&place, &[("small", "x")])).0, 202);
    assert_eq!(settled(&place, "web", 2)["state"], "ready");
    place.ok(&["run-task", "web", "-c", "cat small", "--wait"]);
}

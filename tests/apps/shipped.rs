//! The configuration that is shipped has no fault, and its Apps run by the real program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tekcron::cli::render::{self, RenderArgs, RenderFormat};
use tekcron::config::{self, ExecutorKind, SettingsOverrides};
use tempfile::TempDir;

use crate::crd;
use crate::etl::has_zones;
use crate::sandbox::{copy, has, listing, repository};
use crate::{http, smtp};

/// A copy of `config` and `examples`, with a daemon in it.
struct Place {
    dir: TempDir,
    daemon: Child,
}

impl Place {
    /// `edit` may change the text of each App.
    fn start(edit: impl Fn(&str) -> String) -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["config", "examples"] {
            copy(&repository().join(name), &dir.path().join(name));
        }
        let apps = dir.path().join("config/apps");
        for name in listing(&apps) {
            let text = fs::read_to_string(apps.join(&name)).unwrap();
            fs::write(apps.join(name), edit(&text)).unwrap();
        }
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut serve = tekcron(&dir);
        serve.args(["--config", "config", "serve", "--listen", "127.0.0.1:0"]);
        let mut daemon = serve.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
        assert!(lines.next().is_some(), "{}", fs::read_to_string(dir.path().join("log")).unwrap());
        // It goes on printing, for as long as it lives.
        std::thread::spawn(move || lines.count());
        Self { dir, daemon }
    }

    /// Runs a verb that must succeed; its stdout and stderr.
    fn ok(&self, args: &[&str]) -> String {
        let output = tekcron(&self.dir).args(args).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(output.status.success(), "{args:?}: {said}");
        said
    }

    fn state(&self, app: &str) -> PathBuf {
        self.dir.path().join("data/state").join(app)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.daemon), Signal::TERM).unwrap();
        self.daemon.wait().unwrap();
    }
}

fn tekcron(place: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekcron"));
    command.current_dir(place.path()).stdin(Stdio::null());
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TEKCRON_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command
}

/// Without any slot that comes due meanwhile.
fn by_hand(app: &str) -> String {
    app.lines().filter(|line| !line.starts_with("schedule = ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn it_has_neither_problems_nor_warnings() {
    // Before each change of the clocks.
    for now in ["2026-03-01T00:00:00Z", "2026-10-01T00:00:00Z"] {
        let now = now.parse().unwrap();
        let checked = config::check(&repository().join("config"), &SettingsOverrides::default(), now);
        assert!(checked.problems.is_empty(), "{}", checked.problems);
    }
    let config = config::load(&repository().join("config"), &SettingsOverrides::default()).unwrap();
    let apps: Vec<_> = config.apps.keys().map(ToString::to_string).collect();
    assert_eq!(apps, ["backup", "db-migrate", "etl", "mail", "transfer"]);
}

#[test]
fn each_app_and_job_is_an_object_that_a_cluster_takes() {
    let on_a_cluster = SettingsOverrides { executor: Some(ExecutorKind::Tekton), ..Default::default() };
    let config = config::load(&repository().join("config"), &on_a_cluster).unwrap();
    let apps = config.apps.values().filter(|app| app.command.is_some()).map(|app| app.name.to_string());
    let jobs = config.jobs().map(|(app, job)| format!("{}.{}", app.name, job.name));
    for target in apps.chain(jobs) {
        let mut out = Vec::new();
        render::run(
            &RenderArgs { target, output: RenderFormat::Json, all: false, build: false, source: None },
            &config,
            &mut out,
        )
        .unwrap();
        crd::assert_valid(&serde_json::from_slice(&out).unwrap());
    }
}

#[test]
fn every_scheduled_job_has_a_next_slot_and_two_apps_run_within_a_minute() {
    let config = config::load(&repository().join("config"), &SettingsOverrides::default()).unwrap();
    let start: jiff::Timestamp = "2026-11-25T03:40:30Z".parse().unwrap();
    let mut soon = Vec::new();
    for (app, job) in config.jobs() {
        for schedule in &job.schedules {
            let next = schedule.recurrence.next_after(start);
            let next = next.unwrap_or_else(|| panic!("{}.{} never runs", app.name, job.name));
            if next.duration_since(start).as_secs() <= 60 {
                soon.push(app.name.to_string());
            }
        }
    }
    assert_eq!(soon, ["backup", "etl"]);
}

#[test]
fn what_their_first_lines_advise_works() {
    let place = Place::start(by_hand);
    place.ok(&["run-job", "db-migrate.up", "--wait"]);
    let orders = fs::read_to_string(place.state("db-migrate").join("versions/0003/orders.tsv")).unwrap();
    assert_eq!(orders.lines().last(), Some("3\t1\t30\tEUR"));
    let status = place.ok(&["run-job", "db-migrate.status", "--follow"]);
    assert!(status.contains("applied 0003 add-currency-to-orders by task 1"), "{status}");

    place.ok(&["run-task", "backup", "--wait"]);
    let archives = listing(&place.state("backup"));
    assert_eq!(archives.len(), 2, "{archives:?}");
    let check =
        Command::new("sha256sum").args(["-c", &archives[1]]).current_dir(place.state("backup")).output();
    assert!(check.unwrap().status.success());
    let tar = Command::new("tar").args(["-tzf", &archives[0]]).current_dir(place.state("backup")).output();
    let files = String::from_utf8(tar.unwrap().stdout).unwrap();
    assert!(files.contains("./db-migrate/migrations/0001-create-customers.sh\n"), "{files}");

    if has_zones() {
        place.ok(&["run-task", "etl", "--wait", "-c", "sh etl.sh --country FR --format csv"]);
        let report = fs::read_to_string(place.state("etl").join("report-FR.csv")).unwrap();
        assert!(report.contains("\n\"FR\",\"France\",\"Europe/Paris\","), "{report}");
        place.ok(&["run-job", "etl.nightly", "--wait"]);
        assert!(fs::read_to_string(place.state("etl").join("report.csv")).unwrap().lines().count() > 400);
    }
}

#[test]
fn mail_and_transfer_get_their_servers_from_the_command_line() {
    if !has("curl") {
        return;
    }
    let place = Place::start(by_hand);
    let server = smtp::Server::start();
    let url = format!("SMTP_URL={}", server.url());
    place.ok(&["run-job", "mail.report", "--wait", "--env", &url, "--env", "MAIL_TO=me@example.org"]);
    assert_eq!(server.letter().envelope(), ["MAIL FROM:<tekcron@localhost>", "RCPT TO:<me@example.org>"]);

    let server = http::Server::start();
    server.hold_summed("/data.csv", b"a,b\n", b"a,b\n");
    let url = format!("URL={}", server.url("/data.csv"));
    place.ok(&["run-job", "transfer.download", "--wait", "--env", &url, "--env", "FILE=data.csv"]);
    assert_eq!(fs::read(place.state("transfer").join("data.csv")).unwrap(), b"a,b\n");
    let url = format!("URL={}", server.url("/copy.csv"));
    place.ok(&["run-job", "transfer.upload", "--wait", "--env", &url, "--env", "FILE=data.csv"]);
    assert_eq!(server.held("/copy.csv"), b"a,b\n");
}

#[test]
fn scheduled_jobs_work_for_their_slot() {
    if !has_zones() {
        return;
    }
    let place = Place::start(|app| app.replace("\"* * * * *\"", "\"* * * * * *\""));
    for (app, job) in [("backup", "minutely"), ("etl", "world")] {
        let ran = || {
            let tasks = tekcron(&place.dir).args(["tasks", app, "-o", "json"]).output().unwrap();
            let tasks: Value = serde_json::from_slice(&tasks.stdout).unwrap();
            let mut tasks = tasks.as_array().unwrap().clone().into_iter();
            tasks.find(|task| task["job"].as_str().unwrap().contains(job) && task["finished"].is_string())
        };
        // Each question is a process of its own, which is pause enough.
        let task = std::iter::repeat_with(ran).take(2000).flatten().next().expect("no task has ended");
        assert_eq!(task["phase"], "succeeded", "{task}");
        let slot = task["scheduled"].as_str().unwrap();
        let log = place.ok(&["logs", app, "--task", &task["id"].to_string()]);
        let expected = match app {
            "backup" => format!("/backup-{}.tar.gz", slot.replace(['-', ':'], "")),
            _ => format!("# Who is at work at {slot}"),
        };
        assert!(log.contains(&expected), "{expected}: {log}");
    }
}

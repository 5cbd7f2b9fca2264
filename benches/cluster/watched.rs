//! Ten thousand tasks that run at once: memory, processor time, and how soon a daemon that was killed is back.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::http::{Client, request};
use crate::machine;
use crate::place::{in_seconds, write_config};
use crate::report::{Row, Unit};
use crate::target::Target;

const TASKS: usize = 10_000;
/// MiB.
const RESIDENT: f64 = 100.0;
/// Seconds to ready, as for a store of 500 k records.
const READY: f64 = 2.0;
/// Seconds that the daemon has before the slots are due.
const AHEAD: i64 = 3;
/// How long processor time is counted.
const COUNTED: Duration = Duration::from_secs(30);
/// Until what has just begun is over.
const SETTLED: Duration = Duration::from_secs(10);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(scale: Scale) {
    let tasks = if scale.quick { TASKS / 10 } else { TASKS };
    let target = Target::scripted(Duration::ZERO);
    let dir = TempDir::new().expect("a temporary directory");
    let (config, data) = (dir.path().join("config"), dir.path().join("data"));
    let settings = format!("namespace = \"{}\"\n", target.namespace);
    write_config(&config, &settings, &target.image, tasks, in_seconds(AHEAD));
    let kubeconfig = target.kubeconfig.to_str().expect("the path is text").to_owned();
    let env = [("KUBECONFIG", kubeconfig.as_str())];
    let daemon = Daemon::start(&config, &data, &env);
    let figure = |name: &str| {
        let stats: serde_json::Value = serde_json::from_str(&target.ask("/control/stats")).expect("JSON");
        stats[name].as_u64().expect("it is a number") as usize
    };
    until("all are created", || figure("creates") == tasks);
    until("all are submitted", || active(&daemon, "submitted") == tasks);
    let before = daemon_memory(&daemon);
    target.ask("/control/run-all");
    let began = Instant::now();
    until("all run", || active(&daemon, "running") == tasks);
    let row = |what: &str, unit, result, target| {
        Row { what: &format!("{tasks} tasks, {what}"), unit, result, bound: None, target }.print();
    };
    row(
        "from submitted to running on record, all at once",
        Unit::Seconds,
        began.elapsed().as_secs_f64(),
        None,
    );
    row("submitted, resident", Unit::Mib, before, None);
    std::thread::sleep(SETTLED);
    let (logs, cpu) = (figure("logs"), machine::cpu(daemon.pid()));
    std::thread::sleep(COUNTED);
    let minute = 60.0 / COUNTED.as_secs_f64();
    row("running, CPU a minute", Unit::Seconds, (machine::cpu(daemon.pid()) - cpu) * minute, None);
    row(
        "running, looks at logs",
        Unit::PerSecond,
        (figure("logs") - logs) as f64 / COUNTED.as_secs_f64(),
        None,
    );
    let [all, no_file] = machine::resident(daemon.pid());
    row("running, resident", Unit::Mib, all, Some(RESIDENT));
    row("running, resident and no file", Unit::Mib, no_file, Some(RESIDENT));
    daemon.kill();
    let lists = figure("lists");
    let began = Instant::now();
    let daemon = Daemon::start(&config, &data, &env);
    row("killed, and ready again", Unit::Seconds, daemon.ready_after.as_secs_f64(), Some(READY));
    until("all are listed again", || figure("lists") > lists);
    row("killed, and all listed again", Unit::Seconds, began.elapsed().as_secs_f64(), None);
    std::thread::sleep(SETTLED);
    assert_eq!(active(&daemon, "running"), tasks, "none is lost");
    assert_eq!(figure("creates"), tasks, "none is created twice");
    row("killed, later resident", Unit::Mib, daemon_memory(&daemon), Some(RESIDENT));
}

fn daemon_memory(daemon: &Daemon) -> f64 {
    machine::resident(daemon.pid())[0]
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many tasks the daemon says are in `phase`.
fn active(daemon: &Daemon, phase: &str) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut client = Client::connect(daemon.address()).await.expect("it listens");
        let asked = request("GET", "/metrics", daemon.address(), &daemon.token(), "");
        let (status, body) = client.send(&asked).await.expect("it answers");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        let begin = format!("tekcron_tasks_active{{phase=\"{phase}\"}} ");
        let text = String::from_utf8_lossy(body);
        let value = text.lines().find_map(|line| line.strip_prefix(&begin)?.parse::<f64>().ok());
        value.unwrap_or(0.0) as usize
    })
}

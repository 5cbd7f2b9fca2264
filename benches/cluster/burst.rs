//! Many slots due at one instant: how soon are their runs accepted, and how many a second?
//!
//! The daemon is the real one, from wheel to POST. The bound is a loop of the same POSTs, with the same client,
//! and as many at a time. When a run was accepted is what a watch beside it says.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tekcron::app::{AppName, LogsOnTerminate};
use tekcron::config::Config;
use tekcron::executor::pipeline_run;
use tekcron::job::JobRef;
use tekcron::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};
use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::place::{in_seconds, load_config, since, write_config};
use crate::report::{Row, Unit};
use crate::sample::{median, ms, percentile};
use crate::target::Target;

/// Slots due at one instant.
const SLOTS: usize = 1_000;
/// How long the scripted server takes for a create: nothing, and what one with Tekton's webhook took here when
/// nobody else asked.
const LATENCIES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(20)];
/// Creates at a time: what the daemon's default is.
const AT_ONCE: usize = 16;
/// Of the bound.
const SHARE: f64 = 0.9;
/// Seconds that the daemon has to be ready before the slots are due.
const AHEAD: i64 = 3;

#[derive(Default)]
struct Samples {
    ours: Vec<f64>,
    bound: Vec<f64>,
    /// Milliseconds from slot to acceptance: median, 99th percentile, last.
    late: [Vec<f64>; 3],
}

pub(crate) fn run(scale: Scale) {
    let slots = if scale.quick { SLOTS / 4 } else { SLOTS };
    for latency in LATENCIES {
        let mut samples = Samples::default();
        for round in 0..scale.rounds {
            // One of its own each time: what others left is not listed.
            samples.ours(&Target::scripted(latency), slots, round);
            samples.bound(&Target::scripted(latency), slots, round);
        }
        // What answers at once shows what the daemon itself takes: the bound makes no claims, and keeps nothing.
        let goal = (!latency.is_zero()).then_some(SHARE);
        samples.print(&format!("scripted server ({} ms)", latency.as_millis()), slots, goal);
    }
    match Target::real() {
        Some(target) => {
            let mut samples = Samples::default();
            for round in 0..scale.rounds.min(2) {
                samples.ours(&target, slots, round);
                samples.bound(&target, slots, round);
            }
            samples.print("real server", slots, Some(SHARE));
        }
        None => eprintln!("skipped: KUBECONFIG names no real cluster"),
    }
}

impl Samples {
    fn ours(&mut self, target: &Target, slots: usize, round: usize) {
        let dir = TempDir::new().expect("a temporary directory");
        let (config, data) = (dir.path().join("config"), dir.path().join("data"));
        let instance = instance("ours", round);
        let due = in_seconds(AHEAD);
        write_config(&config, &settings(target, &instance), &target.image, slots, due);
        let kubeconfig = target.kubeconfig.to_str().expect("the path is text");
        let (seen, daemon) =
            target.created(&instance, slots, || Daemon::start(&config, &data, &[("KUBECONFIG", kubeconfig)]));
        assert!(daemon.ready_after < Duration::from_secs(AHEAD.unsigned_abs()), "it was ready too late");
        daemon.kill();
        let mut late: Vec<f64> = seen.into_iter().map(|seen| ms(since(due, seen))).collect();
        let last = percentile(&mut late, 100.0);
        self.ours.push(slots as f64 / (last / 1e3));
        let shown = [percentile(&mut late, 50.0), percentile(&mut late, 99.0), last];
        self.late.iter_mut().zip(shown).for_each(|(samples, late)| samples.push(late));
        target.clear(&instance);
    }

    fn bound(&mut self, target: &Target, slots: usize, round: usize) {
        let dir = TempDir::new().expect("a temporary directory");
        let (config, data) = (dir.path().join("config"), dir.path().join("data"));
        let instance = instance("bound", round);
        let due = in_seconds(AHEAD);
        write_config(&config, &settings(target, &instance), &target.image, slots, due);
        let bodies = bodies(&load_config(&config, &data), due);
        let (_, took) = target.created(&instance, slots, || target.create_all(bodies, AT_ONCE));
        self.bound.push(slots as f64 / took.as_secs_f64());
        target.clear(&instance);
    }

    fn print(mut self, server: &str, slots: usize, share: Option<f64>) {
        let bound = median(&mut self.bound);
        Row {
            what: &format!("{server}, creates of {slots} slots due at once"),
            unit: Unit::PerSecond,
            result: median(&mut self.ours),
            bound: Some((&format!("the same POSTs, {AT_ONCE} at a time"), bound)),
            target: share.map(|share| share * bound),
        }
        .print();
        let ideal = slots as f64 / bound * 1e3;
        for ((what, share), samples) in
            [("p50", 0.5), ("p99", 0.99), ("last", 1.0)].into_iter().zip(&mut self.late)
        {
            Row {
                what: &format!("{server}, from slot to accepted, {what} of {slots}"),
                unit: Unit::Ms,
                result: median(samples),
                bound: Some(("that many of the same POSTs", ideal * share)),
                target: None,
            }
            .print();
        }
    }
}

fn instance(of: &str, round: usize) -> String {
    format!("bench-{of}-{round}-{}", std::process::id())
}

fn settings(target: &Target, instance: &str) -> String {
    // So that what is left on a real cluster can be deleted at once.
    let finalizer = "finalizer = false";
    format!("namespace = \"{}\"\ninstance = \"{instance}\"\n{finalizer}\n", target.namespace)
}

/// The objects that the daemon would create for the slots at `due`.
fn bodies(config: &Config, due: Timestamp) -> Vec<Vec<u8>> {
    let jobs = config.jobs().enumerate();
    let body = |(number, job): (usize, JobRef)| {
        let schedule = config.job(&job).expect("it is configured").1.schedules[0].key.clone();
        let identity = RunIdentity::Slot { schedule: &schedule, slot: due, ordinal: 0 };
        let (instance, namespace) = (&config.settings.instance, &config.settings.namespace);
        let app: AppName = job.app.clone();
        let name = TaskName::of(instance, namespace, &app, Some(&job.job), identity, 1);
        let task = Task {
            app,
            id: TaskId(number as u64 + 1),
            name,
            display_name: job.job.to_string(),
            job: Some(job.job.clone()),
            schedule: Some(schedule),
            scheduled: Some(due),
            ordinal: 0,
            trigger: Trigger::Schedule,
            attempt: 1,
            first_attempt: None,
            request: None,
            overrides: Overrides::default(),
            revision: None,
            image: None,
            generation: config.generation.clone(),
            created: due + SignedDuration::from_millis(1),
            not_before: None,
            started: None,
            finished: None,
            phase: Phase::Pending,
            terminating: None,
            logs_on_terminate: LogsOnTerminate::Keep,
            reason: None,
            message: None,
            exit_code: None,
            log: LogSize::default(),
        };
        let submission = pipeline_run::submission(config, &task, None).expect("it becomes an object");
        serde_json::to_vec(&submission.run).expect("it is plain data")
    };
    jobs.map(|(number, (app, job))| body((number, JobRef::of(app, job)))).collect()
}

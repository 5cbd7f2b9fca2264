use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::config::Config;
use crate::executor::Executor;
use crate::job::JobRef;
use crate::schedule::{jitter, tzdb_version};

/// How many of the next fires are shown.
const SHOWN: usize = 5;

/// What a daemon says when it is ready: what it loaded, where things are, what comes next.
#[derive(Debug, Clone)]
pub struct Banner {
    apps: usize,
    jobs: usize,
    schedules: usize,
    config: PathBuf,
    data: PathBuf,
    url: String,
    cluster: Option<String>,
    probes: Option<SocketAddr>,
    zones: String,
    caveats: Vec<String>,
    now: Timestamp,
    next: Vec<(Timestamp, JobRef)>,
}

impl Banner {
    pub(super) fn new(
        config: &Config,
        address: SocketAddr,
        probes: Option<SocketAddr>,
        executor: &dyn Executor,
        now: Timestamp,
    ) -> Self {
        let scheme = if config.settings.tls.is_some() { "https" } else { "http" };
        Self {
            apps: config.apps.len(),
            jobs: config.jobs().count(),
            schedules: config.jobs().map(|(_, job)| job.schedules.len()).sum(),
            config: config.dir.clone(),
            data: config.settings.data_dir.clone(),
            url: format!("{scheme}://{address}"),
            cluster: executor.site(),
            probes,
            zones: tzdb_version(),
            caveats: executor.caveats(),
            now,
            next: next_fires(config, now, SHOWN),
        }
    }
}

/// When the next `count` tasks of all jobs start: their slots after `now`, with their jitter.
fn next_fires(config: &Config, now: Timestamp, count: usize) -> Vec<(Timestamp, JobRef)> {
    let mut fires = Vec::new();
    for (app, job) in config.jobs() {
        for schedule in &job.schedules {
            let mut from = now;
            for _ in 0..count {
                let Some(slot) = schedule.next_after(from) else { break };
                let job = JobRef::of(app, job);
                fires.push((slot + jitter(schedule, &job, slot), job));
                from = slot;
            }
        }
        if fires.len() > 64 * count {
            fires.sort_unstable();
            fires.truncate(count);
        }
    }
    fires.sort_unstable();
    fires.truncate(count);
    fires
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tekcron {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(
            f,
            "  config   {} ({}, {}, {})",
            self.config.display(),
            count(self.apps, "App"),
            count(self.jobs, "job"),
            count(self.schedules, "schedule"),
        )?;
        writeln!(f, "  data     {}", self.data.display())?;
        writeln!(f, "  api      {}", self.url)?;
        if let Some(cluster) = &self.cluster {
            writeln!(f, "  cluster  {cluster}")?;
        }
        if let Some(address) = self.probes {
            writeln!(f, "  probes   http://{address}")?;
        }
        writeln!(f, "  zones    {}", self.zones)?;
        for caveat in &self.caveats {
            writeln!(f, "  note     {caveat}")?;
        }
        if self.next.is_empty() {
            writeln!(f, "  next     nothing is scheduled")?;
        }
        for (index, (slot, job)) in self.next.iter().enumerate() {
            let label = if index == 0 { "next" } else { "" };
            let wait = slot.duration_since(self.now).as_secs();
            writeln!(f, "  {label:<8} {slot:.0}  {job}  (in {})", in_words(wait))?;
        }
        Ok(())
    }
}

fn in_words(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

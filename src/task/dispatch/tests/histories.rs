//! Random histories of what waits: whatever is asked, ended, edited, killed, in whatever order, each policy
//! keeps what it says.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;
use crate::schedule::{Blocker, Overlap};
use crate::task::{Overrides, QueueQuery};

/// Each policy has a job of its own on `etl`; those of `mail` share a group with two of them.
fn world_of(limits: (u32, u32)) -> Arc<Config> {
    let (app, group) = limits;
    let of = |policy: &Overlap| {
        let group = if policy.is_alone() { "" } else { "group = \"db\"\n" };
        format!(
            "[[jobs]]\nname = \"{policy}\"\nschedule = \"*/20 * * * * *\"\noverlap = \"{policy}\"\nmax_queued = 4\n{group}"
        )
    };
    let etl: String = Overlap::ALL.iter().map(of).collect();
    let etl = format!("[app]\nname = \"etl\"\ncommand = \"true\"\nmax_running = {app}\n{etl}");
    let mail = "[app]\nname = \"mail\"\ncommand = \"true\"\ngroup = \"db\"\n[[jobs]]\nname = \"queue-all\"\noverlap = \"queue-all\"\nretries = { attempts = 1, backoff = \"5s\" }\n";
    Arc::new(Config::from_toml(&format!("[groups.db]\nmax_running = {group}"), &[&etl, mail]).unwrap())
}

/// What may happen. Numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Pass(u8),
    Run { mail: bool, job: u8, overlap: Option<u8> },
    End { which: u8, well: bool },
    Terminate(u8),
    Drop(u8),
    Front(u8),
    Limits(u32, u32),
    Restart { killed: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let run = (any::<bool>(), 0..6_u8, proptest::option::weighted(0.3, 0..6_u8));
    prop_oneof![
        3 => (1..20_u8).prop_map(Step::Pass),
        4 => run.prop_map(|(mail, job, overlap)| Step::Run { mail, job, overlap }),
        5 => (any::<u8>(), any::<bool>()).prop_map(|(which, well)| Step::End { which, well }),
        1 => any::<u8>().prop_map(Step::Terminate),
        1 => any::<u8>().prop_map(Step::Drop),
        1 => any::<u8>().prop_map(Step::Front),
        1 => (1..5_u32, 1..4_u32).prop_map(|(app, group)| Step::Limits(app, group)),
        1 => any::<bool>().prop_map(|killed| Step::Restart { killed }),
    ]
}

/// A history so far.
struct History {
    world: World,
    life: Option<Life>,
    limits: (u32, u32),
    /// What was moved to the front at some time: the order says nothing of it.
    moved: HashSet<TaskName>,
    dropped: HashSet<TaskName>,
    /// How many submissions have been looked at.
    looked_at: usize,
}

impl History {
    fn new() -> Self {
        let limits = (3, 2);
        let mut world = World { config: world_of(limits), ..World::new("2026-01-01T00:00:30Z", &job("")) };
        // What a disk takes for its syncs is most of a history; memory keeps what a process leaves there too.
        if let Ok(dir) = TempDir::new_in("/dev/shm") {
            world.dir = dir;
        }
        world.executor.state.lock().unwrap().capacity = Some(10_000);
        let life = Some(world.begin());
        Self { world, life, limits, moved: HashSet::new(), dropped: HashSet::new(), looked_at: 0 }
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    fn tasks(&self) -> Vec<Task> {
        let of = |app: &str| self.life().store.tasks(&app.parse().unwrap(), None).map(Result::unwrap);
        of("etl").chain(of("mail")).collect()
    }

    fn task(&self, name: &TaskName) -> Task {
        self.tasks().into_iter().find(|task| task.name == *name).unwrap()
    }

    fn unfinished(&self) -> Vec<TaskName> {
        self.world.executor.unfinished()
    }

    /// Lets everything happen that can happen without time passing: each round goes through the disk and
    /// the loop once.
    async fn settle(&self) {
        let life = self.life();
        let mut quiet = 0;
        let mut before = None;
        while quiet < 6 {
            life.store.commit(Commit::new()).await.unwrap();
            let _ = life.handle.terminate("etl".parse().unwrap(), TaskId(0)).await;
            let tasks: Vec<_> = self.tasks().iter().map(|task| (task.name.clone(), task.phase)).collect();
            let now = Some((tasks, self.world.executor.submitted().len()));
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
    }

    async fn take(&mut self, step: &Step) {
        let pick = |from: &[TaskName], which: u8| from.get(usize::from(which) % from.len().max(1)).cloned();
        let waiting = || -> Vec<TaskName> {
            let tasks = self.tasks().into_iter().filter(|task| task.phase == Phase::Queued);
            tasks.map(|task| task.name).collect()
        };
        match step {
            Step::Pass(seconds) => {
                let until = self.world.clock.now() + SignedDuration::from_secs(i64::from(*seconds));
                let passed = || self.world.clock.now() >= until;
                self.world.pass_until(self.life(), "time passes", passed).await;
            }
            Step::Run { mail, job, overlap } => {
                let job = if *mail { Overlap::QueueAll } else { Overlap::ALL[usize::from(*job)] };
                let overlap = overlap.map(|overlap| Overlap::ALL[usize::from(overlap)]);
                let request = RunRequest {
                    app: if *mail { "mail" } else { "etl" }.parse().unwrap(),
                    job: Some(job.as_str().parse().unwrap()),
                    display_name: None,
                    overrides: Overrides { overlap, ..Overrides::default() },
                    builds: None,
                    idempotency_key: None,
                };
                match self.life().handle.run(request).await {
                    Ok(_) => {}
                    Err(RunError::Overlap { policy, .. }) => {
                        assert!(matches!(policy, Overlap::Skip | Overlap::QueueOne));
                    }
                    Err(RunError::QueueFull { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::End { which, well } => {
                if let Some(name) = pick(&self.unfinished(), *which) {
                    let phase = if *well { Phase::Succeeded } else { Phase::Failed };
                    self.world.executor.end(&name, phase, self.world.clock.now());
                }
            }
            Step::Terminate(which) => {
                let names: Vec<_> = self.tasks().into_iter().map(|task| task.name).collect();
                if let Some(task) = pick(&names, *which).map(|name| self.task(&name)) {
                    self.life().handle.terminate(task.app, task.id).await.unwrap();
                }
            }
            Step::Drop(which) => {
                if let Some(task) = pick(&waiting(), *which).map(|name| self.task(&name)) {
                    self.life().handle.drop_waiting(task.app, task.id).await.unwrap();
                    self.dropped.insert(task.name);
                }
            }
            Step::Front(which) => {
                if let Some(task) = pick(&waiting(), *which).map(|name| self.task(&name)) {
                    match self.life().handle.move_to_front(task.app, task.id).await {
                        Ok(_) => drop(self.moved.insert(task.name)),
                        Err(QueueError::NotYet { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Limits(app, group) => {
                self.limits = (*app, *group);
                self.world.config = world_of(self.limits);
                self.life().handle.reload(Arc::clone(&self.world.config)).await.unwrap();
            }
            Step::Restart { killed } => {
                let life = self.life.take().unwrap();
                if *killed {
                    let Life { handle, store, running, .. } = life;
                    running.abort();
                    assert!(running.await.is_err());
                    // Nobody else may have the store when it is opened again.
                    drop((handle, store));
                } else {
                    life.end().await;
                }
                self.life = Some(self.world.begin());
            }
        }
        self.settle().await;
    }

    fn policy(&self, task: &Task) -> Overlap {
        let job = task.job_ref().unwrap();
        task.overrides.overlap.unwrap_or_else(|| self.world.config.job(&job).unwrap().1.terms.overlap)
    }

    fn in_group(&self, task: &Task) -> bool {
        task.app.as_str() == "mail" || matches!(task.job.as_ref().unwrap().as_str(), "allow" | "replace-now")
    }

    /// What must hold of everything that was submitted since: its turn, and the limits.
    fn look_at_starts(&mut self) {
        let starts: Vec<_> = self.world.executor.starts().split_off(self.looked_at);
        self.looked_at += starts.len();
        for (name, beside) in starts {
            let task = self.task(&name);
            let beside: Vec<Task> = beside.iter().map(|name| self.task(name)).collect();
            assert!(!self.dropped.contains(&name), "{name} was dropped, and started");
            let same_job = beside.iter().filter(|other| other.job_ref() == task.job_ref()).count();
            if self.policy(&task).is_alone() && task.attempt == 1 {
                assert_eq!(same_job, 0, "{name} started beside others of its job");
            }
            let of_app = 1 + beside.iter().filter(|other| other.app == task.app).count();
            assert!(task.app.as_str() == "mail" || of_app <= self.limits.0 as usize, "{of_app} of the App");
            let in_group = 1 + beside.iter().filter(|other| self.in_group(other)).count();
            assert!(!self.in_group(&task) || in_group <= self.limits.1 as usize, "{in_group} of the group");
        }
    }

    /// Of one job none overtakes another, of those that go one at a time.
    fn look_at_order(&self) {
        let mut last: HashMap<JobRef, TaskId> = HashMap::new();
        for name in self.world.executor.submitted() {
            let task = self.task(&name);
            if task.attempt > 1 || !self.policy(&task).is_alone() || self.moved.contains(&name) {
                continue;
            }
            let before = last.insert(task.job_ref().unwrap(), task.id);
            assert!(before.is_none_or(|before| before < task.id), "{name} was overtaken by {before:?}");
        }
    }

    /// What waits has something in its way that is there, and no more wait than may.
    async fn look_at_queue(&self) {
        let query = QueueQuery { app: None, after: None, limit: 10_000 };
        let entries = self.life().handle.queue(query).await.unwrap();
        let unfinished: Vec<Task> = self.unfinished().iter().map(|name| self.task(name)).collect();
        let mut of_queue_one = 0;
        for entry in &entries {
            let task = &entry.task;
            assert_eq!(task.phase, Phase::Queued);
            match entry.waits_for.unwrap_or_else(|| panic!("nothing is in the way of {}", task.name)) {
                Blocker::Run(id) => {
                    let ahead = self.life().store.task(&task.app, id).unwrap().unwrap();
                    assert!(!ahead.phase.is_terminal(), "{} waits for {id}, which has ended", task.name);
                }
                Blocker::App(limit) => {
                    let running = unfinished.iter().filter(|other| other.app == task.app).count();
                    assert_eq!((limit.most, limit.running), (self.limits.0, running));
                    assert!(running >= limit.most as usize);
                }
                Blocker::Group(limit) => {
                    let running = unfinished.iter().filter(|other| self.in_group(other)).count();
                    assert_eq!((limit.most, limit.running), (self.limits.1, running));
                    assert!(running >= limit.most as usize);
                }
            }
            of_queue_one += usize::from(
                task.job.as_ref().unwrap().as_str() == "queue-one" && task.overrides.overlap.is_none(),
            );
        }
        assert!(of_queue_one <= 1, "{of_queue_one} wait where one may");
        for job in Overlap::ALL {
            let of_job = |entry: &&QueueEntry| {
                let task = &entry.task;
                task.app.as_str() == "etl" && task.job.as_ref().unwrap().as_str() == job.as_str()
            };
            assert!(entries.iter().filter(of_job).count() <= 4, "max_queued of {job}");
        }
    }

    /// Each slot has one row, each task of a slot stands in it.
    fn look_at_ledger(&self) {
        let mut rows = BTreeSet::new();
        for policy in Overlap::ALL {
            let job: JobRef = format!("etl.{policy}").parse().unwrap();
            let slots = self.life().store.slots(&job, None, Timestamp::MIN..=Timestamp::MAX).unwrap();
            for pair in slots.windows(2) {
                assert!(pair[0].last < pair[1].first, "{pair:?}");
            }
            let told = |row: &SlotRow| match row.outcome {
                SlotOutcome::Skipped { reason: SkipReason::Dropped { task } } => Some(task),
                outcome => outcome.task(),
            };
            rows.extend(slots.iter().filter_map(|row| Some((policy.as_str(), row.first, told(row)?))));
        }
        let tasks = self.tasks();
        let of_slots = tasks.iter().filter(|task| task.attempt == 1);
        for task in of_slots.filter(|task| task.scheduled.is_some()) {
            let job = task.job.as_ref().unwrap().as_str();
            assert!(rows.contains(&(job, task.scheduled.unwrap(), task.id)), "{}", task.name);
        }
    }

    async fn look(&mut self) {
        self.look_at_starts();
        self.look_at_order();
        self.look_at_queue().await;
        self.look_at_ledger();
    }

    /// When all that runs ends, all that waits starts.
    async fn drain(&mut self) {
        for _ in 0..200 {
            let running = self.unfinished();
            if running.is_empty() {
                break;
            }
            for name in running {
                self.world.executor.end(&name, Phase::Succeeded, self.world.clock.now());
            }
            self.settle().await;
            self.look().await;
        }
        let retries = |task: &Task| task.phase == Phase::Queued && task.trigger == Trigger::Retry;
        let tasks = self.tasks();
        let left: Vec<_> = tasks.iter().filter(|task| !task.phase.is_terminal() && !retries(task)).collect();
        let turns: BTreeSet<_> =
            tasks.iter().filter(|task| retries(task)).filter_map(Task::job_ref).collect();
        // A retry that is not due yet keeps its job's turn.
        assert!(left.iter().all(|task| turns.contains(&task.job_ref().unwrap())), "{left:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_policy_keeps_what_it_says_in_any_history(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut history = History::new();
            for step in &steps {
                history.take(step).await;
                history.look().await;
            }
            history.drain().await;
            history.life.take().unwrap().end().await;
        });
    }
}

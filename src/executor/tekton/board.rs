//! What is known of each run that is not on record yet, and what follows from it.
//!
//! Whatever arrives (an answer, an event, a list) is noted here, and [`Board::advance`] says what is to be done
//! now. It is the same for an event that came twice, late, or only with the next list.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::built::{image, judge_build};
use super::emit::Origin;
use super::object::{RunStatus, SeenRun, SeenTaskRun, StepState, TaskRunStatus};
use super::status::{End, Verdict, has_ended, judge, waits_since};
use super::told::{Listener, Teller, Writing, wire};
use super::word::Word;
use crate::executor::{Observation, Observed, label};
use crate::push::SourceHash;
use crate::task::{LogSize, Outcome, Phase, TaskName};

/// The runs, by name.
#[derive(Debug, Default)]
pub(super) struct Board {
    runs: Mutex<Runs>,
    /// Whether lines of logs go to our own output, so that it matters whose they are.
    emits: bool,
}

#[derive(Debug, Default)]
struct Runs {
    known: HashMap<TaskName, Box<Run>>,
    /// TaskRuns that were seen before their runs were: nobody says in which order two watches tell.
    early: HashMap<TaskName, TaskRun>,
    /// Whether all that the cluster has was listed once.
    listed: bool,
}

/// One run. What few runs have is behind a pointer.
#[derive(Debug, Default)]
struct Run {
    uid: Option<Box<str>>,
    waits: Option<Box<Waits>>,
    /// When it began, by our clock, and how long it may take: `None` is for ever.
    began: Option<Timestamp>,
    timeout: Option<SignedDuration>,
    finalizers: Box<[Word]>,
    deleted: bool,
    /// When it was last seen on the cluster, by our clock.
    seen: Option<Timestamp>,
    /// It is not on the cluster any more, and its log is still being copied, or its end on its way to the record.
    gone: bool,
    /// Why we had it cancelled, where nobody asked for that.
    unschedulable: Option<Box<str>>,
    origin: Option<Arc<Origin>>,
    build: Option<Box<Build>>,
    status: RunStatus,
    task_run: Option<TaskRun>,
    asked: Asked,
    copy: Copy,
    told: Option<Observed>,
}

/// What a run makes that makes an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Build {
    /// The hash of its source.
    pub(super) source: Option<SourceHash>,
    /// The repository of its image.
    repository: String,
}

/// Since when a run waits for something: by our clock it was seen to, and by the cluster's it has.
#[derive(Debug, Clone, Copy)]
struct Waits {
    here: Timestamp,
    there: Option<Timestamp>,
}

#[derive(Debug)]
struct TaskRun {
    name: Box<str>,
    status: TaskRunStatus,
}

/// Whether the TaskRun of a run that has ended was asked for, since what was seen of it is older than that.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Asked {
    #[default]
    Not,
    UnderWay,
    Answered,
}

/// How far the log is copied.
#[derive(Debug, Default)]
enum Copy {
    #[default]
    NotBegun,
    Begun(Teller),
    Done(LogSize),
}

/// What is to be done about a run.
#[derive(Debug)]
pub(super) enum Next {
    /// Ask for this TaskRun, since the end of its run is told by it.
    Ask(TaskName, Box<str>),
    /// Copy the log of this container.
    Copy(Box<Container>),
    /// Tell the dispatcher.
    Tell(Observation),
}

/// A pod with a log.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: TaskName,
    pub(super) pod: Arc<str>,
    /// Its containers that have a log, in the order in which they run.
    pub(super) containers: Box<[Word]>,
    /// The source of a build, whose token is not to be in the log.
    pub(super) source: Option<SourceHash>,
    /// None where its lines do not go to our own output.
    pub(super) origin: Option<Arc<Origin>>,
    /// When its run times out, by our clock, as far as that is known.
    pub(super) times_out: Option<Timestamp>,
    pub(super) told: Listener,
}

/// What a release needs to know.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) finalizers: Vec<String>,
    pub(super) task_run: Option<Box<str>>,
    /// Whether it is a build.
    pub(super) builds: bool,
}

impl Board {
    /// One for an executor that `emits` lines of logs, or not.
    pub(super) fn new(emits: bool) -> Self {
        Self { runs: Mutex::default(), emits }
    }

    /// A run that was just created or adopted.
    pub(super) fn enter(&self, name: &TaskName) {
        self.lock().run(name);
    }

    /// Notes what the cluster shows of a run. None where it is none of ours.
    pub(super) fn see_run(&self, seen: SeenRun, now: Timestamp) -> Option<TaskName> {
        let name: TaskName = seen.metadata.name.as_deref()?.parse().ok()?;
        let meta = seen.metadata;
        let mut runs = self.lock();
        let run = runs.run(&name);
        if run.uid.is_some() && run.uid.as_deref() != meta.uid.as_deref() {
            // Another object of the same name: what was known is of its predecessor.
            (run.task_run, run.began) = (None, None);
        }
        // Where it was seen not to have begun, it began by now; else only the cluster's clock says when.
        let (known, start) = (run.uid.is_some(), seen.status.start_time);
        run.began = run.began.or(start.map(|start| if known { now } else { start }));
        run.timeout = seen.spec.timeout();
        (run.seen, run.gone) = (Some(now), false);
        let origin = self.emits.then(|| origin(&name, meta.labels.as_ref()));
        if run.origin.as_deref() != origin.as_ref() {
            run.origin = origin.map(Arc::new);
        }
        run.build = meta.annotations.as_ref().and_then(build).map(Box::new);
        run.uid = meta.uid.map(String::into_boxed_str);
        run.finalizers = meta.finalizers.iter().flatten().map(|name| Word::from(name.as_str())).collect();
        run.deleted = meta.deletion_timestamp.is_some();
        let because = meta.annotations.and_then(|mut annotations| annotations.remove(label::UNSCHEDULABLE));
        run.unschedulable = because.map(String::into_boxed_str);
        run.status = seen.status;
        Some(name)
    }

    /// Notes what the cluster shows of the TaskRun of a run.
    pub(super) fn see_task_run(&self, seen: SeenTaskRun) -> Option<TaskName> {
        let labels = seen.metadata.labels?;
        let name: TaskName = labels.get(PIPELINE_RUN)?.parse().ok()?;
        let mut runs = self.lock();
        let task_run = TaskRun { name: seen.metadata.name?.into(), status: seen.status };
        match runs.known.get_mut(&name) {
            Some(run) => run.task_run = Some(task_run),
            None => {
                runs.early.insert(name, task_run);
                return None;
            }
        }
        Some(name)
    }

    /// The TaskRun of a run was asked for, and what there is of it was noted.
    pub(super) fn answered(&self, name: &TaskName) {
        if let Some(run) = self.lock().known.get_mut(name) {
            run.asked = Asked::Answered;
        }
    }

    /// All that there is was listed. Returns the runs that were known and are not in the list.
    pub(super) fn listed(&self, names: &HashSet<TaskName>) -> Vec<TaskName> {
        let mut runs = self.lock();
        runs.listed = true;
        runs.early.clear();
        runs.known.keys().filter(|name| !names.contains(*name)).cloned().collect()
    }

    /// What was told of a run is told again.
    pub(super) fn tell_again(&self, name: &TaskName) {
        if let Some(run) = self.lock().known.get_mut(name) {
            run.told = None;
        }
    }

    /// A run is not on the cluster any more. What of its log is here, is its log: what follows is told when the
    /// copy has come to its end. Returns whether that is new.
    pub(super) fn gone(&self, name: &TaskName) -> bool {
        let mut runs = self.lock();
        runs.known.get_mut(name).is_some_and(|run| !std::mem::replace(&mut run.gone, true))
    }

    /// What nobody asks for any more. A copy of its log ends with it.
    pub(super) fn forget(&self, name: &TaskName) {
        self.lock().known.remove(name);
    }

    /// Asks for all that a run has written up to now. None where its log is not being copied.
    pub(super) fn flush(&self, name: &TaskName) -> Option<oneshot::Receiver<()>> {
        match &self.lock().known.get(name)?.copy {
            Copy::Begun(teller) => Some(teller.flush()),
            Copy::NotBegun | Copy::Done(_) => None,
        }
    }

    /// The log is copied.
    pub(super) fn copied(&self, name: &TaskName, size: LogSize) {
        if let Some(run) = self.lock().known.get_mut(name) {
            run.copy = Copy::Done(size);
        }
    }

    /// Whether more may come of its log.
    pub(super) fn may_write(&self, name: &TaskName) -> bool {
        let runs = self.lock();
        !runs.listed || runs.known.get(name).is_some_and(|run| !matches!(run.copy, Copy::Done(_)))
    }

    pub(super) fn held(&self, name: &TaskName) -> Option<Held> {
        let runs = self.lock();
        let run = runs.known.get(name)?;
        Some(Held {
            finalizers: run.finalizers.iter().map(ToString::to_string).collect(),
            task_run: run.task_run.as_ref().map(|task_run| task_run.name.clone()),
            builds: run.build.is_some(),
        })
    }

    /// Whether any run waits for something.
    pub(super) fn any_waits(&self) -> bool {
        self.lock().known.values().any(|run| run.waits.is_some())
    }

    /// The names of the runs that wait for something longer than `most`. The cluster's clock is `ahead` of ours,
    /// where that is known.
    pub(super) fn waiting_since(
        &self,
        now: Timestamp,
        most: SignedDuration,
        ahead: Option<SignedDuration>,
    ) -> Vec<(TaskName, String)> {
        let runs = self.lock();
        let waits = |run: &Run| {
            let since = |waits: Waits| {
                let there = waits.there.zip(ahead).map(|(there, ahead)| there - ahead);
                there.map_or(waits.here, |there| there.min(waits.here))
            };
            let long = run.waits.as_deref().is_some_and(|waits| now.duration_since(since(*waits)) > most);
            match run.verdict() {
                Verdict::Waiting { message: Some(message) } if long && run.unschedulable.is_none() => {
                    Some(message)
                }
                _ => None,
            }
        };
        runs.known.iter().filter_map(|(name, run)| Some((name.clone(), waits(run)?))).collect()
    }

    /// What is known, for who asks. None for a run that is not known.
    pub(super) fn observed(&self, name: &TaskName, now: Timestamp) -> Option<Observed> {
        self.lock().known.get(name).map(|run| run.observed(now))
    }

    /// What is to be done now about a run of which something was noted.
    pub(super) fn advance(&self, name: &TaskName, now: Timestamp) -> Vec<Next> {
        let mut runs = self.lock();
        let Some(run) = runs.known.get_mut(name) else { return vec![] };
        let mut next = vec![];
        if let Some(task_run) = run.unheard().filter(|_| !run.gone) {
            if run.asked == Asked::Not {
                run.asked = Asked::UnderWay;
                next.push(Next::Ask(name.clone(), task_run));
            }
            return next;
        }
        let verdict = run.verdict();
        run.waits = match verdict {
            Verdict::Waiting { message: Some(_) } => run.waits.take().or_else(|| {
                let there = run.task_run.as_ref().and_then(|task_run| waits_since(&task_run.status));
                Some(Box::new(Waits { here: now, there }))
            }),
            _ => None,
        };
        if let Some(writing) = run.writing(&verdict) {
            run.copy_log(name, writing, &mut next);
        }
        let observed = run.observed(now);
        if run.told.as_ref() != Some(&observed) {
            run.told = Some(observed.clone());
            next.push(Next::Tell(Observation { name: name.clone(), state: observed }));
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tekton's label on the TaskRun of a PipelineRun.
const PIPELINE_RUN: &str = "tekton.dev/pipelineRun";

impl Runs {
    fn run(&mut self, name: &TaskName) -> &mut Run {
        let early = &mut self.early;
        self.known
            .entry(name.clone())
            .or_insert_with(|| Box::new(Run { task_run: early.remove(name), ..Run::default() }))
    }
}

impl Run {
    /// The TaskRun that has to be heard before the end of its run can be told.
    fn unheard(&self) -> Option<Box<str>> {
        let heard = self.task_run.as_ref().is_some_and(|task_run| has_ended(&task_run.status.conditions));
        if self.asked == Asked::Answered || heard || !has_ended(&self.status.conditions) {
            return None;
        }
        let child = self.status.child_references.iter().find(|child| child.kind == "TaskRun")?;
        Some(child.name.clone())
    }

    fn verdict(&self) -> Verdict {
        let task_run = self.task_run.as_ref().map(|task_run| &task_run.status);
        match judge(&self.status, task_run) {
            Verdict::Ended(end) => Verdict::Ended(self.built(self.blamed(end))),
            // It goes on running behind its finalizer, and ends when that goes.
            _ if self.gone => Verdict::Ended(self.lost()),
            verdict if self.deleted => Verdict::Ended(End {
                phase: Phase::Cancelled,
                exit_code: None,
                reason: "Deleted".to_owned(),
                message: "its PipelineRun was deleted on the cluster while it ran".to_owned(),
                started: match verdict {
                    Verdict::Running { started } => Some(started),
                    _ => None,
                },
                finished: None,
            }),
            verdict => verdict,
        }
    }

    /// How far its container is with its log; none before it has begun.
    fn writing(&self, verdict: &Verdict) -> Option<Writing> {
        match verdict {
            Verdict::Waiting { .. } => None,
            Verdict::Running { .. } => Some(Writing::On),
            // Tekton says so as soon as it has told the pod to end, which has its grace then.
            Verdict::Ended(End { phase: Phase::Cancelled | Phase::TimedOut, .. })
                if has_ended(&self.status.conditions) =>
            {
                Some(Writing::LastWords)
            }
            Verdict::Ended(_) => Some(Writing::Over),
        }
    }

    fn lost(&self) -> End {
        let started =
            self.task_run.as_ref().and_then(|task_run| match judge(&self.status, Some(&task_run.status)) {
                Verdict::Running { started } => Some(started),
                _ => None,
            });
        let seen = self.seen.map(|seen| format!("; it was last seen at {seen}")).unwrap_or_default();
        End {
            phase: Phase::Lost,
            exit_code: None,
            reason: "Lost".to_owned(),
            message: format!("its PipelineRun is no longer on the cluster{seen}"),
            started,
            finished: None,
        }
    }

    /// A build has succeeded when there is an image.
    fn built(&self, end: End) -> End {
        let task_run = self.task_run.as_ref().map(|task_run| &task_run.status);
        match &self.build {
            Some(build) => judge_build(end, &build.repository, &self.status, task_run),
            None => end,
        }
    }

    fn image(&self) -> Option<String> {
        let task_run = self.task_run.as_ref().map(|task_run| &task_run.status);
        image(&self.build.as_ref()?.repository, &self.status, task_run).ok()
    }

    /// A run that we had cancelled because nobody took it has failed.
    fn blamed(&self, end: End) -> End {
        match &self.unschedulable {
            Some(because) if end.phase == Phase::Cancelled => End {
                phase: Phase::Failed,
                reason: "Unschedulable".to_owned(),
                message: format!("the cluster did not start it in time: {because}"),
                ..end
            },
            _ => end,
        }
    }

    /// Begins to copy the log, where there is one, or has what is being copied come to its end.
    fn copy_log(&mut self, name: &TaskName, writing: Writing, next: &mut Vec<Next>) {
        match &self.copy {
            Copy::Begun(teller) => teller.writes(writing),
            Copy::Done(_) => {}
            Copy::NotBegun => {
                let there = self.task_run.as_ref().and_then(|task_run| {
                    let status = &task_run.status;
                    let named =
                        |step: &StepState| Some(step.container.clone()).filter(|name| !name.is_empty());
                    let containers: Box<[Word]> = status.steps.iter().filter_map(named).collect();
                    (!status.pod_name.is_empty() && !containers.is_empty())
                        .then(|| (status.pod_name.clone(), containers))
                });
                match there {
                    Some((pod, containers)) => {
                        let (teller, told) = wire(writing);
                        self.copy = Copy::Begun(teller);
                        let (name, origin) = (name.clone(), self.origin.clone());
                        let times_out = self.began.zip(self.timeout).map(|(began, most)| began + most);
                        let source = self.build.as_ref().and_then(|build| build.source);
                        next.push(Next::Copy(Box::new(Container {
                            name,
                            pod,
                            containers,
                            source,
                            origin,
                            times_out,
                            told,
                        })));
                    }
                    None if writing == Writing::On => {}
                    None => self.copy = Copy::Done(LogSize::default()),
                }
            }
        }
    }

    /// An end is told when the log is here.
    fn observed(&self, now: Timestamp) -> Observed {
        match (self.verdict(), &self.copy) {
            (Verdict::Waiting { message }, _) => Observed::Submitted { message },
            (Verdict::Running { started }, _) => Observed::Running { started },
            (Verdict::Ended(end), Copy::Done(size)) => {
                let image = if end.phase == Phase::Succeeded { self.image() } else { None };
                Observed::Finished(Box::new(Outcome { image, ..outcome(end, *size, Some(now)) }))
            }
            (Verdict::Ended(end), _) => match end.started {
                Some(started) => Observed::Running { started },
                None => Observed::Submitted { message: Some("its log is being copied".to_owned()) },
            },
        }
    }
}

fn origin(name: &TaskName, labels: Option<&BTreeMap<String, String>>) -> Origin {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(|label| Box::from(label.as_str()));
    Origin {
        app: label(label::APP).unwrap_or_default(),
        job: label(label::JOB),
        task: name.clone(),
        id: label(label::TASK_ID).unwrap_or_default(),
    }
}

fn outcome(end: End, log: LogSize, now: Option<Timestamp>) -> Outcome {
    let finished = end.finished.or(now).or(end.started).unwrap_or(Timestamp::UNIX_EPOCH);
    // Where one time is ours and the other the cluster's, their clocks may differ.
    let finished = end.started.map_or(finished, |started| finished.max(started));
    Outcome {
        phase: end.phase,
        exit_code: end.exit_code,
        reason: end.reason,
        message: end.message,
        started: end.started,
        finished,
        log,
        image: None,
    }
}

fn build(annotations: &BTreeMap<String, String>) -> Option<Build> {
    let repository = annotations.get(label::IMAGE)?.clone();
    Some(Build { source: annotations.get(label::SOURCE).and_then(|hash| hash.parse().ok()), repository })
}

//! The loop that looks at the cluster.
//!
//! Runs and their TaskRuns are listed and watched by label. Whatever is seen is noted on the board, and what
//! follows is done here. All is listed anew after a gap and at intervals; a run that is missing from a list is
//! asked for by its name before it counts as gone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::Resource;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, watcher::Error as WatchError};
use kube::{Api, api::ObjectMeta};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::{Container, Next};
use super::executor::Shared;
use super::object::{SeenRun, SeenTaskRun};
use super::refusal::in_words;
use super::release;
use crate::blocking::blocking;
use crate::causes::in_full;
use crate::executor::{Observation, Observed, label};
use crate::heap;
use crate::task::{LogSize, TaskName};

/// Between two lists of everything.
const RELIST: Duration = Duration::from_secs(300);
/// Between two looks at runs that wait.
const TICK: Duration = Duration::from_secs(5);
/// Objects of one page of a list.
const PAGE: u32 = 250;

/// So many objects and logs that were read leave enough free memory behind to be given back, when fewer objects
/// than so few come.
const MANY: usize = 500;
const FEW: usize = 100;

/// Between an error of a watch and the list that says that all is well again: a watch that goes on says nothing.
const AFTER_ERROR: Duration = Duration::from_secs(5);

const WATCHING_RUNS: &str = "watching PipelineRuns";
const WATCHING_TASK_RUNS: &str = "watching TaskRuns";

/// What the loop hears of.
enum Heard {
    Run(Result<Event<SeenRun>, WatchError>),
    TaskRun(Result<Event<SeenTaskRun>, WatchError>),
    Copied(TaskName, LogSize),
    Asked(TaskName, Option<SeenTaskRun>),
    /// Somebody noted something about this run.
    Noted(TaskName),
    Relist,
    Tick,
}

/// Looks at the cluster until `stop`.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut noted: mpsc::UnboundedReceiver<TaskName>,
    stop: CancellationToken,
) {
    let mut this = Watching {
        shared,
        copies: JoinSet::new(),
        asks: JoinSet::new(),
        runs: HashSet::new(),
        read: 0,
        objects: 0,
    };
    let clock = Arc::clone(&this.shared.clock);
    let (mut runs, mut task_runs) = this.streams();
    let mut relist = clock.sleep(RELIST);
    let mut soon = false;
    let mut tick = clock.sleep(TICK);
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            Some(event) = runs.next() => Heard::Run(event),
            Some(event) = task_runs.next() => Heard::TaskRun(event),
            Some(copied) = this.copies.join_next() => match copied {
                Ok((name, size)) => Heard::Copied(name, size),
                Err(error) => {
                    tracing::error!(%error, "copying a log came to a bad end");
                    continue;
                }
            },
            Some(asked) = this.asks.join_next() => match asked {
                Ok((name, task_run)) => Heard::Asked(name, task_run),
                Err(error) => {
                    tracing::error!(%error, "asking for a TaskRun came to a bad end");
                    continue;
                }
            },
            Some(name) = noted.recv() => Heard::Noted(name),
            () = &mut relist => Heard::Relist,
            () = &mut tick => Heard::Tick,
        };
        match heard {
            Heard::Relist => {
                (runs, task_runs) = this.streams();
                relist = clock.sleep(RELIST);
                soon = false;
            }
            Heard::Tick => {
                this.give_memory_back().await;
                this.write_policies().await;
                this.cancel_what_waits().await;
                tick = clock.sleep(TICK);
            }
            Heard::Run(Err(error)) => this.failed(WATCHING_RUNS, &error),
            Heard::TaskRun(Err(error)) => this.failed(WATCHING_TASK_RUNS, &error),
            heard => this.hear(heard).await,
        }
        if this.shared.fails(WATCHING_RUNS) || this.shared.fails(WATCHING_TASK_RUNS) {
            if !soon {
                relist = clock.sleep(AFTER_ERROR);
            }
            soon = true;
        }
    }
}

struct Watching {
    shared: Arc<Shared>,
    copies: JoinSet<(TaskName, LogSize)>,
    asks: JoinSet<(TaskName, Option<SeenTaskRun>)>,
    /// The names of the list that is under way.
    runs: HashSet<TaskName>,
    /// Objects and logs since memory was given back, and objects since the last tick.
    read: usize,
    objects: usize,
}

type Events<K> = BoxStream<'static, Result<Event<K>, WatchError>>;

impl Watching {
    fn streams(&self) -> (Events<SeenRun>, Events<SeenTaskRun>) {
        let cluster = &self.shared.cluster;
        (self.stream(cluster.seen_runs.clone()), self.stream(cluster.seen_task_runs.clone()))
    }

    fn stream<K>(&self, api: Api<K>) -> Events<K>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    {
        let selector = format!("{},{}!=true", self.shared.cluster.selector, label::RECORDED);
        let config = watcher::Config::default().labels(&selector).page_size(PAGE);
        watcher(api, config).default_backoff().modify(|object| trim(object.meta_mut())).boxed()
    }

    async fn hear(&mut self, heard: Heard) {
        self.objects += usize::from(matches!(heard, Heard::Run(_) | Heard::TaskRun(_)));
        match heard {
            Heard::Run(Ok(event)) => {
                // That a list begins says nothing yet.
                if !matches!(event, Event::Init) {
                    self.shared.answered(WATCHING_RUNS);
                }
                self.run_event(event).await;
            }
            Heard::TaskRun(Ok(Event::Apply(seen) | Event::InitApply(seen))) => {
                self.shared.answered(WATCHING_TASK_RUNS);
                if let Some(name) = self.shared.board.see_task_run(seen) {
                    self.advance(&name).await;
                }
            }
            Heard::TaskRun(Ok(Event::InitDone)) => self.shared.answered(WATCHING_TASK_RUNS),
            Heard::Copied(name, size) => {
                self.shared.board.copied(&name, size);
                self.advance(&name).await;
            }
            Heard::Asked(name, task_run) => {
                if let Some(task_run) = task_run {
                    self.shared.board.see_task_run(task_run);
                }
                self.shared.board.answered(&name);
                self.advance(&name).await;
            }
            Heard::Noted(name) => self.advance(&name).await,
            Heard::TaskRun(_) | Heard::Run(Err(_)) | Heard::Relist | Heard::Tick => {}
        }
    }

    fn failed(&self, watching: &'static str, error: &WatchError) {
        match error {
            // What it watched from is forgotten by now. The list follows by itself.
            WatchError::WatchError(status) if status.code == 410 => {}
            WatchError::WatchError(status) => self.shared.failed(watching, &in_words(status)),
            WatchError::InitialListFailed(kube::Error::Api(status))
            | WatchError::WatchStartFailed(kube::Error::Api(status)) => {
                self.shared.failed(watching, &in_words(status));
            }
            error => self.shared.failed(watching, &in_full(error)),
        }
    }

    async fn run_event(&mut self, event: Event<SeenRun>) {
        match event {
            Event::Init => self.runs.clear(),
            Event::InitApply(seen) => {
                if let Some(name) = self.shared.board.see_run(seen, self.shared.clock.now()) {
                    self.shared.came_through(&name);
                    self.runs.insert(name.clone());
                    self.advance(&name).await;
                }
            }
            Event::Apply(seen) => {
                if let Some(name) = self.shared.board.see_run(seen, self.shared.clock.now()) {
                    self.shared.came_through(&name);
                    self.advance(&name).await;
                }
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.runs);
                for name in self.shared.board.listed(&listed) {
                    self.missing(&name).await;
                }
                self.shared.listed.send_replace(true);
                // What was told and not heard is told again: a run stays here until its end is on record.
                for name in listed {
                    self.shared.board.tell_again(&name);
                    self.advance(&name).await;
                }
            }
            Event::Delete(seen) => {
                let name = seen.metadata.name.as_deref().and_then(|name| name.parse().ok());
                if let Some(name) = name {
                    self.missing(&name).await;
                }
            }
        }
    }

    /// A run that is not among those watched any more is released, or gone.
    async fn missing(&mut self, name: &TaskName) {
        let shared = &self.shared;
        if shared.board.held(name).is_none() {
            return;
        }
        match shared.in_time(shared.cluster.seen_runs.get_opt(name.as_str())).await {
            Some(Ok(Some(seen))) => {
                let recorded =
                    seen.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(label::RECORDED));
                if recorded {
                    shared.board.forget(name);
                } else {
                    shared.board.see_run(seen, shared.clock.now());
                }
            }
            Some(Ok(None)) => {
                if shared.board.gone(name) {
                    tracing::warn!(task = %name, "a PipelineRun was deleted by somebody else");
                }
                self.advance(name).await;
            }
            // The next list finds it missing again.
            Some(Err(_)) | None => {}
        }
    }

    async fn advance(&mut self, name: &TaskName) {
        for next in self.shared.board.advance(name, self.shared.clock.now()) {
            match next {
                Next::Ask(name, task_run) => self.ask(name, task_run),
                Next::Copy(container) => self.copy(container),
                Next::Tell(observation) => self.tell(observation).await,
            }
        }
    }

    fn ask(&mut self, name: TaskName, task_run: Box<str>) {
        let shared = Arc::clone(&self.shared);
        self.asks.spawn(async move {
            loop {
                match shared.in_time(shared.cluster.seen_task_runs.get_opt(&task_run)).await {
                    Some(Ok(found)) => return (name, found),
                    Some(Err(_)) | None => shared.clock.sleep(TICK).await,
                }
            }
        });
    }

    async fn tell(&self, observation: Observation) {
        if matches!(observation.state, Observed::Finished(_)) {
            tracing::debug!(task = %observation.name, "a run has ended, and its log is here");
        }
        // A dispatcher that is gone looks again when it comes back.
        let _ = self.shared.observations.send(observation).await;
    }

    fn copy(&mut self, container: Box<Container>) {
        let shared = Arc::clone(&self.shared);
        self.copies.spawn(async move { shared.copier.copy(container).await });
    }

    /// What a burst or a list was read into lies between what is kept of it.
    async fn give_memory_back(&mut self) {
        let objects = std::mem::take(&mut self.objects);
        self.read += objects + self.shared.copier.opened();
        if self.read >= MANY && objects < FEW {
            self.read = 0;
            let given = blocking(|| {
                heap::give_back();
                Ok(())
            });
            // Without a thread it stays for the next time.
            let _ = given.await;
        }
    }

    async fn write_policies(&self) {
        const WRITING: &str = "writing NetworkPolicies";
        let shared = &self.shared;
        match shared.in_time(shared.beside.write_policies(&shared.cluster)).await {
            Some(Ok(())) => shared.answered(WRITING),
            Some(Err(error)) => shared.failed(WRITING, &error.to_string()),
            None => shared.failed(WRITING, "no answer in time"),
        }
    }

    async fn cancel_what_waits(&self) {
        let Some(most) = self.shared.unschedulable_after else { return };
        if !self.shared.board.any_waits() {
            return;
        }
        // Asked for each time: either clock may be set meanwhile.
        let clock = self.shared.cluster.clock(self.shared.clock.now());
        let ahead = self.shared.in_time(clock).await.flatten();
        for (name, because) in self.shared.board.waiting_since(self.shared.clock.now(), most, ahead) {
            tracing::warn!(task = %name, because, "the cluster did not start a run in time; it is cancelled");
            if let Err(error) = release::cancel(&self.shared, &name, Some(&because)).await {
                tracing::warn!(task = %name, error, "cancelling it failed, and is tried again");
            }
        }
    }
}

/// What nobody reads here.
fn trim(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    meta.owner_references = None;
}

//! What goes: revisions that nobody needs, and with them the files and the sources that only they named.
//!
//! What a task needs that has not ended stays, and so does what a file names. A sweep may be stopped at any point; what it
//! leaves goes with the next one, or with the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::kept::superfluous;
use super::source::remove_tree;
use super::{Pushes, REVISIONS, RevisionNumber};
use crate::app::AppName;
use crate::blocking::blocking;
use crate::config::{Config, EditError};
use crate::daemon::{Change, ChangeError};
use crate::fault::point;
use crate::store::{Commit, StoreError};

impl Pushes {
    /// Removes the revisions that nobody needs any more, and the sources that only they named.
    pub async fn sweep(&self) {
        if let Err(error) = self.forget_revisions().await {
            tracing::warn!(%error, "old revisions were not removed, which is tried again");
            return;
        }
        let config = self.parts.config.load_full();
        let sources = self.parts.sources.clone();
        let swept = blocking(move || {
            let needed = config.stored.revisions.values().flat_map(|revisions| revisions.values());
            let needed: BTreeSet<_> = needed.filter_map(|revision| revision.source).collect();
            Ok(sources.sweep(&needed))
        });
        match swept.await.map_err(|error| self.parts.sources.failed(error)).flatten() {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "sources that nobody needs were removed"),
            Err(error) => tracing::warn!(%error, "old sources were not removed, which is tried again"),
        }
        if let Err(error) = self.remove_stray().await {
            tracing::warn!(%error, "files of old revisions were not removed, which is tried again");
        }
    }

    async fn forget_revisions(&self) -> Result<(), ChangeError> {
        // What was claimed for an earlier revision is on record behind this.
        self.parts.store.commit(Commit::new()).await?;
        let running = self.running()?;
        let old = |config: &Config| {
            let none = BTreeSet::new();
            let apps = config.stored.apps.iter().filter_map(|(app, stored)| {
                let revisions = config.stored.revisions.get(app)?;
                let old = superfluous(revisions, stored.current, running.get(app).unwrap_or(&none));
                (!old.is_empty()).then(|| (app.clone(), old))
            });
            apps.collect::<BTreeMap<_, _>>()
        };
        if old(&self.parts.config.load()).is_empty() {
            return Ok(());
        }
        let change = self.parts.reloader.change(|config| {
            let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
            let old = old(config);
            for (app, number) in old.iter().flat_map(|(app, old)| old.iter().map(move |number| (app, number)))
            {
                commit.remove_revision(app, *number);
                stored.revisions.entry(app.clone()).or_default().remove(number);
            }
            Ok((Change { stored, commit, about: None }, old))
        });
        let (_, old) = change.await?;
        point("revisions-forgotten");
        let count: usize = old.values().map(Vec::len).sum();
        tracing::info!(count, "revisions that nobody needs were removed");
        Ok(())
    }

    /// Removes the directories of revisions that are on record no more.
    async fn remove_stray(&self) -> Result<(), ChangeError> {
        let found = stray(&self.parts.config.load()).map_err(EditError::Files)?;
        if found.is_empty() {
            return Ok(());
        }
        // Nothing is pushed meanwhile: what has no record has none in a moment, either.
        let change = self.parts.reloader.change(|config| {
            let mut gone = Vec::new();
            for dir in stray(config).map_err(EditError::Files)? {
                let to = dir.with_file_name(format!(".gone-{}", uuid::Uuid::new_v4().simple()));
                fs::rename(&dir, &to).map_err(EditError::Files)?;
                gone.push(to);
            }
            let stored = config.stored.as_ref().clone();
            Ok((Change { stored, commit: Commit::new(), about: None }, gone))
        });
        let (_, gone) = change.await?;
        let removed = blocking(move || gone.iter().try_for_each(|dir| remove_tree(dir))).await;
        Ok(removed.map_err(EditError::Files)?)
    }

    /// What tasks run that have not ended.
    fn running(&self) -> Result<BTreeMap<AppName, BTreeSet<RevisionNumber>>, StoreError> {
        let mut running = BTreeMap::<_, BTreeSet<_>>::new();
        for task in self.parts.store.active_tasks() {
            let task = task?;
            if let Some(revision) = task.revision {
                running.entry(task.app).or_default().insert(revision);
            }
        }
        Ok(running)
    }
}

/// The directories of revisions that are on record no more, and that no file's App runs: one that says what `export`
/// printed does.
fn stray(config: &Config) -> io::Result<Vec<PathBuf>> {
    let mut stray = Vec::new();
    for dir in entries(&config.settings.data_dir.join(REVISIONS))? {
        let Some(app) = name_of(&dir).and_then(|name| name.parse::<AppName>().ok()) else { continue };
        if !config.stored.apps.contains_key(&app) {
            stray.push(dir);
            continue;
        }
        let revisions = config.stored.revisions.get(&app);
        let is_known = |number| revisions.is_some_and(|revisions| revisions.contains_key(&number));
        let of_app = entries(&dir)?.into_iter();
        stray.extend(of_app.filter(|dir| {
            name_of(dir).and_then(|name| name.parse().ok()).is_some_and(|number| !is_known(number))
        }));
    }
    stray.retain(|dir| !config.is_named_by_file(dir));
    Ok(stray)
}

/// Removes what was on its way to be a revision, or to be none, when the process was killed.
pub(super) fn clear(data_dir: &Path) -> io::Result<()> {
    let all = data_dir.join(REVISIONS);
    let apps = entries(&all)?;
    let is_left = |dir: &PathBuf| name_of(dir).is_some_and(|name| name.starts_with('.'));
    for app in apps.iter().filter(|app| !is_left(app)) {
        entries(app)?.iter().filter(|dir| is_left(dir)).try_for_each(|dir| remove_tree(dir))?;
    }
    apps.iter().filter(|dir| is_left(dir)).try_for_each(|dir| remove_tree(dir))
}

fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| entry.map(|entry| entry.path())).collect(),
    }
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

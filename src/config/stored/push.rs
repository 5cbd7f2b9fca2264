//! What a push, a rollback and a restage make of a stored App: its text as it is from now on, and one revision more.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{EditError, PushedApp, StoredApp, StoredName};
use crate::app::{AppName, check_image};
use crate::config::Config;
use crate::config::problem::{Problem, Problems};
use crate::config::settings::ExecutorKind;
use crate::push::{Revision, RevisionNumber, RevisionState, SourceHash};

/// What is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A source that is here.
    Source(SourceHash),
    /// An image of some registry.
    Image(String),
}

/// One push.
#[derive(Debug, Clone)]
pub struct AppPush {
    /// What is pushed.
    pub code: Code,
    /// Keys of the `[app]` table, as [`Config::pushed`] takes them. Without a `command`, that of the current revision
    /// stays.
    pub app: Map<String, Json>,
    /// Keys of the `[build]` table; the same.
    pub build: Map<String, Json>,
    /// Who pushes.
    pub by: Option<String>,
}

/// What comes of a [`RevisionEdit`].
#[derive(Debug, Clone)]
pub struct NewRevision {
    /// The App as it is from now on.
    pub app: StoredApp,
    /// Its revision.
    pub revision: Revision,
    /// What was pushed and is probably not meant.
    pub warnings: Vec<Problem>,
}

/// One revision more.
#[derive(Debug, Clone)]
pub enum RevisionEdit {
    /// Of what is pushed. An App that is not there is made.
    Push(AppPush),
    /// Of what an earlier one was made of and has become.
    Rollback {
        /// The earlier one.
        to: RevisionNumber,
        /// Who asks.
        by: Option<String>,
    },
    /// Of the current one's source, built anew.
    Restage {
        /// Who asks.
        by: Option<String>,
    },
}

impl RevisionEdit {
    /// The App and its new revision. What is ready at once is its current one.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn apply(self, config: &Config, name: &AppName, now: Timestamp) -> Result<NewRevision, EditError> {
        let stored = may_change(config, name)?;
        match self {
            Self::Push(push) => push.apply(config, name, stored, now),
            Self::Rollback { to, by } => {
                let stored = stored.ok_or_else(|| EditError::NoApp(name.clone()))?;
                let of = ready(config, name, to)?;
                if stored.current == Some(to) {
                    return Err(EditError::Current { app: name.clone(), revision: to });
                }
                let next = next(stored, Some(of), now);
                let next = Revision {
                    from: Some(to),
                    by,
                    image: of.image.clone(),
                    state: RevisionState::Ready,
                    ended: Some(now),
                    ..next
                };
                Ok(with(stored.clone(), next))
            }
            Self::Restage { by } => {
                let stored = stored.ok_or_else(|| EditError::NoApp(name.clone()))?;
                let nothing = || EditError::NothingToBuild(name.clone());
                let current = stored.current.and_then(|current| revision(config, name, current));
                // An App that never got ready is built from what was pushed last.
                let of = current.or_else(|| revision(config, name, stored.newest)).ok_or_else(nothing)?;
                of.source.ok_or_else(nothing)?;
                can_be_built(config, name)?;
                let next = next(stored, Some(of), now);
                Ok(with(stored.clone(), Revision { from: Some(of.number), by, ..next }))
            }
        }
    }
}

impl AppPush {
    fn apply(
        self,
        config: &Config,
        name: &AppName,
        before: Option<&StoredApp>,
        now: Timestamp,
    ) -> Result<NewRevision, EditError> {
        if let Code::Source(_) = self.code {
            can_be_built(config, name)?;
        }
        let PushedApp { toml, command, warnings } = config.pushed(name, self.app, self.build)?;
        let current = before.and_then(|before| revision(config, name, before.current?));
        let kept = || current.and_then(|current| current.command.clone());
        let (source, image) = match self.code {
            Code::Source(source) => (Some(source), None),
            Code::Image(image) => (None, Some(checked(name, image)?)),
        };
        let stored = StoredApp {
            toml,
            current: before.and_then(|before| before.current),
            newest: before.map(|before| before.newest).unwrap_or_default(),
            by: self.by.clone(),
            at: now,
            deleting: false,
        };
        // There is nothing to be made of an image.
        let ready = image.is_some();
        let revision = Revision {
            source,
            image,
            command: command.or_else(kept),
            by: self.by,
            state: if ready { RevisionState::Ready } else { RevisionState::Building },
            ended: ready.then_some(now),
            ..next(&stored, None, now)
        };
        Ok(NewRevision { warnings, ..with(stored, revision) })
    }
}

/// The stored App, where there is one, unless nothing may be made of it now.
fn may_change<'a>(config: &'a Config, name: &AppName) -> Result<Option<&'a StoredApp>, EditError> {
    let stored = match config.stored_app(name) {
        Err(EditError::NoApp(_)) => return Ok(None),
        stored => stored?,
    };
    let mut revisions =
        config.stored.revisions.get(name).into_iter().flat_map(|revisions| revisions.values());
    match revisions.rfind(|revision| revision.state == RevisionState::Building) {
        Some(building) => Err(EditError::Building { app: name.clone(), revision: building.number }),
        None => Ok(Some(stored)),
    }
}

/// A source is run as it is here, but on a cluster there has to be who makes an image of it.
fn can_be_built(config: &Config, name: &AppName) -> Result<(), EditError> {
    match (config.settings.executor, &config.settings.build) {
        (ExecutorKind::Tekton, None) => Err(EditError::NoBuilder(name.clone())),
        _ => Ok(()),
    }
}

fn revision<'a>(config: &'a Config, name: &AppName, number: RevisionNumber) -> Option<&'a Revision> {
    config.stored.revisions.get(name)?.get(&number)
}

fn ready<'a>(config: &'a Config, name: &AppName, number: RevisionNumber) -> Result<&'a Revision, EditError> {
    let known = || {
        let all = config.stored.revisions.get(name).into_iter().flat_map(|all| all.values());
        all.filter(|revision| revision.state == RevisionState::Ready)
            .map(|revision| revision.number)
            .collect()
    };
    match revision(config, name, number) {
        None => Err(EditError::NoRevision { app: name.clone(), revision: number, known: known() }),
        Some(revision) if revision.state == RevisionState::Ready => Ok(revision),
        Some(_) => Err(EditError::NotReady { app: name.clone(), revision: number, known: known() }),
    }
}

/// The revision behind the newest, with the code of another; it has yet to be built.
fn next(stored: &StoredApp, of: Option<&Revision>, now: Timestamp) -> Revision {
    Revision {
        number: RevisionNumber(stored.newest.0 + 1),
        source: of.and_then(|of| of.source),
        image: None,
        command: of.and_then(|of| of.command.clone()),
        state: RevisionState::Building,
        build: None,
        from: None,
        by: None,
        at: now,
        ended: None,
    }
}

fn with(stored: StoredApp, revision: Revision) -> NewRevision {
    let current = (revision.state == RevisionState::Ready).then_some(revision.number).or(stored.current);
    let app = StoredApp { newest: revision.number, current, ..stored };
    NewRevision { app, revision, warnings: Vec::new() }
}

fn checked(name: &AppName, image: String) -> Result<String, Problems> {
    match check_image(&image) {
        Ok(()) => Ok(image),
        Err(error) => {
            let text = error.to_string();
            let (message, hint) = crate::hint::split(&text);
            let called = StoredName::App(name.clone()).to_string();
            Err(Problem::of_file(called, message, hint.unwrap_or("as `docker pull` takes it")).into())
        }
    }
}

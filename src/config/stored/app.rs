//! An App that was pushed: the text of the App file that it would be, without what its revisions say.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Resting, Stored, StoredName};
use crate::app::{App, AppName};
use crate::config::Config;
use crate::config::problem::Problems;
use crate::config::settings::ExecutorKind;
use crate::config::source::Source;
use crate::config::validate::{Surroundings, app};
use crate::push::{Revision, RevisionNumber, revision_dir};

/// An App as it was pushed, not yet checked. What it runs is a matter of its revisions: the text has no `path`, no
/// `image` and no `command`, and no `[[jobs]]`, which are stored by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApp {
    /// The text of the file that it would be.
    pub toml: String,
    /// The revision that its tasks run; none before the first one is ready.
    pub current: Option<RevisionNumber>,
    /// The last number given to a revision; 0 for none.
    pub newest: RevisionNumber,
    /// Who changed it last.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// It is on its way out: nothing new runs on it, and its history goes.
    pub deleting: bool,
}

impl StoredApp {
    /// The App that it is, with the code of `revision`.
    fn read(
        &self,
        name: &AppName,
        revision: Option<&Revision>,
        around: &Surroundings,
    ) -> Result<App, Problems> {
        let called = StoredName::App(name.clone()).to_string();
        let source = Source::new(called, self.toml.as_str());
        let tree = source.parse();
        let read = if source.is_sound() { app(&source, tree.get_ref(), around) } else { None };
        let read = read.map(|(app, _)| app).filter(|app| app.name == *name && source.is_sound());
        drop(tree);
        let Some(app) = read else { return Err(source.into_problems().into_iter().collect()) };
        let mut app = App { stored: true, command: None, ..app };
        if let Some(revision) = revision {
            revision.put_into(&mut app, &around.data_dir, around.executor);
        }
        Ok(app)
    }
}

impl Revision {
    /// Gives an App the code and the command of this revision.
    fn put_into(&self, app: &mut App, data_dir: &Path, executor: ExecutorKind) {
        let is_unpacked = self.source.is_some() && executor == ExecutorKind::Local;
        app.path = is_unpacked.then(|| revision_dir(data_dir, &app.name, self.number));
        app.image.clone_from(&self.image);
        app.command.clone_from(&self.command);
        app.revision = Some(self.number);
    }
}

impl Config {
    /// The App with the code and the command of a revision, or as it is now where none is named. Nothing where there
    /// is no such App or revision.
    pub fn app_at(&self, name: &AppName, revision: Option<RevisionNumber>) -> Option<Cow<'_, App>> {
        let app = self.apps.get(name)?;
        match revision {
            Some(number) if app.revision != Some(number) => {
                let revision = self.stored.revisions.get(name)?.get(&number)?;
                let mut app = app.as_ref().clone();
                revision.put_into(&mut app, &self.settings.data_dir, self.settings.executor);
                Some(Cow::Owned(app))
            }
            _ => Some(Cow::Borrowed(app)),
        }
    }

    pub(super) fn add_apps(&mut self, stored: &Stored, resting: &mut Vec<Resting>) {
        let around = Surroundings { pushed: true, ..self.surroundings() };
        for (name, app) in &stored.apps {
            let called = || StoredName::App(name.clone());
            if app.deleting {
                continue;
            }
            if let Some(file) = self.apps.get(name).map(|app| &app.file) {
                resting.push(
                    called().waits(format!("`{file}` has an App of that name, which is the one that runs")),
                );
                continue;
            }
            let current = app.current.and_then(|current| stored.revisions.get(name)?.get(&current));
            match app.read(name, current, &around) {
                Ok(app) => {
                    self.apps.insert(name.clone(), Arc::new(app));
                }
                Err(problems) => resting.push((called(), problems)),
            }
        }
    }
}

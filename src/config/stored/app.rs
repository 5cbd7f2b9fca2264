//! An App that was pushed: the text of the App file that it would be, without what its revisions say.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use toml::{Table as Toml, Value};

use super::{EditError, Resting, Stored, StoredName};
use crate::app::{App, AppName, Command, ServiceName};
use crate::config::Config;
use crate::config::problem::{Problem, Problems};
use crate::config::settings::ExecutorKind;
use crate::config::source::Source;
use crate::config::validate::{Surroundings, app};
use crate::durable::real;
use crate::push::{Revision, RevisionNumber, RevisionState, SourceHash, revision_dir};
use crate::task::Task;

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

/// What is to become of the settings of an App that was pushed.
#[derive(Debug, Clone)]
pub enum AppEdit {
    /// Variables that its tasks get from now on, and those that they get no more.
    Env {
        /// With their values.
        set: BTreeMap<String, String>,
        /// One that is not set is not an error.
        unset: Vec<String>,
    },
    /// It binds a service. One that it binds already is not an error.
    Bind(ServiceName),
    /// It binds the service no more. One that it does not bind is not an error.
    Unbind(ServiceName),
}

/// An App as a push leaves it.
#[derive(Debug)]
pub struct PushedApp {
    /// The text to be stored.
    pub toml: String,
    /// The start command that was pushed, which its revision keeps.
    pub command: Option<Command>,
    /// What of it is probably not meant.
    pub warnings: Vec<Problem>,
}

impl StoredApp {
    /// As much of an exported App as it takes to say what its jobs will start: what it runs, and nothing of where its
    /// code and its credentials are. Nothing where the text is no App.
    pub fn outlined(exported: &str) -> Option<(Self, Revision)> {
        let mut file = AppFile(exported.parse().ok()?);
        let app = file.table("app");
        ["path", "image", "services"].into_iter().for_each(|key| drop(app.remove(key)));
        let command = match app.remove("command") {
            Some(Value::String(line)) => Command::shell(line).ok(),
            Some(Value::Array(words)) => {
                let words = words.into_iter().map(|word| word.as_str().map(str::to_owned));
                words.collect::<Option<_>>().and_then(|words| Command::exec(words).ok())
            }
            _ => None,
        };
        let (number, at) = (RevisionNumber(1), Timestamp::UNIX_EPOCH);
        let revision = Revision {
            number,
            source: None,
            image: None,
            command,
            state: RevisionState::Ready,
            build: None,
            from: None,
            by: None,
            at,
            ended: None,
        };
        file.0.retain(|key, _| key == "app");
        let toml = file.into_text();
        let stored = Self { toml, current: Some(number), newest: number, by: None, at, deleting: false };
        Some((stored, revision))
    }

    /// Whether its text names the service.
    pub(crate) fn binds(&self, service: &ServiceName) -> bool {
        let read: Option<Toml> = self.toml.parse().ok();
        let names = read.as_ref().and_then(|root| root.get("app")?.get("services")?.as_array());
        names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(service.as_str())))
    }

    /// The App that it is, with the code of `revision`.
    fn read(
        &self,
        name: &AppName,
        revision: Option<&Revision>,
        around: &Surroundings,
    ) -> Result<App, Problems> {
        let (app, _) = read(name, &self.toml, around)?;
        let mut app = App { command: None, ..app };
        if let Some(revision) = revision {
            revision.put_into(&mut app, &around.data_dir, around.executor);
        }
        Ok(app)
    }
}

/// The App that a stored text says, and what it warns of.
fn read(name: &AppName, toml: &str, around: &Surroundings) -> Result<(App, Vec<Problem>), Problems> {
    let called = StoredName::App(name.clone()).to_string();
    let source = Source::new(called.as_str(), toml);
    let tree = source.parse();
    let read = if source.is_sound() { app(&source, tree.get_ref(), around) } else { None };
    let read = read.map(|(app, _)| app).filter(|app| app.name == *name && source.is_sound());
    drop(tree);
    match read {
        Some(app) => Ok((App { stored: true, ..app }, source.into_problems())),
        None => {
            let problems = source.into_problems();
            let hint = "a push of that name makes it anew";
            let named = || Problem::of_file(called, "this is no App of that name", hint);
            Err(if problems.is_empty() { named().into() } else { problems.into_iter().collect() })
        }
    }
}

/// The file of an App, as a tree that can be changed.
struct AppFile(Toml);

impl AppFile {
    fn new(name: &AppName) -> Self {
        let app = Toml::from_iter([("name".to_owned(), name.as_str().into())]);
        Self(Toml::from_iter([("app".to_owned(), Value::Table(app))]))
    }

    fn of(name: &AppName, stored: &StoredApp) -> Result<Self, Problems> {
        let unreadable = |_| {
            let name = StoredName::App(name.clone());
            let hint = format!("{} removes it", name.removal());
            Problem::of_file(name.to_string(), "this is no App", hint).into()
        };
        stored.toml.parse().map(Self).map_err(unreadable)
    }

    /// The table of that name, made where it is not there.
    fn table(&mut self, name: &str) -> &mut Toml {
        table_of(&mut self.0, name)
    }

    fn into_text(self) -> String {
        toml::to_string_pretty(&self.0).expect("a table of values is TOML")
    }
}

fn table_of<'t>(table: &'t mut Toml, name: &str) -> &'t mut Toml {
    let entry = table.entry(name.to_owned()).or_insert_with(|| Value::Table(Toml::new()));
    if !entry.is_table() {
        *entry = Value::Table(Toml::new());
    }
    entry.as_table_mut().expect("it has just been made one")
}

/// Puts `keys` in the place of those that are there; variables and services beside those that are there.
fn merge(table: &mut Toml, keys: Toml) {
    for (key, value) in keys {
        match (key.as_str(), value) {
            ("env", Value::Table(variables)) => table_of(table, "env").extend(variables),
            ("services", Value::Array(names)) => {
                let mut all = match table.remove("services") {
                    Some(Value::Array(before)) => before,
                    _ => Vec::new(),
                };
                let more: Vec<_> = names.into_iter().filter(|name| !all.contains(name)).collect();
                all.extend(more);
                table.insert(key, Value::Array(all));
            }
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

impl AppEdit {
    /// The App's text as it is then.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn apply(self, config: &Config, name: &AppName) -> Result<String, EditError> {
        let mut file = AppFile::of(name, config.stored_app(name)?)?;
        let app = file.table("app");
        match self {
            Self::Env { set, unset } => {
                let env = table_of(app, "env");
                env.extend(set.into_iter().map(|(name, value)| (name, Value::String(value))));
                for name in unset {
                    env.remove(&name);
                }
                if env.is_empty() {
                    app.remove("env");
                }
            }
            Self::Bind(service) => {
                if !config.services.contains_key(&service) {
                    return Err(EditError::NoService(service));
                }
                let names = Value::Array(vec![service.as_str().into()]);
                merge(app, Toml::from_iter([("services".to_owned(), names)]));
            }
            Self::Unbind(service) => {
                if let Some(Value::Array(names)) = app.get_mut("services") {
                    names.retain(|name| name.as_str() != Some(service.as_str()));
                    if names.is_empty() {
                        app.remove("services");
                    }
                }
            }
        }
        Ok(file.into_text())
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

    /// What `task` builds, where it builds a source.
    pub fn source_of(&self, task: &Task) -> Option<SourceHash> {
        self.stored.revisions.get(&task.app)?.get(&task.built()?)?.source
    }

    /// The App of that name, if it was pushed and can be changed.
    ///
    /// # Errors
    /// [`EditError::NoApp`], [`EditError::AppInFile`], [`EditError::Deleting`].
    pub fn stored_app(&self, name: &AppName) -> Result<&StoredApp, EditError> {
        if let Some(app) = self.apps.get(name).filter(|app| !app.stored) {
            return Err(EditError::AppInFile { app: name.clone(), file: app.file.clone() });
        }
        match self.stored.apps.get(name) {
            Some(app) if app.deleting => Err(EditError::Deleting(name.clone())),
            Some(app) => Ok(app),
            None => Err(EditError::NoApp(name.clone())),
        }
    }

    /// An App as a push of these keys of `[app]` and of `[build]` leaves it: they replace those that are there, but
    /// variables and services come beside them. An App that does not exist yet is made.
    ///
    /// # Errors
    /// [`EditError`]; but not where there is no such App.
    pub fn pushed(
        &self,
        name: &AppName,
        app: Map<String, Json>,
        build: Map<String, Json>,
    ) -> Result<PushedApp, EditError> {
        let mut file = match self.stored_app(name) {
            Ok(stored) => AppFile::of(name, stored)?,
            Err(EditError::NoApp(_)) => AppFile::new(name),
            Err(error) => return Err(error),
        };
        let called = StoredName::App(name.clone());
        if app.contains_key("name") {
            let problem =
                Problem::of_file(called.to_string(), "unknown key `name`", "a push says it beside `app`");
            return Err(Problems::from(problem).into());
        }
        merge(file.table("app"), called.toml_of(app)?);
        if !build.is_empty() {
            merge(file.table("build"), called.toml_of(build)?);
        }
        let around = Surroundings { pushed: true, ..self.surroundings() };
        let (app, warnings) = read(name, &AppFile(file.0.clone()).into_text(), &around)?;
        file.table("app").remove("command");
        Ok(PushedApp { toml: file.into_text(), command: app.command, warnings })
    }

    /// Whether the App of a file runs what lies in `dir`, however it names that.
    pub fn is_named_by_file(&self, dir: &Path) -> bool {
        let dir = real(dir);
        let of_files = self.apps.values().filter(|app| !app.stored);
        of_files.filter_map(|app| app.path.as_ref()).any(|path| real(path).starts_with(&dir))
    }

    /// The text of the file that a pushed App would be, with what its current revision says.
    pub fn exported_app(&self, name: &AppName) -> Option<String> {
        let stored = self.stored.apps.get(name)?;
        let Ok(mut file) = AppFile::of(name, stored) else { return Some(stored.toml.clone()) };
        // What stands in a file is not built.
        file.0.remove("build");
        let current = stored.current.and_then(|current| self.stored.revisions.get(name)?.get(&current));
        if let Some(revision) = current {
            let app = file.table("app");
            let command = revision.command.as_ref().map(|command| match command {
                Command::Shell(line) => Value::String(line.clone()),
                Command::Exec(words) => Value::from(words.clone()),
            });
            let is_unpacked = revision.source.is_some() && self.settings.executor == ExecutorKind::Local;
            let path = is_unpacked.then(|| revision_dir(&self.settings.data_dir, name, revision.number));
            let path = path.map(|path| Value::String(path.display().to_string()));
            let image = revision.image.clone().map(Value::String);
            let keys = [("command", command), ("path", path), ("image", image)];
            app.extend(keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        Some(file.into_text())
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

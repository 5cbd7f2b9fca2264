//! A service that was created by command: the `[services.NAME]` table that it would be in the settings.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::{Table as Toml, Value};

use super::{EditError, Resting, Stored, StoredApp, StoredName};
use crate::app::{CredentialSource, Service, ServiceName};
use crate::config::Config;
use crate::config::files::SETTINGS;
use crate::config::parse;
use crate::config::problem::Problems;
use crate::config::source::Source;
use crate::config::table::Table;
use crate::config::validate::{hide_secrets, services};

/// A service as it was created. Its credentials are never part of it: it says where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredService {
    /// The text of a settings file that holds one `[services.NAME]` table. Paths in it are relative to the data
    /// directory.
    pub toml: String,
    /// Who created it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A service's name, or why that is none.
///
/// # Errors
/// In words, with a hint.
pub fn service_name(text: &str) -> Result<ServiceName, String> {
    text.parse().map_err(|error| {
        let fault = parse::bad_name(text, &error);
        format!("{}\nhint: {}", fault.message, fault.hint)
    })
}

/// A service as it is asked for.
#[derive(Debug, Clone)]
pub struct NewService {
    /// Its label, where it is not `user-provided`.
    pub label: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Where its credentials are. A path is absolute, or relative to the data directory.
    pub credentials: CredentialSource,
}

impl NewService {
    /// The text to be stored.
    ///
    /// # Errors
    /// [`EditError::ServiceExists`], [`EditError::ServiceInFile`].
    pub fn apply(self, config: &Config, name: &ServiceName) -> Result<String, EditError> {
        if config.stored.services.contains_key(name) {
            return Err(EditError::ServiceExists(name.clone()));
        }
        if config.services.contains_key(name) {
            return Err(config.service_in_file(name));
        }
        let edit =
            ServiceEdit { label: self.label, tags: Some(self.tags), credentials: Some(self.credentials) };
        Ok(edit.write(name, Toml::new()))
    }
}

/// What is to be different about a service. What is not said stays.
#[derive(Debug, Clone, Default)]
pub struct ServiceEdit {
    /// See [`NewService::label`].
    pub label: Option<String>,
    /// See [`NewService::tags`].
    pub tags: Option<Vec<String>>,
    /// See [`NewService::credentials`].
    pub credentials: Option<CredentialSource>,
}

impl ServiceEdit {
    /// The service of that name as it is to be.
    ///
    /// # Errors
    /// [`EditError::NoService`], [`EditError::ServiceInFile`].
    pub fn apply(self, config: &Config, name: &ServiceName) -> Result<StoredService, EditError> {
        if config.services.get(name).is_some_and(|service| !service.stored) {
            return Err(config.service_in_file(name));
        }
        let stored = config.stored.services.get(name).ok_or_else(|| EditError::NoService(name.clone()))?;
        let toml = self.write(name, stored.table(name).unwrap_or_default());
        Ok(StoredService { toml, ..stored.clone() })
    }

    fn write(self, name: &ServiceName, mut service: Toml) -> String {
        if let Some(label) = self.label {
            service.insert("label".to_owned(), Value::String(label));
        }
        match self.tags {
            Some(tags) if tags.is_empty() => _ = service.remove("tags"),
            Some(tags) => _ = service.insert("tags".to_owned(), Value::from(tags)),
            None => {}
        }
        if let Some(credentials) = self.credentials {
            let (kind, place) = match credentials {
                CredentialSource::Env(variable) => ("env", variable),
                CredentialSource::File(path) => ("file", path.display().to_string()),
                CredentialSource::Secret(secret) => ("secret", secret),
            };
            let place = Toml::from_iter([(kind.to_owned(), Value::String(place))]);
            service.insert("credentials".to_owned(), Value::Table(place));
        }
        let named = Toml::from_iter([(name.to_string(), Value::Table(service))]);
        let root = Toml::from_iter([("services".to_owned(), Value::Table(named))]);
        toml::to_string_pretty(&root).expect("a table of values is TOML")
    }
}

impl StoredService {
    /// The file of its credentials, where it has one, whatever else is wrong with it.
    pub fn credentials(&self, name: &ServiceName, data_dir: &Path) -> Option<PathBuf> {
        let table = self.table(name)?;
        let file = table.get("credentials")?.get("file")?;
        Some(data_dir.join(file.as_str()?))
    }

    /// Its table.
    fn table(&self, name: &ServiceName) -> Option<Toml> {
        let mut root: Toml = self.toml.parse().ok()?;
        let table = root.get_mut("services")?.as_table_mut()?.remove(name.as_str())?;
        table.try_into().ok()
    }

    /// The service that it is.
    fn read(&self, name: &ServiceName, data_dir: &Path) -> Result<Service, Problems> {
        let source = Source::new(StoredName::Service(name.clone()).to_string(), self.toml.as_str());
        let tree = source.parse();
        hide_secrets(&source, tree.get_ref());
        let mut root = Table::root(&source, tree.get_ref());
        let (mut read, _) = services(&mut root, data_dir);
        root.finish();
        drop(tree);
        match read.remove(name) {
            Some(service) if source.is_sound() => Ok(Service { stored: true, ..service }),
            _ => Err(source.into_problems().into_iter().collect()),
        }
    }
}

impl Config {
    /// Whether the service of that name may be deleted.
    ///
    /// # Errors
    /// [`EditError::NoService`], [`EditError::ServiceInFile`], [`EditError::Bound`].
    pub fn may_delete_service(&self, name: &ServiceName) -> Result<(), EditError> {
        let is_stored = self.stored.services.contains_key(name);
        match self.services.get(name) {
            Some(service) if !service.stored && !is_stored => return Err(self.service_in_file(name)),
            None if !is_stored => return Err(EditError::NoService(name.clone())),
            // The one of the file stays.
            Some(service) if !service.stored => return Ok(()),
            _ => {}
        }
        let bound = self.apps.values().filter(|app| app.services.contains(name));
        let mut apps: Vec<_> = bound.map(|app| app.name.clone()).collect();
        // What rests may come into effect again.
        let resting = self.stored.apps.iter().filter(|(app, _)| !self.apps.contains_key(*app));
        apps.extend(resting.filter(|(_, stored)| stored.binds(name)).map(|(app, _)| app.clone()));
        match apps.is_empty() {
            true => Ok(()),
            false => Err(EditError::Bound { service: name.clone(), apps }),
        }
    }

    /// The services that a pushed App binds and no file declares, as they would stand in the settings' file.
    pub fn exported_services(&self, app: &StoredApp) -> String {
        let mut named = Toml::new();
        let stored = self.stored.services.iter();
        for (name, service) in stored.filter(|(name, _)| app.binds(name)) {
            if self.services.get(name).is_some_and(|service| !service.stored) {
                continue;
            }
            let Some(mut table) = service.table(name) else { continue };
            // There its paths are relative to somewhere else.
            if let Some(path) = service.credentials(name, &self.settings.data_dir)
                && let Some(Value::Table(credentials)) = table.get_mut("credentials")
            {
                credentials.insert("file".to_owned(), path.display().to_string().into());
            }
            named.insert(name.to_string(), Value::Table(table));
        }
        match named.is_empty() {
            true => String::new(),
            false => toml::to_string_pretty(&Toml::from_iter([("services".to_owned(), Value::Table(named))]))
                .expect("a table of values is TOML"),
        }
    }

    fn service_in_file(&self, service: &ServiceName) -> EditError {
        let file = self.dir.join(SETTINGS).display().to_string();
        EditError::ServiceInFile { service: service.clone(), file }
    }

    pub(super) fn add_services(&mut self, stored: &Stored, resting: &mut Vec<Resting>) {
        for (name, service) in &stored.services {
            let called = || StoredName::Service(name.clone());
            if self.services.contains_key(name) {
                resting.push(
                    called()
                        .waits("`tekcron.toml` has a service of that name, which is the one that is bound"),
                );
                continue;
            }
            match service.read(name, &self.settings.data_dir) {
                Ok(service) => {
                    self.services.insert(name.clone(), service);
                }
                Err(problems) => resting.push((called(), problems)),
            }
        }
    }
}

//! Services that are made by command, and the files of their credentials.
//!
//! Credentials that are handed over go into a file of their own below `services` in the data directory, which only its
//! owner may read, and nowhere else. The file is on disk before the service is, and goes after it: one that no
//! service names was replaced, or left by a crash, and goes at the next start.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::reload::{Change, ChangeError, Changed, Reloader};
use crate::app::{CredentialSource, ServiceName};
use crate::blocking::{blocking, to_the_end};
use crate::config::{Config, NewService, ServiceEdit, StoredName, StoredService};
use crate::durable::{real, replace, sync_dir};
use crate::fault::point;
use crate::store::Commit;

/// Where the files are, within the data directory.
const SERVICES: &str = "services";
const UNLISTED: &str = "the credentials of services cannot be listed";

/// Credentials as they are handed over.
#[derive(Debug)]
pub enum Credentials {
    /// Themselves: a JSON object.
    Given(SecretString),
    /// The Secret of the cluster that has them.
    Secret(String),
}

impl Reloader {
    /// Makes a service. When this returns, it is on disk and can be bound. What was begun is done, also where nobody
    /// waits for it any more.
    ///
    /// # Errors
    /// [`ChangeError`]; then everything stays as it was.
    pub async fn create_service(
        self: &Arc<Self>,
        name: &ServiceName,
        what: (Option<String>, Vec<String>),
        credentials: Credentials,
        who: (Option<String>, Timestamp),
    ) -> Result<Changed, ChangeError> {
        let (this, name) = (Arc::clone(self), name.clone());
        to_the_end(async move { this.make_service(&name, what, credentials, who).await }).await
    }

    async fn make_service(
        &self,
        name: &ServiceName,
        (label, tags): (Option<String>, Vec<String>),
        credentials: Credentials,
        (by, at): (Option<String>, Timestamp),
    ) -> Result<Changed, ChangeError> {
        let _alone = self.credentials.lock().await;
        let (source, written) = self.keep(name, credentials).await?;
        let new = NewService { label, tags, credentials: source };
        let change = self.change(|config| {
            let service = StoredService { toml: new.apply(config, name)?, by, at };
            Ok((put(config, name, service), ()))
        });
        let changed = change.await.map(|(changed, ())| changed);
        forget_unless(&changed, written).await;
        if changed.is_ok() {
            tracing::info!(service = %name, "a service was created by command");
        }
        changed
    }

    /// Changes a service that was made by command, for the next tasks of the Apps that bind it. When this returns, it is
    /// on disk. Credentials that were replaced go with the next change of the service, or the next start. What was begun
    /// is done, also where nobody waits for it any more.
    ///
    /// # Errors
    /// [`ChangeError`]; then everything stays as it was.
    pub async fn update_service(
        self: &Arc<Self>,
        name: &ServiceName,
        what: (Option<String>, Option<Vec<String>>),
        credentials: Option<Credentials>,
    ) -> Result<Changed, ChangeError> {
        let (this, name) = (Arc::clone(self), name.clone());
        to_the_end(async move { this.edit_service(&name, what, credentials).await }).await
    }

    async fn edit_service(
        &self,
        name: &ServiceName,
        (label, tags): (Option<String>, Option<Vec<String>>),
        credentials: Option<Credentials>,
    ) -> Result<Changed, ChangeError> {
        let _alone = self.credentials.lock().await;
        let kept = match credentials {
            Some(credentials) => Some(self.keep(name, credentials).await?),
            None => None,
        };
        let (source, written) = kept.unzip();
        let is_replaced = source.is_some();
        let edit = ServiceEdit { label, tags, credentials: source };
        let change = self.change(|config| {
            let service = edit.apply(config, name)?;
            Ok((put(config, name, service), ()))
        });
        let changed = change.await.map(|(changed, ())| changed);
        forget_unless(&changed, written.flatten()).await;
        if let Ok(changed) = &changed {
            point("service-updated");
            if is_replaced {
                // A task that is being started may still read those of before.
                forget_former(&changed.after, Some(&changed.before), name).await;
            }
            tracing::info!(service = %name, "a service was changed by command");
        }
        changed
    }

    /// Writes credentials down where they are handed over. Returns where they are, and the file that was written.
    async fn keep(
        &self,
        name: &ServiceName,
        credentials: Credentials,
    ) -> Result<(CredentialSource, Option<PathBuf>), ChangeError> {
        let text = match credentials {
            Credentials::Secret(name) => return Ok((CredentialSource::Secret(name), None)),
            Credentials::Given(text) => text,
        };
        // No other service has ever had it.
        let file = PathBuf::from(SERVICES).join(format!("{name}-{}.json", Uuid::new_v4().simple()));
        let path = self.current().settings.data_dir.join(&file);
        let place = path.clone();
        blocking(move || write(&place, &text)).await.map_err(ChangeError::Credentials)?;
        point("credentials-written");
        Ok((CredentialSource::File(file), Some(path)))
    }

    /// Deletes a service that no App binds. When this returns, it is gone from the disk, and its credentials with it.
    /// What was begun is done, also where nobody waits for it any more.
    ///
    /// # Errors
    /// [`ChangeError`]; then everything stays as it was.
    pub async fn delete_service(self: &Arc<Self>, name: &ServiceName) -> Result<Changed, ChangeError> {
        let (this, name) = (Arc::clone(self), name.clone());
        to_the_end(async move { this.remove_service(&name).await }).await
    }

    async fn remove_service(&self, name: &ServiceName) -> Result<Changed, ChangeError> {
        let _alone = self.credentials.lock().await;
        let change = self.change(|config| {
            config.may_delete_service(name)?;
            let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
            commit.remove_service(name);
            stored.services.remove(name);
            Ok((Change { stored, commit, about: None }, ()))
        });
        let (changed, ()) = change.await?;
        point("service-deleted");
        forget_former(&changed.after, None, name).await;
        tracing::info!(service = %name, "a service was deleted by command");
        Ok(changed)
    }
}

/// What makes `service` the one of that name.
fn put(config: &Config, name: &ServiceName, service: StoredService) -> Change {
    let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
    commit.put_service(name, &service);
    stored.services.insert(name.clone(), service);
    Change { stored, commit, about: Some(StoredName::Service(name.clone())) }
}

/// Removes what was `written` for a change that was refused. What the store did with it is not known where that failed.
async fn forget_unless(changed: &Result<Changed, ChangeError>, written: Option<PathBuf>) {
    if let (Err(ChangeError::Edit(_)), Some(path)) = (changed, written) {
        remove(path).await;
    }
}

/// Removes the credentials that a service has had, but for those that a service names, also one of `before`.
async fn forget_former(after: &Config, before: Option<&Config>, name: &ServiceName) {
    let dir = after.settings.data_dir.join(SERVICES);
    let mut named = named(after);
    named.extend(before.map(self::named).into_iter().flatten());
    match blocking(move || unnamed(&dir, &named)).await {
        Ok(files) => {
            for file in files.into_iter().filter(|file| is_of(file, name)) {
                remove(file).await;
            }
        }
        Err(error) => tracing::warn!(%error, "{UNLISTED}"),
    }
}

/// Whether it is a file of the credentials of the service `name`.
fn is_of(file: &Path, name: &ServiceName) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let unique = stem.and_then(|stem| stem.strip_prefix(name.as_str())?.strip_prefix('-'));
    unique.is_some_and(|unique| Uuid::try_parse(unique).is_ok())
}

fn write(path: &Path, text: &SecretString) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => {
            made?;
            sync_dir(dir.parent().unwrap_or(dir))?;
        }
    }
    replace(path, text.expose_secret().as_bytes(), 0o600)
}

/// Where that fails, the next start does it.
async fn remove(path: PathBuf) {
    let shown = path.display().to_string();
    let removed = blocking(move || fs::remove_file(&path)).await;
    if let Err(error) = removed.or_else(absent) {
        tracing::warn!(%error, file = shown, "credentials of no service were not removed; the next start does it");
    }
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The files that services name, also those that rest, however they name them.
fn named(config: &Config) -> BTreeSet<PathBuf> {
    let of_files = config.services.values().filter_map(|service| match &service.credentials {
        CredentialSource::File(path) => Some(path.clone()),
        _ => None,
    });
    let data_dir = &config.settings.data_dir;
    let stored = config.stored.services.iter();
    let stored = stored.filter_map(|(name, service)| service.credentials(name, data_dir));
    of_files.chain(stored).map(|path| real(&path)).collect()
}

/// The files in `dir` that are none of those `named`.
fn unnamed(dir: &Path, named: &BTreeSet<PathBuf>) -> io::Result<Vec<PathBuf>> {
    let files = match fs::read_dir(dir) {
        Err(error) => return absent(error).map(|()| Vec::new()),
        Ok(files) => files,
    };
    Ok(files.flatten().map(|file| file.path()).filter(|file| !named.contains(&real(file))).collect())
}

/// Removes the credentials that were replaced or that a crash has left, and that no service names.
pub(super) fn tidy(config: &Config) {
    let files = match unnamed(&config.settings.data_dir.join(SERVICES), &named(config)) {
        Ok(files) => files,
        Err(error) => return tracing::warn!(%error, "{UNLISTED}"),
    };
    for file in files {
        match fs::remove_file(&file).or_else(absent) {
            Ok(()) => {
                tracing::info!(file = %file.display(), "credentials that no service names were removed")
            }
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "credentials that no service names stay")
            }
        }
    }
}

//! Services that are made by command, and the files of their credentials.
//!
//! Credentials that are handed over go into a file of their own below `services` in the data directory, which only its
//! owner may read, and nowhere else. The file is on disk before the service is, and goes after it: one that no
//! service names was left by a crash, and goes at the next start.

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
use crate::config::{Config, NewService, StoredName, StoredService};
use crate::durable::{real, replace, sync_dir};
use crate::fault::point;
use crate::store::Commit;

/// Where the files are, within the data directory.
const SERVICES: &str = "services";

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
        let data_dir = self.current().settings.data_dir.clone();
        let (source, written) = match credentials {
            Credentials::Secret(name) => (CredentialSource::Secret(name), None),
            Credentials::Given(text) => {
                // No other service has ever had it.
                let file = PathBuf::from(SERVICES).join(format!("{name}-{}.json", Uuid::new_v4().simple()));
                let path = data_dir.join(&file);
                let place = path.clone();
                let written = blocking(move || write(&place, &text)).await;
                written.map_err(ChangeError::Credentials)?;
                (CredentialSource::File(file), Some(path))
            }
        };
        point("credentials-written");
        let new = NewService { label, tags, credentials: source };
        let change = self.change(|config| {
            let service = StoredService { toml: new.apply(config, name)?, by, at };
            let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
            commit.put_service(name, &service);
            stored.services.insert(name.clone(), service);
            let about = Some(StoredName::Service(name.clone()));
            Ok((Change { stored, commit, about }, ()))
        });
        let changed = change.await.map(|(changed, ())| changed);
        // What the store did with it is not known where it failed.
        if let (Err(ChangeError::Edit(_)), Some(path)) = (&changed, written) {
            remove(path).await;
        }
        if changed.is_ok() {
            tracing::info!(service = %name, "a service was created by command");
        }
        changed
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
        let change = self.change(|config| {
            config.may_delete_service(name)?;
            let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
            commit.remove_service(name);
            stored.services.remove(name);
            Ok((Change { stored, commit, about: None }, ()))
        });
        let (changed, ()) = change.await?;
        point("service-deleted");
        let data_dir = &changed.after.settings.data_dir;
        let service = changed.before.stored.services.get(name);
        let path = service.and_then(|service| service.credentials(name, data_dir));
        if let Some(path) =
            path.filter(|path| is_ours(path, data_dir) && !named(&changed.after).contains(&real(path)))
        {
            remove(path).await;
        }
        tracing::info!(service = %name, "a service was deleted by command");
        Ok(changed)
    }
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

fn is_ours(path: &Path, data_dir: &Path) -> bool {
    path.parent() == Some(&data_dir.join(SERVICES))
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

/// Removes the credentials that a crash has left and no service names.
pub(super) fn tidy(config: &Config) {
    let dir = config.settings.data_dir.join(SERVICES);
    let files = match fs::read_dir(&dir) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return tracing::warn!(%error, "the credentials of services cannot be listed"),
    };
    let named = named(config);
    for file in files.flatten().map(|file| file.path()).filter(|file| !named.contains(&real(file))) {
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

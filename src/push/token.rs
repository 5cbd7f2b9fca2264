//! The single-use tokens with which builds on a cluster fetch their source.
//!
//! A token is made of the build's name and the source's hash under a key that never leaves the data directory: made
//! again, after a crash between two steps of a submission, it is the same one, and nothing of it is kept. Guaranteed:
//! it opens the source of a build that has not ended, once, whatever is restarted in between; whether it is one at all
//! is found out in the same time for a wrong one as for the right one.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;

use super::SourceHash;
use crate::app::Timeout;
use crate::durable::sync_dir;
use crate::task::{Task, TaskName};

const KEY: &str = "source-key";
const KEY_BYTES: usize = 32;
/// A file for each token that was used.
const USED: &str = "fetched";

/// The clocks of a cluster and of this machine may differ by so much.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// What tokens are made with.
#[derive(Clone)]
pub struct SourceKey(hmac::Key);

/// The tokens of one data directory.
#[derive(Debug, Clone)]
pub struct SourceTokens {
    key: SourceKey,
    used: PathBuf,
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is none, or one of another build or source.
    #[error("expected the token of a build that fetches this source, found another one")]
    Unknown,
    /// Its build has ended, or should have.
    #[error("the token has expired: build `{0}` has ended, or is past its time-out")]
    Expired(TaskName),
    /// It was used.
    #[error("the token was used already: build `{0}` fetches its source once")]
    Used(TaskName),
    /// Nobody can say whether it was used.
    #[error("whether the token was used cannot be noted")]
    Note(#[source] io::Error),
}

impl SourceKey {
    /// The key below `data_dir`; made where there is none yet.
    ///
    /// # Errors
    /// Where it can be neither read nor made, or others may read it.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(KEY);
        match read_key(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_key(&path)?;
                read_key(&path)
            }
            read => read,
        }
    }

    /// The token of `build` for `source`.
    pub fn token(&self, build: &TaskName, source: &SourceHash) -> SecretString {
        let tag = hmac::sign(&self.0, message(build, source).as_bytes());
        format!("{build}.{}", BASE64URL_NOPAD.encode(tag.as_ref())).into()
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceKey")
    }
}

impl SourceTokens {
    /// Those below `data_dir`.
    ///
    /// # Errors
    /// As [`SourceKey::open`].
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        Ok(Self { key: SourceKey::open(data_dir)?, used: data_dir.join(USED) })
    }

    /// Of which build a token says that it is, before anybody has checked it.
    pub fn claimed(presented: &str) -> Option<TaskName> {
        presented.split_once('.').and_then(|(build, _)| build.parse().ok())
    }

    /// Lets `presented` fetch `source` now, and never again. `build` is the task of [`claimed`](Self::claimed), where
    /// there is one.
    ///
    /// # Errors
    /// [`TokenError`]. After [`TokenError::Note`] it may count as used.
    pub fn redeem(
        &self,
        presented: &str,
        source: &SourceHash,
        build: Option<&Task>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let (name, tag) = presented.split_once('.').ok_or(TokenError::Unknown)?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).map_err(|_| TokenError::Unknown)?;
        let name: TaskName = name.parse().map_err(|_| TokenError::Unknown)?;
        // Compares in constant time.
        hmac::verify(&self.key.0, message(&name, source).as_bytes(), &tag)
            .map_err(|_| TokenError::Unknown)?;
        let build = build.filter(|build| build.name == name).ok_or(TokenError::Unknown)?;
        if build.phase.is_terminal() || is_past_its_time(build, now) {
            return Err(TokenError::Expired(name));
        }
        match self.note(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(TokenError::Used(name)),
            noted => noted.map_err(TokenError::Note),
        }
    }

    /// A build has ended, and that is on record: that its token was used need not be known any more.
    ///
    /// # Errors
    /// Where it cannot be forgotten; none known is done.
    pub fn forget(data_dir: &Path, build: &TaskName) -> io::Result<()> {
        match fs::remove_file(data_dir.join(USED).join(build.as_str())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Of two who try at once, one makes the file.
    fn note(&self, build: &TaskName) -> io::Result<()> {
        if !self.used.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.used)?;
            sync_dir(self.used.parent().unwrap_or(Path::new(".")))?;
        }
        let path = self.used.join(build.as_str());
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        sync_dir(&self.used)
    }
}

/// The cluster ends a build that is past its time; this is for one that nobody hears of.
fn is_past_its_time(build: &Task, now: Timestamp) -> bool {
    let Some((started, Some(Timeout::After(most)))) =
        build.started.map(|started| (started, build.overrides.timeout))
    else {
        return false;
    };
    now.duration_since(started) > most + SLACK
}

/// A name has no line break.
fn message(build: &TaskName, source: &SourceHash) -> String {
    format!("source\n{build}\n{source}")
}

fn read_key(path: &Path) -> io::Result<SourceKey> {
    let mut file = fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.display();
        let message = format!("expected mode 0600 on `{path}`, found {mode:04o}\nhint: chmod 600 {path}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let mut bytes = Vec::with_capacity(KEY_BYTES + 1);
    (&mut file).take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() != KEY_BYTES {
        let path = path.display();
        let message = format!("expected {KEY_BYTES} bytes in `{path}`, found {}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(SourceKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
}

/// Under another name first, so that who finds it finds all of it; of two who make one, the first one's counts.
fn make_key(path: &Path) -> io::Result<()> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random bytes can be had"))?;
    let new = path.with_file_name(format!("{KEY}.{}", uuid::Uuid::new_v4().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    let named = match fs::hard_link(&new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        named => named,
    };
    fs::remove_file(&new)?;
    named?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests;

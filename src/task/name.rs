use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::app::{AppName, NameError, dns_label};
use crate::job::JobName;
use crate::schedule::ScheduleKey;

/// The most characters of the readable part of a task's name.
const READABLE: usize = 36;

/// How many characters of the hash follow it, behind a hyphen.
const HASH: usize = 12;

/// The name of a task and of its PipelineRun: `<readable part>-<12 characters of base32>`, at most
/// 50 characters, a DNS label. The readable part is the App and the job, `<app>-<job>`, cut to 36 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskName(Arc<str>);

/// What makes two submissions the same run. The name is a hash of it.
#[derive(Debug, Clone, Copy)]
pub enum RunIdentity<'a> {
    /// The run of a slot: scheduled, caught up, backfilled, or a rerun of it (a higher ordinal).
    Slot {
        /// The schedule within the job.
        schedule: &'a ScheduleKey,
        /// The nominal instant.
        slot: Timestamp,
        /// 0 for the slot's own run, then one more for each rerun or backfill.
        ordinal: u32,
    },
    /// A run asked for by hand, under the id of the request.
    Request(&'a str),
}

impl TaskName {
    /// The name of attempt `attempt` of a run, on one tekcron instance and namespace.
    pub fn of(
        instance: &str,
        namespace: &str,
        app: &AppName,
        job: Option<&JobName>,
        identity: RunIdentity<'_>,
        attempt: u32,
    ) -> Self {
        let job = job.map_or("", JobName::as_str);
        let attempt = attempt.to_string();
        let place = [instance, namespace, app.as_str(), job];
        let hash = match identity {
            RunIdentity::Slot { schedule, slot, ordinal } => {
                let slot = slot.as_nanosecond().to_string();
                let ordinal = ordinal.to_string();
                base32_hash(&[&place[..], &["slot", schedule.as_str(), &slot, &ordinal, &attempt]].concat())
            }
            RunIdentity::Request(request) => {
                base32_hash(&[&place[..], &["request", request, &attempt]].concat())
            }
        };
        let readable = if job.is_empty() { app.as_str().to_owned() } else { format!("{app}-{job}") };
        let cut = readable.get(..READABLE).unwrap_or(&readable).trim_end_matches('-');
        Self(Arc::from(format!("{cut}-{hash}")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Apps that may have a task of this name, but for those of [`Self::beginning_of_app`]: a name does not
    /// say where the App's ends and the job's begins.
    pub(crate) fn apps(&self) -> Vec<AppName> {
        let Some(readable) = self.readable() else { return Vec::new() };
        let ends = readable.match_indices('-').map(|(end, _)| end).chain([readable.len()]);
        ends.filter_map(|end| readable[..end].parse().ok()).collect()
    }

    /// What the name of the App begins with where it may have been cut.
    pub(crate) fn beginning_of_app(&self) -> Option<String> {
        let readable = self.readable()?;
        // Hyphens were taken off where it was cut.
        (readable.len() <= READABLE).then(|| format!("{readable:-<READABLE$}"))
    }

    fn readable(&self) -> Option<&str> {
        let (readable, hash) = self.0.rsplit_once('-')?;
        (hash.len() == HASH).then_some(readable)
    }
}

const LONGEST_DISPLAY_NAME: usize = 200;

/// Why a text is nothing to call a task in listings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {LONGEST_DISPLAY_NAME} characters without line breaks, found {0}")]
pub struct DisplayNameError(String);

/// Whether a task may be called `text` in listings.
///
/// # Errors
/// Where it is empty, too long, or would disturb the table.
pub fn check_display_name(text: &str) -> Result<(), DisplayNameError> {
    let found = match text.chars().count() {
        0 => "none".to_owned(),
        long if long > LONGEST_DISPLAY_NAME => format!("{long}"),
        _ if text.chars().any(char::is_control) => "a control character".to_owned(),
        _ => return Ok(()),
    };
    Err(DisplayNameError(found))
}

/// 12 characters (60 bits) of base32 of the SHA-256 of `parts`, each preceded by its length.
pub fn base32_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = data_encoding::BASE32_NOPAD.encode(&hash.finalize()).to_lowercase();
    text.truncate(HASH);
    text
}

impl FromStr for TaskName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        dns_label(text, 50)?;
        Ok(Self(Arc::from(text)))
    }
}

impl TryFrom<String> for TaskName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for TaskName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_function_of_the_slot_and_fits_kubernetes() {
        let app: AppName = "a".repeat(63).parse().unwrap();
        let job: JobName = "nightly".parse().unwrap();
        let key = ScheduleKey::hashed("0 2 * * *", "UTC", "vixie");
        let name = |slot, ordinal, attempt| {
            let slot = Timestamp::from_second(slot).unwrap();
            let identity = RunIdentity::Slot { schedule: &key, slot, ordinal };
            TaskName::of("tekcron", "default", &app, Some(&job), identity, attempt)
        };
        assert_eq!(name(60, 0, 1), name(60, 0, 1));
        assert_ne!(name(60, 0, 1), name(120, 0, 1));
        assert_ne!(name(60, 0, 1), name(60, 1, 1));
        assert_ne!(name(60, 0, 1), name(60, 0, 2));
        assert!(name(60, 0, 1).as_str().len() <= 50);
        assert_eq!(name(60, 0, 1).as_str().parse(), Ok(name(60, 0, 1)));
    }

    #[test]
    fn a_name_says_whose_it_may_be() {
        let request = RunIdentity::Request("r");
        let long = format!("a{}b", "-".repeat(40));
        let (cut, whole) = ("x".repeat(63), "y".repeat(36));
        for (app, job) in [
            ("etl", None),
            ("etl", Some("nightly-x")),
            ("etl-nightly", Some("x")),
            ("e--tl", Some("a")),
            (long.as_str(), None),
            (&long, Some("job")),
            (&cut, Some("job")),
            (&whole, None),
            (&whole, Some("job")),
            (&whole[..35], Some("job")),
            (&whole[..34], Some("j")),
        ] {
            let app: AppName = app.parse().unwrap();
            let job: Option<JobName> = job.map(|job| job.parse().unwrap());
            let name = TaskName::of("tekcron", "default", &app, job.as_ref(), request, 1);
            let begins = |beginning: String| app.as_str().starts_with(&beginning);
            assert!(name.apps().contains(&app) || name.beginning_of_app().is_some_and(begins), "{name}");
        }
        let name: TaskName = "etl-nightly-x-abcdefghijkl".parse().unwrap();
        assert_eq!(
            name.apps().iter().map(AppName::as_str).collect::<Vec<_>>(),
            ["etl", "etl-nightly", "etl-nightly-x"]
        );
        for none in ["etl", "etl-nightly", "abcdefghijkl"] {
            let name: TaskName = none.parse().unwrap();
            assert_eq!((name.apps(), name.beginning_of_app()), (vec![], None), "{none}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(base32_hash(&["ab", "c"]), base32_hash(&["a", "bc"]));
    }
}

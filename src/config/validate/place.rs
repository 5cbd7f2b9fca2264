use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::lint::Lints;
use super::notify::ReceiverNames;
use crate::config::fault::Fault;
use crate::config::settings::ExecutorKind;
use crate::push::REVISIONS;
use crate::schedule::{ExclusionCalendar, Recurrences, Rules};

/// What an App is checked against.
pub(in crate::config) struct Surroundings {
    /// What relative paths are relative to.
    pub(in crate::config) base: PathBuf,
    pub(in crate::config) data_dir: PathBuf,
    /// Who will run the tasks.
    pub(in crate::config) executor: ExecutorKind,
    /// The services that there are; unknown where the settings could not be read.
    pub(in crate::config) services: Option<BTreeSet<String>>,
    /// Those of them that only a cluster has.
    pub(in crate::config) secret_services: BTreeSet<String>,
    /// The security groups that there are; unknown where the settings could not be read.
    pub(in crate::config) security_groups: Option<BTreeSet<String>>,
    /// The calendars that can be used.
    pub(in crate::config) calendars: BTreeMap<String, Arc<ExclusionCalendar>>,
    /// The names of all calendars; unknown where the settings could not be read.
    pub(in crate::config) calendar_names: Option<BTreeSet<String>>,
    /// Who can be told of breaches; unknown where the settings could not be read.
    pub(in crate::config) receivers: Option<ReceiverNames>,
    /// The groups that there are; unknown where the settings could not be read.
    pub(in crate::config) groups: Option<BTreeSet<String>>,
    /// Whether the App is one that was pushed: what it runs is said by its revisions.
    pub(in crate::config) pushed: bool,
    /// From when on what schedules do is looked at for warnings; never where unset.
    pub(in crate::config) now: Option<Timestamp>,
    /// What of all Apps so far was warned of.
    pub(in crate::config) lints: Lints,
    /// The recurrences of all Apps so far.
    pub(in crate::config) recurrences: RefCell<Recurrences>,
    /// The rules of the schedule before.
    pub(in crate::config) rules: RefCell<Arc<Rules>>,
}

impl Surroundings {
    /// The rules of a schedule, shared with the one before where both say the same.
    pub(super) fn shared(&self, rules: Rules) -> Arc<Rules> {
        let mut before = self.rules.borrow_mut();
        if **before != rules {
            *before = Arc::new(rules);
        }
        Arc::clone(&before)
    }

    /// A directory that tasks get a copy of.
    pub(super) fn directory(&self, path: &Path) -> Result<PathBuf, Fault> {
        let path = normal(&self.base.join(path));
        let shown = path.display();
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::new(
                    format!("expected a directory, found nothing at `{shown}`"),
                    format!("relative paths are relative to `{}`", self.base.display()),
                ));
            }
            Err(error) => {
                return Err(Fault::new(
                    format!("expected a directory, cannot look at `{shown}`: {error}"),
                    "it is copied for each task, by the user that tekcron runs as",
                ));
            }
            Ok(metadata) if !metadata.is_dir() => {
                return Err(Fault::new(
                    format!("expected a directory, found a file at `{shown}`"),
                    "it is copied for each task: name the directory that holds the file",
                ));
            }
            Ok(_) => {}
        }
        let (real, data) = (real(&path), real(&self.data_dir));
        // What an exported App runs; who removes revisions leaves alone what a file names.
        let revision = real.strip_prefix(data.join(REVISIONS));
        if revision.is_ok_and(|rest| rest.components().count() >= 2) {
            return Ok(path);
        }
        if data.starts_with(&real) || real.starts_with(&data) {
            let (data, holds) =
                (self.data_dir.display(), if data.starts_with(&real) { "holds" } else { "lies in" });
            let message =
                format!("expected a directory apart from tekcron's data, found one that {holds} `{data}`");
            return Err(Fault::new(
                message,
                "the directory is copied for each task: give the App one of its own, or move `data_dir`",
            ));
        }
        Ok(path)
    }
}

/// Without `.`, and without `..` as far as the text alone tells.
pub(in crate::config) fn normal(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

/// With every link followed, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let mut missing: Vec<OsString> = Vec::new();
    for existing in path.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            return missing.into_iter().rev().fold(real, |path, part| path.join(part));
        }
        missing.extend(existing.file_name().map(ToOwned::to_owned));
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_apps_directory_and_the_data_directory_keep_apart() {
        let dir = tempfile::TempDir::new().unwrap();
        let base = dir.path().to_owned();
        fs::create_dir_all(base.join("work/inner")).unwrap();
        fs::create_dir_all(base.join("other")).unwrap();
        fs::create_dir_all(base.join("work/revisions/etl/3")).unwrap();
        fs::write(base.join("file"), "").unwrap();
        std::os::unix::fs::symlink(base.join("work"), base.join("link")).unwrap();
        for (data, path, words) in [
            ("data", "work", None),
            ("work-data", "work", None),
            ("data", "nowhere", Some("found nothing at")),
            ("data", "file", Some("found a file at")),
            ("data", ".", Some("one that holds")),
            ("work/data", "work", Some("one that holds")),
            ("work/data", "link", Some("one that holds")),
            ("link/data", "work", Some("one that holds")),
            ("link/data", "other", None),
            ("work", "work/inner", Some("one that lies in")),
            ("work", "link/inner", Some("one that lies in")),
            ("work", "work", Some("one that holds")),
            ("work", "other/../work", Some("one that holds")),
            ("work", "work/revisions", Some("one that lies in")),
            ("work", "work/revisions/etl", Some("one that lies in")),
            ("work", "work/revisions/etl/3", None),
            ("link", "work/revisions/etl/3", None),
            ("work", "work/revisions/../inner", Some("one that lies in")),
        ] {
            let surroundings = Surroundings {
                base: base.clone(),
                data_dir: base.join(data),
                executor: ExecutorKind::Local,
                services: None,
                secret_services: BTreeSet::new(),
                security_groups: None,
                calendars: BTreeMap::new(),
                calendar_names: None,
                receivers: None,
                groups: None,
                pushed: false,
                now: None,
                lints: Lints::default(),
                recurrences: RefCell::default(),
                rules: RefCell::default(),
            };
            let checked = surroundings.directory(Path::new(path));
            match words {
                None => assert_eq!(checked, Ok(base.join(path)), "{data} {path}"),
                Some(words) => {
                    let message = checked.unwrap_err().message;
                    assert!(message.contains(words), "{data} {path}: {message}");
                }
            }
        }
    }
}

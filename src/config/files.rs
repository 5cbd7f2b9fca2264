use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::regular;

/// The name of the settings file.
pub(super) const SETTINGS: &str = "tekcron.toml";
/// The directory of the App files.
pub(super) const APPS: &str = "apps";

/// The content of a configuration directory, as one moment's look found it.
#[derive(Default)]
pub(super) struct Files {
    pub(super) settings: Option<File>,
    /// In order of their names.
    pub(super) apps: Vec<File>,
    /// Calendars, by their names.
    pub(super) calendars: Vec<File>,
    /// Names of files that look like Apps and are not where Apps are looked for.
    pub(super) strays: Vec<String>,
    /// Names of files whose end is almost `.toml`.
    pub(super) misnamed: Vec<String>,
    /// What should have been read and could not be.
    pub(super) unread: Vec<ReadError>,
}

/// One file.
pub(super) struct File {
    /// Its path within the directory.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// A file or directory that could not be read.
pub(super) struct ReadError {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

impl Files {
    /// Reads all that can be read; without the directory itself there is nothing to look at.
    pub(super) fn read(dir: &Path) -> Result<Self, ReadError> {
        let mut files = Self::default();
        for name in names(dir)? {
            match Kind::of(&name) {
                Kind::Toml if name == SETTINGS => files.settings = files.take(dir, name),
                Kind::Toml => files.strays.push(name),
                Kind::Misnamed => files.misnamed.push(name),
                Kind::Calendar => {
                    let file = files.take(dir, name);
                    files.calendars.extend(file);
                }
                Kind::Other => {}
            }
        }
        for name in app_names(dir).unwrap_or_else(|error| files.lacks(error)) {
            let kind = Kind::of(&name);
            let name = format!("{APPS}/{name}");
            match kind {
                Kind::Toml => {
                    let file = files.take(dir, name);
                    files.apps.extend(file);
                }
                Kind::Misnamed => files.misnamed.push(name),
                Kind::Calendar | Kind::Other => {}
            }
        }
        Ok(files)
    }

    fn take(&mut self, dir: &Path, name: String) -> Option<File> {
        read(dir, name).map_err(|error| self.unread.push(error)).ok()
    }

    fn lacks(&mut self, error: ReadError) -> Vec<String> {
        self.unread.push(error);
        Vec::new()
    }

    /// A hash of all names and contents, and of what cannot be read: it changes exactly when they do.
    pub(super) fn generation(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        for File { name, bytes } in self.settings.iter().chain(&self.calendars).chain(&self.apps) {
            add(name.as_bytes());
            add(bytes);
        }
        for ReadError { path, source } in &self.unread {
            add(path.as_os_str().as_encoded_bytes());
            add(source.to_string().as_bytes());
        }
        HEXLOWER.encode(&hash.finalize()[..16])
    }
}

fn read(dir: &Path, name: String) -> Result<File, ReadError> {
    let path = dir.join(&name);
    match regular::read(&path) {
        Ok(bytes) => Ok(File { name, bytes }),
        Err(source) => Err(ReadError { path, source }),
    }
}

/// The calendars in a directory, as far as they can be read.
pub(super) fn calendars(dir: &Path) -> Vec<File> {
    let names = names(dir).unwrap_or_default();
    let calendars = names.into_iter().filter(|name| Kind::of(name) == Kind::Calendar);
    calendars.filter_map(|name| read(dir, name).ok()).collect()
}

/// What is in the directory of the App files. Only the absence of their directory is an absence: what cannot be looked at
/// is an error.
fn app_names(dir: &Path) -> Result<Vec<String>, ReadError> {
    let apps = dir.join(APPS);
    match apps.try_exists() {
        Ok(true) => names(&apps),
        Ok(false) => Ok(Vec::new()),
        Err(source) => Err(ReadError { path: apps, source }),
    }
}

/// The names of all that is in `dir` and not hidden, sorted.
fn names(dir: &Path) -> Result<Vec<String>, ReadError> {
    let failed = |source| ReadError { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What a name makes of a file.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Toml,
    /// Meant to be TOML, it seems: other capitals, or one letter off.
    Misnamed,
    Calendar,
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, "toml")) => Self::Toml,
            Some((_, "ics")) => Self::Calendar,
            // An editor's copy.
            Some((_, "toml~")) => Self::Other,
            Some((_, end)) if strsim::damerau_levenshtein(&end.to_lowercase(), "toml") <= 1 => Self::Misnamed,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(apps: &[(&str, &str)]) -> Files {
        let file = |(name, text): &(&str, &str)| File { name: (*name).into(), bytes: (*text).into() };
        Files { settings: None, apps: apps.iter().map(file).collect(), ..Files::default() }
    }

    #[test]
    fn the_generation_is_that_of_names_and_contents() {
        let generation = |apps| files(apps).generation();
        let one = generation(&[("a", "xy")]);
        assert_eq!(one, generation(&[("a", "xy")]));
        for other in [&[("a", "xz")][..], &[("b", "xy")], &[("ax", "y")], &[("a", "x"), ("", "y")], &[]] {
            assert_ne!(one, generation(other), "{other:?}");
        }
    }

    #[test]
    fn a_name_that_almost_ends_like_toml_is_a_slip() {
        for (name, kind) in [
            ("etl.toml", Kind::Toml),
            ("a.b.toml", Kind::Toml),
            ("etl.TOML", Kind::Misnamed),
            ("etl.Toml", Kind::Misnamed),
            ("etl.tml", Kind::Misnamed),
            ("etl.tolm", Kind::Misnamed),
            ("etl.toml~", Kind::Other),
            ("etl.toml.bak", Kind::Other),
            ("etl.yaml", Kind::Other),
            ("holidays.ics", Kind::Calendar),
            ("etl.html", Kind::Other),
            ("README.md", Kind::Other),
            ("toml", Kind::Other),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}

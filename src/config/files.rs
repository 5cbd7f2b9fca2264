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
    /// Names of files that look like Apps and are not where Apps are looked for.
    pub(super) strays: Vec<String>,
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
        let beside = toml_files(dir)?;
        let (settings, strays): (Vec<_>, Vec<_>) = beside.into_iter().partition(|name| name == SETTINGS);
        let mut unread = Vec::new();
        let mut take = |read: Result<File, ReadError>| read.map_err(|error| unread.push(error)).ok();
        let settings = settings.into_iter().find_map(|name| take(read(dir, name)));
        let apps = app_names(dir);
        let apps = match apps {
            Ok(names) => {
                names.into_iter().filter_map(|name| take(read(dir, format!("{APPS}/{name}")))).collect()
            }
            Err(error) => {
                unread.push(error);
                Vec::new()
            }
        };
        Ok(Self { settings, apps, strays, unread })
    }

    /// A hash of all names and contents, and of what cannot be read: it changes exactly when they do.
    pub(super) fn generation(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        for File { name, bytes } in self.settings.iter().chain(&self.apps) {
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

/// The names of the App files. Only the absence of their directory is an absence: what cannot be looked at
/// is an error.
fn app_names(dir: &Path) -> Result<Vec<String>, ReadError> {
    let apps = dir.join(APPS);
    match apps.try_exists() {
        Ok(true) => toml_files(&apps),
        Ok(false) => Ok(Vec::new()),
        Err(source) => Err(ReadError { path: apps, source }),
    }
}

/// The names of all TOML files in `dir` that are not hidden, sorted.
fn toml_files(dir: &Path) -> Result<Vec<String>, ReadError> {
    let failed = |source| ReadError { path: dir.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
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
}

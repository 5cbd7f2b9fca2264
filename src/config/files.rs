use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The name of the settings file.
pub(super) const SETTINGS: &str = "tekcron.toml";
/// The directory of the App files.
pub(super) const APPS: &str = "apps";

/// The content of a configuration directory, as one moment's look found it.
pub(super) struct Files {
    pub(super) settings: Option<File>,
    /// In order of their names.
    pub(super) apps: Vec<File>,
    /// Names of files that look like Apps and are not where Apps are looked for.
    pub(super) strays: Vec<String>,
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
    pub(super) fn read(dir: &Path) -> Result<Self, ReadError> {
        let beside = toml_files(dir)?;
        let (settings, strays): (Vec<_>, Vec<_>) = beside.into_iter().partition(|name| name == SETTINGS);
        let apps_dir = dir.join(APPS);
        // Only its absence is an absence: what cannot be looked at is an error.
        let apps = match apps_dir.try_exists() {
            Ok(true) => toml_files(&apps_dir)?,
            Ok(false) => Vec::new(),
            Err(source) => return Err(ReadError { path: apps_dir, source }),
        };
        let apps = apps.into_iter().map(|name| read(dir, format!("{APPS}/{name}")));
        Ok(Self {
            settings: settings.into_iter().next().map(|name| read(dir, name)).transpose()?,
            apps: apps.collect::<Result<_, _>>()?,
            strays,
        })
    }

    /// A hash of all names and contents: it changes exactly when they do.
    pub(super) fn generation(&self) -> String {
        let mut hash = Sha256::new();
        for File { name, bytes } in self.settings.iter().chain(&self.apps) {
            for part in [name.as_bytes(), bytes] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        HEXLOWER.encode(&hash.finalize()[..16])
    }
}

fn read(dir: &Path, name: String) -> Result<File, ReadError> {
    let path = dir.join(&name);
    match fs::read(&path) {
        Ok(bytes) => Ok(File { name, bytes }),
        Err(source) => Err(ReadError { path, source }),
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
        Files { settings: None, apps: apps.iter().map(file).collect(), strays: Vec::new() }
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

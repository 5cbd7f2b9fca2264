//! Looking at the files again and again, and reading them only where they may have changed.
//!
//! A [`Glance`] is what the directories and the metadata of their files say. Guaranteed: a change that a file
//! system's timestamps tell is found by the next look. Two changes within one tick of them look like one, so
//! files are read until they have been as they are for longer than that; and all are read now and then, for
//! file systems whose metadata says nothing.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::files::APPS;
use super::fingerprint;

/// No file system in use counts in longer ticks.
const TICK: Duration = Duration::from_secs(2);

/// For no longer than this the metadata is believed.
const BELIEVED: Duration = Duration::from_secs(300);

/// The fingerprint of a configuration, kept for as long as nothing seems to change.
#[derive(Debug, Default)]
pub struct Rescans(Option<Seen>);

#[derive(Debug)]
struct Seen {
    glance: Glance,
    /// When it was first as it is.
    since: Duration,
    /// When the files were read last.
    read: Duration,
    fingerprint: String,
}

impl Rescans {
    /// As [`fingerprint`]. `now` is monotonic.
    ///
    /// # Errors
    /// As there.
    pub fn fingerprint(&mut self, dir: &Path, now: Duration) -> io::Result<String> {
        // Taken first: what changes while the files are read differs from it.
        self.seen(Glance::at(dir), now, || fingerprint(dir))
    }

    fn seen(
        &mut self,
        glance: Glance,
        now: Duration,
        read: impl FnOnce() -> io::Result<String>,
    ) -> io::Result<String> {
        let before = self.0.take().filter(|before| before.glance == glance);
        let since = before.as_ref().map_or(now, |before| before.since);
        let seen = match before {
            Some(before) if before.is_believed(now) => before,
            _ => Seen { glance, since, read: now, fingerprint: read()? },
        };
        let fingerprint = seen.fingerprint.clone();
        self.0 = Some(seen);
        Ok(fingerprint)
    }
}

impl Seen {
    fn is_believed(&self, now: Duration) -> bool {
        self.read >= self.since + TICK && now < self.read + BELIEVED
    }
}

/// What is seen of the files without reading them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Glance(Vec<(OsString, Result<Stamp, io::ErrorKind>)>);

#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    mode: u32,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Glance {
    fn at(dir: &Path) -> Self {
        let mut glance = Self::default();
        glance.add(dir);
        glance.add(&dir.join(APPS));
        glance
    }

    /// A directory and all that is in it, in the directory's own order: another one costs no more than a read.
    fn add(&mut self, dir: &Path) {
        self.0.push((OsString::new(), Stamp::of(dir)));
        match fs::read_dir(dir) {
            Ok(entries) => self.0.extend(entries.map(|entry| match entry {
                Ok(entry) => (entry.file_name(), Stamp::of(&entry.path())),
                Err(error) => (OsString::new(), Err(error.kind())),
            })),
            Err(error) => self.0.push((OsString::new(), Err(error.kind()))),
        }
    }
}

impl Stamp {
    /// Of what a link leads to.
    fn of(path: &Path) -> Result<Self, io::ErrorKind> {
        let of = |meta: Metadata| Self {
            file: (meta.dev(), meta.ino()),
            mode: meta.mode(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        };
        fs::metadata(path).map(of).map_err(|error| error.kind())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn glance(name: &str) -> Glance {
        Glance(vec![(name.into(), Err(io::ErrorKind::Other))])
    }

    /// Whether a look reads the files.
    fn reads(rescans: &mut Rescans, name: &str, second: u64) -> bool {
        let mut read = false;
        let found = rescans.seen(glance(name), Duration::from_secs(second), || {
            read = true;
            Ok(name.to_owned())
        });
        assert_eq!(found.unwrap(), name);
        read
    }

    #[test]
    fn files_are_read_until_they_have_kept_still_and_then_now_and_then() {
        let mut rescans = Rescans::default();
        for (name, second, expected) in [
            ("a", 100, true),
            ("a", 101, true),
            ("a", 105, true),
            ("a", 110, false),
            ("a", 404, false),
            ("a", 405, true),
            ("a", 410, false),
            ("b", 415, true),
            ("a", 416, true),
            ("a", 420, true),
            ("a", 425, false),
        ] {
            assert_eq!(reads(&mut rescans, name, second), expected, "{name} at {second}");
        }
    }

    #[test]
    fn files_that_could_not_be_read_are_read_again() {
        let mut rescans = Rescans::default();
        assert!(reads(&mut rescans, "a", 0) && reads(&mut rescans, "a", 5));
        let failed = rescans.seen(glance("b"), Duration::from_secs(10), || Err(io::ErrorKind::Other.into()));
        assert!(failed.is_err());
        assert!(reads(&mut rescans, "b", 15));
    }

    #[test]
    fn every_change_of_a_directory_is_another_glance() {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut glances = vec![Glance::at(dir.path())];
        let mut look = |what: &str| {
            let now = Glance::at(dir.path());
            assert_eq!(now, Glance::at(dir.path()), "{what}");
            assert!(!glances.contains(&now), "{what}");
            glances.push(now);
        };
        fs::create_dir(path("apps")).unwrap();
        look("a directory");
        fs::write(path("apps/a.toml"), "1").unwrap();
        look("a file");
        fs::write(path("apps/a.toml"), "12").unwrap();
        look("another size");
        fs::rename(path("apps/a.toml"), path("apps/b.toml")).unwrap();
        look("another name");
        fs::create_dir_all(path("apps/.one")).unwrap();
        fs::write(path("apps/.one/a"), "1").unwrap();
        fs::write(path("apps/.one/b"), "123").unwrap();
        symlink(".one/a", path("apps/c.toml")).unwrap();
        look("a link");
        fs::remove_file(path("apps/c.toml")).unwrap();
        symlink(".one/b", path("apps/c.toml")).unwrap();
        look("another target");
        fs::write(path("apps/.one/b"), "1234").unwrap();
        look("a target of another size");
        fs::write(path("tekcron.toml"), "").unwrap();
        look("settings");
    }
}

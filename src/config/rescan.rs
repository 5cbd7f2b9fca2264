//! Looking at the files again and again, and reading them only where they may have changed.
//!
//! A [`Glance`] is what the directories and the metadata of their files say. Guaranteed: a change that a file
//! system's timestamps tell is found by the next look, and that is due a second later for each hundred files. Two changes within one tick of them look like one, so
//! files are read until they have been as they are for longer than that; and all are read now and then, for
//! file systems whose metadata says nothing.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, Stat, fstat, statat};
use rustix::io::Errno;

use super::files::APPS;
use super::fingerprint;

/// No file system in use counts in longer ticks.
const TICK: Duration = Duration::from_secs(2);

/// So many files are looked at a second, in the mean: of many, a look costs more than it is worth each time.
const FILES_A_SECOND: u64 = 100;

/// No look is put off for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
    /// When it was looked at last.
    looked: Duration,
    /// When the files were read last.
    read: Duration,
    fingerprint: String,
}

impl Rescans {
    /// As [`fingerprint`]; none where it is too early for another look. `now` is monotonic.
    ///
    /// # Errors
    /// As there.
    pub fn fingerprint(&mut self, dir: &Path, now: Duration) -> io::Result<Option<String>> {
        self.look(now, || Glance::at(dir), || fingerprint(dir))
    }

    fn look(
        &mut self,
        now: Duration,
        glance: impl FnOnce() -> Glance,
        read: impl FnOnce() -> io::Result<String>,
    ) -> io::Result<Option<String>> {
        if self.0.as_ref().is_some_and(|before| now < before.next_look()) {
            return Ok(None);
        }
        // Taken first: what changes while the files are read differs from it.
        self.seen(glance(), now, read).map(Some)
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
            Some(before) if before.is_believed(now) => Seen { looked: now, ..before },
            _ => Seen { glance, since, looked: now, read: now, fingerprint: read()? },
        };
        let fingerprint = seen.fingerprint.clone();
        self.0 = Some(seen);
        Ok(fingerprint)
    }
}

impl Seen {
    /// What has just changed is looked at again at once, to see whether that was all.
    fn next_look(&self) -> Duration {
        let pause = Duration::from_millis(1000 / FILES_A_SECOND * self.glance.files).min(LONGEST_PAUSE);
        if self.looked < self.since + TICK { self.looked } else { self.looked + pause }
    }

    fn is_believed(&self, now: Duration) -> bool {
        self.read >= self.since + TICK && now < self.read + BELIEVED
    }
}

/// What is seen of the files without reading them, as a hash: of a thousand files that are looked at every few
/// seconds, nothing is worth keeping but whether it is the same.
#[derive(Debug, PartialEq, Eq)]
struct Glance {
    hash: u64,
    files: u64,
}

impl Glance {
    fn at(dir: &Path) -> Self {
        let (mut seen, mut files) = (DefaultHasher::new(), 0);
        for dir in [dir, &dir.join(APPS)] {
            if let Err(error) = add(dir, &mut seen, &mut files) {
                error.raw_os_error().hash(&mut seen);
            }
        }
        Self { hash: seen.finish(), files }
    }
}

/// A directory and all that is in it, in the directory's own order: another one costs no more than a read.
/// Of a link, what it leads to counts.
fn add(path: &Path, seen: &mut impl Hasher, files: &mut u64) -> io::Result<()> {
    let mut dir = Dir::new(File::open(path)?)?;
    stamp(&fstat(dir.fd()?)?).hash(seen);
    while let Some(entry) = dir.read() {
        let entry = entry?;
        // Whatever lies beside the directory changes the one above it.
        if matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        *files += 1;
        entry.file_name().hash(seen);
        let found = statat(dir.fd()?, entry.file_name(), AtFlags::empty());
        found.map(|found| stamp(&found)).map_err(Errno::raw_os_error).hash(seen);
    }
    Ok(())
}

/// All that another file, or the same after a change, has otherwise.
fn stamp(of: &Stat) -> impl Hash + use<> {
    let times = [of.st_mtime, of.st_mtime_nsec as i64, of.st_ctime, of.st_ctime_nsec as i64];
    (of.st_dev, of.st_ino, of.st_mode, of.st_size, times)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn glance(name: &str) -> Glance {
        Glance { hash: name.bytes().map(u64::from).sum(), files: 3 }
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
    fn many_files_are_looked_at_less_often_unless_they_are_changing() {
        let mut rescans = Rescans::default();
        for (second, hash, expected) in [
            (0, 1, true),
            (5, 1, true),
            (10, 1, false),
            (14, 1, false),
            (15, 1, true),
            (20, 2, false),
            (26, 2, true),
            (27, 2, true),
            (31, 2, true),
            (36, 2, false),
        ] {
            let mut looked = false;
            let look = || {
                looked = true;
                Glance { hash, files: 1000 }
            };
            let found = rescans.look(Duration::from_secs(second), look, || Ok(String::new()));
            assert_eq!((found.unwrap().is_some(), looked), (expected, expected), "at {second}");
        }
    }

    #[test]
    fn every_change_of_a_directory_is_another_glance() {
        let above = TempDir::new().unwrap();
        let dir = above.path().join("config");
        fs::create_dir(&dir).unwrap();
        let path = |name: &str| dir.join(name);
        let mut glances = vec![Glance::at(&dir)];
        let mut look = |what: &str| {
            let now = Glance::at(&dir);
            // What others do beside it is nothing of it.
            fs::write(above.path().join(what), "").unwrap();
            assert_eq!(now, Glance::at(&dir), "{what}");
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

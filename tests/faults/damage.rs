//! Store files cut off, flipped, blanked and removed: the daemon refuses and says which file, or it starts
//! with every record that was acknowledged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Place, text};
use crate::store::files;
use crate::world;

/// Everything that sled holds, but for what the store itself needs.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store that a daemon left when it was killed.
struct Sample {
    place: Place,
    rows: Rows,
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Cut off behind so many thousandths.
    Cut(u64),
    /// A bit flipped there.
    Flip(u64),
    /// A page of zeros there.
    Blank(u64),
    Removed,
}

#[derive(Debug, Default)]
struct Tried {
    refused: u32,
    intact: u32,
    /// Those among them that sled alone would have opened with less.
    lost_by_sled: u32,
    /// Records that could be saved from those that were refused, in thousandths of all.
    salvaged: Vec<usize>,
}

fn sample() -> Sample {
    let app = world::app(40, 100_000);
    let place = Place::with(&[("tick", &app)]);
    // Two lives, so that there is a snapshot, and a log behind it.
    for lines in [60, 160] {
        let daemon = place.serve();
        let runs = place.path().join("data/state/tick/runs");
        let count = || fs::read_to_string(&runs).unwrap_or_default().lines().count();
        place.until("many runs", || (count() > lines).then_some(()));
        daemon.kill();
    }
    place.write_app("tick", &world::quiet(&app));
    let daemon = place.serve();
    // Longer than what sled keeps in its pages.
    let long = format!("true {}", "x".repeat(100_000));
    place.ok(&["run-task", "tick", "-c", &long]);
    place.until("the end of every task", || crate::account::all_ended(&place).then_some(()));
    for round in 0..20 {
        place.ok(&["run-task", "tick", "--name", &format!("last-{round}"), "-c", "true", "--wait"]);
    }
    daemon.kill();
    let copy = tempfile::tempdir().unwrap();
    copy_dir(&place.path().join("data/store"), copy.path());
    let rows = rows(copy.path()).unwrap();
    assert!(rows.len() > 400, "{}", rows.len());
    Sample { place, rows }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// What sled alone makes of a store.
fn rows(store: &Path) -> Result<Rows, String> {
    let read = std::panic::catch_unwind(|| {
        let tree = sled::Config::new().path(store).open().map_err(|error| error.to_string())?;
        let rows = tree.iter().map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())));
        let rows: Result<Rows, _> = rows.collect();
        rows.map_err(|error| error.to_string())
    });
    let mut rows = read.unwrap_or_else(|_| Err("sled panicked".to_owned()))?;
    rows.retain(|key, _| key[0] != b'm');
    Ok(rows)
}

fn apply(damage: Damage, path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let place = |thousandths: u64| (bytes.len() as u64 * thousandths / 1000) as usize;
    match damage {
        Damage::Cut(at) => bytes.truncate(place(at)),
        Damage::Flip(at) => {
            let at = place(at);
            bytes[at] ^= 1 << (at % 8);
        }
        Damage::Blank(at) => {
            let at = place(at);
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
        }
        Damage::Removed => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

impl Sample {
    /// The files of the store whose names begin so, relative to it.
    fn files(&self, prefix: &str) -> Vec<PathBuf> {
        let store = self.place.path().join("data/store");
        let names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(prefix)).map(PathBuf::from).collect()
    }

    fn damaged(&self, file: &Path, damage: Damage) -> Place {
        let place = Place::with(&[("tick", &world::quiet(&world::app(40, 100_000)))]);
        copy_dir(&self.place.path().join("data/store"), &place.path().join("data/store"));
        apply(damage, &place.path().join("data/store").join(file));
        place
    }

    fn try_each(&self, prefix: &str, damages: &[Damage]) {
        let mut tried = Tried::default();
        let files = self.files(prefix);
        assert!(!files.is_empty(), "there is no `{prefix}`");
        for file in &files {
            for damage in damages {
                self.try_one(file, *damage, &mut tried);
            }
        }
        println!("{prefix}: {tried:?}");
    }

    fn try_one(&self, file: &Path, damage: Damage, tried: &mut Tried) {
        let what = format!("{} {damage:?}", file.display());
        let raw = self.damaged(file, damage);
        let lost_by_sled = rows(&raw.path().join("data/store")).is_ok_and(|rows| rows != self.rows);
        tried.lost_by_sled += u32::from(lost_by_sled);
        let place = self.damaged(file, damage);
        let store = place.path().join("data/store");
        let before = files(&store);
        let verified = place.run(&["store", "verify"]);
        assert!(files(&store) == before, "{what}: looking at it changed it");
        let daemon = place.spawn(&[]);
        if daemon.line().is_some() {
            daemon.kill();
            assert!(verified.status.success(), "{what}: {}", text(&verified.stderr));
            let rows = rows(&place.path().join("data/store")).unwrap();
            let missing = self.rows.keys().filter(|key| !rows.contains_key(*key)).map(|key| text(key));
            let missing: Vec<_> = missing.collect();
            assert!(rows == self.rows, "{what}: it started without {missing:?}\n{}", place.log());
            tried.intact += 1;
        } else {
            assert!(!daemon.ended().success(), "{what}");
            let log = place.log();
            let name = file.to_string_lossy();
            let (stem, _) = name.split_once('.').unwrap_or((&name, ""));
            assert!(log.contains("data/store` cannot be read") && log.contains("hint: "), "{what}: {log}");
            assert!(log.contains(&format!("`{stem}")), "{what}: it does not name the file\n{log}");
            assert!(!verified.status.success(), "{what}: {}", text(&verified.stdout));
            assert!(text(&verified.stderr).contains(&format!("`{stem}")), "{what}: {verified:?}");
            assert!(files(&store) == before, "{what}: refusing changed it");
            tried.refused += 1;
            self.salvage(&place, &what, &mut tried.salvaged);
        }
    }
}

impl Sample {
    /// What still reads of a store that is refused is a store again.
    fn salvage(&self, place: &Place, what: &str, salvaged: &mut Vec<usize>) {
        let exported = place.run(&["store", "export", "--salvage", "file"]);
        if !exported.status.success() {
            // Without settings or data there is nothing to go by.
            assert!(text(&exported.stderr).contains("hint: "), "{what}: {exported:?}");
            return salvaged.push(0);
        }
        place.ok(&["--data-dir", "again", "store", "import", "file"]);
        let verified = place.ok(&["--data-dir", "again", "store", "verify"]);
        let records = verified.lines().find_map(|line| line.strip_prefix("records ")?.trim().parse().ok());
        let records: usize = records.unwrap();
        // Where the newest image of a page is lost, an older one may have tasks that had not ended: each is listed as
        // such, in a row of its own.
        let tasks = self.rows.keys().filter(|key| key[0] == b't').count();
        assert!(records <= self.rows.len() + tasks + 1, "{what}: {records} of {}", self.rows.len());
        salvaged.push(records * 1000 / self.rows.len());
    }
}

fn spread(count: u64, damage: fn(u64) -> Damage) -> impl Iterator<Item = Damage> {
    (0..count).map(move |index| damage(index * 1000 / count))
}

#[test]
fn a_damaged_store_refuses_to_start_or_has_every_record() {
    let sample = sample();
    let few: Vec<_> = [Damage::Removed]
        .into_iter()
        .chain(spread(4, Damage::Cut))
        .chain(spread(8, Damage::Flip))
        .chain(spread(2, Damage::Blank))
        .collect();
    for file in ["conf", "snap.", "format", "mark"] {
        sample.try_each(file, &few);
    }
    let count = std::env::var("FAULTS_DAMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let many: Vec<_> = [Damage::Removed]
        .into_iter()
        .chain(spread(count / 2, Damage::Cut))
        .chain(spread(count, Damage::Flip))
        .chain(spread(count, Damage::Blank))
        .collect();
    sample.try_each("db", &many);
}

//! `tekcron store`: what it says of a store, what it carries away and brings back, and that it leaves a
//! whole one wherever it is killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::harness::{Place, text};

const APP: &str = r#"
[app]
name = "work"
command = "true"

[[jobs]]
name = "each"
schedule = "* * * * * *"
"#;

/// The records of [`APP`] once nothing is scheduled any more.
const QUIET: &str = "[app]\nname = \"work\"\ncommand = \"true\"\n";

/// A place whose daemon was killed, with records of every kind, and one that is too large for sled's pages.
pub(crate) fn place() -> Place {
    let place = Place::with(&[("work", APP)]);
    let daemon = place.serve();
    let long = format!("true {}", "x".repeat(131_000));
    place.ok(&["run-task", "work", "-c", &long, "--wait"]);
    place.until("a scheduled run", || {
        let tasks = place.json(&["tasks", "work"]);
        tasks.as_array().unwrap().iter().any(|task| task["scheduled"].is_string()).then_some(())
    });
    place.write_app("work", QUIET);
    place.ok(&["reload"]);
    place.ok(&["run-task", "work", "-c", "sleep 1000"]);
    daemon.kill();
    place
}

/// Every file below a directory, with its contents.
pub(crate) fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => files.append(&mut self::files(&entry.path())),
            false => drop(files.insert(entry.path(), fs::read(entry.path()).unwrap())),
        }
    }
    files
}

fn export(place: &Place) -> String {
    place.ok(&["store", "export"])
}

fn leftovers(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path().join("data")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("store.")).collect()
}

/// So much waste that a start gets rid of it.
fn bloat(place: &Place) -> u64 {
    let db = place.path().join("data/store/db");
    let mut file = fs::File::options().append(true).open(&db).unwrap();
    (0..72).for_each(|_| file.write_all(&vec![0; 1 << 20]).unwrap());
    fs::metadata(db).unwrap().len()
}

#[test]
fn what_is_exported_is_imported_and_exported_again_as_the_same_bytes() {
    let place = place();
    let before = files(&place.path().join("data/store"));
    let verified = place.ok(&["store", "verify"]);
    for line in ["active            ", "counter           1\n", "the store is whole\n"] {
        assert!(verified.contains(line), "{verified}");
    }
    let exported = export(&place);
    place.ok(&["store", "export", "file"]);
    assert_eq!(fs::read_to_string(place.path().join("file")).unwrap(), exported);
    assert!(files(&place.path().join("data/store")) == before, "looking at it changed it");

    let refused = place.run(&["store", "import", "file"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("already\nhint: name a new data directory"), "{refused:?}");
    let other = ["--data-dir", "other", "store"];
    place.ok(&[&other[..], &["import", "file"]].concat());
    assert_eq!(place.ok(&[&other[..], &["export"]].concat()), exported);
    // And a daemon takes it for its own.
    fs::rename(place.path().join("data/store"), place.path().join("gone")).unwrap();
    fs::rename(place.path().join("other/store"), place.path().join("data/store")).unwrap();
    let daemon = place.serve();
    let tasks = place.json(&["tasks", "work"]);
    assert_eq!(tasks.as_array().unwrap().len(), exported.matches("\"kind\":\"task\"").count());
    assert!(daemon.terminate().success());
    place.ok(&["store", "verify"]);
}

#[test]
fn an_export_that_was_cut_off_or_edited_is_refused_and_nothing_is_made_of_it() {
    let place = place();
    let exported = export(&place);
    let lines: Vec<&str> = exported.lines().collect();
    let without_one = [&lines[..2], &lines[3..]].concat().join("\n") + "\n";
    let swapped = [&lines[..2], &[lines[3], lines[2]], &lines[4..]].concat().join("\n") + "\n";
    let cut = exported.len() - lines.last().unwrap().len() / 2;
    for (damaged, expected) in [
        (String::new(), "the file ends before its last line"),
        ("{}\n".to_owned(), "line 1: this is no export of a store"),
        (exported.replacen(":1}", ":2}", 1), "expected format 1, found 2"),
        (exported[..cut].to_owned(), "the file ends before its last line"),
        (lines[..lines.len() - 1].join("\n") + "\n", "the file ends before its last line"),
        (without_one, "what stands before it is not what was exported"),
        (swapped, "does not belong here"),
        (exported.clone() + "\n", "more follows behind the last line"),
        (exported.replacen("\"kind\":\"counter\"", "\"kind\":\"other\"", 1), "`raw` is missing"),
    ] {
        fs::write(place.path().join("file"), damaged).unwrap();
        let refused = place.run(&["--data-dir", "other", "store", "import", "file"]);
        assert_eq!(refused.status.code(), Some(1), "{expected}");
        assert!(text(&refused.stderr).contains(expected), "{expected}: {}", text(&refused.stderr));
        assert!(!place.path().join("other").exists(), "{expected}");
    }
}

#[test]
fn no_verb_touches_a_store_that_a_daemon_has() {
    let place = Place::with(&[("work", QUIET)]);
    let missing = place.run(&["store", "verify"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("there is no store in"), "{missing:?}");
    assert!(!place.path().join("data").exists(), "looking for it made it");
    let daemon = place.serve();
    for verb in [&["verify"][..], &["export"], &["export", "--salvage"], &["compact"]] {
        let refused = place.run(&[&["store"], verb].concat());
        assert_eq!(refused.status.code(), Some(69), "{verb:?}");
        assert!(text(&refused.stderr).contains("is in use by another process\nhint: "), "{verb:?}");
    }
    fs::write(place.path().join("file"), "{\"tekcron_store\":1}\n").unwrap();
    assert_eq!(place.run(&["store", "import", "file"]).status.code(), Some(1));
    place.ok(&["run-task", "work", "--wait"]);
    assert!(daemon.terminate().success());
}

#[test]
fn a_compacted_store_has_the_same_records_and_no_waste() {
    let place = place();
    let exported = export(&place);
    let bloated = bloat(&place);
    let said = place.ok(&["store", "compact"]);
    assert!(said.contains("records: 7") && said.contains(" MiB before, "), "{said}");
    assert!(fs::metadata(place.path().join("data/store/db")).unwrap().len() < bloated / 10);
    assert_eq!(export(&place), exported);
    assert_eq!(leftovers(&place), Vec::<PathBuf>::new());
    let daemon = place.serve();
    place.ok(&["run-task", "work", "--wait"]);
    assert!(daemon.terminate().success());
    place.ok(&["store", "verify"]);
    assert!(place.ok(&["store", "compact"]).contains("compacted"));
    place.ok(&["store", "verify"]);
}

#[test]
fn a_start_compacts_where_most_of_the_store_is_waste() {
    let place = place();
    let tasks = export(&place).matches("\"kind\":\"task\"").count();
    let bloated = bloat(&place);
    let daemon = place.serve();
    let log = place.log();
    assert!(log.contains("the store was compacted") && log.contains("pause_ms="), "{log}");
    assert!(fs::metadata(place.path().join("data/store/db")).unwrap().len() < bloated / 10);
    assert_eq!(place.json(&["tasks", "work"]).as_array().unwrap().len(), tasks);
    assert!(daemon.terminate().success());
    let daemon = place.serve();
    assert_eq!(place.log().matches("the store was compacted").count(), 1, "{}", place.log());
    assert!(daemon.terminate().success());
}

#[cfg(feature = "fault-points")]
mod killed {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const POINTS: [&str; 8] = [
        "beside-begun:1",
        "beside-row:1",
        "beside-row:6",
        "beside-written:1",
        "beside-whole:1",
        "beside-exchanged:1",
        "beside-replaced:1",
        "beside-removed:1",
    ];

    fn killed(place: &Place, args: &[&str], point: &str) {
        let output = place.command(args).env("TEKCRON_FAULT", point).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{point}: {}", text(&output.stderr));
    }

    #[test]
    fn in_a_compaction() {
        let place = place();
        let exported = export(&place);
        for point in POINTS {
            killed(&place, &["store", "compact"], point);
            place.ok(&["store", "verify"]);
            assert_eq!(export(&place), exported, "{point}");
        }
        assert!(place.serve().terminate().success());
        assert_eq!(leftovers(&place), Vec::<PathBuf>::new());
        place.ok(&["store", "verify"]);
    }

    #[test]
    fn in_a_compaction_at_start() {
        let place = place();
        let tasks = export(&place).matches("\"kind\":\"task\"").count();
        for point in POINTS {
            bloat(&place);
            let ended = place.spawn(&[("TEKCRON_FAULT", point)]).ended();
            assert_eq!(ended.signal(), Some(9), "{point}\n{}", place.log());
            place.ok(&["store", "verify"]);
            let daemon = place.serve();
            assert_eq!(place.json(&["tasks", "work"]).as_array().unwrap().len(), tasks, "{point}");
            assert_eq!(leftovers(&place), Vec::<PathBuf>::new(), "{point}");
            daemon.kill();
        }
    }

    #[test]
    fn while_sled_is_spared_its_log() {
        let place = Place::with(&[("work", QUIET)]);
        let daemon = place.serve();
        // Each is written whole whenever its phase changes: some segments of log.
        let long = format!("true {}", "x".repeat(120_000));
        (0..8).for_each(|_| drop(place.ok(&["run-task", "work", "-c", &long, "--wait"])));
        daemon.kill();
        let exported = export(&place);
        for point in ["snapshot-written:1", "snapshot-named:1"] {
            let ended = place.spawn(&[("TEKCRON_FAULT", point)]).ended();
            assert_eq!(ended.signal(), Some(9), "{point}\n{}", place.log());
            assert_eq!(export(&place), exported, "{point}");
        }
        let daemon = place.serve();
        assert_eq!(place.json(&["tasks", "work"]).as_array().unwrap().len(), 8);
        assert!(!place.path().join("data/store/new.snap").exists());
        assert!(daemon.terminate().success());
        place.ok(&["store", "verify"]);
    }

    #[test]
    fn in_an_import() {
        let place = place();
        let exported = export(&place);
        fs::write(place.path().join("file"), &exported).unwrap();
        for point in ["import-locked:1"].into_iter().chain(POINTS) {
            let dir = format!("other-{point}");
            let verb = |args: &[&'static str]| [&["--data-dir", &dir, "store"], args].concat().join(" ");
            let run = |args: &[&'static str]| {
                let args = verb(args);
                place.run(&args.split(' ').collect::<Vec<_>>())
            };
            killed(&place, &verb(&["import", "file"]).split(' ').collect::<Vec<_>>(), point);
            if run(&["verify"]).status.success() {
                assert!(point.contains("ed:1") && !point.contains("written"), "{point}");
            } else {
                assert!(text(&run(&["verify"]).stderr).contains("there is no store"), "{point}");
                assert!(run(&["import", "file"]).status.success(), "{point}");
            }
            assert_eq!(text(&run(&["export"]).stdout), exported, "{point}");
        }
    }
}

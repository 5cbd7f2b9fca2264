//! An archive that has its name is whole; there are as many as are wanted; nothing else is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::sandbox::{Sandbox, listing, repository};

const BACKUP: &str = "sh backup/backup.sh";
const ARCHIVE: &str = "backup-20260329T005900Z.tar.gz";

/// What stands at a path of a tree.
#[derive(Debug, PartialEq)]
enum Entry {
    Directory,
    Link(PathBuf),
    File(Vec<u8>),
}

fn tree(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for name in listing(&directory) {
            let path = directory.join(name);
            let kind = fs::symlink_metadata(&path).unwrap();
            let entry = if kind.is_dir() {
                open.push(path.clone());
                Entry::Directory
            } else if kind.is_symlink() {
                Entry::Link(fs::read_link(&path).unwrap())
            } else {
                Entry::File(fs::read(&path).unwrap())
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), entry);
        }
    }
    found
}

/// The archive holds exactly what is at `source`, and its checksum is right.
fn holds(sandbox: &Sandbox, archive: &str, source: &Path) {
    let path = sandbox.state().join(archive);
    let sum = data_encoding::HEXLOWER.encode(&Sha256::digest(fs::read(&path).unwrap()));
    let written = fs::read_to_string(sandbox.state().join(format!("{archive}.sha256"))).unwrap();
    assert_eq!(written, format!("{sum}  {archive}\n"));
    let restored = TempDir::new().unwrap();
    let tar = Command::new("tar").arg("-xzf").arg(path).arg("-C").arg(restored.path()).status();
    assert!(tar.unwrap().success());
    assert_eq!(tree(restored.path()), tree(source));
}

/// A directory with what a backup may meet.
fn oddities() -> TempDir {
    let source = TempDir::new().unwrap();
    let at = |name: &str| source.path().join(name);
    fs::create_dir_all(at("empty/within empty")).unwrap();
    fs::create_dir(at("-directory")).unwrap();
    for name in
        ["two words", "-rf", " at both ends ", "naïve – 日本語", "$HOME", "back\\slash", "'\"*?[", ".hidden"]
    {
        fs::write(at(name), format!("this is {name}\n")).unwrap();
    }
    fs::write(at("-directory/bytes"), [0, 255, 10, 13]).unwrap();
    fs::write(at("nothing"), "").unwrap();
    symlink("two words", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("..", at("-directory/up")).unwrap();
    source
}

/// The main path, for any shell and tools.
pub(crate) fn round(sandbox: Sandbox) {
    let source = oddities();
    let sandbox = sandbox.with("BACKUP_SOURCE", source.path().to_str().unwrap());
    let said = sandbox.ok(BACKUP);
    assert!(said.contains(": 10 files, ") && said.contains("restored and compared"), "{said}");
    assert!(said.ends_with(&format!("latest: {}/{ARCHIVE}\n", sandbox.state().display())), "{said}");
    assert_eq!(sandbox.listing(), [ARCHIVE.to_owned(), format!("{ARCHIVE}.sha256")]);
    holds(&sandbox, ARCHIVE, source.path());
}

#[test]
fn a_directory_of_odd_names_links_and_emptiness_comes_back_as_it_was() {
    round(Sandbox::of("backup"));
}

#[test]
fn the_apps_own_directory_is_archived_unless_another_is_named() {
    let sandbox = Sandbox::of("backup");
    sandbox.ok(BACKUP);
    holds(&sandbox, ARCHIVE, &repository().join("examples"));
}

#[test]
fn the_newest_stay_with_their_checksums_and_older_ones_go() {
    let mut sandbox = Sandbox::of("backup").with("BACKUP_KEEP", "3");
    fs::write(sandbox.state().join("notes"), "not ours").unwrap();
    // What is within the source is no archive of ours, whatever it is called.
    fs::write(sandbox.work().join("backup-20260101T000000Z.tar.gz"), "not ours").unwrap();
    for day in 1..=5 {
        sandbox = sandbox.with("TEKCRON_SCHEDULED_TIME", &format!("2026-03-0{day}T03:00:00Z"));
        let said = sandbox.ok(BACKUP);
        assert_eq!(said.contains("removed "), day > 3, "{said}");
    }
    let expected: Vec<_> = (3..=5)
        .flat_map(|day| ["", ".sha256"].map(|end| format!("backup-2026030{day}T030000Z.tar.gz{end}")))
        .chain(["notes".to_owned()])
        .collect();
    assert_eq!(sandbox.listing(), expected);
    for day in 3..=5 {
        holds(&sandbox, &format!("backup-2026030{day}T030000Z.tar.gz"), &sandbox.work());
    }
}

#[test]
fn the_same_slot_twice_is_one_archive_of_what_is_there_now() {
    let sandbox = Sandbox::of("backup");
    sandbox.ok(BACKUP);
    fs::write(sandbox.work().join("later"), "new").unwrap();
    sandbox.ok(BACKUP);
    assert_eq!(sandbox.listing(), [ARCHIVE.to_owned(), format!("{ARCHIVE}.sha256")]);
    holds(&sandbox, ARCHIVE, &sandbox.work());
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_written() {
    let cases = [
        (
            "BACKUP_SOURCE",
            "/nowhere/at all",
            "expected a directory at BACKUP_SOURCE, found none at /nowhere/at all",
        ),
        ("BACKUP_SOURCE", "backup/backup.sh", "found none at backup/backup.sh"),
        ("BACKUP_KEEP", "0", "expected BACKUP_KEEP to be a number from 1, found 0"),
        ("BACKUP_KEEP", "00", "found 00"),
        ("BACKUP_KEEP", "-1", "found -1"),
        ("BACKUP_KEEP", "many", "found many"),
        ("BACKUP_KEEP", "7d", "found 7d"),
    ];
    for (name, value, words) in cases {
        let sandbox = Sandbox::of("backup").with(name, value);
        sandbox.run(BACKUP).failed(1, words);
        assert!(sandbox.listing().is_empty(), "{name}={value}");
    }
}

#[test]
fn a_lasting_directory_is_needed() {
    let sandbox = Sandbox::of("backup").with("TEKCRON_STATE_DIR", "");
    assert!(sandbox.run(BACKUP).err.contains("expected the directory for the archives"));
}

#[test]
fn a_tool_that_fails_leaves_what_was_there_and_nothing_more() {
    for (tool, script) in [
        ("tar", "exit 2"),
        ("gzip", "echo half; exit 1"),
        ("sha256sum", "exit 1"),
        // It forgets a file while it unpacks.
        ("tar", "/bin/tar \"$@\" && case $* in *-xf*) rm \"$2/backup/backup.sh\" ;; esac"),
        // It swallows an archive and says that all went well.
        ("gzip", "exit 0"),
    ] {
        let sandbox = Sandbox::of("backup").with("TEKCRON_SCHEDULED_TIME", "2026-03-28T00:59:00Z");
        sandbox.ok(BACKUP);
        let before = tree(&sandbox.state());
        let sandbox = sandbox.with("TEKCRON_SCHEDULED_TIME", "2026-03-29T00:59:00Z").with("BACKUP_KEEP", "1");
        sandbox.shim(tool, script);
        let ran = sandbox.run(BACKUP);
        assert_ne!(ran.code, Some(0), "{tool}: {script}: {ran}");
        assert_eq!(tree(&sandbox.state()), before, "{tool}: {script}");
    }
}

#[test]
fn a_terminated_backup_leaves_no_half_archive() {
    for tool in ["tar", "gzip", "sha256sum"] {
        let sandbox = Sandbox::of("backup");
        let ran = sandbox.end_within(&format!("exec {BACKUP}"), tool);
        assert_eq!(ran.code, Some(143), "{tool}: {ran}");
        assert!(sandbox.listing().is_empty(), "{tool}: {:?}", sandbox.listing());
    }
}

#[test]
fn what_a_killed_backup_left_goes_after_a_day() {
    let sandbox = Sandbox::of("backup");
    let (old, new) = (sandbox.state().join(".unfinished.old"), sandbox.state().join(".unfinished.new"));
    for left in [&old, &new] {
        fs::create_dir(left).unwrap();
        fs::write(left.join("archive.tar"), "half").unwrap();
    }
    let touch = Command::new("touch").args(["-d", "2001-01-01"]).arg(&old).status();
    assert!(touch.unwrap().success());
    sandbox.ok(BACKUP);
    assert!(!old.exists() && new.join("archive.tar").exists());
}

#[test]
fn a_source_that_holds_the_archives_is_refused() {
    let sandbox = Sandbox::of("backup");
    for source in [sandbox.state(), sandbox.state().parent().unwrap().to_owned(), "/".into()] {
        let sandbox = Sandbox::of("backup")
            .with("TEKCRON_STATE_DIR", sandbox.state().to_str().unwrap())
            .with("BACKUP_SOURCE", source.to_str().unwrap());
        sandbox.run(BACKUP).failed(1, "expected a source that does not hold the archives");
    }
    assert!(sandbox.listing().is_empty());
}

#[test]
fn modes_come_back_too_and_a_read_only_directory_leaves_nothing_behind() {
    let source = TempDir::new().unwrap();
    let read_only = source.path().join("read-only");
    fs::create_dir(&read_only).unwrap();
    fs::write(read_only.join("program"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(read_only.join("program"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o555)).unwrap();
    let sandbox = Sandbox::of("backup").with("BACKUP_SOURCE", source.path().to_str().unwrap());
    sandbox.ok(&format!("umask 077; {BACKUP}"));
    assert_eq!(sandbox.listing(), [ARCHIVE.to_owned(), format!("{ARCHIVE}.sha256")]);
    let listed = Command::new("tar").arg("-tvzf").arg(sandbox.state().join(ARCHIVE)).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("dr-xr-xr-x") && listed.contains("-rwxr-x--x"), "{listed}");

    sandbox.shim("tar", "/bin/tar \"$@\" && case $* in *-xf*) chmod 700 \"$2/read-only/program\" ;; esac");
    sandbox.run(BACKUP).failed(1, "what was restored differs");
    fs::set_permissions(&read_only, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_archive_that_is_no_longer_what_it_was_is_found() {
    let verify = format!("{BACKUP} --verify");
    let mut sandbox = Sandbox::of("backup");
    sandbox.run(&verify).failed(1, "found none");
    for day in 1..=2 {
        sandbox = sandbox.with("TEKCRON_SCHEDULED_TIME", &format!("2026-03-0{day}T03:00:00Z"));
        sandbox.ok(BACKUP);
    }
    assert_eq!(sandbox.ok(&verify), "verified 2 archives\n");
    let damaged = sandbox.state().join("backup-20260301T030000Z.tar.gz");
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[40] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let ran = sandbox.run(&verify);
    ran.failed(1, "1 of 2 archives are damaged");
    assert!(ran.err.contains(&format!("damaged: {}", damaged.display())), "{ran}");
    fs::remove_file(sandbox.state().join("backup-20260302T030000Z.tar.gz.sha256")).unwrap();
    sandbox.run(&verify).failed(1, "2 of 2 archives are damaged");
    sandbox.run(&format!("{BACKUP} --restore")).failed(64, "expected --verify or nothing, found --restore");
}

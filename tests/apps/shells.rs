//! The scripts are POSIX shell: they work with the shells and tools of other machines.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::sandbox::{Sandbox, find, has, listing, repository};
use crate::{backup, daylight, db_migrate, etl, mail, transfer};

/// Every shell script of the examples.
fn scripts() -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![repository().join("examples")]);
    while let Some(directory) = open.pop() {
        for path in listing(&directory).into_iter().map(|name| directory.join(name)) {
            match path.extension() {
                _ if path.is_dir() => open.push(path),
                Some(end) if end == "sh" => found.push(path),
                _ => {}
            }
        }
    }
    assert!(found.len() >= 8, "{found:?}");
    found
}

/// Runs each App's main path with the tools of `directory` alone.
fn rounds(directory: &Path) {
    let sandbox = |name: &str| Sandbox::of(name).with_tools(directory);
    backup::round(sandbox("backup"));
    let sky = Sandbox::pushed("daylight").with_tools(directory);
    if daylight::has_sines(&sky) {
        daylight::round(sky);
    }
    db_migrate::round(sandbox("db-migrate"));
    for fault in ["false", "add_column orders column '\"x'"] {
        db_migrate::mended(&sandbox("db-migrate"), fault, "");
    }
    if etl::has_zones() {
        etl::round(sandbox("etl"));
    }
    if directory.join("curl").exists() {
        mail::round(sandbox("mail"));
        transfer::round(sandbox("transfer"));
    }
}

#[test]
fn every_script_is_a_sound_one() {
    for script in scripts() {
        for shell in ["sh", "dash", "bash"].into_iter().filter(|shell| has(shell)) {
            let output = Command::new(shell).arg("-n").arg(&script).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{shell} -n: {output:?}");
        }
    }
}

#[test]
fn shellcheck_finds_nothing() {
    if !has("shellcheck") {
        return;
    }
    for script in scripts().into_iter().filter(|script| !script.parent().unwrap().ends_with("migrations")) {
        let output = Command::new("shellcheck").arg(script).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// A machine of busybox alone, as the image of these Apps is; curl is beside it in theirs.
#[test]
fn the_apps_run_on_busybox() {
    if !has("busybox") {
        return;
    }
    let tools = TempDir::new().unwrap();
    let installed = Command::new("busybox").args(["--install", "-s"]).arg(tools.path()).status();
    assert!(installed.unwrap().success());
    if has("curl") {
        symlink(find("curl").unwrap(), tools.path().join("curl")).unwrap();
    }
    rounds(tools.path());
}

#[test]
fn the_apps_run_on_dash_and_on_bash() {
    for shell in ["dash", "bash"] {
        if !has(shell) {
            continue;
        }
        let tools = TempDir::new().unwrap();
        for directory in ["/usr/bin", "/bin"] {
            for tool in listing(Path::new(directory)) {
                // The first one wins.
                let _ = symlink(Path::new(directory).join(&tool), tools.path().join(tool));
            }
        }
        let sh = tools.path().join("sh");
        std::fs::remove_file(&sh).unwrap();
        symlink(find(shell).unwrap(), sh).unwrap();
        rounds(tools.path());
    }
}

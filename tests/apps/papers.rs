//! What the papers show is what the program takes and says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tekcron::config::Config;
use tempfile::TempDir;

use crate::sandbox::{listing, repository};

/// An App without a fault.
const APP: &str = "[app]\nname = \"plain\"\ncommand = \"true\"\n";

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README, and all below `docs` and `deploy`.
fn papers() -> Vec<(String, String)> {
    let (mut found, mut open) =
        (vec![repository().join("README.md")], vec![repository().join("docs"), repository().join("deploy")]);
    while let Some(directory) = open.pop() {
        for path in listing(&directory).into_iter().map(|name| directory.join(name)) {
            match path.extension() {
                _ if path.is_dir() => open.push(path),
                Some(end) if end == "md" => found.push(path),
                _ => {}
            }
        }
    }
    let text = |path: PathBuf| (path.display().to_string(), fs::read_to_string(path).unwrap());
    found.into_iter().map(text).collect()
}

/// The blocks of a paper in the language `language`.
fn blocks<'p>(paper: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    paper.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Loads a block as what it is: an App, a part of one, or settings.
fn load(block: &str) -> Result<Config, String> {
    let table: toml::Table = block.parse().map_err(|error| format!("{error}"))?;
    let config = if let Some(app) = table.get("app") {
        let services = app.get("services").and_then(toml::Value::as_array).into_iter().flatten();
        let declared = services.map(|name| {
            let name = name.as_str().unwrap();
            format!("[services.{name}]\ncredentials = {{ env = \"CREDENTIALS\" }}\n")
        });
        Config::from_toml(&declared.collect::<String>(), &[block])
    } else if table.contains_key("jobs") {
        let jobs = table["jobs"].as_array().unwrap();
        let calendars = jobs.iter().filter_map(|job| job.get("exclude")?.as_array()).flatten();
        let calendars = calendars.map(|name| format!("[calendars.{}]\ndates = []\n", name.as_str().unwrap()));
        let told = jobs.iter().flat_map(|job| [job.get("on_failure"), job.get("on_recovery")]).flatten();
        let receivers: BTreeSet<String> = told.flat_map(receivers).collect();
        let declared: String = calendars.chain(receivers).collect();
        Config::from_toml(&declared, &[&format!("{APP}{block}")])
    } else {
        Config::from_toml(block, &[APP])
    };
    config.map_err(|problems| problems.to_string())
}

/// Whom a job tells, declared.
fn receivers(told: &toml::Value) -> Vec<String> {
    let named = |kind: &str| told.get(kind).and_then(toml::Value::as_str);
    let secret = "secret = { env = \"KEY\" }";
    let webhook = named("webhook")
        .map(|name| format!("[notify.webhooks.{name}]\nurl = \"https://x.example\"\n{secret}\n"));
    let mail = named("mail").map(|name| {
        format!("[notify.mails.{name}]\nserver = \"x.example:25\"\nfrom = \"a@x.example\"\nto = [\"b@x.example\"]\n")
    });
    webhook.into_iter().chain(mail).collect()
}

#[test]
fn every_configuration_in_the_papers_loads() {
    let mut loaded = 0;
    for (path, paper) in papers() {
        for block in blocks(&paper, "toml") {
            load(block).unwrap_or_else(|problems| panic!("{path}:\n{block}\n{problems}"));
            loaded += 1;
        }
    }
    assert!(loaded >= 2, "the papers show only {loaded} configurations");
}

#[test]
fn a_fault_in_a_block_would_be_seen() {
    for block in [
        "[app]\nname = \"x\"\ncommand = \"true\"\nmemroy = \"1Gi\"\n",
        "[[jobs]]\nname = \"x\"\nschedule = \"0 25 * * *\"\n",
        "listne = \"127.0.0.1:1\"\n",
        "[app\n",
    ] {
        assert!(load(block).is_err(), "{block}");
    }
}

/// `config/tekcron.toml` with its settings uncommented, and without the words above them.
fn uncommented() -> String {
    let file = read("config/tekcron.toml");
    let settings = file.split_once("\n\n").unwrap().1;
    settings.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect()
}

#[test]
fn the_settings_in_the_shipped_file_are_the_defaults() {
    let text = uncommented();
    let plain = text.split_once("[tls]").unwrap().0;
    let shown = Config::from_toml(plain, &[APP]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(shown.settings, Config::from_toml("", &[APP]).unwrap().settings);
    let whole = Config::from_toml(&text, &[APP]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(whole.settings.tls.is_some() && !whole.settings.env.is_empty() && !whole.services.is_empty());
}

#[test]
fn the_settings_of_the_readme_are_those_of_the_file() {
    let (readme, text) = (read("README.md"), uncommented());
    let file: toml::Table = text.parse().unwrap();
    let table = readme.split_once("| Key | Default | Meaning |\n|---|---|---|\n").unwrap().1;
    let rows: Vec<Vec<_>> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().split('`').nth(1).unwrap_or("")).collect())
        .collect();
    assert!(rows.len() >= 5, "{rows:?}");
    for row in rows {
        let value = file.get(row[1]).unwrap_or_else(|| panic!("`{}` is no setting", row[1]));
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        assert_eq!(row[2], value, "`{}`", row[1]);
    }
}

#[test]
fn what_the_papers_point_to_is_there() {
    for (path, paper) in papers() {
        let directory = PathBuf::from(&path).parent().unwrap().to_owned();
        for target in paper.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            let elsewhere = target.is_empty() || target.contains(':');
            assert!(elsewhere || directory.join(target).exists(), "{path} points to {target}");
        }
    }
}

/// The commands of the papers' consoles that need no daemon and no time of day.
#[test]
fn the_readmes_slots_are_those_that_the_program_says() {
    let readme = read("README.md");
    let mut commands = 0;
    for command in readme.split("$ tekcron next ").skip(1) {
        let (line, shown) = command.split_once('\n').unwrap();
        let shown = shown.split("```").next().unwrap();
        let line = format!("'{}' next {line}", env!("CARGO_BIN_EXE_tekcron"));
        let said = Command::new("sh").args(["-c", &line]).output().unwrap();
        // How far away they are changes.
        let slots = |text: &str| -> Vec<String> {
            text.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(slots(&String::from_utf8(said.stdout).unwrap()), slots(shown), "{line}");
        commands += 1;
    }
    assert!(commands > 0);
}

/// The App of which the README shows all that is wrong.
const WRONG: &str = r#"[app]
name = "report"
command = "sh report.sh"
memroy = "256Mi"

[[jobs]]
name = "nightly"
schedule = "0 25 * * *"
timezone = "Europe/Pariss"
"#;

#[test]
fn the_readmes_problems_are_those_that_the_program_says() {
    let readme = read("README.md");
    let shown = readme.split_once("$ tekcron check\n").unwrap().1.split("```").next().unwrap();
    let place = TempDir::new().unwrap();
    let apps = place.path().join("config/apps");
    fs::create_dir_all(&apps).unwrap();
    fs::write(apps.join("report.toml"), WRONG).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_tekcron"));
    check.arg("check").current_dir(place.path()).env_clear();
    let said = check.output().unwrap();
    assert_eq!(String::from_utf8(said.stderr).unwrap(), shown);
    assert_eq!(said.status.code(), Some(64));
}

#[test]
fn the_unit_for_systemd_lets_tasks_outlive_the_daemon_and_starts_it_rightly() {
    let unit = read("deploy/tekcron.service");
    let values = |key: &str| -> Vec<&str> {
        unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    assert_eq!(values("KillMode"), ["process"]);
    let [start] = values("ExecStart")[..] else { panic!("{unit}") };
    let words: Vec<_> = start.split_whitespace().collect();
    assert_eq!(words.last(), Some(&"serve"));
    let help = Command::new(env!("CARGO_BIN_EXE_tekcron")).args(&words[1..]).arg("--help").output().unwrap();
    assert!(help.status.success(), "{start}: {}", String::from_utf8_lossy(&help.stderr));
}

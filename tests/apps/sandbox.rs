//! A task's surroundings without tekcron: a copy of the App's directory, its environment and nothing
//! else, a lasting directory.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tekcron::push::manifest::{self, Variables};
use tempfile::TempDir;

/// Where the system's tools are.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The slot that tasks run for, unless a test says otherwise.
pub(crate) const SLOT: &str = "2026-03-29T00:59:00Z";

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Surroundings of the tasks of one App.
pub(crate) struct Sandbox {
    dir: TempDir,
    env: BTreeMap<String, String>,
    /// Beside the shims of this sandbox.
    tools: String,
}

impl Sandbox {
    /// Those of the App `name` as it is shipped.
    pub(crate) fn of(name: &str) -> Self {
        let file = repository().join(format!("config/apps/{name}.toml"));
        let file: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
        let app = file["app"].as_table().unwrap();
        let sandbox = Self::at(name, app["path"].as_str().unwrap());
        let env = app.get("env").and_then(toml::Value::as_table).into_iter().flatten();
        env.fold(sandbox, |sandbox, (name, value)| sandbox.with(name, value.as_str().unwrap()))
    }

    /// Those of the example `name`, which is pushed as its manifest says.
    pub(crate) fn pushed(name: &str) -> Self {
        let path = format!("examples/{name}");
        let file = repository().join(&path).join("manifest.yml");
        let text = fs::read_to_string(&file).unwrap();
        let manifest = manifest::read("manifest.yml", &text, &Variables::default()).unwrap();
        let env = manifest.applications[0].app["env"].as_object().unwrap();
        let sandbox = Self::at(name, &path);
        env.iter().fold(sandbox, |sandbox, (name, value)| sandbox.with(name, value.as_str().unwrap()))
    }

    fn at(name: &str, path: &str) -> Self {
        let sandbox = Self {
            dir: TempDir::new().unwrap(),
            env: BTreeMap::from([
                ("LANG".to_owned(), "en_US.UTF-8".to_owned()),
                ("TEKCRON_TASK_ID".to_owned(), "7".to_owned()),
                ("TEKCRON_TASK_NAME".to_owned(), format!("{name}-abcdefghijkl")),
                ("TEKCRON_SCHEDULED_TIME".to_owned(), SLOT.to_owned()),
            ]),
            tools: SYSTEM.to_owned(),
        };
        copy(&repository().join(path), &sandbox.work());
        for place in [sandbox.state(), sandbox.dir.path().join("shims"), sandbox.temporary()] {
            fs::create_dir(place).unwrap();
        }
        sandbox
    }

    /// With `name` in the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without `name` in the environment.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// With the tools of `directory`, and none of the system's.
    pub(crate) fn with_tools(mut self, directory: &Path) -> Self {
        self.tools = directory.display().to_string();
        self
    }

    /// Puts a script in front of the tool `name`.
    pub(crate) fn shim(&self, name: &str, script: &str) {
        let path = self.dir.path().join("shims").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Lets the tool `name` work again.
    pub(crate) fn unshim(&self, name: &str) {
        fs::remove_file(self.dir.path().join("shims").join(name)).unwrap();
    }

    /// The working directory.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// The lasting directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Where scripts put what they need for a while.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    /// What is in the lasting directory, hidden files too.
    pub(crate) fn listing(&self) -> Vec<String> {
        listing(&self.state())
    }

    /// Runs a shell line to its end.
    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line).output().unwrap())
    }

    /// Runs a shell line that must go well; its stdout.
    pub(crate) fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert!(ran.code == Some(0), "`{line}` {ran}");
        ran.out
    }

    /// Runs a shell line until the tool `tool` is called, ends its process group there, and says how it
    /// ended.
    pub(crate) fn end_within(&self, line: &str, tool: &str) -> Ran {
        let (reached, never) = (self.fifo("reached"), self.fifo("never"));
        self.shim(tool, &format!(": >'{}'\nread -r _ <'{}'", reached.display(), never.display()));
        let child: Child = self.command(line).process_group(0).spawn().unwrap();
        // Opened by the tool for writing: then this comes to an end.
        fs::File::open(reached).unwrap().read_to_end(&mut Vec::new()).unwrap();
        kill_process_group(Pid::from_child(&child), Signal::TERM).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        self.unshim(tool);
        ran
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).current_dir(self.work()).env_clear().envs(&self.env);
        command.env("PATH", format!("{}:{}", self.dir.path().join("shims").display(), self.tools));
        command.env("HOME", self.work()).env("TMPDIR", self.temporary());
        if !self.env.contains_key("TEKCRON_STATE_DIR") {
            command.env("TEKCRON_STATE_DIR", self.state());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        path
    }
}

/// What came of a line.
pub(crate) struct Ran {
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It must have failed with `code`, and said `words` on stderr.
    pub(crate) fn failed(&self, code: i32, words: &str) {
        assert!(self.code == Some(code) && self.err.contains(words), "expected {code}, `{words}`: {self}");
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended with {:?}\n{}\n{}", self.code, self.out, self.err)
    }
}

/// The names in a directory, sorted.
pub(crate) fn listing(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(name).collect();
    names.sort();
    names
}

/// Copies a tree.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in listing(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        let kind = fs::symlink_metadata(&from).unwrap();
        if kind.is_dir() {
            copy(&from, &to);
        } else if kind.is_symlink() {
            symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Says, even where the test goes well, that a part of it was left out.
pub(crate) fn skipped(why: &str) {
    let line = format!("SKIPPED: {why}, and what needs it was not tested\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether `tool` is installed; else a test says loudly that it did not look.
pub(crate) fn has(tool: &str) -> bool {
    let found = find(tool).is_some();
    if !found {
        skipped(&format!("`{tool}` is not installed"));
    }
    found
}

/// Where `tool` is installed.
pub(crate) fn find(tool: &str) -> Option<PathBuf> {
    SYSTEM.split(':').map(|directory| Path::new(directory).join(tool)).find(|path| path.exists())
}

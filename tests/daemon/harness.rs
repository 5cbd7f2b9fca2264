//! A place with a config directory, daemons that run in it, and the command line.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, Pid, Signal, fcntl_getlk, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const SERVE: &[&str] = &["--config", "config", "serve", "--listen", "127.0.0.1:0"];

/// Long enough for any machine; only a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a config, where daemons come and go.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// A place whose Apps are the files `apps`, by name.
    pub(crate) fn with(apps: &[(&str, &str)]) -> Self {
        let place = Self { dir: TempDir::new().unwrap() };
        fs::create_dir_all(place.path().join("config/apps")).unwrap();
        for (name, text) in apps {
            place.write_app(name, text);
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write_app(&self, name: &str, text: &str) {
        fs::write(self.path().join(format!("config/apps/{name}.toml")), text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tekcron"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TEKCRON_"))
        {
            command.env_remove(name);
        }
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let verb = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&verb);
        in_time(pid, || verb.wait_with_output().unwrap())
            .unwrap_or_else(|| panic!("{args:?} did not end\n{}", self.log()))
    }

    /// Runs a verb that must succeed; its stdout.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}\n{}", output.status, text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a verb with `-o json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["-o", "json"]].concat())).unwrap()
    }

    /// Starts a daemon that is ready when this returns.
    pub(crate) fn serve(&self) -> Daemon {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, env: &[(&str, &str)]) -> Daemon {
        let daemon = self.spawn(env);
        let first = daemon.line();
        assert!(first.is_some(), "it did not start\n{}", self.log());
        daemon
    }

    /// Starts a daemon, as a shell does that ignores `signals`.
    pub(crate) fn serve_ignoring(&self, signals: &[&str]) -> Daemon {
        let program = self.command(SERVE).get_program().to_owned();
        let line = format!("trap '' {}; exec \"$0\" \"$@\"", signals.join(" "));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &line]).arg(program).args(SERVE).current_dir(self.path()).stdin(Stdio::null());
        let daemon = self.start(shell);
        assert!(daemon.line().is_some(), "it did not start\n{}", self.log());
        daemon
    }

    /// Starts a daemon that may not get far.
    pub(crate) fn spawn(&self, env: &[(&str, &str)]) -> Daemon {
        let mut command = self.command(SERVE);
        command.envs(env.iter().copied());
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Daemon {
        let log = fs::File::options().append(true).create(true).open(self.path().join("log")).unwrap();
        command.stderr(Stdio::from(log));
        Daemon::started(&mut command)
    }

    /// What all daemons of this place have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Every file below the data directory.
    pub(crate) fn data_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path().join("data")];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap() {
                    kind if kind.is_dir() => open.push(entry.path()),
                    kind if kind.is_file() => found.push(entry.path()),
                    _ => {}
                }
            }
        }
        found
    }

    /// Asks again and again until `wanted` has an answer.
    pub(crate) fn until<T>(&self, what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
        // Nothing else tells a test from outside that a daemon has done something: each question is a
        // process of its own, which is pause enough.
        let (_hold, deadline) = channel::<()>();
        let started = std::thread::spawn(move || deadline.recv_timeout(PATIENCE));
        loop {
            if let Some(answer) = wanted() {
                return answer;
            }
            assert!(!started.is_finished(), "never: {what}\n{}", self.log());
        }
    }
}

/// Tasks outlive their daemon, and must not outlive a test.
impl Drop for Place {
    fn drop(&mut self) {
        let tasks = fs::read_dir(self.path().join("data/tasks"));
        let tasks: Vec<PathBuf> = tasks.into_iter().flatten().flatten().map(|task| task.path()).collect();
        for task in &tasks {
            // One without is gone, or was never begun.
            let Ok(record) = fs::File::open(task.join("record")) else { continue };
            let asked = Flock::from(FlockType::WriteLock);
            if let Ok(Some(lock)) = fcntl_getlk(&record, &asked)
                && let Some(shim) = lock.pid
                && fs::write(task.join("terminate"), "").is_ok()
                && kill_process(shim, Signal::USR1).is_ok()
            {
                // Its supervisor has it locked to the end.
                let _ = in_time(shim, || fcntl_lock(&record, FlockOperation::LockShared));
            }
        }
    }
}

/// A daemon. One that is still there when a test ends is killed.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    /// Starts `command`, which is a daemon, or becomes one.
    pub(crate) fn started(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The next line that it prints; none when it has ended.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it neither printed nor ended"),
        }
    }

    /// Whether it lived for `duration`, whatever it printed.
    pub(crate) fn lives_for(&self, duration: Duration) -> bool {
        let mut printed = self.lines.recv_timeout(duration);
        while printed.is_ok() {
            printed = self.lines.recv_timeout(duration);
        }
        printed == Err(RecvTimeoutError::Timeout)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for it to end by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        in_time(self.pid(), || self.child.wait().unwrap()).expect("it did not end")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `wait` has to say of the child `pid`; nothing where that had to be killed for it.
fn in_time<T>(pid: Pid, wait: impl FnOnce() -> T) -> Option<T> {
    let (hold, deadline) = channel::<()>();
    let watch = std::thread::spawn(move || {
        let is_late = deadline.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if is_late {
            // It may be ending right now.
            let _ = kill_process(pid, Signal::KILL);
        }
        is_late
    });
    let said = wait();
    drop(hold);
    (!watch.join().unwrap()).then_some(said)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

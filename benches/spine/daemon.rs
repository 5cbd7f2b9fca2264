//! The real binary, serving.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_tekcron");

/// A daemon, ended when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    data: PathBuf,
    /// From start to its first line, which says that it is ready.
    pub(crate) ready_after: Duration,
}

impl Daemon {
    /// Starts one for the configuration in `config`, and waits until it is ready.
    pub(crate) fn start(config: &Path, data: &Path, env: &[(&str, &str)]) -> Self {
        let log = fs::File::create(config.with_extension("log")).expect("the directory is ours");
        let began = Instant::now();
        let mut child = Command::new(BINARY)
            .arg("--config")
            .arg(config)
            .arg("--data-dir")
            .arg(data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary is there");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the pipe can be read");
        assert!(!line.is_empty(), "the daemon did not start: {:?}", fs::read(config.with_extension("log")));
        let ready_after = began.elapsed();
        // What it prints later is nobody's business, but it must have somebody to print to.
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(drop));
        Self { child, data: data.to_owned(), ready_after }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let url = fs::read_to_string(self.data.join("address")).expect("the daemon is ready");
        let address = url.trim().trim_start_matches("http://").trim_end_matches('/');
        address.parse().expect("it is an address")
    }

    /// Its token.
    pub(crate) fn token(&self) -> String {
        fs::read_to_string(self.data.join("token")).expect("the daemon is ready").trim().to_owned()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

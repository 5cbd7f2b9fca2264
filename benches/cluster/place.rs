//! Configurations of many jobs that are due at one instant.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tekcron::config::{self, Config, SettingsOverrides};

/// Jobs of each App.
const JOBS: usize = 100;

/// Writes a configuration whose `count` jobs are due once, at `due`.
pub(crate) fn write_config(dir: &Path, settings: &str, image: &str, count: usize, due: Timestamp) {
    fs::create_dir_all(dir.join("apps")).expect("the directory is ours");
    let settings = format!("log = \"error\"\nexecutor = \"tekton\"\n{settings}");
    fs::write(dir.join("tekcron.toml"), settings).expect("the directory is ours");
    let at = due.to_zoned(TimeZone::UTC).strftime("%-S %-M %-H %-d %-m *").to_string();
    for number in 0..count.div_ceil(JOBS) {
        let app = format!("app-{number:03}");
        let mut text = format!("[app]\nname = \"{app}\"\nimage = \"{image}\"\ncommand = \"true\"\n");
        for job in 0..JOBS.min(count - number * JOBS) {
            write!(text, "\n[[jobs]]\nname = \"job-{job:03}\"\nschedule = \"{at}\"\n").expect("a String");
        }
        fs::write(dir.join(format!("apps/{app}.toml")), text).expect("the directory is ours");
    }
}

/// Reads it, with its data in `data`.
pub(crate) fn load_config(dir: &Path, data: &Path) -> Arc<Config> {
    let overrides = SettingsOverrides { data_dir: Some(data.to_owned()), ..SettingsOverrides::default() };
    Arc::new(config::load(dir, &overrides).expect("the configuration is right"))
}

/// The whole second that comes after so many.
pub(crate) fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + 1 + seconds).expect("it is soon")
}

/// From an instant until a moment; nothing where that came before.
pub(crate) fn since(due: Timestamp, then: SystemTime) -> Duration {
    then.duration_since(SystemTime::from(due)).unwrap_or_default()
}

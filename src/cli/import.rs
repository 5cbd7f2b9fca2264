//! `tekcron import`: what other schedulers read, as App files. Needs no daemon; writes all it makes, or nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::error::CliError;
use super::exit_code;
use super::output::{print_bytes, say};
use crate::app::{AppName, suggest_name};
use crate::config::import::{self, Imported};
use crate::config::{Problem, Problems};
use crate::durable;
use crate::schedule::Zone;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

/// What is read.
#[derive(Debug, Subcommand)]
enum From {
    /// A crontab: a user's, or one of the system with a user before each command
    Crontab(CrontabArgs),
    /// CronJobs of Kubernetes (batch/v1), as YAML
    Cronjob(ManifestArgs),
    /// Apps, Tasks and TaskSchedules of Kf (kf.dev/v1alpha1), as YAML
    Kf(ManifestArgs),
}

#[derive(Debug, Args)]
struct CrontabArgs {
    #[command(flatten)]
    common: ManifestArgs,
    /// What the App is called; without it, as the file is
    #[arg(long, value_name = "NAME")]
    app: Option<AppName>,
    /// The zone of the machine whose cron read it; without it this machine's
    #[arg(long, value_name = "TZ")]
    timezone: Option<Zone>,
    /// Whether a user stands before each command
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    #[arg(
        help = "Whether a user stands before each command: always, never, or auto, in /etc/crontab and cron.d"
    )]
    users: Users,
}

#[derive(Debug, Args)]
struct ManifestArgs {
    /// The file, or `-` for what comes on stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Directory to write a file for each App to, such as config/apps; without it the App is printed
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Users {
    /// In /etc/crontab and cron.d.
    #[default]
    Auto,
    Always,
    Never,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    /// The file could not be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The file's name gives no name for an App.
    #[error("expected a name for the App, found none in `{0}`\nhint: `--app NAME`")]
    NoName(PathBuf),
    /// The App files would not be one.
    #[error("expected a directory for {0} Apps, found none: a file holds one\nhint: `--into config/apps`")]
    Several(usize),
    /// A file of that name is there.
    #[error(
        "`{0}` is there already, and is left as it is\nhint: move it away, or import into another directory"
    )]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("cannot write `{path}`: {source}; nothing was imported")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl ImportError {
    /// How the program ends.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Read { .. } => exit_code::IO,
            Self::NoName(_) | Self::Several(_) => exit_code::USAGE,
            Self::Exists(_) | Self::Write { .. } => exit_code::CANNOT_CREATE,
        }
    }
}

/// Imports, and says what means something else here.
pub(super) fn run(args: &ImportArgs) -> Result<(), CliError> {
    let common = match &args.from {
        From::Crontab(args) => &args.common,
        From::Cronjob(args) | From::Kf(args) => args,
    };
    let (shown, text) = read(&common.file)?;
    let imported = match &args.from {
        From::Crontab(args) => import::crontab(&shown, &text, &args.how()?)?,
        From::Cronjob(_) => import::cronjob(&shown, &text)?,
        From::Kf(_) => import::kf(&shown, &text)?,
    };
    let Imported { apps, warnings } = imported;
    match (&common.into, &apps[..]) {
        (Some(dir), apps) => write_all(dir, apps)?,
        (None, [app]) => print_bytes(app.toml.as_bytes())?,
        (None, apps) => return Err(ImportError::Several(apps.len()).into()),
    }
    if !warnings.is_empty() {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say(&warnings.report(colour));
    }
    Ok(())
}

impl CrontabArgs {
    fn how(&self) -> Result<import::Crontab, CliError> {
        let file = &self.common.file;
        let app = match &self.app {
            Some(app) => app.clone(),
            None => app_of(file).ok_or_else(|| ImportError::NoName(file.clone()))?,
        };
        let users = match self.users {
            Users::Always => true,
            Users::Never => false,
            Users::Auto => file == Path::new("/etc/crontab") || is_in_cron_d(file),
        };
        let timezone = self.timezone.clone().unwrap_or_else(Zone::of_machine);
        Ok(import::Crontab { app, users, timezone })
    }
}

fn app_of(file: &Path) -> Option<AppName> {
    suggest_name(file.file_stem()?.to_str()?)?.parse().ok()
}

fn is_in_cron_d(file: &Path) -> bool {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    absolute.parent().and_then(Path::file_name).is_some_and(|dir| dir == "cron.d")
}

/// What the file is called in messages, and its text.
fn read(file: &Path) -> Result<(String, String), CliError> {
    let shown = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    let mut bytes = Vec::new();
    let taken = match file == Path::new("-") {
        true => io::stdin().lock().read_to_end(&mut bytes).map(drop),
        false => fs::read(file).map(|read| bytes = read),
    };
    taken.map_err(|source| ImportError::Read { path: file.to_owned(), source })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((shown, text)),
        Err(error) => {
            let message =
                format!("expected UTF-8, found another byte at {}", error.utf8_error().valid_up_to());
            let problem = Problem::of_file(shown, message, "`iconv -t UTF-8` converts a text");
            Err(Problems::from(problem).into())
        }
    }
}

/// Writes all files, or none: what was written before one that cannot be is taken away again.
fn write_all(dir: &Path, apps: &[import::ImportedApp]) -> Result<(), ImportError> {
    let paths: Vec<_> = apps.iter().map(|app| dir.join(format!("{}.toml", app.name))).collect();
    if let Some(there) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(ImportError::Exists(there.clone()));
    }
    for (number, (path, app)) in paths.iter().zip(apps).enumerate() {
        let written = create(path, app.toml.as_bytes());
        if let Err(source) = written {
            for path in &paths[..number] {
                // It says already that nothing was imported.
                let _ = fs::remove_file(path);
            }
            return Err(ImportError::Write { path: path.clone(), source });
        }
    }
    let synced = durable::sync_dir(dir);
    synced.map_err(|source| ImportError::Write { path: dir.to_owned(), source })?;
    for path in &paths {
        say(&format!("wrote `{}`", path.display()));
    }
    Ok(())
}

fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

//! Importers: what other schedulers read, as App files that `tekcron check` accepts.
//!
//! A reader takes one text and makes Apps of it in the shapes of [`shape`](super::shape). All that it cannot
//! take over is told at once, and then nothing is given; what it can, but what means something else here, is a
//! warning, which also stands at the head of the file that is made. What is given has been checked as any
//! configuration is.

mod container;
mod cronjob;
mod crontab;
mod documents;
mod elsewhere;
mod kf;
mod name;

use super::Config;
use super::problem::{Place, Problem, Problems, Severity};
use super::shape::AppFile;

pub use self::cronjob::cronjob;
pub use self::crontab::{Crontab, crontab};
pub use self::kf::kf;

/// What an import has made.
#[derive(Debug)]
pub struct Imported {
    /// The App files.
    pub apps: Vec<ImportedApp>,
    /// What means something else here than it did there. None is an error.
    pub warnings: Problems,
}

/// An App file.
#[derive(Debug)]
pub struct ImportedApp {
    /// The name of its App.
    pub name: String,
    /// Its text.
    pub toml: String,
}

/// Writes the Apps as files, unless something could not be taken over. Each problem comes with the name of the App
/// that it is about.
fn finish(file: &str, apps: &[AppFile], problems: Vec<(String, Problem)>) -> Result<Imported, Problems> {
    let all = |problems: Vec<(String, Problem)>| problems.into_iter().map(|(_, problem)| problem).collect();
    if problems.iter().any(|(_, problem)| problem.severity == Severity::Error) {
        return Err(all(problems));
    }
    if apps.is_empty() {
        let message = "expected something that runs on a schedule, found nothing that could be taken over";
        return Err(Problem::of_file(file, message, "`tekcron import --help` says what is read").into());
    }
    let written: Vec<_> = apps.iter().map(|app| written(file, app, &problems)).collect();
    let texts: Vec<_> = written.iter().map(|app| app.toml.as_str()).collect();
    Config::from_toml("", &texts)?;
    Ok(Imported { apps: written, warnings: all(problems) })
}

fn written(file: &str, app: &AppFile, problems: &[(String, Problem)]) -> ImportedApp {
    let name = app.app.name.0.clone();
    let mut toml = format!("# From `{}`.\n", one_line(file));
    for (_, warning) in problems.iter().filter(|(about, _)| *about == name) {
        toml.push_str(&format!("# {}{}.\n", within(file, &warning.place), one_line(&warning.message)));
    }
    toml.push('\n');
    toml.push_str(&toml::to_string_pretty(app).expect("the shapes of files are what TOML can hold"));
    ImportedApp { name, toml }
}

/// Where in the file something is, as the beginning of a sentence about it.
fn within(file: &str, place: &Place) -> String {
    match place {
        Place::Text(excerpt) => format!("line {}: ", excerpt.line),
        Place::File(place) => match place.strip_prefix(file).and_then(|rest| rest.strip_prefix(": ")) {
            Some(within) => format!("{}: ", one_line(within)),
            None => String::new(),
        },
        Place::Variable(name) => format!("{name}: "),
    }
}

/// Whether a zone is what holds where none is named.
fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC")
}

/// A text that cannot end a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

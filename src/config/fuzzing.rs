//! What holds for any settings and App file.

use jiff::Timestamp;

use super::files::{APPS, File, Files, SETTINGS};
use super::load::any_files;
use super::{Checked, Config, Place, Problem, Problems, ics};
use crate::cli::render::{self, RenderArgs, RenderFormat};
use crate::schedule::ExclusionCalendar;

/// See [`crate::fuzzing::app_file`].
pub(crate) fn app_file(input: &[u8]) {
    const BETWEEN: &[u8] = b"\n%%\n";
    let at = input.windows(BETWEEN.len()).position(|window| window == BETWEEN);
    let (settings, app) = match at {
        Some(at) => (Some(&input[..at]), &input[at + BETWEEN.len()..]),
        None => (None, input),
    };
    let file = |name: &str, bytes: &[u8]| File { name: name.to_owned(), bytes: bytes.to_vec() };
    let files = Files {
        settings: settings.map(|settings| file(SETTINGS, settings)),
        apps: vec![file(&format!("{APPS}/1.toml"), app)],
        ..Files::default()
    };
    let Checked { config, problems } = any_files(files, Timestamp::UNIX_EPOCH);
    assert_eq!(config.is_none(), problems.errors() > 0);
    for problem in problems.iter() {
        within(problem, settings.unwrap_or_default(), app);
    }
    reported(&problems);
    if let Some(config) = &config {
        rendered(config);
    }
}

/// See [`crate::fuzzing::calendar`].
pub(crate) fn calendar(input: &[u8]) {
    match ics::read(input) {
        Ok(times) => {
            let mut all = times.on_the_clock.iter().chain(&times.instants);
            assert!(all.all(|(first, end)| first < end));
            ExclusionCalendar::new("any", times).expect("a file has no cron expressions");
        }
        Err(fault) => assert!(!fault.message.is_empty() && !fault.hint.is_empty()),
    }
}

/// The place of a problem is one in the text of its file.
fn within(problem: &Problem, settings: &[u8], app: &[u8]) {
    assert!(!problem.message.is_empty());
    let Place::Text(excerpt) = &problem.place else { return };
    let text = if excerpt.file.ends_with(SETTINGS) { settings } else { app };
    let text = std::str::from_utf8(text).expect("only text has places");
    let line = text.split('\n').nth(excerpt.line - 1).expect("the line is there");
    let line = line.trim_end_matches('\r');
    assert!(line.len() == excerpt.text.len() || excerpt.text.len() <= 400, "{excerpt:?}");
    assert!(excerpt.text.get(excerpt.span.clone()).is_some(), "{excerpt:?}");
    assert!(excerpt.column <= line.chars().count() + 1, "{excerpt:?}");
}

/// A report does not reach for the terminal.
fn reported(problems: &Problems) {
    let plain = problems.report(false);
    assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
    assert!(problems.report(true).len() >= plain.len());
}

/// What is accepted can be submitted, and its slots can be told.
fn rendered(config: &Config) {
    let jobs = config.jobs().map(|(app, job)| format!("{}.{}", app.name, job.name));
    for target in config.apps.keys().map(ToString::to_string).chain(jobs) {
        for output in [RenderFormat::Yaml, RenderFormat::Json] {
            let args = RenderArgs { target: target.clone(), output, all: true, build: false, source: None };
            match render::run(&args, config, &mut Vec::new()) {
                Ok(()) => {}
                Err(error) => assert!(error.to_string().contains("start command"), "{error}"),
            }
        }
    }
    for schedule in config.jobs().flat_map(|(_, job)| &job.schedules) {
        let next = schedule.recurrence.next_after(Timestamp::UNIX_EPOCH);
        assert!(next.is_some(), "{schedule:?}");
    }
}

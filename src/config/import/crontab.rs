//! Crontabs, as Vixie's cron (Debian) and cronie read them: entries, variables, `%`, and in a system's crontab
//! the user before the command.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::name::Names;
use super::{Imported, finish, is_utc};
use crate::app::AppName;
use crate::config::fault::Fault;
use crate::config::problem::{Problem, Problems, Severity};
use crate::config::shape::{App, AppFile, CatchUp, Command, Cron, Duration, Env, Job, Name};
use crate::config::source::{Found, Source};
use crate::schedule::{DstMode, Expression, ExpressionError, Recurrence, Zone};

/// How a crontab is read.
#[derive(Debug)]
pub struct Crontab {
    /// What its App is called.
    pub app: AppName,
    /// Whether a user stands before each command.
    pub users: bool,
    /// The zone of the machine whose cron read it.
    pub timezone: Zone,
}

/// An entry's shell where none is set, which is that of a command that is a text.
const SHELL: &str = "/bin/sh";
const FIELDS: usize = 5;

/// Reads the crontab `file`.
///
/// # Errors
/// [`Problems`]: all lines that cannot be taken over.
pub fn crontab(file: &str, text: &str, how: &Crontab) -> Result<Imported, Problems> {
    let source = Source::new(file, text);
    let mut reading = Reading::new(&source, how);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        reading.line(start, line.trim_end_matches(['\n', '\r']));
        start += line.len();
    }
    let app = reading.app();
    let zone = how.timezone.name();
    let notes = vec![
        note(
            file,
            format!("cron went by the clock of its machine, which is taken to be in `{zone}`"),
            "`--timezone` says otherwise",
        ),
        note(
            file,
            "a task starts in a directory of its own and with an environment of its own, not in the home of a user".to_owned(),
            "write paths in full, and variables in `env`",
        ),
    ];
    let notes = if app.is_some() && source.is_sound() { notes } else { Vec::new() };
    let problems = notes.into_iter().chain(source.into_problems());
    finish(file, app.as_slice(), problems.map(|problem| (how.app.to_string(), problem)).collect())
}

fn note(file: &str, message: String, hint: &str) -> Problem {
    Problem::of_file(file, message, hint).only_a_warning()
}

/// What has been read so far, and holds for the lines that follow.
struct Reading<'a> {
    source: &'a Source,
    how: &'a Crontab,
    shell: Option<String>,
    timezone: Zone,
    env: BTreeMap<String, String>,
    jitter: Option<Duration>,
    names: Names,
    users: BTreeSet<String>,
    jobs: Vec<Job>,
}

/// A word and where it begins in the text.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    at: usize,
}

impl Word<'_> {
    fn span(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }
}

impl<'a> Reading<'a> {
    fn new(source: &'a Source, how: &'a Crontab) -> Self {
        Self {
            source,
            how,
            shell: None,
            timezone: how.timezone.clone(),
            env: BTreeMap::new(),
            jitter: None,
            names: Names::default(),
            users: BTreeSet::new(),
            jobs: Vec::new(),
        }
    }

    fn line(&mut self, at: usize, line: &str) {
        let text = line.trim_start();
        let at = at + (line.len() - text.len());
        match text.chars().next() {
            None | Some('#') => {}
            Some(_) => match variable(text) {
                Some((name, value)) => self.variable(Word { text: text.trim_end(), at }, name, value),
                None => self.entry(Word { text, at }),
            },
        }
    }

    fn variable(&mut self, line: Word<'_>, name: &str, value: &str) {
        match name {
            "SHELL" => self.shell = (value != SHELL).then(|| value.to_owned()),
            "MAILTO" | "MAILFROM" if value.is_empty() => {}
            "MAILTO" | "MAILFROM" => self.warn(
                line.span(),
                "no output is mailed here; it is in the log of the task",
                "`tekcron logs APP` shows it",
            ),
            "CRON_TZ" => match value.parse() {
                Ok(zone) => self.timezone = zone,
                Err(error) => {
                    let fault = Fault::of(&error, "a zone as in `Europe/Paris`");
                    self.refuse(line.span(), &fault.message, &fault.hint);
                }
            },
            "RANDOM_DELAY" => match value.parse::<u16>() {
                Ok(minutes) => {
                    self.jitter = (minutes > 0).then(|| Duration::Text(format!("{minutes}m")));
                    let message = "each run is delayed by a time of its own, always the same for the same slot; cron draws lots once, when it starts";
                    self.warn(line.span(), message, "`jitter` is the longest delay");
                }
                Err(_) => {
                    let message = format!("expected minutes, found `{value}`");
                    self.refuse(line.span(), &message, "as in `RANDOM_DELAY=10`");
                }
            },
            _ => {
                if name == "HOME" {
                    let message = "tasks see `HOME`, but do not start there";
                    self.warn(line.span(), message, "begin the command with `cd \"$HOME\" && `");
                }
                self.env.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn entry(&mut self, line: Word<'_>) {
        let Some((schedule, rest)) = self.schedule(line) else { return };
        let rest = if self.how.users {
            let Some((user, rest)) = first_word(rest) else {
                return self.refuse(
                    line.span(),
                    "expected a user and a command behind the schedule, found neither",
                    "without users in this file: `--users never`",
                );
            };
            if self.users.insert(user.text.to_owned()) {
                let message = format!(
                    "cron ran this as `{}`; here it runs as the user that tekcron runs as, or as the image says",
                    user.text
                );
                self.warn(
                    user.span(),
                    &message,
                    "let that user run tekcron, or set `run_as_user` in `[app.pod_template]`",
                );
            }
            rest
        } else {
            if rest.text.split_whitespace().next() == Some("root") {
                let message = "`root` is taken for the command here";
                self.warn(rest.at..rest.at + 4, message, "if it is a user: `--users always`");
            }
            rest
        };
        if rest.text.trim().is_empty() {
            return self.refuse(
                line.span(),
                "expected a command behind the schedule, found none",
                "as in `30 2 * * * sh backup.sh`",
            );
        }
        if schedule.text.starts_with('@') && schedule.text.eq_ignore_ascii_case("@reboot") {
            let message = "`@reboot` is left out: a start of the machine is no time, and has no slot";
            return self.warn(line.span(), message, "let the machine's init system run it");
        }
        let Some(cron) = self.expression(schedule) else { return };
        let (command, stdin) = with_stdin(rest.text.trim_end());
        if stdin.is_some() {
            let message = "cron feeds what follows `%` to the command; here the shell does";
            self.warn(
                rest.span(),
                message,
                "a percent sign that is meant as one is written `\\%` there, and `%` here",
            );
        }
        let name = self.names.of_command(&command);
        let line = match stdin {
            Some(text) => format!("printf '%s\\n' {} | {{ {command}\n}}", quoted(&text)),
            None => command,
        };
        let command = match &self.shell {
            Some(shell) => Command::Exec(vec![shell.clone(), "-c".to_owned(), line]),
            None => Command::Shell(line),
        };
        self.jobs.push(Job {
            name: Name(name),
            schedule: Some(Cron(cron)),
            timezone: (!is_utc(self.timezone.name())).then(|| self.timezone.name().to_owned()),
            // Cron runs nothing later than it was due.
            catch_up: Some(CatchUp::None),
            jitter: self.jitter.clone(),
            command: Some(command),
            env: (!self.env.is_empty()).then(|| Env(self.env.clone())),
            ..Job::default()
        });
    }

    /// The schedule at the head of a line, and what follows it.
    fn schedule<'b>(&self, line: Word<'b>) -> Option<(Word<'b>, Word<'b>)> {
        let count = if line.text.starts_with('@') { 1 } else { FIELDS };
        let mut rest = line;
        let mut end = line.at;
        for found in 0..count {
            let Some((word, behind)) = first_word(rest) else {
                let message = format!("expected five fields and a command, found {found} fields");
                self.refuse(line.span(), &message, "as in `30 2 * * * sh backup.sh`");
                return None;
            };
            end = word.at + word.text.len();
            rest = behind;
        }
        Some((Word { text: &line.text[..end - line.at], at: line.at }, rest))
    }

    /// The expression that means here what `schedule` means there.
    fn expression(&self, schedule: Word<'_>) -> Option<String> {
        let random = schedule.text.contains('~');
        let text = if random { without_tilde(schedule.text) } else { schedule.text.to_owned() };
        let read: Result<Expression, ExpressionError> = text.parse();
        let expression = match read {
            Ok(expression) => expression,
            Err(error) => {
                let within = schedule.at + error.span().start..schedule.at + error.span().end;
                let span = if random { schedule.span() } else { within };
                self.refuse(span, error.message(), error.hint());
                return None;
            }
        };
        if random {
            let message =
                "cron draws lots for `~` when it starts; here the value follows from the job's name";
            self.warn(schedule.span(), message, "`tekcron next` shows it");
        }
        if let Err(error) = Recurrence::new(expression, Zone::default(), DstMode::Vixie) {
            let fault = Fault::of(&error, "such a day never comes");
            self.refuse(schedule.span(), &fault.message, &fault.hint);
            return None;
        }
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// All that was read, as an App; what holds for every job stands there.
    fn app(self) -> Option<AppFile> {
        let mut jobs = self.jobs;
        let env = jobs.first()?.env.clone();
        let common = jobs.iter().all(|job| job.env == env);
        if common {
            jobs.iter_mut().for_each(|job| job.env = None);
        }
        let app = App {
            name: Name(self.how.app.to_string()),
            env: env.filter(|_| common),
            // Cron lets a command run for as long as it takes.
            timeout: Some(Duration::Text("0".to_owned())),
            ..App::default()
        };
        Some(AppFile { app, build: None, jobs: Some(jobs) })
    }

    fn refuse(&self, span: Range<usize>, message: &str, hint: &str) {
        self.report(Severity::Error, span, message, hint);
    }

    fn warn(&self, span: Range<usize>, message: &str, hint: &str) {
        self.report(Severity::Warning, span, message, hint);
    }

    fn report(&self, severity: Severity, span: Range<usize>, message: &str, hint: &str) {
        let (path, message, hint) = (String::new(), message.to_owned(), hint.to_owned());
        self.source.report(Found { severity, span, path, message, hint });
    }
}

/// Name and value, where the line sets a variable: `NAME=value`, with or without quotes and blanks.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = unquoted(name.trim_end());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && name.chars().all(is_name)).then(|| (name, unquoted(value.trim())))
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text)
}

/// The first word, and what follows it without the blanks between.
fn first_word(text: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    let blank = |c: char| c == ' ' || c == '\t';
    let word = text.text.split(blank).next().filter(|word| !word.is_empty())?;
    let behind = &text.text[word.len()..];
    let rest = behind.trim_start_matches(blank);
    let at = text.at + word.len() + (behind.len() - rest.len());
    Some((Word { text: word, at: text.at }, Word { text: rest, at }))
}

/// The command up to the first `%`, and behind it what cron would feed to it, each further `%` a new line.
fn with_stdin(command: &str) -> (String, Option<String>) {
    let mut parts = vec![String::new()];
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'%') => {
                chars.next();
                parts.last_mut().expect("it is never empty").push('%');
            }
            '%' => parts.push(String::new()),
            _ => parts.last_mut().expect("it is never empty").push(c),
        }
    }
    let command = parts.remove(0);
    (command, (!parts.is_empty()).then(|| parts.join("\n")))
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `a~b` of cronie and OpenBSD, a random value, as the stable one that `H(a-b)` is.
fn without_tilde(schedule: &str) -> String {
    let field = |field: &str| match field.split_once('~') {
        Some(("", "")) => "H".to_owned(),
        Some((first, last)) => format!("H({first}-{last})"),
        None => field.to_owned(),
    };
    schedule.split_whitespace().map(field).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_begins_what_is_fed_to_the_command() {
        for (line, command, stdin) in [
            ("date +\\%F", "date +%F", None),
            ("mail -s hi bob%Dear Bob,%%bye", "mail -s hi bob", Some("Dear Bob,\n\nbye")),
            ("cat%", "cat", Some("")),
            ("echo \\\\", "echo \\\\", None),
        ] {
            assert_eq!(with_stdin(line), (command.to_owned(), stdin.map(str::to_owned)), "{line}");
        }
    }

    #[test]
    fn a_variable_is_told_from_an_entry() {
        for (line, expected) in [
            ("PATH=/bin:/usr/bin", Some(("PATH", "/bin:/usr/bin"))),
            ("A = \"b c\" ", Some(("A", "b c"))),
            ("\"A\"='b'", Some(("A", "b"))),
            ("MAILTO=", Some(("MAILTO", ""))),
            ("* * * * * A=b env", None),
            ("@daily A=b env", None),
            ("5 4 * * * x", None),
        ] {
            assert_eq!(variable(line), expected, "{line}");
        }
    }
}

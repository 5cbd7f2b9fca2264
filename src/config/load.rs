use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::Config;
use super::fault::Fault;
use super::files::{APPS, File, Files, ReadError, SETTINGS, calendars};
use super::overrides::SettingsOverrides;
use super::problem::{Problem, Problems};
use super::regular;
use super::settings::Settings;
use super::source::Source;
use super::validate::{
    FromFile, Lints, ReceiverNames, Surroundings, app, crowd, hide_secrets, settings, warn_of_credentials,
};
use crate::app::{App, AppName, CredentialSource, SecurityGroup, Service, ServiceName};
use crate::job::GroupName;
use crate::notify::Receivers;
use crate::schedule::ExclusionCalendar;

/// What came of looking at a configuration.
#[derive(Debug)]
pub struct Checked {
    /// The configuration, where it can be used.
    pub config: Option<Config>,
    /// All that is wrong, or looks wrong.
    pub problems: Problems,
}

impl Checked {
    fn of(problem: Problem) -> Self {
        Self { config: None, problems: problem.into() }
    }
}

/// Reads the configuration in `dir`. Warnings are left to [`check`].
///
/// # Errors
/// [`Problems`]: all of them.
pub fn load(dir: &Path, overrides: &SettingsOverrides) -> Result<Config, Problems> {
    let Checked { config, problems } = look(dir, overrides, None);
    config.ok_or(problems)
}

/// Reads the configuration in `dir`, and says all that is wrong with it and with the files that its settings
/// name, and what its schedules do after `now` that may not be meant.
pub fn check(dir: &Path, overrides: &SettingsOverrides, now: Timestamp) -> Checked {
    look(dir, overrides, Some(now))
}

fn look(dir: &Path, overrides: &SettingsOverrides, now: Option<Timestamp>) -> Checked {
    let files = match Files::read(dir) {
        Ok(files) => files,
        Err(error) => return Checked::of(unreadable(dir, &error)),
    };
    // Where there are settings, all Apps may have been pushed.
    let is_elsewhere = !files.strays.is_empty() || !files.misnamed.is_empty();
    if files.apps.is_empty() && files.unread.is_empty() && (files.settings.is_none() || is_elsewhere) {
        return Checked::of(empty(dir, &files));
    }
    match absolute(dir) {
        Ok(place) => assemble(Directory { shown: dir, place: &place, loose: false, now }, files, overrides),
        Err(source) => Checked::of(unreadable(dir, &ReadError { path: dir.to_owned(), source })),
    }
}

/// Checks one App file, against the settings of the configuration in whose `apps` it lies. An App file
/// elsewhere may bind services that nobody knows.
pub fn check_app(path: &Path, overrides: &SettingsOverrides, now: Timestamp) -> Checked {
    app_alone(path, overrides, Some(now))
        .unwrap_or_else(|source| Checked::of(unreadable(path, &ReadError { path: path.to_owned(), source })))
}

fn app_alone(path: &Path, overrides: &SettingsOverrides, now: Option<Timestamp>) -> io::Result<Checked> {
    let bytes = regular::read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (shown, place) = (parent(path), parent(&absolute(path)?));
    if place.file_name().is_none_or(|name| name != APPS) {
        let files = Files { apps: vec![File { name, bytes }], ..Files::default() };
        return Ok(assemble(Directory { shown: &shown, place: &place, loose: true, now }, files, overrides));
    }
    let place = parent(&place);
    let settings = match regular::read(&place.join(SETTINGS)) {
        Ok(bytes) => Some(File { name: SETTINGS.to_owned(), bytes }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let app = File { name: format!("{APPS}/{name}"), bytes };
    let files = Files { settings, apps: vec![app], calendars: calendars(&place), ..Files::default() };
    // Shown as its author would name it: `apps/etl.toml` is in the working directory, `etl.toml` in `apps`.
    let shown = if shown.ends_with(APPS) { parent(&shown) } else { shown.join("..") };
    Ok(assemble(Directory { shown: &shown, place: &place, loose: false, now }, files, overrides))
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// What [`Config::files`] would be, without parsing. A file that cannot be read counts as one of another
/// content.
///
/// # Errors
/// Where the directory cannot be read.
pub fn fingerprint(dir: &Path) -> io::Result<String> {
    match Files::read(dir) {
        Ok(files) => Ok(files.generation()),
        Err(ReadError { path, source }) => {
            Err(io::Error::new(source.kind(), format!("reading `{}` failed: {source}", path.display())))
        }
    }
}

impl Config {
    /// From the text of a settings file and of App files, as if they lay in `config` in the working
    /// directory.
    ///
    /// # Errors
    /// [`Problems`]: all of them.
    pub fn from_toml(settings: &str, apps: &[&str]) -> Result<Self, Problems> {
        let app = |(index, text): (usize, &&str)| File {
            name: format!("{APPS}/{}.toml", index + 1),
            bytes: text.as_bytes().to_vec(),
        };
        let files = Files {
            settings: Some(File { name: SETTINGS.to_owned(), bytes: settings.as_bytes().to_vec() }),
            apps: apps.iter().enumerate().map(app).collect(),
            ..Files::default()
        };
        let dir = Path::new("config");
        let place = absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let dir = Directory { shown: dir, place: &place, loose: false, now: None };
        let Checked { config, problems } = assemble(dir, files, &SettingsOverrides::default());
        config.ok_or(problems)
    }
}

/// Checks files that lie nowhere.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn any_files(files: Files, now: Timestamp) -> Checked {
    let dir = Path::new("/nowhere/config");
    let dir = Directory { shown: dir, place: dir, loose: false, now: Some(now) };
    assemble(dir, files, &SettingsOverrides::default())
}

/// A directory of files, as its author calls it and where it is.
#[derive(Clone, Copy)]
struct Directory<'a> {
    shown: &'a Path,
    place: &'a Path,
    /// Whether it is no configuration: its Apps may bind services that nobody knows.
    loose: bool,
    /// When this is a check: what only the moment tells is looked at too.
    now: Option<Timestamp>,
}

fn assemble(dir: Directory<'_>, files: Files, overrides: &SettingsOverrides) -> Checked {
    let base = dir.place.parent().unwrap_or(dir.place);
    let generation = files.generation();
    let mut problems: Vec<Problem> = strays(dir.shown, &files).collect();
    problems.extend(files.unread.iter().map(|error| unreadable(dir.shown, error)));
    let unknown = files.unread.iter().any(|error| error.path == dir.shown.join(SETTINGS));
    let read = read_settings(dir, files.settings, &files.calendars, base, overrides, &mut problems);
    let around = Surroundings {
        base: base.to_owned(),
        data_dir: read.settings.data_dir.clone(),
        executor: read.settings.executor,
        services: read.names.services.filter(|_| !dir.loose && !unknown),
        secret_services: secrets_of_a_cluster(&read.services).collect(),
        security_groups: read.names.security_groups.filter(|_| !dir.loose && !unknown),
        calendars: read.calendars.clone(),
        calendar_names: read.names.calendars.filter(|_| !dir.loose && !unknown),
        receivers: read.names.receivers.filter(|_| !dir.loose && !unknown),
        groups: read.names.groups.filter(|_| !dir.loose && !unknown),
        pushed: false,
        now: dir.now,
        lints: Lints::default(),
        recurrences: RefCell::default(),
        rules: RefCell::default(),
    };
    let apps = read_apps(dir.shown, files.apps, &around, &mut problems);
    let shown = dir.shown.display().to_string();
    problems.extend(around.lints.rest(&shown));
    problems.extend(dir.now.and_then(|now| crowd(&apps, &shown, now)));
    let problems = Problems::new(problems);
    let config = (problems.errors() == 0).then(|| Config {
        dir: dir.place.to_owned(),
        settings: read.settings,
        apps,
        services: read.services,
        security_groups: read.security_groups,
        calendars: read.calendars,
        files: generation.clone(),
        stored: Arc::default(),
        receivers: read.receivers,
        groups: read.groups,
        generation,
    });
    Checked { config, problems }
}

struct ReadSettings {
    settings: Settings,
    services: BTreeMap<ServiceName, Service>,
    security_groups: BTreeMap<String, SecurityGroup>,
    calendars: BTreeMap<String, Arc<ExclusionCalendar>>,
    receivers: Receivers,
    groups: BTreeMap<GroupName, u32>,
    names: Names,
}

/// The names of all that the settings declare, right or wrong; unknown where the file is no TOML.
#[derive(Default)]
struct Names {
    services: Option<BTreeSet<String>>,
    security_groups: Option<BTreeSet<String>>,
    calendars: Option<BTreeSet<String>>,
    receivers: Option<ReceiverNames>,
    groups: Option<BTreeSet<String>>,
}

impl ReadSettings {
    fn without_file(settings: Settings, names: Names) -> Self {
        let (services, security_groups, calendars, groups) = Default::default();
        Self {
            settings,
            services,
            security_groups,
            calendars,
            groups,
            receivers: Receivers::default(),
            names,
        }
    }
}

fn secrets_of_a_cluster(services: &BTreeMap<ServiceName, Service>) -> impl Iterator<Item = String> {
    let of_a_cluster = |service: &&Service| matches!(service.credentials, CredentialSource::Secret(_));
    services.values().filter(of_a_cluster).map(|service| service.name.to_string())
}

fn read_settings(
    dir: Directory<'_>,
    file: Option<File>,
    calendars: &[File],
    base: &Path,
    overrides: &SettingsOverrides,
    problems: &mut Vec<Problem>,
) -> ReadSettings {
    let outside = dir.now.is_some();
    let Some(file) = file else {
        let settings = settings(&mut FromFile::default(), overrides, base, outside, problems);
        let none = || Some(BTreeSet::new());
        let names = Names {
            services: none(),
            security_groups: none(),
            calendars: none(),
            groups: none(),
            receivers: Some(ReceiverNames::default()),
        };
        return ReadSettings::without_file(settings, names);
    };
    let Some(source) = source(dir.shown, file, problems) else {
        let settings = settings(&mut FromFile::default(), overrides, base, outside, problems);
        return ReadSettings::without_file(settings, Names::default());
    };
    let tree = source.parse();
    hide_secrets(&source, tree.get_ref());
    let readable = source.is_sound();
    let mut from_file = match readable {
        true => FromFile::read(&source, tree.get_ref(), base, calendars),
        false => FromFile::default(),
    };
    let mut beyond = Vec::new();
    let settings = settings(&mut from_file, overrides, base, outside, &mut beyond);
    if outside {
        warn_of_credentials(&source, tree.get_ref(), &from_file.services);
    }
    let FromFile { services, service_names, security_groups, security_group_names, .. } = from_file;
    let (groups, group_names) = (from_file.groups, from_file.group_names);
    let (calendars, calendar_names) = (from_file.calendars, from_file.calendar_names);
    let (receivers, receiver_names) = (from_file.receivers, from_file.receiver_names);
    drop(tree);
    problems.extend(source.into_problems().into_iter().chain(beyond));
    let names = Names {
        services: readable.then_some(service_names),
        security_groups: readable.then_some(security_group_names),
        calendars: readable.then_some(calendar_names),
        groups: readable.then_some(group_names),
        receivers: readable.then_some(receiver_names),
    };
    ReadSettings { settings, services, security_groups, calendars, groups, receivers, names }
}

fn read_apps(
    dir: &Path,
    files: Vec<File>,
    around: &Surroundings,
    problems: &mut Vec<Problem>,
) -> BTreeMap<AppName, Arc<App>> {
    let mut apps = BTreeMap::new();
    let mut places: BTreeMap<AppName, String> = BTreeMap::new();
    for file in files {
        let Some(source) = source(dir, file, problems) else { continue };
        let tree = source.parse();
        if source.is_sound()
            && let Some((app, name_at)) = app(&source, tree.get_ref(), around)
        {
            if let Some(first) = places.get(&app.name) {
                name_at.refuse(Fault::new(
                    format!("expected a name of its own, found a second App `{}`", app.name),
                    format!("the first is at {first}"),
                ));
            } else {
                places.insert(app.name.clone(), name_at.address());
                apps.insert(app.name.clone(), Arc::new(app));
            }
        }
        drop(tree);
        problems.extend(source.into_problems());
    }
    apps
}

fn source(dir: &Path, file: File, problems: &mut Vec<Problem>) -> Option<Source> {
    let name = dir.join(&file.name).display().to_string();
    match String::from_utf8(file.bytes) {
        Ok(text) => Some(Source::new(name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let message = format!("expected UTF-8, found something else at byte {at}");
            problems.push(Problem::of_file(name, message, "save it as UTF-8: TOML knows no other encoding"));
            None
        }
    }
}

/// Where `dir` is. Only what `..` stands for needs a look at the disk.
fn absolute(dir: &Path) -> io::Result<PathBuf> {
    let place = std::path::absolute(dir)?;
    match place.components().any(|component| component == Component::ParentDir) {
        true => place.canonicalize(),
        false => Ok(place),
    }
}

fn unreadable(dir: &Path, error: &ReadError) -> Problem {
    let missing = error.source.kind() == io::ErrorKind::NotFound && error.path == dir;
    let name = error.path.display();
    if missing {
        return Problem::of_file(
            name.to_string(),
            format!("expected a config directory, found nothing at `{name}`"),
            "name another with --config DIR or TEKCRON_CONFIG",
        );
    }
    let hint = match error.source.kind() {
        io::ErrorKind::PermissionDenied => "the user that tekcron runs as must be able to read it",
        io::ErrorKind::NotADirectory => "--config takes the directory that holds `apps`",
        _ => "what lies in the config directory is read as a whole, or not at all",
    };
    Problem::of_file(name.to_string(), format!("reading `{name}` failed: {}", error.source), hint)
}

fn empty(dir: &Path, files: &Files) -> Problem {
    let looked_for = format!("{APPS}/*.toml");
    let hint = match files.strays.first() {
        _ if dir.ends_with(APPS) => "name the directory that holds this one".to_owned(),
        None if !files.misnamed.is_empty() => {
            format!("only what ends in `.toml` is read, not `{}`", files.misnamed[0])
        }
        Some(stray) => format!("Apps belong in `{APPS}`: move `{stray}` to `{APPS}/{stray}`"),
        None => format!(
            "begin with an App: `{}` with `[app]`, `name = \"hello\"` and `command = \"date\"`",
            dir.join(APPS).join("hello.toml").display()
        ),
    };
    let message = format!("expected an App in `{looked_for}` of the config directory, found none");
    Problem::of_file(dir.display().to_string(), message, hint)
}

fn strays<'a>(dir: &'a Path, files: &'a Files) -> impl Iterator<Item = Problem> + 'a {
    let not_read = move |name: &str, hint: String| {
        let name = dir.join(name).display().to_string();
        Problem::of_file(name, "this file is not read", hint).only_a_warning()
    };
    let strays = files.strays.iter().map(move |name| {
        let (apps, settings) = (dir.join(APPS), dir.join(SETTINGS));
        not_read(name, format!("Apps belong in `{}`, settings in `{}`", apps.display(), settings.display()))
    });
    let misnamed = files.misnamed.iter().map(move |name| {
        let right = dir.join(name).with_extension("toml");
        not_read(name, format!("only what ends in `.toml` is: `{}`", right.display()))
    });
    strays.chain(misnamed)
}

//! From a directory of files to a [`Config`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::app_file::{self, Surroundings};
use super::problem::{Problem, Problems, SourceFile};
use super::reader::{Findings, Reader, nearest};
use super::settings_file::{Layers, SettingsOverrides};
use super::{Config, Settings};
use crate::app::{App, AppName, Service, ServiceName};
use crate::task::base32_hash;

const SETTINGS: &str = "tekcron.toml";
const APPS: &str = "apps";

/// The files of a config directory.
struct Files {
    settings: Option<Arc<SourceFile>>,
    apps: Vec<Arc<SourceFile>>,
}

/// Reads the config directory `dir`.
///
/// # Errors
/// All [`Problems`] at once.
pub fn load(dir: &Path, overrides: &SettingsOverrides) -> Result<Config, Problems> {
    let files = Files::read(dir).map_err(|problem| Problems::new(vec![problem]))?;
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    build(&files, dir, overrides)
}

/// What [`Config::generation`] would be of the files in `dir` now.
///
/// # Errors
/// Where a file or the directory cannot be read.
pub fn fingerprint(dir: &Path) -> io::Result<String> {
    let paths = paths(dir)?;
    let texts = paths.iter().map(|path| fs::read(path)).collect::<io::Result<Vec<_>>>()?;
    let texts: Vec<String> = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    Ok(generation(paths.iter().map(|path| shown(path)).zip(texts)))
}

impl Config {
    /// From the text of a settings file and of App files, without a directory. Relative paths begin
    /// at the working directory.
    ///
    /// # Errors
    /// All [`Problems`] at once.
    pub fn from_toml(settings: &str, apps: &[&str]) -> Result<Self, Problems> {
        let file = |path: String, text: &str| Arc::new(SourceFile { path, text: text.to_owned() });
        let apps = apps.iter().enumerate().map(|(index, text)| file(format!("apps/{index}.toml"), text));
        let files = Files { settings: Some(file(SETTINGS.to_owned(), settings)), apps: apps.collect() };
        let dir = std::path::absolute("config").unwrap_or_else(|_| PathBuf::from("config"));
        build(&files, dir, &SettingsOverrides::default())
    }
}

impl Files {
    fn read(dir: &Path) -> Result<Self, Problem> {
        let shown_dir = dir.display().to_string();
        let paths = paths(dir).map_err(|error| {
            let hint = format!("a config directory holds `{SETTINGS}` and `{APPS}/*.toml`; name another one with `--config DIR`");
            Problem::whole(&shown_dir, format!("the config directory cannot be read: {error}")).hint(hint)
        })?;
        let (settings, apps): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|path| path.parent() == Some(dir));
        if apps.is_empty() {
            let message = format!("expected at least one App in `{}`, found none", dir.join(APPS).display());
            let hint = format!("write `{}` with a table `[app]`", dir.join(APPS).join("NAME.toml").display());
            return Err(Problem::whole(shown_dir, message).hint(hint));
        }
        let read = |path: PathBuf| SourceFile::read(&path).map(Arc::new);
        Ok(Self {
            settings: settings.into_iter().next().map(read).transpose()?,
            apps: apps.into_iter().map(read).collect::<Result<_, _>>()?,
        })
    }
}

impl SourceFile {
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let shown = shown(path);
        let bytes =
            fs::read(path).map_err(|error| Problem::whole(&shown, format!("it cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let position = error.utf8_error().valid_up_to();
            Problem::whole(&shown, format!("expected UTF-8, found another byte at position {position}"))
        })?;
        Ok(Self { path: shown, text })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The files of a config directory, in the order of their names.
fn paths(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    // Tells a directory that is not there from one without Apps.
    fs::read_dir(dir)?;
    let apps = match fs::read_dir(dir.join(APPS)) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let is_config = |path: &PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && path.extension().is_some_and(|extension| extension == "toml")
    };
    found.extend(apps.into_iter().filter(is_config));
    found.sort();
    let settings = dir.join(SETTINGS);
    if settings.exists() {
        found.insert(0, settings);
    }
    Ok(found)
}

fn generation(files: impl Iterator<Item = (String, String)>) -> String {
    let parts: Vec<String> = files.flat_map(|(path, text)| [path, text]).collect();
    base32_hash(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn build(files: &Files, dir: PathBuf, overrides: &SettingsOverrides) -> Result<Config, Problems> {
    let findings = Findings::default();
    let base = dir.parent().unwrap_or(&dir).to_owned();
    let table = files.settings.as_ref().and_then(|source| parse(source, &findings));
    let (settings, services) = {
        let span = 0..0;
        let source_and_table = files.settings.as_ref().zip(table.as_ref());
        let file = source_and_table.map(|(source, table)| Reader::new(source, table, &span, &findings));
        let layers = Layers { file, overrides, findings: &findings, base: &base };
        let settings = layers.settings();
        if let Some(problem) = exposed(&settings, file) {
            findings.push(problem);
        }
        (settings, layers.services())
    };
    let apps = apps(files, &settings, &services, &base, &findings);
    let problems = findings.into_problems();
    if !problems.is_empty() {
        return Err(Problems::new(problems));
    }
    let all = files.settings.iter().chain(&files.apps);
    let generation = generation(all.map(|source| (source.path.clone(), source.text.clone())));
    Ok(Config { dir, settings, apps, services, generation })
}

/// A listener that strangers could reach in plain text.
fn exposed(settings: &Settings, file: Option<Reader<'_>>) -> Option<Problem> {
    if settings.listen.ip().is_loopback() || settings.tls.is_some() || settings.insecure {
        return None;
    }
    let message = format!("expected a loopback address, or `[tls]`, found `{}`", settings.listen);
    let found = file.and_then(|file| file.get("listen"));
    let problem = found
        .map_or_else(|| Problem::whole("listen", message.clone()), |found| found.problem(message.clone()));
    Some(
        problem.hint("anybody who can read the network could take the token; `insecure = true` accepts that"),
    )
}

fn apps(
    files: &Files,
    settings: &Settings,
    services: &BTreeMap<ServiceName, Service>,
    base: &Path,
    findings: &Findings,
) -> BTreeMap<AppName, Arc<App>> {
    let mut apps = BTreeMap::new();
    let mut places: BTreeMap<AppName, String> = BTreeMap::new();
    let bind = |text: &str| bind(services, text);
    let surroundings = Surroundings { base, data_dir: &settings.data_dir, services: &bind };
    for source in &files.apps {
        let Some(table) = parse(source, findings) else { continue };
        let span = 0..0;
        let file = Reader::new(source, &table, &span, findings);
        let Some((app, at)) = app_file::read(file, &surroundings) else { continue };
        match places.get(&app.name) {
            Some(first) => {
                let message = format!("expected one App `{}`, found another in `{first}`", app.name);
                findings.push(Problem::at(source, at, "app.name", message).hint("rename one of the two"));
            }
            None => {
                places.insert(app.name.clone(), source.path.clone());
                apps.insert(app.name.clone(), Arc::new(app));
            }
        }
    }
    apps
}

fn bind(services: &BTreeMap<ServiceName, Service>, text: &str) -> Result<ServiceName, String> {
    if let Some((name, _)) = services.get_key_value(text) {
        return Ok(name.clone());
    }
    let known: Vec<&str> = services.keys().map(ServiceName::as_str).collect();
    let hint = match nearest(text, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("define it in `{SETTINGS}` as `[services.{text}]`"),
    };
    Err(format!("expected a service, found none called `{text}`\nhint: {hint}"))
}

/// The tables of a file; what is no TOML is noted, and the other files are read all the same.
fn parse<'s>(source: &'s Arc<SourceFile>, findings: &Findings) -> Option<Spanned<DeTable<'s>>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = format!("this is not TOML: {}", error.message().trim_end());
        findings.push(Problem::at(source, span, "", message));
    }
    errors.is_empty().then_some(table)
}

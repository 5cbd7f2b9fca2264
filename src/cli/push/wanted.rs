use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{PushArgs, PushError, say};
use crate::app::{AppName, suggest_name};
use crate::hint;
use crate::push::manifest::{self, Application, Manifest, Variables};

/// What is to be pushed.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The App.
    pub(super) name: String,
    /// Where its code comes from.
    pub(super) code: Code,
    /// Keys of the `[app]` table.
    pub(super) app: Map<String, Value>,
    /// Keys of the `[build]` table.
    pub(super) build: Map<String, Value>,
}

/// Where the code of an App comes from.
#[derive(Debug)]
pub(super) enum Code {
    /// A directory.
    Source(PathBuf),
    /// An image that is there already.
    Image(String),
}

/// The names of a manifest that nobody has to name.
const MANIFESTS: [&str; 2] = ["manifest.yml", "manifest.yaml"];

impl Wanted {
    /// What the flags say over the manifest.
    pub(super) fn of(args: &PushArgs) -> Result<Self, PushError> {
        if !args.task {
            return Err(PushError::NotForTasks);
        }
        let read = Read::of(args)?;
        let (application, beside) = match read {
            Some(read) => (read.chosen(args.app.as_deref())?, read.directory()),
            None if !args.var.is_empty() || !args.vars_file.is_empty() => return Err(PushError::NoManifest),
            None => (Application::default(), PathBuf::from(".")),
        };
        let name = match &args.app {
            Some(name) => name.clone(),
            None if application.name.is_empty() => return Err(PushError::NoName),
            None => valid(&application.name)?,
        };
        let code = match (&args.path, &args.image, application.image) {
            (Some(path), ..) => Code::Source(path.clone()),
            (None, Some(image), _) => Code::Image(image.clone()),
            (None, None, Some(image)) => Code::Image(image),
            (None, None, None) => {
                Code::Source(application.path.map_or(beside.clone(), |path| beside.join(path)))
            }
        };
        let (mut app, mut build) = (application.app, application.build);
        for (key, value) in [
            ("command", &args.command),
            ("cpu", &args.cpu_cores),
            ("memory", &args.memory_limit),
            ("disk", &args.disk_quota),
        ] {
            app.extend(value.as_ref().map(|value| (key.to_owned(), Value::from(value.clone()))));
        }
        build.extend(
            args.build_command.as_ref().map(|line| ("command".to_owned(), Value::from(line.clone()))),
        );
        if !args.env.is_empty() {
            let env = app.entry("env").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(env) = env {
                env.extend(args.env.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))));
            }
        }
        if matches!(code, Code::Image(_)) {
            build.clear();
        }
        Ok(Self { name, code, app, build })
    }
}

/// The name, where an App can be called so.
fn valid(name: &str) -> Result<String, PushError> {
    match name.parse::<AppName>() {
        Ok(_) => Ok(name.to_owned()),
        Err(error) => {
            let (found, said) = (name.to_owned(), error.to_string());
            let message = hint::split(&said).0.to_owned();
            let suggested = suggest_name(name).unwrap_or_else(|| "APP".to_owned());
            Err(PushError::Name { found, message, suggested })
        }
    }
}

/// A manifest that was read.
struct Read {
    path: PathBuf,
    manifest: Manifest,
}

impl Read {
    fn of(args: &PushArgs) -> Result<Option<Self>, PushError> {
        let Some(path) = manifest_of(args) else { return Ok(None) };
        let mut variables = Variables::default();
        for file in &args.vars_file {
            let text = text(file, "--vars-file names a file of variables and their values")?;
            variables.take_file(&file.display().to_string(), &text)?;
        }
        for (name, value) in &args.var {
            variables.set(name, value);
        }
        let text = text(&path, "-f names a manifest of Cloud Foundry")?;
        let manifest = manifest::read(&path.display().to_string(), &text, &variables)?;
        Ok(Some(Self { path, manifest }))
    }

    fn directory(&self) -> PathBuf {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// The application that is meant; tells which of its keys mean nothing.
    fn chosen(&self, name: Option<&str>) -> Result<Application, PushError> {
        let all = &self.manifest.applications;
        let file = || self.path.display().to_string();
        let named = || all.iter().map(|application| application.name.clone());
        let chosen = match (name, all.as_slice()) {
            // As with `cf push`: the only one may be called otherwise.
            (_, [only]) => only,
            (None, _) => return Err(PushError::Several { file: file(), names: named().collect() }),
            (Some(name), all) => {
                all.iter().find(|application| application.name == name).ok_or_else(|| {
                    let nearest = hint::nearest(name, named());
                    PushError::NotInManifest { file: file(), name: name.to_owned(), nearest }
                })?
            }
        };
        let ignored: Vec<_> =
            self.manifest.ignored.iter().chain(&chosen.ignored).map(String::as_str).collect();
        if !ignored.is_empty() {
            say(&format!("`{}`: ignored, as they mean nothing for tasks: {}", file(), ignored.join(", ")));
        }
        Ok(chosen.clone())
    }
}

/// The manifest: the one that is named, else the one that lies here, else the one beside the source.
fn manifest_of(args: &PushArgs) -> Option<PathBuf> {
    let within =
        |directory: &Path| MANIFESTS.iter().map(|name| directory.join(name)).find(|path| path.is_file());
    match &args.manifest {
        _ if args.no_manifest => None,
        Some(named) if named.is_dir() => Some(within(named).unwrap_or_else(|| named.join(MANIFESTS[0]))),
        Some(named) => Some(named.clone()),
        None => within(Path::new("")).or_else(|| within(args.path.as_deref()?)),
    }
}

fn text(path: &Path, hint: &'static str) -> Result<String, PushError> {
    fs::read_to_string(path).map_err(|source| {
        let hint = match source.kind() {
            ErrorKind::InvalidData => "`iconv -t UTF-8` converts a text",
            _ => hint,
        };
        PushError::Read { path: path.to_owned(), source, hint }
    })
}

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tekcron::cli::check::{self, CheckArgs, CheckOutcome};
use tekcron::config::{self, Checked, Config, SettingsOverrides};
use tempfile::TempDir;

/// A place with a config directory in it.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// A place with the files `files` in `config`, by their names there.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let place = Self { dir: TempDir::new().unwrap() };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    /// A place with one App, whose file is `text`.
    pub(crate) fn with_app(text: &str) -> Self {
        Self::with(&[("apps/etl.toml", text)])
    }

    /// A place with the settings `text`, and an App without a fault.
    pub(crate) fn with_settings(text: &str) -> Self {
        Self::with(&[("tekcron.toml", text), ("apps/plain.toml", PLAIN)])
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.config().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("config")
    }

    pub(crate) fn look(&self) -> Checked {
        config::check(&self.config(), &SettingsOverrides::default(), now())
    }

    /// The configuration, which must be without fault.
    pub(crate) fn load(&self) -> Config {
        self.load_with(&SettingsOverrides::default())
    }

    pub(crate) fn load_with(&self, overrides: &SettingsOverrides) -> Config {
        config::load(&self.config(), overrides).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// All that `tekcron check` prints, as if it ran in this place.
    pub(crate) fn screen(&self, path: Option<&str>) -> (CheckOutcome, String) {
        let args = CheckArgs { path: path.map(|path| self.path().join(path)), cluster: false };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let overrides = SettingsOverrides::default();
        let outcome =
            check::run(&args, &self.config(), &overrides, false, now(), &mut out, &mut err).unwrap();
        let screen = String::from_utf8([err, out].concat()).unwrap();
        (outcome, self.without_dir(&screen))
    }

    /// The report about a configuration that must be wrong.
    pub(crate) fn report(&self) -> String {
        let (outcome, screen) = self.screen(None);
        assert!(matches!(outcome, CheckOutcome::Problems(1..)), "{outcome:?}\n{screen}");
        screen
    }

    /// The text as if this place were the working directory.
    pub(crate) fn without_dir(&self, text: &str) -> String {
        let dir = self.path().display().to_string();
        text.replace(&format!("{dir}/"), "").replace(&dir, "PLACE")
    }
}

/// When these tests take place.
fn now() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

/// An App without a fault.
pub(crate) const PLAIN: &str = "[app]\nname = \"plain\"\ncommand = \"date\"\n";

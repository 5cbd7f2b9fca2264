//! One layer of settings: what a file, the environment or the flags say, and leave unsaid.
//!
//! All layers have this one shape, and one function says which keys there are and how each is read. The
//! variable of a key is `TEKCRON_` and the key in capitals.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;

use super::fault::Fault;
use super::parse;
use super::problem::{Place, Problem, Problems, Severity};
use super::settings::{ExecutorKind, LogFormat, LogStreamTarget};
use super::table::Table;
use super::value::Value;
use crate::app::ByteSize;

/// What environment and flags say over the file. Flags are laid over the environment by
/// [`SettingsOverrides::over_env`]; relative paths are relative to the working directory until [`SettingsOverrides::from_env`] has
/// made them absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsOverrides {
    /// See [`super::Settings::instance`].
    pub instance: Option<String>,
    /// See [`super::Settings::namespace`].
    pub namespace: Option<String>,
    /// See [`super::Settings::data_dir`].
    pub data_dir: Option<PathBuf>,
    /// See [`super::Settings::listen`].
    pub listen: Option<SocketAddr>,
    /// The certificate of [`super::Settings::tls`].
    pub tls_certificate: Option<PathBuf>,
    /// The key of [`super::Settings::tls`].
    pub tls_key: Option<PathBuf>,
    /// See [`super::Settings::insecure`].
    pub insecure: Option<bool>,
    /// See [`super::Settings::max_children`].
    pub max_children: Option<usize>,
    /// See [`super::Settings::max_backfill`].
    pub max_backfill: Option<usize>,
    /// See [`super::Settings::grace`].
    pub grace: Option<SignedDuration>,
    /// See [`super::Settings::drain`].
    pub drain: Option<SignedDuration>,
    /// See [`super::Settings::hold`].
    pub hold: Option<SignedDuration>,
    /// See [`super::Settings::max_log`].
    pub max_log: Option<ByteSize>,
    /// See [`super::Settings::log_budget`].
    pub log_budget: Option<ByteSize>,
    /// See [`super::Settings::max_source`].
    pub max_source: Option<ByteSize>,
    /// See [`super::Settings::keep_slots`].
    pub keep_slots: Option<SignedDuration>,
    /// See [`super::Settings::log_format`].
    pub log_format: Option<LogFormat>,
    /// See [`super::Settings::log`].
    pub log: Option<String>,
    /// See [`super::Settings::health_listen`].
    pub health_listen: Option<SocketAddr>,
    /// See [`super::Settings::executor`].
    pub executor: Option<ExecutorKind>,
    /// See [`super::TektonSettings::kubeconfig`].
    pub kubeconfig: Option<PathBuf>,
    /// See [`super::TektonSettings::kube_context`].
    pub kube_context: Option<String>,
    /// See [`super::TektonSettings::max_creates`].
    pub max_creates: Option<usize>,
    /// See [`super::TektonSettings::max_submitted`].
    pub max_submitted: Option<usize>,
    /// See [`super::TektonSettings::finalizer`].
    pub finalizer: Option<bool>,
    /// See [`super::TektonSettings::unschedulable_after`].
    pub unschedulable_after: Option<SignedDuration>,
    /// See [`super::TektonSettings::log_stream`].
    pub log_stream: Option<LogStreamTarget>,
    /// See [`super::Settings::public_url`].
    pub public_url: Option<String>,
}

impl SettingsOverrides {
    /// What the environment says: `variable` looks one up. A variable set to nothing says nothing.
    ///
    /// # Errors
    /// [`Problems`], each naming its variable.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Problems> {
        let mut environment = Environment { variable: &variable, problems: Vec::new() };
        let layer = Self::read(&mut environment);
        match environment.problems.is_empty() {
            true => Ok(layer.with_paths(|path| std::path::absolute(&path).unwrap_or(path))),
            false => Err(Problems::new(environment.problems)),
        }
    }

    /// These flags, and what the environment says where they say nothing. What they override may be wrong:
    /// nobody asks for it.
    ///
    /// # Errors
    /// [`Problems`], each naming its variable.
    pub fn over_env(self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Problems> {
        let flags = [("data_dir", self.data_dir.is_some()), ("listen", self.listen.is_some())];
        let overridden = |name: &str| flags.iter().any(|(key, given)| *given && variable_of(key) == name);
        let environment = Self::from_env(|name| variable(name).filter(|_| !overridden(name)))?;
        Ok(self.over(environment))
    }

    /// All keys, and how each is read.
    pub(super) fn read(from: &mut impl Origin) -> Self {
        let children =
            |text: &str| parse::integer(text, 1..=10_000, "how many tasks run at once at most; left out, 64");
        let backfill = |text: &str| {
            parse::integer(text, 1..=10_000, "how many slots one backfill runs at most; left out, 1000")
        };
        let wait = |text: &str| parse::duration(text, &parse::WAIT);
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let format = |text: &str| parse::word(text, &formats, "`text` is for people, `json` for machines");
        let bytes =
            |text: &str| parse::parsed(text, "`10M` and `10Mi` are ten mebibytes, `1G` is 1024 of them");
        let creates = |text: &str| {
            parse::integer(text, 1..=256, "how many creates are in flight at once at most; left out, 16")
        };
        let submitted = |text: &str| {
            let hint = "how many unfinished tasks the cluster is given at once at most; left out, 10000";
            parse::integer(text, 1..=1_000_000, hint)
        };
        let executors = [("local", ExecutorKind::Local), ("tekton", ExecutorKind::Tekton)];
        let executor = |text: &str| {
            parse::word(text, &executors, "`local` runs tasks on this machine, `tekton` on a cluster")
        };
        let streams = [("none", LogStreamTarget::None), ("stdout", LogStreamTarget::Stdout)];
        let stream = |text: &str| {
            parse::word(text, &streams, "`stdout` repeats the lines of tasks as JSON, `none` does not")
        };
        Self {
            instance: from.text("instance", parse::label),
            namespace: from.text("namespace", parse::label),
            data_dir: from.text("data_dir", parse::path),
            listen: from.text("listen", parse::listen),
            tls_certificate: from.text("tls.certificate", parse::path),
            tls_key: from.text("tls.key", parse::path),
            insecure: from.flag("insecure"),
            max_children: from.integer("max_children", children),
            max_backfill: from.integer("max_backfill", backfill),
            grace: from.quantity("grace", wait),
            drain: from.quantity("drain", wait),
            hold: from.quantity("hold", wait),
            max_log: from.quantity("max_log", bytes),
            log_budget: from.quantity("log_budget", bytes),
            max_source: from.quantity("max_source", bytes),
            keep_slots: from.quantity("keep_slots", |text| parse::duration(text, &parse::SLOT_AGE)),
            log_format: from.text("log_format", format),
            log: from.text("log", parse::log_filter),
            health_listen: from.text("health_listen", parse::listen),
            executor: from.text("executor", executor),
            kubeconfig: from.text("kubeconfig", parse::path),
            kube_context: from.text("kube_context", parse::plain),
            max_creates: from.integer("max_creates", creates),
            max_submitted: from.integer("max_submitted", submitted),
            finalizer: from.flag("finalizer"),
            unschedulable_after: from
                .quantity("unschedulable_after", |text| parse::duration(text, &parse::UNSCHEDULABLE)),
            log_stream: from.text("log_stream", stream),
            public_url: from.text("public_url", parse::public_url),
        }
    }

    /// With every path run through `place`.
    pub(super) fn with_paths(self, place: impl Fn(PathBuf) -> PathBuf) -> Self {
        Self {
            data_dir: self.data_dir.map(&place),
            tls_certificate: self.tls_certificate.map(&place),
            tls_key: self.tls_key.map(&place),
            kubeconfig: self.kubeconfig.map(&place),
            ..self
        }
    }

    /// This, and what it leaves unsaid from `under`.
    pub(super) fn over(self, under: Self) -> Self {
        Self {
            instance: self.instance.or(under.instance),
            namespace: self.namespace.or(under.namespace),
            data_dir: self.data_dir.or(under.data_dir),
            listen: self.listen.or(under.listen),
            tls_certificate: self.tls_certificate.or(under.tls_certificate),
            tls_key: self.tls_key.or(under.tls_key),
            insecure: self.insecure.or(under.insecure),
            max_children: self.max_children.or(under.max_children),
            max_backfill: self.max_backfill.or(under.max_backfill),
            grace: self.grace.or(under.grace),
            drain: self.drain.or(under.drain),
            hold: self.hold.or(under.hold),
            max_log: self.max_log.or(under.max_log),
            log_budget: self.log_budget.or(under.log_budget),
            max_source: self.max_source.or(under.max_source),
            keep_slots: self.keep_slots.or(under.keep_slots),
            log_format: self.log_format.or(under.log_format),
            log: self.log.or(under.log),
            health_listen: self.health_listen.or(under.health_listen),
            executor: self.executor.or(under.executor),
            kubeconfig: self.kubeconfig.or(under.kubeconfig),
            kube_context: self.kube_context.or(under.kube_context),
            max_creates: self.max_creates.or(under.max_creates),
            max_submitted: self.max_submitted.or(under.max_submitted),
            finalizer: self.finalizer.or(under.finalizer),
            unschedulable_after: self.unschedulable_after.or(under.unschedulable_after),
            log_stream: self.log_stream.or(under.log_stream),
            public_url: self.public_url.or(under.public_url),
        }
    }
}

/// The variable that stands for a setting: `tls.key` becomes `TEKCRON_TLS_KEY`.
pub(super) fn variable_of(key: &str) -> String {
    format!("TEKCRON_{}", key.replace('.', "_").to_uppercase())
}

/// Where a layer is read from. Whatever is wrong is reported there.
pub(super) trait Origin {
    /// A setting written as a string.
    fn text<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T>;
    /// A setting that is an amount: a string, or a number without its unit by mistake.
    fn quantity<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T>;
    /// A setting written as an integer.
    fn integer<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T>;
    /// A setting that is on or off.
    fn flag(&mut self, key: &'static str) -> Option<bool>;
}

struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    problems: Vec<Problem>,
}

impl Origin for Environment<'_> {
    fn text<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let name = variable_of(key);
        let value = (self.variable)(&name).filter(|value| !value.is_empty())?;
        let utf8 = value
            .to_str()
            .ok_or_else(|| Fault::new("expected UTF-8, found something else", "set it to text, or unset it"));
        match utf8.and_then(read) {
            Ok(value) => Some(value),
            Err(Fault { message, hint, .. }) => {
                let place = Place::Variable(name);
                self.problems.push(Problem { severity: Severity::Error, place, message, hint });
                None
            }
        }
    }

    fn quantity<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        self.text(key, read)
    }

    fn integer<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        self.text(key, read)
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.text(key, parse::flag)
    }
}

/// The settings of a file: its outermost table, and the tables in it that are settings too.
pub(super) struct SettingsFile<'t, 's> {
    pub(super) root: &'t mut Table<'s>,
    pub(super) tls: Option<Table<'s>>,
}

impl<'s> SettingsFile<'_, 's> {
    fn get(&mut self, key: &'static str) -> Option<Value<'s>> {
        match key.strip_prefix("tls.") {
            Some(key) => self.tls.as_mut()?.get(key),
            None => self.root.get(key),
        }
    }
}

impl Origin for SettingsFile<'_, '_> {
    fn text<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let value = self.get(key)?;
        value.checked(read(value.text()?))
    }

    fn quantity<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let value = self.get(key)?;
        value.checked(read(&value.scalar()?))
    }

    fn integer<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let value = self.get(key)?;
        value.checked(read(&value.integer()?))
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.get(key)?.boolean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<SettingsOverrides, String> {
        let find = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        SettingsOverrides::from_env(find).map_err(|problems| problems.to_string())
    }

    #[test]
    fn every_setting_has_a_variable() {
        let all = [
            ("TEKCRON_INSTANCE", "blue"),
            ("TEKCRON_NAMESPACE", "batch"),
            ("TEKCRON_DATA_DIR", "/srv/data"),
            ("TEKCRON_LISTEN", "127.0.0.1:1"),
            ("TEKCRON_TLS_CERTIFICATE", "/srv/tls.crt"),
            ("TEKCRON_TLS_KEY", "/srv/tls.key"),
            ("TEKCRON_INSECURE", "true"),
            ("TEKCRON_MAX_CHILDREN", "3"),
            ("TEKCRON_MAX_BACKFILL", "4"),
            ("TEKCRON_GRACE", "1s"),
            ("TEKCRON_DRAIN", "2s"),
            ("TEKCRON_HOLD", "3s"),
            ("TEKCRON_MAX_LOG", "1Mi"),
            ("TEKCRON_LOG_BUDGET", "1Gi"),
            ("TEKCRON_MAX_SOURCE", "2Gi"),
            ("TEKCRON_KEEP_SLOTS", "2d"),
            ("TEKCRON_LOG_FORMAT", "json"),
            ("TEKCRON_LOG", "debug"),
            ("TEKCRON_HEALTH_LISTEN", "127.0.0.1:2"),
            ("TEKCRON_EXECUTOR", "tekton"),
            ("TEKCRON_KUBECONFIG", "/srv/kubeconfig"),
            ("TEKCRON_KUBE_CONTEXT", "blue"),
            ("TEKCRON_MAX_CREATES", "4"),
            ("TEKCRON_MAX_SUBMITTED", "5"),
            ("TEKCRON_FINALIZER", "false"),
            ("TEKCRON_UNSCHEDULABLE_AFTER", "6m"),
            ("TEKCRON_LOG_STREAM", "stdout"),
            ("TEKCRON_PUBLIC_URL", "https://tekcron.example/"),
        ];
        let expected = SettingsOverrides {
            instance: Some("blue".into()),
            namespace: Some("batch".into()),
            data_dir: Some("/srv/data".into()),
            listen: Some(([127, 0, 0, 1], 1).into()),
            tls_certificate: Some("/srv/tls.crt".into()),
            tls_key: Some("/srv/tls.key".into()),
            insecure: Some(true),
            max_children: Some(3),
            max_backfill: Some(4),
            grace: Some(SignedDuration::from_secs(1)),
            drain: Some(SignedDuration::from_secs(2)),
            hold: Some(SignedDuration::from_secs(3)),
            max_log: Some(ByteSize::from_mebibytes(1)),
            log_budget: Some(ByteSize::from_mebibytes(1024)),
            max_source: Some(ByteSize::from_mebibytes(2048)),
            keep_slots: Some(SignedDuration::from_hours(48)),
            log_format: Some(LogFormat::Json),
            log: Some("debug".into()),
            health_listen: Some(([127, 0, 0, 1], 2).into()),
            executor: Some(ExecutorKind::Tekton),
            kubeconfig: Some("/srv/kubeconfig".into()),
            kube_context: Some("blue".into()),
            max_creates: Some(4),
            max_submitted: Some(5),
            finalizer: Some(false),
            unschedulable_after: Some(SignedDuration::from_mins(6)),
            log_stream: Some(LogStreamTarget::Stdout),
            public_url: Some("https://tekcron.example".into()),
        };
        assert_eq!(from(&all), Ok(expected));
    }

    #[test]
    fn nothing_said_is_nothing_overridden() {
        assert_eq!(from(&[("TEKCRON_LISTEN", "")]), Ok(SettingsOverrides::default()));
    }

    #[test]
    fn every_bad_variable_is_named_at_once() {
        let bad = [("TEKCRON_GRACE", "10"), ("TEKCRON_MAX_CHILDREN", "-1"), ("TEKCRON_INSECURE", "yes")];
        let report = from(&bad).unwrap_err();
        for words in [
            "error: expected a unit, as in `10s` or `10m`, found `10` alone\n--> TEKCRON_GRACE\n",
            "error: expected an integer between 1 and 10000, found `-1`\n--> TEKCRON_MAX_CHILDREN\n",
            "error: expected one of `true`, `false`, found `yes`\n--> TEKCRON_INSECURE\n",
            "3 problems",
        ] {
            assert!(report.contains(words), "{report}");
        }
    }

    #[test]
    fn nobody_minds_a_bad_variable_that_a_flag_overrides() {
        let bad = |name: &str| (name == "TEKCRON_LISTEN").then(|| "bogus".into());
        let flags = SettingsOverrides { listen: Some(([127, 0, 0, 1], 1).into()), ..Default::default() };
        assert_eq!(flags.clone().over_env(bad), Ok(flags));
        assert!(SettingsOverrides::default().over_env(bad).is_err());
    }

    #[test]
    fn a_relative_path_in_a_variable_is_relative_to_the_working_directory() {
        let layer = from(&[("TEKCRON_DATA_DIR", "elsewhere")]).unwrap();
        assert_eq!(layer.data_dir, Some(std::path::absolute("elsewhere").unwrap()));
    }
}

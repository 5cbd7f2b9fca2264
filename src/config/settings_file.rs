//! `tekcron.toml`, then `TEKCRON_*`, then flags → [`Settings`] and the services.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::SignedDuration;

use super::problem::Problem;
use super::reader::{Findings, Reader, duration};
use super::{LogFormat, Settings, TlsFiles};
use crate::app::{ByteSize, CredentialSource, Service, ServiceName, dns_label};

/// Keys of `tekcron.toml`.
pub(super) const FILE: &[&str] = &[
    "instance",
    "namespace",
    "data_dir",
    "listen",
    "tls",
    "insecure",
    "max_children",
    "grace",
    "drain",
    "hold",
    "max_log",
    "log_budget",
    "log_format",
    "log",
    "env",
    "services",
];
/// Keys of `[tls]`.
pub(super) const TLS: &[&str] = &["certificate", "key"];
/// Keys of `[services.NAME]`.
pub(super) const SERVICE: &[&str] = &["label", "tags", "credentials"];
/// Keys of `credentials`.
pub(super) const CREDENTIALS: &[&str] = &["env", "file"];

/// The settings that are one value, and so may come from `TEKCRON_<KEY>` too.
pub(super) const SCALARS: &[&str] = &[
    "instance",
    "namespace",
    "data_dir",
    "listen",
    "insecure",
    "max_children",
    "grace",
    "drain",
    "hold",
    "max_log",
    "log_budget",
    "log_format",
    "log",
];

const WAIT: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=SignedDuration::from_hours(24);

/// What environment and flags say over the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsOverrides {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// Values of `TEKCRON_<KEY>` by key, unread.
    environment: BTreeMap<&'static str, String>,
}

impl SettingsOverrides {
    /// What the environment says; `variable` looks one up. Flags are set afterwards, and win.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let value = |key: &'static str| {
            let value = variable(&variable_of(key))?;
            (!value.is_empty()).then(|| (key, value.to_string_lossy().into_owned()))
        };
        Self { environment: SCALARS.iter().filter_map(|key| value(key)).collect(), ..Self::default() }
    }
}

/// The environment variable of a setting.
fn variable_of(key: &str) -> String {
    format!("TEKCRON_{}", key.to_uppercase())
}

/// The settings of a file, if there is one, under what lies over it.
pub(super) struct Layers<'a> {
    pub(super) file: Option<Reader<'a>>,
    pub(super) overrides: &'a SettingsOverrides,
    pub(super) findings: &'a Findings,
    /// Relative paths of the file begin here.
    pub(super) base: &'a Path,
}

impl Layers<'_> {
    pub(super) fn settings(&self) -> Settings {
        if let Some(file) = self.file {
            file.only(FILE);
        }
        Settings {
            instance: self.label("instance", "tekcron"),
            namespace: self.label("namespace", "default"),
            data_dir: self.data_dir(),
            listen: self.listen(),
            tls: self.file.and_then(|file| file.within("tls", |table| tls(table, self.base)).flatten()),
            insecure: self.value("insecure", from_str::<bool>("`true` or `false`")).unwrap_or(false),
            max_children: self.value("max_children", count).unwrap_or(64),
            grace: self.wait("grace", 10),
            drain: self.wait("drain", 10),
            hold: self.wait("hold", 5 * 60),
            max_log: self.size("max_log", 10),
            log_budget: self.size("log_budget", 2048),
            env: self.file.map(|file| file.env("env")).unwrap_or_default(),
            log_format: self.value("log_format", log_format).unwrap_or_default(),
            log: self.value("log", filter).unwrap_or_else(|| "info".to_owned()),
        }
    }

    /// The value of a scalar setting: the environment's, else the file's.
    fn value<T>(&self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let of_file = self.file.and_then(|file| {
            let found = file.get(key)?;
            let plain = found.scalar()?;
            found.note_error(read(&plain))
        });
        let Some(text) = self.overrides.environment.get(key) else { return of_file };
        let value = read(text);
        value.map_err(|message| self.findings.push(Problem::whole(variable_of(key), message))).ok()
    }

    fn label(&self, key: &'static str, default: &str) -> String {
        let read = |text: &str| {
            dns_label(text, 63).map_err(|error| format!("{error}, in `{text}`")).map(|()| text.to_owned())
        };
        self.value(key, read).unwrap_or_else(|| default.to_owned())
    }

    fn wait(&self, key: &'static str, default: i64) -> SignedDuration {
        self.value(key, |text| duration(text, &WAIT)).unwrap_or(SignedDuration::from_secs(default))
    }

    fn size(&self, key: &'static str, mebibytes: u64) -> ByteSize {
        let read = |text: &str| text.parse::<ByteSize>().map_err(|error| error.to_string());
        self.value(key, read).unwrap_or(ByteSize::from_mebibytes(mebibytes))
    }

    /// Paths of flags and environment begin where the caller is; those of the file beside the config.
    fn data_dir(&self) -> PathBuf {
        let of_caller = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some(flag) = &self.overrides.data_dir {
            return of_caller(flag);
        }
        if let Some(variable) = self.overrides.environment.get("data_dir") {
            return of_caller(Path::new(variable));
        }
        let written = self.value("data_dir", |text| Ok(PathBuf::from(text)));
        of_caller(&self.base.join(written.unwrap_or_else(|| PathBuf::from("data"))))
    }

    fn listen(&self) -> SocketAddr {
        let written = self.value("listen", |text| {
            text.parse::<SocketAddr>().map_err(|_| {
                format!("expected an address with a port, found `{text}`\nhint: as in `127.0.0.1:7070` or `[::1]:7070`; names are not looked up")
            })
        });
        self.overrides.listen.or(written).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7070)))
    }

    pub(super) fn services(&self) -> BTreeMap<ServiceName, Service> {
        let mut services = BTreeMap::new();
        let Some(file) = self.file else { return services };
        file.within("services", |tables| {
            tables.tables(|name, at, table| {
                table.only(SERVICE);
                let source = credentials(table, self.base);
                let label = table.text("label").unwrap_or_else(|| "user-provided".to_owned());
                let tags = table.texts("tags").unwrap_or_default();
                let tags = tags.iter().filter_map(|tag| tag.text().map(str::to_owned)).collect();
                match name.parse::<ServiceName>() {
                    Ok(name) => {
                        if let Some(credentials) = source {
                            services.insert(name.clone(), Service { name, label, tags, credentials });
                        }
                    }
                    Err(error) => tables.note(tables.at(at, format!("{error}, in `{name}`"))),
                }
            });
        });
        services
    }
}

fn credentials(service: Reader<'_>, base: &Path) -> Option<CredentialSource> {
    const HINT: &str = "write `credentials = { env = \"NAME\" }` or `{ file = \"path\" }`: credentials do not stand in config files";
    let Some(found) = service.get("credentials") else {
        service.note(service.problem("expected `credentials`, found none").hint(HINT));
        return None;
    };
    service.within("credentials", |table| {
        let known = table.get("env").is_some() || table.get("file").is_some();
        if known {
            table.only(CREDENTIALS);
        }
        match (table.get("env"), table.get("file")) {
            (Some(_), None) => table.text("env").map(CredentialSource::Env),
            (None, Some(_)) => table.text("file").map(|path| CredentialSource::File(base.join(path))),
            // The values are not repeated: they may be credentials.
            _ => {
                found.note(found.hidden("expected either `env` or `file`").hint(HINT));
                None
            }
        }
    })?
}

fn tls(table: Reader<'_>, base: &Path) -> Option<TlsFiles> {
    table.only(TLS);
    for key in TLS.iter().filter(|key| table.get(key).is_none()) {
        table.note(table.problem(format!("expected `{key}`, found none")));
    }
    let file = |key: &str| table.text(key).map(|path| base.join(path));
    let (certificate, key) = (file("certificate"), file("key"));
    Some(TlsFiles { certificate: certificate?, key: key? })
}

fn from_str<T: FromStr>(expected: &str) -> impl Fn(&str) -> Result<T, String> {
    move |text| text.parse().map_err(|_| format!("expected {expected}, found `{text}`"))
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=100_000) => Ok(count),
        _ => Err(format!("expected a number from 1 to 100000, found `{text}`")),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("expected `text` or `json`, found `{text}`")),
    }
}

fn filter(text: &str) -> Result<String, String> {
    let parsed = tracing_subscriber::EnvFilter::builder().parse(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| format!("expected a filter such as `info` or `tekcron=debug`, found `{text}`"))
}

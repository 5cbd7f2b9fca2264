use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use toml::de::DeTable;

use super::build::build;
use super::calendar::calendars;
use super::env::env;
use super::group::groups;
use super::notify::{ReceiverNames, receivers};
use super::outside;
use super::place::normal;
use super::security_group::security_groups;
use super::service::services;
use crate::app::{ByteSize, SecurityGroup, Service, ServiceName};
use crate::config::fault::Fault;
use crate::config::files::File;
use crate::config::overrides::{SettingsFile, SettingsOverrides, variable_of};
use crate::config::problem::{Place, Problem, Severity};
use crate::config::settings::{BuildSettings, Settings, TektonSettings, TlsFiles};
use crate::config::source::Source;
use crate::config::table::Table;
use crate::config::value::Value;
use crate::job::GroupName;
use crate::notify::Receivers;
use crate::schedule::ExclusionCalendar;

/// What the settings file says.
#[derive(Default)]
pub(in crate::config) struct FromFile<'s> {
    layer: SettingsOverrides,
    env: BTreeMap<String, String>,
    /// Where it says where to listen and to be probed, and with which certificate.
    listen: Option<Value<'s>>,
    health_listen: Option<Value<'s>>,
    tls: Option<Value<'s>>,
    public_url: Option<Value<'s>>,
    build: Option<BuildSettings>,
    /// Where the table stands.
    build_at: Option<Value<'s>>,
    pub(in crate::config) services: BTreeMap<ServiceName, Service>,
    /// The names of all services, right or wrong.
    pub(in crate::config) service_names: BTreeSet<String>,
    pub(in crate::config) security_groups: BTreeMap<String, SecurityGroup>,
    /// The names of all security groups, right or wrong.
    pub(in crate::config) security_group_names: BTreeSet<String>,
    pub(in crate::config) groups: BTreeMap<GroupName, u32>,
    /// The names of all groups, right or wrong.
    pub(in crate::config) group_names: BTreeSet<String>,
    pub(in crate::config) calendars: BTreeMap<String, Arc<ExclusionCalendar>>,
    /// The names of all calendars, right or wrong.
    pub(in crate::config) calendar_names: BTreeSet<String>,
    pub(in crate::config) receivers: Receivers,
    /// The names of all receivers, right or wrong.
    pub(in crate::config) receiver_names: ReceiverNames,
}

impl<'s> FromFile<'s> {
    /// Reads the tree. Relative paths are relative to `base`; `files` are the calendars that there are.
    pub(in crate::config) fn read(
        source: &'s Source,
        tree: &'s DeTable<'s>,
        base: &Path,
        files: &[File],
    ) -> Self {
        let mut root = Table::root(source, tree);
        let tls = root.get("tls");
        let mut file = SettingsFile { root: &mut root, tls: tls.as_ref().and_then(Value::table) };
        let layer = SettingsOverrides::read(&mut file).with_paths(|path| normal(&base.join(path)));
        if let Some(tls) = file.tls.take() {
            tls.finish();
        }
        let env = env(&mut root);
        let (services, service_names) = services(&mut root, base);
        let (security_groups, security_group_names) = security_groups(&mut root);
        let (groups, group_names) = groups(&mut root);
        let (calendars, calendar_names) = calendars(&mut root, files);
        let (receivers, receiver_names) = receivers(&mut root, base);
        let (listen, health_listen) = (root.get("listen"), root.get("health_listen"));
        let (public_url, build_at) = (root.get("public_url"), root.get("build"));
        let build = build_at.as_ref().and_then(build);
        root.finish();
        Self {
            layer,
            env,
            listen,
            health_listen,
            tls,
            public_url,
            build,
            build_at,
            services,
            service_names,
            security_groups,
            security_group_names,
            groups,
            group_names,
            calendars,
            calendar_names,
            receivers,
            receiver_names,
        }
    }
}

/// Defaults, file, and what goes over it, checked against each other, and where `outside` says so against
/// the files that they name. What is wrong beyond the settings file is added to `problems`.
pub(in crate::config) fn settings(
    file: &mut FromFile<'_>,
    overrides: &SettingsOverrides,
    base: &Path,
    outside: bool,
    problems: &mut Vec<Problem>,
) -> Settings {
    let layer = overrides.clone().over(std::mem::take(&mut file.layer));
    let mut report = |at: Option<&Value<'_>>, variable: &str, severity: Severity, fault: Fault| match at {
        Some(value) => value.report(severity, fault),
        None => {
            let place = Place::Variable(variable.to_owned());
            problems.push(Problem { severity, place, message: fault.message, hint: fault.hint });
        }
    };
    let tls = match tls(layer.tls_certificate.clone(), layer.tls_key.clone()) {
        Ok(tls) => tls,
        Err(fault) => {
            let at = file.tls.as_ref().filter(|tls| tls.is_table());
            report(at, "TEKCRON_TLS_CERTIFICATE and TEKCRON_TLS_KEY", Severity::Error, fault);
            None
        }
    };
    for (key, severity, fault) in tls.iter().filter(|_| outside).flat_map(outside::tls) {
        let overridden = match key {
            "key" => overrides.tls_key.is_some(),
            _ => overrides.tls_certificate.is_some(),
        };
        let at = file.tls.as_ref().filter(|_| !overridden).and_then(|tls| tls.table()?.get(key));
        report(at.as_ref(), &variable_of(&format!("tls.{key}")), severity, fault);
    }
    let mut settings = with_defaults(layer, tls, std::mem::take(&mut file.env), base);
    settings.build = file.build.take();
    if !settings.listen.ip().is_loopback() && settings.tls.is_none() && !settings.insecure {
        let message =
            format!("expected a loopback address, as there is no certificate, found `{}`", settings.listen);
        let hint = "anybody on the way could read the token: set `tls.certificate` and `tls.key`, or `insecure = true` where something else encrypts";
        let at = file.listen.as_ref().filter(|_| overrides.listen.is_none());
        report(at, "TEKCRON_LISTEN or --listen", Severity::Error, Fault::new(message, hint));
    }
    if let Some(probes) = settings.health_listen.filter(|at| at.port() != 0 && *at == settings.listen) {
        let message = format!("expected an address apart from `listen`, found `{probes}` for both");
        let hint = "`listen` answers probes too: leave `health_listen` out, or give it a port of its own";
        let at = file.health_listen.as_ref().filter(|_| overrides.health_listen.is_none());
        report(at, "TEKCRON_HEALTH_LISTEN", Severity::Error, Fault::new(message, hint));
    }
    if settings.public_url.is_none() && file.build_at.is_some() {
        let message = "expected `public_url` beside `[build]`, found none";
        let hint = "builds fetch their source there: `public_url = \"https://tekcron.example.org\"`, as pods reach the API";
        report(file.build_at.as_ref(), "TEKCRON_PUBLIC_URL", Severity::Error, Fault::new(message, hint));
    }
    if settings.public_url.as_deref().is_some_and(|url| url.starts_with("http:")) && !settings.insecure {
        let message = "sources, and the tokens that they are fetched with, cross the network in clear text";
        let hint = "use `https`, or say `insecure = true` where something else encrypts";
        let at = file.public_url.as_ref().filter(|_| overrides.public_url.is_none());
        report(at, "TEKCRON_PUBLIC_URL", Severity::Warning, Fault::new(message, hint));
    }
    settings
}

fn with_defaults(
    layer: SettingsOverrides,
    tls: Option<TlsFiles>,
    env: BTreeMap<String, String>,
    base: &Path,
) -> Settings {
    let tekton = TektonSettings::default();
    let text = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    Settings {
        instance: text(layer.instance, "tekcron"),
        namespace: text(layer.namespace, "default"),
        data_dir: layer.data_dir.unwrap_or_else(|| base.join("data")),
        listen: layer.listen.unwrap_or_else(|| ([127, 0, 0, 1], 7070).into()),
        tls,
        insecure: layer.insecure.unwrap_or(false),
        max_children: layer.max_children.unwrap_or(64),
        max_backfill: layer.max_backfill.unwrap_or(1000),
        grace: layer.grace.unwrap_or(SignedDuration::from_secs(10)),
        drain: layer.drain.unwrap_or(SignedDuration::from_secs(10)),
        hold: layer.hold.unwrap_or(SignedDuration::from_mins(5)),
        max_log: layer.max_log.unwrap_or(ByteSize::from_mebibytes(10)),
        log_budget: layer.log_budget.unwrap_or(ByteSize::from_mebibytes(2048)),
        max_source: layer.max_source.unwrap_or(ByteSize::from_mebibytes(1024)),
        keep_slots: layer.keep_slots.unwrap_or(SignedDuration::from_hours(90 * 24)),
        env,
        log_format: layer.log_format.unwrap_or_default(),
        log: text(layer.log, "info"),
        health_listen: layer.health_listen,
        executor: layer.executor.unwrap_or_default(),
        tekton: TektonSettings {
            kubeconfig: layer.kubeconfig,
            kube_context: layer.kube_context,
            max_creates: layer.max_creates.unwrap_or(tekton.max_creates),
            max_submitted: layer.max_submitted.unwrap_or(tekton.max_submitted),
            finalizer: layer.finalizer.unwrap_or(tekton.finalizer),
            unschedulable_after: layer.unschedulable_after,
            log_stream: layer.log_stream.unwrap_or(tekton.log_stream),
        },
        public_url: layer.public_url,
        build: None,
    }
}

const PAIR: &str = "TLS takes both: `certificate` and `key` under `[tls]`";

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, Fault> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Fault::new("expected a key beside the certificate, found none", PAIR)),
        (None, Some(_)) => Err(Fault::new("expected a certificate beside the key, found none", PAIR)),
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::env::is_name;
use crate::app::{CredentialSource, Service, ServiceName};
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::source::Source;
use crate::config::table::Table;
use crate::config::value::Value;

/// What a service is called where nobody says otherwise, as in Cloud Foundry.
const LABEL: &str = "user-provided";

const HINT: &str = "credentials stay outside this file: `credentials = { env = \"VARIABLE\" }`, or `{ file = \"PATH\" }` with mode 0600; `{ secret = \"NAME\" }` names a Secret of the cluster";

/// The services under `[services]`, and the names of all, right or wrong.
pub(in crate::config) fn services(
    root: &mut Table<'_>,
    base: &Path,
) -> (BTreeMap<ServiceName, Service>, BTreeSet<String>) {
    let Some(table) = root.get("services").and_then(|value| value.table()) else { return Default::default() };
    let mut services = BTreeMap::new();
    let mut names = BTreeSet::new();
    for entry in table.entries() {
        names.insert(entry.key.to_owned());
        let name = entry.key.parse::<ServiceName>().map_err(|error| parse::bad_name(entry.key, &error));
        let name = name.map_err(|fault| entry.refuse(fault)).ok();
        let read = entry.value.table().map(|table| service(table, base));
        if let (Some(name), Some(Some((label, tags, credentials)))) = (name, read) {
            services.insert(name.clone(), Service { name, label, tags, credentials, stored: false });
        }
    }
    (services, names)
}

fn service(mut table: Table<'_>, base: &Path) -> Option<(String, Vec<String>, CredentialSource)> {
    let label = table.get("label").and_then(|value| value.checked(parse::plain(value.text()?)));
    let tags = table.get("tags").and_then(|value| value.array()).unwrap_or_default();
    let tags = tags.iter().filter_map(|tag| tag.checked(parse::plain(tag.text()?))).collect();
    let credentials = table.require("credentials", HINT).and_then(|value| credentials(&value, base));
    table.finish();
    Some((label.unwrap_or_else(|| LABEL.to_owned()), tags, credentials?))
}

/// Never says what it found: that may be the credentials themselves.
fn credentials(value: &Value<'_>, base: &Path) -> Option<CredentialSource> {
    if !value.is_table() {
        value.refuse(Fault::new(
            "expected a table with `env`, `file` or `secret`, found credentials themselves",
            HINT,
        ));
        return None;
    }
    let mut table = value.table()?;
    let (env, file, secret) = (table.get("env"), table.get("file"), table.get("secret"));
    let inline = table.entries().any(|entry| !matches!(entry.key, "env" | "file" | "secret"));
    let given = [&env, &file, &secret].into_iter().flatten().count();
    if inline || given != 1 {
        let found = match (inline, given) {
            (true, _) => "credentials themselves",
            (false, 0) => "none",
            _ => "several",
        };
        value.refuse(Fault::new(format!("expected one of `env`, `file`, `secret`, found {found}"), HINT));
        return None;
    }
    match (env, file, secret) {
        (Some(env), _, _) => Some(CredentialSource::Env(variable(&env)?)),
        (_, _, Some(secret)) => Some(CredentialSource::Secret(secret_name(&secret, HINT)?)),
        (_, Some(file), _) => {
            let path = file.checked(parse::path(file.text()?))?;
            Some(CredentialSource::File(base.join(path)))
        }
        (None, None, None) => None,
    }
}

/// What is no name may be a credential: it is not said.
pub(super) fn secret_name(value: &Value<'_>, hint: &str) -> Option<String> {
    let name = parse::object_name(value.text()?);
    if name.is_err() {
        value.refuse(Fault::new("expected the name of a Secret of the cluster, found other text", hint));
    }
    name.ok()
}

fn variable(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if is_name(text) {
        return Some(text.to_owned());
    }
    value.refuse(Fault::new("expected the name of an environment variable, found other text", HINT));
    None
}

/// Keeps whatever may be credentials out of the reports: every value of a service but its label, its tags
/// and a well-formed source.
pub(in crate::config) fn hide_secrets(source: &Source, root: &DeTable<'_>) {
    if let Some(services) = root.get("services") {
        match services.get_ref().as_table() {
            Some(services) => services.values().for_each(|service| hide_service(source, service)),
            None => hide(source, services),
        }
    }
    if let Some(notify) = root.get("notify") {
        hide_receivers(source, notify);
    }
    // Who takes it for the place of the credentials themselves shall not see them again.
    let registry = root.get("build").and_then(|build| build.get_ref().as_table()?.get("registry_secret"));
    if let Some(secret) = registry
        && secret.get_ref().as_str().is_none_or(|name| parse::object_name(name).is_err())
    {
        hide(source, secret);
    }
    if !source.is_sound() {
        hide_lines(source);
    }
}

fn hide_service(source: &Source, service: &Spanned<DeValue<'_>>) {
    let Some(table) = service.get_ref().as_table() else { return hide(source, service) };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "label" | "tags" => {}
            "credentials" => hide_credentials(source, value),
            _ => hide(source, value),
        }
    }
}

fn hide_receivers(source: &Source, notify: &Spanned<DeValue<'_>>) {
    let Some(table) = notify.get_ref().as_table() else { return hide(source, notify) };
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref().as_table()) {
            ("webhook" | "mail", _) => {}
            ("webhooks" | "mails", Some(all)) => all.values().for_each(|one| hide_receiver(source, one)),
            _ => hide(source, value),
        }
    }
}

/// A webhook's URL may be a secret as well as its secret is.
fn hide_receiver(source: &Source, receiver: &Spanned<DeValue<'_>>) {
    let Some(table) = receiver.get_ref().as_table() else { return hide(source, receiver) };
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "server" | "tls" | "from" | "to" | "username" => {}
            "secret" | "password" => {
                hide_credentials(source, value);
                // Nothing of a cluster is read here.
                if let Some(inline) = value.get_ref().as_table().and_then(|table| table.get("secret")) {
                    hide(source, inline);
                }
            }
            _ => hide(source, value),
        }
    }
}

fn hide_credentials(source: &Source, credentials: &Spanned<DeValue<'_>>) {
    let Some(table) = credentials.get_ref().as_table() else { return hide(source, credentials) };
    for (key, value) in table {
        let named = match (key.get_ref().as_ref(), value.get_ref().as_str()) {
            ("env", Some(variable)) => is_name(variable),
            ("file", Some(_)) => true,
            ("secret", Some(name)) => parse::object_name(name).is_ok(),
            _ => false,
        };
        if !named {
            hide(source, value);
        }
    }
}

/// Hides every value within, for the span of a table is only that of its header.
fn hide(source: &Source, value: &Spanned<DeValue<'_>>) {
    match value.get_ref() {
        DeValue::Table(table) => table.values().for_each(|value| hide(source, value)),
        DeValue::Array(array) => array.iter().for_each(|value| hide(source, value)),
        _ => source.hide(value.span()),
    }
}

/// Hides by line what a broken file gives no tree of: all that follows `=` under `[services…]`.
fn hide_lines(source: &Source) {
    let (mut start, mut within) = (0, false);
    for line in source.text().split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            within = line.contains("services") || line.contains("notify");
        }
        if within || line.contains("credentials") || line.contains("registry_secret") {
            let value = line.find('=').map_or(0, |equals| equals + 1);
            if !line.trim_start().starts_with('[') {
                source.hide(start + value..start + line.len());
            }
        }
        start += line.len();
    }
}

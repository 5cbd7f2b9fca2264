//! `docs/settings.md` is held to the schema, which is held to the parser.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tekcron::config::{SettingsOverrides, shape};

const DOCS: &str = include_str!("../../docs/settings.md");

/// The rows of the table under a heading: each its cells, without the backquotes around.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = DOCS.split_once(&format!("\n{heading}\n")).unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with("|--")).skip(1);
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn unquoted(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// The keys of a table, and their defaults, in the documentation.
fn documented(heading: &str) -> BTreeMap<String, Option<Value>> {
    let default = |cell: &str| unquoted(cell).and_then(|text| serde_json::from_str(text).ok());
    rows(heading).iter().map(|row| (unquoted(row[0]).unwrap().to_owned(), default(row[1]))).collect()
}

fn in_schema(schema: &Value, table: &str) -> BTreeMap<String, Option<Value>> {
    let properties = schema.pointer(table).and_then(Value::as_object).unwrap();
    properties.iter().map(|(key, property)| (key.clone(), property.get("default").cloned())).collect()
}

#[test]
fn every_key_of_an_app_is_documented_with_its_default() {
    let schema = shape::app_file().to_value();
    for (heading, table) in [
        ("## App: `[app]`", "/definitions/App/properties"),
        ("### `[build]`", "/definitions/AppBuild/properties"),
        ("## Jobs: `[[jobs]]`", "/definitions/Job/properties"),
        ("### Items of `schedules`", "/definitions/Schedule/properties"),
        ("### `retries`", "/definitions/Retries/properties"),
        ("### `on_failure`", "/definitions/OnFailure/properties"),
        ("### `[app.pod_template]`", "/definitions/PodTemplate/properties"),
        ("### Items of `tolerations`", "/definitions/Toleration/properties"),
        ("### Items of `volumes`", "/definitions/Volume/properties"),
    ] {
        assert_eq!(documented(heading), in_schema(&schema, table), "{heading}");
    }
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let schema = shape::settings_file().to_value();
    let mut settings = in_schema(&schema, "/properties");
    settings.remove("tls");
    let tls = in_schema(&schema, "/definitions/Tls/properties");
    settings.extend(tls.into_iter().map(|(key, default)| (format!("tls.{key}"), default)));
    assert_eq!(documented("## Service: `tekcron.toml`"), settings);
    let service = in_schema(&schema, "/definitions/Service/properties");
    assert_eq!(documented("### `[services.NAME]`"), service);
    for (heading, table) in [
        ("### `[build]` of `tekcron.toml`", "/definitions/Build/properties"),
        ("### `[notify]`", "/definitions/Notify/properties"),
        ("### `[notify.webhooks.NAME]`", "/definitions/Webhook/properties"),
        ("### `[notify.mails.NAME]`", "/definitions/Mail/properties"),
    ] {
        assert_eq!(documented(heading), in_schema(&schema, table), "{heading}");
    }
    let group = in_schema(&schema, "/definitions/SecurityGroup/properties");
    assert_eq!(documented("### `[security_groups.NAME]`"), group);
    let calendar = in_schema(&schema, "/definitions/Calendar/properties");
    assert_eq!(documented("### `[calendars.NAME]`"), calendar);
    let rule = in_schema(&schema, "/definitions/Rule/properties");
    assert_eq!(documented("### Items of `rules`"), rule);
}

#[test]
fn every_variable_is_documented_beside_its_key() {
    let asked = RefCell::new(BTreeSet::new());
    let ask = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    SettingsOverrides::from_env(ask).unwrap();
    let mut documented = BTreeSet::new();
    for row in rows("## Service: `tekcron.toml`") {
        let Some(variable) = unquoted(row[2]) else { continue };
        let key = unquoted(row[0]).unwrap().replace('.', "_").to_uppercase();
        assert_eq!(variable, format!("TEKCRON_{key}"));
        documented.insert(variable.to_owned());
    }
    assert_eq!(documented, asked.into_inner());
}

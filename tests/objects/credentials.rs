use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tekcron::app::{CredentialError, CredentialSource, Secrets, read_secrets_with};
use tekcron::config::Config;

use crate::sample::config;

const PASSWORD: &str = "hunter2";

fn read(config: &Config, warehouse: &str) -> Result<Secrets, CredentialError> {
    read_secrets_with(config, &config.apps["etl"], |variable| match variable {
        "MAILBOX" => Some(format!(r#"{{"host":"mx","password":"{PASSWORD}"}}"#)),
        "WAREHOUSE" => Some(warehouse.to_owned()),
        _ => None,
    })
}

fn value(secrets: &Secrets, key: &str) -> Option<String> {
    secrets.get("tekcron-env-etl", key).map(|secret| secret.expose_secret().to_owned())
}

fn from_file(path: &Path) -> Config {
    let mut config = config();
    let warehouse = config.services.get_mut("warehouse").unwrap();
    warehouse.credentials = CredentialSource::File(path.to_owned());
    config
}

/// The error with all its causes, as it would be printed.
fn chain(error: &CredentialError) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n{error}"));
        cause = error.source();
    }
    text
}

#[test]
fn bindings_have_the_shape_that_cloud_foundry_gives_them() {
    let secrets = read(&config(), "postgres://u:hunter2@db/etl\n").unwrap();
    let services: Value = serde_json::from_str(&value(&secrets, "VCAP_SERVICES").unwrap()).unwrap();
    let binding = |name: &str, label: &str, credentials: Value| {
        json!([{
            "name": name, "instance_name": name, "binding_name": null,
            "label": label, "tags": ["sql"], "credentials": credentials,
        }])
    };
    assert_eq!(
        services,
        json!({
            "smtp": binding("mailbox", "smtp", json!({"host": "mx", "password": PASSWORD})),
            "postgres": binding("warehouse", "postgres", json!({"uri": "postgres://u:hunter2@db/etl"})),
        })
    );
    assert_eq!(value(&secrets, "DATABASE_URL").as_deref(), Some("postgres://u:hunter2@db/etl"));
}

#[test]
fn services_of_one_label_stand_in_one_list_and_the_first_uri_is_the_database() {
    let mut config = config();
    config.services.get_mut("mailbox").unwrap().label = "postgres".into();
    let secrets = read(&config, r#"{"uri":"postgres://second"}"#).unwrap();
    let services: Value = serde_json::from_str(&value(&secrets, "VCAP_SERVICES").unwrap()).unwrap();
    assert_eq!(services["postgres"].as_array().map(Vec::len), Some(2));
    assert_eq!(value(&secrets, "DATABASE_URL").as_deref(), Some("postgres://second"));
    assert_eq!(value(&read(&config, r#"{"uri":7}"#).unwrap(), "DATABASE_URL"), None);
}

#[test]
fn a_file_is_read_only_while_nobody_else_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("warehouse.json");
    fs::write(&path, r#"{"uri":"postgres://file"}"#).unwrap();
    let config = from_file(&path);
    for mode in [0o644, 0o640, 0o606] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = read(&config, "").unwrap_err().to_string();
        assert!(refused.contains(&format!("expected mode 0600 on `{}`, found {mode:04o}", path.display())));
        assert!(refused.contains(&format!("hint: chmod 600 {}", path.display())));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(value(&read(&config, "").unwrap(), "DATABASE_URL").as_deref(), Some("postgres://file"));
}

#[test]
fn what_is_not_there_is_named() {
    let missing = read(&from_file(Path::new("/nonexistent/warehouse")), "").unwrap_err();
    assert!(chain(&missing).contains("service `warehouse`: reading `/nonexistent/warehouse` failed"));
    let folder = tempfile::tempdir().unwrap();
    let refused = read(&from_file(folder.path()), "").unwrap_err();
    assert!(chain(&refused).contains("expected a regular file"));

    let config = config();
    let unset = read_secrets_with(&config, &config.apps["etl"], |_| None).unwrap_err();
    assert!(unset.to_string().contains("service `mailbox`: expected variable `MAILBOX`"), "{unset}");
    assert!(unset.to_string().ends_with("or use `credentials = { file = \"PATH\" }`"), "{unset}");
    let mut config = config;
    config.services.clear();
    assert!(matches!(read(&config, ""), Err(CredentialError::UnknownService { .. })));
}

#[test]
fn no_error_holds_a_piece_of_what_was_read() {
    for content in [
        PASSWORD,
        "",
        " ",
        r#"{"password": hunter2}"#,
        r#"{"password": "hunter2""#,
        r#"["hunter2"]"#,
        r#""hunter2""#,
        "hunter2 postgres://u@h",
        "//u:hunter2@h",
    ] {
        let refused = read(&config(), content).unwrap_err();
        assert!(matches!(refused, CredentialError::Shape { .. }), "{content}");
        let text = chain(&refused);
        assert!(text.contains("service `warehouse` in variable `WAREHOUSE`"), "{text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn secrets_show_where_they_are_and_not_what() {
    let secrets = read(&config(), "postgres://u:hunter2@db/etl").unwrap();
    let shown = format!("{secrets:?}");
    assert!(shown.contains("DATABASE_URL") && !shown.contains(PASSWORD), "{shown}");
}

//! A credential reaches the task, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Place, text};

const SETTINGS: &str = r#"
[services.warehouse]
label = "postgres"
credentials = { env = "WAREHOUSE" }

[services.mailbox]
credentials = { file = "mailbox.json" }
"#;

const APP: &str = r#"
[app]
name = "etl"
command = 'case "$DATABASE_URL$VCAP_SERVICES" in *hunt""er2*s3s""ame*) exit 0;; *) exit 1;; esac'
services = ["warehouse", "mailbox"]
"#;

#[test]
fn credentials_are_in_no_file_listing_object_or_log_of_ours() {
    let place = Place::with(&[("etl", APP)]);
    fs::write(place.path().join("config/tekcron.toml"), SETTINGS).unwrap();
    let mailbox = place.path().join("mailbox.json");
    fs::write(&mailbox, r#"{"password":"s3same"}"#).unwrap();
    fs::set_permissions(&mailbox, fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = place.serve_with(&[
        ("WAREHOUSE", "postgres://u:hunter2@db/x"),
        ("RUST_LOG", "trace"),
        ("TEKCRON_LOG", "trace"),
    ]);
    place.ok(&["run-task", "etl", "--wait"]);
    place.ok(&["run-task", "etl", "-c", "sleep 600"]);
    place.until("it runs", || (place.json(&["tasks", "etl"])[0]["phase"] == "running").then_some(()));
    let mut seen = vec![place.log()];
    for format in ["table", "wide", "json", "yaml", "name"] {
        for verb in [&["tasks", "etl"][..], &["apps"], &["app", "etl"], &["jobs"], &["task", "etl", "1"]] {
            seen.push(place.ok(&[verb, &["-o", format]].concat()));
        }
    }
    seen.push(place.ok(&["render", "etl"]));
    seen.extend(place.data_files().iter().map(|file| text(&fs::read(file).unwrap_or_default())));
    let token = fs::read_to_string(place.path().join("data/token")).unwrap();
    for (index, part) in seen.iter().enumerate() {
        for secret in ["hunter2", "s3same"] {
            assert!(!part.contains(secret), "{secret} in part {index}:\n{part}");
        }
        let is_token_file = part == &token;
        assert!(is_token_file || !part.contains(token.trim()), "the token in part {index}:\n{part}");
    }
    place.ok(&["terminate-task", "etl", "2"]);
    assert!(daemon.terminate().success());
}

#[test]
fn a_credential_file_that_others_may_read_is_refused() {
    let place = Place::with(&[("etl", APP)]);
    fs::write(place.path().join("config/tekcron.toml"), SETTINGS).unwrap();
    let mailbox = place.path().join("mailbox.json");
    fs::write(&mailbox, r#"{"password":"s3same"}"#).unwrap();
    fs::set_permissions(&mailbox, fs::Permissions::from_mode(0o644)).unwrap();
    let _daemon = place.serve_with(&[("WAREHOUSE", "postgres://u:hunter2@db/x")]);
    let output = place.run(&["run-task", "etl", "--wait"]);
    assert_eq!(output.status.code(), Some(125));
    let words = text(&output.stderr);
    assert!(words.contains("0600") && !words.contains("s3same"), "{words}");
}

//! The files that settings name: a check looks at them, a load does not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair};
use tekcron::cli::check::CheckOutcome;
use tekcron::config::{self, SettingsOverrides};

use crate::harness::Place;

const TLS: &str = "[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n";

/// A place with `settings` and the files `files`, each with its mode.
fn place(settings: &str, files: &[(&str, &str, u32)]) -> Place {
    let place = Place::with_settings(settings);
    for (name, text, mode) in files {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
    }
    place
}

/// A certificate and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn certificate_and_key_are_what_the_service_would_take() {
    let ((certificate, key), (_, other)) = (pair(), pair());
    let fit = place(TLS, &[("tls.crt", &certificate, 0o644), ("tls.key", &key, 0o640)]);
    assert_eq!(fit.screen(None).0, CheckOutcome::Sound);
    assert!(fit.look().problems.is_empty());
    for (files, expected) in [
        (
            vec![],
            &["cannot read the certificate `tls.crt`: No such file", "config/tekcron.toml:3:7", "2 problems"]
                [..],
        ),
        (
            vec![("tls.crt", key.as_str(), 0o644), ("tls.key", certificate.as_str(), 0o600)],
            &[
                "expected a certificate in PEM format in `tls.crt`",
                "expected a key in PEM format",
                "2 problems",
            ],
        ),
        (
            vec![("tls.crt", certificate.as_str(), 0o644), ("tls.key", other.as_str(), 0o600)],
            &["`tls.crt` and the key `tls.key` cannot be used", "config/tekcron.toml:3:7", "1 problem"],
        ),
    ] {
        let place = place(TLS, &files);
        let report = place.report();
        for words in expected {
            assert!(report.contains(words), "{words}\n{report}");
        }
        place.load();
    }
}

#[test]
fn a_key_that_others_may_read_is_warned_of() {
    let (certificate, key) = pair();
    let place = place(TLS, &[("tls.crt", &certificate, 0o644), ("tls.key", &key, 0o644)]);
    let (outcome, screen) = place.screen(None);
    assert_eq!(outcome, CheckOutcome::Sound);
    for words in [
        "warning: expected a key for its owner alone, found mode 0644 on `tls.key`",
        "hint: chmod 600 tls.key",
    ] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
}

#[test]
fn a_file_that_a_variable_names_is_blamed_on_the_variable() {
    let place = Place::with_settings("");
    let over = SettingsOverrides {
        tls_certificate: Some("/nowhere/tls.crt".into()),
        tls_key: Some("/nowhere/tls.key".into()),
        ..Default::default()
    };
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let report = config::check(&place.config(), &over, now).problems.to_string();
    for (what, variable) in [("certificate", "TEKCRON_TLS_CERTIFICATE"), ("key", "TEKCRON_TLS_KEY")] {
        let problem =
            report.split("\n\n").find(|problem| problem.contains(&format!("cannot read the {what}")));
        let shown = problem.is_some_and(|problem| problem.contains(&format!("\n--> {variable}\n")));
        assert!(shown, "{variable}\n{report}");
    }
}

#[test]
fn credentials_that_no_task_could_get_are_warned_of_and_never_shown() {
    let settings = "[services.db]\ncredentials = { file = \"db.json\" }\n";
    let secret = "{\"password\": \"hunter2\"}";
    for (files, expected) in [
        (vec![], "warning: credentials of service `db`: reading `db.json` failed: No such file"),
        (
            vec![("db.json", secret, 0o644)],
            "warning: credentials of service `db`: expected mode 0600 on `db.json`, found 0644",
        ),
    ] {
        let place = place(settings, &files);
        let (outcome, screen) = place.screen(None);
        assert_eq!(outcome, CheckOutcome::Sound, "{screen}");
        assert!(screen.contains(expected) && screen.contains("config/tekcron.toml:2:15"), "{screen}");
        assert!(!screen.contains("hunter2"), "{screen}");
    }
    let fine = place(settings, &[("db.json", secret, 0o600)]);
    assert!(fine.look().problems.is_empty());
}

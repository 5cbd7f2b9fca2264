use std::ffi::OsString;

use tekcron::config::{self, SettingsOverrides};

use crate::harness::{PLAIN, Place};

fn environment(pairs: &[(&str, &str)]) -> SettingsOverrides {
    let find =
        |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
    SettingsOverrides::from_env(find).unwrap()
}

#[test]
fn defaults_yield_to_the_file_the_file_to_the_environment_and_that_to_flags() {
    let place = Place::with_settings("");
    assert_eq!(place.load().settings.listen.port(), 7070);
    place.write("tekcron.toml", "listen = \"127.0.0.1:1\"\n");
    assert_eq!(place.load().settings.listen.port(), 1);
    let environment = environment(&[("TEKCRON_LISTEN", "127.0.0.1:2")]);
    assert_eq!(place.load_with(&environment).settings.listen.port(), 2);
    let flags = SettingsOverrides { listen: Some(([127, 0, 0, 1], 3).into()), ..environment };
    assert_eq!(place.load_with(&flags).settings.listen.port(), 3);
}

#[test]
fn every_variable_wins_over_the_file() {
    let place = Place::with_settings(crate::sample::SETTINGS);
    place.write("holidays.ics", crate::sample::HOLIDAYS);
    place.write("apps/plain.toml", &format!("{PLAIN}image = \"busybox\"\n"));
    let overrides = environment(&[
        ("TEKCRON_INSTANCE", "green"),
        ("TEKCRON_NAMESPACE", "other"),
        ("TEKCRON_DATA_DIR", "/elsewhere"),
        ("TEKCRON_LISTEN", "127.0.0.1:1"),
        ("TEKCRON_TLS_CERTIFICATE", "/c"),
        ("TEKCRON_TLS_KEY", "/k"),
        ("TEKCRON_INSECURE", "true"),
        ("TEKCRON_MAX_CHILDREN", "1"),
        ("TEKCRON_MAX_BACKFILL", "1000"),
        ("TEKCRON_GRACE", "1s"),
        ("TEKCRON_DRAIN", "1s"),
        ("TEKCRON_HOLD", "1s"),
        ("TEKCRON_MAX_LOG", "2Mi"),
        ("TEKCRON_LOG_BUDGET", "2Mi"),
        ("TEKCRON_MAX_SOURCE", "3Mi"),
        ("TEKCRON_KEEP_SLOTS", "90d"),
        ("TEKCRON_LOG_FORMAT", "text"),
        ("TEKCRON_LOG", "warn"),
        ("TEKCRON_HEALTH_LISTEN", "127.0.0.1:2"),
        ("TEKCRON_EXECUTOR", "local"),
        ("TEKCRON_KUBECONFIG", "/kube"),
        ("TEKCRON_KUBE_CONTEXT", "green"),
        ("TEKCRON_MAX_CREATES", "2"),
        ("TEKCRON_MAX_SUBMITTED", "3"),
        ("TEKCRON_FINALIZER", "true"),
        ("TEKCRON_UNSCHEDULABLE_AFTER", "4m"),
        ("TEKCRON_LOG_STREAM", "none"),
        ("TEKCRON_PUBLIC_URL", "https://green.example.org"),
    ]);
    let (file, both) = (place.load().settings, place.load_with(&overrides).settings);
    let all =
        config::Settings { env: both.env.clone(), build: both.build.clone(), ..place_of_only(&overrides) };
    assert_eq!(both, all);
    assert_eq!(
        (both.env, both.build),
        (file.env, file.build),
        "no variable stands for `[env]` and `[build]`"
    );
}

/// The settings where no file says anything.
fn place_of_only(overrides: &SettingsOverrides) -> config::Settings {
    Place::with_settings("").load_with(overrides).settings
}

#[test]
fn a_bad_value_in_the_file_is_a_problem_even_where_it_is_overridden() {
    let place = Place::with_settings("listen = \"nowhere\"\n");
    let overrides = environment(&[("TEKCRON_LISTEN", "127.0.0.1:2")]);
    assert!(config::load(&place.config(), &overrides).is_err());
}

#[test]
fn what_environment_and_file_make_together_is_blamed_on_the_environment() {
    let place = Place::with_settings("listen = \"127.0.0.1:1\"\n");
    let overrides = environment(&[("TEKCRON_LISTEN", "0.0.0.0:2")]);
    let report = config::load(&place.config(), &overrides).unwrap_err().to_string();
    assert!(report.starts_with("error: expected a loopback address"), "{report}");
    assert!(report.contains("\n--> TEKCRON_LISTEN or --listen\n"), "{report}");
}

#[test]
fn the_fingerprint_is_the_generation_and_follows_every_file() {
    let place = Place::with_settings("");
    let fingerprint = || config::fingerprint(&place.config()).unwrap();
    let first = fingerprint();
    assert_eq!(first, place.load().generation);
    place.write("apps/README.md", "not read");
    assert_eq!(first, fingerprint());
    place.write("tekcron.toml", "grace = \"1s\"\n");
    let second = fingerprint();
    place.write("apps/other.toml", &PLAIN.replace("plain", "other"));
    let third = fingerprint();
    std::fs::rename(place.config().join("apps/other.toml"), place.config().join("apps/another.toml"))
        .unwrap();
    let fourth = fingerprint();
    assert!(first != second && second != third && third != fourth);
    assert_eq!(fourth, place.load().generation);
}

#[test]
fn a_missing_directory_has_no_fingerprint() {
    let error = config::fingerprint(&Place::with(&[]).config()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

//! What a pod gives a daemon: probes by its address, a token from a Secret, files from ConfigMaps.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::harness::{Daemon, Place, text};

const APP: &str = "[app]\nname = \"etl\"\ncommand = \"echo done\"\n";

/// 43 characters of base64url that are 32 bytes.
const TOKEN: &str = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBieXRlcyA";

/// What stands behind `label` on the screen of a start.
fn said(daemon: &Daemon, label: &str) -> String {
    loop {
        let line = daemon.line().expect("the screen has it");
        if let Some(rest) = line.trim().strip_prefix(label) {
            return rest.trim().to_owned();
        }
    }
}

fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 10.244.0.7\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn probes_have_an_address_of_their_own_beside_the_api() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve_with(&[("TEKCRON_HEALTH_LISTEN", "0.0.0.0:0")]);
    let api = said(&daemon, "api");
    let probes = said(&daemon, "probes");
    let port = probes.strip_prefix("http://0.0.0.0:").unwrap();
    let at = format!("127.0.0.1:{port}");
    for path in ["/livez", "/readyz"] {
        let answer = ask(&at, path);
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
        let answer = ask(api.strip_prefix("http://").unwrap(), path);
        assert!(
            answer.starts_with("HTTP/1.1 403 "),
            "the API still answers to its own names alone: {answer}"
        );
    }
    assert!(ask(&at, "/metrics").starts_with("HTTP/1.1 404 "));
    assert!(ask(&at, "/readyz?verbose").starts_with("HTTP/1.1 404 "));
    assert!(daemon.terminate().success());
    assert!(TcpStream::connect(&at).is_err(), "it is closed with the rest");
}

#[test]
fn a_port_for_probes_that_is_in_use_is_named_before_anything_is_made() {
    let place = Place::with(&[("etl", APP)]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let daemon = place.spawn(&[("TEKCRON_HEALTH_LISTEN", &address)]);
    assert_eq!(daemon.ended().code(), Some(69));
    let log = place.log();
    assert!(log.contains(&address) && log.contains("hint: ") && log.contains("health_listen"), "{log}");
    assert!(!place.path().join("data").exists(), "nothing is made");
}

#[test]
fn a_token_in_the_environment_is_the_one_and_is_written_nowhere() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve_with(&[("TEKCRON_TOKEN", TOKEN), ("TEKCRON_LOG", "trace")]);
    let run = |token: Option<&str>, args: &[&str]| {
        let mut command = place.command(args);
        command.envs(token.map(|token| ("TEKCRON_TOKEN", token)));
        command.output().unwrap()
    };
    assert!(!run(None, &["apps"]).status.success(), "there is no file with it");
    let output = run(Some(TOKEN), &["run-task", "etl", "--follow", "-c", "env"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains(TOKEN), "no task sees it");
    let output = run(Some(TOKEN), &["token", "rotate"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hint: change it there"), "{}", text(&output.stderr));
    assert!(run(Some(TOKEN), &["apps"]).status.success(), "it is as it was");
    assert!(daemon.terminate().success());
    assert!(!place.log().contains(TOKEN), "{}", place.log());
    for file in place.data_files() {
        assert!(!text(&fs::read(&file).unwrap()).contains(TOKEN), "{}", file.display());
    }
}

#[test]
fn a_text_that_is_no_token_stops_the_start_and_is_not_repeated() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.spawn(&[("TEKCRON_TOKEN", "changeme")]);
    assert_eq!(daemon.ended().code(), Some(64));
    let log = place.log();
    assert!(log.contains("found 8 characters") && log.contains("hint: "), "{log}");
    assert!(!log.contains("changeme"), "{log}");
    assert!(!place.path().join("data").exists(), "nothing is made");
}

/// Puts files where a kubelet puts those of a ConfigMap: in a new directory, which takes the place of the old one by
/// one rename of a link.
fn publish(volume: &Path, version: &str, files: &[(&str, &str)]) {
    let (payload, data) = (volume.join(format!("..{version}")), volume.join("..data"));
    fs::create_dir(&payload).unwrap();
    for (name, text) in files {
        fs::write(payload.join(name), text).unwrap();
    }
    let old = fs::read_link(&data).ok();
    symlink(payload.file_name().unwrap(), volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), &data).unwrap();
    for (name, _) in files {
        if fs::symlink_metadata(volume.join(name)).is_err() {
            symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).unwrap();
    }
}

#[test]
fn a_config_map_that_changes_is_taken_up_without_a_signal() {
    let place = Place::with(&[]);
    let apps = place.path().join("config/apps");
    publish(&apps, "2026_01_01", &[("etl.toml", APP)]);
    let daemon = place.serve();
    assert_eq!(place.ok(&["apps", "-o", "name"]), "app/etl\n");
    // The names, sizes and links are as before: what they lead to is not.
    publish(&apps, "2026_01_02", &[("etl.toml", &APP.replace("etl", "elt"))]);
    place.until("the other App", || (place.ok(&["apps", "-o", "name"]) == "app/elt\n").then_some(()));
    let more = "[app]\nname = \"more\"\ncommand = \"true\"\n";
    publish(&apps, "2026_01_03", &[("etl.toml", APP), ("more.toml", more)]);
    let both = "app/etl\napp/more\n";
    place.until("one more App", || (place.ok(&["apps", "-o", "name"]) == both).then_some(()));
    assert!(daemon.terminate().success());
}

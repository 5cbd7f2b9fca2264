//! A file that has its name arrived whole.

use std::fs;

use crate::http::{Answer, Server, sum};
use crate::sandbox::{Ran, Sandbox, has};

/// More than any buffer, and no text.
fn bytes() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}

/// Runs the commands of the shipped jobs.
fn upload(sandbox: Sandbox, file: &str, url: &str) -> (Sandbox, Ran) {
    let sandbox = sandbox.with("FILE", file).with("URL", url);
    let ran = sandbox.run("sh transfer.sh upload \"$FILE\" \"$URL\"");
    (sandbox, ran)
}

fn download(sandbox: Sandbox, url: &str, file: &str) -> (Sandbox, Ran) {
    let sandbox = sandbox.with("FILE", file).with("URL", url);
    let ran = sandbox.run("sh transfer.sh download \"$URL\" \"$FILE\"");
    (sandbox, ran)
}

/// The main path, for any shell and tools.
pub(crate) fn round(sandbox: Sandbox) {
    let (server, bytes) = (Server::start(), bytes());
    fs::write(sandbox.state().join("out file.bin"), &bytes).unwrap();
    let (sandbox, ran) = upload(sandbox, "out file.bin", &server.url("/in/data.bin"));
    let said = format!("uploaded out file.bin: 3000000 bytes, sha256 {}\n", sum(&bytes));
    assert!((ran.code, &ran.out, &*ran.err) == (Some(0), &said, ""), "{ran}");
    assert!(server.held("/in/data.bin") == bytes);
    assert_eq!(server.held("/in/data.bin.sha256"), format!("{}\n", sum(&bytes)).into_bytes());

    let (sandbox, ran) = download(sandbox, &server.url("/in/data.bin"), "back.bin");
    let said = format!("downloaded back.bin: 3000000 bytes, sha256 {}\n", sum(&bytes));
    assert!((ran.code, &ran.out, &*ran.err) == (Some(0), &said, ""), "{ran}");
    assert!(fs::read(sandbox.state().join("back.bin")).unwrap() == bytes);
    assert_eq!(sandbox.listing(), ["back.bin", "out file.bin"]);
    let requests = server.requests.lock().unwrap();
    assert_eq!(
        *requests,
        ["PUT /in/data.bin", "PUT /in/data.bin.sha256", "GET /in/data.bin.sha256", "GET /in/data.bin"]
    );
}

#[test]
fn a_file_goes_up_with_its_checksum_and_comes_back_the_same() {
    if has("curl") {
        round(Sandbox::of("transfer"));
    }
}

#[test]
fn a_download_that_goes_wrong_leaves_the_file_as_it_was() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    server.hold_summed("/tampered", b"evil", b"good");
    server.hold("/bare", Answer::Whole(b"good".to_vec()));
    server.hold_summed("/gone", b"", b"good");
    server.files.lock().unwrap().remove("/gone");
    server.hold_summed("/cut", b"", b"good, all of it");
    server.hold("/cut", Answer::Cut(b"good, all of".to_vec()));
    server.hold("/page", Answer::Whole(b"good".to_vec()));
    server.hold("/page.sha256", Answer::Whole(b"<html>who are you?</html>".to_vec()));
    let mismatch =
        format!("transfer: expected sha256 {}, found {}; old is left as it was", sum(b"good"), sum(b"evil"));
    for (path, code, words) in [
        ("/tampered", 1, mismatch.as_str()),
        ("/bare", 22, "404"),
        ("/gone", 22, "404"),
        ("/cut", 18, "curl: (18)"),
        ("/page", 1, "expected sha256 <html>who, found"),
        ("/", 1, "transfer: expected the URL of a file, found http://"),
    ] {
        let sandbox = Sandbox::of("transfer");
        fs::write(sandbox.state().join("old"), "as it was").unwrap();
        let (sandbox, ran) = download(sandbox, &server.url(path), "old");
        ran.failed(code, words);
        assert_eq!(ran.out, "", "{path}");
        assert_eq!(fs::read_to_string(sandbox.state().join("old")).unwrap(), "as it was", "{path}");
        assert_eq!(sandbox.listing(), ["old"], "{path}");
    }
}

#[test]
fn a_terminated_download_leaves_no_unfinished_file() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    server.hold_summed("/data", b"good", b"good");
    let sandbox = Sandbox::of("transfer").with("URL", &server.url("/data"));
    let ran = sandbox.end_within("exec sh transfer.sh download \"$URL\" new", "sha256sum");
    assert_eq!(ran.code, Some(143), "{ran}");
    assert!(sandbox.listing().is_empty(), "{:?}", sandbox.listing());
}

#[test]
fn an_upload_that_goes_wrong_says_why() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    for (file, path, code, words) in [
        ("missing", "/in/data", 1, "transfer: expected a file at missing, found none"),
        ("there", "/forbidden/data", 22, "403"),
        ("there", "/in/", 1, "transfer: expected the URL of a file"),
    ] {
        let sandbox = Sandbox::of("transfer");
        fs::write(sandbox.state().join("there"), "something").unwrap();
        let (sandbox, ran) = upload(sandbox, file, &server.url(path));
        ran.failed(code, words);
        assert_eq!(sandbox.listing(), ["there"], "{path}");
    }
    assert!(server.files.lock().unwrap().is_empty());
}

#[test]
fn brackets_and_braces_of_a_url_are_no_patterns() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    let sandbox = Sandbox::of("transfer");
    fs::write(sandbox.state().join("file"), "something").unwrap();
    let (_, ran) = upload(sandbox, "file", &server.url("/in/{a,b}[1-2]"));
    assert_eq!(ran.code, Some(0), "{ran}");
    let requests = server.requests.lock().unwrap();
    assert_eq!(*requests, ["PUT /in/{a,b}[1-2]", "PUT /in/{a,b}[1-2].sha256"]);
}

#[test]
fn what_is_missing_is_asked_for() {
    for line in [
        "sh transfer.sh",
        "sh transfer.sh upload file",
        "sh transfer.sh copy a b",
        // As the shipped jobs do where nobody said what.
        "sh transfer.sh download \"$URL\" \"$FILE\"",
    ] {
        let sandbox = Sandbox::of("transfer");
        sandbox.run(line).failed(64, "usage: transfer.sh upload FILE URL | download URL FILE");
    }
}

#[test]
fn what_is_no_url_is_told_before_curl_is_asked_for() {
    let empty = tempfile::TempDir::new().unwrap();
    for line in [
        "/bin/sh transfer.sh download data.csv out.csv",
        "/bin/sh transfer.sh upload data.csv ftp://127.0.0.1/a",
        "/bin/sh transfer.sh download https:// out.csv",
    ] {
        let ran = Sandbox::of("transfer").with_tools(empty.path()).run(line);
        ran.failed(1, "transfer: expected ");
        assert!(ran.err.contains("URL") && !ran.err.contains("curl"), "{ran}");
    }
}

#[test]
fn a_machine_without_curl_is_told_so() {
    let empty = tempfile::TempDir::new().unwrap();
    let sandbox = Sandbox::of("transfer").with_tools(empty.path());
    let ran = sandbox.run("/bin/sh transfer.sh download http://127.0.0.1:1/a a");
    ran.failed(1, "transfer: expected curl on this machine, found none");
}

#[test]
fn a_checksum_from_elsewhere_takes_the_place_of_the_servers() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    server.hold("/data", Answer::Whole(b"good".to_vec()));
    let sandbox = |summed: &[u8]| Sandbox::of("transfer").with("TRANSFER_SHA256", &sum(summed));
    let (good, ran) = download(sandbox(b"good"), &server.url("/data"), "in/new directory/file");
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(fs::read(good.state().join("in/new directory/file")).unwrap(), b"good");
    let (other, ran) = download(sandbox(b"other"), &server.url("/data"), "file");
    ran.failed(1, "transfer: expected sha256");
    assert!(other.listing().is_empty());
    assert_eq!(*server.requests.lock().unwrap(), ["GET /data", "GET /data"]);
}

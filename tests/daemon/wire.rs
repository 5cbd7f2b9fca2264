//! The API as any program speaks it, and sources to send.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::Place;

/// Asks the daemon of `place`; status and answer. None where it is gone before it has answered.
pub(crate) fn ask(place: &Place, method: &str, path: &str, body: &[u8]) -> Option<(u16, Value)> {
    let token = fs::read_to_string(place.path().join("data/token")).ok()?;
    let (status, body) = ask_as(place, token.trim(), method, path, body)?;
    Some((status, serde_json::from_str(&body).unwrap_or_default()))
}

/// The same with a token of one's own, and the answer as it is.
pub(crate) fn ask_as(
    place: &Place,
    token: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> Option<(u16, String)> {
    let address = fs::read_to_string(place.path().join("data/address")).ok()?;
    let mut stream = TcpStream::connect(address.trim().strip_prefix("http://")?).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    // It may be gone in the middle.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The same with a body of JSON, where the daemon must answer.
pub(crate) fn post(place: &Place, path: &str, body: &Value) -> (u16, Value) {
    ask(place, "POST", path, body.to_string().as_bytes()).unwrap()
}

pub(crate) fn get(place: &Place, path: &str) -> (u16, Value) {
    ask(place, "GET", path, b"").unwrap()
}

/// A source with these files, and its hash.
pub(crate) fn source(files: &[(&str, &str)]) -> (String, Vec<u8>) {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    (data_encoding::HEXLOWER.encode(&Sha256::digest(&tar)), tar)
}

/// Sends a source, or what is missing of it.
pub(crate) fn send(place: &Place, files: &[(&str, &str)]) -> String {
    let (hash, tar) = source(files);
    let path = format!("/v1/sources/{hash}");
    let offset = get(place, &path).1["received"].as_u64().unwrap();
    let rest = &tar[usize::try_from(offset).unwrap()..];
    let (status, answer) = ask(place, "PUT", &format!("{path}?offset={offset}"), rest).unwrap();
    assert_eq!((status, &answer["complete"]), (200, &true.into()), "{answer}");
    hash
}

/// A revision when it is no longer being built.
pub(crate) fn settled(place: &Place, app: &str, number: u64) -> Value {
    place.until("the revision is made", || {
        let (status, revision) =
            ask(place, "GET", &format!("/v1/apps/{app}/revisions/{number}?wait=30s"), b"")?;
        (status == 200 && revision["state"] != "building").then_some(revision)
    })
}

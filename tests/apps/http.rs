//! An HTTP server that keeps files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// How a server answers to GET.
#[derive(Clone)]
pub(crate) enum Answer {
    Whole(Vec<u8>),
    /// It promises more than it sends.
    Cut(Vec<u8>),
}

/// An HTTP server on loopback: keeps what is PUT, answers with what it holds.
pub(crate) struct Server {
    address: String,
    pub(crate) files: Arc<Mutex<BTreeMap<String, Answer>>>,
    /// Method and path of each request.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Self { address, files: Arc::default(), requests: Arc::default() };
        let (files, requests) = (Arc::clone(&server.files), Arc::clone(&server.requests));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                // None where the other side went away.
                let _ = serve(&connection.unwrap(), &files, &requests);
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn hold(&self, path: &str, answer: Answer) {
        self.files.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Holds `bytes` with the checksum of `summed`.
    pub(crate) fn hold_summed(&self, path: &str, bytes: &[u8], summed: &[u8]) {
        self.hold(path, Answer::Whole(bytes.to_vec()));
        // As `sha256sum` writes it.
        let sum = format!("{}  {path}\n", sum(summed));
        self.hold(&format!("{path}.sha256"), Answer::Whole(sum.into_bytes()));
    }

    pub(crate) fn held(&self, path: &str) -> Vec<u8> {
        match self.files.lock().unwrap().get(path) {
            Some(Answer::Whole(bytes)) => bytes.clone(),
            _ => panic!("nothing was put at {path}"),
        }
    }
}

/// Answers one request, once it is noted.
fn serve(
    connection: &TcpStream,
    files: &Mutex<BTreeMap<String, Answer>>,
    requests: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let value =
            |line: &String| line.to_lowercase().strip_prefix(name).map(|value| value.trim().to_owned());
        head.iter().find_map(value)
    };
    let (method, path) = head[0].split_once(' ')?;
    let path = path.split(' ').next()?.to_owned();
    requests.lock().unwrap().push(format!("{method} {path}"));
    let mut answer = connection;
    if header("expect:").is_some() {
        answer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut files = files.lock().unwrap();
    if method == "PUT" {
        // Without a length: as servers of object stores answer to chunks.
        let Some(length) = header("content-length:") else {
            answer.write_all(b"HTTP/1.1 411 Length Required\r\nConnection: close\r\n\r\n").ok()?;
            return None;
        };
        let mut body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        if path.starts_with("/forbidden") {
            answer.write_all(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n").ok()?;
        } else {
            files.insert(path.clone(), Answer::Whole(body));
            answer
                .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .ok()?;
        }
    } else {
        let (status, body, promised) = match files.get(&path) {
            Some(Answer::Whole(bytes)) => ("200 OK", bytes.clone(), bytes.len()),
            Some(Answer::Cut(bytes)) => ("200 OK", bytes.clone(), bytes.len() + 1),
            None => ("404 Not Found", b"no such file".to_vec(), 12),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n");
        answer.write_all(head.as_bytes()).ok()?;
        answer.write_all(&body).ok()?;
    }
    Some(())
}

/// SHA-256, as `sha256sum` writes it.
pub(crate) fn sum(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

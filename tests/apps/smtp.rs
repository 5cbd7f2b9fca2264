//! An SMTP server for one conversation.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for any machine; only a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// One conversation, as the server saw it.
#[derive(Default)]
pub(crate) struct Letter {
    /// What was said, without the message.
    pub(crate) commands: Vec<String>,
    /// The message as it was on the wire, with its doubled dots, without the lone one at its end.
    pub(crate) wire: String,
}

impl Letter {
    /// Header fields and body, as a reader gets them.
    pub(crate) fn parts(&self) -> (Vec<(String, String)>, String) {
        let (head, body) = self.wire.split_once("\r\n\r\n").unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        let unstuffed = body.split_inclusive("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line));
        (head.split("\r\n").map(field).collect(), unstuffed.collect())
    }

    pub(crate) fn field(&self, name: &str) -> String {
        let fields = self.parts().0;
        let mut found = fields.iter().filter(|(each, _)| each == name);
        let value = found.next().unwrap_or_else(|| panic!("no `{name}` in {fields:?}")).1.clone();
        assert!(found.next().is_none(), "`{name}` is there twice");
        value
    }

    pub(crate) fn envelope(&self) -> Vec<&str> {
        let commands = self.commands.iter().map(String::as_str);
        commands.filter(|line| line.starts_with("MAIL") || line.starts_with("RCPT")).collect()
    }
}

/// An SMTP server on loopback for one conversation, which answers commands that begin with `refused` with
/// a refusal.
pub(crate) struct Server {
    address: String,
    letter: Receiver<Letter>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::refusing("nothing", "")
    }

    pub(crate) fn refusing(refused: &'static str, words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, letter) = channel();
        std::thread::spawn(move || {
            let mut letter = Letter::default();
            // None where the other side went away, as one that is refused does.
            let _ = converse(&listener.accept().unwrap().0, refused, words, &mut letter);
            send.send(letter)
        });
        Self { address, letter }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub(crate) fn letter(self) -> Letter {
        self.letter.recv_timeout(PATIENCE).unwrap()
    }
}

fn converse(mut stream: &TcpStream, refused: &str, words: &str, letter: &mut Letter) -> Option<()> {
    let mut reader = BufReader::new(stream);
    stream.write_all(b"220 loopback ready\r\n").ok()?;
    loop {
        let line = line(&mut reader)?;
        let answer = match line.split(' ').next()? {
            _ if line.starts_with(refused) => words,
            "EHLO" => "250-loopback\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => "334 ",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            // What follows AUTH PLAIN.
            _ if letter.commands.last().is_some_and(|last| last == "AUTH PLAIN") => "235 welcome",
            _ => "250 ok",
        };
        letter.commands.push(line);
        stream.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
        match answer.get(..3)? {
            "354" => {
                letter.wire = message(&mut reader)?;
                let taken = if refused == "." { words } else { "250 taken" };
                stream.write_all(format!("{taken}\r\n").as_bytes()).ok()?;
            }
            "221" => return Some(()),
            _ => {}
        }
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end_matches("\r\n").to_owned())
}

fn message(reader: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n.\r\n") {
        if reader.read_line(&mut text).ok()? == 0 {
            return None;
        }
    }
    text.truncate(text.len() - ".\r\n".len());
    Some(text)
}

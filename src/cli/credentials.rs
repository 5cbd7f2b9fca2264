//! Credentials as they are given on the command line. What is wrong with them is said without a word of them.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Map, Value};

use super::error::CliError;

/// What `-p` says.
pub(super) fn credentials(text: &str) -> Result<Map<String, Value>, CliError> {
    if text.trim_start().starts_with('{') {
        return object("-p", text);
    }
    if text == "-" {
        let mut read = String::new();
        io::stdin().read_to_string(&mut read).map_err(CliError::Start)?;
        return object("stdin", &read);
    }
    match std::fs::read_to_string(text) {
        Ok(read) => object(text, &read),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !Path::new(text).is_absolute() => ask(text),
        Err(source) => Err(CliError::Credentials { place: text.to_owned(), found: source.to_string() }),
    }
}

fn object(place: &str, text: &str) -> Result<Map<String, Value>, CliError> {
    serde_json::from_str(text).map_err(|error| CliError::Credentials {
        place: place.to_owned(),
        // Its own words may quote the text.
        found: format!("an error at line {}, column {}", error.line(), error.column()),
    })
}

/// Asks for each of `names`, and shows nothing of what is typed.
fn ask(names: &str) -> Result<Map<String, Value>, CliError> {
    let names: Vec<_> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if names.is_empty() || !names.iter().all(is_name) {
        let found = "neither a JSON object nor a file nor names".to_owned();
        return Err(CliError::Credentials { place: "-p".to_owned(), found });
    }
    if !io::stdin().is_terminal() {
        return Err(CliError::NobodyToAsk { names: names.join(", ") });
    }
    names.into_iter().map(|name| Ok((name.to_owned(), Value::String(unseen(name)?)))).collect()
}

fn unseen(name: &str) -> Result<String, CliError> {
    let (mut err, input) = (io::stderr().lock(), io::stdin());
    write!(err, "{name}: ").and_then(|()| err.flush()).map_err(CliError::Output)?;
    let before = tcgetattr(&input).map_err(|error| CliError::Start(error.into()))?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&input, OptionalActions::Now, &quiet).map_err(|error| CliError::Start(error.into()))?;
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    // What cannot be put back is not this verb's end.
    let _ = tcsetattr(&input, OptionalActions::Now, &before);
    writeln!(err).map_err(CliError::Output)?;
    read.map_err(CliError::Start)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_an_object_and_no_error_quotes_them() {
        let of = |text: &str| credentials(text).map_err(|error| error.to_string());
        assert_eq!(of(" {\"uri\": \"x:y\"}").unwrap()["uri"], "x:y");
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("credentials.json");
        std::fs::write(&file, "{\"user\": \"me\"}").unwrap();
        assert_eq!(of(file.to_str().unwrap()).unwrap()["user"], "me");
        for (text, words) in [
            ("{\"uri\": s3cret}", "line 1, column 9"),
            ("https://user:s3cret@host/", "neither a JSON object nor a file nor names"),
            ("", "neither"),
            ("/nowhere/s3.json", "/nowhere/s3.json"),
        ] {
            let said = of(text).unwrap_err();
            assert!(said.contains(words) && !said.contains("s3cret"), "{text}: {said}");
        }
    }
}

//! Records as lines of JSON: a first one with the format's number, one a record, a last one with their count
//! and checksum, without which the rest counts for nothing.
//!
//! A key stands there in its parts, a value as it is stored, in base64: its first byte is its version.
//! Credentials are in neither: the store has none.

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::store::key::{Kind, Parts, ordered, time_of};

/// The format of the lines.
pub(super) const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The format; tells such a file from others.
    pub(super) tekcron_store: u32,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tail {
    /// How many records there are.
    pub(super) records: u64,
    /// Of all lines before, in hexadecimal digits.
    pub(super) sha256: String,
}

/// A record as a line, without its end.
pub(super) fn write(at: &[u8], value: &[u8]) -> String {
    let mut line = parts(at).unwrap_or_else(|| {
        let mut line = Map::new();
        line.insert("kind".to_owned(), "other".into());
        line.insert("raw".to_owned(), BASE64.encode(at).into());
        line
    });
    if !value.is_empty() {
        line.insert("value".to_owned(), BASE64.encode(value).into());
    }
    Value::Object(line).to_string()
}

/// A key's parts; nothing where they would not give the same key.
fn parts(at: &[u8]) -> Option<Map<String, Value>> {
    let parts = Parts::of(at).filter(|parts| parts.key() == at)?;
    let mut line = Map::new();
    line.insert("kind".to_owned(), parts.kind.as_str().into());
    line.extend(parts.texts.iter().map(|(name, text)| ((*name).to_owned(), text.as_str().into())));
    if let Some(number) = parts.number {
        match parts.kind {
            Kind::Slot => line.insert("first".to_owned(), time_of(number)?.to_string().into()),
            _ => line.insert("id".to_owned(), number.into()),
        };
    }
    Some(line)
}

/// The record that stands in a line.
pub(super) fn read(line: &str) -> Result<(Vec<u8>, Vec<u8>), String> {
    let mut line: Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let mut text = |name: &str| match line.remove(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` is no text")),
        None => Ok(None),
    };
    let decode = |text: String| BASE64.decode(text.as_bytes()).map_err(|error| error.to_string());
    let value = text("value")?.map(decode).transpose()?.unwrap_or_default();
    let kind = text("kind")?.ok_or("`kind` is missing")?;
    if kind == "other" {
        let at = text("raw")?.ok_or("`raw` is missing")?;
        return Ok((decode(at)?, value));
    }
    let kind = Kind::named(&kind).ok_or_else(|| format!("the kind `{kind}` is not known"))?;
    let number = match kind {
        Kind::Slot => {
            let first = text("first")?.ok_or("`first` is missing")?;
            Some(ordered(first.parse::<Timestamp>().map_err(|error| error.to_string())?))
        }
        _ => line.get("id").map(|id| id.as_u64().ok_or("`id` is no number")).transpose()?,
    };
    let named = |name: &str| line.get(name)?.as_str().map(str::to_owned);
    let parts = Parts::named(kind, number, named).ok_or("a part of its key is missing")?;
    let known = parts.texts.len() + usize::from(number.is_some() && kind != Kind::Slot);
    if line.len() > known {
        return Err("it has parts that are not known".to_owned());
    }
    Ok((parts.key(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobRef;
    use crate::schedule::ScheduleKey;
    use crate::store::key;
    use crate::task::TaskId;

    #[test]
    fn a_record_of_any_kind_reads_back_as_the_same() {
        let job: JobRef = "etl.nightly".parse().unwrap();
        let schedule = ScheduleKey::hashed("0 2 * * *", "UTC", "vixie");
        let at = Timestamp::from_second(-60).unwrap();
        for key in [
            key::task(&job.app, TaskId(7)),
            key::active(&job.app, TaskId(u64::MAX)),
            key::counter(&job.app),
            key::front(&job.app, TaskId(7)),
            key::slot(&job, &schedule, at),
            key::slot(&job, &schedule, Timestamp::MAX),
            key::watermark(&job, &schedule),
            key::previous_success(&job),
            key::job(&job),
            key::app(&job.app),
            key::service(&"db".parse().unwrap()),
            key::revision(&job.app, crate::push::RevisionNumber(7)),
            key::notice("msg_0199"),
            key::standing(&job),
            key::streak(&job),
            key::idempotency("a key\0 with \"all\" sorts\n"),
            key::idempotency(""),
            b"i\xff\xfe".to_vec(),
            b"t".to_vec(),
            b"t\0".to_vec(),
            b"x-unknown".to_vec(),
            b"s\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            Vec::new(),
        ] {
            for value in [&b""[..], b"\x01\x00\xff"] {
                let line = write(&key, value);
                assert!(!line.contains('\n'), "{line}");
                assert_eq!(read(&line), Ok((key.clone(), value.to_vec())), "{line}");
            }
        }
        let line = write(&key::slot(&job, &schedule, at), b"\x01");
        assert!(line.contains(r#""first":"1969-12-31T23:59:00Z","job":"nightly","kind":"slot""#), "{line}");
    }

    #[test]
    fn a_line_that_says_less_or_more_than_a_record_is_refused() {
        for line in [
            "",
            "{",
            "[]",
            r#"{"kind":"task","app":"etl"}"#,
            r#"{"kind":"task","app":"etl","id":-1}"#,
            r#"{"kind":"task","app":7,"id":1}"#,
            r#"{"kind":"task","app":"etl","id":1,"more":1}"#,
            r#"{"kind":"counter","app":"etl","id":1}"#,
            r#"{"kind":"unheard-of"}"#,
            r#"{"kind":"counter","app":"etl","value":"?"}"#,
            r#"{"kind":"slot","app":"etl","job":"a","schedule":"b","first":"never"}"#,
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}

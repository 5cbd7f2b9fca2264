//! What holds for any bytes where a record, or its key, is expected.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record::{self, IdempotencyV1};
use super::tally::Tally;
use super::{StoreError, key};
use crate::api::resources::TaskResource;
use crate::app::AppName;
use crate::job::JobRef;
use crate::push::RevisionNumber;
use crate::schedule::ScheduleKey;
use crate::task::{Task, TaskId};

/// See [`crate::fuzzing::record`].
pub(crate) fn record(input: &[u8]) {
    let Some((kind, value)) = input.split_first() else { return };
    match kind {
        b't' => task(value),
        b's' => again(value, decode_slot, record::encode_slot),
        b'w' => again(value, |value| record::decode_watermark(b"w", value), record::encode_watermark),
        b'h' => again(value, |value| record::decode_steering(b"h", value), record::encode_steering),
        b'e' => again(value, |value| record::decode_app(b"e", value), record::encode_app),
        b'v' => again(value, |value| record::decode_service(b"v", value), record::encode_service),
        b'c' => {
            let at = key::revision(&"etl".parse().expect("this is a name"), RevisionNumber(7));
            again(
                value,
                |value| record::decode_revision(&at, value),
                |(_, revision)| record::encode_revision(revision),
            );
        }
        b'i' => row::<IdempotencyV1>(value),
        b'm' => row::<Tally>(value),
        b'p' => again(value, decode_success, |nominal| record::encode(&record::micros(*nominal))),
        b'n' => again(value, |value| record::decode_standing(b"l", value), record::encode_standing),
        b'o' => {
            again(value, |value| record::decode_notice(&key::notice("msg_1"), value), record::encode_notice)
        }
        b'r' => again(value, |value| record::decode_streak(b"k", value), record::encode_streak),
        b'j' => row::<String>(value),
        b'q' => row::<i64>(value),
        b'k' => keys(value),
        b'l' => super::closed::line(value),
        b'f' => super::raw::anything(value),
        _ => {}
    }
}

fn decode_slot(value: &[u8]) -> Result<super::SlotRow, StoreError> {
    let job: JobRef = "etl.nightly".parse().expect("this is a name");
    let schedule = ScheduleKey::hashed("0 2 * * *", "UTC", "vixie");
    record::decode_slot(&key::slot(&job, &schedule, jiff::Timestamp::UNIX_EPOCH), value)
}

fn decode_success(value: &[u8]) -> Result<jiff::Timestamp, StoreError> {
    record::timestamp("previous success", b"p", record::decode("previous success", b"p", value)?)
}

fn task(value: &[u8]) {
    let app: AppName = "etl".parse().expect("this is a name");
    let at = key::task(&app, TaskId(7));
    again(value, |value| record::decode_task(&at, value), record::encode_task);
    if let Ok(task) = record::decode_task(&at, value) {
        shown(&task);
    }
}

/// What is stored can be shown.
fn shown(task: &Task) {
    let resource = TaskResource::from(task);
    let json = serde_json::to_vec(&resource).expect("a task is plain data");
    let read: TaskResource = serde_json::from_slice(&json).expect("what is shown reads back");
    assert_eq!(read, resource);
}

fn row<T: Debug + PartialEq + Serialize + DeserializeOwned>(value: &[u8]) {
    again(value, |value| record::decode::<T>("row", b"r", value), record::encode);
}

/// What reads is the same when it is written and read again; what does not says so in words.
fn again<T: Debug + PartialEq>(
    value: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, StoreError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    match decode(value) {
        Ok(read) => {
            let written = encode(&read);
            assert_eq!(decode(&written).expect("what was written reads"), read);
        }
        Err(error) => assert!(error.to_string().contains("cannot be read"), "{error}"),
    }
}

/// A key that reads is the key of what was read.
fn keys(at: &[u8]) {
    assert!(key::display(at).is_ascii());
    if let Some((app, id)) = key::parts_of_task(at) {
        assert_eq!(key::parts_of_task(&key::task(&app, id)), Some((app, id)));
    }
    if let Some(app) = key::app_of(at) {
        assert_eq!(key::app_of(&key::counter(&app)), Some(app));
    }
    if let Some(job) = key::job_of(at) {
        assert_eq!(key::job_of(&key::standing(&job)), Some(job));
    }
    if let Some((schedule, first)) = key::parts_of_slot(at) {
        let job: JobRef = "etl.nightly".parse().expect("this is a job");
        assert_eq!(key::parts_of_slot(&key::slot(&job, &schedule, first)), Some((schedule, first)));
    }
    if let Some((job, schedule)) = key::schedule_of_watermark(at) {
        let read: (JobRef, ScheduleKey) = (job, schedule);
        assert_eq!(key::schedule_of_watermark(&key::watermark(&read.0, &read.1)), Some(read));
    }
}

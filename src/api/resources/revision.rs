use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ErrorBody, as_recorded};
use crate::app::AppName;
use crate::push::{Revision, RevisionNumber, RevisionState};
use crate::task::TaskId;

/// What is pushed: `POST /v1/apps/{app}/push`. Either `source` or `image`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PushBody {
    /// The hash of a source that was sent.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub source: Option<String>,
    /// An image that some registry has.
    pub image: Option<String>,
    /// Keys of the `[app]` table, but for `name`, `path` and `image`. Each replaces the one before; variables and
    /// services are added to those before; `command` is the revision's.
    #[schema(value_type = Object)]
    pub app: Map<String, Value>,
    /// Keys of the `[build]` table, which replace those before.
    #[schema(value_type = Object)]
    pub build: Map<String, Value>,
    /// Who pushes.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
    /// Only what would become of it, also of a source that was not sent yet.
    pub dry_run: bool,
}

/// Which revision to go back to: `POST /v1/apps/{app}/rollback`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackBody {
    /// Its number.
    #[schema(value_type = u32)]
    pub revision: Option<u32>,
    /// Who asks.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
}

/// Who has a revision built anew: `POST /v1/apps/{app}/restage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestageBody {
    /// Who asks.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
}

/// How far a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevisionWord {
    /// It is unpacked, and built.
    Building,
    /// Tasks can run on it.
    Ready,
    /// It never became what tasks can run on.
    Failed,
}

/// What was pushed of an App once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionResource {
    /// The App.
    pub app: String,
    /// Its number on that App.
    pub number: u32,
    /// How far it is.
    pub state: RevisionWord,
    /// Whether it is what tasks of the App run from now on.
    pub current: bool,
    /// The hash of its source.
    pub source: Option<String>,
    /// The image that its tasks run in, on a cluster.
    pub image: Option<String>,
    /// The id of the task that builds it, or has built it.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub build_task: Option<TaskId>,
    /// The revision whose code it is, where it was rolled back to or built anew.
    pub from: Option<u32>,
    /// Who asked for it.
    pub by: Option<String>,
    /// When that was.
    pub created: Timestamp,
    /// When it became ready, or failed.
    pub finished: Option<Timestamp>,
    /// Why it failed.
    pub reason: Option<String>,
    /// What was pushed and is probably not meant. Only in the answer to a push.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl RevisionResource {
    /// A revision of `app`, whose current one is `current`.
    pub fn new(app: &AppName, revision: &Revision, current: Option<RevisionNumber>) -> Self {
        let (state, reason) = match &revision.state {
            RevisionState::Building => (RevisionWord::Building, None),
            RevisionState::Ready => (RevisionWord::Ready, None),
            RevisionState::Failed { reason } => (RevisionWord::Failed, Some(reason.clone())),
        };
        Self {
            app: app.to_string(),
            number: revision.number.0,
            state,
            current: current == Some(revision.number),
            source: revision.source.map(|source| source.to_string()),
            image: revision.image.clone(),
            build_task: revision.build,
            from: revision.from.map(|from| from.0),
            by: revision.by.clone(),
            created: as_recorded(revision.at),
            finished: revision.ended.map(as_recorded),
            reason,
            warnings: Vec::new(),
        }
    }
}

/// The answer to a source that goes on at another byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OffsetEnvelope {
    /// The error.
    pub error: ErrorBody,
    /// The byte at which it goes on; none where that is not what is wrong.
    pub received: Option<u64>,
}

/// How much of a source is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceResource {
    /// The SHA-256 of its tar.
    pub hash: String,
    /// The bytes that are here.
    pub received: u64,
    /// Whether that is all of it, checked and on disk.
    pub complete: bool,
}

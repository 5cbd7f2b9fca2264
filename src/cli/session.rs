use std::sync::Arc;

use jiff::Timestamp;

use super::args::Globals;
use super::connection::{self, ConnectionError};
use crate::api::client::{Client, ClientError};
use crate::clock::{SharedClock, SystemClock};

/// What a verb works with.
pub(super) struct Session {
    pub(super) globals: Globals,
    pub(super) clock: SharedClock,
}

impl Session {
    pub(super) fn new(globals: Globals) -> Self {
        Self { globals, clock: Arc::new(SystemClock::new()) }
    }

    /// A client of the service; found anew with every call, since a restart may have moved it.
    pub(super) fn client(&self) -> Result<Client, ConnectionError> {
        connection::connect(&self.globals)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether the service was looked for, in a place nobody named, and is not running.
    pub(super) fn is_down(&self, error: &super::error::CliError) -> bool {
        use super::error::CliError::{Client, Connection};
        let absent = matches!(
            error,
            Connection(ConnectionError::NotRunning { .. }) | Client(ClientError::Unreachable { .. })
        );
        absent && self.globals.url().is_none()
    }
}

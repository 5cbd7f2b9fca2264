//! The store: every task, slot and watermark, durable. sled lives here and nowhere else.
//!
//! [`Store`] reads at once; writes are built as a [`Commit`] and go to one thread that writes many
//! of them together, flushes, and syncs the file itself (sled's flush does not reach the disk).
//! Guaranteed: a commit is atomic; when [`Store::commit`] returns, it is on disk; after a failed
//! write nothing more is acknowledged; a store from which something is missing does not open, and is
//! left as it is. Everything is in one sled tree, because sled's batches are atomic only within one.
//! What belongs into one commit is the caller's business. [`ClosedStore`] is a store that no daemon
//! has, to verify, export, import and compact.

mod alarm;
mod app;
mod beside;
mod blobs;
mod closed;
mod commit;
mod compact;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod mark;
mod open;
mod raw;
mod read;
mod record;
mod retained;
mod slot;
mod sound;
mod tally;
mod whole;
mod writer;

pub use self::closed::{ClosedStore, Contents, ExportError, Exported, ImportError};
pub use self::commit::Commit;
pub use self::compact::Compacted;
pub use self::error::StoreError;
pub use self::open::Store;
pub use self::read::Tasks;
pub use self::record::Watermark;
pub use self::slot::{Fate, SkipReason, SlotClaim, SlotOutcome, SlotRow};
pub use self::writer::WriteStats;

#[cfg(test)]
mod tests;

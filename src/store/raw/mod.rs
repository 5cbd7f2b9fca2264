//! sled's files, read without sled: every page that counts is checked, and nothing is changed.
//!
//! sled 0.34.7, which is pinned, mends what it opens: it blanks the end of its log from the first message
//! on that it cannot read, and says nothing. [`Pages`] finds out beforehand what sled would find, by the
//! same rules, reads all of it on all processors, and says which file is damaged. It is also how a store is
//! read that is not to be changed at all.

mod blob;
mod bytes;
mod fresh;
mod log;
mod message;
mod node;
mod pages;
mod snapshot;

use std::io;

pub(super) use self::fresh::Fresh;
pub(super) use self::pages::{Pages, Sum};

/// What is wrong with a file of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its file `{file}` is damaged: {message}")]
pub(super) struct Damage {
    /// Its name in the store's directory.
    file: String,
    message: String,
}

impl Damage {
    fn of(file: &str, message: impl ToString) -> Self {
        Self { file: file.to_owned(), message: message.to_string() }
    }

    fn page(number: u64, message: &str) -> Self {
        Self::of("db", format_args!("page {number}: {message}"))
    }

    fn io(file: &str, error: &io::Error) -> Self {
        Self::of(file, error)
    }

    fn panicked() -> Self {
        Self::of("db", "reading it panicked")
    }
}

/// Why not every row was handed over.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// One does not read.
    Damage(Damage),
    /// Whoever took them would have no more.
    Each(E),
}

impl<E> From<Damage> for Stop<E> {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

/// Any bytes where sled's are expected.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn anything(input: &[u8]) {
    let _ = message::read(input, input.len(), 0);
    let _ = snapshot::parse(input);
    let mut changes = node::Changes::new();
    let (change, node) = input.split_at(input.len().min(16));
    let _ = node::add_change(&mut changes, change);
    if let Some(node) = node::Node::parse(node) {
        let _ = node.rows(&changes, |_, _| ());
    }
}

#[cfg(test)]
mod tests;

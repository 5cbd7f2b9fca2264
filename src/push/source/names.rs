//! The names of a source that is not packed yet, held against the same as those of one that arrives.

use super::archive::{Refusal, check_target, clean};
use super::tree::Tree;

/// The names so far.
#[derive(Debug, Default)]
pub(in crate::push) struct Names(Tree);

impl Names {
    pub(in crate::push) fn add_dir(&mut self, name: &[u8]) -> Result<(), Refusal> {
        self.0.dir(&clean(name)?)
    }

    pub(in crate::push) fn add_file(&mut self, name: &[u8]) -> Result<(), Refusal> {
        self.0.file(&clean(name)?)
    }

    pub(in crate::push) fn add_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Refusal> {
        check_target(target)?;
        self.0.link(&clean(name)?, target)
    }

    /// The name of the link that is wrong, and what is wrong with it.
    pub(in crate::push) fn check_links(&self) -> Result<(), (&[u8], Refusal)> {
        self.0.check_links().map_err(|(link, refusal)| (link.name.as_slice(), refusal))
    }
}

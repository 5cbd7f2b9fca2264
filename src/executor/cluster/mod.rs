//! The objects that stand beside the PipelineRuns: an App's credentials, the token of a build, and what tasks may reach.
//!
//! [`BindingSecret`], [`SourceSecret`] and [`network_policy()`] are made from the configuration, purely; nothing here talks to a
//! cluster. All carry our labels, so that whoever finds them knows whose they are. Guaranteed: the values of a
//! [`BindingSecret`] and of a [`SourceSecret`] are shown by nothing but their `object`.

mod network_policy;
mod secret;
mod source_secret;

use std::collections::BTreeMap;

pub use self::network_policy::{network_policies, network_policy};
pub use self::secret::{BindingSecret, emptied_secret};
pub use self::source_secret::SourceSecret;
use super::label;
use super::pipeline_run::MANAGER;

/// The labels by which what stands beside the runs is known as ours.
fn labels(instance: &str) -> BTreeMap<String, String> {
    let ours = [(label::MANAGED_BY, MANAGER), (label::INSTANCE, instance)];
    ours.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

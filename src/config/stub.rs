#![allow(missing_docs, clippy::todo, unused_variables, clippy::allow_attributes)]
//! Placeholder signatures.
use super::Config;
use std::path::{Path, PathBuf};

/// What environment and flags say over the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsOverrides {
    pub data_dir: Option<PathBuf>,
    pub listen: Option<std::net::SocketAddr>,
}
/// All problems; Display is the whole report for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problems(String);
pub fn load(dir: &Path, overrides: &SettingsOverrides) -> Result<Config, Problems> {
    todo!()
}
/// What `Config::generation` would be, without parsing.
pub fn fingerprint(dir: &Path) -> std::io::Result<String> {
    todo!()
}
impl Config {
    /// From the text of a settings file and of App files: for tests.
    pub fn from_toml(settings: &str, apps: &[&str]) -> Result<Self, Problems> {
        todo!()
    }
}

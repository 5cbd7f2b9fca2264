//! A service that was created by command: the `[services.NAME]` table that it would be in the settings.

use jiff::Timestamp;

use super::{Resting, Stored, StoredName};
use crate::app::{Service, ServiceName};
use crate::config::Config;
use crate::config::problem::Problems;
use crate::config::source::Source;
use crate::config::table::Table;
use crate::config::validate::{hide_secrets, services};

/// A service as it was created. Its credentials are never part of it: it says where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredService {
    /// The text of a settings file that holds one `[services.NAME]` table. Paths in it are relative to the data
    /// directory.
    pub toml: String,
    /// Who created it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl StoredService {
    /// The service that it is.
    fn read(&self, name: &ServiceName, data_dir: &std::path::Path) -> Result<Service, Problems> {
        let source = Source::new(StoredName::Service(name.clone()).to_string(), self.toml.as_str());
        let tree = source.parse();
        hide_secrets(&source, tree.get_ref());
        let mut root = Table::root(&source, tree.get_ref());
        let (mut read, _) = services(&mut root, data_dir);
        root.finish();
        drop(tree);
        match read.remove(name) {
            Some(service) if source.is_sound() => Ok(Service { stored: true, ..service }),
            _ => Err(source.into_problems().into_iter().collect()),
        }
    }
}

impl Config {
    pub(super) fn add_services(&mut self, stored: &Stored, resting: &mut Vec<Resting>) {
        for (name, service) in &stored.services {
            let called = || StoredName::Service(name.clone());
            if self.services.contains_key(name) {
                resting.push(
                    called()
                        .waits("`tekcron.toml` has a service of that name, which is the one that is bound"),
                );
                continue;
            }
            match service.read(name, &self.settings.data_dir) {
                Ok(service) => {
                    self.services.insert(name.clone(), service);
                }
                Err(problems) => resting.push((called(), problems)),
            }
        }
    }
}

//! `max_running`: how many tasks run of each App and group that says so.
//!
//! A task counts from the decision that it starts to its recorded end, so that what was decided and is not
//! at the executor yet has its place already. Nothing here is stored: a task's phase tells whether it counts.

use std::collections::HashMap;

use crate::app::AppName;
use crate::config::Config;
use crate::job::GroupName;
use crate::schedule;
use crate::schedule::Limit;

/// What a task counts against: its App, and its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Class {
    pub(super) app: AppName,
    pub(super) group: Option<GroupName>,
    /// Whether it counts at all.
    pub(super) counts: bool,
}

/// The limits that are configured, and what counts against them.
#[derive(Debug, Default)]
pub(super) struct Limits {
    apps: HashMap<AppName, Limit>,
    groups: HashMap<GroupName, Limit>,
}

impl Limits {
    /// Those of `config`, with nothing running yet.
    pub(super) fn of_config(config: &Config) -> Self {
        let limit = |most| Limit { most, running: 0 };
        let apps = config.apps.values().filter_map(|app| Some((app.name.clone(), limit(app.max_running?))));
        let groups = config.groups.iter().map(|(name, most)| (name.clone(), limit(*most)));
        Self { apps: apps.collect(), groups: groups.collect() }
    }

    /// What bounds a task of `class`.
    pub(super) fn of(&self, class: &Class) -> schedule::Limits {
        schedule::Limits {
            app: self.apps.get(&class.app).copied(),
            group: class.group.as_ref().and_then(|group| self.groups.get(group)).copied(),
        }
    }

    /// Whether one more task of `app` may start.
    pub(super) fn app_has_room(&self, app: &AppName) -> bool {
        self.apps.get(app).is_none_or(|limit| limit.has_room())
    }

    /// Whether one more task of `group` may start.
    pub(super) fn group_has_room(&self, group: &GroupName) -> bool {
        self.groups.get(group).is_none_or(|limit| limit.has_room())
    }

    /// One more runs.
    pub(super) fn take(&mut self, class: &Class) {
        self.each(class, |limit| limit.running += 1);
    }

    /// One no longer runs.
    pub(super) fn free(&mut self, class: &Class) {
        self.each(class, |limit| limit.running -= 1);
    }

    fn each(&mut self, class: &Class, change: impl Fn(&mut Limit)) {
        if !class.counts {
            return;
        }
        self.apps.get_mut(&class.app).into_iter().for_each(&change);
        class.group.as_ref().and_then(|group| self.groups.get_mut(group)).into_iter().for_each(&change);
    }
}

use std::collections::{BTreeMap, BTreeSet};

use super::app::name;
use super::place::Surroundings;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::hint::nearest;
use crate::job::GroupName;

pub(super) const MAX_RUNNING: &str =
    "how many tasks run at once at most; what is beyond waits, and `tekcron queue` shows it";

/// The groups under `[groups]` with the most that may run of each, and the names of all, right or wrong.
pub(super) fn groups(root: &mut Table<'_>) -> (BTreeMap<GroupName, u32>, BTreeSet<String>) {
    let table = root.get("groups").and_then(|value| value.table());
    let (mut groups, mut names) = (BTreeMap::new(), BTreeSet::new());
    for entry in table.iter().flat_map(Table::entries) {
        names.insert(entry.key.to_owned());
        let name = entry.key.parse::<GroupName>();
        if let Err(error) = &name {
            entry.refuse(parse::bad_name(entry.key, error));
        }
        let Some(mut table) = entry.value.table() else { continue };
        let most = table.require("max_running", "as in `max_running = 2`");
        let most = most
            .and_then(|value| value.checked(parse::integer(&value.integer()?, 1..=1_000_000, MAX_RUNNING)));
        table.finish();
        if let (Ok(name), Some(most)) = (name, most) {
            groups.insert(name, most);
        }
    }
    (groups, names)
}

/// `group`: one that is declared.
pub(super) fn group(table: &mut Table<'_>, around: &Surroundings) -> Option<GroupName> {
    let value = table.get("group")?;
    let group = name::<GroupName>(&value)?;
    if let Some(known) = around.groups.as_ref().filter(|known| !known.contains(group.as_str())) {
        let hint = match nearest(group.as_str(), known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("groups are declared in `tekcron.toml`: `[groups.{group}]`"),
        };
        value.refuse(Fault::new(format!("expected a declared group, found `{group}`"), hint));
    }
    Some(group)
}

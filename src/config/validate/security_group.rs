use std::collections::{BTreeMap, BTreeSet};

use crate::app::security_group::{Destination, Ports, Protocol, Rule};
use crate::app::{SecurityGroup, is_label_value};
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::config::value::Value;

const RULE: &str = "as in `{ protocol = \"tcp\", destination = \"10.0.0.0/8\", ports = \"443\" }`";
const PROTOCOL: &str = "`tcp` and `udp` with `ports`, or `all`";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Tcp,
    Udp,
    All,
}

/// The groups under `[security_groups]`, and the names of all, right or wrong.
pub(super) fn security_groups(root: &mut Table<'_>) -> (BTreeMap<String, SecurityGroup>, BTreeSet<String>) {
    let table = root.get("security_groups").and_then(|value| value.table());
    let (mut groups, mut names) = (BTreeMap::new(), BTreeSet::new());
    for entry in table.iter().flat_map(Table::entries) {
        names.insert(entry.key.to_owned());
        if !is_label_value(entry.key) {
            let message = format!(
                "expected a name of at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found `{}`",
                entry.key
            );
            entry.refuse(Fault::new(message, "it becomes a label of the tasks' pods"));
        }
        let Some(mut table) = entry.value.table() else { continue };
        let rules = table.require("rules", "as in `rules = [{ … }]`; `rules = []` allows nothing at all");
        let rules = rules.and_then(|value| value.array()).unwrap_or_default();
        table.finish();
        let rules = rules.iter().filter_map(rule).collect();
        groups.insert(entry.key.to_owned(), SecurityGroup { rules });
    }
    (groups, names)
}

/// A rule, where a NetworkPolicy can say it.
fn rule(value: &Value<'_>) -> Option<Rule> {
    let mut table = value.table()?;
    let said = table.require("protocol", RULE);
    let spoken = said.as_ref().and_then(spoken);
    let destination = table.require("destination", RULE);
    let destination = destination.and_then(|value| value.parsed::<Destination>("as in `10.0.0.0/8`"));
    let ports_at = table.get("ports");
    let ports = ports_at.as_ref().and_then(|value| value.parsed::<Ports>("as in `443` or `8000-8080`"));
    if let Some(log) = table.get("log").filter(|value| value.boolean() == Some(true)) {
        log.refuse(Fault::new(
            "a NetworkPolicy does not log",
            "leave `log` out; some network plug-ins log by settings of their own",
        ));
    }
    _ = table.get("description").and_then(|value| value.checked(parse::plain(value.text()?)));
    let is_icmp = said.as_ref().is_some_and(is_icmp);
    if is_icmp {
        // These belong to it; that there is none was said already.
        _ = (table.get("type"), table.get("code"));
    }
    match (spoken, &ports_at) {
        (Some(Spoken::All), Some(ports)) => ports.refuse(Fault::new(
            "expected no `ports` beside `protocol = \"all\"`, found some",
            "`all` is every port of every protocol; `tcp` and `udp` have ports",
        )),
        (Some(Spoken::Tcp | Spoken::Udp), None) => {
            table.refuse(Fault::new("expected `ports` beside `tcp` and `udp`, found none", RULE));
        }
        _ => {}
    }
    table.finish();
    let protocol = match spoken? {
        Spoken::Tcp => Protocol::Tcp(ports?),
        Spoken::Udp => Protocol::Udp(ports?),
        Spoken::All => Protocol::All,
    };
    Some(Rule { protocol, destination: destination? })
}

fn is_icmp(protocol: &Value<'_>) -> bool {
    protocol.is_text() && protocol.text().is_some_and(|text| matches!(text, "icmp" | "icmpv6"))
}

fn spoken(value: &Value<'_>) -> Option<Spoken> {
    let text = value.text()?;
    if is_icmp(value) {
        value.refuse(Fault::new(
            format!("a NetworkPolicy cannot tell `{text}` from other protocols"),
            "leave the rule out; `protocol = \"all\"` allows it with everything else, where the network plug-in does",
        ));
        return None;
    }
    let words = [("tcp", Spoken::Tcp), ("udp", Spoken::Udp), ("all", Spoken::All)];
    value.checked(parse::word(text, &words, PROTOCOL))
}

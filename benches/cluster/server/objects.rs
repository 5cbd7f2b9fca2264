//! What the server holds.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::{Value, json};

/// What runs are, and what they are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    PipelineRun,
    TaskRun,
}

impl Kind {
    pub(super) fn named(plural: &str) -> Option<Self> {
        match plural {
            "pipelineruns" => Some(Self::PipelineRun),
            "taskruns" => Some(Self::TaskRun),
            _ => None,
        }
    }
}

/// All objects, as text, and all that happened to them.
#[derive(Default)]
pub(super) struct Objects {
    current: BTreeMap<(Kind, String), Bytes>,
    /// The event of each version, from 1 on.
    history: Vec<(Kind, Bytes)>,
    creates: usize,
    /// Lists that were served to their end.
    lists: BTreeMap<Kind, usize>,
    /// Readings of logs.
    pub(super) logs: usize,
}

impl Objects {
    pub(super) fn version(&self) -> u64 {
        self.history.len() as u64
    }

    /// Takes a new run. None where its name is taken.
    pub(super) fn create(&mut self, body: &[u8]) -> Option<Bytes> {
        let mut run: Value = serde_json::from_slice(body).ok()?;
        let name = run["metadata"]["name"].as_str()?.to_owned();
        if self.current.contains_key(&(Kind::PipelineRun, name.clone())) {
            return None;
        }
        self.creates += 1;
        run["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.creates));
        run["metadata"]["creationTimestamp"] = json!("2026-12-01T02:00:00Z");
        Some(self.put("ADDED", Kind::PipelineRun, name, run))
    }

    pub(super) fn put(&mut self, event: &str, kind: Kind, name: String, mut object: Value) -> Bytes {
        object["metadata"]["resourceVersion"] = json!((self.version() + 1).to_string());
        let text = object.to_string();
        self.history.push((kind, Bytes::from(format!("{{\"type\":\"{event}\",\"object\":{text}}}\n"))));
        let text = Bytes::from(text);
        self.current.insert((kind, name), text.clone());
        text
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<Bytes> {
        self.current.get(&(kind, name.to_owned())).cloned()
    }

    pub(super) fn names(&self, kind: Kind) -> Vec<String> {
        self.current.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect()
    }

    /// A page of a list; `continue` is the last name of the page before.
    pub(super) fn list(&mut self, kind: Kind, limit: usize, after: &str) -> Bytes {
        let found = self.current.range((kind, after.to_owned())..);
        let mut found = found.take_while(|((of, _), _)| *of == kind).filter(|((_, name), _)| name != after);
        let page: Vec<_> = found.by_ref().take(limit).collect();
        let next = found.next().and(page.last()).map(|((_, name), _)| name.clone());
        let items: Vec<&str> = page.iter().filter_map(|(_, text)| std::str::from_utf8(text).ok()).collect();
        let metadata = json!({ "resourceVersion": self.version().to_string(), "continue": next });
        let text = format!(
            "{{\"kind\":\"{kind:?}List\",\"apiVersion\":\"tekton.dev/v1\",\"metadata\":{metadata},\"items\":[{}]}}",
            items.join(",")
        );
        if next.is_none() {
            *self.lists.entry(kind).or_default() += 1;
        }
        text.into()
    }

    /// The events of `kind` after version `seen`, and the version they lead to.
    pub(super) fn since(&self, kind: Kind, seen: u64) -> (Vec<u8>, u64) {
        let new = self.history.iter().skip(usize::try_from(seen).unwrap_or(usize::MAX));
        let events: Vec<&[u8]> = new.filter(|(of, _)| *of == kind).map(|(_, event)| event.as_ref()).collect();
        (events.concat(), self.version())
    }

    pub(super) fn stats(&self) -> String {
        let lists = self.lists.values().min().filter(|_| self.lists.len() == 2).copied().unwrap_or(0);
        json!({ "creates": self.creates, "lists": lists, "logs": self.logs }).to_string()
    }
}

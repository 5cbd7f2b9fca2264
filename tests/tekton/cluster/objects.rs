//! What the API server holds, and how it changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Objects of all kinds of one namespace, by resource and name, and every change up to now.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) version: u64,
    current: BTreeMap<(String, String), Value>,
    pub(crate) history: Vec<Change>,
    /// Watches cannot go on from before this.
    pub(crate) compacted: u64,
    /// Changes are not shown to watches.
    pub(crate) hiding: bool,
    uids: u64,
}

/// A change, or a bookmark where nothing changed.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) resource: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    pub(crate) hidden: bool,
}

/// An answer that is not a success: code, reason, message.
pub(crate) type Refused = (u16, &'static str, String);

impl Objects {
    pub(crate) fn new() -> Self {
        Self {
            version: 1000,
            current: BTreeMap::new(),
            history: Vec::new(),
            compacted: 0,
            hiding: false,
            uids: 0,
        }
    }

    pub(crate) fn get(&self, resource: &str, name: &str) -> Option<&Value> {
        self.current.get(&(resource.to_owned(), name.to_owned()))
    }

    pub(crate) fn all<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a Value> {
        self.current.iter().filter(move |((of, _), _)| of == resource).map(|(_, object)| object)
    }

    /// Takes a new object, as a server does: with uid, version and time.
    pub(crate) fn create(
        &mut self,
        resource: &str,
        mut object: Value,
        created: &str,
    ) -> Result<Value, Refused> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if self.get(resource, &name).is_some() {
            return Err((409, "AlreadyExists", format!("{resource} \"{name}\" already exists")));
        }
        self.uids += 1;
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.uids));
        object["metadata"]["creationTimestamp"] = json!(created);
        Ok(self.put(resource, &name, None, object))
    }

    /// Has the object be what `change` makes of it; one whose last finalizer went goes.
    pub(crate) fn change(
        &mut self,
        resource: &str,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), Refused>,
    ) -> Result<Value, Refused> {
        let Some(before) = self.get(resource, name).cloned() else { return Err(not_found(resource, name)) };
        let mut after = before.clone();
        change(&mut after)?;
        if after == before {
            return Ok(after);
        }
        if after["metadata"]["deletionTimestamp"].is_string() && !has_finalizers(&after) {
            self.remove(resource, name);
            return Ok(after);
        }
        Ok(self.put(resource, name, Some(before), after))
    }

    /// Marks the object as deleted; it goes when it has no finalizer.
    pub(crate) fn delete(
        &mut self,
        resource: &str,
        name: &str,
        uid: Option<&str>,
        now: &str,
    ) -> Result<Value, Refused> {
        let Some(object) = self.get(resource, name).cloned() else { return Err(not_found(resource, name)) };
        if let Some(uid) = uid
            && object["metadata"]["uid"] != uid
        {
            let found = &object["metadata"]["uid"];
            return Err((
                409,
                "Conflict",
                format!("the UID in the precondition ({uid}) is not the UID in record ({found})"),
            ));
        }
        if !has_finalizers(&object) {
            self.remove(resource, name);
            return Ok(object);
        }
        self.change(resource, name, |object| {
            if object["metadata"]["deletionTimestamp"].is_null() {
                object["metadata"]["deletionTimestamp"] = json!(now);
            }
            Ok(())
        })
    }

    pub(crate) fn remove(&mut self, resource: &str, name: &str) {
        if let Some(before) = self.current.remove(&(resource.to_owned(), name.to_owned())) {
            self.note(resource, Some(before), None);
        }
    }

    /// Tells watches how far they are.
    pub(crate) fn bookmark(&mut self, resource: &str) {
        self.note(resource, None, None);
    }

    fn put(&mut self, resource: &str, name: &str, before: Option<Value>, mut after: Value) -> Value {
        after["metadata"]["resourceVersion"] = json!((self.version + 1).to_string());
        self.current.insert((resource.to_owned(), name.to_owned()), after.clone());
        self.note(resource, before, Some(after.clone()));
        after
    }

    fn note(&mut self, resource: &str, before: Option<Value>, after: Option<Value>) {
        self.version += 1;
        let (version, resource, hidden) = (self.version, resource.to_owned(), self.hiding);
        self.history.push(Change { version, resource, before, after, hidden });
    }
}

pub(crate) fn not_found(resource: &str, name: &str) -> Refused {
    (404, "NotFound", format!("{resource} \"{name}\" not found"))
}

fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Whether an object's labels are those of a selector: `a=b`, `a!=b`, `a`, `!a`, all with commas between.
pub(crate) fn selected(object: &Value, selector: &str) -> bool {
    let labels = &object["metadata"]["labels"];
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    selector.split(',').filter(|part| !part.is_empty()).all(|part| {
        if let Some((key, value)) = part.split_once("!=") {
            label(key) != Some(value)
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            label(key) == Some(value)
        } else if let Some(key) = part.strip_prefix('!') {
            label(key).is_none()
        } else {
            label(part).is_some()
        }
    })
}

/// The event that a watch with `selector` shows of a change, if any.
pub(crate) fn event(change: &Change, selector: &str) -> Option<Value> {
    let within = |object: &Option<Value>| object.clone().filter(|object| selected(object, selector));
    let (kind, object) = match (within(&change.before), within(&change.after)) {
        (None, None) => return None,
        (None, Some(after)) => ("ADDED", after),
        (Some(_), Some(after)) => ("MODIFIED", after),
        (Some(mut before), None) => {
            before["metadata"]["resourceVersion"] = json!(change.version.to_string());
            ("DELETED", before)
        }
    };
    Some(json!({ "type": kind, "object": object }))
}

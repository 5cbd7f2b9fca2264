//! What was asked of the API server.

use std::collections::HashMap;

use axum::extract::Query;
use axum::http::{Method, Uri};
use serde_json::Value;

/// One request, as access rules see it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    /// With the subresource, as in `pods/log`.
    pub(crate) resource: String,
    /// The API group; empty for the core.
    pub(crate) group: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) query: HashMap<String, String>,
    /// Empty where there was none.
    pub(crate) content_type: String,
    pub(crate) body: Value,
}

impl Call {
    /// None for a path that no API has.
    pub(crate) fn read(method: &Method, uri: &Uri, content_type: &str, body: &[u8]) -> Option<Self> {
        let Query(query) = Query::<HashMap<String, String>>::try_from_uri(uri).ok()?;
        let path: Vec<&str> = uri.path().split('/').skip(1).collect();
        let (group, rest) = match path.as_slice() {
            ["api", "v1", rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, resource, name, sub) = match rest {
            ["namespaces", namespace, resource] => (*namespace, *resource, "", ""),
            ["namespaces", namespace, resource, name] => (*namespace, *resource, *name, ""),
            ["namespaces", namespace, resource, name, sub] => (*namespace, *resource, *name, *sub),
            _ => return None,
        };
        let watches = query.get("watch").is_some_and(|watch| watch == "true");
        let verb = match (method.as_str(), name.is_empty()) {
            ("GET", true) if watches => "watch",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", _) => "create",
            ("PATCH", _) => "patch",
            ("PUT", _) => "update",
            ("DELETE", false) => "delete",
            ("DELETE", true) => "deletecollection",
            _ => return None,
        };
        Some(Self {
            verb,
            resource: if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") },
            group: group.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            query,
            content_type: content_type.to_owned(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
        })
    }

    pub(crate) fn is(&self, verb: &str, resource: &str) -> bool {
        self.verb == verb && self.resource == resource
    }

    pub(crate) fn query(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }
}

//! `tekcron check --cluster`: what is missing on the cluster, found by asking it, changing nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Cluster, ConnectError, REQUEST};
use super::executor::TektonOptions;
use super::refusal::{INSTALL, Refusal, judge};
use crate::causes::in_full;
use crate::clock::SharedClock;
use crate::executor::SubmitError;
use crate::executor::pipeline_run::PipelineRun;

/// A right that tekcron needs in its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The API group.
    pub group: &'static str,
    /// The resource, with its subresource where it is one.
    pub resource: &'static str,
    /// What it does with it.
    pub verbs: &'static [&'static str],
}

/// All that tekcron does on a cluster, and nothing else: what the Role in `deploy` grants.
pub const RIGHTS: [Right; 5] = [
    Right {
        group: "tekton.dev",
        resource: "pipelineruns",
        verbs: &["get", "list", "watch", "create", "patch", "delete"],
    },
    Right { group: "tekton.dev", resource: "taskruns", verbs: &["get", "list", "watch", "patch"] },
    Right { group: "", resource: "pods/log", verbs: &["get"] },
    Right { group: "", resource: "secrets", verbs: &["create", "patch", "delete"] },
    Right {
        group: "networking.k8s.io",
        resource: "networkpolicies",
        verbs: &["list", "create", "patch", "delete"],
    },
];

/// The clocks of two machines may differ by this much without anybody noticing.
const CLOCKS_APART: i64 = 60;

/// Asks the cluster of `options` whether `runs` would be taken, each called by what it is of. Returns what
/// is missing, in words.
///
/// # Errors
/// [`ConnectError`], where nobody can say which cluster, or as whom.
pub async fn check(
    options: &TektonOptions,
    runs: &[(String, PipelineRun)],
    clock: &SharedClock,
) -> Result<Vec<String>, ConnectError> {
    let cluster = Cluster::connect(options).await?;
    let mut asking = Asking { cluster, clock: Arc::clone(clock), missing: Vec::new() };
    if asking.answers().await && asking.has_namespace().await && asking.has_tekton().await {
        asking.rights().await;
        asking.named(runs).await;
        for (of, run) in runs {
            asking.dry_run(of, run).await;
        }
    }
    Ok(asking.missing)
}

struct Asking {
    cluster: Cluster,
    clock: SharedClock,
    missing: Vec<String>,
}

impl Asking {
    async fn in_time<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, kube::Error> {
        tokio::select! {
            answer = request => answer,
            () = self.clock.sleep(REQUEST) => Err(kube::Error::Service("no answer in time".into())),
        }
    }

    async fn answers(&mut self) -> bool {
        let request = http_get("/version");
        let url = self.cluster.url.clone();
        let answer = self.in_time(self.cluster.client.send(request)).await;
        match answer {
            Ok(answer) if answer.status().is_success() => {
                let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
                if let Some(apart) = date.and_then(|date| apart(date, self.clock.now())) {
                    self.missing.push(apart);
                }
                true
            }
            Ok(answer) if answer.status().as_u16() == 401 => {
                self.missing.push(format!(
                    "the API server at {url} does not accept the credentials (401)\nhint: has the token expired?"
                ));
                false
            }
            // Who may not ask for the version may do all the rest.
            Ok(_) => true,
            Err(error) => {
                self.missing.push(format!("the API server at {url} does not answer: {}", in_full(&error)));
                false
            }
        }
    }

    async fn has_namespace(&mut self) -> bool {
        let name = self.cluster.namespace.clone();
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        let found = self.in_time(namespaces.get_opt(&name)).await;
        if matches!(found, Ok(None)) {
            self.missing
                .push(format!("namespace `{name}` does not exist\nhint: kubectl create namespace {name}"));
            return false;
        }
        self.refused(found.map(drop), "namespaces cannot be looked at");
        true
    }

    /// Notes a refusal that is about the credentials; one about this request alone says nothing.
    fn refused(&mut self, answer: kube::Result<()>, what: &str) {
        if let Err(kube::Error::Api(status)) = answer
            && status.code == 401
        {
            self.missing.push(format!(
                "{what}: the credentials are not accepted (401)\nhint: has the token expired?"
            ));
        }
    }

    async fn has_tekton(&mut self) -> bool {
        let answer = self.in_time(self.cluster.client.send(http_get("/apis/tekton.dev/v1"))).await;
        let is_there = answer.as_ref().map_or(true, |answer| answer.status().as_u16() != 404);
        if !is_there {
            self.missing.push(format!("the cluster has no `tekton.dev/v1`\nhint: {INSTALL}"));
        }
        is_there
    }

    async fn rights(&mut self) {
        for right in RIGHTS {
            let mut lacks = Vec::new();
            for verb in right.verbs {
                match self.in_time(may(&self.cluster, right, verb)).await {
                    Ok(true) => {}
                    Ok(false) => lacks.push(*verb),
                    Err(error) => {
                        self.missing.push(format!("nobody says what is allowed: {}", in_full(&error)));
                        return;
                    }
                }
            }
            if !lacks.is_empty() {
                let namespace = &self.cluster.namespace;
                let group = if right.group.is_empty() { "" } else { "." };
                self.missing.push(format!(
                    "not allowed in namespace `{namespace}`: {} {}{group}{}\nhint: deploy/base/role.yaml grants it",
                    lacks.join(", "),
                    right.resource,
                    right.group,
                ));
            }
        }
    }

    /// Service accounts and Secrets that runs name, and that are there before.
    async fn named(&mut self, runs: &[(String, PipelineRun)]) {
        let mut accounts = BTreeSet::new();
        let mut secrets = BTreeSet::new();
        for (of, run) in runs {
            let object = serde_json::to_value(run).unwrap_or_default();
            let mut found = Named::default();
            found.gather(&object);
            accounts.extend(found.accounts.into_iter().map(|name| (name, of)));
            let ours =
                |name: &String| name.starts_with("tekcron-env-") || name.starts_with("tekcron-source-");
            secrets.extend(found.secrets.into_iter().filter(|name| !ours(name)).map(|name| (name, of)));
        }
        for (name, of) in accounts {
            self.is_there::<ServiceAccount>("service account", &name, of).await;
        }
        for (name, of) in secrets {
            self.is_there::<Secret>("Secret", &name, of).await;
        }
    }

    async fn is_there<K>(&mut self, kind: &str, name: &str, of: &str)
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        // The metadata alone: nobody wants to see what a Secret holds.
        let found = self.in_time(api.get_metadata_opt(name)).await;
        if matches!(found, Ok(None)) {
            let namespace = &self.cluster.namespace;
            self.missing.push(format!("{kind} `{name}` of `{of}` does not exist in namespace `{namespace}`"));
        }
    }

    async fn dry_run(&mut self, of: &str, run: &PipelineRun) {
        let api: Api<PipelineRun> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let mut run = run.clone();
        // Nothing may hold on to what is not there.
        run.metadata.finalizers = None;
        let params = PostParams { dry_run: true, field_manager: Some("tekcron".to_owned()) };
        let Err(error) = self.in_time(api.create(&params, &run)).await else { return };
        let words = match error {
            kube::Error::Api(status) if status.is_already_exists() => return,
            kube::Error::Api(status) => {
                match judge(&Refusal { code: status.code, retry_after: None, status: *status }) {
                    SubmitError::Refused { message, .. }
                    | SubmitError::Unavailable { message }
                    | SubmitError::Unreachable { message, .. }
                    | SubmitError::Unknown { message } => message,
                }
            }
            error => in_full(&error),
        };
        self.missing.push(format!("`{of}` would not be taken: {words}"));
    }
}

fn http_get(path: &str) -> axum::http::Request<kube::client::Body> {
    axum::http::Request::get(path).body(kube::client::Body::empty()).expect("the path is a literal")
}

async fn may(cluster: &Cluster, right: Right, verb: &str) -> kube::Result<bool> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(Client::clone(&cluster.client));
    let (resource, subresource) = match right.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (right.resource, None),
    };
    let attributes = ResourceAttributes {
        group: Some(right.group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        verb: Some(verb.to_owned()),
        namespace: Some(cluster.namespace.clone()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        metadata: ObjectMeta::default(),
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        status: None,
    };
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// A clock far from ours makes slots late, and credentials invalid.
fn apart(date: &str, now: Timestamp) -> Option<String> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let seconds = theirs.duration_since(now).as_secs();
    (seconds.abs() > CLOCKS_APART).then(|| {
        let which = if seconds > 0 { "ahead of" } else { "behind" };
        format!("the API server's clock is {} s {which} this machine's\nhint: slots are due by this machine's clock", seconds.abs())
    })
}

/// What an object names.
#[derive(Debug, Default)]
struct Named {
    accounts: BTreeSet<String>,
    secrets: BTreeSet<String>,
}

impl Named {
    fn gather(&mut self, object: &Value) {
        let name = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        match object {
            Value::Object(fields) => {
                for (field, value) in fields {
                    let optional = value.get("optional") == Some(&Value::Bool(true));
                    match field.as_str() {
                        "serviceAccountName" => self.accounts.extend(value.as_str().map(str::to_owned)),
                        "secretKeyRef" | "secretRef" if !optional => self.secrets.extend(name(value, "name")),
                        "secret" if !optional => self.secrets.extend(name(value, "secretName")),
                        "imagePullSecrets" => {
                            let all = value.as_array().into_iter().flatten();
                            self.secrets.extend(all.filter_map(|secret| name(secret, "name")));
                        }
                        _ => self.gather(value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.gather(value)),
            _ => {}
        }
    }
}

//! A daemon on a real cluster, and a look at the cluster beside it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};
use tekcron::task::TaskName;
use tokio::runtime::Runtime;

use crate::harness::{Daemon, Place, text};

/// A place whose daemons have tasks run on the cluster, under an instance of its own.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) namespace: String,
    pub(crate) instance: String,
    /// Whether the namespace is this world's own.
    owned: bool,
    runtime: Runtime,
    client: Client,
    env: Vec<(String, String)>,
}

/// The cluster to test on; without one a test says that it is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn cluster() -> Option<(String, String)> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (var("TEKCRON_TEST_NAMESPACE"), var("TEKCRON_TEST_IMAGE")) {
        (Some(namespace), Some(image)) => Some((namespace, image)),
        _ => {
            eprintln!(
                "SKIPPED: no cluster to test on: set KUBECONFIG, TEKCRON_TEST_NAMESPACE and TEKCRON_TEST_IMAGE"
            );
            None
        }
    }
}

impl World {
    /// A world with Apps, by name: what their files say after name and image; and what the settings say besides.
    pub(crate) fn new(test: &str, settings: &str, apps: &[(&str, &str)]) -> Option<Self> {
        let (namespace, image) = cluster()?;
        Some(Self::of(test, settings, apps, namespace, &image, false))
    }

    /// The same in a namespace of its own.
    pub(crate) fn in_namespace_of_its_own(test: &str, settings: &str, apps: &[(&str, &str)]) -> Option<Self> {
        let (_, image) = cluster()?;
        let namespace = format!("tekcron-{test}-{}", std::process::id());
        let world = Self::of(test, settings, apps, namespace.clone(), &image, true);
        let object = json!({ "metadata": { "name": namespace } });
        world.runtime.block_on(async {
            let namespaces: Api<Namespace> = Api::all(world.client.clone());
            let object = serde_json::from_value(object).unwrap();
            namespaces.create(&PostParams::default(), &object).await.unwrap();
            // Pods are taken once its account is there.
            let accounts: Api<ServiceAccount> = Api::namespaced(world.client.clone(), &namespace);
            while accounts.get_opt("default").await.unwrap().is_none() {}
        });
        Some(world)
    }

    fn of(
        test: &str,
        settings: &str,
        apps: &[(&str, &str)],
        namespace: String,
        image: &str,
        owned: bool,
    ) -> Self {
        let instance = format!("{test}-{}", std::process::id());
        let place = Place::with(&[]);
        let settings = format!(
            "executor = \"tekton\"\nnamespace = \"{namespace}\"\ninstance = \"{instance}\"\n{settings}\n"
        );
        std::fs::write(place.path().join("config/tekcron.toml"), settings).unwrap();
        for (name, rest) in apps {
            place.write_app(name, &format!("[app]\nname = \"{name}\"\nimage = \"{image}\"\n{rest}\n"));
        }
        // Fails only where one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async { Client::try_default().await.unwrap() });
        Self { place, namespace, instance, owned, runtime, client, env: vec![] }
    }

    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits for something on the cluster.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Whether there is the Secret with the token of a build.
    pub(crate) async fn has_secret_of(&self, build: &TaskName) -> bool {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        secrets.get_metadata_opt(&format!("tekcron-source-{build}")).await.unwrap().is_some()
    }

    pub(crate) fn serve(&self) -> Daemon {
        let env: Vec<(&str, &str)> =
            self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.place.serve_with(&env)
    }

    /// Runs a task to its end; the exit code of `--wait`, and the task.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, Value) {
        let output = self.place.run(&[&["run-task"], args, &["--wait", "-o", "json"]].concat());
        let task = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", text(&output.stderr), self.place.log()));
        (output.status.code().unwrap(), task)
    }

    /// Runs a task, and returns its name when its command runs.
    pub(crate) fn begin(&self, args: &[&str]) -> String {
        let task = self.place.json(&[&["run-task"], args].concat());
        let name = task["name"].as_str().unwrap().to_owned();
        self.place.until("its command runs", || (self.task(&name)["phase"] == "running").then_some(()));
        name
    }

    pub(crate) fn task(&self, name: &str) -> Value {
        self.place.json(&["task", name])
    }

    pub(crate) fn ended(&self, name: &str) -> Value {
        self.place.until("it ends", || {
            let task = self.task(name);
            (!task["finished"].is_null()).then_some(task)
        })
    }

    pub(crate) fn log_of(&self, app: &str, task: &str) -> String {
        self.place.ok(&["logs", app, "--task", task])
    }

    /// What the cluster has of a kind of Tekton's, of this instance.
    pub(crate) fn objects(&self, kind: &str) -> Vec<Value> {
        let params = ListParams::default().labels(&self.selector());
        let list = self.runtime.block_on(async { self.api(kind).list(&params).await.unwrap() });
        list.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    pub(crate) fn run_object(&self, name: &str) -> Option<Value> {
        let found = self.runtime.block_on(async { self.api("PipelineRun").get_opt(name).await.unwrap() });
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    pub(crate) fn pods(&self) -> Vec<Pod> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let selector = format!("app.kubernetes.io/instance={}", self.instance);
        let params = ListParams::default().labels(&selector);
        self.runtime.block_on(async { api.list(&params).await.unwrap().items })
    }

    /// Deletes a run as a colleague would.
    pub(crate) fn delete(&self, name: &str) {
        self.delete_with(name, &DeleteParams::background());
    }

    pub(crate) fn delete_with(&self, name: &str, params: &DeleteParams) {
        let deleted = async { self.api("PipelineRun").delete(name, params).await };
        self.runtime.block_on(deleted).unwrap();
    }

    pub(crate) fn delete_namespace(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let deleted = async { namespaces.delete(&self.namespace, &DeleteParams::default()).await };
        self.runtime.block_on(deleted).unwrap();
    }

    pub(crate) fn has_namespace(&self) -> bool {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        self.runtime.block_on(async { namespaces.get_opt(&self.namespace).await.unwrap().is_some() })
    }

    pub(crate) fn policies(&self) -> Vec<NetworkPolicy> {
        let api: Api<NetworkPolicy> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = ListParams::default().labels(&self.selector());
        self.runtime.block_on(async { api.list(&params).await.unwrap().items })
    }

    fn selector(&self) -> String {
        format!("app.kubernetes.io/managed-by=tekcron,app.kubernetes.io/instance={}", self.instance)
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("tekton.dev", "v1", kind);
        let plural = format!("{}s", kind.kind.to_lowercase());
        let resource = ApiResource::from_gvk_with_plural(&kind, &plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }
}

impl Drop for World {
    /// Nothing of a test stays on the cluster, whatever became of it.
    fn drop(&mut self) {
        let api = self.api("PipelineRun");
        let selector = self.selector();
        self.runtime.block_on(async {
            let Ok(runs) = api.list(&ListParams::default().labels(&selector)).await else { return };
            for run in runs.items {
                let name = run.metadata.name.unwrap_or_default();
                let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
                // One that is gone already is fine.
                let _ = api.patch(&name, &PatchParams::default(), &free).await;
                let _ = api.delete(&name, &DeleteParams::background()).await;
            }
            if self.owned {
                let namespaces: Api<Namespace> = Api::all(self.client.clone());
                let _ = namespaces.delete(&self.namespace, &DeleteParams::default()).await;
            }
            let params = DeleteParams::default();
            let of_this = ListParams::default().labels(&selector);
            let policies: Api<NetworkPolicy> = Api::namespaced(self.client.clone(), &self.namespace);
            let _ = policies.delete_collection(&params, &of_this).await;
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
            let _ = secrets.delete_collection(&params, &of_this).await;
        });
    }
}

/// The way to the API server, which can be cut.
pub(crate) struct Wire {
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    pub(crate) kubeconfig: String,
}

impl Wire {
    /// A wire to the API server of the kubeconfig in use, with a kubeconfig of its own in `place`.
    pub(crate) fn to_the_cluster(place: &Place, runtime: &World) -> Self {
        let mut kubeconfig = Kubeconfig::read().unwrap();
        let config = runtime.runtime.block_on(async {
            Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default()).await.unwrap()
        });
        let host = config.cluster_url.host().unwrap().to_owned();
        let port = config.cluster_url.port_u16().unwrap_or(443);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|cluster| cluster.cluster.as_mut()) {
            cluster.server = Some(format!("https://{here}"));
            cluster.tls_server_name.get_or_insert_with(|| host.clone());
        }
        let path = place.path().join("wire.kubeconfig");
        std::fs::write(&path, serde_yaml_ng::to_string(&kubeconfig).unwrap()).unwrap();
        let wire =
            Self { cut: Arc::default(), open: Arc::default(), kubeconfig: path.to_str().unwrap().to_owned() };
        let (cut, open) = (Arc::clone(&wire.cut), Arc::clone(&wire.open));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect((host.as_str(), port)) else { continue };
                let ends = [client.try_clone(), server.try_clone()].map(Result::unwrap);
                open.lock().unwrap().extend(ends);
                pass(client.try_clone().unwrap(), server.try_clone().unwrap());
                pass(server, client);
            }
        });
        wire
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for end in self.open.lock().unwrap().drain(..) {
            // It may be closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// The variables of the one step of a run, by name.
pub(crate) fn env_of(run: &Value) -> BTreeMap<String, Value> {
    let step = &run["spec"]["pipelineSpec"]["tasks"][0]["taskSpec"]["steps"][0];
    let variables = step["env"].as_array().cloned().unwrap_or_default();
    variables.into_iter().map(|variable| (variable["name"].as_str().unwrap().to_owned(), variable)).collect()
}

pub(crate) fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

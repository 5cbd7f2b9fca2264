//! Requests about Apps that were pushed, and about services.

use std::time::Duration;

use super::asked::Listing;
use super::error::ClientError;
use super::transport::Client;
use crate::api::resources::{
    AppResource, BindBody, DeletedAppResource, EnvBody, EnvResource, ServiceBody, ServiceEditBody,
    ServiceResource, StoredAppResource,
};

/// How long the service holds back what it says of a deletion.
const DELETION: Duration = Duration::from_secs(60);

impl Client {
    /// What the tasks of `app` are given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn env(&self, app: &str) -> Result<EnvResource, ClientError> {
        self.json(self.get(self.url(&["v1", "apps", app, "env"]))).await
    }

    /// Changes the variables of `app`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn set_env(&self, app: &str, body: &EnvBody) -> Result<AppResource, ClientError> {
        self.json(self.post(self.url(&["v1", "apps", app, "env"])).json(body)).await
    }

    /// Has `app` bind a service.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bind_service(&self, app: &str, body: &BindBody) -> Result<AppResource, ClientError> {
        self.json(self.post(self.url(&["v1", "apps", app, "services"])).json(body)).await
    }

    /// Has `app` bind a service no more.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unbind_service(&self, app: &str, service: &str) -> Result<AppResource, ClientError> {
        self.json(self.delete(self.url(&["v1", "apps", app, "services", service]))).await
    }

    /// Deletes `app` with its history; with `force`, tasks that have not ended are terminated first. Where that takes
    /// long, it is said that it is not gone yet: the same request waits on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_app(&self, app: &str, force: bool) -> Result<DeletedAppResource, ClientError> {
        let mut url = self.url(&["v1", "apps", app]);
        if force {
            url.query_pairs_mut().append_pair("force", "true");
        }
        self.json(self.delete_held(url, DELETION)).await
    }

    /// The Apps that were pushed, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stored_apps(&self, limit: usize) -> Result<Listing<StoredAppResource>, ClientError> {
        self.list(self.url(&["v1", "stored-apps"]), limit).await
    }

    /// The services, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn services(&self, limit: usize) -> Result<Listing<ServiceResource>, ClientError> {
        self.list(self.url(&["v1", "services"]), limit).await
    }

    /// Makes a service.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_service(&self, body: &ServiceBody) -> Result<ServiceResource, ClientError> {
        self.json(self.post(self.url(&["v1", "services"])).json(body)).await
    }

    /// Changes a service.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn update_service(
        &self,
        name: &str,
        body: &ServiceEditBody,
    ) -> Result<ServiceResource, ClientError> {
        self.json(self.post(self.url(&["v1", "services", name])).json(body)).await
    }

    /// Deletes a service that no App binds.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_service(&self, name: &str) -> Result<ServiceResource, ClientError> {
        self.json(self.delete(self.url(&["v1", "services", name]))).await
    }
}

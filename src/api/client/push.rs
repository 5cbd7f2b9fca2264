use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Map, Value};

use super::asked::Listing;
use super::error::ClientError;
use super::transport::Client;
use crate::api::resources::{RevisionResource, SourceResource};

impl Client {
    /// What the service has of the source of that hash.
    ///
    /// # Errors
    /// [`ClientError`], as of every method here.
    pub async fn source(&self, hash: &str) -> Result<SourceResource, ClientError> {
        self.json(self.get(self.url(&["v1", "sources", hash]))).await
    }

    /// Sends the bytes of a source from `offset` on, `length` of them. It may take as long as it likes.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Broken`] also where `content` ends with an error.
    pub async fn upload(
        &self,
        hash: &str,
        offset: u64,
        length: u64,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<SourceResource, ClientError> {
        let mut url = self.url(&["v1", "sources", hash]);
        url.query_pairs_mut().append_pair("offset", &offset.to_string());
        let request = self.put(url).header(CONTENT_TYPE, "application/x-tar").header(CONTENT_LENGTH, length);
        self.json(request.body(reqwest::Body::wrap_stream(content))).await
    }

    /// Makes a revision of `app`, and the App where there is none: `source` or `image`, `app` with keys of its
    /// table, `build` with those of `[build]`, and `by`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn push(
        &self,
        app: &str,
        pushed: &Map<String, Value>,
    ) -> Result<RevisionResource, ClientError> {
        self.json(self.post(self.url(&["v1", "apps", app, "push"])).json(pushed)).await
    }

    /// What [`push`](Self::push) would make, of a source that need not have been sent yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn try_push(
        &self,
        app: &str,
        pushed: &Map<String, Value>,
    ) -> Result<RevisionResource, ClientError> {
        let mut pushed = pushed.clone();
        pushed.insert("dry_run".to_owned(), true.into());
        self.push(app, &pushed).await
    }

    /// The revisions of `app`, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revisions(&self, app: &str, limit: usize) -> Result<Listing<RevisionResource>, ClientError> {
        self.list(self.url(&["v1", "apps", app, "revisions"]), limit).await
    }

    /// A revision of `app`; answered when it is no longer being built, or after `wait` as it is then.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revision(
        &self,
        app: &str,
        number: u32,
        wait: Duration,
    ) -> Result<RevisionResource, ClientError> {
        let mut url = self.url(&["v1", "apps", app, "revisions", &number.to_string()]);
        url.query_pairs_mut().append_pair("wait", &wait.as_secs().to_string());
        self.json(self.get_held(url, wait)).await
    }

    /// Makes the code of an earlier revision of `app` its newest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rollback(
        &self,
        app: &str,
        revision: u32,
        by: Option<&str>,
    ) -> Result<RevisionResource, ClientError> {
        let body = serde_json::json!({ "revision": revision, "by": by });
        self.json(self.post(self.url(&["v1", "apps", app, "rollback"])).json(&body)).await
    }

    /// Builds the current revision of `app` once more.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn restage(&self, app: &str, by: Option<&str>) -> Result<RevisionResource, ClientError> {
        let body = serde_json::json!({ "by": by });
        self.json(self.post(self.url(&["v1", "apps", app, "restage"])).json(&body)).await
    }
}

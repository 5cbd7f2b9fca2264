use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the API cannot be served. All of it is fatal; what one request did wrong is no such error.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Anybody on the network could read the token.
    #[error(
        "`{listen}` is beyond loopback, and there is no `tls`: token and data would travel in the clear\nhint: set `certificate` and `key` under `[tls]`, listen on `127.0.0.1`, or set `insecure = true` behind a proxy that encrypts"
    )]
    Exposed {
        /// Where it should listen.
        listen: SocketAddr,
    },
    /// The token file could not be read.
    #[error("cannot read the token file `{path}`: {source}")]
    TokenRead {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Others may read the token file.
    #[error(
        "expected the token file `{path}` to have mode 0600, found {mode:04o}\nhint: run `chmod 600 {path}`; if others may have read it, follow with `tekcron token rotate`"
    )]
    TokenMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The token file holds something else.
    #[error(
        "expected a token of 43 characters (base64url) in `{path}`, found {found}\nhint: remove the file, and the next start makes a new token"
    )]
    TokenShape {
        /// The file.
        path: PathBuf,
        /// What it holds, in words.
        found: String,
    },
    /// The starter gave something else.
    #[error(
        "expected a token of 43 characters (base64url) in TEKCRON_TOKEN, found {found}\nhint: 32 random bytes make one: `head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='`; without the variable the service makes its own"
    )]
    TokenGiven {
        /// What it is, in words.
        found: String,
    },
    /// Who gave the token would not know of another one.
    #[error(
        "the token was given in TEKCRON_TOKEN, and stays as it is\nhint: change it there, and start the service again"
    )]
    TokenNotOurs,
    /// A new token could not be written; the old one stays.
    #[error("cannot write the token file `{path}`: {source}")]
    TokenWrite {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes for a token")]
    Random,
    /// A file of the TLS settings could not be read.
    #[error("cannot read the {what} `{path}`: {source}")]
    TlsRead {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file of the TLS settings holds something else.
    #[error("expected a {what} in PEM format in `{path}`: {message}")]
    TlsFile {
        /// `certificate` or `key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Certificate and key cannot be used together.
    #[error("the certificate `{certificate}` and the key `{key}` cannot be used: {message}")]
    TlsPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// rustls' words.
        message: String,
    },
    /// The address of the running server could not be written down.
    #[error("cannot write `{path}`: {source}")]
    Address {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The listening socket failed.
    #[error("serving the API failed: {0}")]
    Serve(#[from] io::Error),
}

//! Reading a secret at the moment it is used. No piece of it is part of an error.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};

use super::receivers::SecretSource;
use crate::config::regular;

/// More than any secret, less than `/dev/zero`.
const MAX_BYTES: u64 = 64 << 10;

/// What stands before the key of a webhook, by Standard Webhooks.
const PREFIX: &str = "whsec_";

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment does not hold the variable.
    #[error("expected variable `{0}` in the daemon's environment, found none")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("reading `{}` failed: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error("expected mode 0600 on `{}`, found {mode:04o}\nhint: chmod 600 {}", path.display(), path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key of a webhook.
    #[error(
        "expected `whsec_` and 24 to 64 bytes in base64, found other text\nhint: `echo whsec_$(head -c 32 /dev/urandom | base64)` makes one"
    )]
    Shape,
}

/// The secret, without blanks around it.
pub(super) fn read(source: &SecretSource) -> Result<SecretString, SecretError> {
    match source {
        SecretSource::Env(variable) => std::env::var(variable)
            .map(|value| value.trim().into())
            .map_err(|_| SecretError::NoVariable(variable.clone())),
        SecretSource::File(path) => read_file(path),
    }
}

fn read_file(path: &Path) -> Result<SecretString, SecretError> {
    let failed = |source| SecretError::Read { path: path.to_owned(), source };
    let file = regular::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Mode { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text.trim().into())
}

/// The key of a webhook.
pub(super) fn key(secret: &SecretString) -> Result<Vec<u8>, SecretError> {
    let text = secret.expose_secret().strip_prefix(PREFIX).ok_or(SecretError::Shape)?;
    let key = BASE64.decode(text.as_bytes()).map_err(|_| SecretError::Shape)?;
    (24..=64).contains(&key.len()).then_some(key).ok_or(SecretError::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_key_is_base64_of_24_to_64_bytes_behind_its_prefix() {
        let of = |bytes: usize| key(&format!("whsec_{}", BASE64.encode(&vec![7; bytes])).into());
        assert_eq!(of(24).unwrap(), vec![7; 24]);
        assert_eq!(of(64).unwrap().len(), 64);
        for wrong in [of(23), of(65), key(&"whsec_%".into()), key(&BASE64.encode(&[7; 32]).into())] {
            let error = wrong.unwrap_err().to_string();
            assert!(!error.contains('%') && error.starts_with("expected `whsec_`"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "  hush\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let source = SecretSource::File(path.clone());
        assert!(matches!(read(&source), Err(SecretError::Mode { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(read(&source).unwrap().expose_secret(), "hush");
        assert!(matches!(read(&SecretSource::File(dir.path().join("none"))), Err(SecretError::Read { .. })));
        assert!(matches!(
            read(&SecretSource::Env("TEKCRON_NO_SUCH".into())),
            Err(SecretError::NoVariable(_))
        ));
    }
}

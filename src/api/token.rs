use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::ApiError;
use crate::durable::replace;

/// Random bytes of a token.
const BYTES: usize = 32;

type Hash = [u8; 32];

/// The one bearer token: 32 random bytes, written as 43 characters of base64url. It is in the file `token` of
/// the data directory, or else given at the start, and then only who gives it can change it. Only its hash stays in memory.
/// Clones share it.
#[derive(Clone)]
pub struct Token {
    inner: Arc<Inner>,
}

struct Inner {
    /// Its file, where it was not given.
    path: Option<PathBuf>,
    hash: ArcSwap<Hash>,
    /// Held while file and hash change together.
    rotating: Mutex<()>,
}

impl Token {
    /// How many characters a token has.
    pub const LENGTH: usize = 43;

    /// Reads the token below `data_dir`, or makes the first one.
    ///
    /// # Errors
    /// [`ApiError`], also for a file that others may read, or that holds something else: it is left
    /// as it is.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, ApiError> {
        let path = data_dir.join("token");
        let text = match read(&path)? {
            Some(text) => text,
            None => write_new(&path)?,
        };
        Ok(Self::of(&text, Some(path)))
    }

    /// A token that somebody else looks after.
    ///
    /// # Errors
    /// [`ApiError::TokenGiven`] for a text that is no token.
    pub fn given(text: &SecretString) -> Result<Self, ApiError> {
        match flaw(text.expose_secret()) {
            Some(found) => Err(ApiError::TokenGiven { found }),
            None => Ok(Self::of(text, None)),
        }
    }

    fn of(text: &SecretString, path: Option<PathBuf>) -> Self {
        let hash = ArcSwap::from_pointee(hash(text.expose_secret()));
        Self { inner: Arc::new(Inner { path, hash, rotating: Mutex::new(()) }) }
    }

    /// Looks at the token below `data_dir`, where there is one, and makes none. What cannot be read is left to
    /// those who need it.
    ///
    /// # Errors
    /// [`ApiError`] for a file that others may read, or that holds something else.
    pub fn check(data_dir: &Path) -> Result<(), ApiError> {
        match read(&data_dir.join("token")) {
            Err(error @ (ApiError::TokenMode { .. } | ApiError::TokenShape { .. })) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether `presented` is the token. Takes as long for a wrong one as for the right one.
    pub fn accepts(&self, presented: &str) -> bool {
        hash(presented)[..].ct_eq(&self.inner.hash.load()[..]).into()
    }

    /// Where whoever may have it finds it.
    pub(super) fn whereabouts(&self) -> &'static str {
        match self.inner.path {
            Some(_) => "the token is in the file `token` of the data directory",
            None => "the token is the one that the service was started with, in TEKCRON_TOKEN",
        }
    }

    /// Makes a new token and writes its file; when this returns, the old one is dead.
    ///
    /// # Errors
    /// [`ApiError`], also for a token that was given; then the old one stays valid.
    pub fn rotate(&self) -> Result<SecretString, ApiError> {
        let path = self.inner.path.as_ref().ok_or(ApiError::TokenNotOurs)?;
        let _rotating = self.inner.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let text = write_new(path)?;
        self.inner.hash.store(Arc::new(hash(text.expose_secret())));
        Ok(text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text).into()
}

/// The token in `path`, where that file exists.
fn read(path: &Path) -> Result<Option<SecretString>, ApiError> {
    let failed = |source| ApiError::TokenRead { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ApiError::TokenMode { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(4096).read_to_end(&mut bytes).map_err(failed)?;
    let shape = |found| ApiError::TokenShape { path: path.to_owned(), found };
    let text = String::from_utf8(bytes).map_err(|_| shape("bytes that are no text".to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    match flaw(text) {
        Some(found) => Err(shape(found)),
        None => Ok(Some(text.into())),
    }
}

/// What keeps a text from being a token.
fn flaw(text: &str) -> Option<String> {
    let characters = text.chars().count();
    if characters != Token::LENGTH {
        return Some(format!("{characters} characters"));
    }
    match BASE64URL_NOPAD.decode(text.as_bytes()) {
        Ok(bytes) if bytes.len() == BYTES => None,
        _ => Some("other characters".to_owned()),
    }
}

/// Writes a new random token.
fn write_new(path: &Path) -> Result<SecretString, ApiError> {
    let mut bytes = [0; BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| ApiError::Random)?;
    let text = BASE64URL_NOPAD.encode(&bytes);
    let written = replace(path, format!("{text}\n").as_bytes(), 0o600);
    written.map_err(|source| ApiError::TokenWrite { path: path.to_owned(), source })?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn text(dir: &TempDir) -> String {
        fs::read_to_string(dir.path().join("token")).unwrap()
    }

    #[test]
    fn the_first_start_makes_a_private_token_and_the_second_finds_it() {
        let dir = TempDir::new().unwrap();
        let first = Token::load_or_create(dir.path()).unwrap();
        let written = text(&dir);
        let mode = fs::metadata(dir.path().join("token")).unwrap().permissions().mode() & 0o777;
        assert_eq!((written.len(), mode), (Token::LENGTH + 1, 0o600));
        let second = Token::load_or_create(dir.path()).unwrap();
        assert!(first.accepts(written.trim()) && second.accepts(written.trim()));
        assert_eq!(text(&dir), written);
        assert!(!format!("{first:?}").contains(written.trim()));
    }

    #[test]
    fn only_the_very_token_is_accepted() {
        let dir = TempDir::new().unwrap();
        let token = Token::load_or_create(dir.path()).unwrap();
        let right = text(&dir).trim().to_owned();
        for wrong in ["", "x", &right[1..], &format!("{right}="), &right.to_uppercase(), &"A".repeat(43)] {
            assert!(!token.accepts(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_rotated_token_replaces_file_and_memory_at_once() {
        let dir = TempDir::new().unwrap();
        let token = Token::load_or_create(dir.path()).unwrap();
        let old = text(&dir);
        let new = token.rotate().unwrap();
        assert_eq!(text(&dir).trim(), new.expose_secret());
        assert!(token.accepts(new.expose_secret()) && !token.accepts(old.trim()));
    }

    #[test]
    fn a_given_token_opens_and_is_not_rotated_and_what_is_none_is_not_shown() {
        let right = "A".repeat(Token::LENGTH);
        let token = Token::given(&right.as_str().into()).unwrap();
        assert!(token.accepts(&right));
        assert!(matches!(token.rotate(), Err(ApiError::TokenNotOurs)));
        assert!(token.accepts(&right));
        for (wrong, expected) in [("hunter2", "found 7 characters"), (&"!".repeat(43), "other characters")] {
            let error = Token::given(&wrong.into()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("\nhint: "), "{error}");
            assert!(!error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn many_rotations_at_once_leave_file_and_memory_in_agreement() {
        let dir = TempDir::new().unwrap();
        let token = Token::load_or_create(dir.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| token.rotate().unwrap());
            }
        });
        assert!(token.accepts(text(&dir).trim()));
    }

    #[test]
    fn a_file_that_others_may_read_or_of_another_shape_is_refused_and_left_alone() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("token");
        let right = "A".repeat(43);
        for (contents, mode, expected) in [
            (right.clone(), 0o640, "found 0640"),
            (right.clone(), 0o604, "found 0604"),
            (right[1..].to_owned(), 0o600, "found 42 characters"),
            (format!("{right}A\n"), 0o600, "found 44 characters"),
            (String::new(), 0o600, "found 0 characters"),
            ("!".repeat(43), 0o600, "found other characters"),
        ] {
            fs::write(&path, &contents).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = Token::load_or_create(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("\nhint: "), "{error}");
            assert_eq!(text(&dir), contents);
        }
    }
}

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, Walk, WalkBuilder};

use super::source::{MOST_ENTRIES, Names, Refusal};

/// What `cf push` leaves out of every directory, unless its `.cfignore` says otherwise.
const LEFT_OUT: [&str; 9] = [
    ".cfignore",
    ".DS_Store",
    ".git",
    ".gitignore",
    ".hg",
    ".svn",
    "_darcs",
    "manifest.yaml",
    "manifest.yml",
];

const CFIGNORE: &str = ".cfignore";

/// What a directory holds, in one order whatever the file system's: what its ignore files name is left out.
///
/// `.cfignore` and `.gitignore` count in every directory, as git reads them, and the former has the last word;
/// those above the directory, and the user's own, do not: what is pushed is a matter of the directory alone.
#[derive(Debug)]
pub struct Tree {
    pub(super) root: PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// A file, directory or link of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path within the tree.
    pub path: Box<Path>,
    /// What it is.
    pub kind: Kind,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// In bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
        /// As which it was found.
        stamp: Stamp,
    },
    /// A symbolic link, and where it leads.
    Link(OsString),
}

/// What tells that a file is no longer the one that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds of its content's last change, and of its own.
    times: [(i64, i64); 2],
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            times: [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())],
        }
    }
}

/// Why a directory cannot be pushed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It is not there, or cannot be read.
    #[error("cannot read `{path}`: {source}\nhint: --path names the directory to push")]
    Root {
        /// The directory.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "expected a directory to push, found a file: `{0}`\nhint: unpack an archive, and push the directory"
    )]
    NotADirectory(PathBuf),
    /// Nothing of it is left.
    #[error(
        "there is nothing to push in `{path}`\nhint: {}",
        if *left_out { "its `.cfignore`, its `.gitignore` and what is never pushed leave all of it out" } else { "it has no files" }
    )]
    Empty {
        /// The directory.
        path: PathBuf,
        /// Whether there is something that was left out.
        left_out: bool,
    },
    /// A part of it cannot be read.
    #[error("cannot read `{path}`: {source}\nhint: `.cfignore` names what is left out of a push")]
    Read {
        /// The part.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// An ignore file has a pattern that is none.
    #[error(
        "a pattern cannot be read: {0}\nhint: `.cfignore` and `.gitignore` hold patterns as git reads them"
    )]
    Pattern(String),
    /// It is too many.
    #[error(
        "`{path}` has more than {MOST_ENTRIES} files and directories, which is the most that a push may have\nhint: `.cfignore` names what is left out of a push"
    )]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// A link would lead elsewhere where tasks run.
    #[error(
        "the link `{path}` leads out of the directory, to `{target}`\nhint: put a copy in its place, or name it in `.cfignore`"
    )]
    LeadsOut {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// No service takes it.
    #[error("`{path}` {what}")]
    Refused {
        /// The file, directory or link.
        path: PathBuf,
        /// What is wrong with it.
        what: Refusal,
    },
    /// It is nothing that a tar of sources holds.
    #[error("`{path}` is a {what}: files, directories and links can be pushed\nhint: name it in `.cfignore`")]
    Special {
        /// The thing.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}

impl Tree {
    /// The tree of the directory `root`.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn read(root: &Path) -> Result<Self, TreeError> {
        Self::read_at_most(root, MOST_ENTRIES)
    }

    fn read_at_most(shown: &Path, most: usize) -> Result<Self, TreeError> {
        let unreadable = |source| TreeError::Root { path: shown.to_owned(), source };
        let root = fs::canonicalize(shown).map_err(unreadable)?;
        if !fs::metadata(&root).map_err(unreadable)?.is_dir() {
            return Err(TreeError::NotADirectory(shown.to_owned()));
        }
        fs::read_dir(&root).map_err(unreadable)?;
        let mut entries = Vec::new();
        // In the order of the file system: to be sorted by the walk, a directory would have to be held as a whole.
        for found in walk(&root)? {
            let entry = found.map_err(|error| refused(&root, error))?;
            if let Some(error) = entry.error() {
                return Err(TreeError::Pattern(error.to_string()));
            }
            if entry.depth() == 0 {
                continue;
            }
            if entries.len() == most {
                return Err(TreeError::TooMany { path: shown.to_owned() });
            }
            entries.push(Entry::found(&root, &entry)?);
        }
        if !entries.iter().any(|entry| entry.kind != Kind::Directory) {
            let left_out = fs::read_dir(&root).map_err(unreadable)?.next().is_some();
            return Err(TreeError::Empty { path: shown.to_owned(), left_out });
        }
        entries.sort_unstable_by(|a, b| a.path.as_os_str().as_bytes().cmp(b.path.as_os_str().as_bytes()));
        check(&entries).map_err(|(entry, what)| {
            let path = root.join(&entry.path);
            match (what, &entry.kind) {
                (Refusal::LinkOut(_), Kind::Link(target)) => {
                    TreeError::LeadsOut { path, target: target.into() }
                }
                (what, _) => TreeError::Refused { path, what },
            }
        })?;
        Ok(Self { root, entries })
    }

    /// What it holds, each directory before what is in it.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Goes through `root`, without what is left out.
fn walk(root: &Path) -> Result<Walk, TreeError> {
    let never = never_pushed(root)?;
    let (own, _) = Gitignore::new(root.join(CFIGNORE));
    let root_of_all = root.to_owned();
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false)
        .git_ignore(true)
        .require_git(false)
        .add_custom_ignore_filename(CFIGNORE)
        .filter_entry(move |entry| {
            let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
            let path = entry.path();
            path == root_of_all
                || !never.matched(path, is_dir).is_ignore()
                || own.matched(path, is_dir).is_whitelist()
        });
    Ok(walk.build())
}

fn never_pushed(root: &Path) -> Result<Gitignore, TreeError> {
    let pattern = |error: ignore::Error| TreeError::Pattern(error.to_string());
    let mut never = GitignoreBuilder::new(root);
    for name in LEFT_OUT {
        never.add_line(None, name).map_err(pattern)?;
    }
    never.build().map_err(pattern)
}

fn refused(root: &Path, error: ignore::Error) -> TreeError {
    let path = path_of(&error).unwrap_or(root).to_owned();
    let said = error.to_string();
    match error.into_io_error() {
        Some(source) => TreeError::Read { path, source: without_path(source) },
        None => TreeError::Pattern(said),
    }
}

/// The system's words alone, where the walk has put them into its own.
fn without_path(error: io::Error) -> io::Error {
    let said = error.get_ref().and_then(|walk| walk.source()?.downcast_ref::<io::Error>());
    match said.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}

/// What an error of the walk is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

impl Entry {
    fn found(root: &Path, entry: &DirEntry) -> Result<Self, TreeError> {
        let path = || entry.path().to_owned();
        let read = |source| TreeError::Read { path: path(), source };
        let metadata = fs::symlink_metadata(entry.path()).map_err(read)?;
        let within = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let kind = metadata.file_type();
        let kind = if kind.is_dir() {
            Kind::Directory
        } else if kind.is_file() {
            let executable = metadata.mode() & 0o100 != 0;
            Kind::File { size: metadata.len(), executable, stamp: Stamp::of(&metadata) }
        } else if kind.is_symlink() {
            Kind::Link(fs::read_link(entry.path()).map_err(read)?.into_os_string())
        } else {
            let what = match () {
                () if kind.is_socket() => "socket",
                () if kind.is_fifo() => "named pipe",
                () => "device",
            };
            return Err(TreeError::Special { path: path(), what });
        };
        Ok(Self { path: within.into(), kind })
    }
}

/// What the service asks of a source, asked before it is sent one.
fn check(entries: &[Entry]) -> Result<(), (&Entry, Refusal)> {
    let mut names = Names::default();
    for entry in entries {
        let name = entry.path.as_os_str().as_bytes();
        let named = match &entry.kind {
            Kind::Directory => names.add_dir(name),
            Kind::File { .. } => names.add_file(name),
            Kind::Link(target) => names.add_link(name, target.as_bytes()),
        };
        named.map_err(|refusal| (entry, refusal))?;
    }
    names.check_links().map_err(|(link, refusal)| {
        let is_it = |entry: &&Entry| entry.path.as_os_str().as_bytes() == link;
        (entries.iter().find(is_it).expect("the link is one of them"), refusal)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use tempfile::TempDir;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> TempDir {
        let dir = TempDir::new().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn paths(dir: &TempDir) -> Vec<String> {
        let tree = Tree::read(dir.path()).unwrap();
        tree.entries().iter().map(|entry| entry.path.display().to_string()).collect()
    }

    #[test]
    fn entries_come_in_one_order_and_directories_before_what_is_in_them() {
        let dir = tree(&[("b/z", ""), ("b/a/x", ""), ("b.txt", ""), ("a", ""), (".hidden", "")]);
        assert_eq!(paths(&dir), [".hidden", "a", "b", "b.txt", "b/a", "b/a/x", "b/z"]);
    }

    #[test]
    fn ignore_files_leave_out_what_they_name_and_cfignore_has_the_last_word() {
        let dir = tree(&[
            (".gitignore", "*.pyc\ndist/\n"),
            (".cfignore", "docs/\n!dist/\n/local.env\n"),
            ("a.py", ""),
            ("a.pyc", ""),
            ("dist/app.js", ""),
            ("docs/a.md", ""),
            ("local.env", ""),
            ("lib/local.env", ""),
            ("lib/.gitignore", "tmp\n"),
            ("lib/tmp/x", ""),
        ]);
        assert_eq!(paths(&dir), ["a.py", "dist", "dist/app.js", "lib", "lib/local.env"]);
    }

    #[test]
    fn what_cf_leaves_out_is_left_out_unless_cfignore_brings_it_back() {
        let never = [".git/HEAD", ".svn/x", ".hg/x", "_darcs/x", "sub/.DS_Store", "sub/manifest.yml"];
        let mut files: Vec<_> = never.iter().map(|path| (*path, "")).collect();
        files.push(("run.sh", ""));
        assert_eq!(paths(&tree(&files)), ["run.sh", "sub"]);
        files.push((".cfignore", "!sub/manifest.yml\n"));
        assert_eq!(paths(&tree(&files)), ["run.sh", "sub", "sub/manifest.yml"]);
    }

    #[test]
    fn ignore_files_above_do_not_count() {
        let dir = tree(&[(".gitignore", "*.sh\n"), (".cfignore", "app\n"), ("app/run.sh", "")]);
        let tree = Tree::read(&dir.path().join("app")).unwrap();
        assert_eq!(&*tree.entries()[0].path, Path::new("run.sh"));
    }

    #[test]
    fn links_within_are_taken_and_others_refused() {
        let dir = tree(&[("lib/a", "")]);
        symlink("../lib/a", dir.path().join("lib/b")).unwrap();
        symlink("lib", dir.path().join("link")).unwrap();
        assert_eq!(paths(&dir), ["lib", "lib/a", "lib/b", "link"]);
        symlink(".", dir.path().join("here")).unwrap();
        // The last one leads out by way of another link, which is none of its words.
        for target in ["/etc/passwd", "..", "lib/../../x", "here/.."] {
            let link = dir.path().join("out");
            symlink(target, &link).unwrap();
            let error = Tree::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains("leads out of the directory") && error.contains(target), "{error}");
            fs::remove_file(link).unwrap();
        }
    }

    #[test]
    fn what_no_service_takes_is_refused_before_it_is_sent() {
        let dir = TempDir::new().unwrap();
        let deep = vec!["d".repeat(200); 11].join("/");
        fs::create_dir_all(dir.path().join(&deep)).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = Tree::read(dir.path()).unwrap_err();
        assert!(matches!(&error, TreeError::Refused { what: Refusal::TooLong, .. }), "{error}");
        assert!(
            error
                .to_string()
                .ends_with("has a name of more than 2048 bytes, or a part of it has more than 255")
        );
    }

    #[test]
    fn the_systems_words_come_once() {
        let denied = io::Error::from_raw_os_error(libc::EACCES);
        let walk = io::Error::other(ByWalk(denied));
        assert_eq!(without_path(walk).to_string(), "Permission denied (os error 13)");
        assert_eq!(without_path(io::Error::other("else")).to_string(), "else");

        #[derive(Debug, thiserror::Error)]
        #[error("IO error for operation on /x: {0}")]
        struct ByWalk(#[source] io::Error);
    }

    #[test]
    fn what_is_no_file_is_refused_unless_it_is_left_out() {
        let dir = tree(&[("run.sh", "")]);
        let _socket = UnixListener::bind(dir.path().join("control")).unwrap();
        let error = Tree::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("control` is a socket"), "{error}");
        fs::write(dir.path().join(CFIGNORE), "control\n").unwrap();
        assert_eq!(paths(&dir), ["run.sh"]);
    }

    #[test]
    fn too_many_are_refused_as_soon_as_that_is_known() {
        let dir = tree(&[("a", ""), ("b", ""), ("c/d", "")]);
        assert_eq!(Tree::read_at_most(dir.path(), 4).unwrap().entries().len(), 4);
        let error = Tree::read_at_most(dir.path(), 3).unwrap_err().to_string();
        assert!(error.contains("more than 100000 files and directories"), "{error}");
    }

    #[test]
    fn a_directory_that_is_none_or_has_nothing_is_told() {
        let dir = tree(&[(".gitignore", "*.log\n"), ("a.log", ""), ("file", "")]);
        let told = |path: &Path| Tree::read(path).unwrap_err().to_string();
        assert!(told(&dir.path().join("none")).contains("No such file"));
        assert!(told(&dir.path().join("file")).contains("expected a directory"));
        fs::remove_file(dir.path().join("file")).unwrap();
        assert!(told(dir.path()).contains("leave all of it out"), "{}", told(dir.path()));
        let empty = TempDir::new().unwrap();
        assert!(told(empty.path()).contains("it has no files"));
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        let dir = tree(&[(".cfignore", "[z-a]\n"), ("file", "")]);
        let error = Tree::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("a pattern cannot be read") && error.contains(".cfignore"), "{error}");
    }
}

//! Completions and manual pages.

use tempfile::TempDir;
use tokio::process::Command;

use crate::fake::{Run, tekcron};

#[tokio::test]
async fn each_shell_gets_a_script_that_knows_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Run::of(tekcron(&["completions", shell])).await;
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{shell}");
        assert!(run.out.contains("terminate-task") && run.out.contains("data-dir"), "{shell}");
    }
}

#[tokio::test]
async fn bash_reads_its_script() {
    let run = Run::of(tekcron(&["completions", "bash"])).await;
    let directory = TempDir::new().unwrap();
    // It is too long for an argument.
    let script = directory.path().join("script");
    let complete =
        "COMP_WORDS=(tekcron term); COMP_CWORD=1; _tekcron tekcron term; echo \"${COMPREPLY[@]}\"\n";
    std::fs::write(&script, format!("{}\n{complete}", run.out)).unwrap();
    let mut bash = Command::new("bash");
    let answer = bash.arg("--norc").arg(&script).output().await.unwrap();
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "terminate-task\n");
}

#[tokio::test]
async fn the_manual_goes_to_stdout_or_a_page_a_verb_into_a_directory() {
    let page = Run::of(tekcron(&["man"])).await;
    assert_eq!((page.code, page.err.as_str()), (0, ""));
    assert!(page.out.contains(".TH tekcron 1") && page.out.contains("tekcron\\-run\\-task(1)"), "{page}");

    let directory = TempDir::new().unwrap();
    let into = directory.path().join("man1");
    let run = Run::of(tekcron(&["man", into.to_str().unwrap()])).await;
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));
    for page in ["tekcron.1", "tekcron-run-task.1", "tekcron-serve.1", "tekcron-token-rotate.1"] {
        let text = std::fs::read_to_string(into.join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
        let foot = concat!("\"tekcron ", env!("CARGO_PKG_VERSION"), "\"");
        let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
        assert!(title.contains(foot), "{page}: {title}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let run = Run::of(tekcron(&["man", "/proc/nowhere"])).await;
    assert_eq!(run.code, 73, "{run}");
    assert!(run.err.starts_with("error: cannot write man pages to `/proc/nowhere`: "), "{run}");
}

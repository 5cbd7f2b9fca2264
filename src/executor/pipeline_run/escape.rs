//! Keeping the author's `$` through two substitutions.
//!
//! Tekton replaces `$(name.…)` and `$(name[…])` that it knows, and its webhook refuses some that it
//! does not; it cannot be told not to. Kubernetes comes afterwards, turns `$$` into `$` and expands
//! `$(VAR)`. So a `$` is doubled, except before what has the shape of a Tekton reference: there it is
//! written as a reference to [`DOLLAR`], which Tekton does not know and Kubernetes expands to `$`.
//! `docs/decisions/0010-dollars.md` has the reasons.

use std::borrow::Cow;

/// The variable whose value is `$`. An object in which it is referred to sets it first.
pub const DOLLAR: &str = "TEKCRON_DOLLAR";

/// `text` in the form that reaches the process as `text`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains('$') {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        escaped.push_str(before);
        if may_be_tekton(after) {
            escaped.push_str(&reference_to_dollar());
        } else {
            escaped.push_str("$$");
        }
        rest = after;
    }
    escaped.push_str(rest);
    Cow::Owned(escaped)
}

/// The inverse of [`escape`].
pub fn unescape(text: &str) -> String {
    expand(text, |name| (name == DOLLAR).then_some("$"))
}

/// Whether an escaped text needs [`DOLLAR`] in its environment.
pub(super) fn needs_dollar(escaped: &str) -> bool {
    escaped.contains(&reference_to_dollar())
}

/// What the kubelet makes of a command, an argument or the value of a variable: `$$` is `$`, `$(VAR)`
/// the value of a known variable, and everything else stays.
pub(super) fn expand<'v>(text: &str, value_of: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(tail) = after.strip_prefix('$') {
            expanded.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|open| open.split_once(')')) {
            match value_of(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = tail;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    expanded
}

/// Whether what follows a `$` has the shape of a Tekton variable, known or not: `(name.` or `(name[`.
fn may_be_tekton(after: &str) -> bool {
    let Some(inner) = after.strip_prefix('(') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let end = inner.trim_start_matches(word);
    end.len() < inner.len() && end.starts_with(['.', '['])
}

fn reference_to_dollar() -> String {
    format!("$({DOLLAR})")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The variables that Tekton knows in a run of ours, pass by pass
    /// (`pkg/reconciler/{pipelinerun,taskrun}/resources/apply.go`).
    const TEKTON: [&[&str]; 4] = [
        &["context.pipelineRun.name", "context.pipelineRun.uid", "context.pipeline.name"],
        &["context.taskRun.name", "context.task.name", "context.task.retry-count"],
        &["workspaces.state.path", "workspaces.state.bound", "workspaces.state.claim"],
        &[
            "credentials.path",
            "step.artifacts.path",
            "artifacts.path",
            "steps.step-user-container.exitCode.path",
        ],
    ];

    /// References that the webhook refuses, known or not (`pkg/apis/pipeline/v1/*_validation.go`).
    const REFUSED: [&str; 6] =
        ["$(params.", "$(params[", "$(context.", "$(steps.", "$(step.artifacts", "$(artifacts."];

    fn tekton(text: &str) -> String {
        assert!(!REFUSED.iter().any(|shape| text.contains(shape)), "the webhook refuses `{text}`");
        TEKTON.iter().fold(text.to_owned(), |text, pass| {
            pass.iter().fold(text, |text, key| text.replace(&format!("$({key})"), "REPLACED"))
        })
    }

    /// `third_party/forked/golang/expansion/expand.go` of Kubernetes, byte by byte.
    fn kubernetes(input: &str, env: &[(&str, &str)]) -> String {
        fn read(input: &[u8]) -> (Vec<u8>, bool, usize) {
            match input[0] {
                b'$' => (b"$".to_vec(), false, 1),
                b'(' => match input.iter().position(|byte| *byte == b')') {
                    Some(end) => (input[1..end].to_vec(), true, end + 1),
                    None => (b"$(".to_vec(), false, 1),
                },
                other => (vec![b'$', other], false, 1),
            }
        }
        let bytes = input.as_bytes();
        let (mut out, mut checkpoint, mut cursor) = (Vec::new(), 0, 0);
        while cursor < bytes.len() {
            if bytes[cursor] == b'$' && cursor + 1 < bytes.len() {
                out.extend(&bytes[checkpoint..cursor]);
                let (text, is_variable, advance) = read(&bytes[cursor + 1..]);
                let known = env.iter().find(|(name, _)| name.as_bytes() == text);
                match (is_variable, known) {
                    (true, Some((_, value))) => out.extend(value.bytes()),
                    (true, None) => out.extend([b"$(", text.as_slice(), b")"].concat()),
                    (false, _) => out.extend(text),
                }
                cursor += advance;
                checkpoint = cursor + 1;
            }
            cursor += 1;
        }
        out.extend(&bytes[checkpoint..]);
        String::from_utf8(out).unwrap()
    }

    fn on_a_cluster(text: &str) -> String {
        // HOME is there to be expanded by mistake.
        kubernetes(&tekton(&escape(text)), &[(DOLLAR, "$"), ("HOME", "/root"), ("x", "X")])
    }

    #[test]
    fn what_the_author_wrote_is_what_runs_on_a_cluster_and_here() {
        for text in [
            "/tmp/x.$$",
            "$(date)",
            "$(HOME)",
            "${X:-y}",
            "$(params.foo)",
            "$$(params.foo)",
            "$(params[\"foo\"])",
            "$(context.pipelineRun.name)",
            "$(context.pipelineRun.name",
            "$(workspaces.state.path)/$(credentials.path)",
            "$(steps.step-user-container.exitCode.path)",
            "$(steps.a.results.b)",
            "$(tasks.a.results.b)",
            "$(tasks['a'].results.b) $(finally.a.status) $(inputs.params.x)",
            "$(TEKCRON_DOLLAR)",
            "$(TEKCRON_DOLLAR)(params.foo)",
            "$$$$(x)",
            "$(",
            "$",
            "a$",
            "",
            "£$(é)$ü",
        ] {
            assert_eq!(on_a_cluster(text), text, "on a cluster: {text}");
            assert_eq!(unescape(&escape(text)), text, "here: {text}");
        }
    }

    #[test]
    fn doubling_alone_would_not_do() {
        let doubled = "$(context.taskRun.name)".replace('$', "$$");
        let known = doubled.replace("$(context.taskRun.name)", "etl-1");
        assert_eq!(kubernetes(&known, &[]), "$etl-1");
    }

    #[test]
    fn an_everyday_command_stays_readable() {
        assert_eq!(escape("tar cf $(date +%F).tar ${DIR} # $$"), "tar cf $$(date +%F).tar $${DIR} # $$$$");
        assert_eq!(escape("plain"), "plain");
    }

    proptest! {
        #[test]
        fn any_text_comes_through(text in r#"(\$|\(|\)|\{|params|context|taskRun|\.|\[|name|x|-|TEKCRON_DOLLAR|é| ){0,24}"#) {
            prop_assert_eq!(on_a_cluster(&text), text.clone());
            prop_assert_eq!(unescape(&escape(&text)), text);
        }

        #[test]
        fn our_expansion_is_the_kubelets(text in r"(\$|\(|\)|x|HOME|é){0,24}") {
            let env = [("x", "1"), ("HOME", "$(x)")];
            let ours = expand(&text, |name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
            prop_assert_eq!(ours, kubernetes(&text, &env));
        }
    }
}

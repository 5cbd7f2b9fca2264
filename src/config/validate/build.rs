use super::app::{image, timeout};
use super::service::secret_name;
use crate::app::check_image;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::settings::{BuildSettings, Builder};
use crate::config::value::Value;

const BUILDER: &str =
    "`buildpacks` needs no Dockerfile, `buildah` and `kaniko` build by one, `custom` is any program";
const IMAGE: &str = "the builder's own image, as in `image = \"docker.io/paketobuildpacks/builder-jammy-base\"` or `\"quay.io/buildah/stable\"`";
const REGISTRY: &str = "as in `registry = \"registry.example/team\"`: what is pushed for App `etl` is `registry.example/team/etl`";
const SECRET: &str = "credentials stay on the cluster: `kubectl create secret docker-registry NAME …`";
const ARGS: &str = "as in `args = [\"build-it\", \"{source}\", \"{image}\", \"{digest_file}\"]`";

/// `[build]`.
pub(super) fn build(value: &Value<'_>) -> Option<BuildSettings> {
    let mut table = value.table()?;
    let words = [
        ("buildpacks", Builder::Buildpacks),
        ("buildah", Builder::Buildah),
        ("kaniko", Builder::Kaniko),
        ("custom", Builder::Custom),
    ];
    let builder = table
        .require("builder", BUILDER)
        .and_then(|value| value.checked(parse::word(value.text()?, &words, BUILDER)));
    let builder_image = table.require("image", IMAGE).and_then(|value| value.checked(image(value.text()?)));
    let args_at = table.get("args");
    let args = args_at.as_ref().map_or(Some(vec![]), args);
    if builder == Some(Builder::Custom)
        && let Some(args) = &args
        && !args.iter().any(|arg| arg.contains("{digest_file}"))
    {
        let found = if args.is_empty() { "none" } else { "others" };
        let fault = Fault::new(
            format!(
                "expected `args` in which `{{digest_file}}` stands, as the builder is `custom`, found {found}"
            ),
            ARGS,
        );
        args_at.as_ref().map_or_else(|| table.refuse(fault.clone()), |value| value.refuse(fault.clone()));
    }
    let registry =
        table.require("registry", REGISTRY).and_then(|value| value.checked(registry(value.text()?)));
    let secret = table.get("registry_secret").and_then(|value| secret_name(&value, SECRET));
    let fetch_image = table.get("fetch_image").and_then(|value| value.checked(image(value.text()?)));
    let account = table.get("service_account");
    let service_account = account.and_then(|value| value.checked(parse::object_name(value.text()?)));
    let timeout = timeout(&mut table).unwrap_or_default();
    table.finish();
    Some(BuildSettings {
        builder: builder?,
        image: builder_image?,
        args: args?,
        registry: registry?,
        registry_secret: secret,
        fetch_image: fetch_image.unwrap_or_else(|| BuildSettings::FETCH_IMAGE.to_owned()),
        service_account,
        timeout,
    })
}

fn args(value: &Value<'_>) -> Option<Vec<String>> {
    let words = value.array()?;
    let text = |word: &Value<'_>| {
        let text = word.text()?;
        word.checked(parse::no_nul(text)).map(|()| text.to_owned())
    };
    let texts: Vec<_> = words.iter().filter_map(text).collect();
    (texts.len() == words.len()).then_some(texts)
}

/// What an App's name is put behind, and then a tag.
fn registry(text: &str) -> Result<String, Fault> {
    let wrong =
        || Fault::new(format!("expected a registry and perhaps a path in it, found `{text}`"), REGISTRY);
    match text.contains('@') || check_image(&format!("{text}/app:1")).is_err() {
        true => Err(wrong()),
        false => Ok(text.to_owned()),
    }
}

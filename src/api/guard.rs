//! Against pages in a browser that reach for a service on its user's machine: another name that was made
//! to point here (DNS rebinding), and requests across sites; and against requests that are hidden in the
//! body of another.

use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::{Code, Failure};
use super::service::Shared;

/// Lets nobody pass who was sent by a page from elsewhere.
pub(super) async fn guard(State(serving): State<Shared>, request: Request, next: Next) -> Response {
    // What follows such a body may have been meant as part of it by whoever handed it on.
    let ends = request.headers().contains_key(TRANSFER_ENCODING);
    let named = request.uri().authority().map(Authority::as_str);
    let checked = {
        // Not kept for as long as the answer takes: who follows a log would keep one that is no longer in effect.
        let config = serving.config();
        let here = Here { listen: serving.listen.ip(), public: config.settings.public_url.as_deref() };
        check(request.headers(), named, &here)
    };
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    if ends {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What the service is called.
struct Here<'h> {
    /// The address that it listens on.
    listen: IpAddr,
    /// The URL at which others reach it, perhaps through a proxy on this machine.
    public: Option<&'h str>,
}

/// `named` is the host that the request's first line names, as it does for a proxy.
fn check(headers: &HeaderMap, named: Option<&str>, here: &Here<'_>) -> Result<(), Failure> {
    let refused = |text: String| Err(Failure::new(Code::Forbidden, text));
    let readable = |value: &HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let text = |name: &str| headers.get(name).map(readable);
    // No browser leaves it out. Where there are several, another program may go by another one.
    let hosts: Vec<_> = headers.get_all(HOST).iter().map(readable).chain(named.map(str::to_owned)).collect();
    if here.listen.to_canonical().is_loopback()
        && let Some(host) = hosts.iter().find(|host| !here.is_called(host))
    {
        let hint = format!(
            "a service on loopback answers to `localhost`, `{}` and the host of `public_url` alone",
            here.listen
        );
        return refused(format!("expected a request to this machine, found one to `{host}`\nhint: {hint}"));
    }
    if let Some(origin) = text(ORIGIN.as_str())
        && !is_same(&origin, hosts.first().map(String::as_str))
    {
        return refused(format!("a page from `{origin}` may not ask for this"));
    }
    match text("sec-fetch-site").as_deref() {
        None | Some("none" | "same-origin") => Ok(()),
        Some(site) => refused(format!("expected a request from this site, found `{site}`")),
    }
}

impl Here<'_> {
    fn is_called(&self, host: &str) -> bool {
        let Ok(authority) = Authority::from_str(host) else { return false };
        let name = authority.host();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let is_local = match bare.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback() || address == self.listen,
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        };
        is_local || self.is_public(name)
    }

    fn is_public(&self, name: &str) -> bool {
        let public = self.public.and_then(|url| url.parse::<Uri>().ok());
        public.as_ref().and_then(Uri::host).is_some_and(|host| host.eq_ignore_ascii_case(name))
    }
}

fn is_same(origin: &str, host: Option<&str>) -> bool {
    let place = origin.split_once("://").map(|(_, place)| place);
    place.zip(host).is_some_and(|(place, host)| place.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(listen: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        check(&HeaderMap::from_iter(headers), None, &here(listen)).is_ok()
    }

    fn here(listen: &str) -> Here<'static> {
        Here { listen: listen.parse().unwrap(), public: None }
    }

    #[test]
    fn every_host_that_a_request_names_has_to_be_this_machine() {
        let here = here("127.0.0.1");
        let passes = |hosts: &[&str], named| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, host.parse().unwrap());
            }
            check(&headers, named, &here).is_ok()
        };
        assert!(passes(&["localhost"], None) && passes(&["localhost"], Some("127.0.0.1:7070")));
        for hosts in [["localhost", "evil.example"], ["evil.example", "localhost"]] {
            assert!(!passes(&hosts, None), "{hosts:?}");
        }
        assert!(!passes(&["localhost"], Some("evil.example")));
        assert!(!passes(&[], Some("evil.example")));
    }

    #[test]
    fn on_loopback_only_names_of_this_machine_pass() {
        let hosts = [
            "localhost:7070",
            "LOCALHOST",
            "127.0.0.1:7070",
            "127.9.9.9",
            "[::1]:7070",
            "[::ffff:127.0.0.1]",
        ];
        for host in hosts {
            assert!(passes("127.0.0.1", &[("host", host)]), "{host}");
        }
        let hosts = [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "127.0.0.1.evil.example",
            "",
            "a b",
            "0.0.0.0",
        ];
        for host in hosts {
            assert!(!passes("127.0.0.1", &[("host", host)]), "{host}");
        }
        assert!(passes("127.0.0.1", &[]));
    }

    #[test]
    fn behind_a_proxy_it_answers_to_its_public_name_too() {
        let public = Some("https://Tekcron.example.org:8443/cron");
        let here = Here { public, ..here("127.0.0.1") };
        let passes = |host: &'static str| {
            check(&HeaderMap::from_iter([(HOST, host.parse().unwrap())]), None, &here).is_ok()
        };
        assert!(passes("tekcron.example.org") && passes("tekcron.example.org:8443") && passes("localhost"));
        assert!(!passes("evil.example") && !passes("cron.tekcron.example.org"));
    }

    #[test]
    fn beyond_loopback_any_name_passes() {
        for listen in ["0.0.0.0", "10.0.0.1", "::"] {
            assert!(passes(listen, &[("host", "tekcron.example")]), "{listen}");
        }
    }

    #[test]
    fn pages_from_elsewhere_are_refused_wherever_it_listens() {
        let host = ("host", "127.0.0.1:7070");
        for listen in ["127.0.0.1", "0.0.0.0"] {
            for origin in
                ["http://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:7070", "?"]
            {
                assert!(!passes(listen, &[host, ("origin", origin)]), "{origin}");
            }
            assert!(passes(listen, &[host, ("origin", "http://127.0.0.1:7070")]));
            assert!(!passes(listen, &[host, ("sec-fetch-site", "cross-site")]));
            assert!(!passes(listen, &[host, ("sec-fetch-site", "same-site")]));
            assert!(passes(listen, &[host, ("sec-fetch-site", "none")]));
        }
    }
}

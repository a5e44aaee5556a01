//! Who may ask at all? Security R06: a web page that is open on the same machine must not.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};

use crate::push::Hall;

/// Lets a request through whose `Host` is known and that no web page sends.
pub(crate) async fn gate(State(hall): State<Hall>, request: Request, next: Next) -> Response {
    match judge(request.headers(), &hall.settings.hosts) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            hall.figures.turned_away(why);
            tracing::warn!(why, "A request was turned away.");
            (StatusCode::FORBIDDEN, "forbidden\n").into_response()
        }
    }
}

fn judge(headers: &HeaderMap, hosts: &[String]) -> Result<(), &'static str> {
    // Services that push send none; a browser always does for what could do harm.
    if headers.contains_key(ORIGIN) {
        return Err("origin");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or("host")?;
    let name = host_name(host);
    let known = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok()
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    // A name that somebody else owns may lead here (DNS rebinding); an address is nobody's name.
    if known { Ok(()) } else { Err("host") }
}

/// The name in a `Host`, without its port.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(address, _)| address);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r06_web_pages_and_foreign_names_are_turned_away() {
        let hosts = ["bot.example.com".to_owned()];
        for (host, origin, want) in [
            (Some("127.0.0.1:8460"), None, Ok(())),
            (Some("[::1]:8460"), None, Ok(())),
            (Some("192.168.1.7"), None, Ok(())),
            (Some("LOCALHOST:1"), None, Ok(())),
            (Some("Bot.Example.com"), None, Ok(())),
            (Some("evil.example.com"), None, Err("host")),
            (Some("bot.example.com.evil.com:80"), None, Err("host")),
            (None, None, Err("host")),
            (Some("127.0.0.1"), Some("null"), Err("origin")),
            (Some("127.0.0.1"), Some("http://127.0.0.1"), Err("origin")),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(host.map(|host| (HOST, host.parse().unwrap())));
            headers.extend(origin.map(|origin| (ORIGIN, origin.parse().unwrap())));
            assert_eq!(judge(&headers, &hosts), want, "{host:?} {origin:?}");
        }
    }
}

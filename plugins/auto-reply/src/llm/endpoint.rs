//! Where is the model? The base URL of the settings, checked once, and what of it may be shown.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};
use wxbot_plugin::ConfigProblem;

/// Below the base URL, at every server that speaks as OpenAI's does.
const PATH: &str = "/chat/completions";

/// The one origin that is ever connected to (R14: exactly as its owner wrote it, loopback too), and the path there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    /// A name or an address, an IPv6 one without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the header `Host`.
    pub(crate) authority: String,
    /// With [`PATH`].
    pub(crate) path: String,
}

impl Endpoint {
    /// Reads a base URL; `keyed`: a key will be sent there.
    pub(crate) fn parse(text: &str, keyed: bool) -> Result<Self, ConfigProblem> {
        let problem = |message: &str, help: &str| ConfigProblem::at("/endpoint", message).help(help);
        let like = "write the base URL like \"https://api.example.com/v1\" or \"http://127.0.0.1:11434/v1\"";
        let url = Url::parse(text.trim()).map_err(|error| problem(&format!("`endpoint` is no URL: {error}"), like))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Its line holds a password: it must not be shown.
            let message = "`endpoint` holds a user or password";
            return Err(problem(message, "put the key under `key = { env = \"NAME\" }`").secret());
        }
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(problem(&format!("`endpoint` cannot be asked by `{other}`"), like)),
        };
        let host = url.host().ok_or_else(|| problem("`endpoint` names no host", like))?;
        if url.query().is_some() || url.fragment().is_some() {
            // Some services take their key there.
            let message = "`endpoint` ends in a query (`?…`) or a fragment (`#…`)";
            return Err(problem(message, "write the base URL alone; a key belongs under `key`").secret());
        }
        if keyed && !tls && !is_near(&host) {
            let message = "the key would cross the network in the clear: `endpoint` begins with `http:`";
            return Err(problem(
                message,
                "write `https:`; `http:` with a key is for this machine and private networks",
            ));
        }
        let path = url.path().trim_end_matches('/');
        if path.ends_with(PATH) {
            let message = format!("`endpoint` ends in `{PATH}`, which is added by itself");
            return Err(problem(&message, "leave that part out"));
        }
        let port = url.port_or_known_default().ok_or_else(|| problem("`endpoint` names no port", like))?;
        let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let host = match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self { tls, host, port, authority, path: format!("{path}{PATH}") })
    }
}

/// As the log shows it: it holds no secrets, for neither user nor query are allowed in it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, authority, path, .. } = self;
        write!(f, "{}://{authority}{path}", if *tls { "https" } else { "http" })
    }
}

/// Hosts that only this machine or its own network reaches: loopback, private addresses, names without a dot (a
/// neighbour in a container network) and those reserved for home networks.
fn is_near(host: &Host<&str>) -> bool {
    let near = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    match host {
        Host::Ipv4(address) => near(IpAddr::V4(*address)),
        Host::Ipv6(address) => near(IpAddr::V6(*address)),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            !name.contains('.') || [".local", ".lan", ".internal", ".localhost"].iter().any(|end| name.ends_with(end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_is() {
        for (text, shown, host, port) in [
            ("https://api.example.com/v1", "https://api.example.com/v1/chat/completions", "api.example.com", 443),
            ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions", "api.example.com", 443),
            (" http://127.0.0.1:11434 ", "http://127.0.0.1:11434/chat/completions", "127.0.0.1", 11434),
            ("http://[::1]:8080/v1", "http://[::1]:8080/v1/chat/completions", "::1", 8080),
            ("https://模型.cn/v1", "https://xn--xgs754b.cn/v1/chat/completions", "xn--xgs754b.cn", 443),
        ] {
            let endpoint = Endpoint::parse(text, false).unwrap();
            let found = (endpoint.to_string(), endpoint.host, endpoint.port);
            assert_eq!(found, (shown.to_owned(), host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, keyed, part) in [
            ("", false, "no URL"),
            ("api.example.com/v1", false, "no URL"),
            ("ftp://api.example.com", false, "`ftp`"),
            ("unix:/run/model", false, "`unix`"),
            ("https://me:secret@api.example.com/v1", false, "user or password"),
            ("https://api.example.com/v1?key=secret", false, "query"),
            ("https://api.example.com/v1#secret", false, "fragment"),
            ("https://api.example.com/v1/chat/completions", false, "added by itself"),
            ("http://api.example.com/v1", true, "in the clear"),
            ("http://93.184.216.34/v1", true, "in the clear"),
        ] {
            let problem = Endpoint::parse(text, keyed).unwrap_err();
            assert!(problem.message.contains(part), "{text}: {problem:?}");
            assert!(!format!("{problem:?}").contains("=secret"), "{text}: {problem:?}");
        }
    }

    #[test]
    fn a_key_goes_in_the_clear_to_neighbours_only() {
        for text in ["http://localhost:1", "http://ollama:1", "http://10.1.2.3:1", "http://nas.local", "http://[::1]:1"]
        {
            assert!(Endpoint::parse(text, true).is_ok(), "{text}");
        }
        assert!(Endpoint::parse("http://api.example.com/v1", false).is_ok());
    }
}

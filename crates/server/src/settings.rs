//! Where does the server listen, and whom does it let in at all?

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

/// What `[server]` of `bot.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// A second place for hooks whose address cannot be set: only the path without a secret is served there.
    pub default_path: Option<SocketAddr>,
    /// Whether plain HTTP on other than loopback addresses is meant.
    pub plain_is_known: bool,
    /// Names besides loopback ones by which it may be asked (`Host`): those of the reverse proxy.
    pub hosts: Vec<String>,
    /// From where pushes may come; from everywhere when empty.
    pub allow: Vec<IpNet>,
    /// How large, long and many.
    pub limits: Limits,
}

/// How large, long and many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of all headers.
    pub headers: usize,
    /// How long a request may take to arrive, headers and body apart.
    pub arrival: Duration,
    /// How long a body may wait to be kept.
    pub keeping: Duration,
    /// Connections.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            headers: 16 * 1024,
            arrival: Duration::from_secs(10),
            keeping: Duration::from_secs(10),
            connections: 256,
            per_address: 64,
        }
    }
}

impl Settings {
    /// On this address, for loopback alone.
    pub fn on(listen: SocketAddr) -> Self {
        Self {
            listen,
            default_path: None,
            plain_is_known: false,
            hosts: Vec::new(),
            allow: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// The address that it listens at without being reachable from elsewhere.
    ///
    /// # Errors
    /// The one that others can reach in plain HTTP, when nobody said that this is meant (security R01).
    pub fn exposed(&self) -> Result<(), SocketAddr> {
        if let Some(shared) = self.default_path.filter(|address| !address.ip().is_loopback()) {
            // Its path has no secret: nobody can mean that.
            return Err(shared);
        }
        if self.listen.ip().is_loopback() || self.plain_is_known { Ok(()) } else { Err(self.listen) }
    }

    /// Whether a push may come from here.
    pub fn lets_in(&self, from: IpAddr) -> bool {
        let from = match from {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(from, IpAddr::V4),
            IpAddr::V4(_) => from,
        };
        self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&from))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::on(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_460))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r01_others_are_reached_only_when_it_is_meant() {
        for (listen, default_path, known, exposed) in [
            ("127.0.0.1:1", None, false, None),
            ("[::1]:1", None, false, None),
            ("0.0.0.0:1", None, false, Some("0.0.0.0:1")),
            ("0.0.0.0:1", None, true, None),
            ("127.0.0.1:1", Some("192.168.1.2:30000"), false, Some("192.168.1.2:30000")),
            ("127.0.0.1:1", Some("192.168.1.2:30000"), true, Some("192.168.1.2:30000")),
            ("[::]:1", None, false, Some("[::]:1")),
        ] {
            let mut settings = Settings::on(listen.parse().unwrap());
            settings.default_path = default_path.map(|address| address.parse().unwrap());
            settings.plain_is_known = known;
            assert_eq!(settings.exposed().err(), exposed.map(|address| address.parse().unwrap()), "{listen}");
        }
    }

    #[test]
    fn who_is_let_in() {
        let mut settings = Settings::default();
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(settings.lets_in(from("8.8.8.8")), "everybody, unless somebody is listed");
        settings.allow = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        for (address, want) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("::1", true), ("11.0.0.1", false)] {
            assert_eq!(settings.lets_in(from(address)), want, "{address}");
        }
    }
}

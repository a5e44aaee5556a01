//! Which addresses may be asked that somebody else chose? Public ones alone, and what the owner wrote (security R14).
//!
//! Everything here is about the text of a URL and the number of a host: nothing is looked up and nothing is opened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Characters of a URL at most. Those of the service's picture hosts have some hundred.
const LONGEST: usize = 4_096;

/// Why a URL is not asked. No text of it shows more than scheme, host and port: the rest may hold keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Forbidden {
    /// It cannot be read as one.
    #[error("it is no address")]
    Unreadable,
    /// Longer than any that services give out.
    #[error("its address has more than {LONGEST} characters")]
    TooLong,
    /// `file:`, `ftp:`, `data:` and so on.
    #[error("its address begins with `{0}:`; only http and https are asked")]
    Scheme(String),
    /// `http://name:password@host`.
    #[error("its address holds a name or a password")]
    Credentials,
    /// Neither 80 nor 443.
    #[error("its port {0} is none of 80 and 443; `media_hosts` names further places")]
    Port(u16),
    /// A machine in the house, or an address that leads to one by another way.
    #[error("{0} is no public address; `media_hosts` names places of one's own")]
    Inside(IpAddr),
    /// The name of the host leads to no public address.
    #[error("`{0}` leads to no public address; `media_hosts` names places of one's own")]
    LeadsInside(String),
}

/// A URL that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The owner wrote this place: its address is not judged.
    pub(super) owners: bool,
}

/// Reads the text of a URL as somebody wrote it.
pub(super) fn read(text: &str) -> Result<Url, Forbidden> {
    if text.len() > LONGEST {
        return Err(Forbidden::TooLong);
    }
    Url::parse(text.trim()).map_err(|_unreadable| Forbidden::Unreadable)
}

/// Judges a URL by its text; a host that is a number is judged with it.
pub(super) fn judge(url: Url, owners: &[Url]) -> Result<Target, Forbidden> {
    if url.as_str().len() > LONGEST {
        return Err(Forbidden::TooLong);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Forbidden::Scheme(url.scheme().chars().take(16).collect()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Forbidden::Credentials);
    }
    if owners.iter().any(|own| is_at(&url, own)) {
        return Ok(Target { url, owners: true });
    }
    match url.port_or_known_default() {
        Some(80 | 443) => {}
        port => return Err(Forbidden::Port(port.unwrap_or_default())),
    }
    let number = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
        None => return Err(Forbidden::Unreadable),
    };
    match number.filter(|ip| !is_public(*ip)) {
        Some(ip) => Err(Forbidden::Inside(ip)),
        None => Ok(Target { url, owners: false }),
    }
}

/// Whether a URL is at a place, or below it: scheme, host and port as written, and the folders of its path.
fn is_at(url: &Url, place: &Url) -> bool {
    let folder = place.path().trim_end_matches('/');
    let below = url.path().strip_prefix(folder);
    url.origin() == place.origin() && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// True for an address of the public internet. Whatever is not known to be one is none.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// All but what IANA's registry of special addresses takes out.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match (a, b, c) {
        // "This" network, private, loopback; 224 and above are multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, _, _) => true,
        // Carriers' own (CGNAT).
        (100, 64..=127, _) => true,
        // Link-local; clouds answer with keys there.
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        // Assignments of protocols, documentation, relays of 6to4.
        (192, 0, 0 | 2) | (192, 88, 99) => true,
        (192, 168, _) => true,
        // Benchmarks, documentation.
        (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !special
}

/// Only 2000::/3 is given out, and of that not what leads to other places: Teredo and its neighbours, documentation,
/// 6to4. Forms that hold an IPv4 address (mapped, NAT64) lie outside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let given_out = a & 0xe000 == 0x2000;
    let special = match (a, b) {
        // 2001::/23, among them Teredo, benchmarks, ORCHID; and documentation.
        (0x2001, 0..=0x01ff | 0x0db8) => true,
        // 6to4.
        (0x2002, _) => true,
        // Documentation, 3fff::/20.
        (0x3fff, 0..=0x0fff) => true,
        _ => false,
    };
    given_out && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, owners: &[&str]) -> Result<Target, Forbidden> {
        let owners: Vec<Url> = owners.iter().map(|url| url.parse().unwrap()).collect();
        judge(read(text)?, &owners)
    }

    #[test]
    fn sec_r14_addresses_that_are_public_and_those_that_are_not() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.1",
            "192.0.3.1",
            "192.88.98.1",
            "192.88.100.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.1",
            "203.0.112.1",
            "203.0.114.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "240e::1",
            "2001:db7::1",
            "2001:db9::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for (what, addresses) in [
            ("this network", &["0.0.0.0", "0.1.2.3"][..]),
            (
                "private",
                &["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
            ),
            ("loopback", &["127.0.0.1", "127.255.255.254", "::1"]),
            ("link-local", &["169.254.169.254", "169.254.0.1", "fe80::1", "febf::1"]),
            ("CGNAT", &["100.64.0.1", "100.127.255.255"]),
            ("multicast", &["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"]),
            ("reserved and broadcast", &["240.0.0.1", "255.255.255.255"]),
            ("documentation", &["192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1", "3fff:fff::1"]),
            ("protocols and benchmarks", &["192.0.0.1", "192.0.0.170", "198.18.0.1", "198.19.255.255", "2001:2::1"]),
            ("6to4", &["2002:7f00:1::1", "2002:808:808::1", "192.88.99.1"]),
            ("Teredo and ORCHID", &["2001::1", "2001:0:5ef5:79fb::1", "2001:10::1", "2001:20::1", "2001:1ff::1"]),
            ("NAT64", &["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"]),
            ("v4-mapped", &["::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8"]),
            ("v4-compatible and nothing", &["::8.8.8.8", "::", "::2"]),
            ("unique local, site-local", &["fc00::1", "fd12:3456::1", "fec0::1"]),
            ("discard, segment routing, not given out", &["100::1", "5f00::1", "4000::1", "1::1", "e000::1"]),
        ] {
            for address in addresses {
                assert!(!is_public(address.parse().unwrap()), "{what}: {address}");
            }
        }
    }

    #[test]
    fn sec_r14_urls_by_their_text() {
        let inside = |ip: &str| Err(Forbidden::Inside(ip.parse().unwrap()));
        for (text, want) in [
            ("http://pictures.example/a.gif", Ok(())),
            ("https://pictures.example/a.gif?key=1#x", Ok(())),
            ("http://pictures.example:443/", Ok(())),
            ("https://pictures.example:80/", Ok(())),
            ("http://8.8.8.8/", Ok(())),
            ("http://[2606:4700::1111]/", Ok(())),
            ("http://pictures.example:8080/", Err(Forbidden::Port(8080))),
            ("http://127.0.0.1:30001/QueryDB", Err(Forbidden::Port(30_001))),
            ("http://pictures.example:22/", Err(Forbidden::Port(22))),
            ("ftp://pictures.example/", Err(Forbidden::Scheme("ftp".into()))),
            ("file:///etc/passwd", Err(Forbidden::Scheme("file".into()))),
            ("data:image/gif;base64,AA==", Err(Forbidden::Scheme("data".into()))),
            ("gopher://127.0.0.1:80/", Err(Forbidden::Scheme("gopher".into()))),
            ("http://name@pictures.example/", Err(Forbidden::Credentials)),
            ("http://:password@pictures.example/", Err(Forbidden::Credentials)),
            ("http://pictures.example@127.0.0.1/", Err(Forbidden::Credentials)),
            ("pictures.example/a.gif", Err(Forbidden::Unreadable)),
            ("//pictures.example/a.gif", Err(Forbidden::Unreadable)),
            ("", Err(Forbidden::Unreadable)),
            ("http://", Err(Forbidden::Unreadable)),
            ("http://127.0.0.1/", inside("127.0.0.1")),
            ("http://[::1]/", inside("::1")),
            // Ways to write 127.0.0.1 that are not looked at as text.
            ("http://2130706433/", inside("127.0.0.1")),
            ("http://0x7f.1/", inside("127.0.0.1")),
            ("http://0177.0.0.1/", inside("127.0.0.1")),
            ("http://127.1/", inside("127.0.0.1")),
            ("http://127.0.0.1./", inside("127.0.0.1")),
            ("http://127。0。0。1/", inside("127.0.0.1")),
            ("http://%31%32%37.0.0.1/", inside("127.0.0.1")),
            ("http:\\\\127.0.0.1\\a", inside("127.0.0.1")),
            ("http://[::ffff:127.0.0.1]/", inside("::ffff:127.0.0.1")),
            ("http://[64:ff9b::7f00:1]/", inside("64:ff9b::7f00:1")),
            ("http://169.254.169.254/latest/meta-data", inside("169.254.169.254")),
        ] {
            assert_eq!(judged(text, &[]).map(drop), want, "{text}");
        }
        assert_eq!(judged(&format!("http://e.org/{}", "a".repeat(LONGEST)), &[]), Err(Forbidden::TooLong));
        let shown = judged("http://name:CANARY@pictures.example/CANARY?key=CANARY", &[]).unwrap_err();
        assert!(!format!("{shown} {shown:?}").contains("CANARY"));
    }

    #[test]
    fn sec_r14_what_the_owner_wrote_is_allowed_exactly_as_written() {
        let owners = ["http://127.0.0.1:9000", "http://nas.local:8080/media/"];
        for (text, want) in [
            ("http://127.0.0.1:9000/a.gif", true),
            ("http://127.0.0.1:9000", true),
            ("http://nas.local:8080/media/a.gif", true),
            ("http://nas.local:8080/media", true),
            ("https://127.0.0.1:9000/a.gif", false),
            ("http://localhost:9000/a.gif", false),
            ("http://127.0.0.1:9001/a.gif", false),
            ("http://127.0.0.1/a.gif", false),
            ("http://127.0.0.2:9000/a.gif", false),
            ("http://nas.local:8080/mediator", false),
            ("http://nas.local:8080/media/../secret", false),
            ("http://nas.local:8080/media/%2e%2e/secret", false),
            ("http://nas.local:8080/", false),
            ("http://name@127.0.0.1:9000/a.gif", false),
        ] {
            let judged = judged(text, &owners);
            assert_eq!(judged.is_ok_and(|target| target.owners), want, "{text}");
        }
        assert!(!judged("http://pictures.example/", &owners).unwrap().owners);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged(text in ".{0,80}") {
            _ = judged(&text, &["http://127.0.0.1:9000"]);
        }

        #[test]
        fn an_ipv4_address_in_an_ipv6_one_is_never_public(ip in proptest::arbitrary::any::<u32>()) {
            let ip = Ipv4Addr::from(ip);
            let [a, b, c, d] = ip.octets().map(u16::from);
            let six_to_four = Ipv6Addr::new(0x2002, a << 8 | b, c << 8 | d, 0, 0, 0, 0, 1);
            let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
            for form in [ip.to_ipv6_mapped(), ip.to_ipv6_compatible(), six_to_four, nat64] {
                proptest::prop_assert!(!is_public(IpAddr::V6(form)), "{form}");
            }
        }
    }
}

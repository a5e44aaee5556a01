//! Where do services push to, and may others reach that place? `[server]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use wxbot_model::size::parse_size;

use super::check;
use super::diagnostic::{Diagnostic, Report, codes};
use super::settings::ServerConfig;
use super::tree::{Node, Shape, Table};

/// Where it listens when nobody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8_460);

/// What may wait in the spool when nobody says otherwise.
const SPOOL_MAX: u64 = 1 << 30;

/// Refuses a server in plain HTTP that others can reach, unless it is meant (security R01), and a path without a secret
/// that anybody else than this machine can reach.
pub(super) fn check(root: &Table, report: &mut Report) {
    let Some(table) = root.table("server") else { return };
    let meant = is_meant(table);
    for (key, even_meant) in [("listen", true), ("default_path_listen", false)] {
        let (Some(node), Some(address)) = (table.get(key), address(table, key)) else { continue };
        if address.ip().is_loopback() || (meant && even_meant) {
            continue;
        }
        let diagnostic = Diagnostic::new(
            codes::PLAIN_SERVER,
            &node.span,
            format!("`{key}`: {address} can be reached by others, in plain HTTP"),
        );
        report.mistake(if even_meant {
            diagnostic.label("not only this machine").help(
                "listen on 127.0.0.1 behind a reverse proxy with TLS, or say `i_know_this_is_plain = true` in `[server]`",
            )
        } else {
            diagnostic.label("anybody could push here").help("its path has no secret: only a loopback address will do")
        });
    }
}

/// What a good table comes to.
pub(super) fn build(root: &Table) -> ServerConfig {
    let table = root.table("server");
    let texts = |key: &str| {
        let list = table.and_then(|table| table.texts(key)).unwrap_or_default();
        list.into_iter().map(|(text, _node)| text.to_owned()).collect::<Vec<_>>()
    };
    ServerConfig {
        wanted: table.is_some(),
        listen: table.and_then(|table| address(table, "listen")).unwrap_or(LISTEN),
        default_path_listen: table.and_then(|table| address(table, "default_path_listen")),
        plain_is_known: table.is_some_and(is_meant),
        hosts: texts("hosts"),
        spool_max: table.and_then(|table| parse_size(table.text("spool_max")?).ok()).unwrap_or(SPOOL_MAX),
        allow: texts("allow").iter().filter_map(|text| check::network(text)).collect(),
    }
}

fn is_meant(table: &Table) -> bool {
    matches!(table.get("i_know_this_is_plain"), Some(Node { shape: Shape::Bool(true), .. }))
}

fn address(table: &Table, key: &str) -> Option<SocketAddr> {
    table.text(key)?.parse().ok()
}

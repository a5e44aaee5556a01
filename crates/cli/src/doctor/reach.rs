//! Is the service of an account reached, and if not, where does the way end? Name, connection, TLS and HTTP are told apart.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use url::{Host, Url};
use wxbot_core::http::HttpTransport;
use wxbot_core::ilink::endpoint as ilink;
use wxbot_core::transport::{HttpRequest, Transport as _, TransportError};
use wxbot_core::webwx::endpoint::Hosts;
use wxbot_core::wecom::endpoint as wecom;
use wxbot_runtime::config::{AccountConfig, Endpoint};

use super::Doctor;
use super::finding::Finding;
use crate::words::Lang;

/// For each of name, connection and answer.
const WITHIN: Duration = Duration::from_secs(5);
/// A clock that is wrong by more than this breaks signatures and certificates.
const SKEW_S: i64 = 60;

/// What came of asking one service.
pub(super) struct Reached {
    pub(super) findings: Vec<Finding>,
    /// By how many seconds our clock is ahead of the service's, where it said.
    pub(super) clock: Option<i64>,
}

/// Asks whether the service is there: one GET of its first page, which says nothing and changes nothing.
pub(super) async fn service(doctor: &Arc<Doctor>, account: &AccountConfig) -> Reached {
    let (lang, name) = (doctor.lang, account.name.as_str());
    let told = |finding: Finding| Reached { findings: vec![finding.of(name)], clock: None };
    let url = match &account.endpoint {
        Some(Endpoint::Sim) => {
            return told(Finding::ok("endpoint", lang.pick("the built-in simulator", "内置模拟器")));
        }
        Some(Endpoint::Url(url)) => url.clone(),
        None if account.protocol == "web" => Hosts::before_login().login,
        None if account.protocol == "wecom" => wecom::official(),
        None if account.protocol == "ilink" => ilink::Place::new(None, None).fixed().clone(),
        // The console has no service; a hook without an address was told as a mistake.
        None => return Reached { findings: Vec::new(), clock: None },
    };
    let _looking = doctor.looking(format!("{name}: {}", origin(&url)));
    let mut findings = Vec::new();
    let first = match &account.proxy {
        Some(proxy) => {
            // The proxy finds the service's name; ours is the way to the proxy.
            if let Err(finding) = connected("proxy", proxy, lang).await {
                return told(finding);
            }
            findings.push(
                Finding::ok("proxy", lang.pick("it can be connected to:", "可以连接:")).with(origin(proxy)).of(name),
            );
            Ok(())
        }
        None => connected("endpoint", &url, lang).await,
    };
    if let Err(finding) = first {
        return told(finding);
    }
    let (finding, clock) = answered(account, &url, lang).await;
    findings.push(finding.of(name));
    Reached { findings, clock }
}

/// Host and port. A proxy's user name and password stay out.
fn origin(url: &Url) -> String {
    format!("{}://{}:{}", url.scheme(), url.host_str().unwrap_or("?"), port(url))
}

fn port(url: &Url) -> u16 {
    let socks = url.scheme().starts_with("socks");
    url.port_or_known_default().unwrap_or(if socks { 1_080 } else { 80 })
}

/// Finds the name and opens a connection.
async fn connected(check: &str, url: &Url, lang: Lang) -> Result<(), Finding> {
    let shown = origin(url);
    let problem =
        |step: &str, why: String, cure: &str| Finding::problem(check, format!("{shown}: {step}: {why}")).cured(cure);
    let no_name = lang.pick(
        "correct the name, or look at the resolver (/etc/resolv.conf) and the network",
        "请检查名称、解析器(/etc/resolv.conf)和网络",
    );
    let addresses: Vec<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => match timeout(WITHIN, tokio::net::lookup_host((name, port(url)))).await {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            Ok(Err(error)) => return Err(problem("DNS", error.to_string(), no_name)),
            Err(_elapsed) => return Err(problem("DNS", lang.pick("no answer", "没有应答").to_owned(), no_name)),
        },
        None => Vec::new(),
    };
    let refused = lang.pick(
        "start what should listen there, or correct address, port or firewall",
        "请启动该地址上的服务,或检查地址、端口和防火墙",
    );
    let mut last = lang.pick("the name has no address", "该名称没有地址").to_owned();
    for address in addresses.into_iter().take(4) {
        last = match timeout(WITHIN, TcpStream::connect((address, port(url)))).await {
            Ok(Ok(_connection)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => lang.pick("no answer", "没有应答").to_owned(),
        };
    }
    Err(problem("TCP", last, refused))
}

/// Asks for the first page.
async fn answered(account: &AccountConfig, url: &Url, lang: Lang) -> (Finding, Option<i64>) {
    let shown = origin(url);
    let carrier = match HttpTransport::new(account.proxy.as_ref()) {
        Ok(carrier) => carrier,
        Err(error) => return (Finding::problem("proxy", error.to_string()), None),
    };
    let begun = Instant::now();
    let answer = carrier.send(HttpRequest::get(url.clone(), WITHIN)).await;
    let took = begun.elapsed();
    let tls = url.scheme() == "https";
    let problem = |step: &str, why: &dyn std::fmt::Display, cure: &str| {
        (Finding::problem("endpoint", format!("{shown}: {step}: {why}")).cured(cure), None)
    };
    match answer {
        Ok(answer) => {
            let ahead = answer.header("date").and_then(|date| ahead(date, SystemTime::now(), took));
            let says = format!("{shown}: HTTP {}, {} ms", answer.status, took.as_millis());
            let finding = if answer.status >= 500 {
                let cure = lang.pick(
                    "the service is there and in trouble: look at its own log, or wait",
                    "服务可达但自身有问题:请查看其日志,或稍后再试",
                );
                Finding::warning("endpoint", says).cured(cure)
            } else {
                Finding::ok("endpoint", says)
            };
            (finding, ahead)
        }
        // The connection was open a moment ago.
        Err(TransportError::NotSent { reason, .. }) if account.proxy.is_some() => problem(
            "proxy",
            &reason,
            lang.pick(
                "the proxy does not lead there: its user, password or rules",
                "代理无法到达:请检查其用户、密码或规则",
            ),
        ),
        Err(TransportError::NotSent { reason, .. }) if tls => problem(
            "TLS",
            &reason,
            lang.pick(
                "look at this machine's clock and certificates (ca-certificates); something between may read along",
                "请检查本机时钟和根证书(ca-certificates);中间可能有设备拦截",
            ),
        ),
        Err(error @ TransportError::Timeout { .. }) => problem(
            "HTTP",
            &error,
            lang.pick(
                "connected, and nothing is answered: restart the service, or look at what stands between",
                "已连接但没有应答:请重启该服务,或检查中间设备",
            ),
        ),
        Err(error) => problem(
            "HTTP",
            &error,
            lang.pick(
                "what listens there speaks no HTTP: correct address or port",
                "该端口上的程序不是 HTTP 服务:请检查地址或端口",
            ),
        ),
    }
}

/// By how many seconds we are ahead of a `Date` header that was on its way for up to `took`.
fn ahead(date: &str, now: SystemTime, took: Duration) -> Option<i64> {
    let theirs = httpdate::parse_http_date(date).ok()?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Some(match now.duration_since(theirs) {
        // It was written at some time while we waited.
        Ok(later) => seconds(later.saturating_sub(took)),
        Err(earlier) => -seconds(earlier.duration()),
    })
}

/// What the services say of our clock: the one that differs least counts, for theirs may be wrong too.
pub(super) fn clock(lang: Lang, skews: &[Option<i64>]) -> Finding {
    match skews.iter().flatten().min_by_key(|skew| skew.abs()) {
        None => Finding::ok(
            "clock",
            lang.pick("no service told the time, so it cannot be compared", "没有服务提供时间,无法比对"),
        ),
        Some(skew) if skew.abs() > SKEW_S => {
            let says = match (lang, *skew > 0) {
                (Lang::En, true) => format!("ours is {} s ahead of the services'", skew.abs()),
                (Lang::En, false) => format!("ours is {} s behind the services'", skew.abs()),
                (Lang::Zh, true) => format!("本机时钟比服务快 {} 秒", skew.abs()),
                (Lang::Zh, false) => format!("本机时钟比服务慢 {} 秒", skew.abs()),
            };
            let cure = lang
                .pick("let the system set it: `timedatectl set-ntp true`", "请启用自动校时:`timedatectl set-ntp true`");
            Finding::warning("clock", says).cured(cure)
        }
        Some(_) => Finding::ok("clock", lang.pick("as the services' clocks", "与服务的时钟一致")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn clocks_are_compared_with_whoever_is_nearest() {
        let at = |s: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let theirs = 784_111_777;
        for (now, took, want) in [(0, 0, 0_i64), (90, 0, 90), (5, 9, 0), (-90, 3, -90)] {
            let now = at(u64::try_from(theirs + now).unwrap());
            assert_eq!(ahead(date, now, Duration::from_secs(took)), Some(want));
        }
        assert_eq!(ahead("yesterday", at(0), Duration::ZERO), None);
        for (skews, level) in [
            (vec![], Level::Ok),
            (vec![None, Some(60)], Level::Ok),
            (vec![Some(61)], Level::Warning),
            (vec![Some(-4_000), None], Level::Warning),
            // One service's clock is wrong, ours is not.
            (vec![Some(-4_000), Some(1)], Level::Ok),
        ] {
            assert_eq!(clock(Lang::En, &skews).level, level, "{skews:?}");
        }
    }

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        let shown = origin(&"socks5h://user:hunter2@proxy.example".parse().unwrap());
        assert_eq!(shown, "socks5h://proxy.example:1080");
    }
}

//! What does the wxbot say that runs here, and does its server let in what it should, and nothing else?

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;
use wxbot_core::http::HttpTransport;
use wxbot_core::transport::{HttpRequest, Transport as _};
use wxbot_runtime::config::Config;
use wxbot_runtime::store::StoreError;
use wxbot_runtime::store::sqlite::DataDir;

use super::Doctor;
use super::finding::Finding;
use crate::control::{self, Request};
use crate::server;

/// A wxbot that is well answers its socket at once, and one under load within seconds.
const WITHIN: Duration = Duration::from_secs(6);

/// What the running wxbot told.
pub(super) struct Run {
    /// One object an account; `None`: it does not answer.
    accounts: Option<Vec<Value>>,
    /// Where its server is.
    server: Option<String>,
}

/// Asks the wxbot that runs with this directory; `None` when none does.
pub(super) async fn look(doctor: &Arc<Doctor>, data: &Path) -> Option<Run> {
    let _looking = doctor.looking("the running wxbot");
    let place = data.to_owned();
    let ask = move || {
        let accounts: Vec<Value> = control::ask(&place, &Request::Accounts).ok().flatten()?.collect();
        let about = control::ask(&place, &Request::About).ok().flatten().and_then(|mut lines| lines.next());
        let server = about.and_then(|about| about.get("server")?.as_str().map(str::to_owned));
        Some(Run { accounts: Some(accounts), server })
    };
    match tokio::time::timeout(WITHIN, tokio::task::spawn_blocking(ask)).await {
        Ok(answer) => answer.ok().flatten(),
        Err(_elapsed) => Some(Run { accounts: None, server: None }),
    }
}

/// The control socket, and the states of the accounts behind it.
pub(super) fn told(doctor: &Arc<Doctor>, run: Option<&Run>, data: &Path) -> Vec<Finding> {
    let lang = doctor.lang;
    let at = |finding: Finding| vec![finding.of(data.join("wxbot.sock").display())];
    let Some(run) = run else {
        let taken = data.is_dir().then(|| DataDir::open(data));
        return match taken {
            Some(Err(error @ StoreError::Locked { .. })) => {
                let cure = lang.pick(
                    "it starts, or hangs: look at its log; if it stays so, stop that process and start it again",
                    "它正在启动或已卡住:请查看日志;若持续如此,请停止该进程并重新启动",
                );
                at(Finding::problem("socket", error.to_string())
                    .with(lang.pick("and does not open its socket", "且没有打开套接字"))
                    .cured(cure))
            }
            _ => at(Finding::ok("socket", lang.pick("no wxbot runs here", "没有正在运行的 wxbot"))),
        };
    };
    let Some(accounts) = &run.accounts else {
        let cure = lang.pick("it hangs: keep its log, and start it again", "它已卡住:请保留日志并重新启动");
        return at(Finding::problem(
            "socket",
            lang.pick("the running wxbot does not answer", "正在运行的 wxbot 没有应答"),
        )
        .cured(cure));
    };
    let mut findings = at(Finding::ok("socket", lang.pick("the running wxbot answers", "正在运行的 wxbot 有应答")));
    for account in accounts {
        let text = |key: &str| account.get(key).and_then(Value::as_str).unwrap_or_default();
        let says = match text("why") {
            "" => lang.state(text("state")).to_owned(),
            why => format!("{}; {why}", lang.state(text("state"))),
        };
        let finding = match text("state") {
            "online" if text("why").is_empty() => Finding::ok("account", says),
            "online" | "starting" | "reconnecting" | "awaiting_scan" | "awaiting_confirm" | "awaiting_code" => {
                Finding::warning("account", says)
            }
            _ => Finding::problem("account", says),
        };
        findings.push(finding.of(text("name")).cured(lang.cure(account)));
    }
    findings
}

/// The server that services push to.
pub(super) async fn server(doctor: &Arc<Doctor>, run: Option<&Run>, config: &Config) -> Vec<Finding> {
    let pushed = || config.accounts.iter().filter(|account| account.enabled && server::is_pushed(account));
    if !config.server.wanted && pushed().next().is_none() {
        return Vec::new();
    }
    let _looking = doctor.looking("the server for pushes");
    let (lang, listen) = (doctor.lang, config.server.listen);
    let Some(run) = run else {
        let mut findings = Vec::new();
        for address in [Some(listen), config.server.default_path_listen].into_iter().flatten() {
            findings.push(
                match TcpListener::bind(address).await {
                    Ok(_free) => Finding::ok("server", lang.pick("its place is free", "端口可用")),
                    Err(error) => {
                        let cure = lang.pick(
                            "another program has it: stop that one, or change `listen` in `[server]`",
                            "端口被其他程序占用:请停止它,或修改 `[server]` 的 `listen`",
                        );
                        Finding::problem("server", lang.pick("wxbot could not listen there:", "无法监听:"))
                            .with(error)
                            .cured(cure)
                    }
                }
                .of(address),
            );
        }
        return findings;
    };
    if run.accounts.is_none() {
        return Vec::new();
    }
    let base = run.server.clone().unwrap_or_else(|| server::base(listen));
    let (Ok(carrier), Ok(base)) = (HttpTransport::new(None), Url::parse(&base)) else { return Vec::new() };
    let name = pushed().next().map_or("nobody", |account| account.name.as_str());
    let mut findings = Vec::new();
    // Nobody's secret: 32 digits that no account has, for they would be as good as drawn by chance.
    let wrong = format!("push/{name}/{:032}", 0);
    for (path, post, good) in [("healthz".to_owned(), false, [200, 503].as_slice()), (wrong, true, [404].as_slice())] {
        let Ok(url) = base.join(&path) else { continue };
        let request = if post { HttpRequest::post_json(url, "{}", WITHIN) } else { HttpRequest::get(url, WITHIN) };
        let cure = lang.pick(
            "look at the log of the running wxbot; was `[server]` changed since it started?",
            "请查看运行中的 wxbot 的日志;启动后是否改过 `[server]`?",
        );
        findings.push(
            match carrier.send(request).await {
                Ok(answer) if good.contains(&answer.status) && post => {
                    Finding::ok("server", lang.pick("a wrong address is turned away (404)", "错误的地址被拒绝(404)"))
                }
                Ok(answer) if good.contains(&answer.status) => Finding::ok("server", lang.pick("it answers", "有应答")),
                Ok(answer) => {
                    Finding::problem("server", lang.pick("it answers otherwise than it should: HTTP", "应答异常:HTTP"))
                        .with(answer.status)
                        .cured(cure)
                }
                Err(error) => Finding::problem("server", error.to_string()).cured(cure),
            }
            .of(base.origin().ascii_serialization()),
        );
    }
    findings
}

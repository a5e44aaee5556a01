//! `wxbot doctor`: what is wrong here, and what cures it? Looks at everything that wxbot needs, whether it runs or not, and
//! changes nothing. It sends no message to anybody.
//!
//! [`finding`] is one thing that was looked at → [`house`] what lies on this machine, [`reach`] what is reached over the
//! network, [`running`] what the running wxbot says, and its server.

mod finding;
mod house;
mod reach;
mod running;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use wxbot_runtime::config::{self, Config, ConfigError, Registry};

use self::finding::{Finding, Level};
use crate::args::Args;
use crate::report::{Failure, print, say};
use crate::words::Lang;

/// What takes longer is named on standard error.
const PATIENCE: Duration = Duration::from_secs(2);
/// Accounts whose services are asked at a time.
const AT_ONCE: usize = 32;

pub(crate) fn run(registry: &Registry, args: &Args, as_json: bool) -> Result<(), Failure> {
    let lang = Lang::of_environment();
    let runtime = crate::run::tokio_runtime()?;
    let findings = runtime.block_on(examine(registry, args, lang));
    // A wxbot that does not answer on its socket must not keep us here.
    runtime.shutdown_background();
    let bad = findings.iter().any(|finding| finding.level == Level::Problem);
    if as_json {
        print(&json!({ "good": !bad, "findings": findings }).to_string());
    } else {
        findings.iter().for_each(|finding| print(&finding.text(lang)));
        print(&finding::summary(&findings, lang));
    }
    if bad { Err(Failure::Silent) } else { Ok(()) }
}

async fn examine(registry: &Registry, args: &Args, lang: Lang) -> Vec<Finding> {
    let doctor = Arc::new(Doctor { lang, under_way: Mutex::default() });
    let looked = look_at_all(&doctor, registry, args);
    tokio::select! {
        findings = looked => findings,
        () = progress(Arc::clone(&doctor)) => Vec::new(),
    }
}

async fn look_at_all(doctor: &Arc<Doctor>, registry: &Registry, args: &Args) -> Vec<Finding> {
    let mut findings = Vec::new();
    let config = doctor.configuration(registry, args, &mut findings).await;
    let data = data_dir(config.as_ref(), args);
    let run = running::look(doctor, &data).await;
    findings.extend(house::directory(doctor, &data));
    let place = data.clone();
    findings.extend(doctor.blocking("store", move |lang| house::store(lang, &place)).await);
    findings.extend(house::key(doctor, &data));
    findings.extend(house::disk(doctor, &data));
    if let Some(config) = &config {
        let (place, most) = (data.clone(), config.media.max_size);
        findings.extend(doctor.blocking("media", move |lang| house::media(lang, &place, most)).await);
        findings.extend(house::secrets(doctor, config, run.is_some()));
        findings.extend(house::alerts(doctor, config, &data, run.is_some()));
    }
    findings.extend(running::told(doctor, run.as_ref(), &data));
    if let Some(config) = &config {
        findings.extend(running::server(doctor, run.as_ref(), config).await);
        findings.extend(services(doctor, config).await);
    }
    findings
}

/// Every account's service, and what they say of the time.
async fn services(doctor: &Arc<Doctor>, config: &Config) -> Vec<Finding> {
    let (mut asking, mut asked) = (JoinSet::new(), Vec::new());
    let mut accounts = config.accounts.iter().filter(|account| account.enabled).cloned().enumerate();
    loop {
        while asking.len() < AT_ONCE
            && let Some((place, account)) = accounts.next()
        {
            let doctor = Arc::clone(doctor);
            asking.spawn(async move { (place, reach::service(&doctor, &account).await) });
        }
        match asking.join_next().await {
            Some(Ok(answer)) => asked.push(answer),
            Some(Err(_panicked)) => {}
            None => break,
        }
    }
    asked.sort_by_key(|(place, _)| *place);
    let (findings, skews): (Vec<_>, Vec<_>) =
        asked.into_iter().map(|(_, reached)| (reached.findings, reached.clock)).unzip();
    let mut findings: Vec<Finding> = findings.into_iter().flatten().collect();
    findings.push(reach::clock(doctor.lang, &skews));
    findings
}

fn data_dir(config: Option<&Config>, args: &Args) -> PathBuf {
    let of_file = || config.map_or_else(|| config::data_dir(&args.config), |config| config.data_dir.clone());
    args.data_dir.clone().unwrap_or_else(of_file)
}

/// What the checks share.
struct Doctor {
    lang: Lang,
    /// What is being looked at.
    under_way: Mutex<Vec<String>>,
}

impl Doctor {
    /// Says that something is being looked at, until the value goes.
    fn looking(self: &Arc<Self>, what: impl Into<String>) -> Looking {
        let what = what.into();
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).push(what.clone());
        Looking { doctor: Arc::clone(self), what }
    }

    /// Looks at something that blocks.
    async fn blocking(
        self: &Arc<Self>,
        what: &str,
        look: impl FnOnce(Lang) -> Vec<Finding> + Send + 'static,
    ) -> Vec<Finding> {
        let (_looking, lang) = (self.looking(what), self.lang);
        let done = tokio::task::spawn_blocking(move || look(lang)).await;
        done.unwrap_or_else(|_panicked| {
            vec![Finding::problem(what, self.lang.pick("the check failed; please report it", "检查失败,请报告此问题"))]
        })
    }

    async fn configuration(
        self: &Arc<Self>,
        registry: &Registry,
        args: &Args,
        findings: &mut Vec<Finding>,
    ) -> Option<Config> {
        let _looking = self.looking("bot.toml");
        // Libraries of plugins are opened by it, and may take their time.
        let (registry, file) = (registry.clone(), args.config.clone());
        let read = tokio::task::spawn_blocking(move || config::read(&file, &registry)).await.ok()?;
        let (lang, file) = (self.lang, args.config.display().to_string());
        match read {
            Ok(loaded) => {
                let count = loaded.config.accounts.iter().filter(|account| account.enabled).count();
                findings.push(
                    Finding::ok("config", lang.pick("it is good; accounts:", "配置正确;账号:")).with(count).of(&file),
                );
                let text = std::fs::read_to_string(&args.config).unwrap_or_default();
                for warning in &loaded.warnings {
                    let (line, column) = config::line_col(&text, warning.span.start);
                    let place = format!("{file}:{line}:{column}");
                    findings.push(
                        Finding::warning("config", &warning.message)
                            .of(&place)
                            .cured(warning.help.as_deref().unwrap_or_default()),
                    );
                }
                let folder = args.config.parent().unwrap_or(Path::new(""));
                findings.extend(house::file(lang, &args.config));
                for library in &loaded.config.libraries {
                    let name = library.strip_prefix(folder).unwrap_or(library).display().to_string();
                    findings.push(Finding::ok("plugin", lang.pick("it can be loaded", "可以加载")).of(&name));
                }
                Some(loaded.config)
            }
            Err(ConfigError::Mistakes(mistakes)) => {
                for mistake in &mistakes.list {
                    let (line, column) = config::line_col(&mistakes.text, mistake.span.start);
                    let place = format!("{file}:{line}:{column}");
                    let check = if mistake.code.ends_with("::library") { "plugin" } else { "config" };
                    findings.push(
                        Finding::problem(check, &mistake.message)
                            .of(&place)
                            .cured(mistake.help.as_deref().unwrap_or_default()),
                    );
                }
                None
            }
            Err(error) => {
                let cure = lang.pick(
                    "`wxbot init` writes one; `--config` says where it is",
                    "`wxbot init` 可生成配置;用 `--config` 指定位置",
                );
                findings.push(Finding::problem("config", crate::report::chain(&error)).of(&file).cured(cure));
                None
            }
        }
    }
}

/// Something is being looked at while this lives.
struct Looking {
    doctor: Arc<Doctor>,
    what: String,
}

impl Drop for Looking {
    fn drop(&mut self) {
        let mut under_way = self.doctor.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = under_way.iter().position(|what| *what == self.what) {
            under_way.remove(at);
        }
    }
}

/// Says each two seconds what is still looked at.
async fn progress(doctor: Arc<Doctor>) {
    let mut before: Vec<String> = Vec::new();
    loop {
        tokio::time::sleep(PATIENCE).await;
        let now = doctor.under_way.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let slow: Vec<&str> = now.iter().filter(|what| before.contains(what)).map(String::as_str).take(5).collect();
        if !slow.is_empty() {
            say(&format!("{} {}", doctor.lang.pick("still looking at:", "仍在检查:"), slow.join(", ")));
        }
        before = now;
    }
}

//! What does a reload say and do? `bot.toml` is read again inside a running wxbot; `wxbot reload` asks for it and waits.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wxbot_plugin::host::PluginFactory;
use wxbot_runtime::config::{self, Config, ConfigError, Registry};
use wxbot_runtime::plan::{Change, Plan, needs_restart};

use crate::args::Args;
use crate::check;
use crate::control::{self, Request};
use crate::place::{Place, warn_of};
use crate::report::{Failure, chain, drawn, print, say};
use crate::run::Built;
use crate::watch::{Ask, print_of};
use crate::words::Lang;

/// How a reload ended; also what the socket answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// What the file says is in force.
    Reloaded {
        added: Vec<String>,
        removed: Vec<String>,
        changed: Vec<Changed>,
        /// Plugins that go on with another build of their library.
        #[serde(default)]
        swapped: Vec<Swapped>,
        /// Tables of the whole process that are in force with new values.
        #[serde(default)]
        tables: Vec<String>,
        /// Keys whose new values wait for a restart.
        needs_restart: Vec<String>,
    },
    /// Nothing was changed.
    Refused {
        /// For people, carets and all.
        why: String,
        /// As `wxbot check --json` has them; empty when the file is good and something else is not.
        mistakes: Vec<Value>,
    },
}

/// An account that goes on with other settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changed {
    account: String,
    keys: Vec<String>,
    /// Whether its session begins anew.
    session: bool,
}

/// A plugin whose library is another one than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swapped {
    plugin: String,
    /// The versions, which may be the same of two builds.
    from: String,
    to: String,
}

/// How the mistakes of a file that is read again end.
const IN_FORCE: &str = "nothing was changed, the settings from before stay in force";

/// Reads the file again when asked.
pub(crate) struct Reloader<'a> {
    registry: &'a Registry,
    args: &'a Args,
    place: &'a Place,
    lang: Lang,
    /// In force. What needs a restart keeps its old value here, so that it is told each time.
    config: Config,
    /// Stands for the contents that were read last.
    seen: Option<u64>,
}

impl<'a> Reloader<'a> {
    /// `seen` is the print of the file from which `config` was read.
    pub(crate) fn new(
        registry: &'a Registry,
        args: &'a Args,
        place: &'a Place,
        lang: Lang,
        config: Config,
        seen: Option<u64>,
    ) -> Self {
        Self { registry, args, place, lang, config, seen }
    }

    /// Does what was asked, and says on standard error what came of it.
    ///
    /// Cancel safe: dropped before it is ready, nothing was changed.
    pub(crate) async fn answer(&mut self, built: &mut Built, ask: Ask) {
        let print = print_of(&self.args.config, &self.config.libraries);
        if matches!(ask, Ask::File) && print == self.seen {
            return;
        }
        let (outcome, seen) = self.reload(built).await;
        // What was saved while this was put into force is still to be read.
        self.seen = if matches!(outcome, Outcome::Reloaded { .. }) { seen } else { print };
        if let Outcome::Reloaded { .. } = &outcome {
            say(&told(&outcome, self.lang, self.args));
        }
        if let Ask::Command(reply) = ask {
            reply.send(outcome).ok();
        }
    }

    /// Files besides `bot.toml` whose change is a change of the configuration.
    pub(crate) fn libraries(&self) -> &[PathBuf] {
        &self.config.libraries
    }

    async fn reload(&mut self, built: &mut Built) -> (Outcome, Option<u64>) {
        let before = print_of(&self.args.config, &[]);
        let mut loaded = match config::read(&self.args.config, self.registry) {
            Ok(loaded) => loaded,
            Err(error) => {
                let (shown, plain) = (wrong(&error, true), wrong(&error, false));
                say(&shown);
                return (Outcome::Refused { why: plain, mistakes: listed(&error) }, None);
            }
        };
        // `None` where it has changed meanwhile: then it is read again.
        let same = print_of(&self.args.config, &[]) == before;
        let seen = same.then(|| print_of(&self.args.config, &loaded.config.libraries)).flatten();
        warn_of(&loaded, self.args);
        let mut restart = needs_restart(&self.config, &loaded.config);
        if self.args.data_dir.is_some() {
            // The flag goes before the file, so the file's value is in force nowhere.
            restart.retain(|key| *key != "data_dir");
        }
        loaded.config.data_dir.clone_from(&self.config.data_dir);
        match built.reload(&loaded.config.accounts, self.place).await {
            Ok(plan) => {
                let media = loaded.config.media != self.config.media;
                let alerts = built.tell_by(loaded.config.alerts.clone());
                built.runtime.media().set_limits(loaded.config.media);
                let store = loaded.config.store != self.config.store;
                built.runtime.keep_so_much_free(loaded.config.store.reserve);
                let swapped = swapped(&self.config, &loaded.config);
                let tables: Vec<&str> = [("media", media), ("store", store), ("alerts", alerts)]
                    .into_iter()
                    .filter_map(|(table, other)| other.then_some(table))
                    .collect();
                self.config = loaded.config;
                (outcome(&plan, swapped, &tables, &restart), seen)
            }
            Err(error) => {
                let why = format!("error: {error}; {IN_FORCE}");
                say(&why);
                (Outcome::Refused { why, mistakes: Vec::new() }, None)
            }
        }
    }
}

fn wrong(error: &ConfigError, here: bool) -> String {
    if let ConfigError::Mistakes(mistakes) = error {
        drawn(mistakes, IN_FORCE, here)
    } else {
        format!("error: {}; {IN_FORCE}", chain(error))
    }
}

fn listed(error: &ConfigError) -> Vec<Value> {
    if let ConfigError::Mistakes(mistakes) = error { check::listed(&mistakes.text, &mistakes.list) } else { Vec::new() }
}

/// Each plugin once that had another build in the accounts of the old file.
fn swapped(old: &Config, new: &Config) -> Vec<Swapped> {
    let uses = |config: &Config| -> Vec<PluginFactory> {
        let enabled = config.accounts.iter().filter(|account| account.enabled);
        enabled.flat_map(|account| &account.plugins).map(|one| one.plugin.clone()).collect()
    };
    let (old, mut all) = (uses(old), Vec::<Swapped>::new());
    for plugin in uses(new) {
        let before = old.iter().find(|before| before.id() == plugin.id());
        let told = all.iter().any(|swapped| swapped.plugin == plugin.id());
        if let Some(before) = before.filter(|before| before.build() != plugin.build() && !told) {
            let version = |plugin: &PluginFactory| plugin.manifest().version.clone();
            all.push(Swapped { plugin: plugin.id().to_owned(), from: version(before), to: version(&plugin) });
        }
    }
    all
}

fn outcome(plan: &Plan, swapped: Vec<Swapped>, tables: &[&str], restart: &[&str]) -> Outcome {
    let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, change) in &plan.accounts {
        let name = name.to_string();
        let of = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        match change {
            Change::Added => added.push(name),
            Change::Removed => removed.push(name),
            Change::Session(keys) => changed.push(Changed { account: name, keys: of(keys), session: true }),
            Change::Work(keys) => changed.push(Changed { account: name, keys: of(keys), session: false }),
            Change::Unchanged => {}
        }
    }
    let [tables, needs_restart] = [tables, restart].map(|keys| keys.iter().map(|&key| key.to_owned()).collect());
    Outcome::Reloaded { added, removed, changed, swapped, tables, needs_restart }
}

/// One line; of a refusal, all that is wrong.
fn told(outcome: &Outcome, lang: Lang, args: &Args) -> String {
    let (added, removed, changed, swapped, tables, needs_restart) = match outcome {
        Outcome::Refused { why, .. } => return why.clone(),
        Outcome::Reloaded { added, removed, changed, swapped, tables, needs_restart } => {
            (added, removed, changed, swapped, tables, needs_restart)
        }
    };
    let mut parts = Vec::new();
    let swapped: Vec<_> = swapped
        .iter()
        .map(
            |Swapped { plugin, from, to }| {
                if from == to { format!("{plugin} {to}") } else { format!("{plugin} {from} → {to}") }
            },
        )
        .collect();
    for (names, en, zh) in [
        (added, "added", "新增"),
        (removed, "removed", "移除"),
        (&swapped, "swapped", "换入"),
        (tables, "in force:", "已生效:"),
        (needs_restart, "needs a restart:", "重启后生效:"),
    ] {
        if !names.is_empty() {
            parts.push(format!("{} {}", lang.pick(en, zh), names.join(", ")));
        }
    }
    for (session, en, zh) in [(false, "changed", "更改"), (true, "session begins anew:", "重新连接:")] {
        let those = changed.iter().filter(|one| one.session == session);
        let those: Vec<_> = those.map(|one| format!("{} ({})", one.account, one.keys.join(", "))).collect();
        if !those.is_empty() {
            let at = parts.len() - usize::from(!needs_restart.is_empty());
            parts.insert(at, format!("{} {}", lang.pick(en, zh), those.join(", ")));
        }
    }
    let what =
        if parts.is_empty() { lang.pick("nothing changed", "没有变化").to_owned() } else { parts.join("; ") };
    format!("↻ {}: {what}", args.config.display())
}

/// `wxbot reload`: asks the running wxbot and waits.
pub(crate) fn run(registry: &Registry, args: &Args, as_json: bool) -> Result<(), Failure> {
    // The file may be bad just now; where its wxbot lives is known all the same.
    let dir = match (&args.data_dir, config::read(&args.config, registry)) {
        (Some(dir), _) => dir.clone(),
        (None, Ok(loaded)) => loaded.config.data_dir,
        (None, Err(_)) => config::data_dir(&args.config),
    };
    let Some(mut lines) = control::ask_patiently(&dir, &Request::Reload)? else {
        return Err(Failure::new(not_there(&dir)));
    };
    let answer = lines.next().unwrap_or_default();
    let Ok(outcome) = Outcome::deserialize(&answer) else {
        let why = answer.get("error").and_then(Value::as_str).unwrap_or("wxbot ended before it answered");
        return Err(Failure::new(why));
    };
    if as_json {
        print(&answer.to_string());
    } else {
        say(&told(&outcome, Lang::of_environment(), args));
    }
    match outcome {
        Outcome::Reloaded { .. } => Ok(()),
        Outcome::Refused { .. } => Err(Failure::Silent),
    }
}

fn not_there(dir: &Path) -> String {
    format!(
        "no wxbot runs with the data directory {}; if `data_dir` was just changed, give the old one by --data-dir",
        dir.display()
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_reload_is_told_in_one_line() {
        let args = Args::parse_from(["wxbot", "reload"]);
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let changed =
            |account: &str, keys: &[&str], session| Changed { account: account.into(), keys: names(keys), session };
        type Names<'a> = &'a [&'a str];
        let reloaded =
            |added: Names<'_>, removed: Names<'_>, changed: &[Changed], tables: Names<'_>, restart: Names<'_>| {
                Outcome::Reloaded {
                    added: names(added),
                    removed: names(removed),
                    changed: changed.to_vec(),
                    swapped: Vec::new(),
                    tables: names(tables),
                    needs_restart: names(restart),
                }
            };
        let mut swap = reloaded(&[], &[], &[changed("a", &["plugins"], false)], &[], &[]);
        if let Outcome::Reloaded { swapped, .. } = &mut swap {
            let one = |plugin: &str, from: &str, to: &str| Swapped {
                plugin: plugin.into(),
                from: from.into(),
                to: to.into(),
            };
            *swapped = vec![one("x", "0.1.0", "0.1.0"), one("y", "0.1.0", "0.2.0")];
        }
        for (outcome, en, zh) in [
            (
                swap,
                "swapped x 0.1.0, y 0.1.0 → 0.2.0; changed a (plugins)",
                "换入 x 0.1.0, y 0.1.0 → 0.2.0; 更改 a (plugins)",
            ),
            (reloaded(&[], &[], &[], &[], &[]), "nothing changed", "没有变化"),
            (
                reloaded(&["a", "b"], &["c"], &[], &["media"], &[]),
                "added a, b; removed c; in force: media",
                "新增 a, b; 移除 c; 已生效: media",
            ),
            (
                reloaded(
                    &[],
                    &[],
                    &[changed("a", &["endpoint", "pacing"], true), changed("b", &["plugins"], false)],
                    &[],
                    &["data_dir"],
                ),
                "changed b (plugins); session begins anew: a (endpoint, pacing); needs a restart: data_dir",
                "更改 b (plugins); 重新连接: a (endpoint, pacing); 重启后生效: data_dir",
            ),
        ] {
            assert_eq!(told(&outcome, Lang::En, &args), format!("↻ bot.toml: {en}"));
            assert_eq!(told(&outcome, Lang::Zh, &args), format!("↻ bot.toml: {zh}"));
            let wire = serde_json::to_value(&outcome).unwrap();
            assert_eq!(Outcome::deserialize(&wire).unwrap(), outcome);
        }
    }
}

//! `wxbot accounts forget`: all that is stored of an account that `bot.toml` no longer has is deleted, its keys first
//! (security R21).

use wxbot_model::AccountName;
use wxbot_runtime::config::Registry;
use wxbot_runtime::store::Forgotten;

use crate::args::Args;
use crate::mend::{Counter, MendAsk};
use crate::report::{Failure, OrExit, print, say};

pub(crate) fn run(registry: &Registry, args: &Args, name: &str, as_json: bool) -> Result<(), Failure> {
    let counter = Counter::open(registry, args)?;
    let lang = counter.lang;
    let account: AccountName = name.parse().map_err(|error| Failure::new(format!("{name}: {error}")))?;
    if counter.config.accounts.iter().any(|known| known.name == account) {
        let file = args.config.display();
        return Err(Failure::new(format!("{file} still has account `{name}`; remove it there first")));
    }
    let line = counter.line(MendAsk::Forget { account })?;
    let forgotten: Forgotten = serde_json::from_value(line.clone()).or_exit("cannot read the answer")?;
    if forgotten == Forgotten::default() {
        return Err(Failure::new(format!(
            "{} `{name}`",
            lang.pick("nothing is stored of an account", "没有存储此账号的数据:")
        )));
    }
    if as_json {
        print(&line.to_string());
    } else {
        let Forgotten { keys, rows } = forgotten;
        print(&format!("{} {name}: {keys} + {rows}", lang.pick("forgotten (keys + rows)", "已删除 (密钥 + 记录)")));
    }
    say(lang.pick(
        "media files belong to no single account: `wxbot media clear` removes them; backups keep what they have",
        "媒体文件不属于单个账号:用 `wxbot media clear` 清理;备份文件不受影响",
    ));
    Ok(())
}

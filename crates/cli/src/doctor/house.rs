//! Is what lies on this machine in order? The data directory, the store, the key, the disk, media, secrets, alerts.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wxbot_model::size::show_size;
use wxbot_model::span::show_duration;
use wxbot_runtime::alerts::watch::free;
use wxbot_runtime::config::{Config, SecretSource};
use wxbot_runtime::store::seal::{KEY_FILE, KeySource, Vault};
use wxbot_runtime::store::sqlite::{QUEUE_FILE, examine};

use super::Doctor;
use super::finding::Finding;
use crate::alerts::{command_place, kept, webhook_address};
use crate::control::now_ms;
use crate::report::chain;
use crate::words::Lang;

/// Files whose rights are told one by one.
const TOLD: usize = 3;
/// Entries of the media folder that are counted.
const COUNTED: usize = 200_000;

fn mode(found: &Metadata) -> u32 {
    found.permissions().mode() & 0o777
}

/// May others change what wxbot runs by?
pub(super) fn file(lang: Lang, path: &Path) -> Option<Finding> {
    let found = fs::metadata(path).ok()?;
    (mode(&found) & 0o022 != 0).then(|| {
        Finding::warning(
            "config",
            lang.pick("others may write it, and so choose what wxbot does", "其他用户可以修改它,从而控制 wxbot"),
        )
        .of(path.display())
        .cured(format!("chmod go-w {}", path.display()))
    })
}

/// The data directory and the rights of what lies in it.
pub(super) fn directory(doctor: &Arc<Doctor>, data: &Path) -> Vec<Finding> {
    let lang = doctor.lang;
    let at = |finding: Finding| finding.of(data.display());
    let found = match fs::metadata(data) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![at(Finding::ok("directory", lang.pick("wxbot has not run here yet", "wxbot 尚未在此运行过")))];
        }
        Err(error) => return vec![at(Finding::problem("directory", error.to_string()))],
    };
    if !found.is_dir() {
        let cure = lang.pick("give `data_dir` a folder", "请把 `data_dir` 设为一个目录");
        return vec![at(Finding::problem("directory", lang.pick("it is no directory", "它不是目录")).cured(cure))];
    }
    let mut findings = Vec::new();
    if mode(&found) & 0o077 != 0 {
        let says =
            lang.pick("others may look into it, so wxbot does not start; mode", "其他用户可以访问,wxbot 不会启动;权限");
        findings.push(at(Finding::problem("directory", says)
            .with(format!("{:o}", mode(&found)))
            .cured(format!("chmod 700 {}", data.display()))));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        let cure =
            lang.pick("run wxbot as its owner, or `chown -R` it", "请以其属主运行 wxbot,或用 `chown -R` 更改属主");
        findings.push(at(
            Finding::problem("directory", lang.pick("it belongs to another user", "它属于其他用户")).cured(cure)
        ));
    }
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) => {
            findings.push(at(Finding::problem("directory", error.to_string())));
            return findings;
        }
    };
    let wide = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        // Not followed: a link's own rights mean nothing, and its target is somebody else's matter.
        let found = entry.metadata().ok().filter(|found| !found.is_symlink())?;
        (mode(&found) & 0o077 != 0).then(|| (entry.path(), found.is_dir()))
    };
    let all: Vec<(PathBuf, bool)> = entries.filter_map(wide).collect();
    for (path, is_dir) in all.iter().take(TOLD) {
        let right = if *is_dir { "700" } else { "600" };
        let says = lang.pick("others may read it", "其他用户可以读取它");
        findings.push(
            Finding::problem("directory", says).of(path.display()).cured(format!("chmod {right} {}", path.display())),
        );
    }
    if all.len() > TOLD {
        let cure = format!("chmod -R go= {}", data.display());
        findings.push(at(Finding::problem(
            "directory",
            lang.pick("more files that others may read:", "更多可被其他用户读取的文件:"),
        )
        .with(all.len() - TOLD)
        .cured(cure)));
    }
    if findings.is_empty() {
        findings.push(at(Finding::ok("directory", lang.pick("only its owner may look into it", "只有属主可以访问"))));
    }
    findings
}

/// The database: whole, and of a version that this wxbot reads.
pub(super) fn store(lang: Lang, data: &Path) -> Vec<Finding> {
    let path = data.join(QUEUE_FILE);
    let at = |finding: Finding| finding.of(path.display());
    let restore = lang.pick(
        "stop wxbot, keep a copy of the file, and go back to a backup (docs/guide/operations.md, Backup)",
        "停止 wxbot,保留该文件的副本,并恢复备份(docs/guide/zh-CN/operations.md)",
    );
    let finding = match examine(data) {
        Ok(None) => Finding::ok("store", lang.pick("there is none yet", "尚不存在")),
        Ok(Some(found)) if found.version > found.known => {
            let says = lang.pick("a newer wxbot wrote it; its version is", "由更新版本的 wxbot 写入;版本");
            let cure = lang.pick(
                "run the newer wxbot, or restore the copy `queue.vN.bak`",
                "请运行较新的 wxbot,或恢复 `queue.vN.bak`",
            );
            Finding::problem("store", says).with(format!("{} > {}", found.version, found.known)).cured(cure)
        }
        Ok(Some(found)) if found.damage.is_empty() => {
            Finding::ok("store", lang.pick("it is whole;", "完整;")).with(show_size(found.bytes))
        }
        Ok(Some(found)) => Finding::problem("store", lang.pick("it is damaged:", "已损坏:"))
            .with(found.damage.join("; "))
            .cured(restore),
        Err(error) => Finding::problem("store", chain(&error)).cured(restore),
    };
    vec![at(finding)]
}

/// The key that sessions are sealed with.
pub(super) fn key(doctor: &Arc<Doctor>, data: &Path) -> Option<Finding> {
    let (lang, path) = (doctor.lang, data.join(KEY_FILE));
    if !data.is_dir() {
        return None;
    }
    let source = match crate::key::source() {
        Ok(source) => source,
        Err(why) => return Some(Finding::problem("key", why)),
    };
    if source != KeySource::Beside {
        let finding = match Vault::open_with(data, &source) {
            Ok(_) => Finding::ok("key", lang.pick("it can be read, and lies elsewhere", "可读,放在别处")),
            Err(error) => Finding::problem("key", chain(&error)),
        };
        return Some(finding.of(source.shown(data)));
    }
    let finding = if path.exists() {
        match Vault::open(data) {
            Ok(_) => Finding::ok(
                "key",
                lang.pick("it can be read; it protects backups of the database alone", "可读;它只保护数据库备份"),
            ),
            Err(error) => {
                let cure = lang.pick(
                    "put the file back as it was (mode 600); without it every account logs in anew",
                    "请恢复原文件(权限 600);没有它,所有账号都需重新登录",
                );
                Finding::problem("key", chain(&error)).cured(cure)
            }
        }
    } else if data.join(QUEUE_FILE).exists() {
        let cure = lang.pick(
            "put it back from your backup; without it every account logs in anew",
            "请从备份恢复;没有它,所有账号都需重新登录",
        );
        Finding::problem("key", lang.pick("there is a database and no key for its sessions", "有数据库,但没有会话密钥"))
            .cured(cure)
    } else {
        Finding::ok("key", lang.pick("it is made at the first start", "首次启动时生成"))
    };
    Some(finding.of(path.display()))
}

/// Room on the disk.
pub(super) fn disk(doctor: &Arc<Doctor>, data: &Path, reserve: u64) -> Option<Finding> {
    let lang = doctor.lang;
    let place = data.ancestors().find(|place| place.is_dir()).unwrap_or(Path::new("."));
    let free = free(place)?;
    let finding = disk_of(lang, free, reserve);
    Some(finding.of(place.display()))
}

fn disk_of(lang: Lang, free: u64, reserve: u64) -> Finding {
    let cure = lang.pick(
        "make room, or move `data_dir`; `wxbot media clear` removes old media",
        "请清理磁盘或移动 `data_dir`;`wxbot media clear` 可清除旧媒体",
    );
    if free < reserve {
        let says = lang.pick("less is free than wxbot needs to keep what comes:", "剩余空间不足以保存收到的消息:");
        let figures = format!("{} < {}", show_size(free), show_size(reserve));
        Finding::problem("disk", says).with(figures).cured(cure)
    } else if free < reserve.saturating_mul(4) {
        Finding::warning("disk", lang.pick("little is free:", "剩余空间较少:")).with(show_size(free)).cured(cure)
    } else {
        Finding::ok("disk", lang.pick("free:", "剩余:")).with(show_size(free))
    }
}

/// The folder of pictures, films and files.
pub(super) fn media(lang: Lang, data: &Path, most: u64) -> Vec<Finding> {
    let folder = data.join("media");
    let at = |finding: Finding| vec![finding.of(folder.display())];
    if !folder.exists() {
        return if data.is_dir() {
            at(Finding::ok("media", lang.pick("it is made at the first start", "首次启动时创建")))
        } else {
            Vec::new()
        };
    }
    // Written and taken away again: rights, read-only mounts and full quotas all show here.
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|_| fs::remove_file(&probe));
    if let Err(error) = written {
        let cure = lang.pick(
            "give whoever runs wxbot the right to write there (chmod 700, chown)",
            "请赋予运行 wxbot 的用户写权限(chmod 700、chown)",
        );
        return at(Finding::problem("media", lang.pick("nothing can be written there:", "无法写入:"))
            .with(error)
            .cured(cure));
    }
    let (mut bytes, mut entries, mut folders) = (0_u64, 0_usize, vec![folder.clone()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            entries += 1;
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(_gone) => {}
            }
        }
        if entries > COUNTED {
            break;
        }
    }
    let figures = format!("{} / {}", show_size(bytes), show_size(most));
    if bytes > most {
        let cure = lang.pick(
            "raise `max_size` in `[media]`, or `wxbot media clear`",
            "请调大 `[media]` 的 `max_size`,或运行 `wxbot media clear`",
        );
        return at(Finding::warning("media", lang.pick("it is full:", "已满:")).with(figures).cured(cure));
    }
    at(Finding::ok("media", lang.pick("it can be written;", "可写;")).with(figures))
}

/// Secrets that `bot.toml` names: are they there, and does nobody else read them?
pub(super) fn secrets(doctor: &Arc<Doctor>, config: &Config, runs: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for account in config.accounts.iter().filter(|account| account.enabled) {
        let named = account.secrets.iter().map(|(name, source)| (name.clone(), source.clone()));
        let folder = config.file.parent().unwrap_or(Path::new(""));
        let options = account
            .options
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), crate::server::source(value, folder)?)));
        for (name, source) in named.chain(options) {
            let of = format!("{}: {name}", account.name);
            findings.extend(secret(doctor.lang, &source, runs).map(|finding| finding.of(of)));
        }
    }
    findings
}

fn secret(lang: Lang, source: &SecretSource, runs: bool) -> Option<Finding> {
    match source {
        SecretSource::Env(variable) if std::env::var_os(variable).is_none_or(|value| value.is_empty()) => {
            let says = lang.pick("not set in this environment:", "此环境中未设置:");
            let cure = lang.pick(
                "set it for whoever starts wxbot (`Environment=` or `EnvironmentFile=` of the service)",
                "请在启动 wxbot 的环境中设置(服务的 `Environment=` 或 `EnvironmentFile=`)",
            );
            // Where wxbot runs already, it had it: only this terminal does not.
            let finding = if runs { Finding::warning("secret", says) } else { Finding::problem("secret", says) };
            Some(finding.with(variable).cured(cure))
        }
        SecretSource::Env(_) => None,
        SecretSource::File(path) => match fs::metadata(path) {
            Err(error) => Some(
                Finding::problem("secret", format!("{}: {error}", path.display()))
                    .cured(lang.pick("write the secret into this file, mode 600", "请将秘密写入该文件,权限 600")),
            ),
            Ok(found) if mode(&found) & 0o077 != 0 => {
                let says = lang.pick("others may read the file of it:", "其他用户可以读取其文件:");
                Some(
                    Finding::warning("secret", says)
                        .with(path.display())
                        .cured(format!("chmod 600 {}", path.display())),
                )
            }
            Ok(_) => None,
        },
    }
}

/// Can alerts be delivered, and were they?
pub(super) fn alerts(doctor: &Arc<Doctor>, config: &Config, data: &Path, runs: bool) -> Vec<Finding> {
    let lang = doctor.lang;
    let Some(settings) = &config.alerts else {
        return vec![Finding::ok(
            "alerts",
            lang.pick(
                "nobody is told when something is wrong: there is no `[alerts]`",
                "没有 `[alerts]`:出问题时不会通知任何人",
            ),
        )];
    };
    let mut findings = Vec::new();
    if let Some(webhook) = &settings.webhook {
        match secret(lang, &webhook.url, runs) {
            Some(finding) => findings.push(Finding { check: "alerts".to_owned(), ..finding }.of("webhook")),
            None => {
                if let Err(why) = webhook_address(webhook) {
                    let cure = lang.pick("write the whole address of the webhook into it", "请写入完整的 webhook 地址");
                    findings.push(Finding::problem("alerts", why).of("webhook").cured(cure));
                }
            }
        }
        if let Some(finding) = webhook.sign_secret.as_ref().and_then(|from| secret(lang, from, runs)) {
            findings.push(Finding { check: "alerts".to_owned(), ..finding }.of("sign_secret"));
        }
    }
    if let Some(program) = settings.command.first() {
        let place = command_place(program, config.file.parent().unwrap_or(Path::new("")));
        if !is_program(&place) {
            let cure =
                lang.pick("give the program's whole path, and `chmod +x` it", "请写出程序的完整路径,并 `chmod +x`");
            findings.push(
                Finding::problem(
                    "alerts",
                    lang.pick("there is no such program, or it may not be run", "没有该程序,或它不可执行"),
                )
                .of(format!("command {program}"))
                .cured(cure),
            );
        }
    }
    if let Some((via, _)) = &settings.via
        && !config.accounts.iter().any(|account| account.name == *via && account.enabled)
    {
        let cure = lang.pick("enable it, or send through another one", "请启用它,或改用其他账号");
        findings.push(
            Finding::problem("alerts", lang.pick("the account does not run", "该账号未启用"))
                .of(format!("via {via}"))
                .cured(cure),
        );
    }
    let state = match kept::read(data) {
        Ok(state) => state,
        Err(error) => {
            findings.push(
                Finding::warning("alerts", lang.pick("what became of them cannot be read:", "无法读取告警记录:"))
                    .with(error),
            );
            return findings;
        }
    };
    for (way, fate) in state.ways.iter().filter(|(_, fate)| fate.lost > 0) {
        let ago = fate.failed_ms.map_or(0, |at| u64::try_from(now_ms() - at).unwrap_or(0) / 1_000);
        let ago = show_duration(std::time::Duration::from_secs(ago));
        let says = match lang {
            Lang::En => format!("{} could not be delivered, the last one {ago} ago: {}", fate.lost, fate.why),
            Lang::Zh => format!("{} 条未能送达,最近一条在 {ago} 前:{}", fate.lost, fate.why),
        };
        let cure = lang
            .pick("cure the reason; the next one that is delivered ends this", "请排除原因;下一条成功送达后此项消失");
        findings.push(Finding::problem("alerts", says).of(way).cured(cure));
    }
    if findings.is_empty() {
        let says = lang.pick("somebody is told; incidents now:", "会发送通知;当前事件:");
        findings.push(Finding::ok("alerts", says).with(state.memory.open.len()));
    }
    findings
}

/// Whether this can be run: a path, or a name to look for in `PATH`.
fn is_program(place: &Path) -> bool {
    let runs = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_file() && mode(&found) & 0o111 != 0);
    if place.components().count() > 1 {
        return runs(place);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| runs(&folder.join(place)))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use wxbot_runtime::alerts::DISK_RESERVE;

    #[test]
    fn room_on_the_disk() {
        for (free, level) in [
            (0, Level::Problem),
            (DISK_RESERVE - 1, Level::Problem),
            (DISK_RESERVE, Level::Warning),
            (4 * DISK_RESERVE, Level::Ok),
            (u64::MAX, Level::Ok),
        ] {
            for lang in [Lang::En, Lang::Zh] {
                let finding = disk_of(lang, free, DISK_RESERVE);
                assert_eq!((finding.level, finding.cure.is_empty()), (level, level == Level::Ok), "{free}");
            }
        }
    }

    #[test]
    fn programs_are_found_as_they_are_run() {
        assert!(is_program(Path::new("sh")) && is_program(Path::new("/bin/sh")));
        assert!(!is_program(Path::new("no-such-program-here")) && !is_program(Path::new("/etc/passwd")));
    }
}

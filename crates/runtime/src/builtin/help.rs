//! What does `help` answer? What the asking person may use in this chat.

use wxbot_plugin::manifest::{ArgSpec, HandlerSpec, Only, Trigger};
use wxbot_plugin::{Manifest, Role};

/// A line per command; none when there is nothing to list for this person.
pub(super) fn lines<'m>(manifests: impl Iterator<Item = &'m Manifest>, roles: &[Role], is_group: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for manifest in manifests {
        let usable = manifest.handlers.iter().filter(|spec| may_use(spec, roles, is_group));
        lines.extend(usable.filter_map(line));
    }
    if Role::Admin.is_met_by(roles) {
        lines.push("/plugin list | off 名称 | on 名称 — 本聊天的插件 (plugins here)".to_owned());
    }
    if Role::Owner.is_met_by(roles) {
        lines.push("/why [编号] — 上一条消息为何这样处理 (why the last message was answered, or not)".to_owned());
    }
    if !lines.is_empty() {
        lines.insert(0, "可用命令 (commands):".to_owned());
    }
    lines
}

fn may_use(spec: &HandlerSpec, roles: &[Role], is_group: bool) -> bool {
    let here = match spec.only {
        Some(Only::Group) => is_group,
        Some(Only::Private) => !is_group,
        None => true,
    };
    here && spec.allow.as_ref().is_none_or(|role| role.is_met_by(roles))
}

fn line(spec: &HandlerSpec) -> Option<String> {
    let Trigger::Command { words, args } = &spec.trigger else { return None };
    let mut said = words.join(" / ");
    for arg in args {
        said.push(' ');
        said.push_str(&shown(arg));
    }
    let about = spec.about.lines().next().unwrap_or_default().trim();
    Some(if about.is_empty() { said } else { format!("{said} — {about}") })
}

fn shown(arg: &ArgSpec) -> String {
    let rest = if arg.rest { "…" } else { "" };
    if arg.optional { format!("[{}{rest}]", arg.name) } else { format!("<{}{rest}>", arg.name) }
}

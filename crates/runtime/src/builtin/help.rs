//! What does `help` answer? What the asking person may use in this chat.

use wxbot_plugin::{Manifest, Role, help};

/// A line per command; none when there is nothing to list for this person.
pub(super) fn lines<'m>(
    manifests: impl Iterator<Item = &'m Manifest>,
    roles: &[Role],
    is_group: bool,
) -> Vec<String> {
    let usable = manifests.flat_map(|manifest| help::lines(manifest, roles, is_group));
    let mut lines: Vec<String> = usable.map(|line| line.to_string()).collect();
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

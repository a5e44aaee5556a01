//! What does `help` answer? What the asking person may use in this chat.

use wxbot_plugin::{Manifest, Role, help};

/// A line per command; none when there is nothing to list for this person. `prefixes`: what may stand before a command.
pub(super) fn lines<'m>(
    manifests: impl Iterator<Item = &'m Manifest>,
    roles: &[Role],
    is_group: bool,
    prefixes: &[String],
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
        // Where a bare word is no command, people have to know what to begin with.
        let needed = prefixes.iter().rev().find(|_| !prefixes.iter().any(String::is_empty));
        let head = needed.map_or_else(
            || "可用命令 (commands):".to_owned(),
            |prefix| format!("可用命令,以 {prefix} 开头 (commands, each begins with {prefix}):"),
        );
        lines.insert(0, head);
    }
    lines
}

#[cfg(test)]
mod tests {
    use wxbot_plugin::manifest::{HandlerSpec, Only, Trigger};

    use super::*;

    fn command(word: &str, allow: Option<Role>, only: Option<Only>) -> HandlerSpec {
        let mut spec = HandlerSpec::new(word, Trigger::Command { words: vec![word.into()], args: Vec::new() });
        (spec.allow, spec.only) = (allow, only);
        spec
    }

    #[test]
    fn each_person_sees_what_they_may_use() {
        let manifest = Manifest::new("x", "X.")
            .handler(command("天气", None, None))
            .handler(command("踢", Some(Role::GroupAdmin), Some(Only::Group)))
            .handler(command("折扣", Some(Role::custom("vip")), None));
        let open = ["/".to_owned(), String::new()];
        for (name, roles, is_group, want) in [
            ("anybody", vec![], false, &["天气"][..]),
            ("a vip", vec![Role::custom("vip")], false, &["天气", "折扣"]),
            ("a group admin", vec![Role::GroupAdmin], true, &["天气", "踢"]),
            ("an admin, in private", vec![Role::Admin], false, &["天气", "折扣", "/plugin"]),
            ("the owner, in a room", vec![Role::Owner], true, &["天气", "踢", "折扣", "/plugin", "/why"]),
        ] {
            let lines = lines([&manifest].into_iter(), &roles, is_group, &open);
            let words: Vec<&str> = lines.iter().skip(1).filter_map(|line| line.split(' ').next()).collect();
            assert_eq!(words, want, "{name}");
        }
        assert!(lines([].into_iter(), &[], false, &open).is_empty());
        let strict = lines([&manifest].into_iter(), &[], false, &["#".to_owned()]);
        assert!(strict[0].contains("以 # 开头"), "{strict:?}");
    }
}

//! Whom does `@name` in a command mean? Exactly one member with an id, or nobody: an ambiguous name is never acted on.
//!
//! A mention is text. Everybody chooses their own name, also one that goes on where another one ends, so all members are
//! compared whose name may be meant; the name never says anything about rights (security R26).

use wxbot_plugin::prelude::*;
use wxbot_plugin::{PluginError, RoomMember};

use super::white_key;
use crate::act::{Doing, label};
use crate::audit::Whom;

/// WeChat puts this space behind a mention that was chosen from the list of members.
const MENTION_END: char = '\u{2005}';
/// How many a command may name: each costs a look, and nobody reads more names in a question.
const MOST: usize = 10;

/// A member that a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) id: ContactId,
    pub(crate) name: String,
}

impl Target {
    pub(crate) fn whom(&self) -> Whom {
        Whom { id: Some(self.id.clone()), name: self.name.clone() }
    }
}

/// The members that a text begins by naming, at least one, and the text behind them.
pub(crate) async fn named<'t>(
    doing: &Doing<'_>,
    room: &ContactId,
    text: &'t str,
) -> Result<(Vec<Target>, &'t str), PluginError> {
    let members = crate::life::members(doing, room).await?;
    read(&members, text).map_err(PluginError::told)
}

/// The members that a text begins by naming; the error is for whoever typed it.
fn read<'t>(members: &[RoomMember], text: &'t str) -> Result<(Vec<Target>, &'t str), String> {
    let mut targets: Vec<Target> = Vec::new();
    let mut rest = text.trim_matches(wxbot_plugin::text::is_blank);
    while let Some(behind) = rest.strip_prefix(['@', '\u{FF20}']) {
        let (target, after) = one(members, behind)?;
        if !targets.contains(&target) {
            targets.push(target);
        }
        if targets.len() > MOST {
            return Err(format!("一次最多 {MOST} 人 (at most {MOST} people at once)"));
        }
        rest = after.trim_start_matches(wxbot_plugin::text::is_blank);
    }
    if targets.is_empty() {
        return Err("请用 @ 指明成员 (name members with @)".to_owned());
    }
    Ok((targets, rest))
}

fn one<'t>(members: &[RoomMember], behind: &'t str) -> Result<(Target, &'t str), String> {
    let fits = |name: &str| -> Option<usize> {
        let after = behind.strip_prefix(name).filter(|_| !name.is_empty())?;
        after.chars().next().is_none_or(|c| c == MENTION_END || c.is_whitespace()).then_some(name.len())
    };
    let meant: Vec<(&RoomMember, usize)> = members
        .iter()
        .filter_map(|member| {
            Some((member, fits(member.public_name()).into_iter().chain(fits(&member.nick_name)).max()?))
        })
        .collect();
    let typed = || label(behind.split([MENTION_END, ' ', '\n']).next().unwrap_or_default());
    match meant.as_slice() {
        [] => Err(format!("群里没有叫「{}」的人 (nobody here is called so)", typed())),
        [(member, _)] if member.me => Err("不能对机器人自己这样做 (not to the bot itself)".to_owned()),
        [(member, len)] => match &member.id {
            Some(id) => {
                let target = Target { id: id.clone(), name: member.public_name().to_owned() };
                Ok((target, behind.get(*len..).unwrap_or_default()))
            }
            None => Err(format!(
                "还不认识「{}」:等对方说过一句话再试 (not known yet: wait for their first message)",
                typed()
            )),
        },
        several => {
            let n = several.len();
            Err(format!(
                "有 {n} 个人可能叫「{}」,分不清,什么也没做 ({n} people could be meant, nothing was done)",
                typed()
            ))
        }
    }
}

/// Refuses what would be done to somebody who is above it: the owner, admins, and whoever is on a whitelist.
pub(crate) async fn below_us(doing: &Doing<'_>, room: &ContactId, targets: &[Target]) -> Result<(), PluginError> {
    let cx = doing.cx;
    let mut above: Vec<ContactId> =
        [Role::Owner, Role::Admin, Role::GroupAdmin].iter().flat_map(|role| cx.people(role)).collect();
    above.extend_from_slice(&doing.settings.whitelist);
    for target in targets {
        let white = cx.kv_get::<serde_json::Value>(&white_key(room, &target.id)).await?.is_some();
        if white || above.contains(&target.id) {
            let name = label(&target.name);
            return Err(PluginError::told(format!(
                "「{name}」是管理员或在白名单里,不能这样做 (not to admins or the whitelist)"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(id: &str, nick: &str, group: &str) -> RoomMember {
        let (id, me) = (id.parse().ok(), id == "me");
        RoomMember { id, name: nick.into(), nick_name: nick.into(), group_name: group.into(), me }
    }

    #[test]
    fn sec_r26_a_mention_is_one_member_or_nobody() {
        let members = [
            member("me", "bot", ""),
            member("p1", "张三", ""),
            member("p2", "张三丰", ""),
            member("p3", "李四", "大李"),
            member("p4", "李四", "小李"),
            member("", "王五", ""),
            member("p6", "赵 六", ""),
            member("p7", "钱七", ""),
            member("p8", "钱七\u{2005}x", ""),
        ];
        for (name, text, want) in [
            ("chosen", "@张三\u{2005}广告", Ok(("p1", "广告"))),
            ("the longer name", "@张三丰\u{2005}", Ok(("p2", ""))),
            ("typed", "@张三 广告", Ok(("p1", "广告"))),
            ("by the name in the room", "@大李\u{2005}", Ok(("p3", ""))),
            ("a name with a space", "@赵 六\u{2005}x", Ok(("p6", "x"))),
            ("several", "@张三\u{2005}@大李\u{2005} 吵", Ok(("p1,p3", "吵"))),
            ("twice the same", "@张三\u{2005}@张三\u{2005}", Ok(("p1", ""))),
            ("full-width", "＠张三", Ok(("p1", ""))),
            ("two of that name", "@李四\u{2005}", Err("有 2 个人")),
            ("a name within another", "@钱七\u{2005}x", Err("有 2 个人")),
            ("nobody", "@孙八\u{2005}", Err("没有叫「孙八」")),
            ("a part of a name", "@张\u{2005}", Err("没有叫")),
            ("no id yet", "@王五\u{2005}", Err("还不认识")),
            ("ourselves", "@bot\u{2005}", Err("机器人自己")),
            ("no mention", "张三", Err("请用 @")),
            ("an empty one", "@", Err("没有叫")),
        ] {
            let got = read(&members, text).map(|(targets, rest)| {
                (targets.iter().map(|target| target.id.as_str()).collect::<Vec<_>>().join(","), rest)
            });
            match (got, want) {
                (Ok((ids, rest)), Ok(want)) => assert_eq!((&*ids, rest), want, "{name}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{name}: {why}"),
                (got, want) => panic!("{name}: {got:?}, not {want:?}"),
            }
        }
        let many: String = (0..12).map(|n| format!("@m{n} ")).collect();
        let members: Vec<_> = (0..12).map(|n| member(&format!("p{n}"), &format!("m{n}"), "")).collect();
        assert!(read(&members, &many).unwrap_err().contains("最多"));
    }

    proptest! {
        #[test]
        fn whoever_is_meant_is_called_so(text in "@[ab \u{2005}]{0,6}", names in proptest::collection::vec("[ab \u{2005}]{1,3}", 1..5)) {
            let members: Vec<_> = names.iter().enumerate().map(|(n, name)| member(&format!("p{n}"), name, "")).collect();
            if let Ok((targets, _)) = read(&members, &text) {
                for target in targets {
                    prop_assert_eq!(names.iter().filter(|name| **name == target.name).count(), 1, "never one of two");
                    let mention = format!("@{}", target.name);
                    prop_assert!(text.contains(&mention));
                }
            }
        }
    }
}

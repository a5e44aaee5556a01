//! What do the service's own texts tell? Types 10000 and 10002: patterns in Chinese and English, specific ones first.
//!
//! Commas and quotes come in their ASCII and their Chinese form. Where a pattern names nobody as the one who did it, it
//! was us. Source: `docs/protocol/webwx.md`, system texts.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use wxbot_model::{Content, Direction, EventKind, JoinedBy, LiveShare, Location, MembersJoined, MsgId, Who};

use super::Told;
use super::text::{pattern, system_text};
use super::xml::{self, Node};

/// The longest text that is looked at, and that a template may become: names are put in as often as it asks for them.
const LONGEST: usize = 16 * 1024;

/// What a pattern tells.
#[derive(Debug, Clone, Copy)]
enum Sense {
    /// Groups `names`, `others`, `by`; with true when we came in too.
    Joined(JoinedBy, bool),
    /// `names`, `by`.
    Removed,
    /// `by`.
    RemovedMe,
    /// `topic`, `by`.
    Topic,
    /// `name`; true when we asked.
    Added(bool),
    /// `name`.
    NotFriend,
    /// `by`, `whom`.
    Pat,
    RedPacket(Direction),
    LiveEnded,
}

use Sense::{Added, Joined, LiveEnded, NotFriend, Pat, RedPacket, Removed, RemovedMe, Topic};

/// Specific before general: `A invited you and X` before `A invited X`.
const PATTERNS: &[(Sense, &str)] = &[
    (Joined(JoinedBy::Invitation, false), r"^你邀请(?<names>.+)加入了群聊。?$"),
    (
        Joined(JoinedBy::Invitation, true),
        r#"^["“](?<by>.+?)["”]邀请你加入了群聊(?:[，,]群聊参与人还有[：:](?<others>.+?))?。?$"#,
    ),
    (
        Joined(JoinedBy::Invitation, true),
        r#"^["“](?<by>.+?)["”]邀请你和(?<names>.+?)加入了群聊(?:[，,]群聊参与人还有[：:](?<others>.+?))?。?$"#,
    ),
    (Joined(JoinedBy::Invitation, false), r#"^["“](?<by>.+?)["”]邀请(?<names>.+)加入了群聊。?$"#),
    (Joined(JoinedBy::Invitation, false), r"^You invited (?<names>.+) to (?:the|a) group chat\.?$"),
    (
        Joined(JoinedBy::Invitation, true),
        r"^(?<by>.+?) invited you to (?:the|a) group chat(?: with (?<others>.+?))?\.?$",
    ),
    (
        Joined(JoinedBy::Invitation, true),
        r"^(?<by>.+?) invited you and (?<names>.+?) to (?:the|a) group chat(?: with (?<others>.+?))?\.?$",
    ),
    (Joined(JoinedBy::Invitation, false), r"^(?<by>.+?) invited (?<names>.+) to (?:the|a) group chat\.?$"),
    (Joined(JoinedBy::QrCode, false), r"^(?<names>.+?)通过扫描你分享的二维码加入群聊。?$"),
    (Joined(JoinedBy::QrCode, false), r#"^(?<names>.+?)通过扫描["“](?<by>.+)["”]分享的二维码加入群聊。?$"#),
    (Joined(JoinedBy::QrCode, false), r"(?i)^(?<names>.+?) joined (?:the )?group chat via the QR code you shared\.?$"),
    (
        Joined(JoinedBy::QrCode, false),
        r"(?i)^(?<names>.+?) joined (?:the )?group chat via the QR code shared by (?<by>.+?)\.?$",
    ),
    (Removed, r"^你将(?<names>.+)移出了?群聊。?$"),
    (Removed, r"^You removed (?<names>.+) from the group chat\.?$"),
    (RemovedMe, r"^你被(?<by>.+)移出了?群聊。?$"),
    (RemovedMe, r"^You were removed from the group chat by (?<by>.+?)\.?$"),
    (Topic, r#"^你修改群名为["“](?<topic>.*)["”]$"#),
    (Topic, r#"^["“](?<by>.+?)["”] ?修改群名为["“](?<topic>.*)["”]$"#),
    (Topic, r#"^You changed the group name to ["“](?<topic>.*)["”]\.?$"#),
    (Topic, r#"^(?<by>.+?) changed the group name to ["“](?<topic>.*)["”]\.?$"#),
    (Added(true), r"^你已添加了(?<name>.+?)\s*[，,]\s*现在可以开始聊天了。?$"),
    (Added(true), r"^You have added (?<name>.+) as your WeChat contact\. Start chatting"),
    (Added(false), r"^(?<name>.+?)刚刚把你添加到通讯录[，,]\s*现在可以开始聊天了。?$"),
    (Added(false), r"^(?<name>.+?) just added you to his/her contacts list\."),
    (NotFriend, r"^(?<name>.+?)\s*开启了朋友验证[，,]你还不是他"),
    (NotFriend, r"^(?<name>.+?) has enabled Friend Confirmation"),
    (RedPacket(Direction::Received), r"^收到红包[，,]请在手机上查看"),
    (RedPacket(Direction::Sent), r"^发出红包[，,]请在手机上查看"),
    (LiveEnded, r"^位置共享已经结束"),
    (Pat, r"^(?<by>.+?) ?拍了拍 ?(?<whom>.+)$"),
];

/// What a text of the service tells. A text that says nothing known stays a system text.
pub fn told(text: &str) -> Told {
    static READY: LazyLock<Vec<(Sense, Regex)>> =
        LazyLock::new(|| PATTERNS.iter().map(|(sense, text)| (*sense, pattern(text))).collect());
    let line = text.trim();
    // The service writes lines, not books.
    let ready = if line.len() > LONGEST { &[] } else { READY.as_slice() };
    match ready.iter().find_map(|(sense, regex)| Some((*sense, regex.captures(line)?))) {
        Some((sense, found)) => made_of(sense, &found, text),
        None => Told::Said(Content::System { text: text.to_owned() }),
    }
}

fn made_of(sense: Sense, found: &Captures<'_>, text: &str) -> Told {
    let group = |name: &str| found.name(name).map(|part| part.as_str());
    let people = |name: &str| group(name).map(names).unwrap_or_default();
    let by = || group("by").map_or(Who::Me, |by| Who::other(unquoted(by)));
    let notice = || text.to_owned();
    let name = || unquoted(group("name").unwrap_or_default()).to_owned();
    Told::Happened(match sense {
        Joined(how, me_invited) => EventKind::MembersJoined(MembersJoined {
            names: people("names"),
            me_invited,
            others: people("others"),
            inviter: by(),
            by: how,
            notice: notice(),
        }),
        Removed => EventKind::MembersRemoved { names: people("names"), by: by(), notice: notice() },
        RemovedMe => EventKind::RemovedMe { by: by(), notice: notice() },
        Topic => {
            EventKind::TopicChanged { topic: group("topic").unwrap_or_default().to_owned(), by: by(), notice: notice() }
        }
        Added(true) => EventKind::FriendAdded { name: name(), by: Who::Me, notice: notice() },
        Added(false) => EventKind::FriendAdded { by: Who::other(name()), name: name(), notice: notice() },
        NotFriend => EventKind::NotFriend { name: name(), notice: notice() },
        Pat => {
            let by = speaker(group("by").unwrap_or_default());
            EventKind::Pat { whom: patted(group("whom").unwrap_or_default(), &by), by, notice: notice() }
        }
        RedPacket(direction) => {
            return Told::Said(Content::RedPacket { note: notice(), direction: Some(direction) });
        }
        LiveEnded => {
            let live = Some(LiveShare::Ended);
            return Told::Said(Content::Location(Location { label: notice(), live, ..Location::default() }));
        }
    })
}

const QUOTES: [char; 3] = ['"', '“', '”'];

/// A name without the blanks and one pair of quotes around it.
fn unquoted(name: &str) -> &str {
    let name = name.trim();
    let name = name.strip_prefix(QUOTES).unwrap_or(name);
    name.strip_suffix(QUOTES).unwrap_or(name).trim()
}

/// Several names: Chinese texts write `、` between them, English ones a comma and a blank.
fn names(list: &str) -> Vec<String> {
    let each = unquoted(list).split('、').flat_map(|part| part.split(", ")).map(unquoted);
    each.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Whoever patted: names are in quotes, we are not.
fn speaker(words: &str) -> Who {
    match words.trim() {
        "我" | "你" => Who::Me,
        name => Who::other(unquoted(name)),
    }
}

/// Whoever was patted. What follows (`我的肩膀`) is the patted one's own joke.
fn patted(words: &str, by: &Who) -> Who {
    if words.starts_with("自己") {
        return by.clone();
    }
    if words.starts_with(['我', '你']) {
        return Who::Me;
    }
    match words.strip_prefix(QUOTES).and_then(|rest| rest.split_once(QUOTES)) {
        Some((name, _)) => Who::other(name.trim()),
        None => Who::other(words.trim()),
    }
}

/// `<sysmsg type=…>`; `None` for types that are not known and for what is no XML.
pub fn sysmsg(content: &str) -> Option<Told> {
    let root = xml::parse(content).ok().filter(|root| root.name == "sysmsg")?;
    let kind = root.attr("type")?;
    let inner = root.child(kind)?;
    let words = match kind {
        "revokemsg" => return Some(Told::Happened(recall(inner))),
        "pat" => ids_bare(inner.words("template")),
        "sysmsgtemplate" => expanded(inner.child("content_template")?)?,
        "delchatroommember" => {
            let plain = inner.words("plain");
            if plain.is_empty() { inner.words("text") } else { plain }.to_owned()
        }
        _ => return None,
    };
    let words = system_text(&words);
    (!words.trim().is_empty()).then(|| told(words.trim()))
}

fn recall(revoke: &Node) -> EventKind {
    let id = |name: &str| Some(revoke.words(name)).filter(|id| !id.is_empty() && *id != "0");
    EventKind::Recall {
        // newmsgid is the better one where a build sends both.
        msg: id("newmsgid").or_else(|| id("msgid")).and_then(|id| id.parse::<MsgId>().ok()),
        notice: revoke.words("replacemsg").to_owned(),
        text: None,
    }
}

/// `"${wxid_a}" 拍了拍我`: the ids stand for the names, which are not sent.
fn ids_bare(template: &str) -> String {
    static ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"\$\{([^}]*)\}"));
    ID.replace_all(template, "$1").into_owned()
}

/// A template with `$name$` in it, and the names in its list of links. `None` when it grows beyond measure.
fn expanded(template: &Node) -> Option<String> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\$([A-Za-z0-9_]+)\$"));
    let links = template.child("link_list").map(|list| list.children.as_slice()).unwrap_or_default();
    let text = template.words("template");
    let (mut out, mut done) = (String::new(), 0);
    for found in NAME.captures_iter(text) {
        let (Some(all), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let Some(link) = links.iter().find(|link| link.attr("name") == Some(name.as_str())) else { continue };
        out.push_str(text.get(done..all.start()).unwrap_or_default());
        push_link(&mut out, link)?;
        done = all.end();
        if out.len() > LONGEST {
            return None;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

fn push_link(out: &mut String, link: &Node) -> Option<()> {
    // The link that undoes an invitation is for phones.
    if link.attr("type") == Some("link_revoke") {
        return Some(());
    }
    let separator = link.child("separator").map_or("、", |node| node.text.as_str());
    let members = link.child("memberlist").map(|list| list.children.as_slice()).unwrap_or_default();
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        let name = member.words("nickname");
        out.push_str(if name.is_empty() { member.words("username") } else { name });
        if out.len() > LONGEST {
            return None;
        }
    }
    if members.is_empty() {
        out.push_str(link.words("title"));
    }
    Some(())
}

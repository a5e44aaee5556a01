//! Which actions are there, and which names may stand in the mapping of each?

use std::time::Duration;

use self::alike::closest;

/// One action that can be mapped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Groups of names; see [`placeholders`].
    groups: &'static [&'static [&'static str]],
    /// How long one call may take.
    pub(super) pace: Pace,
    /// True for what only asks: doing it twice harms nobody.
    pub(super) asks: bool,
}

/// How long the service takes, by kind (clients of the PC hook use these).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Status,
    Text,
    Info,
    Slow,
    Image,
    Voice,
    File,
    Video,
}

impl Pace {
    pub(super) fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Status => 5,
            Self::Text => 10,
            Self::Info => 15,
            Self::Slow => 60,
            Self::Image => 90,
            Self::Voice => 120,
            Self::File => 180,
            Self::Video => 300,
        })
    }
}

/// The begin of names that users give their own actions.
pub(super) const OWN: &str = "x_";

// ---- groups of names ----

/// Always there. `account.…` and `secret.…` are checked apart.
const ALWAYS: &[&str] = &["now", "now_ms", "uuid"];
const SEND: &[&str] = &["to", "is_room", "room_id", "room_id_or_zero"];
const TEXT: &[&str] = &["text"];
const AT: &[&str] = &["at_ids", "at_names", "at_text"];
const MEDIA: &[&str] = &["url", "path", "file_name", "mime", "size", "md5", "bytes"];
const PLAYED: &[&str] = &["duration_ms", "width", "height"];
const CARD: &[&str] = &["title", "desc", "thumb_url", "thumb_path", "link_url", "data_url"];
const PROGRAM: &[&str] = &["app.id", "app.name", "app.page", "app.username", "app.icon_url"];
const XML: &[&str] = &["xml", "app_type"];
const PERSON_CARD: &[&str] = &["card_id", "card_name", "card_icon", "card_company"];
const PLACE: &[&str] = &["lat", "lon", "address", "place_name"];
const MSG: &[&str] = &["msg_id"];
const QUOTE: &[&str] =
    &["quote.id", "quote.from", "quote.text", "quote.name", "quote.app_info", "quote.kind", "quote.room_id"];
const PEOPLE: &[&str] = &["user_id", "user_ids"];
const WORDS: &[&str] = &["name", "notice", "remark"];
const FRIEND: &[&str] = &["friend.v3", "friend.v4", "friend.scene", "friend.role"];
const LOAD: &[&str] = &["media.aeskey", "media.fileid", "media.xml", "media.save_path", "media.len"];
const DB: &[&str] = &["db", "sql"];
const LISTS: &[&str] = &["cursor"];
const CALLBACK: &[&str] = &["callback_url", "callback_mode"];
const INVITE: &[&str] = &["invite_url"];
const WHO: &[&str] = &["query"];
const LOGIN: &[&str] = &["code"];
/// The record of a picture or film as the callback has it, for services that send it again out of it.
const RECORD: &[&str] = &[
    "record.aes_key",
    "record.auth_key",
    "record.cdn_ld_size",
    "record.cdn_ld_url",
    "record.cover_size",
    "record.cover_url",
    "record.file_id",
    "record.file_name",
    "record.height",
    "record.md5",
    "record.play_time",
    "record.size",
    "record.url",
    "record.width",
];

const EVERY: [&[&str]; 22] = [
    SEND,
    TEXT,
    AT,
    MEDIA,
    PLAYED,
    CARD,
    PROGRAM,
    XML,
    PERSON_CARD,
    PLACE,
    MSG,
    QUOTE,
    PEOPLE,
    WORDS,
    FRIEND,
    LOAD,
    DB,
    LISTS,
    CALLBACK,
    INVITE,
    WHO,
    LOGIN,
];

/// Names whose values people in chats choose. They never stand in an address (security R16).
const WRITTEN: [&[&str]; 6] = [TEXT, CARD, XML, WORDS, PLACE, DB];
const WRITTEN_ONES: [&str; 12] = [
    "at_names",
    "at_text",
    "card_name",
    "card_company",
    "file_name",
    "quote.text",
    "quote.name",
    "quote.app_info",
    "media.xml",
    "query",
    "app.name",
    "app.page",
];

// ---- the actions ----

macro_rules! known {
    ($($name:literal $pace:ident $does:ident [$($group:ident)*];)*) => {
        pub(super) const ACTIONS: &[Known] = &[$(Known {
            name: $name,
            groups: &[$($group),*],
            pace: Pace::$pace,
            asks: known!(@asks $does),
        }),*];
    };
    (@asks asks) => { true };
    (@asks does) => { false };
}

known! {
    "send_text" Text does [SEND TEXT AT];
    "send_at" Text does [SEND TEXT AT];
    "send_at_all" Text does [SEND TEXT];
    "send_image" Image does [SEND MEDIA PLAYED];
    "send_file" File does [SEND MEDIA];
    "send_video" Video does [SEND MEDIA PLAYED];
    "send_voice" Voice does [SEND MEDIA PLAYED];
    "send_emoji" Voice does [SEND MEDIA PLAYED];
    "send_card" Text does [SEND PERSON_CARD];
    "send_link" Text does [SEND CARD];
    "send_miniapp" Text does [SEND CARD XML PROGRAM MEDIA];
    "send_music" Text does [SEND CARD];
    "send_location" Text does [SEND XML PLACE];
    "send_xml" Text does [SEND XML CARD];
    "quote" Text does [SEND TEXT QUOTE];
    "pat" Text does [SEND PEOPLE];
    "forward" Text does [SEND MSG];
    "forward_image" Text does [SEND RECORD];
    "forward_video" Text does [SEND RECORD];
    "upload_image" Image does [SEND MEDIA PLAYED];
    "upload_file" File does [SEND MEDIA PLAYED];
    "revoke" Text does [SEND MSG];
    "mark_read" Text does [SEND];
    "mark_unread" Text does [SEND];
    "pin" Text does [SEND];
    "unpin" Text does [SEND];
    "mute" Text does [SEND];
    "unmute" Text does [SEND];
    "init_contacts" Slow asks [];
    "list_contacts" Info asks [LISTS];
    "list_colleagues" Info asks [LISTS];
    "contact_info" Info asks [PEOPLE];
    "contact_brief" Info asks [PEOPLE];
    "contact_batch" Info asks [PEOPLE];
    "openim_contact" Info asks [SEND PEOPLE];
    "labels" Info asks [];
    "avatar" Info asks [PEOPLE];
    "search_person" Info asks [WHO];
    "accept_friend" Text does [PEOPLE FRIEND];
    "add_friend" Text does [PEOPLE TEXT FRIEND];
    "delete_friend" Text does [PEOPLE];
    "block_friend" Text does [PEOPLE];
    "set_remark" Text does [PEOPLE WORDS];
    "set_star" Text does [PEOPLE];
    "unset_star" Text does [PEOPLE];
    "set_role" Text does [PEOPLE FRIEND];
    "list_rooms" Info asks [LISTS];
    "room_info" Info asks [SEND];
    "room_members" Info asks [SEND];
    "room_member_ids" Info asks [SEND];
    "room_member_count" Info asks [SEND];
    "room_owner" Info asks [SEND];
    "member_nickname" Info asks [SEND PEOPLE];
    "room_create" Text does [PEOPLE WORDS];
    "room_invite" Text does [SEND PEOPLE];
    "room_add" Text does [SEND PEOPLE];
    "room_kick" Text does [SEND PEOPLE];
    "room_rename" Text does [SEND WORDS];
    "room_remark" Text does [SEND WORDS];
    "room_notice" Text does [SEND WORDS PEOPLE];
    "room_quit" Text does [SEND];
    "room_save" Text does [SEND];
    "room_unsave" Text does [SEND];
    "room_fold" Text does [SEND];
    "room_unfold" Text does [SEND];
    "room_qr" Info asks [SEND];
    "self_room_nick" Text does [SEND WORDS];
    "room_accept_invite" Text does [INVITE];
    "download_image" Image asks [LOAD MSG];
    "download_file" File asks [LOAD MSG];
    "download_video" Video asks [LOAD MSG];
    "download_voice" Voice asks [LOAD MSG SEND];
    "decode_image" Slow asks [LOAD MEDIA];
    "emoji_url" Info asks [LOAD];
    "voice_text" Slow asks [LOAD MSG MEDIA];
    "self_info" Status asks [];
    "login_status" Status asks [];
    "login_qr" Info asks [];
    "login_qr_refresh" Info asks [];
    "login_code" Text does [LOGIN];
    "login_init" Slow does [];
    "login_auto" Slow does [];
    "query_db" Info asks [DB];
    "list_dbs" Info asks [];
    "db_status" Status asks [];
    "set_callback" Status asks [CALLBACK];
}

/// The action of this name, where it is one of ours.
pub(super) fn known(name: &str) -> Option<&'static Known> {
    ACTIONS.iter().find(|known| known.name == name)
}

/// True for a name that may be mapped.
pub(super) fn may_be_mapped(name: &str) -> bool {
    let own = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    known(name).is_some() || name.strip_prefix(OWN).is_some_and(own)
}

/// The action before the dot, where a name is a result of one. `quote` has names of its own, and gives none.
pub(super) fn step(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(step, _)| *step != "quote" && may_be_mapped(step))
}

/// True when `name` may be there in this action. Actions of users may be called with any of them; headers of the account
/// are no action and have none.
pub(super) fn is_there(action: &str, name: &str) -> bool {
    let groups = known(action).map(|known| known.groups);
    ALWAYS.contains(&name)
        || match groups {
            Some(groups) => groups.iter().any(|group| group.contains(&name)),
            None => action.starts_with(OWN) && is_placeholder(name),
        }
}

/// True for a name that some action has.
pub(super) fn is_placeholder(name: &str) -> bool {
    ALWAYS.contains(&name) || RECORD.contains(&name) || EVERY.iter().any(|group| group.contains(&name))
}

/// The names that this action has, for people.
pub(super) fn placeholders(action: &str) -> Vec<&'static str> {
    let own: &[&[&str]] = if action.starts_with(OWN) { &EVERY } else { &[] };
    let groups = known(action).map_or(own, |known| known.groups);
    groups.iter().flat_map(|group| group.iter().copied()).chain(ALWAYS.iter().copied()).collect()
}

/// True for names whose values people in chats choose.
pub(super) fn is_written(name: &str) -> bool {
    WRITTEN_ONES.contains(&name)
        || WRITTEN.iter().any(|group| group.contains(&name) && name != "app_type" && name != "db")
}

/// What to write instead: the most alike, or all of them.
pub(super) fn suggest<'a>(word: &str, all: impl Iterator<Item = &'a str>, intro: &str) -> String {
    let all: Vec<_> = all.collect();
    match closest(word, &all) {
        Some(like) => format!("did you mean `{like}`?"),
        None if all.len() > 24 => "the documentation of actions lists them all".to_owned(),
        None => format!("{intro} {}", all.join(", ")),
    }
}

/// Which word was meant.
mod alike {
    /// The most alike, when it is alike enough: at most a third of the letters differ.
    pub(super) fn closest<'a>(word: &str, all: &[&'a str]) -> Option<&'a str> {
        let word: Vec<char> = word.chars().take(64).collect();
        let (apart, like) = all.iter().map(|other| (distance(&word, other), *other)).min()?;
        (apart * 3 <= word.len().max(3)).then_some(like)
    }

    /// Letters to change, add or leave out.
    fn distance(a: &[char], b: &str) -> usize {
        let mut row: Vec<usize> = (0..=a.len()).collect();
        for (y, d) in b.chars().enumerate() {
            let mut next = vec![y + 1];
            for ((c, above), corner) in a.iter().zip(row.iter().skip(1)).zip(&row) {
                let left = next.last().copied().unwrap_or_default();
                next.push((corner + usize::from(*c != d)).min(above + 1).min(left + 1));
            }
            row = next;
        }
        row.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_mapped_and_with_which_names() {
        assert!(
            may_be_mapped("send_text") && may_be_mapped("x_pay") && !may_be_mapped("x_") && !may_be_mapped("sendtext")
        );
        assert!(is_there("send_text", "to") && is_there("send_text", "uuid") && !is_there("send_text", "path"));
        assert!(is_there("x_any", "path") && !is_there("x_any", "nonsense"));
        assert!(placeholders("revoke").contains(&"msg_id") && !placeholders("revoke").contains(&"text"));
        assert!(is_written("text") && is_written("xml") && !is_written("to") && !is_written("app_type"));
        let mut names: Vec<_> = ACTIONS.iter().map(|known| known.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "an action stands there twice");
    }

    #[test]
    fn what_was_meant() {
        let actions = || ACTIONS.iter().map(|known| known.name);
        for (word, want) in [
            ("send_txt", "did you mean `send_text`?"),
            ("sendtext", "did you mean `send_text`?"),
            ("revok", "did you mean `revoke`?"),
            ("你好", "the documentation of actions lists them all"),
        ] {
            assert_eq!(suggest(word, actions(), "they are"), want, "{word}");
        }
        assert_eq!(suggest("zzz", ["json", "form"].into_iter(), "they are"), "they are json, form");
    }
}

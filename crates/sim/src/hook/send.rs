//! What is sent, and who hears it?

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::hook::call::{Call, LoadedFile};
use crate::hook::xml::between;
use crate::service::book::{HeardEntry, HeardMedia};
use crate::service::proto::hex;
use crate::service::strict;
use crate::service::town::{Chat, Who};

/// How long after sending a message can be taken back.
const REVOKE_MS: u64 = 120_000;
/// Own messages that can be taken back or forwarded.
const MAX_SENT: usize = 10_000;

/// A message that the account sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) id: u64,
    pub(super) to: Chat,
    pub(super) kind: SentKind,
    pub(super) text: String,
    pub(super) at_ms: u64,
    pub(super) media: Option<HeardMedia>,
}

/// What is sent, as far as the pushes about it differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentKind {
    Text,
    Image,
    File,
    Video,
    /// Links, mini programs, quotes: everything that is an appmsg.
    App,
    Voice,
    Emoji,
    Card,
    Location,
    Pat,
}

impl SentKind {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::File => "file",
            Self::Video => "video",
            Self::App => "app",
            Self::Voice => "voice",
            Self::Emoji => "emoji",
            Self::Card => "card",
            Self::Location => "location",
            Self::Pat => "pat",
        }
    }
}

/// Where the receiver stands, in the actions that have one.
const RECEIVER: [&str; 6] = ["wxid", "wxidorgid", "towxid", "to_wxid", "gid", "toid"];

impl Call<'_> {
    /// The message goes out: people hear it, and it is pushed back. `None` when it cannot.
    fn send(&self, kind: SentKind, text: &str, at: Vec<String>, file: Option<&LoadedFile>) -> Option<u64> {
        let to = self.first(&RECEIVER);
        let mut state = self.state();
        let Some(chat) = state.town.chat(to) else {
            self.wrong("the receiver is nobody this account knows");
            return None;
        };
        if let Chat::Room(at) = chat
            && state.town.rooms.get(at).is_none_or(|room| room.left)
        {
            return None;
        }
        let id = self.hook.next_id();
        let at_ms = self.hook.shared.book.now_ms();
        let media = file.map(|file| HeardMedia {
            md5: hex(&Md5::digest(&file.bytes)),
            len: u64::try_from(file.bytes.len()).unwrap_or(u64::MAX),
            file_name: file.name.clone(),
        });
        self.hook.shared.book.heard(HeardEntry {
            account: self.instance.name.clone(),
            at_ms,
            to: state.town.label(chat).to_owned(),
            room: matches!(chat, Chat::Room(_)),
            kind: kind.name().to_owned(),
            text: text.to_owned(),
            at,
            media: media.clone(),
            id: id.to_string(),
            revoked: false,
        });
        if state.sent.len() >= MAX_SENT {
            state.sent.pop_front();
        }
        let sent = Sent { id, to: chat, kind, text: text.to_owned(), at_ms, media };
        self.hook.push_own(self.instance, &state, &sent, to, file.map(|file| file.path.as_str()));
        state.sent.push_back(sent);
        Some(id)
    }

    fn simply(&self, kind: SentKind, text: &str) -> Value {
        self.taken(self.send(kind, text, Vec::new(), None).is_some())
    }

    fn of_file(&self, kind: SentKind) -> Value {
        let name = self.file.as_ref().map(|file| file.name.clone()).unwrap_or_default();
        let address = self.file.as_ref().is_some_and(|file| file.path.starts_with("http"));
        if address && self.text("diyfilename").is_empty() && !name.contains('.') {
            self.wrong("an address without `diyfilename`: nobody knows what kind of file it is");
        }
        self.taken(self.send(kind, &name, Vec::new(), self.file.as_ref()).is_some())
    }

    /// `MsgSvrID`; `"1"` is how the service says no there.
    fn with_id(&self, id: Option<u64>) -> Value {
        json!({"MsgSvrID": id.map_or_else(|| "1".to_owned(), |id| id.to_string())})
    }

    /// Nicks of ids joined by commas, if all of them are members of the room.
    fn members(&self, ids: &str) -> Option<Vec<String>> {
        let state = self.state();
        let Some(room) = state.town.room_with(self.text("gid")) else {
            self.wrong("`gid` is no room of this account");
            return None;
        };
        let found: Option<Vec<Who>> =
            ids.split(',').map(|id| state.town.who_has(id).filter(|who| room.has(*who))).collect();
        if found.is_none() {
            self.wrong("somebody mentioned is no member of the room");
        }
        Some(found?.into_iter().map(|who| state.town.nick_of(who).to_owned()).collect())
    }
}

pub(super) fn text(call: &Call<'_>) -> Value {
    let list = call.text("atlist");
    let mentioned = if list.is_empty() {
        Vec::new()
    } else {
        let state = call.state();
        let ids = between(list, "<atuserlist>", "</atuserlist>").unwrap_or_default();
        let ids = ids.trim_start_matches("<![CDATA[").trim_end_matches("]]>");
        let nicks =
            ids.split(',').filter_map(|id| state.town.who_has(id)).map(|who| state.town.nick_of(who).to_owned());
        nicks.collect()
    };
    let open_im = call.first(&["wxid", "wxidorgid"]).ends_with("@openim");
    if open_im && call.action.name == "SendTextMsg" {
        call.wrong("a contact of WeCom is written to with SendTextMsg_NoSrc");
    }
    call.taken(call.send(SentKind::Text, call.text("msg"), mentioned, None).is_some())
}

/// The service writes the names of those mentioned in front of the text by itself.
fn mention(call: &Call<'_>, ids: &str) -> Option<u64> {
    let nicks = call.members(ids)?;
    let names = call.text("nicknamelist");
    if !names.is_empty() && names.split(',').count() != nicks.len() {
        call.wrong("`nicknamelist` has not as many entries as `wxidlist`");
        return None;
    }
    let prefix: String = nicks.iter().map(|nick| format!("@{nick}\u{2005}")).collect();
    if call.text("msg").starts_with('@') {
        call.wrong("`msg` begins with a mention, which the service writes by itself");
    }
    call.send(SentKind::Text, &format!("{prefix}{}", call.text("msg")), nicks, None)
}

pub(super) fn at(call: &Call<'_>) -> Value {
    if call.form == 1 {
        let taken = mention(call, call.text("wxid")).is_some();
        return json!({"SendAtMsg": if taken { "1" } else { "0" }});
    }
    call.taken(mention(call, call.text("wxidlist")).is_some())
}

pub(super) fn at_with_id(call: &Call<'_>) -> Value {
    call.with_id(mention(call, call.text("wxidlist")))
}

pub(super) fn at_all(call: &Call<'_>) -> Value {
    let owner = call.state().town.room_with(call.text("gid")).map(|room| room.owner);
    if owner != Some(Who::Me) {
        return call.no();
    }
    let text = format!("@所有人\u{2005}{}", call.text("msg"));
    call.taken(call.send(SentKind::Text, &text, vec!["all".to_owned()], None).is_some())
}

pub(super) fn image(call: &Call<'_>) -> Value {
    call.of_file(SentKind::Image)
}

pub(super) fn file(call: &Call<'_>) -> Value {
    call.of_file(SentKind::File)
}

pub(super) fn video(call: &Call<'_>) -> Value {
    call.of_file(SentKind::Video)
}

pub(super) fn emoji(call: &Call<'_>) -> Value {
    call.of_file(SentKind::Emoji)
}

pub(super) fn voice(call: &Call<'_>) -> Value {
    let silk = |bytes: &[u8]| bytes.trim_prefix_byte().starts_with(b"#!SILK_V3");
    let good = match &call.file {
        Some(file) => silk(&file.bytes),
        None => call.text("voice_hex").to_ascii_lowercase().trim_start_matches("02").starts_with("232153494c4b5f5633"),
    };
    if !good {
        call.wrong("the voice is no SILK file");
        return call.with_id(None);
    }
    call.with_id(call.send(SentKind::Voice, "", Vec::new(), call.file.as_ref()))
}

/// WeChat's SILK files begin with a byte that others do not have.
trait SilkBytes {
    fn trim_prefix_byte(&self) -> &[u8];
}

impl SilkBytes for [u8] {
    fn trim_prefix_byte(&self) -> &[u8] {
        self.strip_prefix(&[2]).unwrap_or(self)
    }
}

pub(super) fn card(call: &Call<'_>) -> Value {
    if call.state().town.who_has(call.text("fromwxid")).is_none() {
        call.wrong("`fromwxid` is not the id of a person this account knows");
        return call.no();
    }
    call.simply(SentKind::Card, call.text("nickname"))
}

pub(super) fn link(call: &Call<'_>) -> Value {
    call.simply(SentKind::App, &format!("{} {}", call.text("title"), call.text("url")))
}

pub(super) fn xml(call: &Call<'_>) -> Value {
    call.simply(SentKind::App, call.first(&["xml", "content"]))
}

pub(super) fn quote(call: &Call<'_>) -> Value {
    call.simply(SentKind::App, call.text("title"))
}

pub(super) fn location(call: &Call<'_>) -> Value {
    call.simply(SentKind::Location, call.text("msg"))
}

pub(super) fn pat(call: &Call<'_>) -> Value {
    let nicks = call.members(call.text("wxid"));
    // The receiver is the room; `wxid` is the one who is patted.
    match nicks {
        None => call.no(),
        Some(nicks) => {
            let state = call.state();
            let to = state.town.chat(call.text("gid")).map(|chat| state.town.label(chat).to_owned());
            drop(state);
            call.hook.shared.book.heard(HeardEntry {
                account: call.instance.name.clone(),
                at_ms: call.hook.shared.book.now_ms(),
                to: to.unwrap_or_default(),
                room: true,
                kind: SentKind::Pat.name().to_owned(),
                text: String::new(),
                at: nicks,
                media: None,
                id: String::new(),
                revoked: false,
            });
            call.yes()
        }
    }
}

pub(super) fn diy(call: &Call<'_>) -> Value {
    let kind = match call.text("type") {
        "1" => SentKind::Text,
        "3" => SentKind::Image,
        "34" => SentKind::Voice,
        _ => SentKind::App,
    };
    call.simply(kind, call.text("msg"))
}

pub(super) fn cdn_image(call: &Call<'_>) -> Value {
    call.simply(SentKind::Image, call.text("fileid"))
}

pub(super) fn forward(call: &Call<'_>) -> Value {
    let id: u64 = call.first(&["msgid", "msgsvrid"]).parse().unwrap_or_default();
    let state = call.state();
    let own = state.sent.iter().find(|sent| sent.id == id).map(|sent| (sent.kind, sent.text.clone()));
    let heard = state.received.iter().find(|got| got.id == id).map(|got| (got.kind, got.text.clone()));
    drop(state);
    match own.or(heard) {
        None => {
            call.wrong("`msgid` is of no message of this account");
            call.no()
        }
        Some((SentKind::Voice, _)) => call.no(),
        Some((kind, text)) => call.simply(kind, &text),
    }
}

pub(super) fn revoke(call: &Call<'_>) -> Value {
    let id = if call.form == 0 { strict::number(call.body, "msg_svrid") } else { strict::number(call.body, "sid") };
    let mut state = call.state();
    let now_ms = call.hook.shared.book.now_ms();
    let found = state.sent.iter().position(|sent| sent.id == id);
    let Some(sent) = found.and_then(|at| state.sent.get(at)) else {
        call.wrong("the id is of no message that this account sent");
        return json!({"RevokeMsg": "撤回失败"});
    };
    let to = call.text("to_wxid");
    let mixed_up = !to.is_empty() && state.town.chat(to) != Some(sent.to);
    let late = sent.at_ms + REVOKE_MS < now_ms;
    if mixed_up {
        call.wrong("`to_wxid` is not where the message went");
    }
    if mixed_up || late {
        return json!({"RevokeMsg": "撤回失败"});
    }
    found.map(|at| state.sent.remove(at));
    drop(state);
    call.hook.shared.book.revoked(&call.instance.name, &id.to_string());
    if call.form == 0 { json!({"RevokeMsg": "已撤回"}) } else { json!({"success": "1"}) }
}

pub(super) fn message_struct(call: &Call<'_>) -> Value {
    let id: u64 = call.text("msg_id").parse().unwrap_or_default();
    let state = call.state();
    match state.sent.iter().find(|sent| sent.id == id) {
        Some(sent) => {
            json!({"msgtype": sent.kind.name(), "towxid": state.town.label(sent.to), "content": sent.text})
        }
        None => call.no(),
    }
}

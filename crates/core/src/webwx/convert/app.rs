//! What did an app share? Type 49: by `AppMsgType`, or by `<appmsg><type>` where that is 0.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use wxbot_model::{
    App, ChatRecord, Content, Direction, File, Link, LiveShare, Location, MediaHandle, MediaKind, MiniProgram, Music,
    Quote, Quoted, RecordItem, RoomInvitation, Transfer, TransferStage,
};

use super::Place;
use super::content::media;
use crate::webwx::text::{name, pattern, text, unescape_once};
use crate::webwx::wire::addmsg::AddMsg;
use crate::webwx::xml::{self, Node};

/// `AppMsgType` of a red packet, which may come as a text message too.
pub(super) const RED_PACKET: i64 = 2001;
/// Several articles of an official account.
const READER: i64 = 100_001;

/// An app message: the envelope's fields, and the XML as far as it can be read.
struct Shared<'a> {
    msg: &'a AddMsg,
    at: &'a Place<'a>,
    app: Node,
    title: String,
    description: String,
    url: String,
    raw: String,
}

/// Decodes an app message.
pub(super) fn content(msg: &AddMsg, at: &Place<'_>) -> Content {
    let raw = text(at.body);
    let app = xml::parse(&raw).ok().and_then(app_node).unwrap_or_default();
    let app_type = match msg.app_msg_type {
        0 => app.words("type").parse().unwrap_or(0),
        stated => stated,
    };
    let or = |own: &str, stated: String| if own.is_empty() { stated } else { own.to_owned() };
    let shared = Shared {
        title: or(app.words("title"), name(&msg.file_name)),
        description: app.words("des").to_owned(),
        url: or(app.words("url"), unescape_once(&msg.url).into_owned()),
        msg,
        at,
        app,
        raw,
    };
    if app_type == 0 && shared.title.is_empty() && shared.url.is_empty() {
        return Content::Unknown { msg_type: 49, raw: at.body.to_owned() };
    }
    shared.by_type(app_type).unwrap_or_else(|| Content::App(shared.other(app_type)))
}

/// A text of `newsapp`: articles as XML that nobody typed.
pub(super) fn news(text: &str) -> Option<App> {
    let root = xml::parse(text).ok()?;
    let item = first_item(&root)?;
    Some(App {
        app_type: READER,
        title: item.words("title").to_owned(),
        description: item.words("digest").to_owned(),
        url: item.words("url").to_owned(),
        raw: text.to_owned(),
    })
}

/// A red packet, whichever way it came.
pub(super) fn red_packet(note: String, from_self: bool) -> Content {
    let direction = if from_self { Direction::Sent } else { Direction::Received };
    Content::RedPacket { note, direction: Some(direction) }
}

/// `<msg><appmsg>…` or the inner element alone.
fn app_node(root: Node) -> Option<Node> {
    if root.name == "appmsg" {
        return Some(root);
    }
    root.children.into_iter().find(|child| child.name == "appmsg")
}

/// `<mmreader><category><item>` below whatever there is.
fn first_item(root: &Node) -> Option<&Node> {
    let reader = if root.name == "mmreader" { root } else { root.child("mmreader").unwrap_or(root) };
    let category = if reader.name == "category" { reader } else { reader.child("category")? };
    category.child("item").or_else(|| category.child("newitem"))
}

impl Shared<'_> {
    /// `None` for types that are not known, or miss the part that makes them what they are.
    fn by_type(&self, app_type: i64) -> Option<Content> {
        Some(match app_type {
            3 => Content::Music(self.music()),
            5 => self.invitation().map_or_else(|| Content::Link(self.link()), Content::RoomInvitation),
            6 => Content::File(self.file()),
            8 => Content::Sticker {
                md5: self.app.child("appattach").map(|attach| attach.words("emoticonmd5")).unwrap_or_default().into(),
                media: Some(media(self.at, MediaKind::Sticker, self.total_len())),
                gesture: None,
            },
            17 => Content::Location(Location {
                label: self.title.clone(),
                live: Some(LiveShare::Started),
                ..Location::default()
            }),
            19 => Content::ChatRecord(self.record()?),
            33 | 36 => Content::MiniProgram(self.mini_program()?),
            57 => Content::Quote(self.quote()?),
            2000 => Content::Transfer(self.transfer()?),
            RED_PACKET => red_packet(self.red_packet_note(), self.at.from_self),
            _ => return None,
        })
    }

    fn other(&self, app_type: i64) -> App {
        // Several articles: the first one stands for all, the rest is in the raw form.
        let article = first_item(&self.app).filter(|_| self.description.is_empty());
        let or =
            |own: &str, of: &str| if own.is_empty() { article.map_or("", |a| a.words(of)) } else { own }.to_owned();
        App {
            app_type,
            title: or(&self.title, "title"),
            description: or(&self.description, "digest"),
            url: or(&self.url, "url"),
            raw: self.raw.clone(),
        }
    }

    fn total_len(&self) -> Option<u64> {
        self.app.child("appattach")?.words("totallen").parse().ok()
    }

    fn link(&self) -> Link {
        Link {
            title: self.title.clone(),
            description: self.description.clone(),
            url: self.url.clone(),
            thumb_url: self.app.words("thumburl").to_owned(),
        }
    }

    fn music(&self) -> Music {
        let app_id = self.app.attr("appid").unwrap_or_default();
        Music {
            title: self.title.clone(),
            description: self.description.clone(),
            url: self.url.clone(),
            data_url: self.app.words("dataurl").to_owned(),
            thumb_url: self.app.words("thumburl").to_owned(),
            app_id: if app_id.is_empty() { &self.msg.app_info.app_id } else { app_id }.to_owned(),
        }
    }

    /// All that webwxgetmedia asks for later stands in the envelope, so a broken XML loses no file.
    fn file(&self) -> File {
        let msg = self.msg;
        let len = msg.file_size.trim().parse().ok().or_else(|| self.total_len());
        let params = [
            (MediaHandle::MEDIA_ID, &msg.media_id),
            (MediaHandle::ENCRY_FILE_NAME, &msg.encry_file_name),
            (MediaHandle::FILE_NAME, &msg.file_name),
            (MediaHandle::FROM_USER_NAME, &msg.from_user_name),
        ];
        let params = params.into_iter().filter(|(_, value)| !value.is_empty());
        let media = MediaHandle {
            params: params.map(|(word, value)| (word.to_owned(), value.clone())).collect(),
            ..media(self.at, MediaKind::File, len)
        };
        File { name: self.title.clone(), len, media }
    }

    fn mini_program(&self) -> Option<MiniProgram> {
        let program = self.app.child("weappinfo")?;
        let username = program.words("username");
        Some(MiniProgram {
            title: self.title.clone(),
            app_id: program.words("appid").to_owned(),
            page_path: program.words("pagepath").to_owned(),
            username: if username.is_empty() { self.app.words("sourceusername") } else { username }.to_owned(),
            source: self.app.words("sourcedisplayname").to_owned(),
            url: self.url.clone(),
        })
    }

    fn quote(&self) -> Option<Quote> {
        let refer = self.app.child("refermsg")?;
        let said = refer.words("content");
        let (kind, text) = match refer.words("type") {
            "49" => quoted_app(said),
            "1" => ("text", said.to_owned()),
            other => (msg_word(other), String::new()),
        };
        let kind = if kind.is_empty() { refer.words("type") } else { kind };
        Some(Quote {
            text: self.title.clone(),
            quoted: Quoted {
                msg: refer.words("svrid").parse().ok(),
                sender: refer.words("displayname").to_owned(),
                kind: kind.to_owned(),
                text,
            },
        })
    }

    fn record(&self) -> Option<ChatRecord> {
        let info = xml::parse(self.app.words("recorditem")).ok()?;
        let list = info.child("datalist")?;
        let items = list.children.iter().filter(|item| item.name == "dataitem");
        Some(ChatRecord {
            title: self.title.clone(),
            left_out: items.clone().count().saturating_sub(ChatRecord::MAX),
            items: items.take(ChatRecord::MAX).map(record_item).collect(),
        })
    }

    fn transfer(&self) -> Option<Transfer> {
        let pay = self.app.child("wcpayinfo")?;
        let id = pay.words("transferid");
        Some(Transfer {
            amount: pay.words("feedesc").to_owned(),
            note: pay.words("pay_memo").to_owned(),
            description: self.description.clone(),
            stage: match pay.words("paysubtype") {
                "1" => Some(TransferStage::Sent),
                "3" => Some(TransferStage::Accepted),
                "4" => Some(TransferStage::Returned),
                _ => None,
            },
            id: if id.is_empty() { pay.words("transcationid") } else { id }.to_owned(),
        })
    }

    /// What the sender wrote on it, else the title.
    fn red_packet_note(&self) -> String {
        let pay = self.app.child("wcpayinfo");
        let words = |name: &str| pay.map(|pay| pay.words(name)).unwrap_or_default();
        let notes = [words("receivertitle"), words("sendertitle"), self.title.as_str()];
        notes.into_iter().find(|note| !note.is_empty()).unwrap_or_default().to_owned()
    }

    fn invitation(&self) -> Option<RoomInvitation> {
        static FORMS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
            [
                pattern(r#"^["“](?<inviter>.+?)["”]邀请你加入群聊(?<topic>.*?)[，,]进入可查看详情"#),
                pattern(
                    r#"^["“]?(?<inviter>.+?)["”]? invited you to join the group chat ["“]?(?<topic>.*?)["”]?\. Enter to view details"#,
                ),
            ]
        });
        if !["邀请你加入群聊", "Group Chat Invitation"].contains(&self.title.as_str()) {
            return None;
        }
        let found = FORMS.iter().find_map(|form| form.captures(&self.description));
        let part = |group: &str| {
            let named = |found: &Captures<'_>| found.name(group).map(|part| part.as_str().trim().to_owned());
            found.as_ref().and_then(named).filter(|part| !part.is_empty())
        };
        Some(RoomInvitation {
            inviter: part("inviter"),
            topic: part("topic"),
            description: self.description.clone(),
            url: self.url.clone(),
        })
    }
}

fn record_item(item: &Node) -> RecordItem {
    let said = item.words("datadesc");
    RecordItem {
        sender: item.words("sourcename").to_owned(),
        time: item.words("sourcetime").to_owned(),
        text: if said.is_empty() { item.words("datatitle") } else { said }.to_owned(),
        data_type: item.attr("datatype").and_then(|number| number.parse().ok()).unwrap_or(0),
    }
}

/// The word and title of a quoted app message, whose content is XML once more.
fn quoted_app(content: &str) -> (&'static str, String) {
    let Some(app) = xml::parse(content).ok().and_then(app_node) else { return ("app", String::new()) };
    let word = match app.words("type") {
        "3" => "music",
        "5" => "link",
        "6" => "file",
        "8" => "sticker",
        "17" => "location",
        "19" => "chat_record",
        "33" | "36" => "mini_program",
        "57" => "quote",
        "2000" => "transfer",
        "2001" => "red_packet",
        _ => "app",
    };
    (word, app.words("title").to_owned())
}

/// The word of a quoted message by its `MsgType`; empty when it has none.
fn msg_word(msg_type: &str) -> &'static str {
    match msg_type {
        "3" => "image",
        "34" => "voice",
        "42" => "card",
        "43" | "44" | "62" => "video",
        "47" => "sticker",
        "48" => "location",
        "50" | "52" | "53" => "call",
        "10000" => "system",
        _ => "",
    }
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;

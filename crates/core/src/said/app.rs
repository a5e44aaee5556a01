//! What did an app share? Type 49: by `AppMsgType`, or by `<appmsg><type>` where that is 0.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use wxbot_model::{
    App, ChatRecord, Content, Direction, File, Link, LiveShare, Location, MediaHandle, MediaKind, MiniProgram, Music,
    Quote, Quoted, RecordItem, RoomInvitation, Transfer, TransferStage,
};

use super::text::pattern;
use super::xml::{self, Node};

/// `AppMsgType` of a red packet, which may come as a text message too.
pub const RED_PACKET: i64 = 2001;
/// Several articles of an official account.
const READER: i64 = 100_001;

/// What is known of an app message besides its XML. What a protocol does not say stays empty.
#[derive(Default)]
pub struct Envelope<'a> {
    /// `AppMsgType`; 0 when only the XML says it.
    pub app_type: i64,
    /// The title, where the XML has none.
    pub title: String,
    /// The page, likewise.
    pub url: String,
    /// The app that shared it, likewise.
    pub app_id: &'a str,
    /// Bytes of a file, before what the XML says.
    pub len: Option<u64>,
    /// We sent it.
    pub from_self: bool,
}

impl fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope(type {}, from_self {})", self.app_type, self.from_self)
    }
}

/// An app message: the envelope's fields, and the XML as far as it can be read.
struct Shared<'a> {
    envelope: Envelope<'a>,
    media: &'a dyn Fn(MediaKind, Option<u64>) -> MediaHandle,
    app: Node,
    title: String,
    description: String,
    url: String,
    raw: String,
}

/// Decodes an app message out of its XML, `raw`, which `tree` was read from. `media` makes a handle on its bytes. `None`
/// when nothing says what it is.
pub fn content(
    raw: String,
    tree: Option<Node>,
    envelope: Envelope<'_>,
    media: &dyn Fn(MediaKind, Option<u64>) -> MediaHandle,
) -> Option<Content> {
    let app = tree.and_then(app_node).unwrap_or_default();
    let app_type = match envelope.app_type {
        0 => app.words("type").parse().unwrap_or(0),
        stated => stated,
    };
    let or = |own: &str, stated: &str| if own.is_empty() { stated } else { own }.to_owned();
    let shared = Shared {
        title: or(app.words("title"), &envelope.title),
        description: app.words("des").to_owned(),
        url: or(app.words("url"), &envelope.url),
        envelope,
        media,
        app,
        raw,
    };
    if app_type == 0 && shared.title.is_empty() && shared.url.is_empty() {
        return None;
    }
    Some(shared.by_type(app_type).unwrap_or_else(|| Content::App(shared.other(app_type))))
}

/// A text of `newsapp`: articles as XML that nobody typed.
pub fn news(text: &str) -> Option<App> {
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
pub fn red_packet(note: String, from_self: bool) -> Content {
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
                media: Some((self.media)(MediaKind::Sticker, self.total_len())),
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
            RED_PACKET => red_packet(self.red_packet_note(), self.envelope.from_self),
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
            app_id: if app_id.is_empty() { self.envelope.app_id } else { app_id }.to_owned(),
        }
    }

    fn file(&self) -> File {
        let len = self.envelope.len.or_else(|| self.total_len());
        File { name: self.title.clone(), len, media: (self.media)(MediaKind::File, len) }
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
pub(crate) fn quoted_app(content: &str) -> (&'static str, String) {
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

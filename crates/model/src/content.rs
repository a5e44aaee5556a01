//! What do the richer kinds of message hold? One struct per kind of [`Content`](crate::Content) that has more than two facts.
//!
//! All texts are as people see them: escapes and emoji decoded. A text that the service did not give is empty; an id or
//! a number that it did not give is `None`. Addresses (`url`) come from whoever sent the message: opening one tells
//! its owner so.

use serde::{Deserialize, Serialize};

use crate::contact::Sex;
use crate::id::{MsgId, PeerId};
use crate::message::MediaHandle;

/// A place, or the beginning or end of sharing one's live place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Location {
    /// Where it is; `None` for live places and for the old form, which is only a link.
    pub point: Option<Point>,
    /// The address as text; for live places what the chat shows.
    pub label: String,
    /// The name of the place; empty when it has none.
    pub name: String,
    /// A page with a map; empty when there is none.
    pub url: String,
    /// For live places: whether the sharing began or ended.
    pub live: Option<LiveShare>,
}

/// Sharing one's live place with a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LiveShare {
    /// Somebody began; others may join in.
    Started,
    /// Nobody shares any more.
    Ended,
}

/// A point on the map, to a millionth of a degree, which is finer than the service gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "PointJson", into = "PointJson")]
pub struct Point {
    lat_e6: i32,
    lon_e6: i32,
}

#[derive(Serialize, Deserialize)]
struct PointJson {
    lat: f64,
    lon: f64,
}

impl Point {
    /// The point at these degrees; `None` when there is no such place on earth.
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        let within = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        #[expect(clippy::cast_possible_truncation, reason = "at most 180 million")]
        let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
        within.then(|| Self { lat_e6: e6(lat), lon_e6: e6(lon) })
    }

    /// Degrees north.
    pub fn lat(self) -> f64 {
        f64::from(self.lat_e6) / 1e6
    }

    /// Degrees east.
    pub fn lon(self) -> f64 {
        f64::from(self.lon_e6) / 1e6
    }
}

impl From<Point> for PointJson {
    fn from(point: Point) -> Self {
        Self { lat: point.lat(), lon: point.lon() }
    }
}

impl TryFrom<PointJson> for Point {
    type Error = &'static str;

    fn try_from(json: PointJson) -> Result<Self, Self::Error> {
        Self::new(json.lat, json.lon).ok_or("no place on earth has these degrees")
    }
}

/// What a moving sticker shows when it is a game: the service drew it, the sender did not choose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Gesture {
    /// Dice, 1–6.
    Dice(u8),
    /// Rock, paper, scissors (猜拳).
    Scissors,
    /// Rock, paper, scissors (猜拳).
    Rock,
    /// Rock, paper, scissors (猜拳).
    Paper,
}

/// A contact that somebody recommends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Card {
    /// The contact's id in this login: a friend request can be sent to it.
    pub user: Option<PeerId>,
    /// The name the contact gave itself.
    pub nick_name: String,
    /// The contact's WeChat id; empty when not shown.
    pub alias: String,
    /// Region.
    pub province: String,
    /// Region.
    pub city: String,
    /// Stated sex.
    pub sex: Sex,
    /// Profile text.
    pub signature: String,
    /// True for an official account (公众号).
    pub official: bool,
}

/// A shared page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// The headline.
    pub title: String,
    /// The text below it.
    pub description: String,
    /// The page.
    pub url: String,
    /// The small picture's public address; empty when there is none.
    pub thumb_url: String,
}

/// A shared piece of music.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Music {
    /// The piece.
    pub title: String,
    /// Usually who plays it.
    pub description: String,
    /// A page about it.
    pub url: String,
    /// The sound itself.
    pub data_url: String,
    /// The cover's public address; empty when there is none.
    pub thumb_url: String,
    /// The app that shared it.
    pub app_id: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name as the sender wrote it: for people to read, never to be used as a path.
    pub name: String,
    /// Its size in bytes as stated by the sender; a label, never an allocation size.
    pub len: Option<u64>,
    /// Where the bytes are.
    pub media: MediaHandle,
}

/// A mini program (小程序).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MiniProgram {
    /// The headline of the card.
    pub title: String,
    /// `wx…`, the id of the program.
    pub app_id: String,
    /// The page that opens.
    pub page_path: String,
    /// `gh_…@app`, the account that the program belongs to.
    pub username: String,
    /// The program's name.
    pub source: String,
    /// What clients without mini programs open.
    pub url: String,
}

/// A text that answers another message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Quote {
    /// What was typed.
    pub text: String,
    /// What it answers.
    pub quoted: Quoted,
}

/// The message that a [`Quote`] answers. It comes from whoever quotes: do not take it as proof that it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Quoted {
    /// Its id.
    pub msg: Option<MsgId>,
    /// The name of who said it.
    pub sender: String,
    /// Its kind in the words of [`Content::kind`](crate::Content::kind); a number when it has none there.
    pub kind: String,
    /// Its text or title; empty for pictures and the like.
    pub text: String,
}

/// Messages of another chat, forwarded together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRecord {
    /// The headline, like `群聊的聊天记录`.
    pub title: String,
    /// The first [`MAX`](Self::MAX) messages.
    pub items: Vec<RecordItem>,
    /// How many more there are.
    pub left_out: usize,
}

impl ChatRecord {
    /// How many messages are kept; the phone forwards no more than 100 together.
    pub const MAX: usize = 100;
}

/// One message of a [`ChatRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordItem {
    /// The name of who said it.
    pub sender: String,
    /// When, as the phone writes it: `2021-01-01 10:00:00`, in the sender's time zone.
    pub time: String,
    /// The text or title; empty for pictures and the like.
    pub text: String,
    /// `datatype` of the protocol, 1 for text.
    pub data_type: i64,
}

/// Money in or out, seen from our account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To us.
    Received,
    /// From us.
    Sent,
}

/// A transfer of money; nothing in wxbot can accept or return one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfer {
    /// The amount with its currency as text, like `￥0.10`.
    pub amount: String,
    /// What the sender wrote to it.
    pub note: String,
    /// What the chat shows.
    pub description: String,
    /// How far it is; `None` when the service says something new.
    pub stage: Option<TransferStage>,
    /// The service's id of the transfer: the same in all of its stages.
    pub id: String,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TransferStage {
    /// On its way (`paysubtype` 1).
    Sent,
    /// Taken (3).
    Accepted,
    /// Sent back (4).
    Returned,
}

/// Somebody invites us into a room; we are not in it yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomInvitation {
    /// The name of who invites; `None` when the text does not say it in a known way.
    pub inviter: Option<String>,
    /// The room's topic, likewise.
    pub topic: Option<String>,
    /// The whole text.
    pub description: String,
    /// The page that accepts it. Whoever has it can enter the room in our name.
    pub url: String,
}

/// Something that another app shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// `AppMsgType` of the protocol, or the inner `<type>` where that is 0.
    pub app_type: i64,
    /// The headline.
    pub title: String,
    /// The text below it.
    pub description: String,
    /// The page that opens.
    pub url: String,
    /// The whole `<msg>`, for what is not decoded here.
    pub raw: String,
}

/// A voice or video call; it can only be answered on the phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What happened to it.
    pub state: CallState,
    /// What the chat shows; often empty.
    pub text: String,
    /// All that the service sent, for what is not decoded here.
    pub raw: String,
}

/// What happened to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallState {
    /// It rings (type 53, and 50 with an invitation in it).
    Invited,
    /// It is over (type 52, and 50 with its length).
    Ended,
    /// Nobody took it, or somebody refused.
    Missed,
    /// There is a call, and the service says no more.
    Unstated,
}

impl CallState {
    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Ended => "ended",
            Self::Missed => "missed",
            Self::Unstated => "unstated",
        }
    }
}

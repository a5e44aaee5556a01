//! What can a test harness in another process order: the control API under `/__sim/`?
//!
//! JSON in, JSON out; unknown fields are errors; a refusal is a 4xx with `{"error": …}`.
//!
//! | order | body | answer |
//! |---|---|---|
//! | `GET world`, `journal`, `summary`, `violations` | | accounts with their present UserNames; [`Journal`](crate::Journal); [`Summary`](crate::Summary); [`Violation`](crate::Violation)s |
//! | `GET pending` | | `{uuids: […], prompts: [{uuid, account}]}`: codes nobody scanned, push logins nobody confirmed |
//! | `GET journal?since_ms=…` | | the same, with syncs, sends and told messages from then on |
//! | `POST accounts` | [`AccountSpec`] | `{}` |
//! | `POST scan`, `approve` | `{uuid, account}` | `{}`; approve scans and confirms |
//! | `POST confirm`, `cancel`, `expire_qr` | `{uuid}` | `{}` |
//! | `POST messages` | `{account, from, room?, text? \| content? \| said?, msg_type?, fields?, own?, count?}` | `{msg_ids: […]}` |
//! | `POST recall` | `{account, msg_id}` | `{msg_id}` of the message that says so |
//! | `POST expire`, `kick` | `{account, ret}`, `{account}` | `{}` |
//! | `POST room` | `{account, room, change}`; a [`RoomChange`] like `{"join": "nick"}` | `{}` |
//! | `POST friend` | `{account, set: FriendSpec}` or `{account, remove: nick}` | `{}` |
//! | `POST friend_request` | `{account, from: FriendSpec, greeting?}` | `{msg_id}` of the type 37 |
//! | `POST friend_accept` | `{account, nick}`: whom the account asked | `{}` |
//! | `POST friend_reject` | `{account, nick, how: "deleted" \| "blocked"}` | `{}` |
//! | `POST marks` | `{account, marks: "own" \| "absent" \| "shared"}` | `{}` |
//! | `GET media?md5=…` | | the bytes |
//! | `GET hostile_names` | | file names that are dangerous to take at their word |
//! | `POST faults`, `DELETE faults` | [`Fault`] like `{"endpoint": "webwxsync", "kind": "drop"}` | `{}` |
//! | `POST chatter` | [`Chatter`] | [`ChatterReport`](crate::ChatterReport), when all is said |
//! | `POST load` | [`LoadPlan`] | [`LoadReport`](crate::LoadReport), when the run is over |

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Sim;
use crate::account::Marks;
use crate::chatter::Chatter;
use crate::fault::Fault;
use crate::friends::Rejection;
use crate::load::LoadPlan;
use crate::names::Peer;
use crate::phone::Deliver;
use crate::request::{Answer, Request};
use crate::roomlife::RoomChange;
use crate::said::Said;
use crate::service::orders::{Refusal, done, read, shown};
use crate::world::{AccountSpec, FriendSpec};

/// Messages that one order may deliver.
const MAX_COUNT: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    uuid: String,
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uuid {
    uuid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    account: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    msg_type: Option<i64>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    said: Option<Said>,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    own: bool,
    #[serde(default = "one")]
    count: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recall {
    account: String,
    msg_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    account: String,
    ret: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Room {
    account: String,
    room: String,
    change: RoomChange,
}

/// Either a friend to add or change, or the nick of one to remove.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Friend {
    account: String,
    #[serde(default)]
    set: Option<FriendSpec>,
    #[serde(default)]
    remove: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendRequest {
    account: String,
    from: FriendSpec,
    #[serde(default)]
    greeting: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendAccept {
    account: String,
    nick: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FriendReject {
    account: String,
    nick: String,
    how: Rejection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetMarks {
    account: String,
    marks: Marks,
}

impl Sim {
    /// Carries out an order; `order` is the path behind `/__sim/`.
    pub(crate) async fn control(&self, order: &str, request: &Request) -> Answer {
        // A browser sends Origin with what a page asks for: no page on this machine may drive the simulator.
        if request.headers.contains_key(http::header::ORIGIN) {
            return answer(403, &json!({"error": "requests of web pages are refused"}));
        }
        if order == "media" && request.method == Method::GET {
            return match request.query().get("md5").and_then(|md5| self.media(md5)) {
                Some(bytes) => Answer::new(200, "application/octet-stream", bytes),
                None => answer(404, &json!({"error": "no media with this md5"})),
            };
        }
        match self.order(order, request).await {
            Ok(done) => answer(200, &done),
            Err(Refusal(status, error)) => answer(status, &json!({"error": error})),
        }
    }

    async fn order(&self, order: &str, request: &Request) -> Result<Value, Refusal> {
        let (get, post, delete) =
            (request.method == Method::GET, request.method == Method::POST, request.method == Method::DELETE);
        match order {
            "world" if get => Ok(self.world_seen()),
            "pending" if get => {
                let prompts = self.pending_prompts().into_iter();
                let prompts: Vec<Value> =
                    prompts.map(|(uuid, account)| json!({"uuid": uuid, "account": account})).collect();
                Ok(json!({"uuids": self.pending_uuids(), "prompts": prompts}))
            }
            "journal" if get => {
                let since = request.query().get("since_ms").and_then(|text| text.parse().ok());
                shown(&self.journal_since(since.unwrap_or(0)))
            }
            "summary" if get => shown(&self.summary()),
            "violations" if get => shown(&self.violations()),
            "accounts" if post => done(self.add_account(read::<AccountSpec>(request)?)),
            "scan" if post => {
                let Scan { uuid, account } = read(request)?;
                done(self.scan(&uuid, &account))
            }
            "approve" if post => {
                let Scan { uuid, account } = read(request)?;
                self.scan(&uuid, &account)?;
                done(self.confirm(&uuid))
            }
            "confirm" if post => done(self.confirm(&read::<Uuid>(request)?.uuid)),
            "cancel" if post => done(self.cancel(&read::<Uuid>(request)?.uuid)),
            "expire_qr" if post => done(self.expire_qr(&read::<Uuid>(request)?.uuid)),
            "messages" if post => self.order_messages(read(request)?),
            "recall" if post => {
                let Recall { account, msg_id } = read(request)?;
                Ok(json!({"msg_id": self.recall(&account, &msg_id)?}))
            }
            "expire" if post => {
                let Expire { account, ret } = read(request)?;
                done(self.expire(&account, ret))
            }
            "kick" if post => done(self.kick(&read::<Account>(request)?.account)),
            "room" if post => {
                let Room { account, room, change } = read(request)?;
                done(self.change_room(&account, &room, change))
            }
            "friend" if post => match read(request)? {
                Friend { account, set: Some(friend), remove: None } => done(self.set_friend(&account, friend)),
                Friend { account, set: None, remove: Some(nick) } => done(self.remove_friend(&account, &nick)),
                Friend { .. } => Err(Refusal(400, "either `set` or `remove`".to_owned())),
            },
            "friend_request" if post => {
                let FriendRequest { account, from, greeting } = read(request)?;
                Ok(json!({"msg_id": self.request_friend(&account, from, &greeting)?}))
            }
            "friend_accept" if post => {
                let FriendAccept { account, nick } = read(request)?;
                done(self.accept_friend(&account, &nick))
            }
            "friend_reject" if post => {
                let FriendReject { account, nick, how } = read(request)?;
                done(self.rejected_by(&account, &nick, how))
            }
            "marks" if post => {
                let SetMarks { account, marks } = read(request)?;
                done(self.set_marks(&account, marks))
            }
            "hostile_names" if get => shown(&crate::said::hostile_file_names()),
            "faults" if post => {
                self.inject(read::<Fault>(request)?);
                Ok(json!({}))
            }
            "faults" if delete => {
                self.clear_faults();
                Ok(json!({}))
            }
            "chatter" if post => shown(&self.chatter(read::<Chatter>(request)?).await?),
            "load" if post => shown(&self.load(read::<LoadPlan>(request)?).await?),
            _ => Err(Refusal(404, format!("no order `{} /__sim/{order}`", request.method))),
        }
    }

    fn order_messages(&self, order: Messages) -> Result<Value, Refusal> {
        let Messages { account, from, room, text, msg_type, content, said, fields, own, count } = order;
        if count > MAX_COUNT {
            return Err(Refusal(400, format!("`count` is at most {MAX_COUNT}")));
        }
        let message = Deliver { from, room, text, msg_type, content, said, fields, own };
        let ids = (0..count).map(|_| self.deliver(&account, message.clone())).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"msg_ids": ids}))
    }

    /// The accounts as they are now, with the names of their present logins.
    fn world_seen(&self) -> Value {
        let accounts: Vec<Value> = self
            .accounts()
            .iter()
            .map(|account| {
                let state = account.lock();
                let friends = state.people.iter().enumerate().filter(|(_, person)| person.friend);
                let friends: Vec<Value> = friends
                    .map(|(at, person)| {
                        json!({
                            "nick": person.spec.nick, "remark": person.spec.remark, "official": person.spec.official,
                            "account": person.spec.account, "pinned": person.pinned,
                            "wxid": person.wxid, "user_name": state.names.of(Peer::Person(at)),
                        })
                    })
                    .collect();
                let rooms = state.rooms.iter().enumerate().filter(|(_, room)| !room.left);
                let rooms: Vec<Value> = rooms
                    .map(|(at, room)| {
                        json!({
                            "topic": room.topic, "saved": room.saved, "user_name": state.names.of(Peer::Room(at)),
                            "id": room.chatroom_id, "owner": state.label(room.owner), "pinned": room.pinned,
                            "members": room.members.iter().map(|member| state.label(member.who)).collect::<Vec<_>>(),
                        })
                    })
                    .collect();
                json!({
                    "name": account.name, "nick": state.nick, "uin": account.uin, "online": account.is_online(),
                    "logins": state.generation, "user_name": state.names.me, "friends": friends, "rooms": rooms,
                })
            })
            .collect();
        json!({"seed": self.world().seed, "accounts": accounts})
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::new(status, "application/json", body.to_string())
}

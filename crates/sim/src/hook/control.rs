//! What can be ordered under `/__sim/` of an instance's port?
//!
//! | order | body | answer |
//! |---|---|---|
//! | `GET world`, `journal`, `violations` | | instances with their ids; [`ServiceJournal`](crate::ServiceJournal); [`Violation`](crate::Violation)s |
//! | `POST say` | `{account, say: {from, room?, text? \| said? \| msg?, msg_type?, own?, with_status?}, count?}` | `{ids: […]}` |
//! | `POST recall` | `{account, id}` | `{id}` of the message that says so |
//! | `POST room` | `{account, room, change}`: `join`, `leave`, `rename` | `{}` |
//! | `POST friend_request` | `{account, from, greeting?}` | `{id}` of the type 37 |
//! | `POST switch_chat` | `{account, to}` | `{}` |
//! | `POST invite_result` | `{account, room, text}` | `{}` |
//! | `POST logout`, `login`, `restart` | `{account}` | `{}` |
//! | `POST sloppy` | `{account, sloppy}` | `{}` |
//! | `POST faults`, `push_faults`, `DELETE faults` | [`Fault`], [`PushFault`] | `{}` |

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::SimError;
use crate::fault::Fault;
use crate::hook::entry::Sloppy;
use crate::hook::login::Login;
use crate::hook::people::{HookRoomChange, HookSay};
use crate::hook::{HookSim, PushMode};
use crate::request::Request;
use crate::service::orders::{Refusal, done, read, shown, unknown};
use crate::service::outbox::PushFault;
use crate::world::FriendSpec;

/// Messages that one order may say.
const MAX_COUNT: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    account: String,
    say: HookSay,
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
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Room {
    account: String,
    room: String,
    change: HookRoomChange,
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
struct Switch {
    account: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InviteResult {
    account: String,
    room: String,
    #[serde(default = "fine")]
    text: String,
}

fn fine() -> String {
    "Everything is OK".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: String,
    #[serde(default)]
    state: Option<Login>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSloppy {
    account: String,
    sloppy: Sloppy,
}

impl HookSim {
    pub(super) async fn order(&self, order: &str, request: &Request) -> Result<Value, Refusal> {
        let (get, post) = (request.method == Method::GET, request.method == Method::POST);
        match order {
            "world" if get => Ok(self.world_seen()),
            "journal" if get => shown(&self.journal()),
            "violations" if get => shown(&self.violations()),
            "settled" if get => {
                self.settled().await;
                Ok(json!({}))
            }
            "say" if post => {
                let Say { account, say, count } = read(request)?;
                if count > MAX_COUNT {
                    return Err(Refusal(400, format!("`count` is at most {MAX_COUNT}")));
                }
                let ids: Result<Vec<String>, SimError> = (0..count).map(|_| self.say(&account, say.clone())).collect();
                Ok(json!({"ids": ids?}))
            }
            "recall" if post => {
                let Recall { account, id } = read(request)?;
                Ok(json!({"id": self.recall(&account, &id)?}))
            }
            "room" if post => {
                let Room { account, room, change } = read(request)?;
                done(self.change_room(&account, &room, change))
            }
            "friend_request" if post => {
                let FriendRequest { account, from, greeting } = read(request)?;
                Ok(json!({"id": self.friend_request(&account, &from, &greeting)?}))
            }
            "switch_chat" if post => {
                let Switch { account, to } = read(request)?;
                done(self.switch_chat(&account, &to))
            }
            "invite_result" if post => {
                let InviteResult { account, room, text } = read(request)?;
                done(self.invite_result(&account, &room, &text))
            }
            "logout" if post => done(self.logout(&read::<Account>(request)?.account)),
            "login" if post => {
                let Account { account, state } = read(request)?;
                done(self.set_login(&account, state.unwrap_or(Login::In)))
            }
            "restart" if post => done(self.restart(&read::<Account>(request)?.account)),
            "sloppy" if post => {
                let SetSloppy { account, sloppy } = read(request)?;
                done(self.set_sloppy(&account, sloppy))
            }
            "faults" if post => {
                self.inject(read::<Fault>(request)?);
                Ok(json!({}))
            }
            "push_faults" if post => {
                self.inject_push(&read::<PushFault>(request)?);
                Ok(json!({}))
            }
            "faults" if request.method == Method::DELETE => {
                self.clear_faults();
                Ok(json!({}))
            }
            _ => Err(unknown(order, &request.method)),
        }
    }

    /// Where an account's JSON is sloppy from now on.
    pub fn set_sloppy(&self, account: &str, sloppy: Sloppy) -> Result<(), SimError> {
        self.instance(account)?.state().sloppy = sloppy;
        Ok(())
    }

    fn world_seen(&self) -> Value {
        let instances = self.shared.instances.iter().map(|instance| {
            let state = instance.state();
            let town = &state.town;
            let people = town.people.iter().map(|one| json!({"nick": one.nick, "wxid": one.id, "friend": one.friend}));
            let rooms = town.rooms.iter().filter(|room| !room.left).map(|room| {
                let members = room.members.iter().map(|member| town.nick_of(member.who));
                json!({"topic": room.topic, "gid": room.id, "members": members.collect::<Vec<_>>(),
                       "notice": room.notice, "remark": room.remark})
            });
            json!({
                "account": instance.name, "port": instance.port.load(std::sync::atomic::Ordering::Acquire),
                "wxid": town.me, "nick": town.nick, "login": state.login, "callback": state.callback,
                "mode": match state.mode { PushMode::Off => "0", PushMode::Decoded => "1", PushMode::Raw => "2" },
                "people": people.collect::<Vec<_>>(), "rooms": rooms.collect::<Vec<_>>()
            })
        });
        json!({"instances": instances.collect::<Vec<_>>()})
    }
}

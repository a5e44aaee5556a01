//! What can be ordered under `/__sim/`?
//!
//! | order | body | answer |
//! |---|---|---|
//! | `GET world`, `journal`, `violations`, `settled` | | accounts, ids, robots, members; [`ServiceJournal`](crate::ServiceJournal); [`Violation`](crate::Violation)s; when all is pushed |
//! | `POST say` | `{account, say: {from, room?, text? \| said?, own?}, count?}` | `{ids: […]}` |
//! | `POST room` | `{account, room, change}`: `join`, `leave`, `rename` | `{}` |
//! | `POST logout`, `login` | `{account}` | `{}`, `{token}` |
//! | `POST callback` | `{account, url}`; account `app` for the application | `{}` |
//! | `POST notify` | [`Notice`] | `{id}` |
//! | `POST verify` | | `{ok}` or `{error}` |
//! | `POST expire_tokens`, `forget_tokens` | | `{}` |
//! | `POST faults`, `push_faults`, `DELETE faults` | [`Fault`], [`PushFault`] | `{}` |

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::SimError;
use crate::fault::Fault;
use crate::request::Request;
use crate::service::orders::{Refusal, done, read, shown, unknown};
use crate::service::outbox::PushFault;
use crate::wecom::official::APP;
use crate::wecom::{Notice, WecomRoomChange, WecomSay, WecomSim};

/// Messages that one order may say.
const MAX_COUNT: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    account: String,
    say: WecomSay,
    #[serde(default = "one")]
    count: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Room {
    account: String,
    room: String,
    change: WecomRoomChange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    account: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Callback {
    account: String,
    url: String,
}

impl WecomSim {
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
                let ids: Result<Vec<String>, SimError> = (0..count).map(|_| self.say(&account, &say)).collect();
                Ok(json!({"ids": ids?}))
            }
            "room" if post => {
                let Room { account, room, change } = read(request)?;
                done(self.change_room(&account, &room, change))
            }
            "logout" if post => done(self.logout(&read::<Account>(request)?.account)),
            "login" if post => Ok(json!({"token": self.login(&read::<Account>(request)?.account)?})),
            "callback" if post => {
                let Callback { account, url } = read(request)?;
                if account == APP {
                    self.set_app_callback(&url);
                    return Ok(json!({}));
                }
                done(self.set_callback(&account, &url))
            }
            "notify" if post => Ok(json!({"id": self.notify(&read::<Notice>(request)?)?})),
            "verify" if post => match self.verify_callback().await {
                Ok(()) => Ok(json!({"ok": true})),
                Err(error) => Err(Refusal(409, error)),
            },
            "expire_tokens" if post => {
                self.expire_tokens();
                Ok(json!({}))
            }
            "forget_tokens" if post => {
                self.forget_tokens();
                Ok(json!({}))
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

    fn world_seen(&self) -> Value {
        let accounts = self.shared.accounts.iter().map(|account| {
            let state = account.state();
            let town = &state.town;
            let people = town.people.iter().map(|one| json!({"nick": one.nick, "id": one.id, "friend": one.friend}));
            let rooms = town.rooms.iter().filter(|room| !room.left).map(|room| {
                let members = room.members.iter().map(|member| town.nick_of(member.who));
                json!({"topic": room.topic, "id": room.id, "members": members.collect::<Vec<_>>()})
            });
            json!({
                "account": account.name, "id": town.me, "token": state.token, "uuid": account.uuid,
                "online": state.online, "callback": state.callback,
                "people": people.collect::<Vec<_>>(), "rooms": rooms.collect::<Vec<_>>()
            })
        });
        let accounts: Vec<Value> = accounts.collect();
        let office = self.office();
        let members = office.members.iter().map(|(id, name)| json!({"userid": id, "name": name}));
        let robots = office.robots.iter().map(|(key, room)| json!({"key": key, "room": room}));
        json!({
            "accounts": accounts, "members": members.collect::<Vec<_>>(), "robots": robots.collect::<Vec<_>>(),
            "qw_api": Self::qw_api_paths().collect::<Vec<_>>()
        })
    }
}

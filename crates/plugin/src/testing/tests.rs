//! What does a kit know, hand out and see?

use futures_util::FutureExt;
use wxbot_model::{ContactKind, MediaKind};

use super::*;
use crate::prelude::{Ctx, Manifest, NoConfig, Plan, PlannedSchedule, Role};

struct Greeter;

impl Plugin for Greeter {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("greeter", "Greets a room by its members' names.")
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(room) = cx.find_contacts(event.text().unwrap_or_default()).into_iter().next() else {
            return Ok(Effects::reply("no such room"));
        };
        let members = cx.members(&room.id).await?;
        let names: Vec<&str> = members.iter().filter(|member| !member.me).map(RoomMember::public_name).collect();
        Ok(Effects::reply(format!("{}: {}", room.name, names.join(", "))))
    }
}

/// Nothing in a kit waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

#[test]
fn a_kit_knows_whom_it_is_told() {
    let mut kit = now(Kit::<Greeter>::start(serde_json::json!({}))).unwrap();
    assert_eq!(now(kit.say("team")).unwrap(), ["no such room"]);
    let room: ContactId = "r7".parse().unwrap();
    let contact = Contact::nameless("@@r".parse().unwrap(), ContactKind::Room);
    kit.add_contact(room.clone(), Contact { nick_name: "Team".into(), ..contact });
    assert!(now(kit.say("team")).is_err(), "a list that is not to be had is an error");
    for (name, group, me) in [("客户", "Ann in the team", false), ("Shop", "", true)] {
        let (nick_name, group_name) = ("Ann".to_owned(), group.to_owned());
        kit.add_member(room.clone(), RoomMember { id: None, name: name.into(), nick_name, group_name, me });
    }
    assert_eq!(now(kit.say("team")).unwrap(), ["Team: Ann in the team"], "never the remark");
}

/// Sends what it gets back as a file, and says who it was from.
struct Mirror;

impl Plugin for Mirror {
    type Config = NoConfig;
    fn manifest() -> Manifest {
        Manifest::new("mirror", "Sends back.")
    }
    async fn init(_config: NoConfig, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let Some(handle) = event.message().and_then(|message| message.content.media()) else {
            return Ok(Effects::none().leave_room(event.chat.id.clone()));
        };
        let file = cx.media(handle).await?;
        let face = cx.avatar(&event.chat.id).await?;
        let bytes = file.read(100).await?;
        let text = format!("{} {} {}", file.name(), bytes.len(), face.file_type().mime());
        Ok(Effects::reply(text).and_reply_file(&file))
    }
}

#[test]
fn a_kit_hands_out_media_and_sees_what_is_sent() {
    let mut kit = Kit::<Mirror>::start(serde_json::json!({})).now_or_never().unwrap().unwrap();
    let handle = MediaHandle::new(MediaKind::Image, "7", None);
    let mut event = kit.text_event("p1", None, "");
    if let EventKind::Message(message) = &mut event.kind {
        message.content = Content::Image { media: handle.clone() };
    }
    let error = kit.handle(&event).now_or_never().unwrap().unwrap_err().to_string();
    assert!(error.contains("gone"), "{error}");
    kit.give_media(&handle, "", *b"GIF89a...");
    kit.give_avatar(&event.chat.id, *b"\xff\xd8\xff");
    let replies = kit.handle(&event).now_or_never().unwrap().unwrap();
    assert_eq!(replies, ["media.gif 9 image/jpeg"]);
    let [sent] = &kit.sent_media()[..] else { panic!("one file") };
    let MediaSource::Stored(stored) = &sent.source else { panic!("{sent:?}") };
    assert_eq!((sent.to.as_str(), sent.shape, stored.len), ("p1", MediaShape::File, 9));
    kit.say("go away").now_or_never().unwrap().unwrap();
    assert_eq!(kit.acted().iter().map(Action::word).collect::<Vec<_>>(), ["leave_room"]);
    assert!(kit.sent_media().is_empty() && kit.acted().is_empty());
    kit.refuse_media(&handle, MediaError::TooLarge { len: 9, limit: 3 });
    assert!(kit.handle(&event).now_or_never().unwrap().is_err());
}

/// Removes everybody, if it is meant; and when its settings say so.
struct Sweeper;

impl Plugin for Sweeper {
    type Config = Value;
    fn manifest() -> Manifest {
        Manifest::new("sweeper", "Sweeps.")
    }
    fn plan(config: &Value) -> Plan {
        let at = config.get("at").and_then(Value::as_str);
        at.into_iter().fold(Plan::new(), |plan, at| plan.schedule(PlannedSchedule::new("sweep", at)))
    }
    async fn init(_config: Value, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self)
    }
    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        match event.text() {
            Some("sweep") => cx.confirm("移出 3 人").await?,
            Some("list") => {
                let mut page = crate::KvPage::of(2);
                let mut found = Vec::new();
                loop {
                    let rows: Vec<(String, u8)> = cx.kv_list("n:", page.clone()).await?;
                    let Some((last, _)) = rows.last() else { break };
                    page = page.after(last.clone());
                    found.push(rows.iter().map(|(key, value)| format!("{key}{value}")).collect::<Vec<_>>().join(","));
                }
                return Ok(Effects::reply(found.join(" ")));
            }
            Some("who") => {
                let people = cx.people(&Role::Owner);
                let can = cx.can(Capability::RemoveMembers);
                return Ok(Effects::reply(format!("{people:?} {can}")));
            }
            Some(_) => return Ok(Effects::none()),
            None => {}
        }
        Ok(Effects::reply("swept"))
    }
}

#[crate::test(settings = serde_json::json!({ "at": "0 0 9 * * *" }))]
async fn sec_r29_a_code_is_asked_once_and_of_the_same_person(bot: Kit<Sweeper>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("team", [&alice, &bob]);
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    let code = |asked: &Heard| {
        let asked = asked.replies().concat();
        assert!(asked.contains("移出 3 人"), "{asked}");
        asked.chars().filter(char::is_ascii_digit).collect::<String>()[1..5].to_owned()
    };
    let asked = code(&alice.say("sweep").await);
    bob.say(&asked).await.gets_nothing();
    alice.at_me(&asked).await.gets("swept");
    alice.say(&asked).await.gets_nothing();

    let asked = code(&alice.say("sweep").await);
    alice.say("1").await.gets("验证码不对,什么也没做 (wrong code, nothing was done)");
    alice.say(&asked).await.gets_nothing();

    let asked = code(&alice.say("sweep").await);
    alice.say("取消").await.gets_containing("已取消");
    alice.say(&asked).await.gets_nothing();

    let first = code(&alice.say("sweep").await);
    bot.advance(Duration::from_secs(61)).await.gets_nothing();
    alice.say(&first).await.gets_nothing();
    assert_ne!(first, asked, "another one each time");
}

#[crate::test(settings = serde_json::json!({ "at": "0 0 9 * * *" }))]
async fn a_kit_fires_what_settings_plan_and_pages_values(bot: Kit<Sweeper>) {
    bot.fires("sweep").await.gets("swept");
    for (key, value) in [("n:3", 3), ("n:1", 1), ("m", 7), ("n:2", 2), ("o", 9)] {
        bot.set_kv(key, &value).unwrap();
    }
    let alice = bot.user("alice");
    alice.say("list").await.gets("n:11,n:22 n:33");
    alice.say("who").await.gets("[] true");
    alice.is(Role::Owner);
    bot.cannot(&[Capability::RemoveMembers]);
    alice.say("who").await.gets("[ContactId(\"p101\")] false");
}

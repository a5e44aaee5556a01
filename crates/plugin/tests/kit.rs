//! Does a test kit do to a plugin what a running wxbot does? Dialogs, rooms, roles, timers, schedules, commits, crashes.

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::manifest::{HandlerSpec, Missed, Trigger};
use wxbot_plugin::model::{Chat, Secret};
use wxbot_plugin::prelude::*;
use wxbot_plugin::testing::{Kit, What};

/// Does a little of everything.
struct Helper {
    greeting: String,
    key: Option<Secret<String>>,
}

#[derive(PluginConfig)]
struct Settings {
    #[config(default = "hello")]
    greeting: String,
    key: Option<Secret<String>>,
}

impl Plugin for Helper {
    type Config = Settings;

    fn manifest() -> Manifest {
        let cron = Trigger::Cron { expression: "0 0 7 * * *".into(), tz: None, missed: Missed::Skip };
        Manifest::new("helper", "Helps.")
            .events(&["message", "pat"])
            .handler(HandlerSpec::new("morning", cron))
            .guards()
    }

    async fn init(Settings { greeting, key }: Settings, _cx: &InitCtx) -> Result<Self, PluginError> {
        Ok(Self { greeting, key })
    }

    async fn on_event(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        match &event.kind {
            EventKind::Timer { payload, .. } => return Ok(Effects::reply(format!("ding {payload}"))),
            EventKind::Schedule { name, .. } => {
                let all = cx.find_contacts("").into_iter().filter(|one| one.id.as_str().starts_with('p'));
                return Ok(all.fold(Effects::none(), |all, one| all.and_send(one.id, name)));
            }
            EventKind::Pat { .. } => return Ok(Effects::reply("ouch")),
            _ => {}
        }
        if let Some(media) = event.message().and_then(|message| message.content.media()) {
            let file = cx.media(media).await?;
            return Ok(Effects::reply_image(&file));
        }
        self.on_text(event, cx).await
    }

    async fn guard(&self, event: &Event, _cx: &Ctx) -> Result<Verdict, PluginError> {
        Ok(if event.text() == Some("spam") { Verdict::stop("spam") } else { Verdict::Pass })
    }
}

impl Helper {
    async fn on_text(&self, event: &Event, cx: &Ctx) -> Result<Effects, PluginError> {
        let text = event.text().unwrap_or_default().trim_start_matches("@bot\u{2005}");
        Ok(match text {
            "hi" => Effects::reply(&self.greeting),
            "key" => Effects::reply(self.key.as_ref().map_or("none", |key| key.expose())),
            "weather" => {
                let city: String = cx.ask("where?").timeout(Duration::from_secs(30)).await?;
                let days: u8 = cx.ask("days?").retry(1).parse().await?;
                Effects::reply(format!("{city}, {days}: sun"))
            }
            "remind" => Effects::reply("yes").timer("tea", Duration::from_secs(60), &json!("tea"))?,
            "never mind" => Effects::none().cancel_timer("tea"),
            "count" => {
                let was: Option<u32> = cx.kv_get("count").await?;
                if was == Some(1) && cx.attempt() == 1 {
                    // Gives others the time to be faster.
                    cx.send_now(Action::MarkRead { chat: event.chat.id.clone() }).await?;
                }
                Effects::reply(format!("{} at try {}", was.unwrap_or(0) + 1, cx.attempt())).swap(
                    "count",
                    was.as_ref(),
                    Some(&(was.unwrap_or(0) + 1)),
                )?
            }
            "stale" => Effects::reply("never").swap("count", Some(&999), Some(&1000))?,
            "may I" => Effects::reply(if cx.may(&Role::GroupAdmin) { "yes" } else { "no" }),
            "me?" if event.message().is_some_and(|message| message.mentions.me) => {
                cx.block();
                Effects::none().and_reply_at_sender("you")
            }
            "slow" => {
                let before = cx.now_ms();
                tokio::time::sleep(Duration::from_secs(20)).await;
                Effects::reply(format!("{} s", (cx.now_ms() - before) / 1000))
            }
            "hang" => std::future::pending().await,
            "fail" => return Err(PluginError::msg("no network")),
            _ => Effects::none(),
        })
    }
}

#[wxbot_plugin::test]
async fn a_dialog_gets_the_persons_next_message_in_that_chat(bot: Kit<Helper>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("team", [&alice, &bob]);
    alice.say("weather").await.gets("where?");
    bob.say("hi").await.gets("hello");
    alice.in_room(&room).say("hi").await.gets("hello");
    alice.say("Rome").await.gets("days?");
    alice.say("many").await.gets_containing("days?");
    alice.say("3").await.gets("Rome, 3: sun");
    alice.say("Rome").await.gets_nothing();
    alice.say("weather").await.gets("where?");
    alice.say("取消").await.gets_containing("cancelled");
}

#[wxbot_plugin::test]
async fn a_dialog_ends_with_its_time_and_quietly(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    alice.say("weather").await.gets("where?");
    bot.advance(Duration::from_secs(29)).await.gets_nothing();
    alice.say("Rome").await.gets("days?");
    alice.say("weather").await.gets_containing("days?");
    bot.advance(Duration::from_secs(121)).await.gets_nothing();
    alice.say("3").await.gets_nothing();
    alice.say("weather").await.gets("where?");
}

#[wxbot_plugin::test]
async fn a_restart_ends_dialogs_and_the_person_is_told_once(bot: Kit<Helper>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    alice.say("weather").await.gets("where?");
    bob.say("weather").await.gets("where?");
    bot.restart().await.unwrap();
    let told = "刚才的对话中断了,请重新开始 (the dialog was interrupted; please start again)";
    alice.say("hi").await.gets_each([told, "hello"]);
    alice.say("hi").await.gets("hello");
    bot.advance(Duration::from_secs(60)).await.gets_nothing();
    bob.say("hi").await.gets("hello");
}

#[wxbot_plugin::test]
async fn rooms_mentions_and_roles(bot: Kit<Helper>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("team", [&alice, &bob]);
    alice.in_room(&room).say("me?").await.gets_nothing();
    let heard = alice.in_room(&room).at_me("me?").await.gets("you");
    assert!(heard.is_blocked());
    assert!(matches!(heard.sent()[0].what, What::Text { mentions: true, .. }));
    alice.in_room(&room).is(Role::GroupAdmin);
    alice.in_room(&room).say("may I").await.gets("yes");
    alice.say("may I").await.gets("no");
    bob.in_room(&room).say("may I").await.gets("no");
    bob.is(Role::Owner);
    bob.say("may I").await.gets("yes");
    assert_eq!(bot.user("alice").person(), alice.person(), "a name is one person");
}

#[wxbot_plugin::test]
async fn timers_fire_in_their_chat_and_outlive_a_restart(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    let room = bot.room("team", [&alice]);
    let start = bot.now_ms();
    alice.in_room(&room).say("remind").await.gets("yes");
    assert_eq!(bot.timers(), ["tea"]);
    bot.restart().await.unwrap();
    bot.advance(Duration::from_secs(59)).await.gets_nothing();
    bot.advance(Duration::from_secs(1)).await.gets("ding \"tea\"");
    room.hears().gets("ding \"tea\"");
    room.hears().gets_nothing();
    alice.hears().gets_nothing();
    assert_eq!(bot.now_ms() - start, 60_000);
    alice.say("remind").await.gets("yes");
    alice.say("never mind").await.gets_nothing();
    bot.advance(Duration::from_secs(3600)).await.gets_nothing();
}

#[wxbot_plugin::test]
async fn schedules_fire_by_name_and_others_hear_of_it(bot: Kit<Helper>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    bot.fires("morning").await.gets_each(["morning", "morning"]);
    alice.hears().gets("morning");
    bob.hears().gets("morning");
    assert_eq!(bot.acted().len(), 2);
}

#[wxbot_plugin::test]
async fn changes_are_committed_together_or_the_event_comes_anew(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    alice.say("count").await.gets("1 at try 1");
    assert_eq!(bot.kv::<u32>("count").unwrap(), Some(1));
    bot.crash_before_commit();
    alice.say("count").await.gets("2 at try 2");
    assert_eq!(bot.acted().len(), 1, "what was sent at once was sent");
    alice.say("stale").await.fails("always faster");
    assert_eq!((bot.kv::<u32>("count").unwrap(), bot.kv_keys()), (Some(2), vec!["count".to_owned()]));
}

#[wxbot_plugin::test]
async fn media_come_and_go(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    let there = alice.sends_image(*b"\x89PNG\r\n\x1a\n....").await.gets_image();
    assert!(matches!(there, MediaSource::Stored(stored) if stored.len == 12));
    assert_eq!(bot.sent_media().len(), 1);
    alice.sends_file("a.txt", "abc").await.gets_image();
}

#[wxbot_plugin::test]
async fn other_events_are_handed_over_when_the_manifest_wants_them(bot: Kit<Helper>) {
    use wxbot_plugin::model::Who;
    let alice = bot.user("alice");
    alice.does(EventKind::Pat { by: Who::Me, whom: Who::Me, notice: "拍了拍".into() }).await.gets("ouch");
    alice.does(EventKind::ContactChanged).await.gets_nothing();
}

#[wxbot_plugin::test]
async fn time_passes_when_a_handler_sleeps_and_not_forever(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    let begun = bot.now_ms();
    alice.say("slow").await.gets_containing(" s");
    assert!(bot.now_ms() - begun >= 20_000);
    alice.say("hang").await.fails("30 s");
    alice.say("fail").await.fails("no network");
}

#[wxbot_plugin::test(settings = json!({ "greeting": "你好", "key": { "env": "KEY" } }), env = [("KEY", "k-1")])]
async fn settings_and_environment(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    alice.say("hi").await.gets("你好");
    alice.say("key").await.gets("k-1");
}

#[wxbot_plugin::test]
async fn guards_can_be_asked(mut bot: Kit<Helper>) -> Result<(), PluginError> {
    let event = bot.text_event("p1", None, "spam");
    assert_eq!(bot.judges(&event).await?, Verdict::stop("spam"));
    Ok(())
}

#[wxbot_plugin::test]
#[should_panic(expected = "alice said 「hi」\n  expected: 「bye」\n  came:     「hello」")]
async fn a_failure_says_what_was_said_what_came_and_what_was_wanted(bot: Kit<Helper>) {
    bot.user("alice").say("hi").await.gets("bye");
}

#[wxbot_plugin::test]
#[should_panic(expected = "alice in 「team」 said 「hi」\n  expected: nothing\n  came:     「hello」")]
async fn unwanted_answers_are_failures(bot: Kit<Helper>) {
    let alice = bot.user("alice");
    alice.in_room(&bot.room("team", [])).say("hi").await.gets_nothing();
}

#[wxbot_plugin::test]
#[should_panic(expected = "alice said 「fail」\n  the plugin failed: no network")]
async fn a_failing_handler_is_no_silence(bot: Kit<Helper>) {
    bot.user("alice").say("fail").await.gets_nothing();
}

#[wxbot_plugin::test]
#[should_panic(
    expected = "expected: a picture\n  came:     nothing\n  left helper: its manifest wants no `contact_changed`"
)]
async fn a_failure_says_why(bot: Kit<Helper>) {
    bot.user("alice").does(EventKind::ContactChanged).await.gets_image();
}

#[wxbot_plugin::test]
#[should_panic(expected = "the plugin has no schedule `evening`; it has [\"morning\"]")]
async fn a_schedule_that_is_none(bot: Kit<Helper>) {
    bot.fires("evening").await.gets_nothing();
}

#[wxbot_plugin::test(settings = json!({ "greting": "x" }))]
#[should_panic(expected = "there is no setting `greting`")]
async fn wrong_settings_do_not_start(bot: Kit<Helper>) {
    bot.user("alice").say("hi").await.gets_nothing();
}

#[test]
fn without_a_runtime_time_is_set_by_hand() {
    let chat: fn(&wxbot_plugin::testing::Room<Helper>) -> &Chat = |room| room.chat();
    let done = async {
        let bot = Kit::<Helper>::start(json!({})).await.unwrap();
        let alice = bot.user("alice");
        alice.say("remind").await.gets("yes");
        bot.advance(Duration::from_secs(60)).await.gets("ding \"tea\"");
        chat(&bot.room("team", [&alice])).name.clone()
    };
    assert_eq!(futures_util::FutureExt::now_or_never(done).unwrap(), "team");
}

//! Who was here today?

use super::*;

#[wxbot_plugin::test(settings = json!({ "checkin": {} }))]
async fn days_in_a_row_by_the_local_date(bot: Kit<GroupAdmin>) {
    let (alice, bob) = (bot.user("alice"), bot.user("bob"));
    let room = bot.room("群", [&alice, &bob]);
    let (alice, bob) = (alice.in_room(&room), bob.in_room(&room));
    // It is 08:00 in Shanghai; the next day begins in 16 hours.
    alice.say("签到").await.gets("签到成功,今天第 1 个,连续 1 天,累计 1 天");
    bob.say("签到").await.gets("签到成功,今天第 2 个,连续 1 天,累计 1 天");
    alice.say("签到").await.gets_nothing();
    bot.advance(Duration::from_secs(10)).await.gets_nothing();
    alice.say("签到").await.gets("今天签过了,连续 1 天,累计 1 天");
    bot.advance(Duration::from_secs(16 * 3_600 - 70)).await.gets_nothing();
    alice.say("签到").await.gets_containing("今天签过了");
    bot.advance(minutes(1)).await.gets_nothing();
    bot.restart().await.unwrap();
    alice.say("签到").await.gets("签到成功,今天第 1 个,连续 2 天,累计 2 天");
    alice.say("签到榜").await.gets("签到榜\n1. alice 连续 2 天,累计 2 天\n2. bob 连续 1 天,累计 1 天");
    bot.advance(days(2)).await.gets_nothing();
    alice.say("签到").await.gets("签到成功,今天第 1 个,连续 1 天,累计 3 天,最长 2 天");
}

#[wxbot_plugin::test(settings = json!({ "checkin": { "mention": false }, "tz": "Europe/Berlin" }))]
async fn the_day_is_that_of_the_time_zone(bot: Kit<GroupAdmin>) {
    let alice = bot.user("alice");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    alice.say("签到").await.gets_containing("成功");
    // 01:00 in Berlin: 22 hours later it is the same day there, and another one in Shanghai.
    bot.advance(Duration::from_secs(22 * 3_600)).await.gets_nothing();
    alice.say("签到").await.gets_containing("今天签过了");
    bot.advance(Duration::from_secs(3_600)).await.gets_nothing();
    alice.say("签到").await.gets_containing("连续 2 天");
}

#[wxbot_plugin::test(settings = json!({ "checkin": {} }))]
async fn a_sentence_is_no_check_in_and_a_crash_counts_once(bot: Kit<GroupAdmin>) {
    let alice = bot.user("a\nli@ce");
    let room = bot.room("群", [&alice]);
    let alice = alice.in_room(&room);
    alice.say("签到 几点开始?").await.gets_nothing();
    bot.crash_before_commit();
    alice.say("签到").await.gets("签到成功,今天第 1 个,连续 1 天,累计 1 天");
    alice.say("签到榜").await.gets("签到榜\n1. a li＠ce 连续 1 天,累计 1 天");
    bot.user("a\nli@ce").say("签到").await.gets_nothing();
}

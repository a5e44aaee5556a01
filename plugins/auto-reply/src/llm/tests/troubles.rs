//! What does a person get when the endpoint does something wrong, when is it asked again, and what does the log say?

use std::time::Duration;

use serde_json::json;
use wxbot_plugin::testing::Kit;

use super::fake::{Act, Piece, answer, chunk, error, say, stream, word};
use super::talk::{Talk, fake, with};
use crate::tests::log::{Log, SECRETS};

const SECOND: Duration = Duration::from_secs(1);

fn busy(status: u16, headers: &[(&'static str, &str)]) -> Act {
    answer(status, headers, Vec::new())
}

#[wxbot_plugin::test(settings = with(json!({})))]
async fn a_busy_endpoint_is_asked_again_when_it_says(bot: Kit<Talk>) {
    let (fake, alice) = (fake(), bot.user("alice"));
    for (name, acts, waits_ms) in [
        ("seconds", vec![busy(429, &[("retry-after", "2")])], &[[2000, 2501]][..]),
        (
            "a date",
            vec![busy(
                503,
                &[("date", "Thu, 01 Jan 2026 00:00:00 GMT"), ("retry-after", "Thu, 01 Jan 2026 00:00:01 GMT")],
            )],
            &[[1000, 1501]][..],
        ),
        ("nothing", vec![busy(429, &[]), busy(503, &[])], &[[300, 501], [600, 801]][..]),
        ("at once", vec![busy(503, &[("retry-after", "0")])], &[[300, 501]][..]),
        ("nobody listens", vec![Act::Refuse], &[[300, 501]][..]),
        ("hung up", vec![Act::HangUp], &[[300, 501]][..]),
        (
            "broken off before a word",
            vec![stream(vec![Piece::Bytes(": ping\n\n".into()), Piece::Break])],
            &[[300, 501]][..],
        ),
    ] {
        fake.will(acts);
        fake.will([say(&["好"])]);
        alice.say("a").await.gets("好");
        let seen = fake.seen();
        assert_eq!(seen.len(), waits_ms.len() + 1, "{name}");
        for (pair, [least, most]) in seen.windows(2).zip(waits_ms) {
            let waited = u64::try_from((pair[1].at - pair[0].at).as_millis()).unwrap();
            assert!((least..most).contains(&&waited), "{name}: {waited} ms");
        }
        let keys: Vec<_> = seen.iter().filter_map(|seen| seen.headers.get("idempotency-key")).collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{name}: one question, one key");
    }
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 1 })))]
async fn it_is_not_asked_more_often_than_that(bot: Kit<Talk>) {
    let (fake, alice, begin) = (fake(), bot.user("alice"), bot.now_ms());
    fake.will([Act::Refuse, Act::Refuse]);
    alice.say("a").await.gets("F");
    assert_eq!(fake.seen().len(), 2);
    assert!(bot.now_ms() - begin < 1000);
}

#[wxbot_plugin::test(settings = with(json!({})))]
async fn an_endpoint_that_wants_to_rest_is_left_alone(bot: Kit<Talk>) {
    let (fake, alice, bob, begin) = (fake(), bot.user("alice"), bot.user("bob"), bot.now_ms());
    fake.will([busy(429, &[("retry-after", "60")])]);
    alice.say("a").await.gets("F");
    assert_eq!(bot.now_ms(), begin, "it is no use to wait longer than the time there is");
    bob.say("b").await.gets("F");
    assert_eq!(fake.seen().len(), 1, "others do not ask either");
    bot.advance(57 * SECOND).await;
    bot.user("carol").say("c").await.gets("F");
    assert_eq!(bot.now_ms() - begin, 57_000, "three seconds are no time to hold a chat up");
    bot.advance(SECOND).await;
    fake.will([say(&["好"])]);
    bob.say("c").await.gets("好");
    let waited = bot.now_ms() - begin;
    assert!((60_000..60_501).contains(&waited), "what is left of the rest is waited for: {waited}");
    // A year is not believed.
    fake.will([busy(429, &[("retry-after", "31536000")]), say(&["好"])]);
    alice.say("d").await.gets("F");
    bot.advance(301 * SECOND).await;
    bob.say("e").await.gets("好");
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({})))]
async fn after_the_first_word_nothing_is_asked_again(bot: Kit<Talk>) {
    let fake = fake();
    let error = format!("data: {}\n\n", json!({ "error": { "code": "overloaded", "message": SECRETS } }));
    for (name, pieces) in [
        ("broken off", vec![word("一半"), Piece::Break]),
        ("an end without an end", vec![word("一半")]),
        ("an error", vec![word("一半"), Piece::Bytes(error.into())]),
        ("garbage", vec![word("一半"), Piece::Bytes("data: <html>\n\n".into())]),
    ] {
        fake.will([stream(pieces)]);
        bot.user(name).say("a").await.gets("F");
        assert_eq!(fake.seen().len(), 1, "{name}");
    }
    assert!(bot.kv_keys().iter().all(|key| !key.starts_with("llm:chat:")), "half an answer is no history");
}

#[wxbot_plugin::test(settings = with(json!({ "key": { "env": "KEY" }, "retries": 0 })), env = [("KEY", "sk-test-1234")])]
async fn the_log_says_what_to_do_and_the_person_gets_the_fallback(bot: Kit<Talk>) {
    let (fake, (log, _guard)) = (fake(), Log::collect());
    let html = |status| answer(status, &[("content-type", "text/html")], vec![Piece::Bytes("<html>我的密码".into())]);
    for (name, act, message, cure) in [
        ("401", error(401, "invalid_api_key"), "HTTP 401: invalid_api_key, an_error", "correct `key`"),
        ("403", error(403, "sk-test-1234"), "HTTP 403: an_error", "rights"),
        ("404", error(404, "model_not_found"), "HTTP 404: model_not_found", "base URL"),
        ("400", error(400, "我的密码"), "HTTP 400: an_error", "`max_tokens`"),
        ("500 in HTML", html(500), "busy (HTTP 500)", "look at the server"),
        ("429", error(429, "insufficient_quota"), "busy (HTTP 429: insufficient_quota", "quota"),
        (
            "a redirect",
            answer(307, &[("location", "http://evil.test/?sk-test-1234")], vec![]),
            "elsewhere (HTTP 307)",
            "endpoint",
        ),
        ("HTML", html(200), "a web page (HTML)", "base URL"),
        (
            "an error in the stream",
            stream(vec![Piece::Bytes(format!("data: {}\n\n", json!({"error":{"code":"boom"}})).into())]),
            "within its answer: boom",
            "in the middle",
        ),
        ("nothing", stream(vec![]), "nothing", "model"),
        (
            "no answer",
            answer(200, &[("content-type", "application/json")], vec![Piece::Bytes("[]".into())]),
            "no JSON",
            "base URL",
        ),
        ("nobody", Act::Refuse, "Connection refused", "host and port"),
    ] {
        fake.will([act]);
        bot.user(name).say("我的密码").await.gets("F");
        let told = log.told();
        if ["no answer"].contains(&name) {
            assert!(told.is_empty(), "{name}: garbage was told already: {told:?}");
            continue;
        }
        assert_eq!(told.len(), 1, "{name}");
        for part in [message, cure, "endpoint=http://model.localhost/v1/chat/completions", "account=test"] {
            assert!(told[0].contains(part), "{name}: {part} in {}", told[0]);
        }
    }
    fake.will([error(401, "invalid_api_key")]);
    let alice = bot.user("alice");
    alice.say("x").await.gets("F");
    assert!(log.told().is_empty(), "once in a while is enough");
    bot.advance(601 * SECOND).await;
    fake.will([error(401, "invalid_api_key")]);
    alice.say("x").await.gets("F");
    assert_eq!(log.told().len(), 1);
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 0, "timeout": "10s", "first_token_timeout": "4s", "fallback": "" })))]
async fn whatever_it_does_there_is_an_end(bot: Kit<Talk>) {
    let (fake, alice) = (fake(), bot.user("alice"));
    let json = |pieces| answer(200, &[("content-type", "application/json")], pieces);
    for (name, act, seconds) in [
        ("no head", answer(200, &[], vec![Piece::Stall]), 4),
        ("no word", stream(vec![Piece::Stall]), 4),
        ("only comments", stream(vec![Piece::Forever(": ping\n\n".into(), SECOND)]), 4),
        (
            "only empty words",
            stream(vec![Piece::Forever(format!("data: {}\n\n", chunk(json!({"content": ""}), None)).into(), SECOND)]),
            4,
        ),
        ("no end", stream(vec![word("一"), Piece::Stall]), 10),
        (
            "a word a second, and no end",
            stream(vec![Piece::Forever(format!("data: {}\n\n", chunk(json!({"content": "啊"}), None)).into(), SECOND)]),
            10,
        ),
        ("comments without end", stream(vec![Piece::Forever(vec![b':'; 64 * 1024], Duration::ZERO)]), 0),
        (
            "lines of comments without end",
            stream(vec![Piece::Forever(": ping\n".repeat(5000).into(), Duration::ZERO)]),
            0,
        ),
        ("JSON without end", json(vec![Piece::Forever(vec![b'['; 64 * 1024], Duration::ZERO)]), 0),
        ("JSON that stops", json(vec![Piece::Bytes("{".into()), Piece::Stall]), 10),
        ("garbage without end", answer(200, &[], vec![Piece::Forever(vec![0xFF; 64 * 1024], Duration::ZERO)]), 0),
        ("an error without end", answer(400, &[], vec![Piece::Forever(vec![b'x'; 64 * 1024], Duration::ZERO)]), 0),
        ("an error that stops", answer(400, &[], vec![Piece::Stall]), 1),
    ] {
        // After three without an answer nobody asks for a while.
        bot.advance(30 * SECOND).await;
        let (begin_ms, begin_bytes) = (bot.now_ms(), fake.sent());
        fake.will([act]);
        alice.say("a").await.gets_nothing();
        let took = (bot.now_ms() - begin_ms) / 1000;
        assert_eq!(took, seconds, "{name}");
        assert!(fake.sent() - begin_bytes < 9 * 1024 * 1024, "{name}");
    }
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({ "timeout": "10s" })))]
async fn an_endless_text_is_cut_and_not_fetched(bot: Kit<Talk>) {
    let (fake, alice, begin_ms) = (fake(), bot.user("alice"), bot.now_ms());
    fake.will([stream(vec![Piece::Forever(
        format!("data: {}\n\n", chunk(json!({ "content": "啊".repeat(100) }), None)).into(),
        Duration::ZERO,
    )])]);
    let replies = alice.say("a").await.replies();
    assert_eq!((replies.len(), replies[2].ends_with("啊…")), (3, true));
    assert!(fake.sent() < 256 * 1024 && bot.now_ms() == begin_ms);
}

#[wxbot_plugin::test(settings = with(json!({})))]
async fn an_answer_is_not_lost_because_the_stream_does_not_end(bot: Kit<Talk>) {
    let (fake, alice, begin_ms) = (fake(), bot.user("alice"), bot.now_ms());
    let end = || Piece::Bytes(format!("data: {}\n\n", chunk(json!({}), Some("stop"))).into());
    fake.will([
        stream(vec![word("好"), end(), Piece::Stall]),
        stream(vec![word("好"), end(), Piece::Break]),
        stream(vec![word("好"), end(), Piece::Forever(": ping\n\n".into(), SECOND / 4)]),
    ]);
    for _ in 0..3 {
        alice.say("a").await.gets("好");
    }
    assert_eq!(bot.now_ms() - begin_ms, 2000, "the count of tokens is waited for, a second each");
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({ "per_sender_per_day": 2, "retries": 0 })))]
async fn what_cost_nothing_is_not_counted(bot: Kit<Talk>) {
    let (fake, alice) = (fake(), bot.user("alice"));
    fake.will([Act::Refuse, busy(429, &[]), error(401, "x"), error(403, "x"), error(404, "x"), say(&["好"])]);
    for _ in 0..5 {
        alice.say("a").await.gets("F");
        bot.advance(60 * SECOND).await;
    }
    alice.say("a").await.gets("好");
    // What was begun was worked on, and perhaps paid for.
    fake.will([stream(vec![word("一半"), Piece::Break])]);
    alice.say("a").await.gets("F");
    alice.say("a").await.gets_containing("明天");
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({})))]
async fn a_crash_before_the_commit_asks_again_with_the_same_key(bot: Kit<Talk>) {
    let (fake, alice) = (fake(), bot.user("alice"));
    fake.will([say(&["一"]), say(&["二"])]);
    bot.crash_before_commit();
    alice.say("a").await.gets("二");
    let seen = fake.seen();
    assert_eq!(seen[0].headers["idempotency-key"], seen[1].headers["idempotency-key"]);
    assert_eq!(seen[1].body["messages"].as_array().unwrap().len(), 2, "what was not committed is no history");
}

/// Each try may cost, and an endpoint that fails each time is asked no more often than the caps say.
#[wxbot_plugin::test(settings = with(json!({ "per_sender_per_day": 4, "retries": 2 })))]
async fn caps_count_tries(bot: Kit<Talk>) {
    let (fake, alice) = (fake(), bot.user("alice"));
    fake.will([busy(500, &[]), busy(503, &[]), Act::HangUp, busy(502, &[])]);
    alice.say("a").await.gets("F");
    let used: serde_json::Value = bot.kv("llm:from:p101").unwrap().unwrap();
    assert_eq!(used["answers"], 3);
    bot.advance(60 * SECOND).await;
    alice.say("b").await.gets("F");
    assert_eq!(fake.seen().len(), 4, "no fifth try");
    alice.say("c").await.gets_containing("明天");
    // What cost nothing leaves its place to the next try.
    let bob = bot.user("bob");
    fake.will([Act::Refuse, busy(503, &[]), say(&["好"])]);
    bob.say("a").await.gets("好");
    let used: serde_json::Value = bot.kv("llm:from:p102").unwrap().unwrap();
    assert_eq!(used["answers"], 2);
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 0 })))]
async fn a_chat_hears_the_fallback_once_a_minute(bot: Kit<Talk>) {
    let (fake, alice, bob) = (fake(), bot.user("alice"), bot.user("bob"));
    fake.will((0..4).map(|_| error(401, "x")));
    alice.say("a").await.gets("F");
    alice.say("b").await.gets_nothing();
    bob.say("a").await.gets("F");
    bot.advance(60 * SECOND).await;
    alice.say("c").await.gets("F");
    fake.seen();
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 0, "timeout": "20s" })))]
async fn an_endpoint_without_an_answer_holds_nobody_up(bot: Kit<Talk>) {
    let fake = fake();
    let stalls = || answer(200, &[], vec![Piece::Stall]);
    fake.will([stalls(), stalls(), stalls()]);
    for name in ["a", "b", "c"] {
        bot.user(name).say("x").await.gets("F");
    }
    let down_ms = bot.now_ms();
    for name in ["d", "e"] {
        bot.user(name).say("x").await.gets("F");
    }
    assert_eq!(bot.now_ms(), down_ms, "at once");
    bot.advance(30 * SECOND).await;
    // One asks, to see; the others do not wait for it.
    let probing_ms = bot.now_ms();
    fake.will([stream(vec![Piece::Wait(5 * SECOND), word("好"), Piece::Bytes("data: [DONE]\n\n".into())])]);
    let (f, g) = (bot.user("f"), bot.user("g"));
    let (heard, ()) = tokio::join!(f.say("x"), async {
        tokio::time::sleep(SECOND).await;
        g.say("x").await.gets("F");
        assert!(bot.now_ms() - probing_ms < 1100);
    });
    heard.gets("好");
    fake.will([say(&["好"])]);
    g.say("y").await.gets("好");
    assert_eq!(fake.seen().len(), 5);
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 0 })))]
async fn a_slow_endpoint_is_asked_by_few_at_a_time(bot: Kit<Talk>) {
    let (fake, begin_ms) = (fake(), bot.now_ms());
    let slow = || stream(vec![Piece::Wait(10 * SECOND), word("好"), Piece::Bytes("data: [DONE]\n\n".into())]);
    fake.will((0..6).map(|_| slow()));
    let users: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].iter().map(|name| bot.user(name)).collect();
    let [a, b, c, d, e, f, g] = users.as_slice() else { panic!() };
    let late = async {
        tokio::time::sleep(SECOND / 10).await;
        let heard = g.say("x").await;
        (heard, bot.now_ms() - begin_ms)
    };
    let all = tokio::join!(a.say("x"), b.say("x"), c.say("x"), d.say("x"), e.say("x"), f.say("x"), late);
    for heard in [all.0, all.1, all.2, all.3, all.4, all.5] {
        heard.gets("好");
    }
    let (heard, after_ms) = all.6;
    heard.gets("F");
    assert!((1000..1200).contains(&after_ms), "{after_ms}");
    assert_eq!(fake.seen().len(), 6);
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 0 })))]
async fn the_longer_rest_holds(bot: Kit<Talk>) {
    let (fake, alice, bob, carol) = (fake(), bot.user("alice"), bot.user("bob"), bot.user("carol"));
    let after = |seconds: &str, wait| Act::Answer {
        status: 429,
        headers: vec![("retry-after", seconds.to_owned())],
        pieces: vec![Piece::Wait(wait)],
    };
    fake.will([after("60", SECOND / 10), after("1", SECOND / 5)]);
    let (one, other) = tokio::join!(alice.say("x"), bob.say("x"));
    one.gets("F");
    other.gets("F");
    bot.advance(5 * SECOND).await;
    carol.say("x").await.gets("F");
    assert_eq!(fake.seen().len(), 2, "the minute is not over because another question was told a second");
}

#[wxbot_plugin::test(settings = with(json!({ "retries": 0 })))]
async fn who_waited_for_the_same_rest_does_not_come_together(bot: Kit<Talk>) {
    let (fake, alice, bob, carol) = (fake(), bot.user("alice"), bot.user("bob"), bot.user("carol"));
    fake.will([busy(429, &[("retry-after", "2")]), say(&["好"]), say(&["好"]), say(&["好"])]);
    alice.say("x").await.gets("F");
    let (a, b, c) = tokio::join!(alice.say("y"), bob.say("y"), carol.say("y"));
    for heard in [a, b, c] {
        heard.gets("好");
    }
    let seen = fake.seen();
    let first = seen[0].at;
    let came: std::collections::BTreeSet<_> = seen[1..].iter().map(|seen| (seen.at - first).as_millis()).collect();
    assert!(came.len() == 3 && came.iter().all(|ms| (2000..2501).contains(ms)), "{came:?}");
}

/// What it thinks shows that it works, and is not said.
#[wxbot_plugin::test(settings = with(json!({ "timeout": "20s", "first_token_timeout": "2s" })))]
async fn a_model_that_thinks_first_is_waited_for(bot: Kit<Talk>) {
    let (fake, alice) = (fake(), bot.user("alice"));
    for key in ["reasoning_content", "reasoning"] {
        let thought = Piece::Bytes(format!("data: {}\n\n", chunk(json!({ key: "嗯" }), None)).into());
        let mut pieces = vec![thought; 6];
        (0..6).for_each(|n| pieces.insert(2 * n, Piece::Wait(SECOND)));
        pieces.extend([word("好"), Piece::Bytes("data: [DONE]\n\n".into())]);
        fake.will([stream(pieces)]);
        alice.say("a").await.gets("好");
    }
    fake.seen();
}

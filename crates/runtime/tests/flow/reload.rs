//! Does a reload change what it shall and touch nothing else? Several accounts, one runtime, files that differ.

use std::collections::HashMap;
use std::time::Duration;

use wxbot_sim::{Fault, FaultKind};

use crate::town::{Town, file, life, phase};

#[tokio::test(start_paused = true)]
async fn an_added_account_starts_and_answers_and_the_others_notice_nothing() {
    let mut town = Town::new(&["a", "b"], &file("", &[("a", "")])).await;
    town.log_in("a").await;
    let (roster, before) = (town.runtime.roster(), town.account("a"));
    assert_eq!(town.reload(&file("", &[("b", ""), ("a", "")])).await.unwrap(), "+b");
    assert_eq!(town.names(), ["b", "a"]);
    assert_eq!(roster.now().len(), 2, "who looked before the reload sees the new list");
    town.log_in("b").await;
    town.hear("b", "Alice", "hi");
    town.hear("a", "Alice", "hi");
    assert_eq!(town.answers("b", 1).await.len(), 1);
    assert_eq!(town.answers("a", 1).await.len(), 1);
    assert!(std::sync::Arc::ptr_eq(&before, &town.account("a")));
    assert_eq!((town.logins("a"), town.inits("a")), (1, 1), "the session of the other went on");
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_account_stops_and_goes_on_where_it_was_when_it_comes_back() {
    let both = file("", &[("a", ""), ("b", "")]);
    let mut town = Town::new(&["a", "b"], &both).await;
    town.log_in("a").await;
    town.log_in("b").await;
    town.hear("b", "Alice", "one");
    town.answers("b", 1).await;
    let gone = town.account("b");
    assert_eq!(town.reload(&file("", &[("a", ""), ("b", "enabled = false")])).await.unwrap(), "-b");
    phase(&gone, "stopped").await;
    assert_eq!(gone.status().borrow().why, "removed from bot.toml");
    assert_eq!(town.names(), ["a"]);
    // It is not polled any more: what is said now waits at the service.
    town.hear("b", "Alice", "two");
    town.hear("a", "Alice", "two");
    town.answers("a", 1).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(town.sim.journal().sends_of("b").count(), 1);
    assert_eq!(town.counts("b").await.outbox.sent, 1, "its rows stay");

    assert_eq!(town.reload(&both).await.unwrap(), "+b");
    phase(&town.account("b"), "online").await;
    let answers = town.answers("b", 2).await;
    assert!(answers[1].ends_with("two"), "{answers:?}");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(town.sim.journal().sends_of("b").count(), 2, "nothing twice");
    assert_eq!((town.logins("b"), town.logins("a"), town.inits("a")), (1, 1, 1));
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_comes_back_waits_for_its_own_last_handler() {
    let both = file("[plugins.counter]\ntest = \"comes back\"", &[("a", ""), ("b", "")]);
    let mut town = Town::new(&["a", "b"], &both).await;
    town.log_in("b").await;
    town.hear("b", "Alice", "slow");
    town.settled("the handler began", async |_| life("comes back").contains(&"begin n".to_owned())).await;
    town.reload(&file("[plugins.counter]\ntest = \"comes back\"", &[("a", "")])).await.unwrap();
    town.reload(&both).await.unwrap();
    phase(&town.account("b"), "online").await;
    town.answers("b", 1).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(town.sim.journal().sends_of("b").count(), 1);
    let begun = life("comes back").iter().filter(|what| *what == "begin n").count();
    assert_eq!(begun, 1, "handled once, by the crew that had begun");
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn work_changes_apply_to_the_next_message_and_no_session_notices() {
    let of = |word: &str, more: &str| {
        file(
            &format!("[plugins.counter]\nword = \"{word}\"\ntest = \"work\""),
            &[("a", more), ("b", "use = [\"echo\"]")],
        )
    };
    let mut town = Town::new(&["a", "b"], &of("x", "")).await;
    town.log_in("a").await;
    town.log_in("b").await;
    let mut said = 0;
    let mut last = async |town: &Town| {
        said += 1;
        town.hear("a", "Alice", &format!("m{said}"));
        town.answers("a", said).await.pop().unwrap()
    };
    assert_eq!(last(&town).await, "x1: m1");
    assert_eq!(town.reload(&of("x", "")).await.unwrap(), "");
    assert_eq!(last(&town).await, "x2: m2", "nothing changed, nothing forgotten");
    for (word, more, plan, answer) in [
        ("x", "pacing = { per_account = \"100001/s\" }", "a: pacing", "x3: m3"),
        ("x", "middleware = [\"trace\"]", "a: middleware pacing", "x4: m4"),
        ("x", "on_uncertain = \"drop\"", "a: middleware on_uncertain", "x5: m5"),
        ("y", "", "a: plugins on_uncertain", "y1: m6"),
        ("y", "use = [\"echo\", \"counter\"]", "a: plugins", "echo: m7"),
    ] {
        assert_eq!(town.reload(&of(word, more)).await.unwrap(), plan);
        assert_eq!(last(&town).await, answer, "after {plan}");
    }
    for name in ["a", "b"] {
        assert_eq!((town.logins(name), town.inits(name)), (1, 1), "{name}");
    }
    assert_eq!(life("work"), ["start x", "start y", "stop x"], "x ended when nobody used it any more");
    town.stop().await;
    assert_eq!(life("work"), ["start x", "start y", "stop x", "stop y"]);
}

#[tokio::test(start_paused = true)]
async fn a_faster_pace_lets_waiting_replies_go_at_once() {
    let slow =
        file("pacing = { per_account = \"1/h\", burst = 1, per_chat = \"1/h\", max_age = \"2d\" }", &[("a", "")]);
    let mut town = Town::new(&["a"], &slow).await;
    town.log_in("a").await;
    for n in 0..4 {
        town.hear("a", "Alice", &format!("m{n}"));
    }
    town.settled("three wait", async |town| town.counts("a").await.outbox.queued == 3).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(town.reload(&file("", &[("a", "")])).await.unwrap(), "a: pacing");
    town.answers("a", 4).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_decides_what_was_held_before_it() {
    let mut town = Town::new(&["a"], &file("", &[("a", "")])).await;
    town.log_in("a").await;
    town.sim.inject(Fault::once("webwxsendmsg", FaultKind::Drop));
    town.hear("a", "Alice", "hi");
    town.settled("it is held", async |town| town.counts("a").await.outbox.uncertain == 1).await;
    assert_eq!(town.reload(&file("", &[("a", "on_uncertain = \"resend\"")])).await.unwrap(), "a: on_uncertain");
    assert_eq!(town.answers("a", 1).await, ["n1: hi"]);
    assert_eq!(town.inits("a"), 1);
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_reload_decides_nothing_about_an_account_that_it_would_have_added() {
    let mut town = Town::new(&["a"], &file("", &[("a", "")])).await;
    town.log_in("a").await;
    town.sim.inject(Fault::once("webwxsendmsg", FaultKind::Drop));
    town.hear("a", "Alice", "hi");
    town.settled("it is held", async |town| town.counts("a").await.outbox.uncertain == 1).await;
    let gone = town.account("a");
    town.reload(&file("", &[("a", "enabled = false")])).await.unwrap();
    phase(&gone, "stopped").await;
    let back = ("a", "on_uncertain = \"drop\"");
    let far = ("b", "proxy = \"http://nowhere.invalid:1\"");
    assert!(town.reload(&file("", &[back, far])).await.is_err());
    assert_eq!(town.counts("a").await.outbox.uncertain, 1);
    assert_eq!(town.reload(&file("", &[back])).await.unwrap(), "+a");
    assert_eq!(town.counts("a").await.outbox.dropped, 1);
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_middleware_remembers_outlives_the_change_of_another_setting() {
    let of = |limit: u32, burst: u32| {
        let pacing = format!("pacing = {{ per_account = \"100000/s\", per_chat = \"100000/s\", burst = {burst} }}");
        let limit = format!("[rate-limit]\nper_chat = \"{limit}/h\"\nper_sender = \"1000/h\"");
        file(&format!("middleware = [\"rate-limit\"]\n{pacing}\n{limit}"), &[("a", "")])
    };
    let mut town = Town::new(&["a"], &of(2, 5)).await;
    town.log_in("a").await;
    for n in 0..2 {
        town.hear("a", "Alice", &format!("m{n}"));
    }
    town.answers("a", 2).await;
    assert_eq!(town.reload(&of(2, 6)).await.unwrap(), "a: pacing");
    town.hear("a", "Alice", "too much");
    town.settled("it is stopped", async |town| town.counts("a").await.inbox.stopped == 1).await;
    assert_eq!(town.reload(&of(3, 6)).await.unwrap(), "a: middleware");
    town.hear("a", "Alice", "a new limit");
    assert_eq!(town.answers("a", 3).await.len(), 3);
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn accounts_with_equal_settings_share_an_instance_that_reloads_keep() {
    let mut town = Town::new(&["a", "b"], &file("[plugins.counter]\ntest = \"share\"", &[("a", "")])).await;
    town.log_in("a").await;
    town.hear("a", "Alice", "hi");
    town.answers("a", 1).await;
    let both = file("[plugins.counter]\ntest = \"share\"", &[("a", ""), ("b", "")]);
    town.reload(&both).await.unwrap();
    town.log_in("b").await;
    town.hear("b", "Alice", "hi");
    assert_eq!(town.answers("b", 1).await, ["n2: hi"], "the instance that had counted to one");
    town.reload(&file("[plugins.counter]\ntest = \"share\"", &[("b", "")])).await.unwrap();
    town.hear("b", "Bob", "hi");
    assert_eq!(town.answers("b", 2).await[1], "n3: hi");
    assert_eq!(life("share"), ["start n"]);
    town.stop().await;
    assert_eq!(life("share"), ["start n", "stop n"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_in_hand_ends_with_the_settings_it_began_with() {
    let of = |word: &str| file(&format!("[plugins.counter]\nword = \"{word}\"\ntest = \"in hand\""), &[("a", "")]);
    let mut town = Town::new(&["a"], &of("old")).await;
    town.log_in("a").await;
    town.hear("a", "Alice", "slow");
    town.settled("it began", async |_| life("in hand").contains(&"begin old".to_owned())).await;
    town.reload(&of("new")).await.unwrap();
    town.hear("a", "Alice", "next");
    town.hear("a", "Bob", "aside");
    assert_eq!(town.answers("a", 1).await, ["new1: aside"], "another lane waits for nobody");
    assert!(!life("in hand").contains(&"stop old".to_owned()), "it still runs");
    assert_eq!(town.answers("a", 3).await, ["new1: aside", "old1: slow", "new2: next"]);
    town.settled("the old one stops", async |_| life("in hand").contains(&"stop old".to_owned())).await;
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_changes_nothing() {
    let good = file("[plugins.counter]\nword = \"x\"\ntest = \"nothing\"", &[("a", ""), ("b", "")]);
    let mut town = Town::new(&["a", "b", "c"], &good).await;
    town.log_in("a").await;
    town.log_in("b").await;
    let fine = "plugins = { counter = { word = \"fine\" } }";
    for (name, accounts, why) in [
        (
            "a plugin that does not start",
            [("a", fine), ("c", ""), ("b", "plugins = { counter = { broken = true } }")],
            "plugin `counter` cannot start: the counter is broken",
        ),
        (
            "an account without a way",
            [("a", fine), ("c", ""), ("b", "proxy = \"http://nowhere.invalid:1\"")],
            "account `b` cannot be reached",
        ),
    ] {
        let bad = file("[plugins.counter]\nword = \"x\"\ntest = \"nothing\"", &accounts);
        assert_eq!(town.reload(&bad).await.unwrap_err(), why, "{name}");
        assert_eq!(town.names(), ["a", "b"], "{name}");
    }
    town.hear("a", "Alice", "hi");
    assert_eq!(town.answers("a", 1).await, ["x1: hi"], "the old settings hold");
    for name in ["a", "b"] {
        assert_eq!((town.logins(name), town.inits(name)), (1, 1), "{name}");
    }
    // What had been started for nothing is stopped.
    town.settled("it stops", async |_| life("nothing").iter().filter(|what| *what == "stop fine").count() == 2).await;
    assert_eq!(town.reload(&good).await.unwrap(), "");
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_endpoint_restarts_that_session_alone_and_keeps_what_waits() {
    let pacing = "pacing = { per_account = \"1/min\", burst = 1, per_chat = \"1/min\", max_age = \"2d\" }";
    let of = |more: &str| file(pacing, &[("a", more), ("b", "")]);
    let mut town = Town::new(&["a", "b"], &of("")).await;
    town.log_in("a").await;
    town.log_in("b").await;
    for n in 0..4 {
        town.hear("a", "Alice", &format!("m{n}"));
    }
    town.settled("replies wait", async |town| town.counts("a").await.outbox.queued == 3).await;
    let moved = of("endpoint = \"http://other.invalid\"");
    assert_eq!(town.reload(&moved).await.unwrap(), "a anew: endpoint");
    // A session belongs to where it was saved.
    phase(&town.account("a"), "needs_login").await;
    town.log_in("a").await;
    let answers = town.answers("a", 4).await;
    let texts: Vec<_> = answers.iter().map(|text| text.split_once(": ").unwrap().1).collect();
    assert_eq!(texts, ["m0", "m1", "m2", "m3"], "what waited went out, in order, once");
    assert_eq!((town.logins("a"), town.logins("b"), town.inits("b")), (2, 1, 1));
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_proxy_goes_on_with_the_saved_session() {
    let mut town = Town::new(&["a"], &file("", &[("a", "")])).await;
    town.log_in("a").await;
    let account = town.account("a");
    assert_eq!(town.reload(&file("", &[("a", "proxy = \"http://p.invalid:1\"")])).await.unwrap(), "a anew: proxy");
    town.until("the session begins again", |j| j.inits.len() == 2).await;
    phase(&account, "online").await;
    town.hear("a", "Alice", "hi");
    town.answers("a", 1).await;
    assert_eq!(town.logins("a"), 1, "no second scan");
    town.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_over_many_reloads_under_load() {
    let names = ["a", "b", "c"];
    let every = |more: [&str; 3]| file("", &[("a", more[0]), ("b", more[1]), ("c", more[2])]);
    let echo = "use = [\"echo\"]";
    let paced = "use = [\"echo\"]\npacing = { burst = 50 }";
    let chained = "use = [\"echo\"]\nmiddleware = [\"trace\", \"ignore-self\"]";
    let proxied = "use = [\"echo\"]\nproxy = \"http://p.invalid:1\"";
    let off = "use = [\"echo\"]\nenabled = false";
    let mut town = Town::new(&names, &every([echo; 3])).await;
    for name in names {
        town.log_in(name).await;
    }
    let files = [
        every([paced, echo, off]),
        every([chained, proxied, echo]),
        every([echo, echo, proxied]),
        every([proxied, off, echo]),
        every([echo, chained, paced]),
    ];
    for round in 0..60 {
        for name in names {
            for from in ["Alice", "Bob"] {
                town.hear(name, from, &format!("{from} {round}"));
            }
        }
        town.reload(&files[round % files.len()]).await.unwrap();
        if round % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    town.reload(&every([echo; 3])).await.unwrap();
    for name in names {
        town.answers(name, 120).await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    let journal = town.sim.journal();
    for name in names {
        let mut per_chat: HashMap<&str, Vec<&str>> = HashMap::new();
        for send in journal.sends_of(name) {
            per_chat.entry(&send.to).or_default().push(&send.content);
        }
        for from in ["Alice", "Bob"] {
            let want: Vec<_> = (0..60).map(|round| format!("echo: {from} {round}")).collect();
            assert_eq!(per_chat[from], want, "{name}");
        }
        assert_eq!(journal.logins_of(name), 1, "{name}");
        let counts = town.counts(name).await;
        assert_eq!((counts.inbox.waiting, counts.outbox.queued, counts.outbox.uncertain), (0, 0, 0), "{name}");
    }
    town.stop().await;
}

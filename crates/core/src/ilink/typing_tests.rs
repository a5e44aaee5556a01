//! Tickets are asked for once, and their lack bothers nobody.

use std::sync::Arc;

use super::super::testing::{Asked, OWNER, Reply, Script, client, peer};
use super::*;
use crate::error::{EndReason, Error};

struct Rig {
    client: Client,
    tickets: Tickets,
    script: Arc<Script>,
}

impl Rig {
    fn new(answering: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let script = Script::new(answering);
        Self { client: client(&script), tickets: Tickets::default(), script }
    }

    async fn show(&self, on: bool) -> Result<(), Error> {
        self.client.show_typing(&self.tickets, &peer(OWNER), on).await
    }
}

fn good(asked: &Asked) -> Reply {
    Reply::fixture(if asked.endpoint == "getconfig" { "getconfig.resp" } else { "sendtyping.resp" })
}

#[tokio::test(start_paused = true)]
async fn one_ticket_for_ten_minutes() {
    let rig = Rig::new(good);
    rig.show(false).await.unwrap();
    assert!(rig.script.seen().is_empty(), "nothing was shown that could be ended");
    rig.show(true).await.unwrap();
    rig.show(true).await.unwrap();
    assert_eq!(rig.script.endpoints(), ["getconfig", "sendtyping", "sendtyping"]);
    tokio::time::advance(TICKET).await;
    rig.show(false).await.unwrap();
    assert_eq!(rig.script.count("getconfig"), 1, "an old one may still end it");
    rig.show(true).await.unwrap();
    assert_eq!(rig.script.count("getconfig"), 2);
    let told: Vec<_> = rig.script.seen().iter().filter_map(|asked| asked.body()["status"].as_u64()).collect();
    assert_eq!(told, [1, 1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn without_a_ticket_nothing_is_shown_and_nobody_is_bothered() {
    let rig = Rig::new(|_| Reply::fixture("getconfig-no-context.resp"));
    for _ in 0..5 {
        rig.show(true).await.unwrap();
        rig.show(false).await.unwrap();
    }
    assert_eq!(rig.script.endpoints(), ["getconfig"], "not asked again at once");
    tokio::time::advance(NONE).await;
    rig.show(true).await.unwrap();
    assert_eq!(rig.script.count("getconfig"), 2);

    let rig = Rig::new(good);
    rig.client.show_typing(&rig.tickets, &peer("stranger@im.wechat"), true).await.unwrap();
    assert!(rig.script.seen().is_empty(), "who never wrote has no ticket");
}

#[tokio::test(start_paused = true)]
async fn a_refused_ticket_is_replaced_once() {
    let rig = Rig::new(|asked| match (asked.endpoint.as_str(), asked.nth) {
        ("sendtyping", 0) => Reply::json(serde_json::json!({"ret": -4})),
        _ => good(asked),
    });
    rig.show(true).await.unwrap();
    assert_eq!(rig.script.endpoints(), ["getconfig", "sendtyping", "getconfig", "sendtyping"]);

    for (ret, silent) in [(-4, true), (-2, false)] {
        let rig = Rig::new(move |asked| match asked.endpoint.as_str() {
            "sendtyping" => Reply::json(serde_json::json!({"ret": ret})),
            _ => good(asked),
        });
        assert_eq!(rig.show(true).await.is_ok(), silent, "{ret}");
        assert_eq!(rig.script.endpoints(), ["getconfig", "sendtyping", "getconfig", "sendtyping"]);
        rig.show(true).await.unwrap();
        assert_eq!(rig.script.seen().len(), 4, "left alone for a while");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_told() {
    let rig = Rig::new(|_| Reply::fixture("sendmessage-stale.resp"));
    assert!(matches!(rig.show(true).await, Err(Error::Ended(EndReason::TokenRefused))));
    let rig = Rig::new(|_| Reply::fixture("getconfig-missing-user.resp"));
    assert!(matches!(rig.show(true).await, Err(Error::Refused { .. })));
    let rig = Rig::new(|_| Reply::not_sent());
    assert!(matches!(rig.show(true).await, Err(Error::Transport { .. })));
    rig.show(true).await.unwrap();
    assert_eq!(rig.script.seen().len(), 1, "left alone for a while");
}

#[tokio::test(start_paused = true)]
async fn tickets_are_bounded() {
    let tickets = Tickets::default();
    for number in 0..TICKETS + 3 {
        tickets.keep(&peer(&format!("p{number}@im.wechat")), Some(Secret::new("t".to_owned())));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(tickets.all().len(), TICKETS);
    assert!(tickets.known(&peer("p2@im.wechat"), true).is_none());
    assert!(tickets.known(&peer("p3@im.wechat"), true).is_some());
}

//! Are comings and goings in rooms told once, whoever tells them first?

use std::time::Duration;

use wxbot_model::EventKind;
use wxbot_sim::{Deliver, RoomChange};

use crate::rig::Rig;

fn text(content: &str) -> Deliver {
    Deliver::raw("", 10_000, content).in_room("测试群")
}

fn told(rig: &Rig) -> Vec<(Vec<String>, Vec<String>)> {
    let names = |list: Vec<wxbot_model::Noticed>| list.into_iter().map(|noticed| noticed.name).collect();
    let kinds = rig.events("members_changed").into_iter().map(|event| event.kind);
    let told = kinds.map(|kind| {
        let EventKind::MembersChanged { joined, left } = kind else { panic!("{kind:?}") };
        (names(joined), names(left))
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn a_member_who_leaves_without_a_word_is_told_once() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    let alice = rig.id_of("Alice").unwrap();
    rig.sim.change_room("shop", "测试群", RoomChange::Leave("Alice".into())).unwrap();
    rig.until(async |rig| !told(rig).is_empty()).await;
    assert_eq!(told(&rig), [(vec![], vec!["Alice".to_owned()])]);
    let event = rig.events("members_changed").remove(0);
    let EventKind::MembersChanged { left, .. } = event.kind else { panic!() };
    assert_eq!((left[0].id.as_ref(), event.chat.name.as_str()), (Some(&alice), "测试群"));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(told(&rig).len(), 1);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_text_tells_is_not_told_again() {
    for text_first in [true, false] {
        let mut rig = Rig::new("").await;
        rig.log_in().await;
        let join = || {
            rig.sim.change_room("shop", "测试群", RoomChange::Join("Dave".into())).unwrap();
        };
        if !text_first {
            join();
            rig.until(async |rig| rig.events("contact_changed").len() == 1).await;
        }
        rig.sim.deliver("shop", text("\"Alice\"邀请\"Dave\"加入了群聊")).unwrap();
        rig.until(async |rig| rig.events("members_joined").len() == 1).await;
        if text_first {
            join();
        }
        rig.until(async |rig| rig.events("contact_changed").len() == 1).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((told(&rig), rig.events("members_joined").len()), (vec![], 1), "text first: {text_first}");
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_while_wxbot_was_down_is_told_once() {
    let mut rig = Rig::new("").await;
    rig.log_in().await;
    rig.stop().await;
    rig.sim.change_room("shop", "测试群", RoomChange::Leave("鲍勃".into())).unwrap();
    // Down again before it is told: the difference itself is kept.
    rig.start("").await;
    rig.online().await;
    rig.stop().await;
    rig.start("").await;
    rig.online().await;
    rig.until(async |rig| !told(rig).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(told(&rig), [(vec![], vec!["鲍勃".to_owned()])]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_plugin_finds_people_and_members_that_are_not_loaded() {
    let friends = r#"{ nick = "Carol", remark = "老客户" }"#;
    let mut rig = Rig::with_friends("", friends, "use = [\"who\"]").await;
    rig.log_in().await;
    rig.sim.deliver("shop", crate::rig::say("Alice", "老客")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 1).await;
    assert_eq!(rig.sends()[0].1, "老客户");
    rig.sim.deliver("shop", crate::rig::say("Alice", "静")).unwrap();
    rig.sim.wait_for(|j| j.sends_of("shop").count() == 2).await;
    assert_eq!(rig.sends()[1].1, "静群 小店/小店 Alice/Alice 路人/路人");
    rig.stop().await;
}

//! Does the plugin do what its settings say? Conversations in the test kit, by what they are about.

mod actions;
mod bad_input;
mod files;
mod management;
mod rules;

use serde_json::json;
use wxbot_plugin::testing::Kit;

use super::*;

/// The manifest and the plan name what settings need.
#[test]
fn the_plan_names_features_and_what_they_need() {
    let settings = json!({ "rules": [
        { "any": "a", "stop": true },
        { "any": "b", "reply": "x", "mention": true, "tag": "t" },
        { "any": "c", "invite_to": "r1", "forward_to": "p1", "notify": true },
    ] });
    let settings = Settings::read(&settings, &Place::default()).unwrap();
    let told: Vec<_> = Keyword::plan(&settings)
        .features
        .into_iter()
        .map(|feature| (feature.name, feature.pointer, feature.needs))
        .collect();
    let (send, add) = (Capability::SendText, Capability::AddMembers);
    let want = [
        ("reply", "/rules/1/reply", vec![send]),
        ("mention", "/rules/1/mention", vec![send, Capability::Mention]),
        ("forward", "/rules/2/forward_to", vec![send]),
        ("invite", "/rules/2/invite_to", vec![add]),
        ("notify", "/rules/2/notify", vec![send]),
        ("tag", "/rules/1/tag", vec![]),
        ("stop", "/rules/0/stop", vec![]),
    ];
    assert_eq!(told, want.map(|(name, pointer, needs)| (name.to_owned(), pointer.to_owned(), needs)));
    let manifest = Keyword::manifest();
    assert_eq!((&*manifest.id, manifest.needs, manifest.wants_late), ("keyword", vec![send], false));
}

/// An answer that quotes something.
fn quoting(text: &str, quoted: &str) -> Content {
    let quoted = wxbot_plugin::model::Quoted { text: quoted.into(), kind: "text".into(), ..Default::default() };
    Content::Quote(Quote { text: text.into(), quoted })
}

/// A forwarded record of one message.
fn forwarding(text: &str) -> Content {
    let item = wxbot_plugin::model::RecordItem { text: text.into(), data_type: 1, ..Default::default() };
    Content::ChatRecord(wxbot_plugin::model::ChatRecord {
        title: "聊天记录".into(), items: vec![item], left_out: 0
    })
}

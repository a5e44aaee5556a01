//! Who is who by the words of a hook's control side?

use std::collections::BTreeMap;

use wxbot_model::{Contact, ContactKind, Member, Members, PeerId, Sex};

/// What sort of peer an id is of.
pub(super) fn kind_of(id: &str) -> ContactKind {
    if id.ends_with("@chatroom") {
        ContactKind::Room
    } else if id.starts_with("gh_") {
        ContactKind::Official
    } else if matches!(id, "filehelper" | "fmessage" | "newsapp" | "weixin" | "medianote" | "floatbottle") {
        ContactKind::Special
    } else {
        ContactKind::Person
    }
}

/// A contact out of the named results of a call; nobody without an id.
pub(super) fn from_fields(fields: &BTreeMap<String, String>, id: &str, kind: ContactKind) -> Option<Contact> {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let peer: PeerId = text(id).parse().ok()?;
    Some(Contact {
        nick_name: text("name").into(),
        remark_name: text("remark").into(),
        alias: text("alias").into(),
        wxid: text(id).into(),
        signature: text("signature").into(),
        province: text("province").into(),
        city: text("city").into(),
        sex: match text("sex") {
            "1" => Sex::Male,
            "2" => Sex::Female,
            _ => Sex::Unknown,
        },
        owner: text("owner").parse().ok(),
        ..Contact::nameless(peer, kind)
    })
}

/// The members of a room out of a list of results.
pub(super) fn members(items: &[BTreeMap<String, String>], me: Option<&PeerId>) -> Members {
    let member = |item: &BTreeMap<String, String>| {
        let text = |name: &str| item.get(name).map(String::as_str).unwrap_or_default();
        let peer = text("id").parse().ok()?;
        Some(Member { peer, nick_name: text("name").into(), display_name: text("room_name").into(), attr_status: 0 })
    };
    Members::complete(items.iter().filter_map(member).collect(), me)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn contacts_by_their_fields() {
        let told = fields(&[("id", "wxid_a"), ("name", "安娜"), ("remark", "客户"), ("alias", "anna"), ("sex", "2")]);
        let anna = from_fields(&told, "id", kind_of("wxid_a")).unwrap();
        assert_eq!((anna.kind, anna.display_name(), &*anna.wxid), (ContactKind::Person, "客户", "wxid_a"));
        assert_eq!(anna.sex, Sex::Female);
        assert!(from_fields(&fields(&[("name", "x")]), "id", ContactKind::Person).is_none());
        for (id, want) in [
            ("1@chatroom", ContactKind::Room),
            ("gh_1", ContactKind::Official),
            ("filehelper", ContactKind::Special),
            ("25984@openim", ContactKind::Person),
        ] {
            assert_eq!(kind_of(id), want, "{id}");
        }
    }

    #[test]
    fn members_by_their_fields() {
        let me: PeerId = "wxid_me".parse().unwrap();
        let items =
            [fields(&[("id", "wxid_me"), ("name", "bot")]), fields(&[("id", "wxid_a"), ("name", "安娜")]), fields(&[])];
        let members = members(&items, Some(&me));
        assert_eq!((members.len(), members.names()), (2, "安娜"));
    }
}

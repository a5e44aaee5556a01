//! The table of who is who: rows of a former login against contacts of a new one.

use super::*;

/// `"wxid=a uin=1 alias=x remark=r nick=n attr=7 picture=9 members=a,b,c"`, each of them optional.
fn marks(kind: ContactKind, text: &str) -> Marks<'_> {
    let mut marks = Marks {
        kind,
        wxid: "",
        uin: 0,
        alias: "",
        remark: "",
        nick: "",
        attr: 0,
        picture: 0,
        sketch: Vec::new().into(),
    };
    for part in text.split_whitespace() {
        let (name, value) = part.split_once('=').unwrap();
        match name {
            "wxid" => marks.wxid = value,
            "uin" => marks.uin = value.parse().unwrap(),
            "alias" => marks.alias = value,
            "remark" => marks.remark = value,
            "nick" => marks.nick = value,
            "attr" => marks.attr = value.parse().unwrap(),
            "picture" => marks.picture = value.parse().unwrap(),
            "members" => {
                let mut hashes: Vec<u32> = value.split(',').map(|name| sketch::hash(&[name])).collect();
                hashes.sort_unstable();
                marks.sketch = hashes.into();
            }
            other => panic!("{other}"),
        }
    }
    marks
}

/// Plays all levels as a login does; the pairs by their places.
fn matched(kind: ContactKind, rows: &[&str], contacts: &[&str]) -> Vec<(usize, usize, Level)> {
    let (mut rows, mut contacts) = (
        rows.iter().map(|text| marks(kind, text)).enumerate().collect::<Vec<_>>(),
        contacts.iter().map(|text| marks(kind, text)).enumerate().collect::<Vec<_>>(),
    );
    let mut all = Vec::new();
    for level in levels(kind) {
        let (r, c): (Vec<_>, Vec<_>) =
            (rows.iter().map(|(_, m)| m.clone()).collect(), contacts.iter().map(|(_, m)| m.clone()).collect());
        let pairs: Vec<(usize, usize)> =
            unique_pairs(*level, &r, &c).into_iter().map(|(row, contact)| (rows[row].0, contacts[contact].0)).collect();
        rows.retain(|(at, _)| !pairs.iter().any(|(row, _)| row == at));
        contacts.retain(|(at, _)| !pairs.iter().any(|(_, contact)| contact == at));
        all.extend(pairs.into_iter().map(|(row, contact)| (row, contact, *level)));
    }
    all.sort_by_key(|(row, ..)| *row);
    all
}

#[test]
fn people() {
    for (name, rows, contacts, want) in [
        ("lasting id", &["wxid=a nick=A"][..], &["wxid=a nick=B"][..], &[(0, 0, Wxid)][..]),
        ("lasting id against a changed alias", &["wxid=a alias=x"], &["wxid=a alias=y"], &[(0, 0, Wxid)]),
        ("other lasting id, all else equal", &["wxid=a alias=x nick=A attr=1"], &["wxid=b alias=x nick=A attr=1"], &[]),
        ("uin", &["uin=5 nick=A"], &["uin=5 nick=B"], &[(0, 0, Uin)]),
        ("same alias, other uin", &["uin=5 alias=x"], &["uin=6 alias=x"], &[]),
        ("alias, in any case", &["alias=Wang_1 nick=A"], &["alias=wang_1 nick=B"], &[(0, 0, Alias)]),
        (
            "other alias, same remark and nick",
            &["alias=x remark=R nick=A attr=1"],
            &["alias=y remark=R nick=A attr=1"],
            &[],
        ),
        ("alias not shown this time", &["alias=x nick=A attr=1"], &["nick=A attr=1"], &[(0, 0, Nick)]),
        ("remark and nick", &["remark=R nick=A"], &["remark=R nick=A"], &[(0, 0, Remark)]),
        ("remark and attr, renamed", &["remark=R nick=A attr=1"], &["remark=R nick=B attr=1"], &[(0, 0, Remark)]),
        ("remark alone", &["remark=R nick=A attr=1"], &["remark=R nick=B attr=2"], &[]),
        ("remark and nick, other attr", &["remark=R nick=A attr=1"], &["remark=R nick=A attr=2"], &[]),
        (
            "a remark for two",
            &["remark=R nick=A", "remark=R nick=B"],
            &["remark=R nick=B", "remark=R nick=A"],
            &[(0, 1, Remark), (1, 0, Remark)],
        ),
        ("nick and attr", &["nick=A attr=1"], &["nick=A attr=1"], &[(0, 0, Nick)]),
        ("a remark given meanwhile", &["nick=A attr=1"], &["remark=R nick=A attr=1"], &[(0, 0, Nick)]),
        ("another remark", &["remark=R nick=A attr=1"], &["remark=S nick=A attr=1"], &[]),
        ("nick alone", &["nick=A"], &["nick=A"], &[]),
        ("nick, other attr", &["nick=A attr=1"], &["nick=A attr=2"], &[]),
        ("another picture", &["nick=A attr=1 picture=3"], &["nick=A attr=1 picture=4"], &[(0, 0, Nick)]),
        ("two of one name, one here", &["nick=A attr=1", "nick=A attr=1"], &["nick=A attr=1"], &[]),
        ("one of a name, two here", &["nick=A attr=1"], &["nick=A attr=1", "nick=A attr=1"], &[]),
        (
            "two of one name told apart by pictures",
            &["nick=A attr=1 picture=3", "nick=A attr=1 picture=4"],
            &["nick=A attr=1 picture=4", "nick=A attr=1 picture=3"],
            &[(0, 1, Picture), (1, 0, Picture)],
        ),
        (
            "one of two is proved, the other is left",
            &["nick=A attr=1 alias=x", "nick=A attr=1"],
            &["nick=A attr=1", "nick=A attr=1 alias=x"],
            &[(0, 1, Alias), (1, 0, Nick)],
        ),
        (
            "one of two is excluded",
            &["nick=A attr=1 uin=5", "nick=A attr=1"],
            &["nick=A attr=1 uin=6"],
            &[(1, 0, Nick)],
        ),
        ("nothing known", &[""], &[""], &[]),
    ] {
        assert_eq!(matched(ContactKind::Person, rows, contacts), want, "{name}");
    }
}

#[test]
fn rooms() {
    for (name, rows, contacts, want) in [
        (
            "lasting id, all else changed",
            &["wxid=7@chatroom nick=T members=a,b"][..],
            &["wxid=7@chatroom nick=U members=c"][..],
            &[(0, 0, Wxid)][..],
        ),
        ("topic and members", &["nick=T members=a,b,c"], &["nick=T members=a,b,d"], &[(0, 0, TopicAndMembers)]),
        ("same topic, others in it", &["nick=T members=a,b,c"], &["nick=T members=d,e,f"], &[]),
        ("same topic, members not seen yet", &["nick=T members=a,b,c"], &["nick=T"], &[]),
        ("members never seen", &["nick=T"], &["nick=T members=a,b"], &[(0, 0, Topic)]),
        (
            "two of one topic",
            &["nick=T members=a,b", "nick=T members=c,d"],
            &["nick=T members=c,d", "nick=T members=a,b"],
            &[(0, 1, TopicAndMembers), (1, 0, TopicAndMembers)],
        ),
        ("two of one topic, members never seen", &["nick=T", "nick=T"], &["nick=T", "nick=T"], &[]),
        ("renamed", &["nick=T members=a,b,c"], &["nick=U members=a,b,c"], &[(0, 0, Members)]),
        ("renamed and half changed", &["nick=T members=a,b,c,d"], &["nick=U members=a,b,e,f"], &[]),
        ("renamed, one other member", &["nick=T members=a"], &["nick=U members=a"], &[]),
        (
            "renamed, two rooms of the same people",
            &["nick=T members=a,b"],
            &["nick=U members=a,b", "nick=V members=a,b"],
            &[],
        ),
        (
            "one of two was renamed",
            &["nick=T members=a,b", "nick=U members=a,b"],
            &["nick=V members=a,b", "nick=T members=a,b"],
            &[(0, 1, TopicAndMembers), (1, 0, Members)],
        ),
        ("unnamed", &["members=a,b"], &["members=a,b"], &[(0, 0, Members)]),
    ] {
        assert_eq!(matched(ContactKind::Room, rows, contacts), want, "{name}");
    }
}

#[test]
fn others() {
    for (name, kind, row, contact, same) in [
        ("official, by its name", ContactKind::Official, "nick=N", "nick=N", true),
        ("official, other alias", ContactKind::Official, "nick=N alias=x", "nick=N alias=y", false),
        ("ourselves under a new name", ContactKind::Myself, "uin=1 nick=N", "uin=1 nick=M", true),
        ("another account of our name", ContactKind::Myself, "uin=1 nick=N", "uin=2 nick=N", false),
        ("built in", ContactKind::Special, "nick=N", "nick=N", true),
    ] {
        assert_eq!(!matched(kind, &[row], &[contact]).is_empty(), same, "{name}");
    }
    let (person, room) = (marks(ContactKind::Person, "wxid=a"), marks(ContactKind::Room, "wxid=a"));
    assert!(contradict(&person, &room), "a person is no room, whatever is equal");
}

#[test]
fn who_it_could_be_is_wider_than_who_it_is() {
    for (row, contact, want) in [
        ("nick=A attr=1", "nick=A attr=2", true),
        ("nick=A uin=1", "nick=A uin=2", false),
        ("remark=R nick=A", "remark=R nick=B", true),
        ("nick=A", "nick=B", false),
        ("", "", false),
    ] {
        let (row, contact) = (marks(ContactKind::Person, row), marks(ContactKind::Person, contact));
        assert_eq!(could_be(&row, &contact), want);
    }
}

//! Where do messages go, and changes of friends and rooms?

use url::Url;

use super::{Hosts, Mode, cgi, plain};

/// webwxsendmsg.
pub fn sendmsg(hosts: &Hosts, pass_ticket: &str) -> Url {
    plain(hosts, "webwxsendmsg", pass_ticket)
}

/// webwxsendemoticon.
pub fn sendemoticon(hosts: &Hosts, pass_ticket: &str) -> Url {
    let query = [("fun", "sys"), ("f", "json"), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)];
    cgi(&hosts.api, "webwxsendemoticon", &query)
}

/// webwxsendmsgimg.
pub fn sendmsgimg(hosts: &Hosts, pass_ticket: &str) -> Url {
    asynchronous(hosts, "webwxsendmsgimg", pass_ticket)
}

/// webwxsendvideomsg.
pub fn sendvideomsg(hosts: &Hosts, pass_ticket: &str) -> Url {
    asynchronous(hosts, "webwxsendvideomsg", pass_ticket)
}

/// webwxsendappmsg.
pub fn sendappmsg(hosts: &Hosts, mode: &Mode, pass_ticket: &str) -> Url {
    let mut url = asynchronous(hosts, "webwxsendappmsg", pass_ticket);
    if mode.desktop {
        url.query_pairs_mut().append_pair("mod", "desktop");
    }
    url
}

fn asynchronous(hosts: &Hosts, name: &str, pass_ticket: &str) -> Url {
    cgi(&hosts.api, name, &[("fun", "async"), ("f", "json"), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// webwxrevokemsg.
pub fn revokemsg(hosts: &Hosts, pass_ticket: &str) -> Url {
    plain(hosts, "webwxrevokemsg", pass_ticket)
}

/// webwxverifyuser.
pub fn verifyuser(hosts: &Hosts, pass_ticket: &str, now_ms: i64) -> Url {
    timed(hosts, "webwxverifyuser", pass_ticket, now_ms)
}

/// webwxcreatechatroom.
pub fn createchatroom(hosts: &Hosts, pass_ticket: &str, now_ms: i64) -> Url {
    timed(hosts, "webwxcreatechatroom", pass_ticket, now_ms)
}

fn timed(hosts: &Hosts, name: &str, pass_ticket: &str, now_ms: i64) -> Url {
    cgi(&hosts.api, name, &[("r", &now_ms.to_string()), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// What webwxupdatechatroom does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomChange {
    /// Friends of ours come in at once.
    AddMember,
    /// Friends of ours are asked; what large rooms demand.
    InviteMember,
    /// Members are put out, by the owner.
    DelMember,
    /// Another topic.
    ModTopic,
    /// We leave.
    Quit,
}

/// webwxupdatechatroom.
pub fn updatechatroom(hosts: &Hosts, pass_ticket: &str, change: RoomChange) -> Url {
    let fun = match change {
        RoomChange::AddMember => "addmember",
        RoomChange::InviteMember => "invitemember",
        RoomChange::DelMember => "delmember",
        RoomChange::ModTopic => "modtopic",
        RoomChange::Quit => "quitchatroom",
    };
    cgi(&hosts.api, "webwxupdatechatroom", &[("fun", fun), ("lang", "zh_CN"), ("pass_ticket", pass_ticket)])
}

/// webwxoplog.
pub fn oplog(hosts: &Hosts, pass_ticket: &str) -> Url {
    plain(hosts, "webwxoplog", pass_ticket)
}

#[cfg(test)]
mod tests {
    use super::super::testing::web;
    use super::*;

    #[test]
    fn queries() {
        let (hosts, ticket) = (Hosts::before_login(), "t%2F");
        let rooms = [
            (RoomChange::AddMember, "addmember"),
            (RoomChange::InviteMember, "invitemember"),
            (RoomChange::DelMember, "delmember"),
            (RoomChange::ModTopic, "modtopic"),
            (RoomChange::Quit, "quitchatroom"),
        ];
        let rooms = rooms.map(|(change, fun)| (updatechatroom(&hosts, ticket, change), format!("fun={fun}&")));
        let sends = [
            (sendmsg(&hosts, ticket), String::new()),
            (sendemoticon(&hosts, ticket), "fun=sys&f=json&".into()),
            (sendmsgimg(&hosts, ticket), "fun=async&f=json&".into()),
            (sendvideomsg(&hosts, ticket), "fun=async&f=json&".into()),
            (sendappmsg(&hosts, &web(), ticket), "fun=async&f=json&".into()),
            (revokemsg(&hosts, ticket), String::new()),
            (verifyuser(&hosts, ticket, 5), "r=5&".into()),
            (createchatroom(&hosts, ticket, 5), "r=5&".into()),
            (oplog(&hosts, ticket), String::new()),
        ];
        for (url, own) in sends.into_iter().chain(rooms) {
            assert_eq!(url.query(), Some(format!("{own}lang=zh_CN&pass_ticket=t%252F").as_str()), "{url}");
            assert_eq!(url.host_str(), Some("wx.qq.com"));
        }
        let desktop = sendappmsg(&hosts, &Mode { desktop: true, ..web() }, ticket);
        assert!(desktop.as_str().ends_with("&mod=desktop"), "{desktop}");
    }
}

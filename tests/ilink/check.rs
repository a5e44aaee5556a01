//! What does `wxbot check` say of iLink accounts?

use std::fs;

use crate::support::wxbot::{self, Said};

fn check(config: &str, args: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bot.toml"), config).unwrap();
    wxbot::call(folder.path(), &[&["check"], args].concat()).unwrap()
}

fn account(lines: &str) -> String {
    format!("[[accounts]]\nname = \"小号\"\nprotocol = \"ilink\"\n{lines}\n")
}

#[test]
fn check_says_why_group_admin_cannot_run_and_what_instead() {
    for (name, config, under, cure) in [
        (
            "with settings",
            account("use = [\"group-admin\"]\nplugins.group-admin.flood = {}"),
            "\"group-admin\"",
            "take `group-admin` out of the account's `use`",
        ),
        (
            "without",
            account("use = [\"group-admin\"]"),
            "\"group-admin\"",
            "take `group-admin` out of the account's `use`",
        ),
        (
            "for all accounts",
            format!("[plugins.group-admin]\nflood = {{}}\n{}", account("")),
            "\"ilink\"",
            "give the account a `use` list without `group-admin`",
        ),
    ] {
        let said = check(&config, &[]);
        assert_eq!(said.code, Some(78), "{name}: {}{}", said.out, said.err);
        let told = said.err.split_whitespace().collect::<Vec<_>>().join(" ").replace(" │ ", " ");
        for part in [
            "wxbot::config::impossible_capability",
            "plugin `group-admin` keeps watch over rooms, which protocol `ilink` of account `小号` does not have",
            "lacks `group-messages`",
            "`remove-members`",
            cure,
            "`web`, `pc-hook`, `wecom`",
            "1 mistake in",
        ] {
            assert!(told.contains(part), "{name}: no `{part}` in {}", said.err);
        }
        // The caret stands under what has to change.
        let json = check(&config, &["--json"]);
        assert_eq!(json.code, Some(78), "{name}");
        let all: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        let [mistake] = all["mistakes"].as_array().unwrap().as_slice() else { panic!("{name}: {all}") };
        assert_eq!(mistake["code"], "wxbot::config::impossible_capability", "{name}");
        let (line, column) = (mistake["line"].as_u64().unwrap(), mistake["column"].as_u64().unwrap());
        let (line, column) = (usize::try_from(line).unwrap(), usize::try_from(column).unwrap());
        let text: String = config.lines().nth(line - 1).unwrap().chars().skip(column - 1).collect();
        assert!(text.starts_with(under), "{name}: {text}");
        assert!(mistake["help"].as_str().unwrap().contains(cure), "{name}: {mistake}");
    }
}

#[test]
fn the_other_plugins_run_there() {
    let rules = "[plugins.auto-reply]\nrules = [{ any = true, reply = \"好\" }]\n\
        [[plugins.keyword.rules]]\nname = \"价格\"\nany = [\"多少钱\"]\nreply = \"价目表\"\n";
    let said = check(&format!("{rules}{}", account("")), &[]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.contains("小号 · ilink · auto-reply, keyword"), "{}", said.out);
}

#[test]
fn options_that_make_no_sense_get_a_caret_and_a_cure() {
    for (line, told) in [
        ("version = \"2.4\"", ["`2.4` is no version that can be announced", "like \"2.4.9\""]),
        ("version = \"2.4.256\"", ["`2.4.256` is no version", "0 to 255"]),
        ("agent = \"wxbot\"", ["`wxbot` is no `name/version`", "like \"shop/1.2 (north)\""]),
        ("hold = \"1s\"", ["holds no question for so long", "5s to 120s"]),
        ("hold = \"3min\"", ["holds no question for so long", "5s to 120s"]),
        ("hold = 35", ["`hold` is a number", "a duration like \"15s\""]),
        ("route_tag = \"a b\"", ["`a b` cannot stand in a header", "1 to 64"]),
        ("cdn = \"ftp://cdn.example.net\"", ["`cdn`", "http"]),
        ("window_sends = 0", ["`window_sends`", "1"]),
        ("window_hours = 1000", ["`window_hours`", "168"]),
        ("chunk = 10", ["`chunk`", "200"]),
        ("experimental_voice = \"yes\"", ["`experimental_voice`", "true or false"]),
        ("mode = \"desktop\"", ["`mode` is an option of protocol `web`", "remove it"]),
    ] {
        let said = check(&account(&format!("use = []\n{line}")), &[]);
        assert_eq!(said.code, Some(78), "{line}: {}{}", said.out, said.err);
        let text = said.err.split_whitespace().collect::<Vec<_>>().join(" ").replace(" │ ", " ");
        for part in told {
            assert!(text.contains(part), "{line}: no `{part}` in {}", said.err);
        }
        let carets = said.err.lines().find(|one| one.contains(line)).is_some() && said.err.contains('─');
        assert!(carets && said.err.contains(":5:"), "{line}: {}", said.err);
    }
    let all = account(
        "use = []\nversion = \"2.5.0\"\nagent = \"shop/1.2 (north)\"\nhold = \"10s\"\nroute_tag = \"7\"\n\
         cdn = \"https://cdn.example.net/c2c\"\nwindow_sends = 5\nwindow_hours = 12\nchunk = 4000\n\
         experimental_voice = true\nproxy = \"socks5h://127.0.0.1:1080\"\nendpoint = \"http://127.0.0.1:9200\"",
    );
    let said = check(&all, &[]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
}

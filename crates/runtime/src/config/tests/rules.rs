//! Which mistake is told where, rule by rule.

use super::rig::{above, check, parsed, told, warned, web};

#[test]
fn one_key_alone() {
    check(
        &[
            ("good", web(""), &[]),
            ("empty", String::new(), &[("empty_file", "")]),
            ("comment only", "# nothing\n".to_owned(), &[("empty_file", "")]),
            ("no accounts", "data_dir = \"x\"".to_owned(), &[("no_accounts", "")]),
            ("empty list", "accounts = []".to_owned(), &[("no_accounts", "accounts")]),
            ("single brackets", "[accounts]\nname = \"a\"".to_owned(), &[("wrong_type", "[accounts]")]),
            ("accounts of numbers", "accounts = [1]".to_owned(), &[("wrong_type", "1")]),
            (
                "missing keys",
                "[[accounts]]\nenabled = true".to_owned(),
                &[("missing_key", "[[accounts]]"), ("missing_key", "[[accounts]]")],
            ),
            ("unknown key", web("enabeld = true"), &[("unknown_key", "enabeld")]),
            ("key of the top", web("data_dir = \"x\""), &[("unknown_key", "data_dir")]),
            ("non-ASCII key", above("\"名字\" = 1"), &[("unknown_key", "\"名字\"")]),
            ("dotted key", above("pacing.brust = 1"), &[("unknown_key", "brust")]),
            ("inline table", above("pacing = { burst = 0 }"), &[("out_of_range", "0")]),
            ("huge", above("pacing.burst = 99999999999999999999999"), &[("out_of_range", "99999999999999999999999")]),
            ("float", above("pacing.burst = 1.5"), &[("wrong_type", "1.5")]),
            ("nan", above("pacing.burst = nan"), &[("out_of_range", "nan")]),
            ("hexadecimal", above("pacing.burst = 0x10"), &[]),
            ("hours", above("pacing.quiet = \"23-7\""), &[("bad_hours", "\"23-7\"")]),
            ("no hours", above("pacing.quiet = \"off\""), &[]),
            ("a number as hours", above("pacing.quiet = 23"), &[("wrong_type", "23")]),
            ("time zone", above("pacing.tz = \"Mars/Base\""), &[("bad_zone", "\"Mars/Base\"")]),
            ("word of pacing", above("pacing.pushes = \"later\""), &[("bad_choice", "\"later\"")]),
            ("rate of a kind", above("pacing.friend_requests = \"10\""), &[("bad_rate", "\"10\"")]),
            ("date", above("data_dir = 2024-01-01"), &[("wrong_type", "2024-01-01")]),
            ("empty path", above("data_dir = \"\""), &[("empty_text", "\"\"")]),
            ("number as duration", above("old-message.after = 10"), &[("wrong_type", "10")]),
            ("zero rate", above("rate-limit.per_chat = \"0/s\""), &[("bad_rate", "\"0/s\"")]),
            ("no settings", above("trace.level = 1"), &[("unknown_key", "level")]),
            ("size", above("media.max_size = \"1GB\""), &[("bad_size", "\"1GB\"")]),
            ("small size", above("media.max_size = \"1023KiB\""), &[("bad_size", "\"1023KiB\"")]),
            ("short retention", above("store.keep_done = \"59min\""), &[("out_of_range", "\"59min\"")]),
            ("long retention", above("store.keep_dead = \"3651d\""), &[("out_of_range", "\"3651d\"")]),
            ("keys before bodies", above("store.keep_keys = \"6d\""), &[("out_of_range", "\"6d\"")]),
            ("number as size", above("media.max_size = 1024"), &[("wrong_type", "1024")]),
            ("contact id", above("access.allow_chats = [\"r3\", \"Tom\"]"), &[("bad_contact_id", "\"Tom\"")]),
            ("text for a list", web("use = \"auto-reply\""), &[("wrong_type", "\"auto-reply\"")]),
            ("account name", web("").replace("\"a\"", "\"a b\""), &[("bad_account_name", "\"a b\"")]),
            ("text as switch", web("enabled = \"true\""), &[("wrong_type", "\"true\"")]),
            ("proxy scheme", web("proxy = \"ftp://h\""), &[("bad_url", "\"ftp://h\"")]),
            ("endpoint path", web("endpoint = \"http://h/x\""), &[("bad_endpoint", "\"http://h/x\"")]),
            ("endpoint user", web("endpoint = \"http://u@h\""), &[("bad_endpoint", "\"http://u@h\"")]),
            ("endpoint word", web("endpoint = \"simulator\""), &[("bad_endpoint", "\"simulator\"")]),
            (
                "secret of two",
                web("secrets.A = { env = \"A\", file = \"a\" }"),
                &[("bad_secret", "{ env = \"A\", file = \"a\" }")],
            ),
            ("secret of none", web("secrets.A = {}"), &[("bad_secret", "{}")]),
            ("secret variable", web("secrets.A = { env = \"a b\" }"), &[("bad_secret", "\"a b\"")]),
            ("secret number", web("secrets.A = 12345"), &[("wrong_type", "12345")]),
            ("CRLF", web("enabeld = true").replace('\n', "\r\n"), &[("unknown_key", "enabeld")]),
            ("byte order mark", format!("\u{feff}{}", above("x = 1")), &[("unknown_key", "x")]),
        ],
        told,
    );
}

#[test]
fn the_file_as_a_whole() {
    let console = "[[accounts]]\nname = \"b\"\nprotocol = \"console\"\n";
    let hook = "[[accounts]]\nname = \"h\"\nprotocol = \"hook\"\nport = 1\n";
    check(
        &[
            ("protocol", web("").replace("\"web\"", "\"wbe\""), &[("unknown_protocol", "\"wbe\"")]),
            ("protocol and option", web("mode = 3").replace("\"web\"", "\"wbe\""), &[("unknown_protocol", "\"wbe\"")]),
            ("profile absent", hook.to_owned(), &[("missing_profile", "\"hook\"")]),
            ("profile", format!("{hook}profile = \"v5\""), &[("unknown_profile", "\"v5\"")]),
            ("no profiles", web("profile = \"v3\""), &[("unknown_profile", "\"v3\"")]),
            ("option", web("mode = \"phone\""), &[("bad_choice", "\"phone\"")]),
            ("foreign option", web("port = 3"), &[("foreign_option", "port")]),
            ("option needed", hook.replace("port = 1", "profile = \"v3\""), &[("missing_key", "[[accounts]]")]),
            ("endpoint", format!("{console}endpoint = \"sim\""), &[("endpoint_not_allowed", "endpoint")]),
            ("proxy", format!("{console}proxy = \"http://h\""), &[("proxy_not_allowed", "proxy")]),
            ("plugin", web("use = [\"grreter\"]"), &[("unknown_plugin", "\"grreter\"")]),
            ("plugin table", above("[plugins.nobody]"), &[("unknown_plugin", "nobody")]),
            (
                "plugin once",
                above("[plugins.nobody]").replace("\"web\"", "\"web\"\nuse = [\"nobody\"]"),
                &[("unknown_plugin", "nobody")],
            ),
            ("plugin as number", above("plugins.greeter = 3"), &[("wrong_type", "3")]),
            ("library", above("[plugins.mine]\npath = \"mine.so\"\nsha256 = \"00\""), &[("library", "\"mine.so\"")]),
            (
                "twice",
                web("use = [\"greeter\", \"greeter\"]\nmiddleware = [\"trace\", \"trace\"]"),
                &[("duplicate_entry", "\"greeter\""), ("duplicate_entry", "\"trace\"")],
            ),
            (
                "two terminals",
                console.to_owned() + &console.replace("\"b\"", "\"c\""),
                &[("one_terminal", "\"console\"")],
            ),
            ("one at a time", console.to_owned() + &console.replace("\"b\"", "\"c\"\nenabled = false"), &[]),
            ("capability", format!("{console}use = [\"greeter\"]"), &[("impossible_capability", "\"greeter\"")]),
            ("capability unsaid", format!("[plugins.greeter]\n{console}"), &[("impossible_capability", "\"console\"")]),
        ],
        told,
    );
    let mistakes = parsed(&format!("{console}use = [\"greeter\"]")).unwrap_err();
    assert!(mistakes.list[0].message.contains("needs `mention`, which"), "{mistakes}");
    let mistakes = parsed(&web("port = 3")).unwrap_err();
    assert_eq!(mistakes.list[0].message, "`port` is an option of protocol `hook`");
}

#[test]
fn plugin_problems_point_into_the_right_table() {
    let common = "[plugins.auto-reply]\ncooldown = \"5s\"\n";
    let two = web("") + &web("").replace("\"a\"", "\"b\"");
    let own = |lines: &str| web(&format!("[accounts.plugins.auto-reply]\n{lines}"));
    check(
        &[
            ("common, once", format!("{}{two}", common.replace("5s", "x")), &[("plugin_settings", "\"x\"")]),
            ("own", format!("{common}{}", own("cooldown = \"y\"")), &[("plugin_settings", "\"y\"")]),
            ("own cures", format!("{}{}", common.replace("5s", "x"), own("cooldown = \"1s\"")), &[]),
            ("own completes", format!("[plugins.auto-reply]\n{}", own("cooldown = \"1s\"")), &[]),
            (
                "missing in common",
                format!("[plugins.auto-reply]\n{two}"),
                &[("plugin_settings", "[plugins.auto-reply]")],
            ),
            ("missing everywhere", web("use = [\"auto-reply\"]"), &[("plugin_settings", "\"auto-reply\"")]),
            (
                "list replaces",
                format!("{common}rules = [{{ reply = \"x\" }}]\n{}", own("rules = [{ keyword = \"k\" }]")),
                &[("plugin_settings", "{ keyword = \"k\" }")],
            ),
            (
                "table merges",
                format!("{common}limits.day = -1\n{}", own("limits.week = 3")),
                &[("plugin_settings", "-1")],
            ),
            (
                "several",
                format!("{common}rules = [{{ keyword = \"\" }}]\n{two}"),
                &[("plugin_settings", "{ keyword = \"\" }"), ("plugin_settings", "\"\"")],
            ),
            (
                "unused is checked",
                format!("[plugins.auto-reply]\n{}", web("use = []")),
                &[("plugin_settings", "[plugins.auto-reply]")],
            ),
            ("serde's words", above("[plugins.greeter]\nloud = true"), &[("plugin_settings", "true")]),
            (
                "unreadable",
                format!("{common}rules = [99999999999999999999]\n{two}"),
                &[("out_of_range", "99999999999999999999")],
            ),
        ],
        told,
    );
}

#[test]
fn features_that_a_protocol_cannot_do_are_named() {
    let console = |use_it: &str, settings: &str| {
        format!("[plugins.warden]\n{settings}\n[[accounts]]\nname = \"b\"\nprotocol = \"console\"\n{use_it}")
    };
    let used = "use = [\"warden\"]";
    check(
        &[
            ("all of them", console(used, "mention = 1\ntext = 1").replace("console", "web"), &[]),
            ("one cannot be", console(used, "mention = 1\ntext = 1"), &[("impossible_feature", "1")]),
            (
                "its own table says it",
                console(used, "text = 1") + "\n[accounts.plugins.warden]\nmention = 22",
                &[("impossible_feature", "22")],
            ),
            ("not used", console("use = []", "mention = 1\ntext = 1"), &[("unused_settings", "warden")]),
        ],
        warned,
    );
    check(
        &[
            ("none is left", console(used, "mention = 1"), &[("impossible_capability", "\"warden\"")]),
            ("none is switched on", console(used, ""), &[]),
            ("no time", console(used, "at = \"0 99 * * * *\""), &[("plugin_settings", "\"0 99 * * * *\"")]),
            ("a time", console(used, "at = \"0 9 * * * *\""), &[]),
        ],
        told,
    );
    let mistakes = parsed(&console(used, "mention = 1")).unwrap_err();
    assert_eq!(
        mistakes.list[0].message,
        "plugin `warden` can do nothing of what it is set to do on protocol `console` of account `b`: `mention` needs `mention`"
    );
    let loaded = parsed(&console(used, "mention = 1\ntext = 1")).unwrap();
    assert_eq!(
        loaded.warnings[0].message,
        "`mention` of plugin `warden` needs `mention`, which protocol `console` of account `b` cannot do: it is off there"
    );
}

#[test]
fn alerts_that_nobody_could_get() {
    let alerts = |lines: &str| above(&format!("[alerts]\n{lines}\n"));
    check(
        &[
            ("webhook", alerts("webhook = { env = \"URL\" }\nformat = \"feishu\"\nqr = true"), &[]),
            (
                "signed",
                alerts("webhook = { env = \"URL\" }\nformat = \"feishu\"\nsign_secret = { file = \"sign\" }"),
                &[],
            ),
            (
                "a signature alone",
                alerts("command = [\"x\"]\nsign_secret = { env = \"S\" }"),
                &[("bad_alerts", "sign_secret")],
            ),
            (
                "a signature for nobody",
                alerts("webhook = { env = \"U\" }\nformat = \"wecom\"\nsign_secret = { env = \"S\" }"),
                &[("bad_alerts", "sign_secret")],
            ),
            (
                "a signature in clear",
                alerts("webhook = { env = \"U\" }\nformat = \"feishu\"\nsign_secret = \"hunter2\""),
                &[("secret_in_clear", "\"hunter2\"")],
            ),
            ("command", alerts("command = [\"notify.sh\", \"two words\"]\nafter = \"30s\""), &[]),
            ("account", alerts("via = \"a\"\nto = \"p12\""), &[]),
            ("nobody", alerts("after = \"5min\""), &[("bad_alerts", "[alerts]")]),
            ("no program", alerts("command = []"), &[("bad_alerts", "[alerts]")]),
            ("a shell line", alerts("command = [\"notify.sh urgent\"]"), &[("bad_alerts", "\"notify.sh urgent\"")]),
            ("empty program", alerts("command = [\"\"]"), &[("bad_alerts", "\"\"")]),
            (
                "in clear",
                alerts("webhook = \"https://example.com/hook?key=hunter2\""),
                &[("secret_in_clear", "\"https://example.com/hook?key=hunter2\"")],
            ),
            ("format alone", alerts("command = [\"x\"]\nformat = \"json\""), &[("bad_alerts", "format")]),
            ("format", alerts("webhook = { env = \"U\" }\nformat = \"slack\""), &[("bad_choice", "\"slack\"")]),
            ("via alone", alerts("via = \"a\""), &[("bad_alerts", "via")]),
            ("to alone", alerts("to = \"p12\"\ncommand = [\"x\"]"), &[("bad_alerts", "to")]),
            ("via nobody", alerts("via = \"zzz\"\nto = \"p12\""), &[("bad_alerts", "\"zzz\"")]),
            ("to a name", alerts("via = \"a\"\nto = \"Tom\""), &[("bad_contact_id", "\"Tom\"")]),
            ("a code in a chat", alerts("via = \"a\"\nto = \"p12\"\nqr = true"), &[("bad_alerts", "qr")]),
            ("never", alerts("command = [\"x\"]\nrepeat = 6"), &[("wrong_type", "6")]),
            ("many", alerts("command = [\"x\"]\nuncertain = -1"), &[("out_of_range", "-1")]),
        ],
        told,
    );
    for clear in [
        alerts("webhook = \"https://example.com/hunter2\""),
        "[alerts\nwebhook = \"hunter2\"\n".to_owned(),
        alerts("webhook = { env = \"U\" }\nsign_secret = \"hunter2\""),
        "[alerts\nsign_secret = \"hunter2\"\n".to_owned(),
    ] {
        let shown = parsed(&clear).unwrap_err();
        assert!(!shown.text.contains("hunter2") && !shown.to_string().contains("hunter2"), "{shown}");
    }
    let config = parsed(&above("")).unwrap().config;
    assert_eq!(config.alerts, None);
    let alerts = parsed(&alerts("command = [\"x\"]")).unwrap().config.alerts.unwrap();
    assert_eq!((alerts.after.as_secs(), alerts.repeat.as_secs(), alerts.uncertain), (60, 21_600, 10));
    assert!(!alerts.qr && !alerts.all_clear, "a code is told to nobody who did not ask for it");
}

#[test]
fn sec_r01_a_server_that_others_can_reach_must_be_meant() {
    let server = |lines: &str| above(&format!("[server]\n{lines}\n"));
    check(
        &[
            ("nothing", server(""), &[]),
            ("loopback", server("listen = \"[::1]:1\"\ndefault_path_listen = \"127.0.0.1:30000\""), &[]),
            ("everywhere", server("listen = \"0.0.0.0:1\""), &[("plain_server", "\"0.0.0.0:1\"")]),
            ("meant", server("listen = \"0.0.0.0:1\"\ni_know_this_is_plain = true"), &[]),
            (
                "without a secret never",
                server("default_path_listen = \"0.0.0.0:1\"\ni_know_this_is_plain = true"),
                &[("plain_server", "\"0.0.0.0:1\"")],
            ),
            ("no port", server("listen = \"127.0.0.1\""), &[("bad_address", "\"127.0.0.1\"")]),
            ("a name", server("listen = \"localhost:80\""), &[("bad_address", "\"localhost:80\"")]),
            (
                "networks",
                server("allow = [\"10.0.0.0/8\", \"::1\", \"10.0.0.0/99\", \"x\"]"),
                &[("bad_address", "\"10.0.0.0/99\""), ("bad_address", "\"x\"")],
            ),
        ],
        told,
    );
    let server = parsed(&server("hosts = [\"a.example\"]\nallow = [\"10.1.2.3\"]")).unwrap().config.server;
    assert!(server.wanted && server.listen.to_string() == "127.0.0.1:8460" && server.hosts == ["a.example"]);
    assert_eq!(server.allow.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.2.3/32"]);
}

#[test]
fn settings_that_nothing_reads_are_warnings() {
    check(
        &[
            ("middleware", above("middleware = [\"trace\"]\n[access]\n"), &[("unused_settings", "access")]),
            ("own middleware", web("middleware = [\"trace\"]\naccess.groups = true"), &[("unused_settings", "access")]),
            ("own plugin", web("use = []\nplugins.greeter = {}"), &[("unused_settings", "greeter")]),
            ("common plugin", format!("[plugins.greeter]\n{}", web("use = []")), &[("unused_settings", "greeter")]),
            ("all used", above("[plugins.greeter]\n"), &[]),
        ],
        warned,
    );
}

#[test]
fn broken_toml_hides_no_other_mistake_and_makes_no_noise() {
    check(
        &[
            ("no equals", above("data_dir \"x\"\nx = 1"), &[("syntax", "\"x\""), ("unknown_key", "x")]),
            ("open text", above("data_dir = \"x\nx = 1"), &[("syntax", "data_dir = \"x"), ("unknown_key", "x")]),
            ("key in letters of its own", above("é = 1\nx = 1"), &[("syntax", "é"), ("unknown_key", "x")]),
            (
                "two of them",
                above("a = = 1\nb = [1\nx = 1"),
                &[("syntax", "="), ("syntax", "x = 1"), ("syntax", "[[accounts]]")],
            ),
            (
                "open list",
                above("x = 1\nb = [1, 2"),
                &[("unknown_key", "x"), ("unknown_key", "b"), ("syntax", "[[accounts]]")],
            ),
            (
                "open table",
                above("x = 1\nb = {\n  y = 1,"),
                &[("unknown_key", "x"), ("unknown_key", "b"), ("syntax", "[[accounts]]")],
            ),
            ("open long text", above("b = \"\"\"\nx = 1"), &[("unknown_key", "b"), ("syntax", "")]),
            ("no comma", web("use = [\"a\" \"b\"]\nx = 3"), &[("syntax", "\"b\"]"), ("unknown_key", "x")]),
            ("half a date", above("x = 07:99:00\ny = 1"), &[("syntax", "07:99:00"), ("unknown_key", "y")]),
            (
                "bad header",
                format!("{}[accounts.pacing\nburst = 3\n", web("x = 1")),
                &[("unknown_key", "x"), ("syntax", "[accounts.pacing")],
            ),
            ("key twice", above("data_dir = \"x\"\ndata_dir = \"y\""), &[("duplicate_key", "data_dir")]),
            ("table twice", above("[pacing]\n[pacing]"), &[("duplicate_key", "pacing")]),
        ],
        told,
    );
}

#[test]
fn plugins_that_guard_may_stand_among_the_middleware() {
    let good = "[plugins.censor]\ncooldown = \"5s\"\n";
    let guarded = web("use = []\nmiddleware = [\"trace\", \"censor\"]");
    check(
        &[
            ("guard", format!("{good}{guarded}"), &[]),
            ("no guard", web("middleware = [\"greeter\"]"), &[("unknown_middleware", "\"greeter\"")]),
            ("its settings", format!("{}{guarded}", good.replace("5s", "x")), &[("plugin_settings", "\"x\"")]),
            ("no settings", guarded.clone(), &[("plugin_settings", "\"censor\"")]),
        ],
        told,
    );
    let mistakes = parsed(&web("middleware = [\"greeter\"]")).unwrap_err();
    assert_eq!(mistakes.list[0].message, "plugin `greeter` is no guard");
    check(
        &[
            ("read by a guard", format!("{good}{guarded}"), &[]),
            ("read by nobody", format!("{good}{}", web("use = []")), &[("unused_settings", "censor")]),
        ],
        warned,
    );
    let account = parsed(&format!("{good}{guarded}")).unwrap().config.accounts.remove(0);
    assert!(account.plugins.is_empty());
    let [guard] = account.guards.as_slice() else { panic!("{:?}", account.guards) };
    assert_eq!((guard.id.as_str(), &guard.settings), ("censor", &serde_json::json!({ "cooldown": "5s" })));
}

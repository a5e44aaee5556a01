//! What does the macro say of mistakes?

use quote::quote;

use super::expand;

/// The mistakes of a block with this in it.
fn mistakes(options: &str, methods: &str) -> Vec<String> {
    let block = format!("impl Weather {{ {methods} }}");
    let Err(errors) = expand(options.parse().unwrap(), block.parse().unwrap()) else { return Vec::new() };
    errors.into_iter().map(|error| error.to_string()).collect()
}

#[test]
fn every_mistake_is_told() {
    let good = r#"#[command("x")] fn x(&self) {}"#;
    for (name, options, methods, want) in [
        ("a key", "piority = 3", good, "`#[plugin]` knows no `piority`: did you mean `priority`?"),
        (
            "a strange key",
            "colour = 3",
            good,
            "`#[plugin]` knows no `colour`: known are `id`, `about`, `version`, `config`, `needs`, `priority`, `wants_late`",
        ),
        ("an id", r#"id = "My Plugin""#, good, "the id of a plugin is a word of lower-case letters, digits and `-`"),
        ("no handlers", "", "fn x(&self) {}", "no method of this block is a handler"),
        ("a typo", "", "#[comand(\"x\")] fn x(&self) {}", "did you mean `#[command]`?"),
        (
            "a key of a command",
            "",
            r#"#[command("x", aliases = ["y"])] fn x(&self) {}"#,
            "`#[command]` knows no `aliases`: did you mean `alias`?",
        ),
        (
            "a flag of a command",
            "",
            r#"#[command("x", at_mee)] fn x(&self) {}"#,
            "`#[command]` knows no `at_mee`: did you mean `at_me`?",
        ),
        ("no word", "", "#[command] fn x(&self) {}", "this is written `#[command(\"天气\")]`"),
        (
            "two words",
            "",
            r#"#[command("x", "y")] fn x(&self) {}"#,
            "`#[command]` takes one text: `#[command(\"天气\")]`",
        ),
        ("an empty word", "", r#"#[command(" ")] fn x(&self) {}"#, "nothing would be looked for"),
        (
            "a word again",
            "",
            r#"#[command("x", alias = ["\u{FF39}"])] fn x(&self) {} #[command("y")] fn y(&self) {}"#,
            "`y` is a command already: of `x`",
        ),
        (
            "where",
            "",
            r#"#[command("x", only = rooms)] fn x(&self) {}"#,
            "this knows no `rooms`: known are `group`, `private`",
        ),
        (
            "a cooldown",
            "",
            r#"#[command("x", cooldown = "5s")] fn x(&self) {}"#,
            "this is no cooldown: write it like \"5s/user\"",
        ),
        (
            "a unit",
            "",
            r#"#[command("x", cooldown = "5w/user")] fn x(&self) {}"#,
            "`5w` is no time of at most 10000 days",
        ),
        (
            "whose cooldown",
            "",
            r#"#[command("x", cooldown = "5s/room")] fn x(&self) {}"#,
            "`room` is none of `user`, `chat`, `all`",
        ),
        (
            "a contact",
            "",
            r#"#[command("x", from = ["p1", "Ann"])] fn x(&self) {}"#,
            "this is no contact id, like `p12`",
        ),
        ("a regex", "", r#"#[regex("a(b")] fn x(&self) {}"#, "this is no regex: unclosed group"),
        (
            "a kind",
            "",
            "#[on(FrendRequest)] fn x(&self) {}",
            "`EventKind` knows no `FrendRequest`: did you mean `FriendRequest`?",
        ),
        (
            "a kind with its own",
            "",
            "#[on(Schedule)] fn x(&self) {}",
            "schedules have attributes of their own: `#[cron(\"0 30 7 * * *\")]`, or `#[schedule(\"its name\")]` for one that `plan` makes of settings",
        ),
        (
            "a timer as an event",
            "",
            "#[on(Timer)] fn x(&self) {}",
            "timers have an attribute of their own: `#[timer(\"its name\")]`",
        ),
        (
            "five fields",
            "",
            r#"#[cron("30 7 * * *")] fn x(&self) {}"#,
            "a cron expression has six fields (second, minute, hour, day, month, weekday) and this has 5; the first is the second: put `0 ` before yours",
        ),
        (
            "a field",
            "",
            r#"#[cron("0 30 24 * * *")] fn x(&self) {}"#,
            "`24` is no hour: it is `*`, 0–23, `1-5` or `*/5`",
        ),
        ("a range backwards", "", r#"#[cron("0 30 7 * * fri-mon")] fn x(&self) {}"#, "`fri-mon` is no day of the week"),
        (
            "missed",
            "",
            r#"#[cron("0 30 7 * * *", missed = Skp)] fn x(&self) {}"#,
            "this knows no `Skp`: did you mean `Skip`?",
        ),
        ("a filter of the clock", "", r#"#[cron("0 30 7 * * *", at_me)] fn x(&self) {}"#, "`#[cron]` knows no `at_me`"),
        (
            "self",
            "",
            r#"#[command("x")] fn x(&mut self) {}"#,
            "a handler takes `&self` first: `fn x(&self, …)`; several events run at the same time",
        ),
        ("no self", "", r#"#[command("x")] fn x(cx: &Ctx) {}"#, "a handler takes `&self` first: `fn x(&self, …)`"),
        (
            "a pattern",
            "",
            r#"#[command("x")] fn x(&self, (a, b): (u8, u8)) {}"#,
            "people are told the names of arguments: give this one a name",
        ),
        (
            "two triggers",
            "",
            r#"#[command("x")] #[keyword("y")] fn x(&self) {}"#,
            "a handler listens to one thing: write a second method for this",
        ),
        (
            "init",
            "",
            &format!("{good} async fn init(&self) -> u8 {{ 3 }}"),
            "`init` is a part of every plugin and is written `async fn init(config: …, cx: &InitCtx) -> Result<Self, PluginError>`",
        ),
    ] {
        let all = mistakes(options, methods);
        let [text] = &all[..] else { panic!("{name}: one mistake: {all:?}") };
        assert!(text.starts_with(want), "{name}: {text}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let methods = r#"#[regex("(")] fn a(&self) {} #[cron("*")] fn b(&self) {}"#;
    let all = mistakes("idd = \"x\"", methods);
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn only_an_impl_block_of_one_type_is_a_plugin() {
    for (name, item, want) in [
        (
            "a struct",
            quote!(
                struct Weather;
            ),
            "`#[plugin]` stands before the impl block",
        ),
        ("a trait", quote!(impl Plugin for Weather {}), "`#[plugin]` stands before `impl Weather { … }` and writes"),
        (
            "a parameter",
            quote!(
                impl<T> Weather<T> {}
            ),
            "a plugin is one type: it cannot have parameters",
        ),
    ] {
        let error = expand(quote!(), item).unwrap_err().to_string();
        assert!(error.starts_with(want), "{name}: {error}");
    }
}

#[test]
fn schedules_that_are_right() {
    for expression in ["0 30 7 * * *", "*/5 0,30 8-18/2 1 jan-MAR 1-5", "0 0 0 31 12 7", "59 59 23 * * sun,sat"] {
        assert_eq!(mistakes("", &format!("#[cron({expression:?})] fn x(&self) {{}}")), [""; 0], "{expression}");
    }
}

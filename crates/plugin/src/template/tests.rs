//! Which templates are refused, and what do the others say?

use proptest::prelude::*;
use regex::Regex;

use super::*;

const NAMES: [&str; 5] = ["sender", "chat", "text", "account", "count"];

/// Templates without a regex, where other rules have one.
fn no_groups() -> Known {
    Known::texts(&NAMES).with_groups_elsewhere()
}

fn weather() -> Regex {
    crate::text::regex(r"^天气 (?P<city>\S+)$", true).unwrap()
}

fn two_groups() -> Known {
    Known::texts(&NAMES).with_groups(&Shape::of(&weather()))
}

fn render(source: &str, known: &Known) -> Result<Option<String>, String> {
    let captures = Captures::find(&weather(), "天气 北京").unwrap();
    let facts = Facts::new()
        .text("sender", "小李")
        .text("chat", "<群>")
        .text("text", "秘密")
        .text("account", "shop")
        .number("count", 3)
        .captures(&captures);
    Template::compile(source, known).unwrap().render(&facts)
}

#[test]
fn what_is_sent() {
    for (name, source, want) in [
        ("plain", "你好", Some("你好")),
        ("facts", "{{ sender }} {{ text }} {{ account }}", Some("小李 秘密 shop")),
        ("nothing is escaped", "{{ chat }} & <b>", Some("<群> & <b>")),
        ("number", "{{ count + 1 }} {% if count > 2 %}many{% endif %}", Some("4 many")),
        ("groups", "{{ groups[0] }}|{{ groups[1] }}|{{ groups.1 }}", Some("天气 北京|北京|北京")),
        ("named", "{{ named.city }}{{ named['city'] }}", Some("北京北京")),
        ("blank lines around", "\n {{ sender }}\n\n", Some("小李")),
        ("empty", "{% if text == 'x' %}y{% endif %}", None),
        ("only white space", "{{ ' ' }}\u{200B}\n", None),
        ("set within if", "{% if text %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}", Some("1")),
        ("set with pair", "{% set a, b = groups %}{{ b }}", Some("北京")),
        ("loop and globals", "{% for n in range(3) %}{{ loop.index }}{% endfor %}", Some("123")),
        ("namespace", "{% set ns = namespace(n=0) %}{% set ns.n = 2 %}{{ ns.n }}", Some("2")),
        ("comment", "a{# {{ groups[9] }} {{ x }} #}", Some("a")),
        ("filter", "{{ account | upper }}", Some("SHOP")),
        ("absent is false", "{% if groups[1:][5] %}x{% else %}y{% endif %}", Some("y")),
    ] {
        assert_eq!(render(source, &two_groups()).unwrap().as_deref(), want, "{name}");
    }
}

#[test]
fn what_is_refused() {
    let (none, two, broken) = (no_groups(), two_groups(), Known::texts(&NAMES).with_any_groups());
    let never = Known::texts(&["sender"]);
    for (source, known, message, help) in [
        ("{{ sender", &none, "the template cannot be read: unexpected end of input", "minijinja"),
        ("a\n{% if x %}", &none, "(line 2)", "minijinja"),
        ("{% include 'x' %}", &none, "the template cannot be read", "minijinja"),
        ("{{ sendr }}", &none, "the template uses `sendr`, which is not known", "did you mean `sender`?"),
        ("{{ user }}", &none, "the template uses `user`, which is not known", "known are `sender`, `chat`"),
        ("{{ sender.name }}", &none, "`sender` has no `name`", "write `{{ sender }}`"),
        ("{{ groups[0] }}", &none, "`groups` is only known in a rule with `regex`", "known are `sender`"),
        ("{{ groups[2] }}", &two, "the regex has no group 2", "its last group is 1"),
        ("{{ groups.7 }}", &two, "the regex has no group 7", "its last group is 1"),
        ("{{ named.cty }}", &two, "the regex has no group named `cty`", "did you mean `city`?"),
        ("{{ named['cty'] }}", &two, "the regex has no group named `cty`", "did you mean `city`?"),
        ("{{ sender | uper }}", &none, "the template cannot run: filter uper is unknown", "minijinja"),
        ("{{ sender is odder }}", &none, "the template cannot run: test odder is unknown", "minijinja"),
        ("{{ sendr }}", &broken, "the template uses `sendr`", "`named`"),
        ("{{ groups[0] }}", &never, "the template uses `groups`, which is not known", "known are `sender`"),
    ] {
        let flaws = Template::compile(source, known).map(drop).unwrap_err();
        assert_eq!(flaws.len(), 1, "{source}: {flaws:?}");
        assert!(flaws[0].message.contains(message) && flaws[0].help.contains(help), "{source}: {flaws:?}");
        assert!(!flaws[0].message.contains('\n'), "{source}");
    }
    let flaws = Template::compile("{{ a }}{{ b }}", &none).map(drop).unwrap_err();
    assert_eq!(flaws.len(), 2, "every unknown name is told");
    assert!(
        Template::compile("{{ groups[9] }}{{ named.x }}", &broken).is_ok(),
        "the regex is wrong: no second complaint"
    );
}

#[test]
fn a_failure_names_no_text() {
    for (source, want) in [
        ("{{ text | int }}", "invalid operation in line 1 of the template"),
        ("\n{{ (text | split(','))[3] }}", "undefined value in line 2 of the template"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "engine ran out of fuel in line 1 of the template",
        ),
    ] {
        assert_eq!(render(source, &no_groups()).unwrap_err(), want, "{source}");
    }
}

#[test]
fn a_long_reply_is_cut() {
    let long = render("{% for n in range(5000) %}你{% endfor %}", &no_groups()).unwrap().unwrap();
    assert!(long.ends_with("你…") && long.len() <= TEXT_BYTES && long.len() > TEXT_BYTES - 4, "{}", long.len());
    let fits = render("{% for n in range(4096) %}x{% endfor %}", &no_groups()).unwrap().unwrap();
    assert_eq!(fits.len(), TEXT_BYTES);
}

#[test]
fn one_call_cannot_fill_the_memory() {
    let facts = Facts::new().text("sender", "a\nb").text("text", "1000000000000");
    let known = Known::texts(&["sender", "text"]);
    for source in [
        "{{ sender | indent(text | int) }}",
        "{{ sender | indent(width=text | int) }}",
        "{{ sender | batch(text | int) | list | length }}",
        "{{ sender | slice(text | int) | list | length }}",
        "{{ ('%' ~ text ~ 'd') | format(1) }}",
        "{{ '%*d' | format(text | int, 1) }}",
        "{{ sender * (text | int) }}",
        "{{ [1] * (text | int) }}",
        "{{ range(text | int) | list | length }}",
    ] {
        let error = Template::compile(source, &known).unwrap().render(&facts).unwrap_err();
        assert!(error.starts_with("invalid operation in line 1"), "{source}: {error}");
    }
    for (source, want) in [
        ("{{ sender | indent(2) }}", "a\n  b"),
        ("{{ sender | indent(width=1, first=true) }}", "a\n b"),
        ("{{ '%s of %d' | format(sender | first, text | int) }}", "a of 1000000000000"),
        ("{{ [1, 2, 3] | batch(2) | length }}", "2"),
    ] {
        assert_eq!(
            Template::compile(source, &known).unwrap().render(&facts).unwrap().as_deref(),
            Some(want),
            "{source}"
        );
    }
}

#[test]
fn in_settings_a_flaw_has_its_place() {
    let place = crate::Place::default();
    let at = At::top(&place).key("welcome");
    let read = |value: crate::config::Value| {
        let problems = Template::read(&value, &at, &no_groups()).map(drop).unwrap_err();
        problems.into_iter().map(|problem| (problem.pointer, problem.message)).collect::<Vec<_>>()
    };
    let here = |message: &str| ("/welcome".to_owned(), message.to_owned());
    assert_eq!(read(serde_json::json!(1)), [here("`welcome` is a text, not a number")]);
    assert_eq!(read(serde_json::json!(" ")), [here("`welcome` is empty")]);
    let flaws = read(serde_json::json!("{{ a }}{{ b }}"));
    assert_eq!(flaws[1], here("the template uses `b`, which is not known"));
}

proptest! {
    #[test]
    fn any_source_compiles_or_is_refused(source in any::<String>(), tag in "[a-z0-9_.|\\[\\]\"' ]{0,12}") {
        for source in [source.clone(), format!("{source}{{{{{tag}}}}}"), format!("{{%{tag}%}}{source}")] {
            let refused = Template::compile(&source, &no_groups()).map(drop);
            prop_assert!(refused.is_ok() || refused.is_err_and(|flaws| !flaws.is_empty()));
        }
    }
}

//! Which templates are refused, and what do the others say?

use proptest::prelude::*;

use super::*;

fn no_groups() -> Shape {
    Shape { len: 0, names: Vec::new() }
}

fn two_groups() -> Shape {
    Shape { len: 2, names: vec!["city".to_owned()] }
}

fn render(source: &str, shape: &Shape) -> Result<Option<String>, String> {
    let captures = match shape.len {
        0 => Captures::default(),
        _ => Captures {
            groups: vec!["天气 北京".to_owned(), "北京".to_owned()],
            named: BTreeMap::from([("city".to_owned(), "北京".to_owned())]),
        },
    };
    let facts = Facts {
        sender: "小李",
        chat: "<群>",
        text: "秘密",
        account: "shop",
        now_ms: 1_767_225_600_000,
        captures: &captures,
    };
    Template::compile(source, Some(shape)).unwrap().render(&facts)
}

#[test]
fn what_is_sent() {
    for (name, source, want) in [
        ("plain", "你好", Some("你好")),
        ("facts", "{{ sender }} {{ text }} {{ account }}", Some("小李 秘密 shop")),
        ("nothing is escaped", "{{ chat }} & <b>", Some("<群> & <b>")),
        ("clock", "{{ date }} {{ time }}", Some("2026-01-01 08:00")),
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
    let (none, two) = (no_groups(), two_groups());
    for (source, shape, message, help) in [
        ("{{ sender", Some(&none), "the template cannot be read: unexpected end of input", "minijinja"),
        ("a\n{% if x %}", Some(&none), "(line 2)", "minijinja"),
        ("{% include 'x' %}", Some(&none), "the template cannot be read", "minijinja"),
        ("{{ sendr }}", Some(&none), "the template uses `sendr`, which is not known", "did you mean `sender`?"),
        ("{{ user }}", Some(&none), "the template uses `user`, which is not known", "known are `sender`, `chat`"),
        ("{{ sender.name }}", Some(&none), "`sender` has no `name`", "write `{{ sender }}`"),
        ("{{ groups[0] }}", Some(&none), "`groups` is only known in a rule with `regex`", "known are `sender`"),
        ("{{ groups[2] }}", Some(&two), "the regex has no group 2", "its last group is 1"),
        ("{{ groups.7 }}", Some(&two), "the regex has no group 7", "its last group is 1"),
        ("{{ named.cty }}", Some(&two), "the regex has no group named `cty`", "did you mean `city`?"),
        ("{{ named['cty'] }}", Some(&two), "the regex has no group named `cty`", "did you mean `city`?"),
        ("{{ sender | uper }}", Some(&none), "the template cannot run: filter uper is unknown", "minijinja"),
        ("{{ sender is odder }}", Some(&none), "the template cannot run: test odder is unknown", "minijinja"),
        ("{{ sendr }}", None, "the template uses `sendr`", "`named`"),
    ] {
        let flaws = Template::compile(source, shape).map(drop).unwrap_err();
        assert_eq!(flaws.len(), 1, "{source}: {flaws:?}");
        assert!(flaws[0].message.contains(message) && flaws[0].help.contains(help), "{source}: {flaws:?}");
        assert!(!flaws[0].message.contains('\n'), "{source}");
    }
    let flaws = Template::compile("{{ a }}{{ b }}", Some(&none)).map(drop).unwrap_err();
    assert_eq!(flaws.len(), 2, "every unknown name is told");
    assert!(Template::compile("{{ groups[9] }}{{ named.x }}", None).is_ok(), "the regex is wrong: no second complaint");
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
    assert!(long.ends_with("你…") && long.len() <= REPLY_BYTES && long.len() > REPLY_BYTES - 4, "{}", long.len());
    let fits = render("{% for n in range(4096) %}x{% endfor %}", &no_groups()).unwrap().unwrap();
    assert_eq!(fits.len(), REPLY_BYTES);
}

#[test]
fn every_day_follows_the_one_before() {
    let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let length = |y: i64, m: i64| match m {
        2 => 28 + i64::from(leap(y)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    assert_eq!(civil_from_days(0), (1970, 1, 1));
    // 800 years both ways hold every combination of the 400-year cycle, so that the rest is repetition.
    for days in -292_194..292_194 {
        let (y, m, d) = civil_from_days(days);
        let next = match (d == length(y, m), m) {
            (false, _) => (y, m, d + 1),
            (true, 12) => (y + 1, 1, 1),
            (true, _) => (y, m + 1, 1),
        };
        assert_eq!(civil_from_days(days + 1), next, "the day after {y}-{m}-{d}");
    }
}

#[test]
fn the_clock_is_eight_hours_ahead() {
    for (now_ms, date, time) in [
        (0, "1970-01-01", "08:00"),
        (-1, "1970-01-01", "07:59"),
        (-28_800_001, "1969-12-31", "23:59"),
        (1_709_135_999_999, "2024-02-28", "23:59"),
        (1_709_136_000_000, "2024-02-29", "00:00"),
    ] {
        assert_eq!(clock_at_utc8(now_ms), (date.to_owned(), time.to_owned()), "{now_ms}");
    }
}

proptest! {
    #[test]
    fn any_moment_has_a_clock(now_ms: i64) {
        let (date, time) = clock_at_utc8(now_ms);
        prop_assert!(date.len() >= 10 && time.len() == 5);
    }

    #[test]
    fn any_source_compiles_or_is_refused(source in any::<String>(), tag in "[a-z0-9_.|\\[\\]\"' ]{0,12}") {
        for source in [source.clone(), format!("{source}{{{{{tag}}}}}"), format!("{{%{tag}%}}{source}")] {
            let refused = Template::compile(&source, Some(&no_groups())).map(drop);
            prop_assert!(refused.is_ok() || refused.is_err_and(|flaws| !flaws.is_empty()));
        }
    }

    #[test]
    fn what_is_shortened_fits(text in any::<String>(), times in 1usize..400) {
        let short = shortened(&text.repeat(times));
        prop_assert!(short.len() <= REPLY_BYTES);
    }
}

//! What is played? Lines that a person says, and what the person hears; `None` where the handler fails.

/// What is said, and what is heard.
pub(crate) type Line = (&'static str, Option<&'static [&'static str]>);

/// Each scene has an instance and a KV store of its own.
pub(crate) const SCENES: &[(&str, &[Line])] = &[
    ("answers", &[("echo 你好", Some(&["你好"])), ("twice a b", Some(&["a", "b"])), ("nothing to me", Some(&[]))]),
    ("waits on its own reactor", &[("sleep 20", Some(&["slept"]))]),
    ("blocks nobody else", &[("block 20", Some(&["blocked"]))]),
    ("remembers", &[("count", Some(&["1"])), ("count", Some(&["2"])), ("count", Some(&["3"]))]),
    ("fails", &[("fail", None), ("fail late", None), ("echo still here", Some(&["still here"]))]),
    ("panics", &[("panic", None), ("panic late", None), ("echo still here", Some(&["still here"]))]),
    (
        "asks",
        &[("ask", Some(&["your name?"])), ("Ann", Some(&["your age?"])), ("12", Some(&["Ann, 12"])), ("13", Some(&[]))],
    ),
    (
        "asks again",
        &[
            ("ask", Some(&["your name?"])),
            ("Ann", Some(&["your age?"])),
            ("old", Some(&["「old」不是这里能用的数字 (invalid digit found in string)\nyour age?"])),
            ("300", Some(&["「300」不是这里能用的数字 (number too large to fit in target type)"])),
            ("12", Some(&[])),
        ],
    ),
    (
        "is told no more",
        &[("ask", Some(&["your name?"])), ("取消", Some(&["好的,已取消 (cancelled)"])), ("Ann", Some(&[]))],
    ),
    // What the stage says: see `stage::budget`.
    ("knows its budget", &[("budget", Some(&["answers 2, pushes 0 from 9000, quiet until 9000, warm from 11000"]))]),
    ("sends at once", &[("now 快", Some(&["快", "sent"]))]),
];

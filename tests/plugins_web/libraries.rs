//! Are the plugins the same from files? The stories of the other scenes once more, with `path = "…"`: each word and each
//! deed must be the one of the plugin that is linked in.

use crate::library::library;
use crate::{door, group, words};

/// The line that reads the plugin from a file.
fn path(package: &str) -> String {
    format!("path = {:?}\n", library(package))
}

#[test]
fn group_admin_from_a_file_does_what_the_linked_one_does() {
    let table = format!("[plugins.group-admin]\n{}", path("wxbot-group-admin"));
    assert_eq!(group::a_story(&table), group::a_story(""));
}

#[test]
fn keyword_from_a_file_does_what_the_linked_one_does() {
    assert_eq!(words::a_story(&path("wxbot-keyword")), words::a_story(""));
}

#[test]
fn auto_reply_from_a_file_does_what_the_linked_one_does() {
    let table = format!("[plugins.auto-reply]\n{}", path("wxbot-auto-reply"));
    assert_eq!(door::a_story(&table), door::a_story(""));
}

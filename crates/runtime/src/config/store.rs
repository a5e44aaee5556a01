//! How long is what kept? `[store]`.

use std::time::Duration;

use wxbot_model::span::{parse_duration, show_duration};

use super::diagnostic::{Diagnostic, Report, codes};
use super::tree::Table;
use crate::store::Keep;

/// Refuses times that would lose what is still needed, or keep it for ever.
pub(super) fn check(root: &Table, report: &mut Report) {
    let Some(table) = root.table("store") else { return };
    for (key, least, most) in Keep::BOUNDS {
        let (Some(node), Some(keep)) = (table.get(key), duration(table, key)) else { continue };
        if keep < least || keep > most {
            let (least, most) = (show_duration(least), show_duration(most));
            let told = format!("`{key}` is {}; {least} to {most} is possible", show_duration(keep));
            report.mistake(Diagnostic::new(codes::OUT_OF_RANGE, &node.span, told).label("out of range"));
        }
    }
    let keep = build(root);
    if let Some(node) = table.get("keep_keys").or_else(|| table.get("keep_done")).filter(|_| keep.keys < keep.done) {
        // The row goes with its key.
        let told = "`keep_keys` is shorter than `keep_done`: an event goes with its key";
        let help = format!("write a `keep_keys` of at least {}", show_duration(keep.done));
        report.mistake(Diagnostic::new(codes::OUT_OF_RANGE, &node.span, told).label("too short").help(help));
    }
}

/// What a good table comes to.
pub(super) fn build(root: &Table) -> Keep {
    let mut keep = Keep::default();
    let Some(table) = root.table("store") else { return keep };
    for (key, place) in [
        ("keep_done", &mut keep.done),
        ("keep_dead", &mut keep.dead),
        ("keep_keys", &mut keep.keys),
        ("keep_sends", &mut keep.sends),
    ] {
        *place = duration(table, key).unwrap_or(*place);
    }
    keep
}

fn duration(table: &Table, key: &str) -> Option<Duration> {
    parse_duration(table.text(key)?).ok()
}

//! Are the small languages read that people write in settings? Durations, rates, sizes, ids, schedules, hours.

use wxbot_model::file_name::{LONGEST, safe};
use wxbot_model::size::{parse_size, show_size};
use wxbot_model::span::{Rate, parse_duration, show_duration};
use wxbot_model::{AccountName, ClientMsgId, ContactId, EventKey, FileType, MediaDigest, MsgId, PeerId};
use wxbot_plugin::Role;
use wxbot_plugin::local::{Hours, Zone};
use wxbot_runtime::clock::cron::Schedule;

pub(super) fn model(input: &[u8]) {
    _ = FileType::of(input);
    let text = String::from_utf8_lossy(input);
    if let Ok(duration) = parse_duration(&text) {
        assert_eq!(parse_duration(&show_duration(duration)), Ok(duration), "a duration is shown as it is read");
    }
    if let Ok(rate) = text.parse::<Rate>() {
        assert!(rate.interval() <= rate.per);
        assert_eq!(rate.to_string().parse(), Ok(rate), "a rate is shown as it is read");
    }
    if let Ok(size) = parse_size(&text) {
        // Rounded for people, so there is no way back.
        drop(show_size(size));
    }
    let name = safe(&text, "file", "png");
    assert!(!name.is_empty() && name.len() <= LONGEST, "{name:?}");
    assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'), "{name:?}");
    assert_eq!(safe(&name, "file", ""), name, "a safe name is safe");
    macro_rules! ids {
        ($($id:ty),*) => {$(
            if let Ok(id) = text.parse::<$id>() {
                assert_eq!(id.to_string(), text, "an id is what was written");
            }
        )*};
    }
    ids!(AccountName, ClientMsgId, ContactId, EventKey, MsgId, PeerId, MediaDigest);
    _ = FileType::of_mime(&text);
    drop(text.parse::<Role>());
}

pub(super) fn clock(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let zone = rest.trim();
    drop(zone.parse::<Zone>());
    let from_ms = 1_700_000_000_000;
    for zone in [None, Some("America/New_York"), Some(zone).filter(|zone| !zone.is_empty())] {
        if let Ok(schedule) = Schedule::parse(first, zone) {
            if let Some(next) = schedule.next_after(from_ms) {
                assert!(next > from_ms, "the next time is later");
            }
            assert!(schedule.due_between(from_ms, from_ms + 86_400_000, 16).len() <= 16);
        }
    }
    if let Ok(hours) = first.parse::<Hours>() {
        let zone = Zone::default();
        if hours.covers(from_ms, &zone)
            && let Some(end) = hours.ends_after(from_ms, &zone)
        {
            assert!(end > 0, "hours that began end later");
        }
    }
}

//! When is `2023-03-05 13:07:54` on a clock so many seconds east of Greenwich?

/// Seconds since 1970; `None` for what is no such time. Years 1970–9999.
pub fn local(text: &str, offset_s: i32) -> Option<i64> {
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(time.trim(), ':')?;
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let days = days_since_1970(year, month, day);
    fits.then(|| days * 86_400 + hour * 3600 + minute * 60 + second - i64::from(offset_s))
}

fn three(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut next = || {
        let part = parts.next().filter(|part| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse().ok()
    };
    let three = [next()?, next()?, next()?];
    parts.next().is_none().then_some(three)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// By counting years that begin in March, where the odd day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        const CHINA: i32 = 8 * 3600;
        for (text, offset, want) in [
            ("1970-01-01 00:00:00", 0, Some(0)),
            ("2023-03-05 13:19:02", CHINA, Some(1_677_993_542)),
            ("2024-02-29 23:59:59", 0, Some(1_709_251_199)),
            ("2000-03-01T00:00:00", 0, Some(951_868_800)),
            ("2023-02-29 00:00:00", 0, None),
            ("2023-13-01 00:00:00", 0, None),
            ("2023-00-01 00:00:00", 0, None),
            ("2023-03-05 24:00:00", 0, None),
            ("2023-03-05", 0, None),
            ("2023-03-05 13:19:02:1", 0, None),
            ("-023-03-05 13:19:02", 0, None),
            ("99999999999-03-05 13:19:02", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(local(text, offset), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in "[0-9T: -]{0,24}", offset: i32) {
            local(&text, offset);
        }
    }
}

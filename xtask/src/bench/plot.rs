//! How does the cost grow with the number of accounts? One small picture, as text.

use std::fmt::Write as _;

use super::measure::Sample;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 30.0;
const PANEL: f64 = (WIDTH - 2.0 * LEFT - 20.0) / 2.0;

/// Two panels over the number of accounts: memory, and CPU per message.
pub(super) fn svg(points: &[(usize, Sample)]) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (place, key, title) in
        [(0.0, "idle_rss_mib", "memory, all polling (MiB)"), (1.0, "cpu_s_per_1000", "CPU s per 1,000 messages")]
    {
        let values: Vec<(f64, f64)> =
            points.iter().filter_map(|(accounts, sample)| Some((count(*accounts), *sample.get(key)?))).collect();
        panel(&mut out, LEFT + place * (PANEL + LEFT), title, &values);
    }
    out.push_str("</svg>\n");
    out
}

/// No number of accounts is so large that it is not exact.
fn count(accounts: usize) -> f64 {
    u32::try_from(accounts).map_or(f64::MAX, f64::from)
}

fn panel(out: &mut String, left: f64, title: &str, values: &[(f64, f64)]) {
    let most = |pick: fn(&(f64, f64)) -> f64| values.iter().map(pick).fold(f64::MIN_POSITIVE, f64::max);
    let (most_x, most_y) = (most(|v| v.0), most(|v| v.1) * 1.1);
    let (floor, high) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP);
    let at = |(x, y): (f64, f64)| (left + x / most_x * PANEL, floor - y / most_y * high);
    _ = writeln!(out, "<text x=\"{left:.0}\" y=\"{:.0}\" font-weight=\"bold\">{title}</text>", TOP - 12.0);
    _ = writeln!(out, "<path d=\"M{left:.0} {TOP:.0}V{floor:.0}H{:.0}\" fill=\"none\" stroke=\"#888\"/>", left + PANEL);
    let line: Vec<_> = values.iter().map(|v| at(*v)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    _ = writeln!(out, "<polyline points=\"{}\" fill=\"none\" stroke=\"#07c160\" stroke-width=\"2\"/>", line.join(" "));
    for value in values {
        let (x, y) = at(*value);
        _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#07c160\"/>");
        let digits = if value.1 < 10.0 { 3 } else { 0 };
        _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.digits$}</text>", y - 8.0, value.1);
        // Small numbers stand close together: every other label would cover its neighbour.
        if value.0 * 8.0 >= most_x {
            _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", floor + 15.0, value.0);
        }
    }
    _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">accounts</text>",
        left + PANEL / 2.0,
        HEIGHT - 8.0
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_drawn_in_its_panel() {
        let point = |accounts, rss| (accounts, Sample::from([("idle_rss_mib", rss), ("cpu_s_per_1000", 0.08)]));
        let picture = svg(&[point(50, 20.0), point(2000, 250.0)]);
        assert_eq!(picture.matches("<circle").count(), 4);
        assert!(picture.contains(">250<") && picture.contains(">0.080<") && picture.ends_with("</svg>\n"), "{picture}");
    }
}

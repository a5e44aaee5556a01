//! `--push`: how fast does wxbot answer pushes, each of which is on disk by then?

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::line::Line;
use super::usage;
use crate::support::rig::Bot;
use crate::support::wait;

/// As many as the server takes from one address.
const CONNECTIONS: usize = 64;
/// What issue 6 asks for, and for how long.
const PER_SECOND: usize = 500;
/// `ServerPort` of the instance that is played.
const SERVER_PORT: u16 = 30_001;
pub(super) const UP_WITHIN: Duration = Duration::from_secs(20);

/// Seconds at the steady pace, and posts of the burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pushes {
    pub(super) seconds: usize,
    pub(super) posts: usize,
}

/// Figures of one run.
pub(super) type Sample = BTreeMap<&'static str, f64>;

/// All figures in the order of the table: key, what it is, digits behind the point.
const FIGURES: [(&str, &str, usize); 8] = [
    ("steady_p50_ms", "posted to answered, steady pace: median, ms", 2),
    ("steady_p99_ms", "  99th percentile, ms", 2),
    ("steady_per_s", "  posts answered per second", 0),
    ("burst_per_s", "burst: posts answered per second", 0),
    ("burst_p50_ms", "  posted to answered: median, ms", 2),
    ("burst_p99_ms", "  99th percentile, ms", 2),
    ("rss_idle_mib", "memory before the burst, MiB", 1),
    ("rss_peak_mib", "  at most, MiB", 1),
];

/// All runs.
#[derive(Debug)]
pub(super) struct Pushed {
    pushes: Pushes,
    samples: Vec<Sample>,
}

/// Runs it so many times in folders below `home`.
pub(super) fn run(binary: &Path, home: &Path, runs: usize, pushes: Pushes) -> io::Result<Pushed> {
    let mut samples = Vec::new();
    for run in 1..=runs {
        eprintln!("pushes: run {run} of {runs}");
        // On the disk of the repository and not in /tmp, which may be memory: fsync must cost what it costs.
        let folder = home.join(format!("push-{run}"));
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let failed = |error| io::Error::other(format!("{error}\nall files are kept in {}", folder.display()));
        samples.push(once(binary, &folder, pushes).map_err(failed)?);
        fs::remove_dir_all(&folder)?;
    }
    Ok(Pushed { pushes, samples })
}

/// A hook that was set up by hand and takes no actions: nothing answers at its port, and nothing is measured but pushes.
pub(super) fn config() -> String {
    format!(
        "data_dir = \"data\"\nmiddleware = []\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n[[accounts]]\nname = \"desk\"\n\
         protocol = \"pc-hook\"\nprofile = \"v3\"\nendpoint = \"http://127.0.0.1:9\"\nserver_port = {SERVER_PORT}\n\
         callback = \"by-hand\"\nuse = []\n"
    )
}

/// A sentence of common length.
fn sentence(number: usize) -> String {
    format!("第 {number} 句,一句平常长短的话")
}

/// A friend's text, as the hook writes it. Every number is another message.
pub(super) fn body(number: usize, text: &str) -> String {
    let id = 7_000_000_000_000_000_000_u64 + u64::try_from(number).unwrap_or_default();
    let (friend, port) = (number % 50, SERVER_PORT.to_string());
    let entry = json!({
        "index": "1", "time": "2023-03-05 13:07:54", "msgtype": "1", "msgsvrid": id.to_string(),
        "msg": text, "fromtype": "1", "fromwxid": format!("wxid_friend{friend}"),
        "toid": "wxid_desk",
    });
    let list = json!({
        "ServerPort": port, "selfwxid": "wxid_desk", "sendorrecv": "2", "msgnumber": "1", "msglist": [entry],
    });
    list.to_string()
}

/// Where pushes go, as wxbot shows it when it makes the address: `127.0.0.1:PORT`, and the path.
pub(super) fn address(folder: &Path) -> io::Result<(String, String)> {
    wait::until("the address to push to", UP_WITHIN, || {
        let log = fs::read_to_string(folder.join("wxbot.log"))?;
        let url = log.split_once("desk: pushes go to http://").and_then(|(_, rest)| rest.split_once('\n'));
        let parts = url.and_then(|(url, _)| url.split_once('/'));
        Ok(parts.map(|(authority, path)| (authority.to_owned(), format!("/{path}"))))
    })
}

/// All connections to it.
pub(super) fn lines(authority: &str) -> io::Result<Vec<Line>> {
    let opened = wait::until("the server to listen", UP_WITHIN, || Line::open(authority).map(Some))?;
    let mut lines = vec![opened];
    while lines.len() < CONNECTIONS {
        lines.push(Line::open(authority)?);
    }
    Ok(lines)
}

fn once(binary: &Path, folder: &Path, pushes: Pushes) -> io::Result<Sample> {
    let mut bot = Bot::new(binary, folder, &config())?;
    let pid = bot.start()?;
    let (authority, path) = address(folder)?;
    let mut lines = lines(&authority)?;
    // The first posts meet a cold process; they are not the figure.
    each(&mut lines, |line, at| line.ask("POST", &path, &body(at, &sentence(at))).map(drop))?;
    let before = usage::of(pid)?;
    let mut sample = Sample::new();

    let first = CONNECTIONS;
    let steady = PER_SECOND * pushes.seconds;
    let start = Instant::now();
    let times = each(&mut lines, |line, at| {
        let mut times = Vec::new();
        for number in (at..steady).step_by(CONNECTIONS) {
            let body = body(first + number, &sentence(first + number));
            let due = start + Duration::from_secs_f64(seconds(number) / seconds(PER_SECOND));
            if let Some(early) = due.checked_duration_since(Instant::now()) {
                wait::pause(early);
                let posted = Instant::now();
                line.ask("POST", &path, &body)?;
                times.push(posted.elapsed());
            } else {
                // Late because the one before it was: that wait counts too.
                line.ask("POST", &path, &body)?;
                times.push(due.elapsed());
            }
        }
        Ok(times)
    })?;
    sample.insert("steady_per_s", seconds(steady) / start.elapsed().as_secs_f64());
    quantiles(&mut sample, times.concat(), ["steady_p50_ms", "steady_p99_ms"]);

    let first = first + steady;
    let start = Instant::now();
    let times = each(&mut lines, |line, at| {
        let mut times = Vec::new();
        for number in (at..pushes.posts).step_by(CONNECTIONS) {
            let body = body(first + number, &sentence(first + number));
            let posted = Instant::now();
            line.ask("POST", &path, &body)?;
            times.push(posted.elapsed());
        }
        Ok(times)
    })?;
    sample.insert("burst_per_s", seconds(pushes.posts) / start.elapsed().as_secs_f64());
    quantiles(&mut sample, times.concat(), ["burst_p50_ms", "burst_p99_ms"]);
    let after = usage::of(pid)?;
    sample.extend(before.rss_mib.map(|rss| ("rss_idle_mib", rss)));
    sample.extend(after.peak_rss_mib.map(|rss| ("rss_peak_mib", rss)));

    // wxbot counts for itself.
    let kept = lines.first_mut().map(|line| line.ask("GET", "/metrics", "")).transpose()?.unwrap_or_default();
    let kept =
        kept.lines().find_map(|line| line.strip_prefix("wxbot_pushes_total{account=\"desk\",outcome=\"kept\"} "));
    let sent = first + pushes.posts;
    if kept != Some(sent.to_string().as_str()) {
        return Err(io::Error::other(format!("{sent} posts were answered, and wxbot says that it kept {kept:?}")));
    }
    drop(lines);
    bot.stop()?;
    Ok(sample)
}

/// One thread a connection, which learns its number.
pub(super) fn each<T: Send>(
    lines: &mut [Line],
    work: impl Fn(&mut Line, usize) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            lines.iter_mut().enumerate().map(|(at, line)| scope.spawn(move || work(line, at))).collect();
        let panicked = |_panic| io::Error::other("a connection's thread panicked");
        threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(super) fn seconds(count: usize) -> f64 {
    count as f64
}

fn quantiles(sample: &mut Sample, mut times: Vec<Duration>, [half, last]: [&'static str; 2]) {
    times.sort_unstable();
    for (key, hundredths) in [(half, 50), (last, 99)] {
        // The smallest time that so many of a hundred do not exceed.
        let rank = (times.len() * hundredths).div_ceil(100).saturating_sub(1);
        sample.extend(times.get(rank).map(|time| (key, time.as_secs_f64() * 1000.0)));
    }
}

/// The median of one figure over all runs.
pub(super) fn median(samples: &[Sample], key: &str) -> Option<f64> {
    let mut values: Vec<f64> = samples.iter().filter_map(|sample| sample.get(key).copied()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl Pushed {
    fn median(&self, key: &str) -> Option<f64> {
        median(&self.samples, key)
    }

    /// One row a figure; medians.
    pub(super) fn table(&self) -> String {
        let mut text = "\n".to_owned();
        for (key, about, digits) in FIGURES {
            let cell = self.median(key).map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            text += &format!("{about:<48}{cell:>12}\n");
        }
        let (runs, Pushes { seconds, posts }) = (self.samples.len(), self.pushes);
        text += &format!(
            "\nMedians of {runs} run(s): one PC hook account without plugins, {CONNECTIONS} keep-alive connections over \
             loopback; {PER_SECOND} posts/s for {seconds} s, then {posts} posts as fast as they are answered; fsync is on, \
             and each post is answered after its commit.\n"
        );
        text
    }

    /// The same for programs, with the single runs.
    pub(super) fn json(&self) -> Value {
        let medians: serde_json::Map<_, _> =
            FIGURES.iter().filter_map(|(key, ..)| Some(((*key).to_owned(), json!(self.median(key)?)))).collect();
        json!({ "push": { "seconds": self.pushes.seconds, "posts": self.pushes.posts, "median": medians,
            "runs": self.samples } })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_post_is_another_message() {
        let ids: HashSet<String> = (0..1_000)
            .map(|number| {
                let body: Value = serde_json::from_str(&body(number, "a")).unwrap();
                body["msglist"][0]["msgsvrid"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn percentiles_are_of_all_posts_and_medians_of_all_runs() {
        let sample = |shift: u64| {
            let mut sample = Sample::new();
            let times = (1..=200).rev().map(|ms| Duration::from_millis(ms + shift)).collect();
            quantiles(&mut sample, times, ["steady_p50_ms", "steady_p99_ms"]);
            sample
        };
        assert_eq!((sample(0)["steady_p50_ms"], sample(0)["steady_p99_ms"]), (100.0, 198.0));
        let all = Pushed { pushes: Pushes { seconds: 1, posts: 2 }, samples: vec![sample(9), sample(0), sample(3)] };
        assert_eq!(all.json()["push"]["median"]["steady_p50_ms"], 103.0);
        let table = all.table();
        assert!(table.contains("      103.00\n") && table.contains("           -\n"), "{table}");
    }
}

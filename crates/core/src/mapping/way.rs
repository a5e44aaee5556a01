//! Where does the service find a file of ours? At another path, at an address, or where it is.

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How the service reaches files that wxbot sends. Nothing here looks anything up.
#[derive(Debug, Clone, Default)]
pub struct MediaWay {
    /// Folders that both sides see, each under a name of its own (`path_map`).
    pub path_map: Vec<PathPair>,
    /// A folder whose files can be had at an address (`media_base_url`).
    pub served: Option<Served>,
    /// True when the service runs on our machine: then every path is good as it is.
    pub same_machine: bool,
}

/// One entry of `path_map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPair {
    /// The folder as wxbot sees it, absolute.
    pub local: PathBuf,
    /// The same folder as the service sees it.
    pub remote: String,
}

/// A folder and the address of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The folder, absolute.
    pub local: PathBuf,
    /// What stands before a file's path in it.
    pub url: Url,
}

/// Where a file is for the service: at least one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// Its path there.
    pub path: Option<String>,
    /// Its address.
    pub url: Option<String>,
}

impl MediaWay {
    /// True when a service at this address runs on our machine, by its name: whoever forwards a port knows better.
    pub fn is_here(base: &Url) -> bool {
        match base.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Where `file`, an absolute path of ours, is for the service.
    ///
    /// # Errors
    /// In words for the owner, when the service cannot get at it.
    pub fn place(&self, file: &Path) -> Result<Placed, String> {
        if !file.is_absolute() {
            return Err("its path does not say where it is".into());
        }
        let mapped = self.path_map.iter().find_map(|pair| {
            let parts = below(file, &pair.local)?;
            Some(joined(&pair.remote, &parts))
        });
        let as_it_is = || file.to_str().filter(|_| self.same_machine && below(file, Path::new("/")).is_some());
        let url = self.served.as_ref().and_then(|served| {
            let parts = below(file, &served.local)?;
            let tail: Vec<_> = parts.iter().map(|part| utf8_percent_encode(part, PLAIN).to_string()).collect();
            let base = served.url.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
            Some(format!("{base}/{}", tail.join("/")))
        });
        let placed = Placed { path: mapped.or_else(|| as_it_is().map(str::to_owned)), url };
        if placed.path.is_none() && placed.url.is_none() {
            return Err(if self.path_map.is_empty() && self.served.is_none() {
                "the service runs on another machine and cannot see our files; set `path_map` or `media_base_url`"
                    .into()
            } else {
                "it lies in none of the folders that the service can see (`path_map`, `media_base_url`)".into()
            });
        }
        Ok(placed)
    }
}

/// The parts of `file` below `folder`; `None` when it is not there, is the folder, or goes up on its way.
fn below<'a>(file: &'a Path, folder: &Path) -> Option<Vec<&'a str>> {
    if folder.as_os_str().is_empty() || !folder.is_absolute() {
        return None;
    }
    if folder.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let parts = file.strip_prefix(folder).ok()?.components();
    let parts = parts.map(|part| match part {
        Component::Normal(name) => name.to_str().filter(|name| !name.chars().any(char::is_control)),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    });
    parts.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty())
}

/// Below the service's folder, with its own separator.
fn joined(remote: &str, parts: &[&str]) -> String {
    let windows = remote.contains('\\') || remote.as_bytes().get(1) == Some(&b':');
    let separator = if windows { "\\" } else { "/" };
    format!("{}{separator}{}", remote.trim_end_matches(['/', '\\']), parts.join(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> MediaWay {
        MediaWay {
            path_map: vec![
                PathPair { local: "/srv/wxbot/media".into(), remote: r"Z:\media".into() },
                PathPair { local: "/mnt/share".into(), remote: r"\\nas\share\".into() },
                PathPair { local: "/data".into(), remote: "/mnt/data/".into() },
            ],
            served: Some(Served {
                local: "/srv/wxbot/media".into(),
                url: "http://192.168.1.20:8080/media/?key=1".parse().unwrap(),
            }),
            same_machine: false,
        }
    }

    #[test]
    fn where_files_are_for_the_service() {
        let base = "http://192.168.1.20:8080/media";
        for (file, path, url) in [
            ("/srv/wxbot/media/ab/cd.jpg", Some(r"Z:\media\ab\cd.jpg"), Some(format!("{base}/ab/cd.jpg"))),
            (
                "/srv/wxbot/media/a b#?/你.jpg",
                Some(r"Z:\media\a b#?\你.jpg"),
                Some(format!("{base}/a%20b%23%3F/%E4%BD%A0.jpg")),
            ),
            ("/mnt/share/x.pdf", Some(r"\\nas\share\x.pdf"), None),
            ("/data/x/y", Some("/mnt/data/x/y"), None),
        ] {
            let want = Placed { path: path.map(str::to_owned), url };
            assert_eq!(way().place(Path::new(file)), Ok(want), "{file}");
        }
    }

    #[test]
    fn which_services_run_here() {
        for (base, here) in [
            ("http://127.0.0.1:30001", true),
            ("http://localhost:30001", true),
            ("http://[::1]:30001", true),
            ("http://192.168.1.20:30001", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(MediaWay::is_here(&base.parse().unwrap()), here, "{base}");
        }
    }

    #[test]
    fn sec_r07_a_file_outside_the_folders_is_not_sent() {
        for file in [
            "/etc/passwd",
            "/srv/wxbot/media",
            "/srv/wxbot/media/../../../etc/passwd",
            "/srv/wxbot/media2/a",
            "/data/x/../../etc/passwd",
            "relative/a.jpg",
            "/data/a\nb",
        ] {
            assert!(way().place(Path::new(file)).is_err(), "{file}");
        }
        let nowhere = MediaWay::default().place(Path::new("/a/b")).unwrap_err();
        assert!(nowhere.contains("path_map"), "{nowhere}");
        let here = MediaWay { same_machine: true, ..MediaWay::default() };
        assert_eq!(here.place(Path::new("/a/b")).unwrap().path.as_deref(), Some("/a/b"));
        assert!(here.place(Path::new("/a/../b")).is_err());
    }
}

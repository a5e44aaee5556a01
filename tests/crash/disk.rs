//! What is on a disk after a power loss? The notes of `strace` of one process, played on a model of its folder: for each
//! file what was synced, what was written since, and which names were synced with their folder.
//!
//! A write counts as synced when an fsync or fdatasync of its file that began after it has answered; a name when an
//! fsync of its folder did. Folders themselves are taken to be there.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Options of `strace`: all threads, whole data as hex, and nothing but what changes files.
pub(crate) const STRACE: [&str; 9] = [
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-xx",
    "-s",
    "1000000",
    "-e",
    "signal=none",
    "-etrace=?open,openat,?creat,close,lseek,write,pwrite64,ftruncate,fsync,fdatasync,?rename,?renameat,?renameat2,?unlink,?unlinkat",
];

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// None of it is there.
    Dropped,
    /// Each sector of it is there or not, as it comes.
    Torn,
    /// Each sector of it holds anything.
    Spoiled,
}

/// Disks write this much at once, or not at all.
const SECTOR: usize = 512;

type Inode = usize;

/// A change of a file that is not synced yet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    changes: Vec<Change>,
}

impl File {
    fn live(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        self.changes.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    }

    /// What was changed before this count of changes is on the disk.
    fn sync(&mut self, count: usize) {
        for change in self.changes.drain(..count.min(self.changes.len())) {
            apply(&mut self.synced, &change);
        }
    }

    fn after_loss(&self, tail: Tail, random: &mut dyn FnMut() -> u64) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in self.changes.iter().filter(|_| tail != Tail::Dropped) {
            match change {
                Change::Length(length) if random() % 2 == 0 => bytes.resize(*length, 0),
                Change::Length(_) => {}
                Change::Write { at, data } => {
                    for (n, sector) in data.chunks(SECTOR).enumerate() {
                        let at = at + n * SECTOR;
                        match (tail, random() % 2) {
                            (Tail::Torn, 0) => write(&mut bytes, at, sector),
                            (Tail::Spoiled, 0) => {
                                let garbage: Vec<u8> = (0..sector.len()).map(|_| random().to_le_bytes()[0]).collect();
                                write(&mut bytes, at, &garbage);
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length, 0),
        Change::Write { at, data } => write(bytes, *at, data),
    }
}

fn write(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// What a descriptor of the process stands for.
#[derive(Debug, Clone)]
enum Open {
    File { inode: Inode, place: usize },
    Folder(PathBuf),
}

/// The folder of one program, over several lives of it.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// Names as programs see them, and as they are on the disk.
    live: HashMap<PathBuf, Inode>,
    synced: HashMap<PathBuf, Inode>,
}

impl Disk {
    /// An empty folder at this absolute path.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: Vec::new(), live: HashMap::new(), synced: HashMap::new() }
    }

    /// Plays what `strace` noted of a life, which has ended, and compares the outcome with the folder.
    pub(crate) fn play(&mut self, notes: &str) -> io::Result<()> {
        let mut life = Life::new(self);
        for line in notes.lines() {
            life.line(line);
        }
        // Cut off by the kill: the kernel ends what it has begun to write.
        let cut = std::mem::take(&mut life.cut).into_iter().chain(std::mem::take(&mut life.begun).into_values());
        let cut: Vec<String> = cut.filter(|call| call.contains("write")).collect();
        let before: Vec<usize> = life.disk.files.iter().map(|file| file.changes.len()).collect();
        for call in cut {
            life.call(&call, None);
        }
        for (name, &inode) in &self.live {
            let real = fs::read(name).map_err(|error| io::Error::other(format!("{}: {error}", name.display())))?;
            let file = &mut self.files[inode];
            if file.live() != real {
                // Or it has not begun.
                file.changes.truncate(before.get(inode).copied().unwrap_or(usize::MAX));
            }
            if file.live() != real {
                let (modelled, real) = (file.live().len(), real.len());
                let what = format!("{} has {real} bytes, the notes made {modelled}, or others", name.display());
                return Err(io::Error::other(format!("the notes of strace are not all that was written: {what}")));
            }
        }
        Ok(())
    }

    /// Bytes that a power loss would take now.
    pub(crate) fn unsynced(&self) -> usize {
        let of = |change: &Change| match change {
            Change::Write { data, .. } => data.len(),
            Change::Length(_) => 0,
        };
        self.live.values().flat_map(|&inode| &self.files[inode].changes).map(of).sum()
    }

    /// Makes the folder what it would be after a power loss now.
    pub(crate) fn lose_power(&mut self, tail: Tail, random: &mut dyn FnMut() -> u64) -> io::Result<()> {
        // Names that were not synced with their folder are gone, or there.
        let mut left = self.synced.clone();
        if tail != Tail::Dropped {
            left.extend(self.live.clone());
            left.retain(|name, _| self.live.contains_key(name) || random() % 2 == 0);
        }
        clear(&self.root)?;
        let mut files = Vec::new();
        let mut names: Vec<(PathBuf, Inode)> = left.into_iter().collect();
        names.sort();
        self.live.clear();
        for (name, inode) in names {
            let bytes = self.files[inode].after_loss(tail, random);
            if let Some(folder) = name.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&name, &bytes)?;
            private(&name)?;
            self.live.insert(name, files.len());
            files.push(File { synced: bytes, changes: Vec::new() });
        }
        self.files = files;
        self.synced = self.live.clone();
        Ok(())
    }
}

/// As wxbot makes them; it refuses a key that others may read.
fn private(name: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(name, fs::Permissions::from_mode(0o600))
}

/// Removes all files below a folder, and leaves the folders.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { clear(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

/// One process while its notes are read.
struct Life<'a> {
    disk: &'a mut Disk,
    open: HashMap<u32, Open>,
    /// Calls that have begun and not ended, by thread.
    begun: HashMap<String, String>,
    /// What an fsync that has begun will have synced: the file, and how many of its changes.
    syncs: HashMap<String, (Inode, usize)>,
    /// Calls whose answer nobody has seen.
    cut: Vec<String>,
}

impl<'a> Life<'a> {
    fn new(disk: &'a mut Disk) -> Self {
        Self { disk, open: HashMap::new(), begun: HashMap::new(), syncs: HashMap::new(), cut: Vec::new() }
    }

    fn line(&mut self, line: &str) {
        let Some((thread, rest)) = line.split_once(' ') else { return };
        let rest = rest.trim_start();
        if let Some(call) = rest.strip_suffix(" <unfinished ...>") {
            self.begin(thread, call);
            self.begun.insert(thread.to_owned(), call.to_owned());
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let call = self.begun.remove(thread).unwrap_or_default() + end;
            self.end(thread, &call);
        } else {
            self.begin(thread, rest);
            self.end(thread, rest);
        }
    }

    fn begin(&mut self, thread: &str, call: &str) {
        let (name, args) = call.split_once('(').unwrap_or_default();
        if matches!(name, "fsync" | "fdatasync")
            && let Some(Open::File { inode, .. }) = self.open.get(&number(args).unwrap_or(u32::MAX))
        {
            self.syncs.insert(thread.to_owned(), (*inode, self.disk.files[*inode].changes.len()));
        }
    }

    fn end(&mut self, thread: &str, call: &str) {
        let sync = self.syncs.remove(thread);
        let Some((call, answer)) = call.rsplit_once(" = ") else { return };
        if answer.starts_with('?') {
            self.cut.push(call.to_owned());
        }
        let Ok(answer) = answer.split(' ').next().unwrap_or_default().parse::<i64>() else { return };
        if let (Some((inode, changes)), 0) = (sync, answer) {
            self.disk.files[inode].sync(changes);
        } else if answer >= 0 {
            self.call(call, Some(answer));
        }
    }

    /// A call that did what it was asked for; without an answer as far as it can be told.
    fn call(&mut self, call: &str, answer: Option<i64>) {
        let (name, args) = call.split_once('(').unwrap_or_default();
        let args = args.trim_end().trim_end_matches(')');
        let (begin, rest) = args.split_once(", ").unwrap_or((args, ""));
        let descriptor = number(begin).unwrap_or(u32::MAX);
        match name {
            "open" | "creat" | "openat" => {
                let path = if name == "openat" { rest } else { args };
                self.opened(path, name == "creat", answer.unwrap_or(-1));
            }
            "close" => drop(self.open.remove(&descriptor)),
            "lseek" => {
                if let (Some(Open::File { place, .. }), Some(to)) = (self.open.get_mut(&descriptor), answer) {
                    *place = usize::try_from(to).unwrap_or(0);
                }
            }
            "write" | "pwrite64" => {
                let Some(Open::File { inode, place }) = self.open.get_mut(&descriptor) else { return };
                let mut data = bytes(rest);
                data.truncate(answer.map_or(usize::MAX, |answer| usize::try_from(answer).unwrap_or(0)));
                let given = rest.rsplit_once(", ").and_then(|(_, last)| last.trim_end_matches(')').parse().ok());
                let at = if name == "write" { *place } else { given.unwrap_or(0) };
                if name == "write" {
                    *place += data.len();
                }
                let inode = *inode;
                self.disk.files[inode].changes.push(Change::Write { at, data });
            }
            "ftruncate" => {
                if let (Some(Open::File { inode, .. }), Ok(length)) = (self.open.get(&descriptor), rest.parse()) {
                    let inode = *inode;
                    self.disk.files[inode].changes.push(Change::Length(length));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(Open::Folder(folder)) = self.open.get(&descriptor) {
                    let folder = folder.clone();
                    let inside = |name: &PathBuf| name.parent() == Some(&folder);
                    self.disk.synced.retain(|name, _| !inside(name));
                    let there = self.disk.live.iter().filter(|(name, _)| inside(name));
                    let there: Vec<_> = there.map(|(name, &inode)| (name.clone(), inode)).collect();
                    self.disk.synced.extend(there);
                }
            }
            "rename" | "renameat" | "renameat2" => {
                let names: Vec<PathBuf> = quoted(args).map(|name| self.path(name)).collect();
                if let [from, to] = names.as_slice()
                    && let Some(inode) = self.disk.live.remove(from)
                {
                    self.disk.live.insert(to.clone(), inode);
                }
            }
            "unlink" | "unlinkat" => {
                if let Some(name) = quoted(args).next().map(|name| self.path(name)) {
                    self.disk.live.remove(&name);
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, args: &str, truncates: bool, answer: i64) {
        let (Some(name), Ok(descriptor)) = (quoted(args).next(), u32::try_from(answer)) else { return };
        let (path, flags) = (self.path(name), args);
        // Shared memory is no file to SQLite: it is made anew by whoever opens the store first.
        if !path.starts_with(&self.disk.root) || name_ends_with(&path, "-shm") {
            self.open.remove(&descriptor);
            return;
        }
        if flags.contains("O_DIRECTORY") || path.is_dir() {
            self.open.insert(descriptor, Open::Folder(path));
            return;
        }
        let disk = &mut *self.disk;
        let inode = *disk.live.entry(path).or_insert_with(|| {
            disk.files.push(File::default());
            disk.files.len() - 1
        });
        if truncates || flags.contains("O_TRUNC") {
            disk.files[inode].changes.push(Change::Length(0));
        }
        let place = if flags.contains("O_APPEND") { disk.files[inode].live().len() } else { 0 };
        self.open.insert(descriptor, Open::File { inode, place });
    }

    /// A name as the process writes it, made absolute: it runs in the folder above the root.
    fn path(&self, name: &str) -> PathBuf {
        let name = String::from_utf8_lossy(&bytes(&format!("\"{name}\""))).into_owned();
        let joined = self.disk.root.parent().unwrap_or(&self.disk.root).join(name);
        joined.components().filter(|part| *part != Component::CurDir).collect()
    }
}

fn name_ends_with(path: &Path, end: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(end))
}

fn number(text: &str) -> Option<u32> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The texts between quotes, as they are written.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    // All of it is hex: no quote stands within.
    text.split('"').skip(1).step_by(2)
}

/// The first quoted text, `"\x61\x62"`, as bytes.
fn bytes(text: &str) -> Vec<u8> {
    let hex = text.split('"').nth(1).unwrap_or_default().split("\\x").skip(1);
    hex.filter_map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    #[test]
    fn only_what_was_synced_survives() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        fs::create_dir(&root).unwrap();
        let (one, two) = (root.join("one"), root.join("two"));
        // As the folder is when the process was killed.
        fs::write(&one, "ABcdXfgh").unwrap();
        fs::write(&two, "new").unwrap();
        let notes = [
            format!("7 openat(AT_FDCWD, \"{}\", O_RDWR|O_CREAT, 0600) = 3", hex("data/one")),
            format!("7 pwrite64(3, \"{}\", 8, 0) = 8", hex("abcdefgh")),
            format!("7 openat(AT_FDCWD, \"{}\", O_RDONLY|O_DIRECTORY) = 4", hex(&root.display().to_string())),
            "7 fsync(4) = 0".to_owned(),
            "7 fdatasync(3 <unfinished ...>".to_owned(),
            // Another thread, while the sync runs: not part of it.
            format!("8 pwrite64(3, \"{}\", 2, 0) = 2", hex("AB")),
            "7 <... fdatasync resumed>) = 0".to_owned(),
            format!("7 openat(AT_FDCWD, \"{}\", O_WRONLY|O_CREAT|O_TRUNC, 0600) = 5", hex("data/two")),
            format!("7 write(5, \"{}\", 3) = 3", hex("new")),
            "7 fsync(5) = 0".to_owned(),
            "7 fsync(9) = -1 EBADF (Bad file descriptor)".to_owned(),
            // Cut off by the kill.
            format!("8 pwrite64(3, \"{}\", 1, 4)   = ?", hex("X")),
        ];
        let mut disk = Disk::new(&root);
        disk.play(&notes.join("\n")).unwrap();
        assert_eq!(disk.unsynced(), 3);
        disk.lose_power(Tail::Dropped, &mut || 0).unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), "abcdefgh");
        assert!(!two.exists(), "its folder was not synced since it has its name");
    }

    #[test]
    fn what_was_not_synced_is_torn_or_spoiled() {
        let file = File { synced: b"aaaa".to_vec(), changes: vec![Change::Write { at: 2, data: b"bbbb".to_vec() }] };
        assert_eq!(file.after_loss(Tail::Torn, &mut || 0), b"aabbbb");
        assert_eq!(file.after_loss(Tail::Torn, &mut || 1), b"aaaa");
        assert_eq!(file.after_loss(Tail::Spoiled, &mut || 0), b"aa\0\0\0\0");
        assert_eq!(file.after_loss(Tail::Dropped, &mut || 0), b"aaaa");
    }

    #[test]
    fn notes_that_miss_something_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("one"), "more").unwrap();
        let notes = format!("7 openat(AT_FDCWD, \"{}\", O_RDWR|O_CREAT, 0600) = 3", hex("data/one"));
        assert!(Disk::new(&root).play(&notes).unwrap_err().to_string().contains("not all that was written"));
    }
}

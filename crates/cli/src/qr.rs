//! How is a QR code shown? In the terminal, as an SVG or PNG file, and as an address for machines without a screen.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{QRBuilder, QRCode};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::report::{Failure, OrExit};
use crate::run::{Signal, signal};

fn code(payload: &str) -> Result<QRCode, Failure> {
    QRBuilder::new(payload).build().map_err(|_ignored| Failure::new("the login address is too long for a QR code"))
}

/// Half-block characters for a dark or light terminal; two modules a line.
pub(crate) fn for_terminal(payload: &str) -> Result<String, Failure> {
    Ok(code(payload)?.to_str())
}

/// How long a code is worth the account at most (security R24).
pub(crate) const LIFE: Duration = Duration::from_secs(300);

/// A code in a file that only its owner can read: for some minutes it is as good as the account. The file goes with the
/// value.
#[derive(Debug)]
pub(crate) struct QrFile {
    path: PathBuf,
}

impl QrFile {
    /// Writes the code, as .svg or .png, in place of a file that is there: whatever its rights were, and whoever has it
    /// open, nobody else reads this one.
    pub(crate) fn write(payload: &str, path: &Path) -> Result<Self, Failure> {
        let code = code(payload)?;
        let bytes = match path.extension().and_then(|e| e.to_str()) {
            Some("svg") => SvgBuilder::default().to_str(&code).into_bytes(),
            Some("png") => png(&code)?,
            _ => return Err(Failure::new(format!("{}: a QR code is written as .svg or .png", path.display()))),
        };
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let cannot = format!("cannot write {}", path.display());
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).or_exit(&cannot),
            Ok(()) | Err(_) => {}
        }
        // Made anew or not at all: a link that somebody laid there is not followed.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let written = file.and_then(|mut file| file.write_all(&bytes)).and_then(|()| fs::rename(&part, path));
        if written.is_err() {
            fs::remove_file(&part).ok();
        }
        written.or_exit(&cannot)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Makes a folder for codes, or sees that it is ours alone.
    pub(crate) fn folder(path: &Path) -> Result<(), Failure> {
        let cannot = format!("cannot make {}", path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(path).or_exit(&cannot)?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).or_exit(&cannot)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for QrFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(path = %self.path.display(), %error, "A QR code cannot be removed; remove it by hand.");
        }
    }
}

/// Shows codes in one file while a command waits for them to be scanned. A thread of its own, because the command blocks on
/// a socket: the file goes when the code is scanned or over, after [`LIFE`], and when the command ends or is interrupted.
#[derive(Debug)]
pub(crate) struct QrPlace {
    orders: Option<mpsc::Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// `None`: no code is good any more.
type Order = (Option<String>, std::sync::mpsc::Sender<Result<(), Failure>>);

impl QrPlace {
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let (orders, ordered) = mpsc::channel(1);
        let path = path.to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.or_exit("cannot start the async runtime")?;
        let thread = std::thread::Builder::new().name("qr-file".into()).spawn(move || {
            if let Some(signal) = runtime.block_on(keep(&path, ordered, signal())) {
                std::process::exit(if signal == Signal::Interrupt { 130 } else { 143 });
            }
        });
        Ok(Self { orders: Some(orders), thread: Some(thread.or_exit("cannot start a thread")?) })
    }

    /// Puts this code into the file, in place of the one before.
    pub(crate) fn show(&self, payload: &str) -> Result<(), Failure> {
        self.order(Some(payload.to_owned()))
    }

    /// Takes the file away.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        self.order(None)
    }

    fn order(&self, code: Option<String>) -> Result<(), Failure> {
        let (done, told) = std::sync::mpsc::channel();
        // Each order is waited for, so there is always room.
        let sent = self.orders.as_ref().is_some_and(|orders| orders.try_send((code, done)).is_ok());
        if sent { told.recv().or_exit("the QR code is kept no longer")? } else { Ok(()) }
    }
}

impl Drop for QrPlace {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Keeps the file until there are no more orders; `Some` when a signal ended it.
async fn keep(path: &Path, mut ordered: mpsc::Receiver<Order>, signal: impl Future<Output = Signal>) -> Option<Signal> {
    let mut signal = std::pin::pin!(signal);
    let (mut file, mut until): (Option<QrFile>, _) = (None, Instant::now());
    loop {
        tokio::select! {
            order = ordered.recv() => {
                let (code, done) = order?;
                file = None;
                let made = code.map(|payload| QrFile::write(&payload, path)).transpose();
                let told = match made {
                    Ok(made) => {
                        (file, until) = (made, Instant::now() + LIFE);
                        Ok(())
                    }
                    Err(failure) => Err(failure),
                };
                done.send(told).ok();
            }
            () = tokio::time::sleep_until(until), if file.is_some() => file = None,
            signal = &mut signal => {
                drop(file);
                return Some(signal);
            }
        }
    }
}

/// Pixels a module, and modules of quiet zone around.
const SCALE: usize = 8;
const QUIET: usize = 4;

fn png(code: &QRCode) -> Result<Vec<u8>, Failure> {
    let side = (code.size + 2 * QUIET) * SCALE;
    let dark = |x: usize, y: usize| {
        let (x, y) = ((x / SCALE).checked_sub(QUIET)?, (y / SCALE).checked_sub(QUIET)?);
        let row = (y < code.size && x < code.size).then(|| &code[y])?;
        row.get(x).map(|module| module.value())
    };
    let pixels: Vec<u8> =
        (0..side * side).map(|i| if dark(i % side, i / side).unwrap_or(false) { 0 } else { 255 }).collect();
    let side = u32::try_from(side).or_exit("the QR code is too large")?;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().or_exit("cannot write a PNG")?;
    writer.write_image_data(&pixels).or_exit("cannot write a PNG")?;
    writer.finish().or_exit("cannot write a PNG")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const PAYLOAD: &str = "https://login.weixin.qq.com/l/gf5Gk61zEA==";

    #[test]
    fn three_ways_to_show_a_code() {
        let dir = tempfile::tempdir().unwrap();
        assert!(for_terminal(PAYLOAD).unwrap().lines().count() > 10);
        for (name, magic) in [("a.svg", &b"<svg"[..]), ("a.png", &b"\x89PNG"[..])] {
            let path = dir.path().join(name);
            let file = QrFile::write(PAYLOAD, &path).unwrap();
            assert!(fs::read(&path).unwrap().starts_with(magic), "{name}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            drop(file);
            assert!(!path.exists());
        }
        assert!(QrFile::write(PAYLOAD, &dir.path().join("a.gif")).is_err());
    }

    #[test]
    fn sec_r24_a_code_takes_over_no_rights_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (dir.path().join("a.png"), dir.path().join("elsewhere"));
        fs::write(&path, "mine").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let file = QrFile::write(PAYLOAD, &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "not the rights of the file before");
        drop(file);
        fs::write(&elsewhere, "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let file = QrFile::write(PAYLOAD, &path).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        drop(file);
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["elsewhere"], "nothing is left");
        let folder = dir.path().join("qr");
        fs::create_dir(&folder).unwrap();
        QrFile::folder(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    }

    #[tokio::test(start_paused = true)]
    async fn sec_r24_a_code_goes_after_five_minutes_and_when_it_is_scanned() {
        assert_eq!(LIFE, Duration::from_secs(300), "what the requirement says, whatever else is changed");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let (orders, ordered) = mpsc::channel(1);
        let played = async {
            let order = async |code: Option<&str>| {
                let (done, told) = std::sync::mpsc::channel();
                orders.send((code.map(str::to_owned), done)).await.unwrap();
                // Whoever keeps the file is polled beside us: waiting here would keep it from that.
                while told.try_recv().map(Result::unwrap).is_err() {
                    tokio::task::yield_now().await;
                }
            };
            order(Some(PAYLOAD)).await;
            tokio::time::sleep(LIFE - Duration::from_secs(1)).await;
            assert!(path.exists());
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(!path.exists(), "five minutes");
            // A renewed code has five minutes of its own.
            order(Some(PAYLOAD)).await;
            tokio::time::sleep(LIFE - Duration::from_secs(1)).await;
            order(Some(PAYLOAD)).await;
            tokio::time::sleep(Duration::from_secs(9)).await;
            assert!(path.exists());
            order(None).await;
            assert!(!path.exists(), "scanned");
            order(Some(PAYLOAD)).await;
            drop(orders);
        };
        let (_, kept) = tokio::join!(played, keep(&path, ordered, std::future::pending()));
        assert_eq!(kept, None);
        assert!(!path.exists(), "the end of the command");
        let (orders, ordered) = mpsc::channel(1);
        let (done, told) = std::sync::mpsc::channel();
        orders.send((Some(PAYLOAD.to_owned()), done)).await.unwrap();
        let interrupted = async {
            while !path.exists() {
                tokio::task::yield_now().await;
            }
            Signal::Interrupt
        };
        assert_eq!(keep(&path, ordered, interrupted).await, Some(Signal::Interrupt));
        told.recv().unwrap().unwrap();
        assert!(!path.exists(), "interrupted");
    }

    #[test]
    fn the_png_shows_the_same_modules_as_the_code() {
        let code = code(PAYLOAD).unwrap();
        let bytes = png(&code).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let side = info.width as usize;
        for y in 0..code.size {
            for x in 0..code.size {
                let pixel = pixels[((y + QUIET) * SCALE + 1) * side + (x + QUIET) * SCALE + 1];
                assert_eq!(pixel == 0, code[y][x].value(), "{x},{y}");
            }
        }
        assert_eq!(pixels[0], 255, "a quiet zone");
    }
}

//! How does a file become a library of this process? It is judged, copied, opened once, and its table is read.

use std::collections::HashMap;
use std::ffi::c_void;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use wxbot_plugin::abi::{Fault, MAGIC, Status, WxBuf, WxDone, WxHostV1, WxPluginV1, WxSlice, take};

use super::aside::{NoResult, aside, aside_waiting};
use super::image::{Image, PrivateFile, Sha256};
use super::refusal::{LoadError, Refusal};

/// Larger libraries are mistaken for plugins; the largest we built with debug information has 90 MB.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// How long opening may take: constructors of the library run then.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many distinct builds in one process are a sign that somebody reloads without end; memory is never given back.
const MANY_BUILDS: usize = 50;
/// A manifest says who a plugin is; a longer one is a mistake.
const MOST_MANIFEST: usize = 1024 * 1024;

/// How to load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Where private copies are written while they are opened; made with access for us alone. It must allow programs.
    pub private: PathBuf,
    /// The only content that is allowed. It is compared before anything of the library can run.
    pub pinned: Option<Sha256>,
    /// The largest file; 256 MiB unless stated.
    pub most_bytes: u64,
    /// How long opening may take; 10 s unless stated.
    pub patience: Duration,
}

impl LoadOptions {
    /// No pin, and the usual limits.
    pub fn new(private: impl Into<PathBuf>) -> Self {
        Self { private: private.into(), pinned: None, most_bytes: MOST_BYTES, patience: PATIENCE }
    }
}

/// What this process has loaded so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LibraryStats {
    /// How often a library was asked for, reused or not.
    pub loads: u64,
    /// How many copies are mapped.
    pub opened: u64,
    /// Their bytes.
    pub bytes: u64,
}

static LOADS: AtomicU64 = AtomicU64::new(0);
static OPENED: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What this process has loaded so far. None of it is ever unloaded.
pub fn library_stats() -> LibraryStats {
    let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
    LibraryStats { loads: read(&LOADS), opened: read(&OPENED), bytes: read(&BYTES) }
}

/// Held while one is opened, on a thread that may wait: perhaps for ever.
static OPENING: Mutex<()> = Mutex::new(());
/// What became of each content that was opened.
static KNOWN: LazyLock<Mutex<HashMap<Sha256, Known>>> = LazyLock::new(Mutex::default);

enum Known {
    Loaded(Arc<LoadedLibrary>),
    /// It was opened, so it is mapped; a second look would map it again and see the same.
    Refused(Refusal),
}

/// A library of this process.
pub struct LoadedLibrary {
    pub(super) table: Table,
    sha256: Sha256,
    bytes: u64,
    manifest: Value,
    ended: AtomicBool,
    zombie: AtomicBool,
}

/// Loads a library, or finds it when the same content is loaded already.
///
/// # Errors
/// With what is wrong and what helps ([`Refusal::cure`]).
pub async fn load(path: &Path, options: LoadOptions) -> Result<Arc<LoadedLibrary>, LoadError> {
    let (file, patience) = (path.to_owned(), options.patience);
    told(path, patience, aside("wxbot-load", patience, move || load_here(&file, &options)).await)
}

/// The same for code that cannot await.
///
/// # Errors
/// As of [`load`].
pub fn load_waiting(path: &Path, options: LoadOptions) -> Result<Arc<LoadedLibrary>, LoadError> {
    let (file, patience) = (path.to_owned(), options.patience);
    told(path, patience, aside_waiting("wxbot-load", patience, move || load_here(&file, &options)))
}

type Loading = Result<Arc<LoadedLibrary>, Refusal>;

fn told(path: &Path, after: Duration, loading: Result<Loading, NoResult>) -> Result<Arc<LoadedLibrary>, LoadError> {
    let loaded = loading.unwrap_or_else(|no_result| match no_result {
        NoResult::TooSlow => Err(Refusal::TooSlow { after }),
        NoResult::Failed => Err(Refusal::NotOpened { why: "no thread could do it".into() }),
    });
    loaded.map_err(|refusal| LoadError { path: path.to_owned(), refusal })
}

/// What became of these bytes before, if they are of use.
fn known(image: &Image) -> Option<Loading> {
    match KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&image.sha256) {
        Some(Known::Loaded(library)) if library.is_fit() => Some(Ok(Arc::clone(library))),
        Some(Known::Refused(refusal)) => Some(Err(refusal.clone())),
        Some(Known::Loaded(_)) | None => None,
    }
}

fn load_here(path: &Path, options: &LoadOptions) -> Loading {
    let image = Image::read(path, options.most_bytes, options.pinned)?;
    LOADS.fetch_add(1, Ordering::Relaxed);
    if let Some(loading) = known(&image) {
        return loading;
    }
    // One opens at a time, and one that hangs there keeps nobody from what is loaded.
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loading) = known(&image) {
        return loading;
    }
    let private = image.write_private(&options.private)?;
    let handle = open(&private)?;
    drop(private);
    OPENED.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(image.len(), Ordering::Relaxed);
    let read = read(handle, &image).map(Arc::new);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(image.sha256, read.clone().map_or_else(Known::Refused, Known::Loaded));
    if known.len() > MANY_BUILDS {
        let bytes = BYTES.load(Ordering::Relaxed);
        tracing::warn!(
            builds = known.len(),
            bytes,
            "Many builds of plugins are loaded; a restart gives their memory back."
        );
    }
    read
}

/// Opens a library for good: with all of its symbols bound, and seen by nobody else.
fn open(file: &PrivateFile) -> Result<Handle, Refusal> {
    #[cfg(unix)]
    // SAFETY: the library's constructors run. They are the owner's choice, as the whole plugin is; what is checked is
    // that the file is whole, and the pinned one where there is a pin.
    let opened = unsafe {
        use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
        Library::open(Some(file.path()), RTLD_NOW | RTLD_LOCAL)
    };
    #[cfg(not(unix))]
    // SAFETY: as above.
    let opened = unsafe { libloading::Library::new(file.path()) };
    let opened = opened.map_err(|e| Refusal::NotOpened { why: in_one_line(&e, file.path()) })?;
    // Never unloaded: code of it may run on any thread from now on.
    Ok(std::mem::ManuallyDrop::new(opened))
}

#[cfg(unix)]
type Handle = std::mem::ManuallyDrop<libloading::os::unix::Library>;
#[cfg(not(unix))]
type Handle = std::mem::ManuallyDrop<libloading::Library>;

/// What the system said, without the name of our copy.
fn in_one_line(error: &libloading::Error, copy: &Path) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    let text = source.unwrap_or_else(|| error.to_string());
    text.replace(&*copy.to_string_lossy(), "it").replace('\n', " ")
}

/// Reads table and manifest of an opened library.
fn read(handle: Handle, image: &Image) -> Result<LoadedLibrary, Refusal> {
    type Entry = unsafe extern "C" fn() -> *const WxPluginV1;
    // SAFETY: a symbol of this name is a function of this type: the name holds the major version, and the header says so.
    let Ok(entry) = (unsafe { handle.get::<Entry>(b"wxbot_plugin_entry_v1\0") }) else {
        return Err(other_major(&handle).map_or(Refusal::NoSymbol, |major| Refusal::OtherMajor { major }));
    };
    // SAFETY: as above; it takes nothing, does nothing and cannot fail.
    let table = unsafe { entry() };
    // SAFETY: what the entry answers is a static table.
    let table = unsafe { Table::read(table) }?;
    let manifest = table.read_manifest()?;
    let (sha256, bytes) = (image.sha256, image.len());
    let (ended, zombie) = (AtomicBool::new(false), AtomicBool::new(false));
    Ok(LoadedLibrary { table, sha256, bytes, manifest, ended, zombie })
}

fn other_major(handle: &Handle) -> Option<u32> {
    (2..=9).find(|major| {
        let name = format!("wxbot_plugin_entry_v{major}\0");
        // SAFETY: whether it is there is all that is asked; it is neither read nor called.
        unsafe { handle.get::<*const c_void>(name.as_bytes()) }.is_ok()
    })
}

/// The functions of a table, all of them there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    manifest: unsafe extern "C" fn(*mut WxBuf) -> i32,
    pub(super) create: unsafe extern "C" fn(*const WxHostV1, WxSlice, *mut *mut c_void, *mut WxBuf) -> i32,
    pub(super) call: unsafe extern "C" fn(*mut c_void, u32, WxSlice, *mut c_void, Option<WxDone>) -> u64,
    pub(super) cancel: unsafe extern "C" fn(*mut c_void, u64),
    pub(super) destroy: unsafe extern "C" fn(*mut c_void),
    shutdown: unsafe extern "C" fn(u64) -> i32,
}

impl Table {
    /// Reads a table that may be anything.
    ///
    /// # Safety
    /// `table` is null, misaligned, or points to at least 16 readable bytes, and to as many as its `size` says when it
    /// begins with the magic.
    unsafe fn read(table: *const WxPluginV1) -> Result<Self, Refusal> {
        if table.is_null() || !table.is_aligned() {
            return Err(Refusal::BadMagic);
        }
        // SAFETY: not null, aligned, and the caller promises 16 bytes.
        if unsafe { (*table).magic } != MAGIC {
            return Err(Refusal::BadMagic);
        }
        // SAFETY: as above.
        let size = unsafe { (*table).size };
        if size < WxPluginV1::SIZE {
            return Err(Refusal::ShortTable { size, least: WxPluginV1::SIZE });
        }
        // SAFETY: the size covers all that we know of.
        let table = unsafe { &*table };
        let missing = |name| move || Refusal::NoFunction { name };
        Ok(Self {
            manifest: table.manifest.ok_or_else(missing("manifest"))?,
            create: table.create.ok_or_else(missing("create"))?,
            call: table.call.ok_or_else(missing("call"))?,
            cancel: table.cancel.ok_or_else(missing("cancel"))?,
            destroy: table.destroy.ok_or_else(missing("destroy"))?,
            shutdown: table.shutdown.ok_or_else(missing("shutdown"))?,
        })
    }

    fn read_manifest(&self) -> Result<Value, Refusal> {
        let bad = |why: String| Refusal::BadManifest { why };
        let mut out = WxBuf::EMPTY;
        // SAFETY: the table's own function, and a buffer of ours for it to fill.
        let status = unsafe { (self.manifest)(&raw mut out) };
        // SAFETY: what it wrote there is ours now.
        let bytes = unsafe { take(&raw mut out) };
        let bytes = Fault::of_reply(status, bytes).map_err(|fault| bad(fault.message))?;
        if bytes.len() > MOST_MANIFEST {
            return Err(bad(format!("it has {} bytes", bytes.len())));
        }
        let manifest: Value = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if !manifest.is_object() {
            return Err(bad("it is no object".into()));
        }
        let strategy = manifest.pointer("/build/panic").and_then(Value::as_str);
        if strategy == Some("abort") { Err(Refusal::PanicAborts) } else { Ok(manifest) }
    }
}

impl LoadedLibrary {
    /// What the plugin says of itself, with `build`: how it was built.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// The hash of its content.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The length of its file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True when something of it hangs. It is left alone; loading the same content opens another copy.
    pub fn is_zombie(&self) -> bool {
        self.zombie.load(Ordering::Acquire)
    }

    /// Ends the threads of the library, after its last instance. Loading the same content later opens another copy.
    ///
    /// True when all is quiet; otherwise something of it hangs, and it is a zombie.
    pub async fn shutdown(&self, patience: Duration) -> bool {
        if self.ended.swap(true, Ordering::AcqRel) {
            return !self.is_zombie();
        }
        let shutdown = self.table.shutdown;
        let timeout_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: the table's own function, and it is called once.
        let work = move || unsafe { shutdown(timeout_ms) };
        // It gets a little longer than it was told, to come back by itself.
        let ended = aside("wxbot-shutdown", patience + Duration::from_secs(1), work).await;
        let quiet = ended.is_ok_and(|status| Status(status) == Status::OK);
        if !quiet {
            self.mark_zombie("its threads do not end");
        }
        quiet
    }

    /// Notes that something of it hangs.
    pub(super) fn mark_zombie(&self, why: &'static str) {
        if !self.zombie.swap(true, Ordering::AcqRel) {
            tracing::error!(plugin = %self.id(), why, "Plugin library hangs and is left alone; a restart of wxbot gets rid of it.");
        }
    }

    /// The plugin's id, as far as the manifest has one.
    pub(super) fn id(&self) -> &str {
        self.manifest.get("id").and_then(Value::as_str).unwrap_or("?")
    }

    /// Whether new instances can be made: it neither hangs nor has ended.
    pub fn is_fit(&self) -> bool {
        !self.is_zombie() && !self.ended.load(Ordering::Acquire)
    }
}

impl fmt::Debug for LoadedLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, sha256, zombie) = (self.id(), self.sha256, self.is_zombie());
        f.debug_struct("LoadedLibrary").field("id", &id).field("sha256", &sha256).field("zombie", &zombie).finish()
    }
}

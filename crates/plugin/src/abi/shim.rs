//! How does a plugin answer through the table? Each function copies what it was lent, contains panics, and hands over to
//! the library's own runtime.
//!
//! Authors write [`export_plugin!`](crate::export_plugin) and see nothing of this.

use std::ffi::c_void;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::buf::{copy, take};
use super::contain::contain;
use super::done::Completion;
use super::forward;
use super::link::HostLink;
use super::running::{self, Instance};
use super::table::{MAGIC, MINOR, WxBuf, WxDone, WxHostV1, WxPluginV1, WxSlice};
use super::words::{Fault, PluginOp, Status};

/// What a library is made of, behind the boundary: everything is bytes.
pub trait Library: 'static {
    /// One instance.
    type Instance: Send + Sync + 'static;

    /// The manifest, a JSON object. The shim adds `build`: how the library was built.
    fn manifest() -> Vec<u8>;

    /// Makes an instance that keeps its settings (JSON) and its way to the host. It starts with
    /// [`PluginOp::INIT`]; nothing may wait here.
    ///
    /// # Errors
    /// A fault for the one who wrote the settings.
    fn create(settings: Vec<u8>, host: HostLink) -> Result<Self::Instance, Fault>;

    /// Performs an operation. It runs on the library's runtime, may panic, and is dropped when it is cancelled.
    fn call(
        instance: &Self::Instance,
        op: PluginOp,
        payload: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, Fault>> + Send;
}

/// The table of a library whose handlers run on `THREADS` threads (1 to 4).
pub const fn table_of<L: Library, const THREADS: usize>() -> WxPluginV1 {
    const { assert!(THREADS >= 1 && THREADS <= 4, "a plugin library runs on 1 to 4 threads") };
    WxPluginV1 {
        magic: MAGIC,
        size: WxPluginV1::SIZE,
        minor: MINOR,
        manifest: Some(manifest::<L>),
        create: Some(create::<L, THREADS>),
        call: Some(call::<L>),
        cancel: Some(cancel::<L>),
        destroy: Some(destroy::<L>),
        shutdown: Some(shutdown),
    }
}

unsafe extern "C" fn manifest<L: Library>(out: *mut WxBuf) -> i32 {
    let answer = contain(|| with_build_facts(L::manifest()))
        .unwrap_or_else(|| Err(Fault::new(Status::PANIC, "it panicked while it wrote its manifest")));
    // SAFETY: the host passes a buffer to fill, or null.
    unsafe { fill(out, answer) }
}

unsafe extern "C" fn create<L: Library, const THREADS: usize>(
    host: *const WxHostV1,
    settings: WxSlice,
    instance: *mut *mut c_void,
    error: *mut WxBuf,
) -> i32 {
    let made = contain(|| {
        if instance.is_null() {
            return Err(Fault::new(Status::INTERNAL, "there is no place for the instance"));
        }
        // SAFETY: the host lends the settings until this function returns.
        let settings = unsafe { copy(settings) };
        // SAFETY: the host's table lives as long as the process.
        let link = unsafe { HostLink::read(host) }.ok_or_else(|| Fault::new(Status::INTERNAL, "there is no host"))?;
        forward::install();
        forward::attach(link);
        Instance::<L>::create(settings, link, THREADS).inspect_err(|_| forward::detach(&link))
    });
    match made.unwrap_or_else(|| Err(Fault::of(Status::PANIC))) {
        Ok(made) => {
            let made: *mut Arc<Instance<L>> = Box::into_raw(Box::new(made));
            // SAFETY: not null, as looked at above, and the host waits for the instance there.
            unsafe { *instance = made.cast() };
            Status::OK.0
        }
        // SAFETY: the host passes a buffer to fill, or null.
        Err(fault) => unsafe { fill(error, Err(fault)) },
    }
}

unsafe extern "C" fn call<L: Library>(
    instance: *mut c_void,
    op: u32,
    payload: WxSlice,
    user: *mut c_void,
    done: Option<WxDone>,
) -> u64 {
    // SAFETY: these are of this call, and only here.
    let completion = unsafe { Completion::new(user, done, Status::STOPPING) };
    let begun = contain(move || {
        // SAFETY: the host lends the payload until this function returns.
        let payload = unsafe { copy(payload) };
        // SAFETY: the host passes what `create` gave, before `destroy`.
        match unsafe { instance_of::<L>(instance) } {
            Some(instance) => instance.begin(PluginOp(op), payload, completion),
            None => {
                completion.answer(Status::INTERNAL, Vec::new());
                0
            }
        }
    });
    begun.unwrap_or(0)
}

unsafe extern "C" fn cancel<L: Library>(instance: *mut c_void, call_id: u64) {
    contain(|| {
        // SAFETY: the host passes what `create` gave, before `destroy`.
        if let Some(instance) = unsafe { instance_of::<L>(instance) } {
            instance.cancel(call_id);
        }
    });
}

unsafe extern "C" fn destroy<L: Library>(instance: *mut c_void) {
    if instance.is_null() {
        return;
    }
    // SAFETY: not null; `create` made it so, and the host destroys it once.
    let instance = unsafe { Box::from_raw(instance.cast::<Arc<Instance<L>>>()) };
    contain(move || {
        let link = *instance.link();
        instance.give_up();
        forward::detach(&link);
    });
}

unsafe extern "C" fn shutdown(timeout_ms: u64) -> i32 {
    let ended = contain(|| running::shutdown(Duration::from_millis(timeout_ms)));
    let status = match ended {
        Some(true) => Status::OK,
        Some(false) => Status::TIMEOUT,
        None => Status::PANIC,
    };
    status.0
}

/// The instance behind the host's pointer.
///
/// # Safety
/// The pointer is null or comes from `create` of the same library, and `destroy` has not got it yet.
unsafe fn instance_of<'a, L: Library>(instance: *mut c_void) -> Option<&'a Arc<Instance<L>>> {
    // SAFETY: the caller promises that it is null or a boxed `Arc` that lives.
    unsafe { instance.cast::<Arc<Instance<L>>>().as_ref() }
}

/// Writes an answer into the host's buffer and says its status.
///
/// # Safety
/// `out` is null or points to a buffer that nobody else uses.
unsafe fn fill(out: *mut WxBuf, answer: Result<Vec<u8>, Fault>) -> i32 {
    let (status, bytes) = match answer {
        Ok(bytes) => (Status::OK, bytes),
        Err(fault) => fault.into_reply(),
    };
    if !out.is_null() {
        // SAFETY: not null, and the caller promises that it is ours; what it held is taken and freed by its maker.
        drop(unsafe { take(out) });
        // SAFETY: as above; it is empty now.
        unsafe { *out = WxBuf::give(bytes) };
    }
    status.0
}

/// Adds to the manifest how this library was built. The compiler's version is information only.
fn with_build_facts(manifest: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let unreadable = |e| Fault::new(Status::INTERNAL, format!("the manifest is no JSON object: {e}"));
    let mut manifest: Map<String, Value> = serde_json::from_slice(&manifest).map_err(unreadable)?;
    let build = json!({
        "abi": { "major": 1, "minor": MINOR },
        "panic": if cfg!(panic = "abort") { "abort" } else { "unwind" },
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "sdk": env!("CARGO_PKG_VERSION"),
        "compiler": option_env!("WXBOT_PLUGIN_COMPILER"),
    });
    manifest.insert("build".into(), build);
    serde_json::to_vec(&manifest).map_err(unreadable)
}

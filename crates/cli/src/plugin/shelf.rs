//! Where do libraries lie while they are opened? Among the data of the bot; without a bot, in a folder that goes again.

use std::path::PathBuf;
use std::sync::Arc;

use wxbot_core::source::Source;
use wxbot_runtime::config::{self, Registry};
use wxbot_runtime::plugin::dylib::Shelf;

use crate::args::Args;

/// A place for private copies, as long as this lives.
#[derive(Debug)]
pub(crate) struct Place {
    /// To be removed at the end.
    temporary: Option<PathBuf>,
}

impl Place {
    /// Lets the registry open plugins from files, unless something does already. Nothing is made before one is opened.
    pub(crate) fn prepare(registry: &mut Registry, args: &Args) -> Self {
        if registry.libraries.is_some() {
            return Self { temporary: None };
        }
        let (folder, temporary) = if args.config.is_file() {
            let data = args.data_dir.clone().unwrap_or_else(|| config::data_dir(&args.config));
            (data.join("libraries"), None)
        } else {
            // A name that nobody can take before us.
            let folder = std::env::temp_dir().join(format!("wxbot-{:016x}", Source::system().random_u64()));
            (folder.clone(), Some(folder))
        };
        registry.libraries = Some(Arc::new(Shelf::new(folder)));
        Self { temporary }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(folder) = &self.temporary {
            // Each copy is gone as soon as it is opened.
            std::fs::remove_dir(folder).ok();
        }
    }
}

//! The scratch folder of PAM services.

use std::fs;
use std::path::{Path, PathBuf};

use crate::options::Options;

/// A folder with one service whose stack is the module alone; removed when dropped if it was made here.
#[derive(Debug)]
pub struct Services {
    path: PathBuf,
    made: bool,
}

impl Services {
    pub fn prepare(options: &Options) -> Self {
        if let Some(path) = &options.services {
            return Self { path: path.clone(), made: false };
        }
        let path = std::env::temp_dir().join(format!("pamdrive-{}", std::process::id()));
        fs::create_dir(&path).expect("a folder for services");
        let line = module_line(options);
        let stack = ["auth", "account", "session"].map(|kind| format!("{kind} required {line}\n")).concat();
        fs::write(path.join(&options.service), stack).expect("a service file");
        // libpam looks for it, and would write to the log, waiting for it, where it is missing.
        fs::write(path.join("other"), "auth required pam_deny.so\n").expect("a service file");
        Self { path, made: true }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder. Not in `Drop`, which would run in forked sessions too.
    pub fn remove(&self) {
        if self.made {
            fs::remove_dir_all(&self.path).expect("the folder of services");
        }
    }
}

fn module_line(options: &Options) -> String {
    let module = options.module.as_ref().expect("--module or --services");
    let module = fs::canonicalize(module).unwrap_or_else(|error| panic!("{}: {error}", module.display()));
    let mut words = vec![module.display().to_string()];
    words.extend(options.policy.iter().map(|path| format!("[policy={path}]")));
    words.extend(options.store.iter().map(|path| format!("[store={path}]")));
    words.extend(options.arguments.iter().map(|argument| format!("[{argument}]")));
    words.join(" ")
}

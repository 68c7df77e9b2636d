//! What a user would take instead. Each has a Python of its own, so that one that cannot be had leaves the others.

use crate::kit::Venv;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const ATOMSCALE: &str = "atomscale";
pub const ACQUIRE: &str = "acquire-zarr";

pub struct Peers(Vec<Peer>);

pub struct Peer {
    pub name: &'static str,
    script: PathBuf,
    venv: Result<Venv>,
}

impl Peers {
    /// Installs them under that folder.
    pub fn get(root: &Path, folder: &Path) -> Peers {
        let peer = |name: &'static str| {
            let venv = Venv::with(root, &format!("bench/{name}.txt"), &folder.join(name));
            let script = root.join(format!("bench/peer_{}.py", name.replace('-', "_")));
            Peer { name, script, venv }
        };
        Peers([ATOMSCALE, ACQUIRE].map(peer).into())
    }

    /// If it could be installed.
    pub fn named(&self, name: &str) -> Option<&Peer> {
        self.0.iter().find(|peer| peer.name == name && peer.venv.is_ok())
    }

    pub fn lacking(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|peer| Some(format!("{} is lacking: {:#}", peer.name, peer.venv.as_ref().err()?)))
    }
}

impl Peer {
    /// Its program of bench/.
    pub fn program(&self) -> Command {
        let python = self.venv.as_ref().map_or_else(|_| "python3".into(), Venv::python);
        let mut command = Command::new(python);
        command.arg(&self.script).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Its compiled part.
    pub fn library(&self) -> Option<PathBuf> {
        let module = if self.name == ATOMSCALE { "atomscale.streaming.rheed_stream" } else { "acquire_zarr" };
        let script = format!("import importlib.util as util; print(util.find_spec('{module}').origin)");
        let python = self.venv.as_ref().ok()?.python();
        let output = Command::new(python).args(["-c", &script]).output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
    }
}

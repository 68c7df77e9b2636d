//! What a user would take instead. Each has a Python of its own, so that one that cannot be had leaves the others.

use super::workshop::{Answer, ask};
use crate::kit::Venv;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const ATOMSCALE: &str = "atomscale";
pub const ACQUIRE: &str = "acquire-zarr";

pub struct Peers {
    there: RefCell<Vec<Peer>>,
    /// Why one is lacking, as long as nobody was told.
    failures: RefCell<Vec<String>>,
}

struct Peer {
    name: &'static str,
    script: PathBuf,
    venv: Venv,
}

impl Peers {
    /// Installs them under that folder.
    pub fn get(root: &Path, folder: &Path) -> Peers {
        let peers = Peers { there: RefCell::default(), failures: RefCell::default() };
        for (name, pythons_before) in [(ATOMSCALE, 14), (ACQUIRE, u32::MAX)] {
            match Venv::with(root, &format!("bench/{name}.txt"), &folder.join(name), pythons_before) {
                Ok(venv) => {
                    let script = root.join(format!("bench/peer_{}.py", name.replace('-', "_")));
                    peers.there.borrow_mut().push(Peer { name, script, venv });
                }
                Err(error) => peers.failures.borrow_mut().push(format!("{name} is lacking: {error:#}")),
            }
        }
        peers
    }

    /// What its program of bench/ measured. One that fails is lacking from then on.
    pub fn ask(&self, name: &str, arguments: impl FnOnce(&mut Command)) -> Option<Answer> {
        let mut program = self.there.borrow().iter().find(|peer| peer.name == name)?.program();
        arguments(&mut program);
        let answer = ask(&mut program);
        if let Err(error) = &answer {
            self.there.borrow_mut().retain(|peer| peer.name != name);
            self.failures.borrow_mut().push(format!("{name} failed, and is lacking from then on: {error:#}"));
        }
        answer.ok()
    }

    /// Names and compiled parts.
    pub fn libraries(&self) -> Vec<(&'static str, PathBuf)> {
        self.there.borrow().iter().filter_map(|peer| Some((peer.name, peer.library()?))).collect()
    }

    /// Since it was last asked for.
    pub fn failures(&self) -> Vec<String> {
        self.failures.take()
    }
}

impl Peer {
    fn program(&self) -> Command {
        let mut command = Command::new(self.venv.python());
        command.arg(&self.script).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn library(&self) -> Option<PathBuf> {
        let module = if self.name == ATOMSCALE { "atomscale.streaming.rheed_stream" } else { "acquire_zarr" };
        let script = format!("import importlib.util as util; print(util.find_spec('{module}').origin)");
        let output = Command::new(self.venv.python()).args(["-c", &script]).output().ok()?;
        Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim())).filter(|library| library.is_file())
    }
}

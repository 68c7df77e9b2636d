//! What a disk may hold after a power cut: of what was not synced anything may be there, or nothing, or half of it.
//!
//! Strictly, as POSIX has it: syncing a file keeps its bytes and not its name, syncing a folder keeps its names and not the
//! files' bytes. Only a rename is one thing, in both its folders.

use super::Change;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The unit in which a file's bytes reach a disk, or do not.
const PAGE: u64 = 4096;

/// How much of what was not synced is there.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// All of it, as after a kill.
    Everything,
    /// None of it.
    Synced,
    /// Names, pages and lengths by chance, which a number decides. Pages that are missing inside a file are zeros, or what lay
    /// there before: bytes of another file.
    Some(u64),
}

/// A tree of folders and files.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub folders: Vec<PathBuf>,
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Tree {
    /// Makes it so below a folder, of which nothing else is left.
    pub fn lay_out(&self, below: &Path) {
        let _ = fs::remove_dir_all(below);
        fs::create_dir(below).expect("a folder can be made");
        for folder in &self.folders {
            fs::create_dir(below.join(folder)).expect("a folder can be made");
        }
        for (file, bytes) in &self.files {
            fs::write(below.join(file), bytes).expect("a file can be written");
        }
    }
}

/// A disk whose every change is known.
pub struct Platter {
    /// Paths of changes begin with this.
    below: PathBuf,
    nodes: Vec<Node>,
    changes: u64,
}

/// A file or a folder, whatever its name: as it is seen, as it is kept, and what lies between the two.
#[derive(Clone, Default)]
struct Node {
    is_folder: bool,
    names: BTreeMap<OsString, usize>,
    kept_names: BTreeMap<OsString, usize>,
    new_names: Vec<NameChange>,
    bytes: Vec<u8>,
    kept_bytes: Vec<u8>,
    new_bytes: Vec<BytesChange>,
}

/// A name means this now, or nothing. Those of one rename have one number.
#[derive(Clone)]
struct NameChange {
    number: u64,
    name: OsString,
    node: Option<usize>,
}

#[derive(Clone)]
enum BytesChange {
    Write(u64, Vec<u8>),
    SetLength(u64),
}

const ROOT: usize = 0;

impl Platter {
    /// A folder that is empty.
    pub fn new(below: &Path) -> Platter {
        let root = Node { is_folder: true, ..Node::default() };
        Platter { below: below.canonicalize().expect("the folder is there"), nodes: vec![root], changes: 0 }
    }

    /// A folder in which all of this is kept.
    pub fn holding(below: &Path, tree: &Tree) -> Platter {
        let mut platter = Platter::new(below);
        let below = platter.below.clone();
        for folder in &tree.folders {
            platter.note(&Change::MakeFolder(below.join(folder)));
        }
        for (file, bytes) in &tree.files {
            let path = below.join(file);
            platter.note(&Change::MakeFile(path.clone()));
            platter.note(&Change::Write { path, at: 0, bytes: bytes.clone() });
        }
        for node in &mut platter.nodes {
            node.sync();
        }
        platter
    }

    /// The next change.
    pub fn note(&mut self, change: &Change) {
        self.changes += 1;
        match change {
            Change::MakeFile(path) => self.make(path, false),
            Change::MakeFolder(path) => self.make(path, true),
            Change::Write { path, at, bytes } => self.change_bytes(path, BytesChange::Write(*at, bytes.clone())),
            Change::SetLength(path, length) => self.change_bytes(path, BytesChange::SetLength(*length)),
            Change::Rename(from, to) => {
                let node = self.find(from);
                self.name(from, None);
                self.name(to, Some(node));
            }
            Change::RemoveFile(path) | Change::RemoveFolder(path) => self.name(path, None),
            Change::Sync(path) => {
                let node = self.find(path);
                let renames: Vec<u64> = self.nodes[node].new_names.iter().map(|change| change.number).collect();
                self.nodes[node].sync();
                for other in &mut self.nodes {
                    other.keep_names(|number| renames.contains(&number));
                }
            }
        }
    }

    /// What is there when the power is cut now.
    pub fn after_cut(&self, kept: Kept) -> Tree {
        let mut tree = Tree::default();
        let mut chance = Chance::new(kept);
        self.collect(ROOT, Path::new(""), &mut chance, &mut tree);
        tree
    }

    fn collect(&self, folder: usize, path: &Path, chance: &mut Chance, tree: &mut Tree) {
        for (name, node) in self.nodes[folder].names_after_cut(chance) {
            let path = path.join(name);
            if self.nodes[node].is_folder {
                tree.folders.push(path.clone());
                self.collect(node, &path, chance, tree);
            } else {
                let before = &self.nodes[chance.any(self.nodes.len())].bytes;
                tree.files.insert(path, self.nodes[node].bytes_after_cut(chance, before));
            }
        }
    }

    fn find(&self, path: &Path) -> usize {
        let inside = path.strip_prefix(&self.below).expect("all changes are below the folder");
        inside.iter().fold(ROOT, |folder, name| {
            *self.nodes[folder].names.get(name).unwrap_or_else(|| panic!("{} is not there", path.display()))
        })
    }

    fn make(&mut self, path: &Path, is_folder: bool) {
        self.nodes.push(Node { is_folder, ..Node::default() });
        self.name(path, Some(self.nodes.len() - 1));
    }

    fn name(&mut self, path: &Path, node: Option<usize>) {
        let folder = self.find(path.parent().expect("it lies in a folder"));
        let name = path.file_name().expect("it has a name").to_owned();
        let number = self.changes;
        let folder = &mut self.nodes[folder];
        set_name(&mut folder.names, &name, node);
        folder.new_names.push(NameChange { number, name, node });
    }

    fn change_bytes(&mut self, path: &Path, change: BytesChange) {
        let node = self.find(path);
        let node = &mut self.nodes[node];
        match &change {
            BytesChange::Write(at, bytes) => put(&mut node.bytes, *at, bytes, |_| 0),
            BytesChange::SetLength(length) => node.bytes.resize(*length as usize, 0),
        }
        node.new_bytes.push(change);
    }
}

impl Node {
    fn sync(&mut self) {
        self.kept_names = self.names.clone();
        self.kept_bytes = self.bytes.clone();
        self.new_names.clear();
        self.new_bytes.clear();
    }

    /// A rename that is kept in one folder is kept in the other, too.
    fn keep_names(&mut self, is_kept: impl Fn(u64) -> bool) {
        let kept = &mut self.kept_names;
        self.new_names.retain(|change| {
            let keep = is_kept(change.number);
            if keep {
                set_name(kept, &change.name, change.node);
            }
            !keep
        });
    }

    fn names_after_cut(&self, chance: &mut Chance) -> BTreeMap<OsString, usize> {
        let mut names = self.kept_names.clone();
        for change in &self.new_names {
            if chance.keeps_name(change.number) {
                set_name(&mut names, &change.name, change.node);
            }
        }
        names
    }

    fn bytes_after_cut(&self, chance: &mut Chance, before: &[u8]) -> Vec<u8> {
        match chance.kept {
            Kept::Everything => return self.bytes.clone(),
            Kept::Synced => return self.kept_bytes.clone(),
            Kept::Some(_) if self.new_bytes.is_empty() => return self.kept_bytes.clone(),
            Kept::Some(_) => {}
        }
        let stale = chance.numbers.u8(0..4) == 0;
        let filler = |at: usize| if stale { before.get(at).copied().unwrap_or(0) } else { 0 };
        let mut bytes = self.kept_bytes.clone();
        // The length is one that the file had since it was synced, or will have, were another page written.
        let (mut length, mut lengths) = (bytes.len(), vec![bytes.len()]);
        for change in &self.new_bytes {
            match change {
                BytesChange::SetLength(new) => {
                    length = *new as usize;
                    if chance.keeps() {
                        bytes.resize(length, 0);
                    }
                }
                BytesChange::Write(at, written) => {
                    length = length.max(*at as usize + written.len());
                    let (mut from, end) = (*at, at + written.len() as u64);
                    while from < end {
                        let to = end.min((from / PAGE + 1) * PAGE);
                        if chance.keeps() {
                            put(&mut bytes, from, &written[(from - at) as usize..(to - at) as usize], filler);
                        }
                        lengths.push(to as usize);
                        from = to;
                    }
                }
            }
            lengths.push(length);
        }
        let length = lengths[chance.any(lengths.len())];
        bytes.truncate(length);
        (bytes.len()..length).for_each(|at| bytes.push(filler(at)));
        bytes
    }
}

fn set_name(names: &mut BTreeMap<OsString, usize>, name: &OsString, node: Option<usize>) {
    match node {
        Some(node) => names.insert(name.clone(), node),
        None => names.remove(name),
    };
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8], filler: impl Fn(usize) -> u8) {
    let (at, end) = (at as usize, at as usize + bytes.len());
    (file.len()..end).for_each(|at| file.push(filler(at)));
    file[at..end].copy_from_slice(bytes);
}

/// What decides about everything that was not synced.
struct Chance {
    kept: Kept,
    numbers: fastrand::Rng,
    seed: u64,
    /// Of 8 things so many are kept: some disks are quicker than others.
    of_8: u8,
}

impl Chance {
    fn new(kept: Kept) -> Chance {
        let seed = if let Kept::Some(seed) = kept { seed } else { 0 };
        let mut numbers = fastrand::Rng::with_seed(seed);
        Chance { kept, of_8: numbers.u8(1..8), seed, numbers }
    }

    fn keeps(&mut self) -> bool {
        match self.kept {
            Kept::Everything => true,
            Kept::Synced => false,
            Kept::Some(_) => self.numbers.u8(0..8) < self.of_8,
        }
    }

    /// The same for all names of one rename.
    fn keeps_name(&mut self, number: u64) -> bool {
        match self.kept {
            Kept::Some(_) => {
                fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).u8(0..8) < self.of_8
            }
            _ => self.keeps(),
        }
    }

    fn any(&mut self, of: usize) -> usize {
        self.numbers.usize(0..of)
    }
}

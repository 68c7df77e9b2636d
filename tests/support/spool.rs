//! A test's spool folder: how a stream is told to stay in it, and what lies in it.

use super::Workshop;
use std::path::{Path, PathBuf};

/// Options of a stream without a service.
pub fn options(workshop: &Workshop) -> Vec<String> {
    vec!["endpoint=none".into(), format!("spool_dir={}", workshop.spool().display()), "log_file=none".into()]
}

/// Options and more of them.
pub fn with(mut options: Vec<String>, more: &[&str]) -> Vec<String> {
    options.extend(more.iter().map(|line| line.to_string()));
    options
}

/// The entries of a folder by name; none if it is not there.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

/// A folder and all below it, once more.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder can be made");
    for entry in entries(from) {
        let copied = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &copied);
        } else {
            std::fs::copy(&entry, copied).expect("a file can be copied");
        }
    }
}

/// The folders of the streams in a spool.
pub fn streams(spool: &Path) -> Vec<PathBuf> {
    entries(&spool.join("streams"))
}

/// The only stream's folder.
#[track_caller]
pub fn only_stream(spool: &Path) -> PathBuf {
    let streams = streams(spool);
    let [stream] = &streams[..] else { panic!("one stream is expected: {streams:?}") };
    stream.clone()
}

/// The files of a stream with an ending, such as `.part`.
pub fn files(stream: &Path, ending: &str) -> Vec<PathBuf> {
    entries(stream).into_iter().filter(|file| file.to_string_lossy().ends_with(ending)).collect()
}

/// The ids of the whole frames in a chunk's file, read without anything of the library's: behind a head of 72 bytes, each frame
/// has a record of 32 bytes, in which its size and its id stand. A file that is gone has none.
pub fn frame_ids(file: &Path) -> Vec<u64> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let mut rest = bytes.get(72..).unwrap_or_default();
    let mut ids = Vec::new();
    while rest.len() >= 32 && !rest.starts_with(b"RHEEDse1") {
        let size = u32::from_le_bytes(rest[8..12].try_into().expect("4 bytes")) as usize;
        let Some(behind) = rest.get(32 + size..) else { break };
        ids.push(u64::from_le_bytes(rest[16..24].try_into().expect("8 bytes")));
        rest = behind;
    }
    ids
}

/// How many whole frames lie in the chunks of all streams.
pub fn frames(spool: &Path) -> u64 {
    let chunks = streams(spool).into_iter().flat_map(|stream| [files(&stream, ".shard"), files(&stream, ".part")].concat());
    chunks.map(|file| frame_ids(&file).len() as u64).sum()
}

/// What was set aside, of all streams, without the reasons.
pub fn set_aside(spool: &Path) -> Vec<PathBuf> {
    let folders = entries(&spool.join("set-aside"));
    let files = folders.iter().flat_map(|folder| entries(folder));
    files.filter(|file| !file.to_string_lossy().ends_with(".reason.txt")).collect()
}

/// Bytes of all files of the streams and of what was set aside. Files come and go meanwhile.
pub fn bytes(spool: &Path) -> u64 {
    let folders = ["streams", "set-aside"].map(|name| entries(&spool.join(name))).concat();
    let files = folders.iter().flat_map(|folder| entries(folder));
    files.filter_map(|file| file.symlink_metadata().ok()).map(|facts| facts.len()).sum()
}

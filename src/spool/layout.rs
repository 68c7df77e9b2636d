//! The names in a spool folder.
//!
//! ```text
//! <spool_dir>/
//!   rheed.log                          the log, unless told otherwise
//!   streams/<local id>/
//!     lock                             held by the process that the stream belongs to
//!     stream.json                      the manifest: what the stream is, no secrets
//!     c<index>.part                    the chunk that is being filled
//!     c<index>-<frames>.shard          chunks that wait to be confirmed
//!   set-aside/<local id>/              what was refused or damaged, each with a .reason.txt
//!   reports/<local id>.json            final reports
//! ```

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folder of the streams.
pub const STREAMS: &str = "streams";
/// Folder of what was set aside.
pub const SET_ASIDE: &str = "set-aside";
/// Folder of the final reports.
pub const REPORTS: &str = "reports";
/// In a stream's folder.
pub const LOCK: &str = "lock";
/// In a stream's folder.
pub const MANIFEST: &str = "stream.json";
/// In a stream's folder, while a manifest is being replaced.
pub const NEXT_MANIFEST: &str = "stream.next";
/// How a stream's folder is named until it is locked and complete.
pub const UNBORN: &str = ".new-";

/// What a file in a stream's folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    /// A chunk that was being filled.
    Part {
        /// Its index.
        chunk: u64,
    },
    /// A sealed chunk.
    Shard {
        /// Its index.
        chunk: u64,
        /// Its frames.
        frames: u32,
    },
}

impl FileName {
    /// The name's meaning, if it is one of a chunk. There is one name for each: `c7.part` is none.
    pub fn parse(name: &str) -> Option<FileName> {
        let stem = name.strip_prefix('c')?;
        let meant = if let Some(chunk) = stem.strip_suffix(".part") {
            FileName::Part { chunk: chunk.parse().ok()? }
        } else {
            let (chunk, frames) = stem.strip_suffix(".shard")?.split_once('-')?;
            FileName::Shard { chunk: chunk.parse().ok()?, frames: frames.parse().ok()? }
        };
        (meant.to_string() == name).then_some(meant)
    }

    /// The index of the chunk.
    pub fn chunk(&self) -> u64 {
        match self {
            FileName::Part { chunk } | FileName::Shard { chunk, .. } => *chunk,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Part { chunk } => write!(f, "c{chunk:010}.part"),
            FileName::Shard { chunk, frames } => write!(f, "c{chunk:010}-{frames}.shard"),
        }
    }
}

/// What lies in a folder. Where a part of it cannot be listed, that is an error: what is not seen is not nothing.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// The last part of a path.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The file of a chunk that is being filled.
pub fn part(folder: &Path, chunk: u64) -> PathBuf {
    folder.join(FileName::Part { chunk }.to_string())
}

/// The file of a sealed chunk. The frames stand in its name so that a spool can be counted without opening its files.
pub fn shard(folder: &Path, chunk: u64, frames: u32) -> PathBuf {
    folder.join(FileName::Shard { chunk, frames }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_the_files_are() {
        let name = |path: PathBuf| FileName::parse(path.file_name().unwrap().to_str().unwrap());
        assert_eq!(name(part(Path::new("s"), 7)), Some(FileName::Part { chunk: 7 }));
        assert_eq!(name(shard(Path::new("s"), 7, 240)), Some(FileName::Shard { chunk: 7, frames: 240 }));
        for foreign in [
            "lock",
            "stream.json",
            "c.part",
            "cx-1.shard",
            "c0000000001-.shard",
            "c0000000001-+4.shard",
            "c99999999999999999999.part",
            "c7.part",
            "c0000000007-020.shard",
        ] {
            assert_eq!(FileName::parse(foreign), None, "{foreign}");
        }
    }
}

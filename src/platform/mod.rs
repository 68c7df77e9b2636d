//! What differs between operating systems: files of their owner only, free disk, forks, signals, staying loaded.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in nanoseconds by this computer's clock; 0 for a clock before 1970.
pub fn unix_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Replaces a small file so that at any moment, power cut included, either the old or the new one is there.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let next = path.with_extension("next");
    let replaced = private_file(true).truncate(true).open(&next).and_then(off_console).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()?;
        drop(file);
        rename(&next, path)
    });
    if replaced.is_err() {
        let _ = std::fs::remove_file(&next);
    }
    replaced?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// What a small file holds. One that is longer, or has no end, is an error.
pub fn read_at_most(file: &File, most: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

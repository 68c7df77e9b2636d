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

/// Now, as RFC 3339 has it, in UTC and to the millisecond.
pub fn date_and_time() -> String {
    let now_ms = unix_ns() / 1_000_000;
    let at = in_utc(now_ms / 1000);
    let (year, month, day) = (at.tm_year + 1900, at.tm_mon + 1, at.tm_mday);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z", at.tm_hour, at.tm_min, at.tm_sec, now_ms % 1000)
}

/// Now, as a clock of twelve hours shows it here: `8:34AM`.
pub fn time_of_day() -> String {
    let at = in_local_time(unix_ns() / 1_000_000_000);
    format!("{}:{:02}{}", (at.tm_hour + 11) % 12 + 1, at.tm_min, if at.tm_hour < 12 { "AM" } else { "PM" })
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

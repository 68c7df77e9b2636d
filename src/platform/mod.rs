//! What differs between operating systems: files of their owner only, free disk, forks, signals, staying loaded.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in nanoseconds by this computer's clock; 0 for a clock before 1970.
pub fn unix_ns() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Now, as RFC 3339 has it, in UTC and to the millisecond. Without the C library, which locks its calendar: a child that is
/// forked meanwhile would wait for ever.
pub fn date_and_time() -> String {
    let now_ms = unix_ns() / 1_000_000;
    let (year, month, day) = date(now_ms / 86_400_000);
    let [ms, seconds, minutes, hours] =
        [(1, 1000), (1000, 60), (60_000, 60), (3_600_000, 24)].map(|(unit, of)| now_ms / unit % of);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
}

/// Year, month and day of so many days after 1 January 1970, by years that begin in March and end with the day that leaps.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // Since 1 March 0000.
    let (era, day) = (days / 146_097, days % 146_097); // Of 400 years.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march_based = (5 * day + 2) / 153;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    (400 * era + year + i64::from(month <= 2), month, day - (153 * march_based + 2) / 5 + 1)
}

/// Now, as a clock of twelve hours shows it here: `8:34AM`.
pub fn time_of_day() -> String {
    let (hour, minute) = hour_and_minute();
    format!("{}:{minute:02}{}", (hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" })
}

/// Replaces a small file so that at any moment, power cut included, either the old or the new one is there.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let next = path.with_extension("next");
    let replaced = private_file(true).truncate(true).open(&next).and_then(off_console).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()?;
        // While it is open: on Windows nobody else can get hold of it then who does not let it be renamed.
        rename(&next, path)
    });
    if replaced.is_err() {
        let _ = remove_file(&next);
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

#[cfg(test)]
mod tests {
    use super::{FileLock, date, forgets_disks, is_still_at, private_file, remove_file, remove_folder, rename};

    #[test]
    fn a_lock_is_held_once_and_can_be_taken_again() {
        let path = std::env::temp_dir().join(format!("rheed-lock-{}", uuid::Uuid::now_v7()));
        let lock = FileLock::take(&path).unwrap().expect("free");
        assert!(FileLock::take(&path).unwrap().is_none());
        drop(lock);
        assert!(FileLock::take(&path).unwrap().is_some());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_open_file_can_be_renamed_and_knows_its_name() {
        let folder = std::env::temp_dir().join(format!("rheed-names-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.join(name));
        let open = |path| private_file(true).open(path).unwrap();
        let (first, second) = (open(&one), open(&other));
        assert!(is_still_at(&first, &one).unwrap() && !is_still_at(&first, &other).unwrap());
        drop(second); // Not every system replaces what is open.
        rename(&one, &other).unwrap();
        assert!(!is_still_at(&first, &one).unwrap());
        assert!(forgets_disks() || is_still_at(&first, &other).unwrap());
        drop(first);
        remove_file(&other).unwrap();
        remove_folder(&folder).unwrap();
    }

    #[test]
    fn days_become_dates_leap_years_and_centuries_heeded() {
        for (days, of) in [
            (0, (1970, 1, 1)),
            (789, (1972, 2, 29)),
            (10956, (1999, 12, 31)),
            (11016, (2000, 2, 29)),
            (11017, (2000, 3, 1)),
            (20780, (2026, 11, 23)),
            (47540, (2100, 2, 28)),
            (47541, (2100, 3, 1)),
            (157113, (2400, 2, 29)),
        ] {
            assert_eq!(date(days), of);
        }
    }
}

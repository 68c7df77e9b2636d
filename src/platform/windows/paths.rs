//! Names as the system's functions want them, and as people want to read them.
//!
//! Up to 260 characters a name is taken as it is. A longer one has to be absolute and begin with `\\?\`, and the standard library
//! sees to that in its own functions.

use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf, Prefix, absolute};
use windows_sys::Win32::Storage::FileSystem::GetDriveTypeW;

/// What a name may have without the prefix, in UTF-16 units. A folder's, which must have room for a file of the old kind.
const LONGEST_PLAIN: usize = 247;

/// NUL-terminated, of any length.
pub fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let path = absolute(path)?;
    let plain: Vec<u16> = path.as_os_str().encode_wide().collect();
    if plain.contains(&0) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "there is a NUL in the path"));
    }
    let prefix = match path.components().next() {
        Some(Component::Prefix(prefix)) if plain.len() > LONGEST_PLAIN => prefix.kind(),
        _ => Prefix::DeviceNS(std::ffi::OsStr::new("")), // Left as it is.
    };
    let (before, skipped) = match prefix {
        Prefix::Disk(_) => (r"\\?\", 0),
        Prefix::UNC(..) => (r"\\?\UNC\", 2),
        _ => ("", 0),
    };
    Ok(before.encode_utf16().chain(plain[skipped..].iter().copied()).chain([0]).collect())
}

/// The one name of what is there, however it was called: without links, and without `\\?\` where that says the same.
pub fn one_name(path: &Path) -> PathBuf {
    match path.canonicalize() {
        Ok(name) => readable(name),
        // A few drives in memory cannot say it.
        Err(_) => absolute(path).unwrap_or_else(|_| path.into()),
    }
}

/// Whether it lies on a server.
pub fn is_remote(path: &Path) -> bool {
    let Ok(path) = absolute(path) else { return false };
    match path.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::UNC(..) | Prefix::VerbatimUNC(..) => true,
            Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
                let drive = [letter.into(), b':'.into(), b'\\'.into(), 0];
                // SAFETY: NUL-terminated.
                unsafe { GetDriveTypeW(drive.as_ptr()) == DRIVE_REMOTE }
            }
            _ => false,
        },
        _ => false,
    }
}

/// winbase.h
const DRIVE_REMOTE: u32 = 4;

fn readable(name: PathBuf) -> PathBuf {
    let mut components = name.components();
    let Some(Component::Prefix(prefix)) = components.next() else { return name };
    let rest = components.as_path();
    let mut plain = match prefix.kind() {
        Prefix::VerbatimDisk(letter) => std::ffi::OsString::from(format!("{}:", char::from(letter))),
        Prefix::VerbatimUNC(server, share) => [r"\\".as_ref(), server, r"\".as_ref(), share].into_iter().collect(),
        _ => return name,
    };
    plain.push(rest);
    let plain = PathBuf::from(plain);
    // `CON`, or a dot at the end, mean something else then.
    if absolute(&plain).is_ok_and(|same| same == plain) { plain } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_without_its_prefix_unless_it_would_be_another() {
        for (name, shown) in [
            (r"\\?\C:\Users\Jürgen Müller\spool", r"C:\Users\Jürgen Müller\spool"),
            (r"\\?\UNC\server\share\spool", r"\\server\share\spool"),
            (r"\\?\D:\", r"D:\"),
            (r"\\?\C:\spool\CON.", r"\\?\C:\spool\CON."),
            (r"C:\spool", r"C:\spool"),
        ] {
            assert_eq!(readable(name.into()).as_os_str(), shown);
        }
    }

    #[test]
    fn what_lies_on_a_server_is_known_by_its_name() {
        assert!([r"\\nas\lab\spool", r"\\?\UNC\nas\lab\spool"].iter().all(|path| is_remote(Path::new(path))));
        assert!(!is_remote(&std::env::temp_dir()));
    }

    #[test]
    fn only_a_long_name_gets_the_prefix() {
        let wide = |path: &str| String::from_utf16(&super::wide(Path::new(path)).unwrap()).unwrap();
        let long = "x".repeat(300);
        assert_eq!(wide(r"C:\spool"), "C:\\spool\0");
        assert_eq!(wide(&format!(r"C:\ü\{long}")), format!("\\\\?\\C:\\ü\\{long}\0"));
        assert_eq!(wide(&format!(r"\\server\share\{long}")), format!("\\\\?\\UNC\\server\\share\\{long}\0"));
    }
}

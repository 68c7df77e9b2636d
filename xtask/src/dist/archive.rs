//! Archives that are the same whoever packs them: files in the order of their names, owned by root, all of one time.

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// Everything below a folder that is no folder, by its path from there, in order.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (files, _) = below(folder)?;
    Ok(files)
}

/// Files and links, and folders.
fn below(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut files, mut folders, mut to_look_at) = (Vec::new(), Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = to_look_at.pop() {
        for entry in fs::read_dir(&next).with_context(|| next.display().to_string())? {
            let path = entry?.path();
            let name = path.strip_prefix(folder)?.to_owned();
            if path.is_dir() && !path.is_symlink() {
                to_look_at.push(path);
                folders.push(name);
            } else {
                files.push(name);
            }
        }
    }
    files.sort();
    folders.sort();
    Ok((files, folders))
}

/// The folder and all that is in it, every path beginning with `top` (which may be `.`).
pub fn tar_gz(folder: &Path, top: &str, time: u64) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(gz_of(time));
    tar.mode(tar::HeaderMode::Deterministic);
    let (files, folders) = below(folder)?;
    let mut entries: Vec<PathBuf> = files.into_iter().chain(folders).collect();
    entries.push(PathBuf::new());
    entries.sort();
    for name in entries {
        let from = folder.join(&name);
        let to = if name.as_os_str().is_empty() { format!("{top}/") } else { format!("{top}/{}", name.display()) };
        let mut header = tar::Header::new_gnu();
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_size(0);
        header.set_mode(0o755);
        if from.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            tar.append_link(&mut header, to, fs::read_link(&from)?)?;
        } else if from.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, format!("{}/", to.trim_end_matches('/')), std::io::empty())?;
        } else {
            let bytes = fs::read(&from)?;
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, to, bytes.as_slice())?;
        }
    }
    Ok(tar.into_inner()?.finish()?)
}

/// What a zip holds.
pub fn unzip(archive: &Path, into: &Path) -> Result<()> {
    let file = fs::File::open(archive).with_context(|| archive.display().to_string())?;
    Ok(zip::ZipArchive::new(file)?.extract(into)?)
}

/// One text, compressed.
pub fn gz(text: &[u8], time: u64) -> Result<Vec<u8>> {
    let mut gz = gz_of(time);
    gz.write_all(text)?;
    Ok(gz.finish()?)
}

fn gz_of(time: u64) -> flate2::write::GzEncoder<Vec<u8>> {
    // Nothing of the system that packs (255: unknown).
    GzBuilder::new().mtime(time as u32).operating_system(255).write(Vec::new(), Compression::best())
}

/// The folder and all that is in it, every path beginning with `top`. Without links, which Windows has no use for.
pub fn zip(folder: &Path, top: &str, time: u64) -> Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(dos_time(time)?)
        .unix_permissions(0o644);
    for name in files_below(folder)? {
        let path = name.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        zip.start_file(format!("{top}/{path}"), options)?;
        zip.write_all(&fs::read(folder.join(&name))?)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// In UTC, since a zip says no zone.
fn dos_time(time: u64) -> Result<zip::DateTime> {
    let said = super::papers::timestamp(time);
    let numbers: Vec<u16> = said.split(|it: char| !it.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let [year, month, day, hour, minute, second] = numbers[..] else { bail!("{said} is no time") };
    let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(|number| number as u8);
    Ok(zip::DateTime::from_date_and_time(year, month, day, hour, minute, second)?)
}

pub fn sha256(file: &Path) -> Result<String> {
    Ok(hex(&Sha256::digest(fs::read(file).with_context(|| file.display().to_string())?)))
}

pub fn md5(bytes: &[u8]) -> String {
    hex(&md5::Md5::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `ar` makes, which a Debian package is.
pub fn ar(members: &[(&str, &[u8])], time: u64) -> Vec<u8> {
    let mut ar = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        ar.extend(format!("{name:<16}{time:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 100644, bytes.len()).as_bytes());
        ar.extend(*bytes);
        if bytes.len() % 2 == 1 {
            ar.push(b'\n');
        }
    }
    ar
}

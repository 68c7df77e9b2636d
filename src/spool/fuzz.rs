//! The fuzz target `recovery`: a spool that was once good is edited at random, and taken up.
//!
//! The input is a list of edits of a stream's folder, `edit`. Nothing may panic; nothing outside the spool may change; every
//! chunk that is then ready to be uploaded has its file; and as long as no edit makes a crc right again on purpose, what a
//! verified chunk holds is a beginning of what was written.

use super::layout::{self, FileName};
use super::manifest::{Manifest, checked};
use super::record::{FrameRecord, Head, Seal};
use super::{ChunkFile, Root, Search, Syncer, recover, take_up_all};
use crate::ledger::{Amiss, Notices};
use crate::log::Logger;
use crate::options::{Endpoint, Options};
use crate::shard::FrameCompressor;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const LOCAL_ID: &str = "01a20000-0000-7000-8000-000000000001";
const WIDTH: u32 = 8;
const HEIGHT: u32 = 4;
const FRAME_BYTES: usize = (WIDTH * HEIGHT) as usize;
/// The first is sealed.
const FRAMES: [u64; 2] = [4, 5];
const WITNESS: &[u8] = b"not the spool's business";

/// What all tries share.
struct Ground {
    /// Holds the spool, and a file that is none of its.
    place: PathBuf,
    options: Options,
    /// A good folder's files by name.
    files: Vec<(String, Vec<u8>)>,
}

/// One try.
pub fn recover(input: &[u8]) {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    let ground = GROUND.get_or_init(Ground::lay);
    let spool = ground.place.join("spool");
    let folder = spool.join(layout::STREAMS).join(LOCAL_ID);
    let _ = fs::remove_dir_all(&spool);
    Root::prepare(&spool, true).expect("a spool can be made");
    fs::create_dir(&folder).expect("a folder can be made");
    for (name, bytes) in &ground.files {
        fs::write(folder.join(name), bytes).expect("a file can be written");
    }
    let is_forged = edit(&folder, &ground.files, input);

    let root = Root::open(&spool, Duration::MAX).expect("the spool can be opened");
    let (logger, _write) = Logger::new();
    let notices = Arc::new(Notices::new(logger.open(&ground.options, &spool, "fuzz").0));
    let (syncer, _sync) = Syncer::new();
    let search = Search { endpoint: &Endpoint::None, adopt: true, is_ours: &|_| false, only: Vec::new() };
    let mut taken = Vec::new();
    take_up_all(&root, &search, &notices, &syncer.queue(), |_, met| taken.extend(met.ok()));

    for found in &taken {
        let mut chunks = Vec::new();
        found.folder.oldest(|chunk| {
            chunks.push(chunk.clone());
            false
        });
        assert_eq!(found.frames, chunks.iter().map(|chunk| u64::from(chunk.frames)).sum::<u64>(), "frames are counted once");
        for chunk in chunks {
            let file = found.folder.file_of(&chunk);
            assert!(file.symlink_metadata().is_ok(), "{} waits and is not there", file.display());
            if recover::verify(&file, chunk.chunk, chunk.frames, found.folder.stream()).is_ok() && !is_forged {
                is_as_written(&file, chunk.chunk, chunk.frames);
            }
        }
    }
    assert_eq!(fs::read(ground.witness()).expect("it is still there"), WITNESS, "something outside the spool was changed");
    assert_eq!(fs::read_dir(&ground.place).expect("a folder").count(), 2, "something was made outside the spool");
}

impl Ground {
    fn lay() -> Ground {
        let place = std::env::temp_dir().join(format!("rheed-fuzz-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).expect("a folder can be made");
        let options = Options::for_stream("fps=10\nstream_name=fuzz\nendpoint=none\nlog_file=none\nspool_dir=/spool")
            .expect("good options");
        let manifest = Manifest::new(LOCAL_ID, &options);
        manifest.write(&place.join(layout::MANIFEST)).expect("a file can be written");
        for (chunk, frames) in (0..).zip(FRAMES) {
            let stream = *uuid::Uuid::parse_str(LOCAL_ID).expect("a UUID").as_bytes();
            let head = Head { stream, chunk, width: WIDTH, height: HEIGHT, fps: 10.0, decimate: 1, stamped: true };
            let mut file = ChunkFile::create(&place, head, 5).expect("a file can be written");
            let mut compressor = FrameCompressor::new(1).expect("zstd");
            for frame in 0..frames {
                let mut buffer = vec![0; FrameRecord::SIZE];
                compressor.append(&pixels(chunk, frame), &mut buffer).expect("zstd");
                let record =
                    FrameRecord { bytes: 0, flags: 0, missed: 0, id: frame, stamp_ns: 1_700_000_000_000_000_000 + frame as i64 };
                file.append(record, &mut buffer).expect("a file can be written");
            }
            if chunk == 0 {
                file.seal(None, Amiss::default()).expect("a file can be sealed");
            }
        }
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(&place)
            .expect("a folder")
            .map(|entry| entry.expect("a file").path())
            .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file")))
            .collect();
        files.push((layout::LOCK.into(), Vec::new()));
        files.sort();
        fs::remove_dir_all(&place).expect("it is ours");
        fs::create_dir(&place).expect("a folder can be made");
        let ground = Ground { place, options, files };
        fs::write(ground.witness(), WITNESS).expect("a file can be written");
        ground
    }

    fn witness(&self) -> PathBuf {
        self.place.join("witness")
    }
}

/// A frame that is like no other.
fn pixels(chunk: u64, frame: u64) -> [u8; FRAME_BYTES] {
    std::array::from_fn(|at| (at as u64 * 37 + chunk * 101 + frame * 13) as u8)
}

/// From here on an offset is counted from a file's end, as what is behind the frames lies best: from 2^16 at its end.
const FROM_END: usize = 1 << 15;

/// Edits the folder: kind, file, offset (2 bytes), length, then so many bytes, again and again. Tells whether a crc was forged.
fn edit(folder: &Path, files: &[(String, Vec<u8>)], mut input: &[u8]) -> bool {
    let mut is_forged = false;
    while let [kind, file, low, high, length, rest @ ..] = input {
        let (bytes, rest) = rest.split_at(rest.len().min((*length).into()));
        input = rest;
        let at = usize::from(u16::from_le_bytes([*low, *high]));
        let path = folder.join(&files[usize::from(*file) % files.len()].0);
        // What was renamed before is not there; and what an edit made a link would be followed.
        let is_file = path.symlink_metadata().is_ok_and(|facts| facts.is_file());
        let Some(mut content) = is_file.then(|| fs::read(&path).expect("a file can be read")) else { continue };
        let at = if at < FROM_END { at } else { (content.len() + at).saturating_sub(2 * FROM_END) };
        match kind % 8 {
            0 => content.iter_mut().skip(at).zip(bytes).for_each(|(byte, edit)| *byte ^= edit),
            1 => content.truncate(at),
            2 => content.extend(bytes),
            3 => content = bytes.to_vec(),
            4 => {
                let at = at.min(content.len());
                content.splice(at..at, bytes.iter().copied());
            }
            5 => {
                forge(&mut content);
                is_forged = true;
            }
            6 | 7 => {
                let name = String::from_utf8_lossy(bytes).replace(['/', '\0'], "_");
                let other = folder.join(&name);
                if !name.is_empty() && name != "." && name != ".." && name.len() < 200 {
                    let _ = if kind % 8 == 6 {
                        fs::rename(&path, &other)
                    } else {
                        let _ = fs::remove_file(&other);
                        std::os::unix::fs::symlink("../../../witness", &other)
                    };
                }
                continue;
            }
            _ => {}
        }
        fs::write(&path, content).expect("a file can be written");
    }
    is_forged
}

/// Makes every crc right again, with what was edited between them: a manifest's, or a chunk's and its seal's.
fn forge(content: &mut Vec<u8>) {
    const CHECKSUM: &[u8] = b",\n  \"crc32c\"";
    if let Some(end) = content.windows(CHECKSUM.len()).rposition(|bytes| bytes == CHECKSUM) {
        *content = checked(&content[..end]);
        return;
    }
    let Some((head, mut rest)) = content.split_first_chunk_mut::<{ Head::SIZE }>() else { return };
    let chunk_crc = crc32c::crc32c(&head[..Head::SIZE - 4]);
    head[Head::SIZE - 4..].copy_from_slice(&chunk_crc.to_le_bytes());
    loop {
        if Seal::begins(rest) {
            if let Some(seal) = rest.first_chunk_mut::<{ Seal::SIZE }>() {
                let crc = crc32c::crc32c(&seal[..Seal::SIZE - 4]);
                seal[Seal::SIZE - 4..].copy_from_slice(&crc.to_le_bytes());
            }
            return;
        }
        let Some((record, behind)) = rest.split_first_chunk_mut::<{ FrameRecord::SIZE }>() else { return };
        let size = u32::from_le_bytes([record[8], record[9], record[10], record[11]]);
        let Some((frame, next)) = behind.split_at_mut_checked(size as usize) else { return };
        let crc = FrameRecord::crc(record, chunk_crc, frame).to_le_bytes();
        record[4..8].copy_from_slice(&crc);
        let own = crc32c::crc32c(&record[4..]).to_le_bytes();
        record[..4].copy_from_slice(&own);
        rest = next;
    }
}

/// The frames of a verified chunk, by its index.
fn is_as_written(file: &Path, chunk: u64, frames: u32) {
    let shard = fs::read(file).expect("it was just read");
    let index = &shard[shard.len() - 4 - 16 * frames as usize..];
    // A file that was renamed is verified by its name's number of frames, and knows its own chunk.
    let written = Head::from_bytes(shard[..Head::SIZE].try_into().expect("its size")).expect("it was verified").chunk;
    let is_known = FRAMES.get(written as usize).is_some_and(|most| u64::from(frames) <= *most);
    assert!(is_known, "chunk {chunk} was never written with {frames} frames");
    for (frame, entry) in (0..).zip(index.chunks_exact(16).take(frames as usize)) {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes")) as usize;
        let (offset, size) = (number(&entry[..8]), number(&entry[8..]));
        let whole = zstd::bulk::decompress(&shard[offset..offset + size], FRAME_BYTES).expect("a verified frame is whole");
        assert!(whole == pixels(written, frame), "frame {frame} of chunk {chunk} is another");
    }
    assert!(matches!(FileName::parse(&file.file_name().unwrap_or_default().to_string_lossy()), Some(FileName::Shard { .. })));
}

#[cfg(test)]
#[test]
fn every_input_of_the_corpus_is_withstood() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/recovery");
    for input in fs::read_dir(corpus).expect("the corpus is there") {
        recover(&fs::read(input.expect("a file").path()).expect("a file can be read"));
    }
    fs::remove_dir_all(std::env::temp_dir().join(format!("rheed-fuzz-{}", std::process::id()))).expect("it is ours");
}

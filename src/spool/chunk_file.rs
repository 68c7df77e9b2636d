//! A chunk on its way to disk: frames are appended one after another; sealed, the file is the shard.

use super::layout;
use super::record::{FrameRecord, Head, Seal};
use crate::clock::ClockOffset;
use crate::ledger::Amiss;
use crate::platform;
use crate::shard::{self, FramePlace};
use crate::stamps::ChunkStamps;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The open chunk of a stream.
pub struct ChunkFile {
    /// Shared with whoever syncs it: a copy of the descriptor might not be had, just when the frames are all written.
    file: Arc<File>,
    folder: PathBuf,
    path: PathBuf,
    head: Head,
    /// The head's, with which its frames' begin.
    crc: u32,
    stamps: Option<ChunkStamps>,
    frames: Vec<FramePlace>,
    bytes: u64,
    /// The last write failed: behind `bytes` lies what it left.
    is_torn: bool,
    /// A write failed at some time.
    was_torn: bool,
    /// The file was removed, and what has its name is no whole copy of it.
    is_removed: bool,
}

/// A chunk that was just sealed.
pub struct SealedFile {
    /// The shard, still open, to be synced.
    pub file: Arc<File>,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that sealing added.
    pub added: u64,
    /// What is known of it.
    pub seal: Seal,
}

impl ChunkFile {
    /// Begins a chunk in a stream's folder.
    pub fn create(folder: &Path, head: Head, room_for_frames: usize) -> io::Result<ChunkFile> {
        let path = layout::part(folder, head.chunk);
        let mut file = platform::private_file(true).truncate(true).open(&path).and_then(platform::off_console)?;
        if let Err(error) = file.write_all(&head.to_bytes()) {
            drop(file);
            let _ = platform::remove_file(&path); // Nothing is in it yet; the caller tries again.
            return Err(error);
        }
        Ok(ChunkFile {
            file: Arc::new(file),
            folder: folder.into(),
            path,
            crc: head.crc(),
            head,
            stamps: None,
            frames: Vec::with_capacity(room_for_frames),
            bytes: Head::SIZE as u64,
            is_torn: false,
            was_torn: false,
            is_removed: false,
        })
    }

    /// Appends a frame in one write. `buffer` holds room for the frame's record, then the compressed frame. After a failure it
    /// is tried again at the same place.
    pub fn append(&mut self, mut record: FrameRecord, buffer: &mut [u8]) -> io::Result<()> {
        let (place, frame) = buffer.split_at_mut(FrameRecord::SIZE);
        record.bytes = u32::try_from(frame.len()).map_err(io::Error::other)?;
        place.copy_from_slice(&record.to_bytes(self.crc, frame));
        if self.is_torn {
            // Perhaps of a longer frame, which was given up: a file ends with the beginning of a frame, and not with the end of one.
            self.file.set_len(self.bytes)?;
        }
        self.write(buffer)?;
        let bytes = u64::from(record.bytes);
        self.frames.push(FramePlace { offset: self.bytes + FrameRecord::SIZE as u64, bytes });
        self.bytes += FrameRecord::SIZE as u64 + bytes;
        match &mut self.stamps {
            Some(stamps) => stamps.next(record.stamp_ns),
            None => self.stamps = Some(self.head.begin_stamps(record.stamp_ns)),
        }
        Ok(())
    }

    /// Writes behind the last whole frame: after a write that failed half-way, over what it left.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.as_ref().seek(SeekFrom::Start(self.bytes))?;
        }
        (self.is_torn, self.was_torn) = (true, self.was_torn || self.is_torn);
        self.file.as_ref().write_all(bytes)?;
        self.is_torn = false;
        Ok(())
    }

    /// What all its frames have in common.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Frames in it.
    pub fn frames(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Bytes in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its frames' time stamps.
    pub fn stamps(&self) -> Option<&ChunkStamps> {
        self.stamps.as_ref()
    }

    /// Bytes that sealing a chunk of so many frames adds: kept free, so that what is open can always be sealed.
    pub fn seal_bytes(frames: u64) -> u64 {
        Seal::SIZE as u64 + shard::index_bytes(frames)
    }

    /// Closes the chunk: seal and index are appended, and the file is renamed to what it now is. On failure it can be tried again.
    /// It is yet to be synced.
    pub fn seal(&mut self, clock: Option<ClockOffset>, amiss: Amiss) -> io::Result<SealedFile> {
        let (seal, tail) = self.append_seal(clock, amiss)?;
        self.become_shard(seal, tail)
    }

    /// The same, and synced before it has its name: should the power be cut in between, nothing is lost of what was recovered.
    pub(super) fn seal_synced(&mut self, clock: Option<ClockOffset>, amiss: Amiss) -> io::Result<SealedFile> {
        let (seal, tail) = self.append_seal(clock, amiss)?;
        self.file.sync_all()?;
        self.become_shard(seal, tail)
    }

    fn append_seal(&mut self, clock: Option<ClockOffset>, amiss: Amiss) -> io::Result<(Seal, u64)> {
        let stamps = self.stamps.as_ref().ok_or_else(|| io::Error::other("a chunk without frames is not sealed"))?;
        let seal = Seal {
            frames: self.frames.len() as u32,
            start_ns: stamps.start_ns,
            end_ns: stamps.end_ns(self.head.fps),
            average_fps: stamps.average_fps(self.head.fps),
            clock,
            amiss,
        };
        let mut tail = seal.to_bytes().to_vec();
        tail.extend_from_slice(&shard::index(&self.frames));
        self.write(&tail)?;
        self.is_torn = true; // Should anything fail from here on, it is sealed again, over this seal.
        if self.was_torn {
            // Nothing may follow the index, such as the end of a longer write that failed.
            self.file.set_len(self.bytes + tail.len() as u64)?;
        }
        Ok((seal, tail.len() as u64))
    }

    fn become_shard(&mut self, seal: Seal, tail: u64) -> io::Result<SealedFile> {
        let path = layout::shard(&self.folder, self.head.chunk, seal.frames);
        let renamed = if self.is_removed { Err(ErrorKind::NotFound.into()) } else { platform::rename(&self.path, &path) };
        match renamed {
            // A file server that is asked again, since its answer was lost, has done it before.
            Err(error) if error.kind() == ErrorKind::NotFound && platform::is_still_at(&self.file, &path)? => {}
            renamed => renamed?,
        }
        Ok(SealedFile { file: self.file.clone(), bytes: self.bytes + tail, added: tail, seal })
    }

    /// Somebody removed the file. As long as it is open its bytes can be had: they go to a new one, which takes its place when it
    /// has them all. Should this fail, or the process die meanwhile, what was copied is a part-filled chunk as any other.
    pub(super) fn write_again(&mut self) -> io::Result<()> {
        (self.is_removed, self.is_torn) = (true, true);
        let mut again = platform::private_file(true).truncate(true).open(&self.path).and_then(platform::off_console)?;
        self.file.as_ref().seek(SeekFrom::Start(0))?;
        if io::copy(&mut self.file.as_ref().take(self.bytes), &mut again)? != self.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.file = Arc::new(again);
        self.is_removed = false;
        Ok(())
    }

    /// A chunk that was recovered up to here, to be sealed.
    pub(super) fn recovered(
        file: File,
        folder: &Path,
        path: PathBuf,
        head: Head,
        stamps: ChunkStamps,
        frames: Vec<FramePlace>,
        bytes: u64,
    ) -> ChunkFile {
        ChunkFile {
            file: Arc::new(file),
            folder: folder.into(),
            path,
            crc: head.crc(),
            head,
            stamps: Some(stamps),
            frames,
            bytes,
            is_torn: true,
            was_torn: true,
            is_removed: false,
        }
    }

    /// The file of a chunk whose frames were not taken, without frames if the disk allows that; and what it is called if it was
    /// renamed though the disk denied it.
    pub(super) fn give_up(self) -> [PathBuf; 2] {
        let _ = self.file.set_len(0); // Should it not be possible to remove it.
        let shard = layout::shard(&self.folder, self.head.chunk, self.frames.len() as u32);
        [self.path, shard]
    }
}

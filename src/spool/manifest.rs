//! What a stream is, as its folder tells the next process. No secrets: the key is never written down.

use super::recover;
use crate::ids;
use crate::ledger::Losses;
use crate::options::Options;
use crate::platform;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The spool's format; a folder with a higher one belongs to a newer version and is left alone.
pub const FORMAT: u32 = 1;
/// No manifest is longer; a longer file is foreign.
const LONGEST: u64 = 4 << 20;

/// `stream.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// `FORMAT` of the writer.
    pub format: u32,
    /// The folder's name.
    pub local_id: String,
    /// Under which the stream is sent: an address, or `none`.
    pub endpoint: String,
    /// What the service is told of the stream.
    pub stream: StreamFacts,
    /// The service's id, once the stream exists there.
    pub data_id: Option<String>,
    /// Whether sample, project and tags were linked, or given up.
    pub linked: bool,
    /// What was lost or set aside so far, by reason.
    #[serde(default)]
    pub losses: Losses,
    /// Chunks that are just being set aside, and what is lost with each as soon as its file has left the folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub setting_aside: BTreeMap<u64, Losses>,
}

/// What the service is told of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // The options of these names.
pub struct StreamFacts {
    pub stream_name: String,
    pub fps: f64,
    pub rotations_per_min: f64,
    pub chunk_size: u32,
    pub physical_sample: Option<String>,
    pub project_id: Option<String>,
    pub tags: Vec<String>,
    pub azimuth: Option<String>,
}

impl StreamFacts {
    /// From the options.
    pub fn new(options: &Options) -> StreamFacts {
        StreamFacts {
            stream_name: options.stream_name.clone(),
            fps: options.kept_fps(),
            rotations_per_min: options.rotations_per_min,
            chunk_size: options.chunk_size,
            physical_sample: options.physical_sample.clone(),
            project_id: options.project_id.map(|id| id.to_string()),
            tags: options.tags.clone(),
            azimuth: options.azimuth.clone(),
        }
    }
}

impl Manifest {
    /// Of a new stream.
    pub fn new(local_id: &str, options: &Options) -> Manifest {
        Manifest {
            format: FORMAT,
            local_id: local_id.into(),
            endpoint: options.endpoint.as_str().into(),
            stream: StreamFacts::new(options),
            data_id: None,
            linked: false,
            losses: Losses::default(),
            setting_aside: BTreeMap::new(),
        }
    }

    /// A chunk's file has left the folder: its frames are lost.
    pub fn is_set_aside(&mut self, chunk: u64) -> Losses {
        let lost = self.setting_aside.remove(&chunk).unwrap_or_default();
        lost.iter().for_each(|(reason, loss)| self.losses.add(reason, loss));
        lost
    }

    /// Reads a folder's manifest.
    pub fn read(path: &Path) -> io::Result<Manifest> {
        recover::expect_file(path)?;
        let file = platform::private_file(false).open(path)?;
        Manifest::from_text(&platform::read_at_most(&file, LONGEST)?)
    }

    fn from_text(text: &[u8]) -> io::Result<Manifest> {
        let facts = text.len().checked_sub(checked(b"").len()).map_or(&b""[..], |end| &text[..end]);
        if checked(facts) != text {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is not that of its text"));
        }
        let manifest: Manifest = serde_json::from_slice(text)?;
        if manifest.format > FORMAT {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "written by a newer version of the library"));
        }
        let facts = &manifest.stream;
        if !(facts.fps > 0.0 && facts.fps.is_finite() && facts.rotations_per_min.is_finite() && facts.chunk_size > 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its numbers are impossible"));
        }
        let ids = [&manifest.data_id, &facts.project_id];
        if !ids.into_iter().flatten().all(|id| ids::is_harmless(id)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an id in it is none"));
        }
        Ok(manifest)
    }

    /// Writes it so that either the old or the new one is there.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        platform::replace_file(path, &checked(text.strip_suffix(b"\n}").unwrap_or(&text)))
    }
}

/// An object's text but for its end, with its checksum as the last member: a flipped bit could name another stream or service.
pub(super) fn checked(facts: &[u8]) -> Vec<u8> {
    let end = format!(",\n  \"crc32c\": \"{:08x}\"\n}}", crc32c::crc32c(facts));
    [facts, end.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::scratch::Scratch;

    #[test]
    fn a_manifest_with_a_flipped_bit_or_cut_off_is_not_read() {
        let scratch = Scratch::new("endpoint=none");
        let path = scratch.folder.path().join(crate::spool::layout::MANIFEST);
        assert_eq!(Manifest::read(&path).unwrap().stream, scratch.folder.facts());
        let text = std::fs::read(&path).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok(), "people may read it");
        for bit in 0..8 * text.len() {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::from_text(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..text.len() {
            assert!(Manifest::from_text(&text[..length]).is_err(), "cut at {length}");
        }
    }
}

//! The disk: a folder a stream, in which chunks are filled, sealed, and kept until they are confirmed.
//!
//! It knows bytes, names and bounds, and nothing of the network.

mod chunk_file;
mod folder;
#[cfg(all(unix, any(fuzzing, test)))]
pub mod fuzz;
mod layout;
mod manifest;
mod record;
mod recover;
mod retention;
mod root;
#[cfg(test)]
pub mod scratch;
mod sync;
mod take_up;

pub use chunk_file::{ChunkFile, SealedFile};
pub use folder::{Folder, SealedChunk};
pub use layout::name_of;
pub use manifest::StreamFacts;
pub use record::{FrameRecord, Head, Seal};
pub use recover::is_damage;
pub use root::{Bounds, Promise, Root};
pub use sync::Syncer;
pub use take_up::{Search, Skipped, TakenUp, take_up_all};

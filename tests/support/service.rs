//! An ingest service for one test, and what it got: started in the test's process, read from where it keeps it.

use super::{HANGS_AFTER, Workshop};
use rheed_stream::receiver::{ChunkRecord, Receiver, RequestRecord, Settings, StreamRecord};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A service that keeps what it gets in the test's folder.
pub fn start(workshop: &Workshop) -> Receiver {
    start_with(workshop, |_| {})
}

/// The same, set up otherwise. The port of one that was stopped may be some test's connection for a while: that is waited for.
pub fn start_with(workshop: &Workshop, set: impl FnOnce(&mut Settings)) -> Receiver {
    let mut settings = Settings::new(workshop.path().join("service"));
    set(&mut settings);
    let begun = Instant::now();
    loop {
        match Receiver::start(settings.clone()) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && begun.elapsed() < HANGS_AFTER => {
                std::thread::sleep(Duration::from_millis(20));
            }
            started => return started.expect("a receiver starts on loopback"),
        }
    }
}

/// A service that was stopped, on its port, with its key and all it had kept.
pub fn start_again(stopped: &Receiver, workshop: &Workshop, faults: &str) -> Receiver {
    start_with(workshop, |settings| {
        settings.listen = address(stopped);
        settings.key = Some(stopped.key().into());
        settings.faults = faults.into();
    })
}

/// Where it listens, or did.
pub fn address(service: &Receiver) -> SocketAddr {
    let authority = service.url().trim_start_matches("http://").split('/').next();
    authority.and_then(|authority| authority.parse().ok()).expect("its URL has an address and a port")
}

/// Waits until the service has seen what is expected of it.
#[track_caller]
pub fn wait_until(service: &Receiver, what: &str, is_so: impl FnMut(&Receiver) -> bool) {
    assert!(service.wait_until(HANGS_AFTER, is_so), "{what} does not come true; {:#?}", service.requests());
}

/// Method and path of every request, in the order of their answers.
pub fn asked(service: &Receiver) -> Vec<String> {
    service.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// The requests whose method and path these are.
pub fn requests_to(service: &Receiver, method: &str, path: &str) -> Vec<RequestRecord> {
    service.requests().into_iter().filter(|request| request.method == method && request.path == path).collect()
}

/// Those that asked for upload URLs.
pub fn presigns(service: &Receiver) -> Vec<RequestRecord> {
    service.requests().into_iter().filter(RequestRecord::is_presign).collect()
}

/// Those that carried shards.
pub fn puts(service: &Receiver) -> Vec<RequestRecord> {
    service.requests().into_iter().filter(RequestRecord::is_put).collect()
}

/// What a program is told so that it streams there: lines of options.
pub fn options(service: &Receiver, workshop: &Workshop) -> Vec<String> {
    vec![
        format!("endpoint={}", service.url()),
        format!("api_key={}", service.key()),
        format!("spool_dir={}", workshop.spool().display()),
        "log_file=none".into(),
        "clock_sync=off".into(),
    ]
}

/// The one stream that a test made, which has to be ended.
#[track_caller]
pub fn only_stream(service: &Receiver) -> StreamRecord {
    let streams = service.streams();
    let [stream] = &streams[..] else { panic!("one stream is expected: {streams:?}") };
    assert!(stream.ended, "{stream:?}");
    stream.clone()
}

/// The pixels of so many frames as `Stream::push_counted` pushes them.
pub fn counted(frames: u64) -> Vec<u8> {
    (0..frames).flat_map(|shade| [shade as u8; super::host::FRAME_BYTES]).collect()
}

/// The pixels of a stream, frame after frame, decoded without anything of the library's.
pub fn pixels(stream: &StreamRecord) -> Vec<u8> {
    stream.chunks.iter().flat_map(|chunk| chunk_pixels(stream, chunk)).collect()
}

/// The pixels of a chunk.
pub fn chunk_pixels(stream: &StreamRecord, chunk: &ChunkRecord) -> Vec<u8> {
    let file = stream.folder.join(&chunk.array).join(format!("c/{}/0/0", chunk.array_index));
    let shard = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let pixels = shard_pixels(&shard, chunk.chunk_size, chunk.frames);
    assert_eq!(pixels.len() as u64, chunk.frames * chunk.height * chunk.width);
    pixels
}

/// The first frames of a shard, by its index of so many: pairs of offset and size at its end, then their crc32c.
pub fn shard_pixels(shard: &[u8], indexed: u64, frames: u64) -> Vec<u8> {
    let index_bytes = 16 * indexed as usize;
    let (data, tail) = shard.split_at(shard.len() - index_bytes - 4);
    let (index, crc) = tail.split_at(index_bytes);
    assert_eq!(u32::from_le_bytes(crc.try_into().expect("4 bytes")), crc32c::crc32c(index));

    let mut pixels = Vec::new();
    for entry in index.chunks_exact(16).take(frames as usize) {
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes")) as usize;
        let (offset, size) = (number(&entry[..8]), number(&entry[8..]));
        pixels.extend(zstd::decode_all(&data[offset..offset + size]).expect("an inner chunk is a zstd frame"));
    }
    pixels
}

//! A host in the test's own process: the C functions, called as C would, with the sizes of their buffers.

use rheed_stream::abi::calls::*;
use rheed_stream::abi::look::*;
use rheed_stream::abi::regions::*;
use rheed_stream::codes::{Code, Event, Stat, Text};
use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::time::{Duration, Instant};

/// Frames of tests are small.
pub const WIDTH: u32 = 32;
pub const HEIGHT: u32 = 16;
pub const FRAME_BYTES: usize = (WIDTH * HEIGHT) as usize;

/// An open handle; given back when it is dropped.
pub struct Stream(pub u64);

/// An event as C gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub kind: i32,
    pub value: i64,
    pub text: String,
}

/// A region in a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub time_ns: i64,
    pub frame_id: u64,
    pub flags: u32,
    pub mean: f64,
    pub maximum: i32,
    pub sum: i64,
}

impl Stream {
    /// `rheed_init`: the handle and its remark, or the code and what was said.
    pub fn try_open(options: &[String]) -> Result<(Stream, String), (i32, String)> {
        open_by(rheed_init, options)
    }

    /// `rheed_init` that has to succeed.
    #[track_caller]
    pub fn open(options: &[String]) -> Stream {
        Stream::try_open(options).unwrap_or_else(|(code, said)| panic!("rheed_init answers {code}: {said}")).0
    }

    /// `rheed_resume` that has to succeed.
    #[track_caller]
    pub fn resume(options: &[String]) -> Stream {
        open_by(rheed_resume, options).unwrap_or_else(|(code, said)| panic!("rheed_resume answers {code}: {said}")).0
    }

    /// A frame of one shade.
    pub fn push_shade(&self, shade: u8, id: u64, timestamp_ns: i64) -> i32 {
        self.push(&[shade; FRAME_BYTES], WIDTH, HEIGHT, id, timestamp_ns)
    }

    /// A Mono8 frame.
    pub fn push(&self, pixels: &[u8], width: u32, height: u32, id: u64, timestamp_ns: i64) -> i32 {
        self.push_flagged(pixels, width, height, id, timestamp_ns, 0)
    }

    /// The same, with flags.
    pub fn push_flagged(&self, pixels: &[u8], width: u32, height: u32, id: u64, timestamp_ns: i64, flags: u32) -> i32 {
        rheed_push(self.0, pixels.as_ptr().cast(), pixels.len() as u64, width, height, 0, 0, id, timestamp_ns, flags)
    }

    /// So many frames whose shades and ids count from `first`, all of which have to be taken.
    #[track_caller]
    pub fn push_counted(&self, first: u64, count: u64) {
        for id in first..first + count {
            assert_eq!(self.push_shade(id as u8, id, 0), OK, "frame {id}");
        }
    }

    /// A slot of so many bytes, which is the caller's until it is committed or discarded.
    pub fn acquire(&self, bytes: usize) -> Result<&'static mut [u8], i32> {
        let mut pixels = ptr::null_mut();
        match rheed_acquire(self.0, bytes as u64, &mut pixels) {
            // SAFETY: by the header so many bytes, the caller's alone.
            OK => Ok(unsafe { std::slice::from_raw_parts_mut(pixels.cast(), bytes) }),
            code => Err(code),
        }
    }

    /// The Mono8 frame in a slot.
    pub fn commit(&self, slot: &mut [u8], width: u32, height: u32, id: u64, timestamp_ns: i64) -> i32 {
        rheed_commit(self.0, slot.as_mut_ptr().cast(), width, height, 0, 0, id, timestamp_ns, 0)
    }

    pub fn discard(&self, slot: &mut [u8]) -> i32 {
        rheed_discard(self.0, slot.as_mut_ptr().cast())
    }

    pub fn push_chunk(&self, index: u64, frames: &[u8], count: u32, start_ns: i64) -> i32 {
        let bytes = frames.len() as u64;
        rheed_push_chunk(self.0, index, frames.as_ptr().cast(), bytes, count, WIDTH, HEIGHT, 0, start_ns)
    }

    pub fn run(&self, mut source: impl FnMut(u64) -> i32) -> i32 {
        let mut source: &mut dyn FnMut(u64) -> i32 = &mut source;
        rheed_run(self.0, Some(ask), ptr::from_mut(&mut source).cast())
    }

    pub fn flush(&self, timeout_ms: i32) -> i32 {
        rheed_flush(self.0, timeout_ms)
    }

    pub fn finalize(&self, timeout_ms: i32) -> i32 {
        rheed_finalize(self.0, timeout_ms)
    }

    pub fn abort(&self) -> i32 {
        rheed_abort(self.0)
    }

    pub fn stat(&self, stat: Stat) -> i64 {
        self.stats()[stat as usize]
    }

    pub fn set_region(&self, region: i32, x: u32, y: u32, width: u32, height: u32) -> i32 {
        rheed_region_set(self.0, region, x, y, width, height)
    }

    /// All that can be read of a region behind that position, none of which may have been missed.
    #[track_caller]
    pub fn readings(&self, region: i32, position: &mut u64) -> Vec<Reading> {
        const MOST: usize = 16_384;
        let (mut times, mut ids, mut flags) = (vec![0; MOST], vec![0; MOST], vec![0; MOST]);
        let (mut means, mut maxima, mut sums) = (vec![0.0; MOST], vec![0; MOST], vec![0; MOST]);
        let (mut count, mut missed) = (0, 0);
        let code = rheed_region_read(
            self.0,
            region,
            position,
            times.as_mut_ptr(),
            ids.as_mut_ptr(),
            flags.as_mut_ptr(),
            means.as_mut_ptr(),
            maxima.as_mut_ptr(),
            sums.as_mut_ptr(),
            MOST as i32,
            &mut count,
            &mut missed,
        );
        assert_eq!((code, missed), (OK, 0));
        let reading = |at: usize| {
            let (time_ns, frame_id, flags, mean) = (times[at], ids[at], flags[at], means[at]);
            Reading { time_ns, frame_id, flags, mean, maximum: maxima[at], sum: sums[at] }
        };
        (0..count as usize).map(reading).collect()
    }

    #[track_caller]
    pub fn stats(&self) -> [i64; Stat::COUNT] {
        let mut values = [0; Stat::COUNT];
        assert_eq!(rheed_stats(self.0, values.as_mut_ptr(), Stat::COUNT as i32, ptr::null_mut()), OK);
        let of = |stat: Stat| values[stat as usize];
        assert_eq!(of(Stat::FramesAccepted), of(Stat::FramesConfirmed) + of(Stat::FramesLost) + of(Stat::FramesPending));
        values
    }

    pub fn text(&self, which: Text) -> String {
        let mut buffer = vec![0u8; 64 << 10];
        let code = rheed_text(self.0, which as i32, buffer.as_mut_ptr().cast(), buffer.len() as i32, ptr::null_mut());
        assert!(code >= 0, "rheed_text answers {code}");
        text_in(&buffer)
    }

    /// The next event, waiting for it at most so long.
    pub fn next_event(&self, timeout_ms: i32) -> Result<Option<Told>, i32> {
        let (mut kind, mut time_ns, mut value, mut buffer) = (0, 0, 0, [0u8; 1024]);
        let size = buffer.len() as i32;
        let text = buffer.as_mut_ptr().cast();
        let code = rheed_next_event(self.0, timeout_ms, &mut kind, &mut time_ns, &mut value, text, size, ptr::null_mut());
        if code != OK {
            return Err(code);
        }
        Ok((kind != Event::None as i32).then(|| Told { kind, value, text: text_in(&buffer) }))
    }

    /// The next event of a kind; others are passed over.
    #[track_caller]
    pub fn wait_for(&self, kind: Event) -> Told {
        let end = Instant::now() + super::HANGS_AFTER;
        while Instant::now() < end {
            match self.next_event(1000) {
                Ok(Some(told)) if told.kind == kind as i32 => return told,
                Ok(_) => {}
                Err(code) => panic!("rheed_next_event answers {code} while {kind:?} is waited for"),
            }
        }
        panic!("no event {kind:?}; {}", self.text(Text::Report));
    }

    /// Every event that waits now.
    pub fn events(&self) -> Vec<Told> {
        std::iter::from_fn(|| self.next_event(0).expect("events can be taken")).collect()
    }

    /// Waits until a statistic is what it should be.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut(&Stream) -> bool) {
        let end = Instant::now() + super::HANGS_AFTER;
        while !is_so(self) {
            assert!(Instant::now() < end, "{what} does not come true; {}", self.text(Text::Report));
            std::thread::sleep(Duration::from_millis(2)); // Between looks: there is nothing to wait on.
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        rheed_free(self.0);
    }
}

pub const OK: i32 = Code::Ok as i32;
/// For a call that ought to return: as long as nothing hangs.
pub const PATIENCE: i32 = super::HANGS_AFTER.as_millis() as i32;
pub const PENDING: i32 = Code::WPending as i32;

type Opener = extern "C" fn(*const c_char, *mut u64, *mut c_char, i32) -> i32;

fn open_by(open: Opener, options: &[String]) -> Result<(Stream, String), (i32, String)> {
    let text = CString::new(options.join("\n")).expect("options are text");
    let (mut handle, mut message) = (0, [0u8; 1024]);
    let code = open(text.as_ptr(), &mut handle, message.as_mut_ptr().cast(), message.len() as i32);
    let said = text_in(&message);
    if code == OK { Ok((Stream(handle), said)) } else { Err((code, said)) }
}

fn text_in(buffer: &[u8]) -> String {
    let end = buffer.iter().position(|byte| *byte == 0).expect("texts are NUL-terminated");
    String::from_utf8(buffer[..end].to_vec()).expect("texts are UTF-8")
}

extern "C" fn ask(user: *mut c_void, _stream: u64, index: u64) -> i32 {
    // SAFETY: `run` gave the address of its closure, which lives as long as the run.
    let source = unsafe { &mut *user.cast::<&mut dyn FnMut(u64) -> i32>() };
    source(index)
}

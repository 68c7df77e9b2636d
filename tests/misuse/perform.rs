//! A call is made as C would make it. Whatever it answers, it has to leave alone what is not its own: memory behind a buffer,
//! places that it was not given; and what it tells has to be what its code says.

use crate::call::{Address, Buffer, Call, Given, Instance, Opening, Places, Reader, SPOILERS, Told, VARIANTS, WIDEST, Watched};
use rheed_stream::abi::calls::*;
use rheed_stream::abi::labview::*;
use rheed_stream::abi::look::*;
use rheed_stream::abi::regions::*;
use rheed_stream::codes::{Code, Event, FrameFlag, Stat, Text};
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// What no call writes.
const UNTOUCHED: u8 = 0xA5;

const OK: i32 = Code::Ok as i32;
const TRUNCATED: i32 = Code::WTruncated as i32;
const PENDING: i32 = Code::WPending as i32;

/// What a call answers, and the handle, the slot or the node that it opened.
pub struct Answer {
    pub code: i32,
    pub opened: u64,
}

impl From<i32> for Answer {
    fn from(code: i32) -> Answer {
        Answer { code, opened: 0 }
    }
}

/// Makes a call that has no source. `memory` is for frames; `options` are the lines that all openings share.
#[track_caller]
pub fn perform(call: &Call, number: u64, memory: &[u8], options: &[String]) -> Answer {
    match call {
        Call::Init(opening) => open(&|text, stream, message, size| rheed_init(text, stream, message, size), opening, options),
        Call::Resume(opening) => open(&|text, spool, message, size| rheed_resume(text, spool, message, size), opening, options),
        Call::InitOnNode(opening, instance) => {
            let mut place = match instance {
                Instance::Is(number) => Some(ptr::without_provenance_mut(*number)),
                _ => None,
            };
            let place = place.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
            open(&|text, stream, message, size| rheed_labview_init(text, stream, message, size, place), opening, options)
        }
        Call::Push(_, push) => {
            let picture = &push.picture;
            let pixels: *const c_void = if picture.is_null { ptr::null() } else { memory.as_ptr().cast() };
            let size = push.size_bytes(&WIDEST);
            let (width, height, stride) = (picture.width, picture.height, picture.stride);
            let (id, stamp_ns) = (push.frame_id, push.stamp_ns);
            rheed_push(number, pixels, size, width, height, stride, picture.format, id, stamp_ns, push.flags).into()
        }
        Call::PushChunk(_, chunk) => {
            let picture = &chunk.picture;
            let frames: *const c_void = if picture.is_null { ptr::null() } else { memory.as_ptr().cast() };
            let size = chunk.size_bytes(&WIDEST);
            let (width, height, format) = (picture.width, picture.height, picture.format);
            rheed_push_chunk(number, chunk.index, frames, size, chunk.count, width, height, format, chunk.start_ns).into()
        }
        Call::Acquire(_, acquire) => {
            let mut slot = ptr::from_mut(&mut [0u8; 1]).cast();
            let place = if acquire.place_is_null { ptr::null_mut() } else { &mut slot };
            let code = rheed_acquire(number, acquire.bytes, place);
            assert!(acquire.place_is_null || slot.is_null() == (code != OK), "code {code} with the slot {slot:?}");
            assert_eq!(slot.addr() % 64 * usize::from(code == OK), 0, "a slot begins on a cache line");
            Answer { code, opened: if code == OK { slot.expose_provenance() as u64 } else { 0 } }
        }
        Call::Commit(_, address, push) => {
            let picture = &push.picture;
            let (width, height, stride) = (picture.width, picture.height, picture.stride);
            let (id, stamp_ns) = (push.frame_id, push.stamp_ns);
            rheed_commit(number, at(address), width, height, stride, picture.format, id, stamp_ns, push.flags).into()
        }
        Call::Discard(_, address) => rheed_discard(number, at(address)).into(),
        Call::Run(..) => rheed_run(number, None, ptr::null_mut()).into(),
        Call::Flush(_, timeout_ms) => rheed_flush(number, *timeout_ms).into(),
        Call::Finalize(_, timeout_ms) => rheed_finalize(number, *timeout_ms).into(),
        Call::Abort(_) => rheed_abort(number).into(),
        Call::Free(_) => rheed_free(number).into(),
        Call::Shutdown(timeout_ms) => rheed_shutdown(*timeout_ms).into(),
        Call::Reserve(instance) => {
            let (code, kept) = on_node(instance, |place| rheed_labview_reserve(place));
            Answer { code, opened: kept as u64 }
        }
        Call::Attach(_, instance) => on_node(instance, |place| rheed_labview_attach(number, place)).0.into(),
        Call::AbortNode(instance) => on_node(instance, |place| rheed_labview_abort(place)).0.into(),
        Call::Unreserve(instance) => {
            let (code, kept) = on_node(instance, |place| rheed_labview_unreserve(place));
            let is_kept = matches!(instance, Instance::Is(number) if *number == kept);
            assert!(code != OK || kept == 0 || is_kept, "a node becomes the number {kept}");
            Answer { code, opened: kept as u64 }
        }
        Call::Stats(_, places) => stats(number, places).into(),
        Call::Text(_, which, buffer) => text(number, *which, buffer).into(),
        Call::NextEvent(_, timeout_ms, buffer) => next_event(number, *timeout_ms, buffer).into(),
        Call::SetRegion(_, Watched { region, x, y, width, height }) => {
            rheed_region_set(number, *region, *x, *y, *width, *height).into()
        }
        Call::ReadRegion(_, reader) => read_region(number, reader).into(),
        Call::SetLog { callback, verbosity } => {
            let user = ptr::from_ref(&MESSAGES).cast_mut().cast();
            rheed_set_log(callback.then_some(hear as extern "C" fn(*mut c_void, i32, *const c_char)), user, *verbosity).into()
        }
        Call::Strerror(code) => static_text(rheed_strerror(*code)),
        Call::Version => static_text(rheed_version()),
        Call::Abi => {
            assert_eq!(rheed_abi(), rheed_stream::codes::ABI);
            OK.into()
        }
    }
}

/// An address that a number is known of.
fn at(address: &Address) -> *mut c_void {
    let Address::Is(number) = address else { panic!("{address:?} is to be a number by now") };
    ptr::with_exposed_provenance_mut(*number)
}

/// What LabVIEW does with one of its procedures; what it keeps for the node afterwards.
fn on_node(instance: &Instance, procedure: impl FnOnce(*mut *mut c_void) -> i32) -> (i32, usize) {
    let Instance::Is(number) = instance else { return (procedure(ptr::null_mut()), 0) };
    let mut kept = ptr::without_provenance_mut(*number);
    let code = procedure(&mut kept);
    assert!(code == OK || kept.addr() == *number, "code {code}, but what was kept is another");
    (code, kept.addr())
}

/// The memory of a slot that is acquired.
pub fn slot(address: usize, bytes: usize) -> &'static mut [u8] {
    // SAFETY: it is acquired, has so many bytes, and one thread at a time asks.
    unsafe { std::slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(address), bytes) }
}

/// Runs a stream whose frames a closure gives.
pub fn run(number: u64, mut source: impl FnMut(u64) -> i32) -> i32 {
    extern "C" fn ask(user: *mut c_void, _stream: u64, index: u64) -> i32 {
        // SAFETY: `run` gave the address of its closure, which lives as long as the run.
        let source = unsafe { &mut *user.cast::<&mut dyn FnMut(u64) -> i32>() };
        source(index)
    }
    let mut source: &mut dyn FnMut(u64) -> i32 = &mut source;
    rheed_run(number, Some(ask), ptr::from_mut(&mut source).cast())
}

/// Messages that the log callback has heard.
pub static MESSAGES: AtomicU64 = AtomicU64::new(0);

extern "C" fn hear(user: *mut c_void, level: i32, message: *const c_char) {
    // SAFETY: the library gives a NUL-terminated text that stays during the call.
    let is_text = unsafe { CStr::from_ptr(message) }.to_str().is_ok_and(|message| !message.contains('\n'));
    if !is_text || !(1..=4).contains(&level) || !ptr::eq(user.cast(), &MESSAGES) {
        eprintln!("the log callback got level {level}, user {user:?}, a text: {is_text}");
        std::process::abort(); // Nothing may unwind out of here.
    }
    MESSAGES.fetch_add(1, Ordering::Relaxed);
}

fn static_text(text: *const c_char) -> Answer {
    // SAFETY: a static text, by the header never NULL.
    assert!(!unsafe { CStr::from_ptr(text) }.is_empty());
    OK.into()
}

type Opener<'a> = &'a dyn Fn(*const c_char, *mut u64, *mut c_char, i32) -> i32;

fn open(opener: Opener, opening: &Opening, shared: &[String]) -> Answer {
    let mut lines = shared.to_vec();
    match opening.options {
        Told::Good(variant) => lines.push(VARIANTS[variant].0.into()),
        Told::Huge(variant) => {
            lines.insert(0, format!("# {}", "é".repeat(1 << 19)));
            lines.push(VARIANTS[variant].0.into());
        }
        Told::Spoiled(spoiler) => lines.extend([VARIANTS[0].0, SPOILERS[spoiler]].map(String::from)),
        Told::WithoutFps | Told::NotUtf8 | Told::Null => {}
    }
    let mut text = lines.join("\n").into_bytes();
    if matches!(opening.options, Told::NotUtf8) {
        text.extend(b"\nfps=1\nstream_name=\xC3\x28");
    }
    text.push(0);
    let options = if matches!(opening.options, Told::Null) { ptr::null() } else { text.as_ptr().cast() };
    let mut handle = 77;
    let place = if opening.handle_is_null { ptr::null_mut() } else { &mut handle };
    let mut message = Guarded::new(&opening.message);
    let code = opener(options, place, message.pointer(), opening.message.size);
    let said = message.text_or_untouched(opening.message.size >= 0 && !(opening.message.is_null && opening.message.size > 0));
    if !opening.handle_is_null {
        assert_eq!(handle != 0, code == OK, "handle {handle:#x} with code {code}");
    }
    if let Some(said) = said
        && opening.message.size > 1
    {
        assert_eq!(said.is_empty(), code == OK, "code {code} with the message {said:?}");
    }
    Answer { code, opened: if code == OK { handle } else { 0 } }
}

fn stats(number: u64, places: &Places) -> i32 {
    const ROOM: usize = 48;
    let mut memory = [UNTOUCHED; ROOM * 8 + 1];
    let odd = usize::from(places.odd);
    let values: *mut i64 = if places.are_null { ptr::null_mut() } else { memory[odd..].as_mut_ptr().cast() };
    let mut needed = -77;
    let code = rheed_stats(number, values, places.count, if places.needed_is_null { ptr::null_mut() } else { &mut needed });
    let written = if code == OK && !places.are_null { (places.count as usize).min(Stat::COUNT) } else { 0 };
    assert!(memory[..odd].iter().chain(&memory[odd + 8 * written..]).all(|byte| *byte == UNTOUCHED), "written beyond the places");
    assert_eq!(needed, if code == OK && !places.needed_is_null { Stat::COUNT as i32 } else { -77 });
    let value = |stat: Stat| {
        let at = odd + 8 * stat as usize;
        i64::from_ne_bytes(memory[at..at + 8].try_into().expect("8 bytes"))
    };
    if written > Stat::FramesLost as usize {
        assert_eq!(
            value(Stat::FramesAccepted),
            value(Stat::FramesConfirmed) + value(Stat::FramesLost) + value(Stat::FramesPending)
        );
    }
    code
}

fn read_region(number: u64, reader: &Reader) -> i32 {
    const ROOM: usize = 41;
    let (mut times, mut ids, mut means) = ([-77; ROOM], [77; ROOM], [-77.0; ROOM]);
    let (mut maxima, mut sums, mut flags) = ([-77; ROOM], [-77; ROOM], [77; ROOM]);
    let (mut position, mut count, mut missed) = (reader.position.unwrap_or_default(), 77, 77);
    fn unless<T>(is_null: bool, place: *mut T) -> *mut T {
        if is_null { ptr::null_mut() } else { place }
    }
    let null = |index| reader.null == index;
    let code = rheed_region_read(
        number,
        reader.region,
        unless(reader.position.is_none(), &mut position),
        unless(null(0), times.as_mut_ptr()),
        unless(null(1), ids.as_mut_ptr()),
        unless(null(6), flags.as_mut_ptr()),
        unless(null(2), means.as_mut_ptr()),
        unless(null(3), maxima.as_mut_ptr()),
        unless(null(4), sums.as_mut_ptr()),
        reader.capacity,
        unless(reader.count_is_null, &mut count),
        unless(null(5), &mut missed),
    );
    assert!(count == if reader.count_is_null { 77 } else { 0 } || code == OK, "code {code} with count {count}");
    assert!(code == OK || position == reader.position.unwrap_or_default(), "code {code}, but position is {position}");
    assert!(missed == if null(5) { 77 } else { 0 }, "so few frames, and {missed} are missed");
    let count = if code == OK { count as usize } else { 0 };
    assert!(count <= reader.capacity.max(0) as usize && position >= reader.position.unwrap_or_default() || code != OK);
    let written = |index: usize| if null(index) { 0 } else { count };
    assert!(times.iter().enumerate().all(|(at, time)| (*time != -77) == (at < written(0))), "times: {times:?} for {count}");
    assert!(ids[written(1)..].iter().all(|id| *id == 77), "ids: {ids:?} for {count}");
    let is_known = |flags| [0, FrameFlag::Incomplete as u32].contains(&flags);
    assert!(flags.iter().enumerate().all(|(at, it)| if at < written(6) { is_known(*it) } else { *it == 77 }), "flags: {flags:?}");
    assert!(means.iter().enumerate().all(|(at, mean)| (*mean == -77.0) == (at >= written(2))), "means: {means:?} for {count}");
    assert!(maxima.iter().enumerate().all(|(at, maximum)| (*maximum == -77) == (at >= written(3))), "maxima: {maxima:?}");
    assert!(sums.iter().enumerate().all(|(at, sum)| (*sum == -77) == (at >= written(4))), "sums: {sums:?} for {count}");
    for at in 0..written(2).min(written(3)).min(written(4)) {
        let is_fair = match sums[at] {
            -1 => means[at].is_nan() && maxima[at] == -1,
            sum => means[at] <= f64::from(maxima[at]) && i64::from(maxima[at]) <= sum && maxima[at] <= 255,
        };
        assert!(is_fair, "mean {}, maximum {}, sum {}", means[at], maxima[at], sums[at]);
    }
    code
}

fn text(number: u64, which: i32, buffer: &Buffer) -> i32 {
    let mut guarded = Guarded::new(buffer);
    let mut needed = -77;
    let place = if buffer.others_are_null { ptr::null_mut() } else { &mut needed };
    let code = rheed_text(number, which, guarded.pointer(), buffer.size, place);
    let text = guarded.text_or_untouched(code >= 0);
    let needed = (!buffer.others_are_null).then_some(needed);
    judge_text(code, buffer, text.as_deref(), needed);
    if code == PENDING {
        assert!(which == Text::DataId as i32 && text.is_none_or(|text| text.is_empty()));
    }
    code
}

fn next_event(number: u64, timeout_ms: i32, buffer: &Buffer) -> i32 {
    let mut guarded = Guarded::new(buffer);
    let (mut kind, mut time_ns, mut value, mut needed) = (-77, -77, -77, -77);
    let (size, text) = (buffer.size, guarded.pointer());
    let code = if buffer.others_are_null {
        let null = ptr::null_mut;
        rheed_next_event(number, timeout_ms, null(), ptr::null_mut(), ptr::null_mut(), text, size, null())
    } else {
        rheed_next_event(number, timeout_ms, &mut kind, &mut time_ns, &mut value, text, size, &mut needed)
    };
    let text = guarded.text_or_untouched(code >= 0);
    let needed = (!buffer.others_are_null).then_some(needed);
    judge_text(code, buffer, text.as_deref(), needed);
    if !buffer.others_are_null {
        assert_eq!((kind == -77, time_ns == -77, value == -77), (code < 0, code < 0, code < 0), "code {code}, kind {kind}");
        if code >= 0 {
            assert!((0..=Event::TakenUp as i32).contains(&kind), "kind {kind}");
            assert!(kind != 0 || (time_ns == 0 && value == 0));
        }
    }
    code
}

/// A text's code, its length and what it says that it wants belong together.
fn judge_text(code: i32, buffer: &Buffer, text: Option<&str>, needed: Option<i32>) {
    if code < 0 {
        assert!(needed.is_none_or(|needed| needed == -77), "needed is written with code {code}");
        return;
    }
    if let Some(needed) = needed {
        assert!(needed >= 1, "needed is {needed}");
        assert_eq!(code == TRUNCATED, buffer.size > 0 && needed > buffer.size, "{needed} for {}", buffer.size);
        if let Some(text) = text
            && code != TRUNCATED
        {
            assert_eq!(text.len() as i32 + 1, needed);
        }
    }
}

/// A buffer for a text, and memory behind it that is not the call's.
struct Guarded {
    memory: Vec<u8>,
    size: usize,
    is_null: bool,
}

impl Guarded {
    fn new(buffer: &Buffer) -> Guarded {
        let size = buffer.size.max(0) as usize;
        Guarded { memory: vec![UNTOUCHED; size + 16], size, is_null: buffer.is_null }
    }

    fn pointer(&mut self) -> *mut c_char {
        if self.is_null { ptr::null_mut() } else { self.memory.as_mut_ptr().cast() }
    }

    /// The text, where one was to be written and there was room for it.
    fn text_or_untouched(&self, is_written: bool) -> Option<String> {
        let untouched = |bytes: &[u8]| bytes.iter().all(|byte| *byte == UNTOUCHED);
        if !is_written || self.is_null || self.size == 0 {
            assert!(untouched(&self.memory), "a buffer is written that should not be");
            return None;
        }
        assert!(untouched(&self.memory[self.size..]), "written beyond the buffer");
        let text = CStr::from_bytes_until_nul(&self.memory[..self.size]).expect("the text ends in its buffer");
        Some(text.to_str().expect("the text is UTF-8, cut between characters").into())
    }
}

//! Calls of the C interface with good and bad arguments, as proptest makes them, and what is wrong with the bad ones.
//!
//! What is wrong is said here from the interface's description alone: nothing of the library's own checks is used.

use crate::support::formats::{Stored, TAKEN, Window};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rheed_stream::codes::{Code, Format};
use std::ops::RangeInclusive;

/// A call without its handle's number and its memory.
#[derive(Clone, Debug)]
pub enum Call {
    Init(Opening),
    InitOnNode(Opening, Instance),
    Resume(Opening),
    Push(Handle, Push),
    PushChunk(Handle, PushChunk),
    Acquire(Handle, Acquire),
    /// Of the picture, its pointer and size are the slot's.
    Commit(Handle, Address, Push),
    Discard(Handle, Address),
    Run(Handle, Source),
    Flush(Handle, i32),
    Finalize(Handle, i32),
    Abort(Handle),
    Free(Handle),
    Shutdown(i32),
    Reserve(Instance),
    Attach(Handle, Instance),
    AbortNode(Instance),
    Unreserve(Instance),
    Stats(Handle, Places),
    Text(Handle, i32, Buffer),
    NextEvent(Handle, i32, Buffer),
    SetRegion(Handle, Watched),
    ReadRegion(Handle, Reader),
    SetLog {
        callback: bool,
        verbosity: i32,
    },
    Strerror(i32),
    Version,
    Abi,
}

/// Which number a call takes for a handle.
#[derive(Clone, Debug)]
pub enum Handle {
    /// One that was opened; it may have been freed since, or be another stream's.
    Opened(usize),
    /// One that went through an int.
    Narrowed(usize),
    /// One with a bit flipped.
    Flipped(usize, u32),
    MadeUp(u64),
}

#[derive(Clone, Debug)]
pub struct Acquire {
    pub bytes: u64,
    pub place_is_null: bool,
}

/// What a call takes for the address of a slot.
#[derive(Clone, Debug)]
pub enum Address {
    /// One that the stream gave; it may have been given back since.
    Held(usize),
    /// So far behind it.
    Beside(usize, isize),
    /// One that any stream gave.
    Elsewhere(usize),
    Is(usize),
}

/// What LabVIEW keeps for a node, as a procedure finds it.
#[derive(Clone, Debug)]
pub enum Instance {
    /// A number that was given; its node may be over.
    Given(usize),
    Is(usize),
    /// There is no place for it.
    Nowhere,
}

/// What `rheed_init` and `rheed_resume` are given.
#[derive(Clone, Debug)]
pub struct Opening {
    pub options: Told,
    pub handle_is_null: bool,
    pub message: Buffer,
}

/// An options text.
#[derive(Clone, Debug)]
pub enum Told {
    /// One of `VARIANTS`.
    Good(usize),
    /// The same behind a megabyte of comment.
    Huge(usize),
    WithoutFps,
    /// One of `SPOILERS` is among the lines.
    Spoiled(usize),
    NotUtf8,
    Null,
}

/// What a stream's options bound.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub chunk_size: u32,
    pub queue_bytes: u64,
    pub significant_bits: u32,
    /// x, y, width, height.
    pub roi: Option<[u32; 4]>,
    pub bin: u32,
}

impl Limits {
    /// What is kept of a frame of that size, if that is anything.
    fn window(&self, width: u32, height: u32) -> Option<Window> {
        let roi = self.roi.unwrap_or([0, 0, width, height]).map(|side| side as usize);
        let window = Window { x: roi[0], y: roi[1], width: roi[2], height: roi[3], bin: self.bin as usize };
        let fits = roi[0] + roi[2] <= width as usize && roi[1] + roi[3] <= height as usize;
        Some(window).filter(|window| fits && window.width >= window.bin && window.height >= window.bin)
    }
}

/// Good options of several kinds.
pub const VARIANTS: [(&str, Limits); 5] = [
    ("fps=10", USUAL),
    ("fps=1\nchunk_size=3", Limits { chunk_size: 3, ..USUAL }),
    ("fps=5\nwhen_full=block\nqueue_bytes=1 MiB\nframe_bytes=512", Limits { chunk_size: 10, queue_bytes: 1 << 20, ..USUAL }),
    ("fps=0.5\nsignificant_bits=12\nmax_workers=1", Limits { chunk_size: 1, significant_bits: 12, ..USUAL }),
    // Of bits at the high end, the 8 highest of the word are kept.
    (
        "fps=10\nroi=5,0,22,5\nbin=2\nsignificant_bits=12\nsignificant_bits_at=high",
        Limits { roi: Some([5, 0, 22, 5]), bin: 2, ..USUAL },
    ),
];

const USUAL: Limits = Limits { chunk_size: 20, queue_bytes: 64 << 20, significant_bits: 16, roi: None, bin: 1 };

/// The widest of them.
pub const WIDEST: Limits = VARIANTS[0].1;

/// Lines that make any options wrong.
pub const SPOILERS: [&str; 10] = [
    "spool_dir=/elsewhere",
    "speed=3",
    "no equals sign",
    "chunk_size=1000001",
    "queue_bytes=1",
    "spool_max_bytes=3 parsecs",
    "tags=",
    "max_workers=0",
    "request_timeout_ms=12,5",
    "project_id=7",
];

/// A place for a text.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub is_null: bool,
    pub size: i32,
    /// Whether the size that the text wants, and whatever else a call tells, is asked for.
    pub others_are_null: bool,
}

/// Places for numbers.
#[derive(Clone, Debug)]
pub struct Places {
    pub are_null: bool,
    pub count: i32,
    pub needed_is_null: bool,
    /// Not on an address that is a multiple of 8.
    pub odd: bool,
}

/// A region, as `rheed_region_set` is told it.
#[derive(Clone, Debug)]
pub struct Watched {
    pub region: i32,
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// What `rheed_region_read` is given.
#[derive(Clone, Debug)]
pub struct Reader {
    pub region: i32,
    /// None: NULL.
    pub position: Option<u64>,
    pub count_is_null: bool,
    /// One of the arrays and the place for what was missed; another number: all are there.
    pub null: usize,
    pub capacity: i32,
}

/// How many bytes a caller says may be read.
#[derive(Clone, Debug)]
pub enum Size {
    Needed,
    Less(u64),
    More(u64),
    Is(u64),
}

/// Frames in the caller's memory, as a call describes them.
#[derive(Clone, Debug)]
pub struct Picture {
    pub is_null: bool,
    pub size: Size,
    pub width: u32,
    pub height: u32,
    pub stride: u32,
    pub format: u32,
}

#[derive(Clone, Debug)]
pub struct Push {
    pub picture: Picture,
    pub frame_id: u64,
    pub stamp_ns: i64,
    pub flags: u32,
}

#[derive(Clone, Debug)]
pub struct PushChunk {
    pub picture: Picture,
    pub index: u64,
    pub count: u32,
    pub start_ns: i64,
}

/// A source of `rheed_run`: what it calls, a step each time it is asked, and what it answers at its end.
#[derive(Clone, Debug)]
pub enum Source {
    Null,
    Calls(Vec<Call>, i32),
}

/// A frame of this many bytes is not given: its memory would have to be there.
const MOST_MEMORY: u64 = 1 << 20;
const MOST_SIDE: u32 = 65_535;
const REGIONS: RangeInclusive<i32> = 0..=7;
const LARGEST_CHUNK: u128 = 1 << 30;
const LARGEST_INDEX: u64 = 9_999_999_999;
/// The receiver takes no larger one.
const LARGEST_AT_SERVICE: u64 = (1 << 32) - 1;
const YEAR_2000_NS: i64 = 946_684_800_000_000_000;

impl Handle {
    /// Its number, where these were opened.
    pub fn number(&self, opened: &[u64]) -> u64 {
        let one = |at: &usize| if opened.is_empty() { 1 << 40 } else { opened[at % opened.len()] };
        match self {
            Handle::Opened(at) => one(at),
            Handle::Narrowed(at) => one(at) & 0xFFFF_FFFF,
            Handle::Flipped(at, bit) => one(at) ^ (1 << bit),
            Handle::MadeUp(number) => *number,
        }
    }
}

impl Address {
    /// As a number, where the stream and all streams have given these.
    pub fn number(&self, given: &[usize], given_by_all: &[usize]) -> usize {
        let one = |at: &usize, of: &[usize]| if of.is_empty() { 4096 } else { of[at % of.len()] };
        match self {
            Address::Held(at) => one(at, given),
            Address::Beside(at, offset) => one(at, given).wrapping_add_signed(*offset),
            Address::Elsewhere(at) => one(at, given_by_all),
            Address::Is(number) => *number,
        }
    }
}

impl Instance {
    /// With its number, where these were given.
    pub fn resolved(&self, given: &[usize]) -> Instance {
        match self {
            Instance::Given(at) if given.is_empty() => Instance::Is(at % 2),
            Instance::Given(at) => Instance::Is(given[at % given.len()]),
            other => other.clone(),
        }
    }
}

impl Limits {
    /// How many slots a host may hold, so that no call that waits for one does so for ever; and of two sizes at most.
    pub fn slots_to_hold(&self) -> usize {
        if self.queue_bytes < 8 << 20 { 1 } else { 2 }
    }
}

impl Push {
    /// The same of a slot that so many bytes were asked for.
    pub fn in_slot(&self, bytes: usize) -> Push {
        let mut push = self.clone();
        (push.picture.is_null, push.picture.size) = (false, Size::Is(bytes as u64));
        push
    }
}

impl Call {
    /// The handle it is made on.
    pub fn handle(&self) -> Option<&Handle> {
        match self {
            Call::Push(handle, _)
            | Call::PushChunk(handle, _)
            | Call::Acquire(handle, _)
            | Call::Commit(handle, ..)
            | Call::Discard(handle, _)
            | Call::Run(handle, _)
            | Call::Flush(handle, _)
            | Call::Finalize(handle, _)
            | Call::Abort(handle)
            | Call::Free(handle)
            | Call::Attach(handle, _)
            | Call::Stats(handle, _)
            | Call::Text(handle, ..)
            | Call::NextEvent(handle, ..)
            | Call::SetRegion(handle, _)
            | Call::ReadRegion(handle, _) => Some(handle),
            _ => None,
        }
    }

    /// The node that it is about.
    pub fn instance(&self) -> Option<&Instance> {
        match self {
            Call::Reserve(instance) | Call::Attach(_, instance) | Call::AbortNode(instance) | Call::Unreserve(instance) => {
                Some(instance)
            }
            Call::InitOnNode(_, instance) => Some(instance),
            _ => None,
        }
    }

    /// The same about a node whose number is known.
    pub fn about(&self, instance: Instance) -> Call {
        match self {
            Call::Reserve(_) => Call::Reserve(instance),
            Call::Attach(handle, _) => Call::Attach(handle.clone(), instance),
            Call::InitOnNode(opening, _) => Call::InitOnNode(opening.clone(), instance),
            Call::AbortNode(_) => Call::AbortNode(instance),
            Call::Unreserve(_) => Call::Unreserve(instance),
            other => other.clone(),
        }
    }

    /// The codes of everything that is wrong with its arguments, whatever its handle is; none if they are good.
    pub fn faults(&self, limits: &Limits) -> Vec<Code> {
        match self {
            Call::Init(opening) | Call::InitOnNode(opening, _) => opening.faults(false),
            Call::Resume(opening) => opening.faults(true),
            Call::Push(_, push) => push.faults(limits),
            Call::PushChunk(_, chunk) => chunk.faults(limits),
            Call::Acquire(_, acquire) => argument(acquire.place_is_null || !(1..=limits.queue_bytes).contains(&acquire.bytes)),
            Call::Run(_, Source::Null) => vec![Code::EArgument],
            Call::Stats(_, places) => places.faults(),
            Call::Text(_, which, buffer) => [argument(!(1..=7).contains(which)), buffer.faults()].concat(),
            Call::NextEvent(_, _, buffer) => buffer.faults(),
            Call::SetRegion(_, watched) => argument(!REGIONS.contains(&watched.region) || !watched.lies_in(MOST_SIDE, MOST_SIDE)),
            Call::ReadRegion(_, reader) => reader.faults(),
            Call::SetLog { verbosity, .. } => argument(!(0..=4).contains(verbosity)),
            _ => Vec::new(),
        }
    }
}

fn argument(is_wrong: bool) -> Vec<Code> {
    if is_wrong { vec![Code::EArgument] } else { Vec::new() }
}

impl Opening {
    fn faults(&self, resumes: bool) -> Vec<Code> {
        let mut faults = [argument(self.handle_is_null), self.message.faults()].concat();
        match self.options {
            Told::Null | Told::NotUtf8 => faults.push(Code::EArgument),
            Told::WithoutFps if !resumes => faults.push(Code::EOption),
            Told::Spoiled(_) => faults.push(Code::EOption),
            _ => {}
        }
        faults
    }

    /// What the options bound, where they are good.
    pub fn limits(&self) -> Limits {
        match self.options {
            Told::Good(variant) | Told::Huge(variant) => VARIANTS[variant].1,
            _ => WIDEST,
        }
    }
}

impl Buffer {
    fn faults(&self) -> Vec<Code> {
        argument(self.size < 0 || (self.is_null && self.size > 0))
    }
}

impl Places {
    fn faults(&self) -> Vec<Code> {
        argument(self.count < 0 || (self.are_null && self.count > 0))
    }
}

impl Watched {
    /// Whether it lies in such frames, or is none.
    pub fn lies_in(&self, width: u32, height: u32) -> bool {
        let within = |begin: u32, length: u32, side: u32| length > 0 && u64::from(begin) + u64::from(length) <= u64::from(side);
        self.is_none() || (within(self.x, self.width, width) && within(self.y, self.height, height))
    }

    pub fn is_none(&self) -> bool {
        (self.width, self.height) == (0, 0)
    }
}

impl Reader {
    /// No stream here has measured so many frames as the largest position that is made.
    fn faults(&self) -> Vec<Code> {
        let has_place = self.position.is_some_and(|position| position != u64::MAX) && !self.count_is_null;
        argument(!REGIONS.contains(&self.region) || self.capacity < 0 || !has_place)
    }
}

impl Picture {
    /// Its format, if it is taken.
    fn stored(&self, limits: &Limits) -> Option<Stored> {
        Stored::of(self.format, limits.significant_bits)
    }

    fn row(&self, limits: &Limits) -> u64 {
        self.stored(limits).map_or(self.width.into(), |stored| stored.row_bytes(self.width as usize) as u64)
    }

    fn stride(&self, limits: &Limits) -> u64 {
        if self.stride == 0 { self.row(limits) } else { self.stride.into() }
    }

    /// Bytes from its beginning to its last pixel.
    fn needed(&self, limits: &Limits) -> u128 {
        match self.height {
            0 => 0,
            rows => u128::from(self.stride(limits)) * u128::from(rows - 1) + u128::from(self.row(limits)),
        }
    }

    /// Width and height of what is kept; nothing of a picture that is refused for its size.
    pub fn kept(&self, limits: &Limits) -> (u32, u32) {
        let kept = limits.window(self.width, self.height).map_or((0, 0), |window| window.kept());
        (kept.0 as u32, kept.1 as u32)
    }

    fn frame_bytes(&self, limits: &Limits) -> u64 {
        let (width, height) = self.kept(limits);
        u64::from(width) * u64::from(height)
    }

    fn size_bytes(&self, needed: u128) -> u64 {
        let size = match self.size {
            Size::Needed => needed,
            Size::Less(less) => needed.saturating_sub(less.into()),
            Size::More(more) => needed + u128::from(more),
            Size::Is(size) => size.into(),
        };
        u64::try_from(size).unwrap_or(u64::MAX)
    }

    fn faults(&self, limits: &Limits) -> Vec<Code> {
        let sides = [self.width, self.height];
        let wrong = self.is_null
            || sides.iter().any(|side| !(1..=MOST_SIDE).contains(side))
            || limits.window(self.width, self.height).is_none()
            || (self.stride != 0 && u64::from(self.stride) < self.row(limits));
        let format = if self.stored(limits).is_none() { vec![Code::EFormat] } else { Vec::new() };
        [argument(wrong), format].concat()
    }

    /// The pixels in 8 bits, of a picture without faults.
    fn pixels(&self, memory: &[u8], limits: &Limits) -> Vec<u8> {
        let stored = self.stored(limits).expect("the format is taken");
        let window = limits.window(self.width, self.height).expect("the window fits");
        stored.kept(memory, self.stride(limits) as usize, window)
    }
}

/// What push and push_chunk have in common.
pub trait Given {
    fn picture(&self) -> &Picture;

    fn picture_mut(&mut self) -> &mut Picture;

    fn count(&self) -> u32;

    fn faults(&self, limits: &Limits) -> Vec<Code>;

    /// Bytes that are read if nothing is wrong.
    fn needed(&self, limits: &Limits) -> u128 {
        self.picture().needed(limits).saturating_mul(self.count().into())
    }

    /// What the caller says may be read.
    fn size_bytes(&self, limits: &Limits) -> u64 {
        self.picture().size_bytes(self.needed(limits))
    }

    /// Frames that would be read where no memory is are not given; what is refused by its numbers may promise any memory.
    fn made_honest(mut self) -> Self
    where
        Self: Sized,
    {
        let reads_more = |limits: &Limits| self.faults(limits).is_empty() && self.needed(limits) > MOST_MEMORY.into();
        if VARIANTS.iter().any(|(_, limits)| reads_more(limits)) {
            self.picture_mut().size = Size::Is(7);
        }
        self
    }

    /// How much memory is there: what was promised, or so much of it as is read.
    fn memory(&self) -> usize {
        let limits = &WIDEST;
        let promised = u128::from(self.size_bytes(limits)).max(self.needed(limits));
        let there = if promised > MOST_MEMORY.into() { self.needed(limits).min(MOST_MEMORY.into()) } else { promised };
        there as usize
    }

    /// Each frame's width, height and pixels in 8 bits, of a call that was taken.
    fn frames(&self, memory: &[u8], limits: &Limits) -> Vec<(u32, u32, Vec<u8>)> {
        let picture = self.picture();
        let frame = |index: u32| &memory[index as usize * picture.needed(limits) as usize..];
        let (width, height) = picture.kept(limits);
        (0..self.count()).map(|index| (width, height, picture.pixels(frame(index), limits))).collect()
    }
}

impl Given for Push {
    fn picture(&self) -> &Picture {
        &self.picture
    }

    fn picture_mut(&mut self) -> &mut Picture {
        &mut self.picture
    }

    fn count(&self) -> u32 {
        1
    }

    fn faults(&self, limits: &Limits) -> Vec<Code> {
        let size = self.size_bytes(limits);
        let wrong = self.flags > 1
            || size > i64::MAX as u64
            || u128::from(size) < self.needed(limits)
            || self.picture.frame_bytes(limits) > limits.queue_bytes;
        [argument(wrong), self.picture.faults(limits)].concat()
    }
}

impl Given for PushChunk {
    fn picture(&self) -> &Picture {
        &self.picture
    }

    fn picture_mut(&mut self) -> &mut Picture {
        &mut self.picture
    }

    fn count(&self) -> u32 {
        self.count
    }

    fn faults(&self, limits: &Limits) -> Vec<Code> {
        let size = self.size_bytes(limits);
        let wrong = self.index > LARGEST_INDEX
            || !(1..=limits.chunk_size).contains(&self.count)
            || (self.start_ns != 0 && !is_unix_time(self.start_ns))
            || size > i64::MAX as u64
            || u128::from(size) != self.needed(limits)
            || u128::from(self.picture.frame_bytes(limits)) * u128::from(self.count) > LARGEST_CHUNK;
        [argument(wrong), self.picture.faults(limits)].concat()
    }
}

/// None of the times that are made here is near a bound.
fn is_unix_time(ns: i64) -> bool {
    ns >= YEAR_2000_NS && ns < now_ns() + 3600 * 1_000_000_000
}

fn now_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later than 1970");
    now.as_nanos() as i64
}

/// Time-outs: what is said to be longer than this waits until it is done.
pub const LONGEST_LOOK_MS: i32 = 5;

/// A sequence of calls.
pub fn calls(length: RangeInclusive<usize>) -> impl Strategy<Value = Vec<Call>> {
    vec(any_call(), length)
}

fn any_call() -> impl Strategy<Value = Call> {
    let source = prop_oneof![
        1 => Just(Source::Null),
        8 => (vec(simple_call(), 0..6), select(vec![0, 0, 0, -1, i32::MIN, 2, i32::MAX])).prop_map(|(calls, end)| Source::Calls(calls, end)),
    ];
    prop_oneof![
        30 => simple_call(),
        1 => (handle(), source).prop_map(|(handle, source)| Call::Run(handle, source)),
    ]
}

/// All but a run, which takes calls itself.
fn simple_call() -> impl Strategy<Value = Call> {
    let which = prop_oneof![8 => 1..=7i32, 1 => select(vec![0, 8, -1, i32::MIN, i32::MAX])];
    let verbosity = prop_oneof![8 => 0..=4i32, 1 => select(vec![-1, 5, i32::MIN, i32::MAX])];
    prop_oneof![
        2 => opening().prop_map(Call::Init),
        1 => (opening(), instance()).prop_map(|(opening, instance)| Call::InitOnNode(opening, instance)),
        1 => opening().prop_map(Call::Resume),
        40 => (handle(), push()).prop_map(|(handle, push)| Call::Push(handle, push)),
        14 => (handle(), acquire()).prop_map(|(handle, acquire)| Call::Acquire(handle, acquire)),
        14 => (handle(), address(), push()).prop_map(|(handle, address, push)| Call::Commit(handle, address, push)),
        4 => (handle(), address()).prop_map(|(handle, address)| Call::Discard(handle, address)),
        12 => (handle(), push_chunk()).prop_map(|(handle, chunk)| Call::PushChunk(handle, chunk)),
        4 => (handle(), timeout()).prop_map(|(handle, timeout)| Call::Flush(handle, timeout)),
        2 => (handle(), timeout()).prop_map(|(handle, timeout)| Call::Finalize(handle, timeout)),
        1 => handle().prop_map(Call::Abort),
        2 => handle().prop_map(Call::Free),
        8 => (handle(), places()).prop_map(|(handle, places)| Call::Stats(handle, places)),
        8 => (handle(), which, buffer()).prop_map(|(handle, which, buffer)| Call::Text(handle, which, buffer)),
        8 => (handle(), timeout(), buffer()).prop_map(|(handle, timeout, buffer)| Call::NextEvent(handle, timeout, buffer)),
        10 => (handle(), watched()).prop_map(|(handle, watched)| Call::SetRegion(handle, watched)),
        10 => (handle(), reader()).prop_map(|(handle, reader)| Call::ReadRegion(handle, reader)),
        2 => (any::<bool>(), verbosity).prop_map(|(callback, verbosity)| Call::SetLog { callback, verbosity }),
        1 => timeout().prop_map(Call::Shutdown),
        4 => instance().prop_map(Call::Reserve),
        8 => (handle(), instance()).prop_map(|(handle, instance)| Call::Attach(handle, instance)),
        1 => instance().prop_map(Call::AbortNode),
        1 => instance().prop_map(Call::Unreserve),
        1 => any::<i32>().prop_map(Call::Strerror),
        1 => (-20..5i32).prop_map(Call::Strerror),
        1 => Just(Call::Version),
        1 => Just(Call::Abi),
    ]
}

fn handle() -> impl Strategy<Value = Handle> {
    let at = any::<usize>;
    prop_oneof![
        40 => at().prop_map(Handle::Opened),
        1 => at().prop_map(Handle::Narrowed),
        1 => (at(), 0..64u32).prop_map(|(at, bit)| Handle::Flipped(at, bit)),
        1 => select(vec![0, 1, u64::MAX, 1 << 32, (1 << 53) - 1, 1 << 53]).prop_map(Handle::MadeUp),
        1 => (1u64 << 32..1 << 53).prop_map(Handle::MadeUp),
        1 => any::<u64>().prop_map(Handle::MadeUp),
    ]
}

fn acquire() -> impl Strategy<Value = Acquire> {
    let bytes = prop_oneof![
        20 => select(vec![1, 64, 300, 512, 512, 1024, 5000, 70_000]),
        2 => select(vec![0, (64 << 20) + 1, 1 << 40, i64::MAX as u64, u64::MAX]),
    ];
    (bytes, seldom(30)).prop_map(|(bytes, place_is_null)| Acquire { bytes, place_is_null })
}

fn address() -> impl Strategy<Value = Address> {
    let at = any::<usize>;
    prop_oneof![
        20 => at().prop_map(Address::Held),
        2 => (at(), select(vec![1, -1, 64, -64, 512, 1 << 20])).prop_map(|(at, offset)| Address::Beside(at, offset)),
        2 => at().prop_map(Address::Elsewhere),
        1 => select(vec![0, 1, 64, 4096, usize::MAX]).prop_map(Address::Is),
        1 => at().prop_map(Address::Is),
    ]
}

fn instance() -> impl Strategy<Value = Instance> {
    prop_oneof![
        20 => any::<usize>().prop_map(Instance::Given),
        10 => Just(Instance::Is(0)),
        1 => any::<usize>().prop_map(Instance::Is),
        1 => Just(Instance::Nowhere),
    ]
}

fn timeout() -> impl Strategy<Value = i32> {
    select(vec![0, 0, 1, LONGEST_LOOK_MS, -1, i32::MIN, i32::MAX])
}

fn opening() -> impl Strategy<Value = Opening> {
    let options = prop_oneof![
        20 => (0..VARIANTS.len()).prop_map(Told::Good),
        1 => (0..VARIANTS.len()).prop_map(Told::Huge),
        1 => Just(Told::WithoutFps),
        4 => (0..SPOILERS.len()).prop_map(Told::Spoiled),
        1 => Just(Told::NotUtf8),
        1 => Just(Told::Null),
    ];
    (options, seldom(10), buffer()).prop_map(|(options, handle_is_null, message)| Opening { options, handle_is_null, message })
}

fn seldom(one_in: u32) -> impl Strategy<Value = bool> {
    (0..one_in).prop_map(|number| number == 0)
}

fn buffer() -> impl Strategy<Value = Buffer> {
    let size = prop_oneof![
        10 => select(vec![1024, 4096, 64 << 10]),
        2 => 0..200i32,
        1 => select(vec![-1, i32::MIN]),
    ];
    (seldom(10), size, any::<bool>()).prop_map(|(is_null, size, others_are_null)| Buffer { is_null, size, others_are_null })
}

fn places() -> impl Strategy<Value = Places> {
    let count = prop_oneof![8 => 0..40i32, 1 => select(vec![-1, i32::MIN, i32::MAX])];
    (seldom(8), count, any::<bool>(), any::<bool>()).prop_map(|(are_null, count, needed_is_null, odd)| {
        // Of places that are not there it is only said how many they are.
        let count = if are_null { count } else { count.min(40) };
        Places { are_null, count, needed_is_null, odd }
    })
}

fn region() -> impl Strategy<Value = i32> {
    prop_oneof![10 => 0..3i32, 2 => 3..8i32, 1 => select(vec![-1, 8, i32::MIN, i32::MAX])]
}

fn watched() -> impl Strategy<Value = Watched> {
    let places = prop_oneof![
        10 => select(vec![(0, 0, 1, 1), (0, 0, 32, 16), (3, 1, 20, 4), (31, 15, 1, 1), (0, 299, 1, 1)]),
        3 => Just((0, 0, 0, 0)),
        2 => (side(), side(), side(), side()),
    ];
    (region(), places).prop_map(|(region, (x, y, width, height))| Watched { region, x, y, width, height })
}

fn reader() -> impl Strategy<Value = Reader> {
    let position = prop_oneof![10 => Just(Some(0)), 1 => Just(Some(u64::MAX)), 1 => Just(None)];
    let capacity = prop_oneof![10 => 0..=40i32, 1 => select(vec![-1, i32::MIN])];
    (region(), position, seldom(20), 0..12usize, capacity).prop_map(|(region, position, count_is_null, null, capacity)| Reader {
        region,
        position,
        count_is_null,
        null,
        capacity,
    })
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        20 => Just(Size::Needed),
        2 => (0..40u64).prop_map(Size::Less),
        2 => (0..40u64).prop_map(Size::More),
        1 => select(vec![0, 1, 1 << 31, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX]).prop_map(Size::Is),
    ]
}

fn side() -> impl Strategy<Value = u32> {
    select(vec![0, 1, 2, 7, 63, 65_535, 65_536, u32::MAX])
}

fn format() -> impl Strategy<Value = u32> {
    prop_oneof![
        20 => Just(0),
        10 => select(TAKEN.map(|stored| stored.code).to_vec()),
        1 => Just(Format::BayerRG8 as u32),
        1 => any::<u32>(),
    ]
}

fn stride() -> impl Strategy<Value = u32> {
    prop_oneof![10 => Just(0), 2 => 1..200u32, 1 => select(vec![65_535, 1 << 31, u32::MAX])]
}

fn picture() -> impl Strategy<Value = Picture> {
    let sides = prop_oneof![
        20 => select(vec![(32, 16), (32, 16), (48, 5), (1, 1), (1, 300)]),
        2 => (side(), side()),
    ];
    (seldom(30), size(), sides, stride(), format()).prop_map(|(is_null, size, (width, height), stride, format)| Picture {
        is_null,
        size,
        width,
        height,
        stride,
        format,
    })
}

fn stamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => Just(0),
        2 => YEAR_2000_NS..1_700_000_000_000_000_000,
        1 => select(vec![1, -1, i64::MIN, i64::MAX, YEAR_2000_NS - 1, 12_345_678]),
    ]
}

fn push() -> impl Strategy<Value = Push> {
    let frame_id = prop_oneof![4 => 0..100_000u64, 1 => select(vec![u64::MAX, u64::MAX - 1, 0, 65_535]), 1 => any::<u64>()];
    let flags = prop_oneof![20 => 0..=1u32, 1 => select(vec![2, 3, u32::MAX])];
    (picture(), frame_id, stamp(), flags)
        .prop_map(|(picture, frame_id, stamp_ns, flags)| Push { picture, frame_id, stamp_ns, flags }.made_honest())
}

fn push_chunk() -> impl Strategy<Value = PushChunk> {
    let index = prop_oneof![8 => 0..12u64, 1 => select(vec![LARGEST_AT_SERVICE, LARGEST_INDEX + 1, u64::MAX])];
    let count = prop_oneof![8 => 1..=3u32, 2 => 4..=20u32, 1 => select(vec![0, 21, 1_000_000, u32::MAX])];
    (picture(), index, count, stamp()).prop_map(|(mut picture, index, count, start_ns)| {
        picture.stride = 0;
        PushChunk { picture, index, count, start_ns }.made_honest()
    })
}

//! What the library must be after a sequence of calls, and what it may answer to the next: a state machine of a page, made from
//! the interface's description.

use crate::call::{Address, Call, Given, Instance, LONGEST_LOOK_MS, Limits, Source, WIDEST};
use rheed_stream::codes::{Code, Stat};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A frame's width, height and pixels, as a number.
pub type Print = u64;

pub fn print(frame: &(u32, u32, Vec<u8>)) -> Print {
    let mut hasher = DefaultHasher::new();
    frame.hash(&mut hasher);
    hasher.finish()
}

/// Everything that was opened.
#[derive(Default)]
pub struct Model {
    handles: Vec<u64>,
    open: HashMap<u64, Kind>,
    /// Streams that were freed; what they took is to arrive all the same.
    pub freed: Vec<Stream>,
    /// Whether the spool's folder is there.
    has_spool: bool,
    /// Slots that are acquired, by handle and address, and what was written there.
    pub held: BTreeMap<(u64, usize), Vec<u8>>,
    /// All there ever were.
    slots: Vec<(u64, usize)>,
    /// Nodes that are reserved, by number: how often, and the handles that are attached to each.
    nodes: BTreeMap<usize, (u32, Vec<u64>)>,
    /// The last numbers that nodes were given.
    numbers: Vec<usize>,
}

enum Kind {
    Stream(Stream),
    /// Of `rheed_resume`; whether an abort may have come before its end.
    Spool {
        phase: Phase,
    },
}

/// A stream of `rheed_init`.
pub struct Stream {
    pub name: String,
    pub limits: Limits,
    phase: Phase,
    way: Option<Way>,
    /// Whether this thread is inside its `rheed_run`.
    running: bool,
    /// What was taken, in order.
    pub frames: Vec<Print>,
    /// What was taken as whole chunks.
    pub chunks: BTreeMap<u64, Vec<Print>>,
    rejected: u64,
    incomplete: u64,
    sealed: u64,
    /// Of the open chunk: width, height and frames.
    chunk: Option<(u32, u32, u32)>,
    /// Of the last frame that was taken by itself: width and height.
    frame_size: Option<(u32, u32)>,
    /// The regions that are set.
    regions: BTreeSet<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// Finalized, and perhaps done.
    Closed,
    Done,
    Aborted,
    /// Aborted when it was perhaps done.
    Unsure,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Frames,
    Chunks,
    Run,
}

impl Phase {
    fn aborted(self) -> Phase {
        match self {
            Phase::Open => Phase::Aborted,
            Phase::Closed => Phase::Unsure,
            other => other,
        }
    }

    /// What a push gets on a stream that takes no more.
    fn refusals(self) -> Vec<Code> {
        match self {
            Phase::Open => Vec::new(),
            Phase::Closed | Phase::Done => vec![Code::EClosed],
            Phase::Aborted => vec![Code::EAborted],
            Phase::Unsure => vec![Code::EClosed, Code::EAborted],
        }
    }
}

/// Whether a call that waits does so until it is done.
pub fn waits(timeout_ms: i32) -> bool {
    !(0..=LONGEST_LOOK_MS).contains(&timeout_ms)
}

impl Model {
    /// Every handle there ever was.
    pub fn handles(&self) -> &[u64] {
        &self.handles
    }

    /// Those that are open.
    pub fn open_handles(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    /// An open stream's limits.
    pub fn limits(&self, number: u64) -> Limits {
        self.stream(number).map_or(WIDEST, |stream| stream.limits)
    }

    fn stream(&self, number: u64) -> Option<&Stream> {
        match self.open.get(&number) {
            Some(Kind::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    fn stream_mut(&mut self, number: u64) -> Option<&mut Stream> {
        match self.open.get_mut(&number) {
            Some(Kind::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// A call that would wait for what does not come is made to look for a moment only, or to ask for nothing; addresses are numbers.
    pub fn shortened(&self, call: &Call, number: u64) -> Call {
        let resolved = |address: &Address| {
            let slots = |of: &dyn Fn(u64) -> bool| -> Vec<usize> {
                let slots = self.slots.iter().filter(|(stream, _)| of(*stream));
                slots.map(|(_, address)| *address).rev().take(3).collect()
            };
            Address::Is(address.number(&slots(&|stream| stream == number), &slots(&|_| true)))
        };
        if let Some(instance) = call.instance() {
            return call.about(instance.resolved(&self.numbers));
        }
        match call {
            Call::Commit(handle, address, push) => Call::Commit(handle.clone(), resolved(address), push.clone()),
            Call::Discard(handle, address) => Call::Discard(handle.clone(), resolved(address)),
            Call::Acquire(handle, acquire)
                if self.held.range((number, 0)..=(number, usize::MAX)).count() >= self.limits(number).slots_to_hold() =>
            {
                let mut acquire = acquire.clone();
                acquire.bytes = 0;
                Call::Acquire(handle.clone(), acquire)
            }
            Call::NextEvent(handle, timeout_ms, buffer)
                if waits(*timeout_ms) && self.stream(number).is_some_and(|stream| stream.phase == Phase::Open) =>
            {
                Call::NextEvent(handle.clone(), 1, buffer.clone())
            }
            other => other.clone(),
        }
    }

    /// The codes that the call may answer.
    pub fn allowed(&self, call: &Call, number: u64) -> Vec<Code> {
        let on_handle = call.handle().is_some();
        let slot = match call {
            Call::Commit(_, Address::Is(address), _) | Call::Discard(_, Address::Is(address)) => {
                self.held.get(&(number, *address))
            }
            _ => None,
        };
        if matches!(call, Call::Discard(..)) && slot.is_some() {
            return vec![Code::Ok]; // Whatever has become of the stream.
        }
        if on_handle && !self.open.contains_key(&number) {
            return vec![Code::EHandle];
        }
        if let Some(instance) = call.instance() {
            return self.node_answers(call, instance);
        }
        let faults = match (call, slot) {
            (Call::Commit(_, _, push), Some(slot)) => Given::faults(&push.in_slot(slot.len()), &self.limits(number)),
            (Call::Commit(..) | Call::Discard(..), _) => vec![Code::EArgument],
            _ => call.faults(&self.limits(number)),
        };
        let refusals = match self.open.get(&number).filter(|_| on_handle) {
            Some(Kind::Stream(stream)) => stream.refusals(call),
            Some(Kind::Spool { .. }) => match call {
                Call::Push(..) | Call::PushChunk(..) | Call::Run(..) | Call::Finalize(..) => vec![Code::EArgument],
                Call::Acquire(..) | Call::Commit(..) | Call::Discard(..) => vec![Code::EArgument],
                Call::SetRegion(..) | Call::ReadRegion(..) => vec![Code::EArgument],
                _ => Vec::new(),
            },
            None => match call {
                Call::Resume(_) if !self.has_spool => vec![Code::ENotFound],
                _ => Vec::new(),
            },
        };
        let wrong = [faults, refusals].concat();
        if wrong.is_empty() { self.good_answers(call, number) } else { wrong }
    }

    /// Of a call about a node, whose handle is open.
    fn node_answers(&self, call: &Call, instance: &Instance) -> Vec<Code> {
        let Instance::Is(node) = instance else { return [call.faults(&WIDEST), vec![Code::EArgument]].concat() };
        let is_reserved = self.nodes.contains_key(node);
        let is_good = match call {
            Call::Reserve(_) => true,
            Call::Attach(..) => is_reserved,
            Call::InitOnNode(..) => {
                let faults = call.faults(&WIDEST);
                return match (faults.is_empty(), is_reserved) {
                    (true, true) => vec![Code::Ok],
                    (_, true) => faults,
                    _ => [faults, vec![Code::EArgument]].concat(),
                };
            }
            _ => is_reserved || *node == 0,
        };
        vec![if is_good { Code::Ok } else { Code::EArgument }]
    }

    /// Of a call with which nothing is wrong.
    fn good_answers(&self, call: &Call, number: u64) -> Vec<Code> {
        let phase = match self.open.get(&number) {
            Some(Kind::Stream(stream)) => stream.phase,
            Some(Kind::Spool { phase }) => *phase,
            None => Phase::Open,
        };
        match call {
            Call::Flush(_, timeout_ms) | Call::Finalize(_, timeout_ms) => match phase {
                Phase::Aborted => vec![Code::EAborted],
                Phase::Unsure => vec![Code::Ok, Code::WPending, Code::EAborted],
                _ if waits(*timeout_ms) => vec![Code::Ok],
                _ => vec![Code::Ok, Code::WPending],
            },
            Call::NextEvent(..) if matches!(phase, Phase::Aborted | Phase::Unsure) => {
                vec![Code::Ok, Code::WTruncated, Code::EAborted]
            }
            Call::NextEvent(..) => vec![Code::Ok, Code::WTruncated],
            Call::Text(..) => vec![Code::Ok, Code::WTruncated, Code::WPending],
            // Pending: frames are left in a spool.
            Call::Shutdown(_) => vec![Code::Ok, Code::WPending],
            _ => vec![Code::Ok],
        }
    }

    /// The call has answered so; `frames` are what it gave if it was taken.
    pub fn learn(&mut self, call: &Call, number: u64, code: i32, opened: u64, frames: impl FnOnce() -> Vec<Print>) {
        let is_ok = code == Code::Ok as i32;
        match call {
            Call::Init(opening) | Call::InitOnNode(opening, _) if is_ok => {
                let name = format!("misuse-{}", self.handles.len());
                self.handles.push(opened);
                let twin = self.open.insert(opened, Kind::Stream(Stream::new(name, opening.limits())));
                assert!(twin.is_none(), "handle {opened:#x} is given twice");
                self.has_spool = true;
                if let Call::InitOnNode(_, Instance::Is(node)) = call {
                    self.nodes.get_mut(node).expect("it is reserved").1.push(opened);
                }
            }
            Call::Resume(_) if is_ok => {
                self.handles.push(opened);
                let twin = self.open.insert(opened, Kind::Spool { phase: Phase::Closed });
                assert!(twin.is_none(), "handle {opened:#x} is given twice");
            }
            Call::Acquire(..) => {
                let Some(stream) = self.stream_mut(number) else { return };
                if is_ok {
                    let way = stream.way_of_push();
                    stream.way.get_or_insert(way);
                } else if is_rejection(code) {
                    stream.rejected += 1;
                }
            }
            Call::Discard(_, Address::Is(address)) if is_ok => {
                self.held.remove(&(number, *address)).expect("it was held");
            }
            Call::Push(_, push) | Call::Commit(_, _, push) => {
                if let Call::Commit(_, Address::Is(address), _) = call
                    && is_ok
                {
                    self.held.remove(&(number, *address)).expect("it was held");
                }
                let Some(stream) = self.stream_mut(number) else { return };
                if is_ok {
                    let way = stream.way_of_push();
                    stream.way.get_or_insert(way);
                    let (width, height) = push.picture.kept(&stream.limits);
                    stream.takes(width, height, frames());
                    stream.incomplete += u64::from(push.flags);
                } else if is_rejection(code) {
                    stream.rejected += 1;
                }
            }
            Call::PushChunk(_, chunk) => {
                let Some(stream) = self.stream_mut(number) else { return };
                if is_ok {
                    stream.way.get_or_insert(Way::Chunks);
                    let twin = stream.chunks.insert(chunk.index, frames());
                    assert!(twin.is_none(), "chunk {} is taken twice", chunk.index);
                    stream.sealed += 1;
                } else if is_rejection(code) {
                    stream.rejected += u64::from(chunk.count.min(stream.limits.chunk_size));
                }
            }
            Call::SetRegion(_, watched) if is_ok => {
                let Some(stream) = self.stream_mut(number) else { return };
                match watched.is_none() {
                    true => _ = stream.regions.remove(&watched.region),
                    false => _ = stream.regions.insert(watched.region),
                }
            }
            Call::Finalize(..) if code >= 0 => {
                if let Some(stream) = self.stream_mut(number) {
                    stream.close();
                    if is_ok {
                        stream.phase = Phase::Done;
                    }
                }
            }
            Call::Finalize(..) => {
                if let Some(stream) = self.stream_mut(number).filter(|_| code == Code::EAborted as i32) {
                    stream.phase = Phase::Aborted;
                }
            }
            Call::Abort(_) => self.abort(number),
            Call::Free(_) => self.free(number),
            Call::Reserve(Instance::Is(before)) => {
                let node = opened as usize;
                assert!(node != 0 && (node == *before || !self.nodes.contains_key(&node)), "node {node} is given twice");
                self.nodes.entry(node).or_default().0 += 1;
                self.numbers.push(node);
                self.numbers.drain(..self.numbers.len().saturating_sub(4));
            }
            Call::Attach(_, Instance::Is(node)) if is_ok => {
                self.nodes.values_mut().for_each(|(_, streams)| streams.retain(|stream| *stream != number));
                self.nodes.get_mut(node).expect("it is reserved").1.push(number);
            }
            Call::AbortNode(Instance::Is(node)) => {
                let streams = self.nodes.get(node).map(|(_, streams)| streams.clone());
                streams.into_iter().flatten().for_each(|stream| self.abort(stream));
            }
            Call::Unreserve(Instance::Is(node)) => {
                let Some((holders, _)) = self.nodes.get_mut(node) else { return };
                *holders -= 1;
                assert_eq!(opened as usize, if *holders == 0 { 0 } else { *node }, "what a node keeps");
                if *holders == 0 {
                    self.nodes.remove(node).into_iter().flat_map(|(_, streams)| streams).for_each(|stream| self.free(stream));
                }
            }
            Call::Shutdown(_) => self.open_handles().into_iter().for_each(|number| self.abort(number)),
            _ => {}
        }
    }

    /// A slot is acquired, and this was written there.
    pub fn holds(&mut self, number: u64, address: usize, written: Vec<u8>) {
        self.slots.push((number, address));
        let twin = self.held.insert((number, address), written);
        let apart = self.held.iter().all(|((_, other), bytes)| {
            *other == address || address + self.held[&(number, address)].len() <= *other || other + bytes.len() <= address
        });
        assert!(twin.is_none() && apart, "the slot {address:#x} is given twice");
    }

    fn free(&mut self, number: u64) {
        if let Some(Kind::Stream(stream)) = self.open.remove(&number) {
            self.freed.push(stream);
        }
    }

    fn abort(&mut self, number: u64) {
        match self.open.get_mut(&number) {
            Some(Kind::Stream(stream)) => {
                stream.seal();
                stream.phase = stream.phase.aborted();
            }
            Some(Kind::Spool { phase }) => *phase = phase.aborted(),
            None => {}
        }
    }

    /// A run whose source is one begins; whether it can be asked for frames.
    pub fn run_begins(&mut self, number: u64) -> bool {
        let Some(stream) = self.stream_mut(number) else { return false };
        if stream.phase != Phase::Open || stream.running || stream.way.is_some_and(|way| way != Way::Run) {
            return false;
        }
        stream.way = Some(Way::Run);
        stream.running = true;
        true
    }

    /// Whether the source is asked again.
    pub fn run_goes_on(&self, number: u64) -> bool {
        self.stream(number).is_some_and(|stream| stream.phase == Phase::Open)
    }

    /// What a run may return whose source has ended so; `None`: it was not asked for its end.
    pub fn run_ends(&mut self, number: u64, end: Option<i32>) -> Vec<Code> {
        let Some(stream) = self.stream_mut(number) else {
            // Freed meanwhile. It may have been over before it was freed.
            return match end {
                None => vec![Code::EClosed, Code::EAborted],
                Some(0) => vec![Code::Ok, Code::EClosed, Code::EAborted],
                Some(end) if end < 0 => vec![Code::EAborted],
                Some(_) => vec![Code::EArgument],
            };
        };
        stream.running = false;
        match end {
            None => stream.phase.refusals(),
            Some(0) => {
                let refusals = stream.phase.refusals();
                if stream.phase == Phase::Open {
                    stream.seal();
                }
                [vec![Code::Ok], refusals].concat()
            }
            Some(end) if end < 0 => {
                self.abort(number);
                vec![Code::EAborted]
            }
            Some(_) => vec![Code::EArgument],
        }
    }

    /// What the statistics of an open stream must say after any call.
    pub fn counts(&self, number: u64) -> Option<Vec<(Stat, u64)>> {
        let stream = self.stream(number)?;
        let mut counts = vec![
            (Stat::FramesAccepted, stream.accepted()),
            (Stat::FramesRejected, stream.rejected),
            (Stat::FramesIncomplete, stream.incomplete),
            (Stat::FramesDropped, 0),
            (Stat::FramesLost, 0),
            (Stat::ChunksLost, 0),
        ];
        if stream.phase == Phase::Done {
            counts.extend([
                (Stat::FramesConfirmed, stream.accepted()),
                (Stat::ChunksSealed, stream.sealed),
                (Stat::QueueFrames, 0),
            ]);
        }
        Some(counts)
    }
}

/// What is counted as rejected.
pub fn is_rejection(code: i32) -> bool {
    [Code::EArgument, Code::EFormat].iter().any(|rejection| *rejection as i32 == code)
}

impl Stream {
    pub fn new(name: String, limits: Limits) -> Stream {
        Stream {
            name,
            limits,
            phase: Phase::Open,
            way: None,
            running: false,
            frames: Vec::new(),
            chunks: BTreeMap::new(),
            rejected: 0,
            incomplete: 0,
            sealed: 0,
            chunk: None,
            frame_size: None,
            regions: BTreeSet::new(),
        }
    }

    /// Frames taken.
    pub fn accepted(&self) -> u64 {
        self.frames.len() as u64 + self.chunks.values().map(|chunk| chunk.len() as u64).sum::<u64>()
    }

    fn way_of_push(&self) -> Way {
        if self.running { Way::Run } else { Way::Frames }
    }

    /// What it refuses whatever the arguments are.
    fn refusals(&self, call: &Call) -> Vec<Code> {
        let mixing = |way: Way| self.way.is_some_and(|before| before != way);
        let closed = self.phase.refusals();
        let argument = |is_wrong: bool| if is_wrong { vec![Code::EArgument] } else { Vec::new() };
        match call {
            Call::Push(..) | Call::Acquire(..) | Call::Commit(..) => [closed, argument(mixing(self.way_of_push()))].concat(),
            Call::PushChunk(_, chunk) => {
                [closed, argument(mixing(Way::Chunks) || self.chunks.contains_key(&chunk.index))].concat()
            }
            Call::SetRegion(_, watched) => {
                let lies_in = self.frame_size.is_none_or(|(width, height)| watched.lies_in(width, height));
                [closed, argument(self.way == Some(Way::Chunks) || !lies_in)].concat()
            }
            Call::ReadRegion(_, reader) => argument(!self.regions.contains(&reader.region)),
            Call::Run(_, Source::Null) => closed,
            Call::Run(..) => [closed, argument(mixing(Way::Run) || self.running)].concat(),
            _ => Vec::new(),
        }
    }

    fn takes(&mut self, width: u32, height: u32, frames: Vec<Print>) {
        self.frames.extend(frames);
        self.frame_size = Some((width, height));
        if self.chunk.is_some_and(|(before, rows, _)| (before, rows) != (width, height)) {
            self.seal();
        }
        let (_, _, count) = self.chunk.get_or_insert((width, height, 0));
        *count += 1;
        if *count == self.limits.chunk_size {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if self.chunk.take().is_some() {
            self.sealed += 1;
        }
    }

    fn close(&mut self) {
        self.seal();
        if self.phase == Phase::Open {
            self.phase = Phase::Closed;
        }
    }
}

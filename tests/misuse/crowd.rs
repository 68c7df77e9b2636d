//! Many threads, one library, and handles that any of them opens, uses, ends and frees under the others: no answer may be one
//! that the call cannot have, and the account is exact.

use crate::call::{Address, Buffer, Call, Given, Handle, Instance, Limits, Opening, Source, Told, WIDEST, calls};
use crate::model::{Print, is_rejection, waits};
use crate::perform::{MESSAGES, perform, run};
use crate::support::host::Stream as Handed;
use crate::support::{Workshop, long_run, service};
use crate::watch::watched;
use crate::{Memory, arrive, memory_for, prints, received, shared, written};
use parking_lot::Mutex;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use rheed_stream::abi::look::{rheed_set_log, rheed_stats};
use rheed_stream::codes::{Code, Stat};
use rheed_stream::receiver::Receiver;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const THREADS: usize = 6;
/// Calls of a thread, before all meet and the account is made.
const TURN: usize = 150;
/// Handles that are played with at a time; the older ones are left alone.
const AT_HAND: usize = 5;

/// Plays so many calls.
pub fn play(wanted: u64) {
    let began = Instant::now();
    let (mut played, mut opened) = (0, 0);
    while played < wanted {
        let crowd = Crowd::gather();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| crowd.take_a_turn())).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        });
        crowd.settle();
        played += crowd.played.load(Ordering::Relaxed);
        opened += crowd.books.lock().handles.len();
    }
    long_run::figure(&format!(
        "misuse: {played} calls from {THREADS} threads at once on {opened} handles, every frame taken arrived once, {} s; the log callback heard {}",
        began.elapsed().as_secs(),
        MESSAGES.load(Ordering::Relaxed)
    ));
}

struct Crowd {
    workshop: Workshop,
    service: Receiver,
    books: Mutex<Books>,
    played: AtomicU64,
    /// Makes names and frames that none other has.
    next: AtomicU64,
}

#[derive(Default)]
struct Books {
    handles: Vec<u64>,
    /// Those whose free has returned.
    freed: HashSet<u64>,
    accounts: HashMap<u64, Account>,
    has_spool: bool,
    /// Slots that are acquired and in no thread's hands, and what was written there.
    held: Vec<(u64, usize, Vec<u8>)>,
    /// How many slots of each stream are acquired, or just being so.
    lent: HashMap<u64, usize>,
    /// Numbers that nodes were given.
    nodes: Vec<usize>,
    /// Those that a node may have ended.
    attached: HashSet<u64>,
}

/// What was answered on a stream's handle.
struct Account {
    name: String,
    limits: Limits,
    frames: Vec<Print>,
    chunks: BTreeMap<u64, Vec<Print>>,
    dropped: u64,
    rejected: u64,
    incomplete: u64,
}

impl Account {
    fn accepted(&self) -> u64 {
        self.frames.len() as u64 + self.chunks.values().map(|chunk| chunk.len() as u64).sum::<u64>()
    }
}

impl Crowd {
    fn gather() -> Crowd {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let crowd = Crowd { workshop, service, books: Mutex::default(), played: AtomicU64::new(0), next: AtomicU64::new(1) };
        let buffer = Buffer { is_null: true, size: 0, others_are_null: true };
        for variant in [0, 2] {
            let opening = Opening { options: Told::Good(variant), handle_is_null: false, message: buffer.clone() };
            crowd.play(&Call::Init(opening));
        }
        crowd
    }

    fn take_a_turn(&self) {
        let mut runner = TestRunner::new(Config::default());
        let turn = calls(TURN..=TURN).new_tree(&mut runner).expect("calls can be made").current();
        turn.iter().for_each(|call| self.play(call));
    }

    fn play(&self, call: &Call) {
        self.played.fetch_add(1, Ordering::Relaxed);
        let unique = self.next.fetch_add(1, Ordering::Relaxed);
        let (number, limits) = {
            let books = self.books.lock();
            let at_hand = &books.handles[books.handles.len().saturating_sub(AT_HAND)..];
            let number = call.handle().map_or(0, |handle| far_off(handle).number(at_hand));
            let limits = books.accounts.get(&number).map_or(WIDEST, |account| account.limits);
            (number, limits)
        };
        let (call, taken) = self.books.lock().shortened(call, number, &limits);
        let call = &call;
        let in_hand = taken.as_ref().map(|(_, written)| written);
        let allowed = self.books.lock().allowed(call, number, &limits, in_hand);
        if let Call::Run(_, Source::Calls(script, end)) = call {
            let code = self.run(call, number, script, *end);
            return judge(call, number, code, &allowed);
        }
        let memory = match &taken {
            Some((address, written)) => Memory::of_slot(*address, Some(written)),
            None => memory_for(call, unique),
        };
        let name = format!("crowd-{unique}");
        let mut options = shared(&self.service, &self.workshop);
        options.push(format!("stream_name={name}"));
        let answer = watched(call, number, || perform(call, number, &memory, &options));
        judge(call, number, answer.code, &allowed);
        let frames = if answer.code == Code::Ok as i32 { prints(call, &memory, &limits) } else { Vec::new() };
        let is_ok = answer.code == Code::Ok as i32;
        let held = match call {
            Call::Acquire(_, acquire) if is_ok => {
                let address = answer.opened as usize;
                Some((address, written(address, acquire.bytes as usize, unique)))
            }
            Call::Commit(..) | Call::Discard(..) if !is_ok => taken,
            _ => None,
        };
        let mut books = self.books.lock();
        books.note(call, number, answer.code, answer.opened, name, frames);
        let gives_back = match call {
            Call::Acquire(_, acquire) => acquire.bytes != 0 && !is_ok,
            Call::Commit(..) | Call::Discard(..) => is_ok,
            _ => false,
        };
        if gives_back && let Some(lent) = books.lent.get_mut(&number) {
            *lent -= 1;
        }
        books.held.extend(held.map(|(address, written)| (number, address, written)));
    }

    fn run(&self, call: &Call, number: u64, script: &[Call], end: i32) -> i32 {
        let mut failed = None;
        let ask = |index: u64| {
            // Nothing may unwind through the library.
            let step = catch_unwind(AssertUnwindSafe(|| match script.get(index as usize) {
                Some(step) => {
                    self.play(step);
                    1
                }
                None => end,
            }));
            step.unwrap_or_else(|panic| {
                failed = Some(panic);
                -1
            })
        };
        let code = watched(call, number, || run(number, ask));
        if let Some(panic) = failed {
            resume_unwind(panic);
        }
        code
    }

    /// When all have met: the statistics are what was answered, and what was taken arrives.
    fn settle(&self) {
        let held = std::mem::take(&mut self.books.lock().held);
        for (number, address, written) in held {
            let discard = Call::Discard(Handle::MadeUp(number), Address::Is(address));
            Memory::of_slot(address, Some(&written));
            judge(&discard, number, perform(&discard, number, &[], &[]).code, &[Code::Ok]);
        }
        let books = self.books.lock();
        for (number, account) in books.accounts.iter().filter(|(number, _)| !books.freed.contains(number)) {
            if books.attached.contains(number) && rheed_stats(*number, ptr::null_mut(), 0, ptr::null_mut()) != Code::Ok as i32 {
                continue; // Its node has freed it.
            }
            let stats = ManuallyDrop::new(Handed(*number)).stats();
            let counted = |stat: Stat| stats[stat as usize] as u64;
            assert_eq!(counted(Stat::FramesAccepted), account.accepted(), "{}", account.name);
            assert_eq!(counted(Stat::FramesDropped), account.dropped, "{}", account.name);
            assert_eq!(counted(Stat::FramesRejected), account.rejected, "{}", account.name);
            assert_eq!(counted(Stat::FramesIncomplete), account.incomplete, "{}", account.name);
            assert_eq!(counted(Stat::FramesLost), 0, "{}", account.name);
        }
        for number in &books.handles {
            drop(Handed(*number)); // Some are freed twice.
        }
        rheed_set_log(None, ptr::null_mut(), 0);
        let accounts: HashMap<&str, &Account> = books.accounts.values().map(|account| (&*account.name, account)).collect();
        arrive(&self.service, &self.workshop, &accounts.iter().map(|(name, account)| (*name, account.accepted())).collect());
        for record in self.service.streams() {
            // One whose init was cut short by a shutdown may have been created; it has no frames.
            let Some(account) = accounts.get(&*record.name) else { continue };
            let (mut frames, chunks) = received(&record, !account.chunks.is_empty());
            let mut taken = account.frames.clone();
            frames.sort_unstable();
            taken.sort_unstable();
            assert!(frames == taken, "the frames of {} are others", account.name);
            assert!(chunks == account.chunks, "the chunks of {} are others", account.name);
        }
    }
}

/// A handle with one of its lower bits flipped may be the next one, which another thread is just being given.
fn far_off(handle: &Handle) -> Handle {
    match handle {
        Handle::Flipped(at, bit) => Handle::Flipped(*at, bit | 32),
        other => other.clone(),
    }
}

/// Whoever waits for an event waits a moment: perhaps nobody is left to bring one.
fn shortened(call: &Call) -> Call {
    match call {
        Call::NextEvent(handle, timeout_ms, buffer) if waits(*timeout_ms) => Call::NextEvent(handle.clone(), 2, buffer.clone()),
        other => other.clone(),
    }
}

fn judge(call: &Call, number: u64, code: i32, allowed: &[Code]) {
    assert!(allowed.iter().any(|allowed| *allowed as i32 == code), "{call:?} on {number:#x} answers {code}, not {allowed:?}");
}

impl Books {
    /// The call, with a slot that nobody else has in hand, where it is about one; and no more slots than may be held.
    fn shortened(&mut self, call: &Call, number: u64, limits: &Limits) -> (Call, Option<(usize, Vec<u8>)>) {
        if let Some(instance) = call.instance() {
            return (call.about(instance.resolved(&self.nodes[self.nodes.len().saturating_sub(AT_HAND)..])), None);
        }
        let mut taken = None;
        let mut resolved = |address: &Address| {
            let own = |at: usize| {
                let of_stream: Vec<usize> = (0..self.held.len()).filter(|index| self.held[*index].0 == number).collect();
                of_stream.get(at % of_stream.len().max(1)).copied()
            };
            match address {
                Address::Held(at) | Address::Elsewhere(at) => {
                    taken = own(*at).map(|index| self.held.swap_remove(index)).map(|(_, address, written)| (address, written));
                    Address::Is(taken.as_ref().map_or(4096, |(address, _)| *address))
                }
                // What lies between two slots is none, whoever has them.
                Address::Beside(at, _) => Address::Is(own(*at).map_or(1, |index| self.held[index].1 + 1)),
                Address::Is(number) => Address::Is(number | 1),
            }
        };
        let call = match call {
            Call::Commit(handle, address, push) => Call::Commit(handle.clone(), resolved(address), push.clone()),
            Call::Discard(handle, address) => Call::Discard(handle.clone(), resolved(address)),
            Call::Acquire(handle, acquire) => {
                let mut acquire = acquire.clone();
                let lent = self.lent.entry(number).or_default();
                if *lent >= limits.slots_to_hold() {
                    acquire.bytes = 0;
                }
                *lent += usize::from(acquire.bytes != 0);
                Call::Acquire(handle.clone(), acquire)
            }
            other => shortened(other),
        };
        (call, taken)
    }

    /// What a call may answer, whatever the other threads do meanwhile.
    fn allowed(&self, call: &Call, number: u64, limits: &Limits, in_hand: Option<&Vec<u8>>) -> Vec<Code> {
        use Code::*;
        if matches!(call, Call::Discard(..)) {
            // A slot can be given back whatever becomes of its stream.
            return if in_hand.is_some() { vec![Ok] } else { vec![EArgument, EHandle] };
        }
        let on_handle = call.handle().is_some();
        if on_handle && (self.freed.contains(&number) || !self.handles.contains(&number)) {
            return vec![EHandle];
        }
        if let Some(instance) = call.instance() {
            return match (call, instance) {
                (Call::Reserve(_), Instance::Is(_)) | (Call::AbortNode(_) | Call::Unreserve(_), Instance::Is(0)) => vec![Ok],
                (Call::Attach(..), Instance::Is(node)) if self.nodes.contains(node) => vec![Ok, EArgument, EHandle],
                (Call::Attach(..), _) => vec![EArgument, EHandle],
                (Call::InitOnNode(..), Instance::Is(node)) if self.nodes.contains(node) => {
                    let faults = call.faults(limits);
                    if faults.is_empty() { vec![Ok, EArgument, EAborted] } else { [faults, vec![EArgument]].concat() }
                }
                (Call::InitOnNode(..), _) => [call.faults(limits), vec![EArgument]].concat(),
                (_, Instance::Is(node)) if self.nodes.contains(node) => vec![Ok, EArgument],
                _ => vec![EArgument],
            };
        }
        let meanwhile: &[Code] = match call {
            Call::Push(..) | Call::PushChunk(..) | Call::Run(..) | Call::Acquire(..) | Call::Commit(..) | Call::SetRegion(..) => {
                &[EHandle, EClosed, EAborted, EArgument]
            }
            Call::ReadRegion(..) => &[EHandle, EArgument],
            Call::Flush(..) => &[EHandle, EAborted, WPending],
            Call::Finalize(..) => &[EHandle, EAborted, WPending, EArgument],
            Call::NextEvent(..) => &[EHandle, EAborted, WTruncated],
            Call::Text(..) => &[EHandle, WTruncated, WPending],
            Call::Init(_) => &[EAborted],
            Call::Resume(_) if !self.has_spool => &[ENotFound],
            Call::Shutdown(_) => &[WPending],
            _ if on_handle => &[EHandle],
            _ => &[],
        };
        let faults = match (call, in_hand) {
            (Call::Commit(_, _, push), Some(written)) => Given::faults(&push.in_slot(written.len()), limits),
            (Call::Commit(..), None) => vec![EArgument],
            _ => call.faults(limits),
        };
        let good: &[Code] = match call {
            _ if !faults.is_empty() => &[],
            Call::Push(..) | Call::Acquire(..) | Call::Commit(..) => &[Ok, EQueueFull],
            _ => &[Ok],
        };
        [&faults, good, meanwhile].concat()
    }

    fn note(&mut self, call: &Call, number: u64, code: i32, opened: u64, name: String, frames: Vec<Print>) {
        let is_ok = code == Code::Ok as i32;
        match call {
            Call::Init(opening) | Call::InitOnNode(opening, _) if is_ok => {
                self.handles.push(opened);
                self.has_spool = true;
                let (frames, chunks) = (Vec::new(), BTreeMap::new());
                let account = Account { name, limits: opening.limits(), frames, chunks, dropped: 0, rejected: 0, incomplete: 0 };
                let twin = self.accounts.insert(opened, account);
                assert!(twin.is_none(), "handle {opened:#x} is given twice");
                if matches!(call, Call::InitOnNode(..)) {
                    self.attached.insert(opened);
                }
            }
            Call::Resume(_) if is_ok => self.handles.push(opened),
            Call::Reserve(_) if is_ok => self.nodes.push(opened as usize),
            Call::Attach(..) if is_ok => _ = self.attached.insert(number),
            Call::Free(_) if is_ok => assert!(self.freed.insert(number), "handle {number:#x} is freed twice"),
            Call::Acquire(..) => {
                let Some(account) = self.accounts.get_mut(&number) else { return };
                account.dropped += u64::from(code == Code::EQueueFull as i32);
                account.rejected += u64::from(is_rejection(code));
            }
            Call::Push(_, push) | Call::Commit(_, _, push) => {
                let Some(account) = self.accounts.get_mut(&number) else { return };
                account.frames.extend(frames);
                account.incomplete += if is_ok { push.flags.into() } else { 0 };
                account.dropped += u64::from(code == Code::EQueueFull as i32);
                account.rejected += u64::from(is_rejection(code));
            }
            Call::PushChunk(_, chunk) => {
                let Some(account) = self.accounts.get_mut(&number) else { return };
                if is_ok {
                    let twin = account.chunks.insert(chunk.index, frames);
                    assert!(twin.is_none(), "chunk {} is taken twice", chunk.index);
                } else if is_rejection(code) {
                    account.rejected += u64::from(chunk.count.min(account.limits.chunk_size));
                }
            }
            _ => {}
        }
    }
}

//! A C host that pushes at 120 fps is killed with SIGKILL at random moments, and so are those that take up what it left. What had
//! reached the disk arrives all the same; what is lost is a tail, no longer than what the slots hold.
//!
//! `RHEED_TORTURE_KILLS` says how many hosts are killed, `RHEED_TORTURE_SEED` which of all possible nights they have: a failure
//! names the seed of its night, with which that night alone comes again.
#![cfg(feature = "receiver")]

mod support;

use fastrand::Rng;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use support::host::{OK, Stream};
use support::long_run::{figure, several_at_a_time, times};
use support::night::{self, FPS, Night, arrived, reached, the_stream_of};
use support::spool::{set_aside, streams, with};
use support::{PATIENCE_MS, Workshop, service};

/// Memory that a host may use for its slots.
const QUEUE_BYTES: u64 = 4 << 20;

/// What a host does when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// It opens its stream.
    Opening,
    /// It fills a long chunk.
    Streaming,
    /// It seals a chunk after every second frame.
    Sealing,
    /// It uploads over a slow line.
    Uploading,
    /// It finalizes.
    Finalizing,
    /// As in streaming; and those that take its spool up are killed again and again.
    Recovering,
}

const MOMENTS: [Moment; 6] =
    [Moment::Streaming, Moment::Sealing, Moment::Uploading, Moment::Finalizing, Moment::Recovering, Moment::Opening];

/// How it stands with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Up,
    /// It goes away just before the kill, and is back for the last recovery.
    LostAtTheKill,
    /// It is there for the last recovery only.
    Down,
    /// Requests are cut off and refused all the time, until the last recovery.
    Flapping,
}

const NETWORKS: [Network; 4] = [Network::Up, Network::LostAtTheKill, Network::Down, Network::Flapping];

/// What happens to one spool. All of it follows from the seed, but for what the machine makes of the milliseconds.
#[derive(Debug)]
struct Plan {
    seed: u64,
    moment: Moment,
    network: Network,
    size: (u32, u32),
    /// For each host that is killed: how long it lives after what is waited for, and how many frames it would push.
    lives: Vec<(Duration, u64)>,
    /// For each recovery that is killed: how long it lives.
    recoveries: Vec<Duration>,
    options: Vec<String>,
    faults: String,
}

impl Plan {
    fn new(seed: u64) -> Plan {
        let mut random = Rng::with_seed(seed);
        let moment = MOMENTS[seed as usize % MOMENTS.len()];
        let network = NETWORKS[random.usize(..NETWORKS.len())];
        let ms = |random: &mut Rng, range: Range<u64>| Duration::from_micros(random.u64(1000 * range.start..1000 * range.end));
        let lives = (0..if random.u8(..4) == 0 { 3 } else { 1 })
            .map(|_| match moment {
                Moment::Opening => (ms(&mut random, 0..60), u64::MAX),
                Moment::Finalizing => (ms(&mut random, 0..120), random.u64(1..60)),
                Moment::Recovering => (ms(&mut random, 0..500), u64::MAX),
                _ => (ms(&mut random, 0..2500), u64::MAX),
            })
            .collect();
        let killed_recoveries = if moment == Moment::Recovering { random.usize(2..6) } else { random.usize(..2) };
        let recoveries = (0..killed_recoveries).map(|_| ms(&mut random, 0..150)).collect();
        // A chunk is 240 frames long at least where 120 frames per second are declared.
        let chunks = match moment {
            Moment::Streaming | Moment::Opening => ["fps=120", "chunk_size=240"],
            Moment::Sealing => ["fps=1", "chunk_size=2"],
            _ => ["fps=5", "chunk_size=10"],
        };
        let queue = format!("queue_bytes={QUEUE_BYTES}");
        let clock = if random.bool() { "clock_sync=on" } else { "clock_sync=off" };
        // With such a compression the encoder does not keep up with large frames: the slots are full.
        let level = if random.u8(..6) == 0 { "compression_level=19" } else { "compression_level=1" };
        let options = [chunks[0], chunks[1], &queue, clock, level].map(String::from).to_vec();
        let slow = match moment {
            Moment::Uploading => "put:bytes_per_s=300000\n",
            Moment::Finalizing => "put:delay_ms=10\nend:delay_ms=30\n",
            Moment::Recovering => "put:delay_ms=20\n",
            _ => "",
        };
        let flapping =
            "any:cut=request,chance=0.1\nany:status=503,chance=0.1\nput:cut=20000,chance=0.2\nput:cut=answer,chance=0.2\n";
        let faults = format!("{}{slow}", if network == Network::Flapping { flapping } else { "" });
        let size = [(64, 48), (160, 120), (320, 240), (640, 480)][random.usize(..4)];
        Plan { seed, moment, network, size, lives, recoveries, options, faults }
    }

    /// As many frames as a host holds in memory.
    fn slots(&self) -> u64 {
        QUEUE_BYTES / (u64::from(self.size.0) * u64::from(self.size.1))
    }
}

/// Says which night it was when a check fails.
impl Drop for Plan {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("It can be played again with RHEED_TORTURE_SEED={}: {self:?}", self.seed);
        }
    }
}

/// What was found.
#[derive(Default)]
struct Toll {
    /// Hosts killed while they opened, streamed and so on.
    hosts: [u64; MOMENTS.len()],
    /// The same by the network.
    networks: [u64; NETWORKS.len()],
    recoveries: u64,
    accepted: u64,
    refused: u64,
    /// Of each host that was killed: frames that were accepted and did not arrive, and whether its slots had been full.
    lost: Vec<(u64, bool)>,
    /// Streams that the service made for hosts that never heard of it.
    orphans: u64,
}

/// Plays one night.
fn play(plan: &Plan, host: &Path, toll: &Mutex<Toll>) {
    let workshop = Workshop::new();
    let mut service = service::start_with(&workshop, |settings| settings.clock_offset_ms = 7000.0);
    service.set_faults(&plan.faults).expect("rules");
    let mut is_up = true;
    if plan.network == Network::Down {
        service.stop();
        is_up = false;
    }
    let way: Vec<String> = service::options(&service, &workshop)
        .into_iter()
        .filter(|line| line != "clock_sync=off")
        .chain(plan.options.clone())
        .collect();
    let account = |name: String| workshop.path().join(name);

    let mut hosts = Vec::new();
    for (number, &(life, frames)) in plan.lives.iter().enumerate() {
        let name = format!("host {number}");
        let options = with(way.clone(), &[&format!("stream_name={name}")]);
        let mut night = Night::stream(host, account(name.clone()), frames, plan.size, &options);
        match plan.moment {
            Moment::Opening => {}
            Moment::Finalizing => night.wait_until("the last frame is pushed", |account| account.finalizing),
            _ => night.wait_until("a frame is taken", |account| account.accepted > 0),
        }
        std::thread::sleep(life); // A random moment: nothing is waited for.
        if is_up && plan.network == Network::LostAtTheKill {
            service.stop();
            is_up = false;
        }
        let (killed, account) = night.kill();
        let reached = reached(&service, &workshop.spool(), &name, plan.size);
        assert!(killed || reached == account.accepted, "{name} ended well: {account:?}, {reached} frames are there");
        assert!(reached <= account.begun && account.accepted <= reached + plan.slots(), "{account:?}, {reached} are there");
        hosts.push((name, killed, account, reached));
    }

    let resume = [way.iter().filter(|line| is_of_resume(line)).cloned().collect(), vec!["max_workers=2".to_string()]].concat();
    // One that is killed early enough has not made it yet.
    let is_spool = || workshop.spool().join("streams").exists();
    let mut killed_recoveries = 0;
    for (number, life) in plan.recoveries.iter().enumerate().filter(|_| is_spool()) {
        let mut night = Night::resume(host, account(format!("recovery {number}")), &resume);
        night.wait_until("the recovery has begun", |account| account.opened);
        std::thread::sleep(*life);
        killed_recoveries += u64::from(night.kill().0);
    }

    if !is_up {
        service = service::start_again(&service, &workshop, "");
    }
    service.set_faults("").expect("no rules");
    if is_spool() {
        let resumed = Stream::resume(&resume);
        assert_eq!(resumed.flush(PATIENCE_MS), OK);
    }
    assert_eq!(set_aside(&workshop.spool()), [] as [PathBuf; 0]);
    // A host that dies while it makes its folder leaves one without a name, which is removed by and by.
    assert!(streams(&workshop.spool()).iter().all(|folder| folder.to_string_lossy().contains("/.new-")));

    let mut toll = toll.lock().expect("no night fails while it counts");
    let place = |kinds: &[Moment]| kinds.iter().position(|kind| *kind == plan.moment).expect("it is one of them");
    for (name, killed, account, reached) in hosts {
        let (found, orphans) = the_stream_of(&service, &name);
        let arrived = found.map_or(0, |stream| arrived(&stream, plan.size));
        assert_eq!(arrived, reached, "{name}: {account:?}");
        toll.hosts[place(&MOMENTS)] += u64::from(killed);
        toll.networks[NETWORKS.iter().position(|kind| *kind == plan.network).expect("it is one of them")] += u64::from(killed);
        toll.accepted += account.accepted;
        toll.refused += account.refused;
        toll.lost.extend(killed.then_some((account.accepted.saturating_sub(arrived), account.refused > 0)));
        toll.orphans += orphans;
    }
    toll.recoveries += killed_recoveries;
}

/// Options of a stream alone are none of a recovery's.
fn is_of_resume(line: &str) -> bool {
    !["fps=", "chunk_size=", "queue_bytes=", "compression_level="].iter().any(|key| line.starts_with(key))
}

#[test]
fn killed_at_any_moment_a_host_loses_what_was_in_its_slots_and_nothing_that_had_reached_the_disk() {
    let workshop = Workshop::new();
    let host = night::build(&workshop, "night");
    let (first, nights) = match std::env::var("RHEED_TORTURE_SEED") {
        Ok(seed) => (seed.parse().expect("RHEED_TORTURE_SEED is a number"), 1),
        Err(_) => (fastrand::u64(..1 << 32), usize::MAX),
    };
    let kills = times("RHEED_TORTURE_KILLS", 10);
    let (toll, began) = (Mutex::new(Toll::default()), Instant::now());
    let enough = || toll.lock().is_ok_and(|toll| toll.hosts.iter().sum::<u64>() >= kills);
    several_at_a_time((first..).take(nights).take_while(|_| !enough()), |seed| play(&Plan::new(seed), &host, &toll));
    tell(&toll.into_inner().expect("no night has failed"), first, began.elapsed());
}

/// Leaves the figures.
fn tell(toll: &Toll, seed: u64, took: Duration) {
    let hosts: u64 = toll.hosts.iter().sum();
    figure(&format!(
        "killed: {hosts} hosts at {FPS} fps, {} recoveries, in {} s (seeds from {seed})",
        toll.recoveries,
        took.as_secs()
    ));
    let moments: Vec<String> = MOMENTS.iter().zip(toll.hosts).map(|(moment, hosts)| format!("{moment:?} {hosts}")).collect();
    let networks: Vec<String> = NETWORKS.iter().zip(toll.networks).map(|(kind, hosts)| format!("{kind:?} {hosts}")).collect();
    figure(&format!("killed: while {}", moments.join(", ")));
    figure(&format!("killed: with the network {}", networks.join(", ")));
    figure(&format!(
        "killed: {} frames accepted, {} refused for want of a slot, {} empty streams at the service that nobody knew of",
        toll.accepted, toll.refused, toll.orphans
    ));
    for (which, were_full) in [("slots that were never full", false), ("full slots", true)] {
        let mut lost: Vec<u64> = toll.lost.iter().filter(|(_, full)| *full == were_full).map(|(lost, _)| *lost).collect();
        lost.sort_unstable();
        let Some(last) = lost.len().checked_sub(1) else { continue };
        let at = |share: usize| lost[(lost.len() * share / 100).min(last)];
        let ms = at(100) * 1000 / FPS;
        figure(&format!(
            "killed: {} hosts with {which} lost, of what they had accepted, frames each: least {}, median {}, 90 % {}, 99 % {}, most {} \
             ({ms} ms of the camera)",
            lost.len(),
            at(0),
            at(50),
            at(90),
            at(99),
            at(100)
        ));
        for range in [0..1, 1..2, 2..4, 4..8, 8..16, 16..32, 32..u64::MAX] {
            let hosts = lost.iter().filter(|lost| range.contains(lost)).count();
            if hosts > 0 {
                let most = lost.iter().filter(|lost| range.contains(lost)).max().unwrap_or(&0);
                figure(&format!("killed:   {} to {most} frames lost by {hosts}", range.start));
            }
        }
    }
}

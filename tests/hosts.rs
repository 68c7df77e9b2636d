//! Hosts that do what programs do beside streaming: fork, exit, run out of things, are signalled, change what a process has once.
//! Each is a C program of `tests/c` in a process of its own; what it says was taken is then looked for at the service, bit for bit.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::receiver::{Receiver, StreamRecord};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use support::aftermath;
use support::frames::numbers;
use support::host::{FRAME_BYTES, Stream};
use support::spool::{entries, set_aside, streams};
use support::{Dialect, Ended, HANGS_AFTER, Linked, Workshop, long_run, root, run, service, skip, start};

/// A host beside its service.
struct Scene {
    workshop: Workshop,
    service: Receiver,
    program: PathBuf,
}

impl Scene {
    fn of(host: &str) -> Scene {
        Scene::with(host, Linked::Shared)
    }

    fn with(host: &str, linked: Linked) -> Scene {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = workshop.build(&Dialect::c("c11"), &root().join("tests/c").join(host).with_extension("c"), linked);
        Scene { workshop, service, program }
    }

    fn options(&self) -> Vec<String> {
        support::spool::with(service::options(&self.service, &self.workshop), &["fps=10"])
    }

    /// The arguments before its options.
    fn arguments(&self, before: &[&str]) -> Vec<String> {
        before.iter().map(|argument| argument.to_string()).chain(self.options()).collect()
    }

    /// Runs it to its end, which has to be a good one.
    #[track_caller]
    fn play(&self, before: &[&str]) -> Ended {
        run(&self.program, self.arguments(before)).well()
    }

    /// What is left in the spool is sent: the morning after.
    #[track_caller]
    fn resume(&self) {
        aftermath::resume(&self.service, &self.workshop);
    }

    /// How many frames of each stream have come: whole, in order, each once. Sorted.
    #[track_caller]
    fn arrived(&self, frame_bytes: usize) -> Vec<u64> {
        aftermath::arrived(&self.service, frame_bytes)
    }
}

/// How often what may go wrong at any moment is done again.
fn rounds() -> u64 {
    long_run::times("RHEED_TORTURE_HOSTS", 1)
}

#[test]
fn a_host_that_dies_of_sigpipe_lives_through_cut_connections_and_a_closed_console() {
    const STREAMS: usize = 48;
    const CHUNKS: u64 = 13;
    let mut cuts = 0;
    for _ in 0..rounds() {
        let scene = Scene::of("cut_off");
        // Three of ten uploads: before, in the middle, after. What comes through between them ends the delays.
        scene.service.set_faults("put:cut=request,every=9\nput:cut=8000,every=9\nput:cut=answer,every=9").expect("rules");
        scene.play(&[&STREAMS.to_string(), &CHUNKS.to_string()]);
        assert_eq!(scene.arrived(32 * 32), [CHUNKS * 20; STREAMS]);
        cuts += scene.service.requests().iter().filter(|request| request.status == 0).count();
    }
    assert!(cuts as u64 > 200 * rounds(), "{cuts}");
    long_run::figure(&format!("hosts: {cuts} connections cut under a process that SIGPIPE would kill: it lives, no frame lost"));
}

#[test]
fn a_host_may_fork_anywhere_and_no_child_harms_it() {
    let scene = Scene::of("forks_anywhere");
    scene.play(&[]);
    assert_eq!(scene.arrived(FRAME_BYTES), [120; 4 + 3 * 3]);
}

#[test]
fn the_library_may_be_loaded_and_unloaded_a_hundred_times() {
    for _ in 0..rounds() {
        let scene = Scene::with("reloaded", Linked::No);
        let library = scene.workshop.shared_library().display().to_string();
        let said = scene.play(&[&library, "100"]).out;
        scene.resume();
        assert_eq!(scene.arrived(FRAME_BYTES), [30; 1 + 100 + 10]);
        long_run::figure(&format!("hosts: loaded and unloaded 100 times: {}", said.trim()));
    }
}

#[test]
fn a_host_may_end_in_any_way_at_any_moment_and_the_next_one_sends_what_it_left() {
    const WAYS: [&str; 10] = [
        "return",
        "exit-on-a-thread",
        "end-of-the-main-thread",
        "_exit",
        "quick_exit",
        "exit-in-source",
        "exit-in-log",
        "_exit-in-log",
        "shutdown-at-exit",
        "finalize-at-exit",
    ];
    let times = 5 * rounds();
    for way in WAYS {
        let scene = Scene::of("exits");
        for _ in 0..times {
            scene.play(&[way]);
        }
        scene.resume();
        let arrived = scene.arrived(FRAME_BYTES);
        assert_eq!(aftermath::streams_that_brought(&scene.service, way, 51), times, "{way}: {arrived:?}");
    }
    long_run::figure(&format!("hosts: {times} ends in each of {} ways, all with status 0", WAYS.len()));
}

#[test]
fn a_storm_of_signals_changes_no_answer_and_reaches_no_thread_of_the_library() {
    let scene = Scene::of("signal_storm");
    let handled: u64 = scene.play(&[]).out.trim().parse().expect("a number");
    assert!(handled > 1000, "{handled} signals are no storm");
    assert_eq!(scene.arrived(FRAME_BYTES), [400; 6]);
    long_run::figure(&format!("hosts: {handled} signals handled during 2,400 frames"));
}

#[test]
fn a_callback_may_call_every_function_and_none_waits_for_itself() {
    let scene = Scene::of("callbacks_inside");
    scene.play(&[]);
    scene.resume();
    let mut arrived = scene.arrived(FRAME_BYTES);
    arrived.retain(|frames| *frames != 45);
    assert_eq!(arrived, [1, 3 * 45], "the one that a log callback opened, and the one that it pushed to");
}

#[test]
fn calls_that_wait_are_ended_by_free_abort_shutdown_and_labview_with_the_code_that_the_header_gives() {
    for way in ["free", "abort", "shutdown", "labview_unreserve", "labview_abort"] {
        let scene = Scene::of("woken");
        scene.service.set_faults("presign:status=503").expect("a rule");
        scene.play(&[way, &scene.workshop.spool().display().to_string()]);
        scene.service.set_faults("").expect("no rules");
        let resumed = Stream::resume(&service::options(&scene.service, &scene.workshop));
        resumed.flush(-1);
        let mut frames: Vec<u64> = scene.service.streams().iter().map(StreamRecord::frames).collect();
        frames.sort_unstable();
        assert_eq!(frames, [0, 1, 25, 25, 25], "{way}");
    }
}

#[test]
fn a_vi_in_the_order_of_labviews_page_loses_nothing_however_it_ends() {
    for ends in ["finalizes", "forgets", "aborts"] {
        let scene = Scene::of("labview_vi");
        scene.play(&[ends]);
        if ends != "finalizes" {
            scene.resume();
        }
        assert_eq!(scene.arrived(FRAME_BYTES), [50], "{ends}");
    }
}

#[test]
fn labview_that_quits_without_a_shutdown_loses_no_more_than_the_queue_held_and_nothing_before_that() {
    let scene = Scene::of("labview_vi");
    scene.play(&["quits"]);
    scene.resume();
    // As the program has it.
    let (taken, queue_bytes) = (6000, 1 << 20);
    let arrived = scene.arrived(FRAME_BYTES);
    assert_eq!(arrived.len(), 1);
    assert!((taken - queue_bytes / FRAME_BYTES as u64..=taken).contains(&arrived[0]), "{arrived:?} of {taken}");
    long_run::figure(&format!("hosts: LabVIEW quits without a shutdown: {} of {taken} frames lost", taken - arrived[0]));
}

#[test]
fn two_hosts_share_a_spool_and_the_next_one_takes_up_what_the_killed_one_left() {
    let scene = Scene::of("streamer");
    let number = |line: String| line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("a number");
    let (mut lives, mut dies) = (start(&scene.program, scene.options()), start(&scene.program, scene.options()));
    let (mut of_the_living, mut last_words) = (lives.lines(), dies.lines());
    let said = last_words.nth(9).map(number).expect("it streams");
    dies.kill();
    let written_by_the_killed = last_words.last().map_or(said, number);
    assert!(of_the_living.nth(9).is_some(), "it streams on");

    let next = start(&scene.program, scene.options());
    assert!(scene.service.wait_until(HANGS_AFTER, |service| service.streams().iter().any(|stream| stream.ended)));
    next.finish().well();
    lives.finish().well();
    let taken_of_the_living = of_the_living.last().map(number).expect("it says how many it finalized");
    let arrived = scene.arrived(FRAME_BYTES);
    assert_eq!(arrived.len(), 3, "{arrived:?}");
    assert!(arrived.contains(&taken_of_the_living), "{arrived:?}: {taken_of_the_living} were taken");
    assert!(arrived.iter().any(|frames| *frames >= written_by_the_killed), "{arrived:?}: {written_by_the_killed} were written");
}

#[test]
fn sixty_four_streams_at_once_in_one_process_are_sixty_four_streams() {
    let scene = Scene::of("many_streams");
    let said = scene.play(&["64", "200"]).out;
    assert_eq!(scene.arrived(64 * 64), [200; 64]);
    assert_eq!(streams(&scene.workshop.spool()), [] as [PathBuf; 0]);
    long_run::figure(&format!("hosts: 64 streams of 200 frames at once: {}", said.trim()));
}

#[test]
fn without_open_files_an_init_says_so_and_a_stream_goes_on_when_there_are_some_again() {
    let scene = Scene::of("files_run_out");
    let frames: u64 = scene.play(&[]).out.trim().parse().expect("a number");
    scene.resume();
    let arrived = scene.arrived(FRAME_BYTES);
    assert_eq!(arrived.last(), Some(&frames));
    assert_eq!(arrived.iter().sum::<u64>(), frames, "the others had none");
}

#[test]
fn without_threads_an_init_says_so_and_a_stream_lives_on_those_that_it_has() {
    let scene = Scene::of("threads_run_out");
    scene.play(&[]);
    assert_eq!(scene.arrived(FRAME_BYTES), [50, 250]);
}

#[test]
fn who_waits_for_the_service_does_not_wait_until_the_disk_has_removed_a_file() {
    let scene = Scene::of("removal_hangs");
    scene.play(&["finalize"]);
    assert_eq!(scene.arrived(FRAME_BYTES), [20]);
}

#[test]
fn a_shutdown_waits_until_what_is_confirmed_is_removed_and_none_of_it_is_sent_again() {
    let scene = Scene::of("removal_hangs");
    scene.play(&["shutdown"]);
    scene.resume();
    assert_eq!(scene.arrived(FRAME_BYTES), [20]);
    assert_eq!(service::presigns(&scene.service).len(), 1);
}

#[test]
fn a_clock_that_is_set_by_a_day_harms_neither_frames_nor_what_was_set_aside() {
    let scene = Scene::of("clock_jumps");
    let (main, _) = clock_jumps(&scene, &scene.options(), || {});
    let found = numbers(&service::pixels(&main), FRAME_BYTES);
    assert!(found.iter().copied().eq(20..270), "{found:?}");
    for chunk in &main.chunks {
        let ms = chunk.end_unix_ms_utc - chunk.start_unix_ms_utc;
        assert!((ms - chunk.frames as f64 * 100.0).abs() < 1.0, "{chunk:?}");
    }
}

#[test]
fn chunks_bear_the_services_time_while_the_computers_clock_is_set_by_a_day() {
    let scene = Scene::of("clock_jumps");
    let mut options = scene.options();
    options.retain(|line| line != "clock_sync=off");
    let unix_ms = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64() * 1e3;
    let mut began_ms = 0.0;
    // The second exchange is begun when the first has been learned.
    let (main, set_by) = clock_jumps(&scene, &options, || {
        let measured = |service: &Receiver| service::requests_to(service, "GET", "/gateway/time").len() > 1;
        service::wait_until(&scene.service, "the clock is measured", measured);
        began_ms = unix_ms();
    });
    assert_eq!(main.chunks.len(), set_by.len());
    for (chunk, set_by_s) in main.chunks.iter().zip(set_by) {
        let (offset, bound) =
            (chunk.clock_offset_ms.expect("it is measured"), chunk.clock_uncertainty_ms.expect("so is its bound"));
        // Times are told in microseconds.
        assert!((offset + set_by_s * 1e3).abs() <= bound + 0.002, "set by {set_by_s} s: {chunk:?}");
        // An unstamped chunk begins a frame before its first push.
        let truth = began_ms - 100.0 - bound..chunk.received_unix_ms + bound;
        assert!(truth.contains(&chunk.start_unix_ms_utc), "set by {set_by_s} s, {truth:?}: {chunk:?}");
    }
}

/// Plays the host, which begins after `prepare`; the stream that it sends while the clock is set, and by how many seconds it had
/// been set at the first frame of each chunk.
#[track_caller]
fn clock_jumps(scene: &Scene, options: &[String], prepare: impl FnOnce()) -> (StreamRecord, Vec<f64>) {
    scene.service.set_faults("presign:status=422,chunk=0,times=1\nput:status=503,retry_after_date=1,every=5").expect("rules");
    let spool = scene.workshop.spool();
    let running = start(&scene.program, [&spool.display().to_string()].into_iter().chain(options));
    prepare();
    let told = running.finish().well().out;
    assert_eq!(set_aside(&spool).len(), 1);
    let streams = scene.service.streams();
    assert!(streams.iter().all(|stream| stream.ended));
    let main = streams.into_iter().max_by_key(StreamRecord::frames).expect("it streamed");
    (main, told.lines().map(|seconds| seconds.parse().expect("a number")).collect())
}

/// A locale whose decimal sign is a comma, made in the test's folder; none where its sources are missing.
fn comma(folder: &Path) -> &'static str {
    let mut command = std::process::Command::new("localedef");
    let made = command.args(["-i", "de_DE", "-f", "UTF-8"]).arg(folder.join("de_DE.UTF-8")).output();
    if made.is_ok() && folder.join("de_DE.UTF-8").is_dir() {
        return "de_DE.UTF-8";
    }
    skip("a locale with a decimal comma", "localedef does not make de_DE.UTF-8: its sources are in Debian's package locales");
    ""
}

#[test]
fn a_host_may_change_folder_locale_time_zone_environment_and_file_mask() {
    let scene = Scene::of("surroundings");
    let folder = scene.workshop.path();
    let comma = comma(folder);
    let (_, mut options): (Vec<String>, Vec<String>) =
        scene.options().into_iter().partition(|line| line.starts_with("spool_dir=") || line.starts_with("log_file="));
    options.push("spool_dir=spool".into());
    let before = [folder.display().to_string(), comma.to_string()];
    run(&scene.program, before.into_iter().chain(options)).well();
    assert_eq!(scene.arrived(FRAME_BYTES), [500]);
    let stream = service::only_stream(&scene.service);
    assert_eq!(stream.rotations_per_min, 7.5);
    let log = folder.join("here.log");
    assert!(std::fs::read_to_string(&log).expect("it lies where the host was").contains("finalized: 500 frames"));
    for file in [vec![log], entries(&scene.workshop.spool().join("reports")), entries(&scene.workshop.spool())].concat() {
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is for its owner only: {mode:o}", file.display());
    }
}

#[test]
fn a_host_without_a_console_prints_into_nothing_of_the_librarys() {
    let scene = Scene::of("console_closed");
    let found = scene.workshop.path().join("found");
    let program = &scene.program;
    run(program, scene.options().into_iter().chain([found.display().to_string()])).well();
    assert_eq!(std::fs::read_to_string(found).expect("it was written"), "");
    assert_eq!(scene.arrived(FRAME_BYTES), [200]);
}

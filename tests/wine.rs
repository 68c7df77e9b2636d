//! The DLL that is shipped, in programs of Windows: the hosts of `tests/c`, built by mingw, run under Wine, and streaming to the
//! receiver on this machine. What real Windows does otherwise than Wine is not seen here; docs/windows.md says what that is.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::receiver::Receiver;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use support::aftermath;
use support::host::FRAME_BYTES;
use support::night::{self, Night};
use support::promised::listed;
use support::proxy::Proxy;
use support::spool::{entries, streams, with};
use support::tls::{self, Authority};
use support::wine::{DLLTOOL, GCC, Linked, OBJDUMP, bench, on_a_server, run_to_its_end, windows, with_windows_paths};
use support::{Ended, HANGS_AFTER, MustSucceed, Workshop, long_run, root, run, service, start, tool};

/// Hosts that need no service.
const ALONE: [&str; 20] = [
    "arguments",
    "handles",
    "texts",
    "messages",
    "stats",
    "events",
    "chunks",
    "run",
    "closing",
    "shutdown",
    "freed_under_calls",
    "log",
    "two_streams",
    "exit_without_free",
    "many_lives",
    "zero_copy",
    "window",
    "plugin_host",
    "labview",
    "regions",
];

/// Hosts that stream to a service; each has a test below.
const SERVED: [&str; 19] = [
    "offline",
    "served",
    "refused",
    "aborted",
    "free_without_finalize",
    "callbacks_inside",
    "many_streams",
    "streamer",
    "exits",
    "night",
    "labview_vi",
    "virtual_instrument",
    "scanned",
    "code_page",
    "surroundings",
    "winsock_ended",
    "names_kept",
    "amiss",
    "device_clock",
];

/// Hosts that are Unix's by nature, and why.
const UNIX: [(&str, &str); 17] = [
    ("clock_jumps", "stands before clock_gettime"),
    ("console_closed", "gives the console's descriptors away; handles are no small numbers"),
    ("cost", "counts instructions under valgrind"),
    ("cut_off", "wants to die of SIGPIPE; connections are cut below all the same"),
    ("files_run_out", "lowers the process's own limit of open files"),
    ("fork", "forks"),
    ("fork_outlives", "forks"),
    ("forks_anywhere", "forks"),
    ("memory_runs_out", "stands before malloc"),
    ("no_allocation", "stands before malloc"),
    ("reloaded", "counts mappings in /proc; `virtual_instrument` loads and unloads here"),
    ("removal_hangs", "stands before unlink"),
    ("signal_storm", "sends signals"),
    ("signals", "looks at masks and handlers of signals"),
    ("struck", "stands before the system calls"),
    ("threads_run_out", "stands before pthread_create"),
    ("woken", "looks at threads in /proc, and lays a pipe in a file's place"),
];

/// A program of Windows beside its service.
struct Scene {
    workshop: Workshop,
    service: Receiver,
    program: PathBuf,
}

impl Scene {
    /// Not where this machine lacks what it takes.
    #[track_caller]
    fn of(host: &str) -> Option<Scene> {
        Scene::with(host, Linked::Shared)
    }

    #[track_caller]
    fn with(host: &str, linked: Linked) -> Option<Scene> {
        let bench = bench()?;
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = bench.build(&workshop, &root().join("tests/c").join(host).with_extension("c"), linked);
        Some(Scene { workshop, service, program })
    }

    fn options(&self) -> Vec<String> {
        with(with_windows_paths(service::options(&self.service, &self.workshop)), &["fps=10", "connect_timeout_ms=100000"])
    }

    #[track_caller]
    fn play(&self, before: &[&str]) -> Ended {
        let before = before.iter().map(|argument| argument.to_string());
        run(&self.program, before.chain(self.options())).well()
    }

    /// What is left in the spool is sent, by the library of this machine.
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

#[test]
fn every_host_is_played_on_windows_or_is_unixs_own() {
    let known: BTreeSet<&str> = ALONE.into_iter().chain(SERVED).chain(UNIX.iter().map(|(name, _)| *name)).collect();
    let hosts = entries(&root().join("tests/c")).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "c"));
    let hosts: BTreeSet<String> =
        hosts.map(|file| file.file_stem().expect("a file has a name").to_string_lossy().into_owned()).collect();
    assert!(hosts.iter().map(String::as_str).eq(known), "{hosts:?}");
    let tests = include_str!("wine.rs");
    for host in SERVED {
        let is_played = ["Scene::of", "Scene::with"].iter().any(|by| tests.contains(&format!("{by}({host:?}")));
        assert!(is_played, "no test plays {host}");
    }
    let told = format!("{} of the {} C programs", ALONE.len() + SERVED.len(), hosts.len());
    for page in ["docs/windows.md", "docs/reliability.md"] {
        let page = std::fs::read_to_string(root().join(page)).expect("the page is there");
        assert!(page.contains(&told), "{told}");
    }
}

#[test]
fn the_zip_holds_what_its_page_names() {
    let Some(bench) = bench() else { return };
    let page = std::fs::read_to_string(root().join("docs/windows.md")).expect("the page is there");
    let table = page.lines().skip_while(|line| !line.starts_with("| in the folder |")).skip(2);
    let cells = table.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let named = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(|path| path.replace('\\', "/"));
    let of_the_project =
        ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.md", "docs/windows.md", "examples_c/camera_callback.c"];
    let of_labview = ["README.md", "rheed_stream_labview.h", "rheed_stream-errors.txt"].map(|name| format!("labview/{name}"));
    let papers = of_the_project.map(String::from).into_iter().chain(of_labview);
    let all: Vec<String> = named.chain(papers.map(|name| format!("share/doc/rheed-stream/{name}"))).collect();
    assert!(all.len() > 15, "{all:?}");
    for path in all {
        assert!(bench.prefix.join(&path).exists(), "{path} is not in the zip");
    }
}

#[test]
fn the_dll_exports_what_is_promised_and_needs_nothing_but_windows() {
    let Some(bench) = bench() else { return };
    let told = Command::new(bench.tool(OBJDUMP)).arg("--private-headers").arg(bench.dll()).must_succeed();
    let table = told.lines().skip_while(|line| !line.contains("[Ordinal/Name Pointer] Table")).skip(1);
    let exported: BTreeSet<String> = table
        .take_while(|line| line.trim_start().starts_with('['))
        .filter_map(|line| Some(line.split_whitespace().last()?.to_owned()))
        .collect();
    assert_eq!(exported, promised());
    let in_every_windows: BTreeSet<String> = listed("abi/windows.txt").into_iter().flatten().collect();
    let needed: BTreeSet<String> =
        told.lines().filter_map(|line| line.trim().strip_prefix("DLL Name:")).map(|name| name.trim().to_lowercase()).collect();
    assert!(!needed.is_empty() && needed.is_subset(&in_every_windows), "{needed:?}");
    let size = std::fs::metadata(bench.dll()).expect("it is there").len();
    long_run::figure(&format!("wine: rheed_stream.dll has {size} bytes"));
}

#[test]
fn what_needs_no_service_keeps_its_promises_on_windows() {
    let Some(bench) = bench() else { return };
    for host in ALONE {
        let workshop = Workshop::new();
        let linked = if host == "plugin_host" { Linked::No } else { Linked::Shared };
        let program = bench.build(&workshop, &root().join("tests/c").join(host).with_extension("c"), linked);
        let spool = if host == "texts" { workshop.path().join("spül-外延-🔬") } else { workshop.spool() };
        let mut options: Vec<String> = if linked == Linked::No { vec!["rheed_stream.dll".into()] } else { Vec::new() };
        options.extend(["endpoint=none", "log_file=none", "clock_sync=off"].map(str::to_owned));
        options.push(format!("spool_dir={}", windows(&spool)));
        options.extend((host != "messages").then(|| "fps=10".into()));
        let ended = run(&program, options);
        assert!(ended.status.success(), "{host}: {}\n{}{}", ended.status, ended.out, ended.err);
        // Wine itself may complain of a thread that it cut off at the end of the process.
        let said = ended.out.lines().chain(ended.err.lines()).filter(|line| !line.starts_with("wine client error:"));
        assert_eq!(said.collect::<Vec<_>>(), [""; 0], "{host}: the library prints nothing unasked");
    }
}

#[test]
fn the_static_library_and_the_cpp_coat_live_the_same_life_on_windows() {
    let Some(bench) = bench() else { return };
    for (source, linked) in [("stats.c", Linked::Static), ("wrapper.cpp", Linked::Shared)] {
        let workshop = Workshop::new();
        let program = bench.build(&workshop, &root().join("tests/c").join(source), linked);
        if linked == Linked::Static {
            std::fs::remove_file(workshop.path().join("rheed_stream.dll")).expect("it was laid there");
        }
        let spool = format!("spool_dir={}", windows(&workshop.spool()));
        run(&program, ["endpoint=none", "log_file=none", "clock_sync=off", "fps=10", &spool]).well();
    }
}

#[test]
fn every_chunk_is_confirmed_and_told_once_on_windows() {
    let Some(scene) = Scene::of("served") else { return };
    scene.play(&[]);
    let expected: Vec<u8> = (0..50u8).flat_map(|shade| vec![shade; 32 * 16]).collect();
    assert!(service::pixels(&service::only_stream(&scene.service)) == expected);
}

#[test]
fn a_camera_has_a_clock_of_its_own_and_what_goes_amiss_is_told_on_windows() {
    let Some(scene) = Scene::of("amiss") else { return };
    let said = scene.play(&[]).out;
    assert!(said.contains("chunk 1 confirmed, 20 frames; 3 missed by the camera, 2 incomplete"), "{said}");
    let Some(scene) = Scene::of("device_clock") else { return };
    let others = scene.options().into_iter().filter(|line| line != "fps=10");
    let said = run(&scene.program, others.chain(["fps=100".into()])).well().out;
    assert!(said.contains("restarted 1239"), "{said}");
}

#[test]
fn a_program_of_windows_that_has_no_console_streams_at_the_highest_verbosity() {
    let Some(bench) = bench() else { return };
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let source = root().join("tests/wine/windowless.c");
    let program = bench.build_with(&workshop, &source, Linked::Shared, &["-mwindows"]);
    run(&program, with(with_windows_paths(service::options(&service, &workshop)), &["fps=10"])).well();
    assert_eq!(aftermath::arrived(&service, FRAME_BYTES), [60; 3]);
}

#[test]
fn the_proxy_of_the_users_settings_is_used_where_the_options_name_none() {
    let Some(bench) = bench() else { return };
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.public_url = Some(format!("http://{}", tls::OUTSIDE)));
    let proxy = Proxy::start(service::address(&service).port());
    let program = bench.build(&workshop, &root().join("tests/c/served.c"), Linked::Shared);
    let mut options = with_windows_paths(service::options(&service, &workshop));
    options[0] = format!("endpoint=http://{}", tls::OUTSIDE);
    let _kept = bench.set_proxy(proxy.address());
    run(&program, with(options, &["fps=10", "connect_timeout_ms=100000", "allow_http=on"])).well();
    assert_eq!(service::only_stream(&service).frames(), 50);
    assert!(!proxy.asked().is_empty());
}

#[test]
fn the_properties_of_the_dll_show_its_version() {
    let Some(bench) = bench() else { return };
    let workshop = Workshop::new();
    let program = bench.build_with(&workshop, &root().join("tests/wine/version.c"), Linked::No, &["-lversion"]);
    let said = run(&program, ["rheed_stream.dll", "ProductVersion", "FileVersion", "OriginalFilename"]).well().out;
    let version = env!("CARGO_PKG_VERSION");
    let numbers =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH"), "0"].join(".");
    assert_eq!(said.lines().collect::<Vec<_>>(), [&numbers, version, version, "rheed_stream.dll"]);
}

/// Wine takes no certificate of whose revocation nobody tells, not even a trusted authority's, where Windows does: so only the
/// refusal can be tried.
#[test]
fn nothing_is_said_to_who_has_no_certificate_that_windows_trusts() {
    let Some(bench) = bench() else { return };
    let workshop = Workshop::new();
    let (service, front) = tls::serve(&workshop, &Authority::new("stranger").certify(), &tls::MODERN);
    let program = bench.build(&workshop, &root().join("tests/c/offline.c"), Linked::Shared);
    let mut options = with_windows_paths(service::options(&service, &workshop));
    options[0] = format!("endpoint={}", front.url());
    run(&program, with(options, &["fps=10", "connect_timeout_ms=100000"])).well();
    assert!(service.requests().is_empty());
}

#[test]
fn without_an_answer_frames_wait_on_windows() {
    let Some(scene) = Scene::of("offline") else { return };
    let (_, others): (Vec<String>, Vec<String>) =
        scene.options().into_iter().partition(|line| line.starts_with("endpoint=") || line.starts_with("connect_timeout_ms="));
    // A port on which nobody listens any more. Windows asks there for two seconds before it believes it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let silent = format!("endpoint=http://{}", listener.local_addr().expect("it has one"));
    drop(listener);
    run(&scene.program, others.into_iter().chain([silent])).well();
    assert!(scene.service.streams().is_empty());
}

#[test]
fn a_refusal_fails_at_once_and_leaves_nothing_behind_on_windows() {
    let Some(scene) = Scene::of("refused") else { return };
    let (key, others): (Vec<String>, Vec<String>) = scene.options().into_iter().partition(|line| line.starts_with("api_key="));
    run(&scene.program, key.into_iter().chain(others)).well();
    assert!(scene.service.streams().is_empty(), "{:?}", scene.service.streams());
}

#[test]
fn nothing_of_an_aborted_stream_is_sent_on_windows() {
    let Some(scene) = Scene::of("aborted") else { return };
    let (spool, others): (Vec<String>, Vec<String>) =
        scene.options().into_iter().partition(|line| line.starts_with("spool_dir="));
    let after = format!("spool_dir={}", windows(&scene.workshop.path().join("spool-after")));
    run(&scene.program, spool.into_iter().chain([after]).chain(others)).well();
    let streams = scene.service.streams();
    let aborted = streams.iter().find(|stream| stream.name == "aborted").expect("the stream was created");
    assert!(aborted.chunks.is_empty() && !aborted.ended, "{aborted:?}");
}

#[test]
fn a_stream_freed_without_finalize_is_uploaded_and_ended_on_windows() {
    let Some(scene) = Scene::of("free_without_finalize") else { return };
    let host = start(&scene.program, scene.options());
    let is_complete = |service: &Receiver| service.streams().iter().any(|stream| stream.ended && stream.frames() == 25);
    let complete = scene.service.wait_until(HANGS_AFTER, is_complete);
    let ended = host.finish().well();
    assert!(complete, "{:?}\n{}{}", scene.service.streams(), ended.out, ended.err);
}

#[test]
fn a_callback_may_call_anything_on_windows() {
    let Some(scene) = Scene::of("callbacks_inside") else { return };
    scene.play(&[]);
}

#[test]
fn many_streams_arrive_through_cut_connections_on_windows() {
    const STREAMS: usize = 12;
    let Some(scene) = Scene::of("many_streams") else { return };
    scene.service.set_faults("put:cut=request,every=9\nput:cut=8000,every=9\nput:cut=answer,every=9").expect("rules");
    scene.play(&[&STREAMS.to_string(), "200"]);
    assert_eq!(scene.arrived(64 * 64), [200; STREAMS]);
    assert!(scene.service.requests().iter().any(|request| request.status == 0), "none was cut");
}

#[test]
fn a_process_may_end_in_any_way_on_windows_and_what_it_left_is_sent() {
    const WAYS: [&str; 9] = [
        "return",
        "exit-on-a-thread",
        "end-of-the-main-thread",
        "_exit",
        "exit-in-source",
        "exit-in-log",
        "_exit-in-log",
        "shutdown-at-exit",
        "finalize-at-exit",
    ];
    let Some(scene) = Scene::of("exits") else { return };
    for way in WAYS {
        run_to_its_end(&scene.program, &[vec![way.into()], scene.options()].concat()).well();
    }
    scene.resume();
    scene.arrived(FRAME_BYTES);
    for way in WAYS {
        assert!(aftermath::streams_that_brought(&scene.service, way, 51) >= 1, "{way}");
    }
}

#[test]
fn a_plug_in_of_windows_may_end_its_stream_in_its_own_destructor() {
    let Some(bench) = bench() else { return };
    let file = |name: &str| root().join("tests/wine").join(name);
    for when in ["unload", "end"] {
        for place in ["in-destructor", "in-dll-main"] {
            for timeout_ms in ["2000", "-1"] {
                let workshop = Workshop::new();
                let service = service::start(&workshop);
                bench.build_plug_in(&workshop, &file("plug_in.c"));
                let program = bench.build(&workshop, &file("plug_in_host.c"), Linked::No);
                let options = with_windows_paths(service::options(&service, &workshop));
                let ways = [when, place, timeout_ms, "fps=10", "connect_timeout_ms=100000"].map(str::to_owned);
                run_to_its_end(&program, &[ways.to_vec(), options].concat()).well();
                let streams = service.streams();
                let stream = streams.last().expect("it was created");
                let expected = if when == "unload" { (true, 50) } else { (false, 40) };
                assert_eq!((stream.ended, stream.frames()), expected, "{when} {place} {timeout_ms}");
                aftermath::resume(&service, &workshop);
                // Of the open chunk what was written before the threads were gone.
                assert!(aftermath::arrived(&service, FRAME_BYTES).iter().all(|frames| (expected.1..=50).contains(frames)));
            }
        }
    }
}

/// A camera's options, its stream under a name.
fn night_options(scene: &Scene, name: &str) -> Vec<String> {
    let options = with_windows_paths(service::options(&scene.service, &scene.workshop));
    with(options, &["fps=120", "chunk_size=240", "queue_bytes=1MiB", "compression_level=-5", &format!("stream_name={name}")])
}

/// Of a resume, which knows no camera.
fn resume_options(scene: &Scene) -> Vec<String> {
    with_windows_paths(service::options(&scene.service, &scene.workshop))
}

#[test]
fn a_killed_process_of_windows_loses_what_was_in_its_slots_and_the_next_one_sends_the_rest() {
    const SIZE: (u32, u32) = (320, 200);
    const SLOTS: u64 = (1 << 20) / (320 * 200);
    let Some(scene) = Scene::of("night") else { return };
    let spool = scene.workshop.spool();
    for frames in [1, 40, 300] {
        let name = format!("after {frames}");
        let account = |what: &str| scene.workshop.path().join(format!("{what} {name}"));
        let mut host = Night::stream(&scene.program, account("killed"), 1_000_000, SIZE, &night_options(&scene, &name));
        host.wait_until("so many frames are taken", |account| account.accepted >= frames);
        let (killed, account_then) = host.kill();
        let reached = night::reached(&scene.service, &spool, &name, SIZE);
        assert!(killed && account_then.accepted <= reached + SLOTS, "{account_then:?}, {reached} are there");

        let resumed = Night::resume(&scene.program, account("resumed"), &resume_options(&scene));
        resumed.finish().well();
        assert_eq!(streams(&spool), [] as [PathBuf; 0]);
        let (found, _) = night::the_stream_of(&scene.service, &name);
        assert_eq!(found.map_or(0, |stream| night::arrived(&stream, SIZE)), reached);
        long_run::figure(&format!("wine: killed with {} frames taken, {reached} of them arrive", account_then.accepted));
    }
}

#[test]
fn a_recovery_that_is_killed_itself_on_windows_is_done_again() {
    const SIZE: (u32, u32) = (320, 200);
    let Some(scene) = Scene::of("night") else { return };
    let account = |what: &str| scene.workshop.path().join(what);
    scene.service.set_faults("presign:status=503").expect("a rule");
    let mut host = Night::stream(&scene.program, account("host"), 1_000_000, SIZE, &night_options(&scene, "host"));
    host.wait_until("so many frames are taken", |account| account.accepted >= 500);
    host.kill();
    let reached = night::reached(&scene.service, &scene.workshop.spool(), "host", SIZE);
    let mut resumed = Night::resume(&scene.program, account("first"), &resume_options(&scene));
    resumed.wait_until("it has begun", |account| account.opened);
    resumed.kill();
    scene.service.set_faults("").expect("no rules");
    Night::resume(&scene.program, account("second"), &resume_options(&scene)).finish().well();
    let (found, _) = night::the_stream_of(&scene.service, "host");
    assert_eq!(found.map(|stream| night::arrived(&stream, SIZE)), Some(reached));
}

#[test]
fn a_live_stream_is_not_taken_from_its_process_on_windows() {
    const SIZE: (u32, u32) = (64, 48);
    let Some(scene) = Scene::of("night") else { return };
    let account = |what: &str| scene.workshop.path().join(what);
    let mut alive = Night::stream(&scene.program, account("alive"), 240, SIZE, &night_options(&scene, "alive"));
    alive.wait_until("a frame is taken", |account| account.accepted > 0);
    let mut killed = Night::stream(&scene.program, account("killed"), 1_000_000, SIZE, &night_options(&scene, "killed"));
    killed.wait_until("so many frames are taken", |account| account.accepted >= 100);
    killed.kill();
    // This one waits until the living has finished, and takes up the dead one's at once.
    let resumed = Night::resume(&scene.program, account("resumed"), &resume_options(&scene));
    let is_taken_up = |service: &Receiver| service.streams().iter().any(|stream| stream.name == "killed" && stream.ended);
    assert!(scene.service.wait_until(HANGS_AFTER, is_taken_up));
    alive.finish().well();
    resumed.kill();
    let (found, _) = night::the_stream_of(&scene.service, "alive");
    assert_eq!(night::arrived(&found.expect("it streamed"), SIZE), 240);
}

#[test]
fn two_processes_of_windows_share_a_spool() {
    let Some(scene) = Scene::of("streamer") else { return };
    let mut both = [(), ()].map(|()| start(&scene.program, scene.options()));
    let lines = both.each_mut().map(support::Running::lines);
    let taken = lines.map(|mut lines| {
        let written = lines.by_ref().find(|line| line.starts_with("written 100")).expect("it streams");
        (written, lines)
    });
    let mut numbers: Vec<u64> = Vec::new();
    for (running, (_, lines)) in both.into_iter().zip(taken) {
        let said = std::thread::spawn(move || lines.last().expect("it says how many"));
        running.finish().well();
        let said = said.join().expect("a line");
        numbers.push(said.trim_start_matches("finalized ").trim().parse().expect("a number"));
    }
    numbers.sort_unstable();
    assert_eq!(scene.arrived(FRAME_BYTES), numbers);
}

#[test]
fn labview_may_load_and_unload_the_dll_call_from_any_thread_and_close_a_vi_in_the_middle() {
    let Some(scene) = Scene::with("virtual_instrument", Linked::No) else { return };
    let library = windows(&scene.workshop.path().join("rheed_stream.dll"));
    scene.play(&[&library]);
    scene.resume();
    let arrived = scene.arrived(FRAME_BYTES);
    assert!(arrived.len() == 3 && arrived[0] >= 20 && arrived[1..] == [30, 30], "{arrived:?}");
}

#[test]
fn a_vi_of_windows_in_the_order_of_labviews_page_loses_nothing_however_it_ends() {
    for ends in ["finalizes", "forgets", "aborts"] {
        let Some(scene) = Scene::of("labview_vi") else { return };
        scene.play(&[ends]);
        if ends != "finalizes" {
            scene.resume();
        }
        assert_eq!(scene.arrived(FRAME_BYTES), [50], "{ends}");
    }
}

#[test]
fn a_virus_scanner_that_holds_files_costs_no_frame() {
    let Some(scene) = Scene::of("scanned") else { return };
    std::fs::create_dir(scene.workshop.spool()).expect("target can be written");
    let said = scene.play(&[&windows(&scene.workshop.spool())]).out;
    assert_eq!(scene.arrived(FRAME_BYTES), [200]);
    let counts: Vec<u64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [held, refused] = counts[..] else { panic!("{said}") };
    // The open chunk's file is there at every look, and cannot be held.
    assert!(held > 0 && refused > 0, "{said}");
    assert_eq!(streams(&scene.workshop.spool()), [] as [PathBuf; 0]);
    assert_eq!(entries(&scene.workshop.spool().join("reports")).len(), 1);
    long_run::figure(&format!("wine: beside a virus scanner: {}", said.trim()));
}

#[test]
fn a_stream_ends_when_the_names_of_its_removed_files_are_gone_too() {
    let Some(scene) = Scene::of("names_kept") else { return };
    scene.service.set_faults("put:delay_ms=1000").expect("rules"); // Until each file is open for somebody else, too.
    scene.play(&[]);
    assert_eq!(scene.arrived(FRAME_BYTES), [50]);
    assert_eq!(streams(&scene.workshop.spool()), [] as [PathBuf; 0]);
    assert_eq!(entries(&scene.workshop.spool().join("reports")).len(), 1);
}

#[test]
fn a_host_that_ends_winsock_for_the_whole_process_costs_no_frame() {
    let Some(scene) = Scene::of("winsock_ended") else { return };
    scene.play(&[]);
    assert_eq!(scene.arrived(FRAME_BYTES), [200]);
}

#[test]
fn options_may_be_in_the_ansi_code_page_and_answers_are_utf8() {
    let Some(scene) = Scene::of("code_page") else { return };
    let options: Vec<String> = scene.options().into_iter().filter(|line| !line.starts_with("spool_dir=")).collect();
    let folder = windows(scene.workshop.path());
    let said = run(&scene.program, [folder].into_iter().chain(options)).well().out;
    assert_eq!(said, "", "the test wants the code page 1252");
    assert!(scene.workshop.path().join("spüle/reports").is_dir());
    assert_eq!(service::only_stream(&scene.service).name, "Grün auf Bläu");
}

#[test]
fn a_program_of_windows_may_change_folder_locale_time_zone_and_environment() {
    let Some(scene) = Scene::of("surroundings") else { return };
    let folder = scene.workshop.path();
    let mut options = scene.options();
    options.retain(|line| !line.starts_with("spool_dir=") && !line.starts_with("log_file="));
    options.push("spool_dir=spool".into());
    run(&scene.program, [windows(folder), "German".into()].into_iter().chain(options)).well();
    assert_eq!(scene.arrived(FRAME_BYTES), [500]);
    assert_eq!(service::only_stream(&scene.service).rotations_per_min, 7.5);
    assert!(scene.workshop.spool().join("reports").is_dir());
    let log = std::fs::read_to_string(folder.join("here.log")).expect("it lies where the program was");
    assert!(log.contains("finalized: 500 frames"), "{log}");
}

#[test]
fn a_spool_may_lie_deeper_than_260_characters_and_under_a_name_in_any_letters() {
    let Some(scene) = Scene::of("two_streams") else { return };
    let deep =
        (0..6).fold(scene.workshop.path().to_owned(), |path, at| path.join(format!("{at} Jürgen 外延 {}", "x".repeat(60))));
    let spool = windows(&deep.join("spool"));
    assert!(spool.chars().count() > 400);
    for path in [spool.clone(), spool.replace('\\', "/"), format!(r"\\?\{spool}")] {
        let options = with_windows_paths(service::options(&scene.service, &scene.workshop));
        let options = options.into_iter().filter(|line| !line.starts_with("spool_dir="));
        run(&scene.program, options.chain([format!("spool_dir={path}"), "fps=10".into()])).well();
    }
    assert_eq!(scene.service.streams().len(), 6);
    assert!(scene.service.streams().iter().all(|stream| stream.ended && stream.frames() > 0));
    assert_eq!(entries(&deep.join("spool/reports")).len(), 6);
}

#[test]
fn a_spool_may_lie_on_a_server() {
    let Some(scene) = Scene::of("two_streams") else { return };
    let spool = on_a_server(&scene.workshop.spool());
    for path in [spool.clone(), spool.replace('\\', "/"), spool.replacen(r"\\", r"\\?\UNC\", 1)] {
        let options = with_windows_paths(service::options(&scene.service, &scene.workshop));
        let options = options.into_iter().filter(|line| !line.starts_with("spool_dir="));
        run(&scene.program, options.chain([format!("spool_dir={path}"), "fps=10".into()])).well();
    }
    assert_eq!(scene.service.streams().len(), 6);
    assert!(scene.service.streams().iter().all(|stream| stream.ended && stream.frames() > 0));
    assert_eq!(entries(&scene.workshop.spool().join("reports")).len(), 6);
}

#[test]
fn a_cmake_project_links_the_dll_and_the_static_library_of_windows() {
    let Some(bench) = bench() else { return };
    let Some(cmake) = tool("RHEED_TEST_CMAKE", "cmake") else {
        return support::skip("CMake for Windows", "no cmake in PATH, and RHEED_TEST_CMAKE names none");
    };
    for (name, needs_dll) in [("cmake_shared", true), ("cmake_static", false)] {
        let workshop = Workshop::new();
        let build = workshop.path().join("build");
        let mut configure = Command::new(&cmake);
        configure.args(["-DCMAKE_SYSTEM_NAME=Windows", &format!("-DCMAKE_C_COMPILER={}", bench.tool(GCC))]);
        configure.arg("-DCMAKE_EXE_LINKER_FLAGS=-static");
        configure.arg("-S").arg(root().join("tests/link").join(name)).arg("-B").arg(&build);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", bench.prefix.display())).must_succeed();
        Command::new(&cmake).arg("--build").arg(&build).must_succeed();
        let program = build.join("program.exe");
        let needed = Command::new(bench.tool(OBJDUMP)).arg("--private-headers").arg(&program).must_succeed();
        assert_eq!(needed.contains("DLL Name: rheed_stream.dll"), needs_dll, "{needed}");
        let said = run(&bench.wrap(&workshop, &program), [""; 0]).well().out;
        assert_eq!(said.trim(), env!("CARGO_PKG_VERSION"));
    }
}

/// What the DLL exports, and nothing else.
fn promised() -> BTreeSet<String> {
    listed("abi/symbols.txt").into_iter().map(|words| words[0].clone()).collect()
}

/// MSVC's linker breaks those of the long form in its release builds: docs/windows.md.
#[test]
fn the_import_library_for_msvc_is_of_its_own_short_form_and_of_no_date() {
    /// What such a member begins with, where an object's has its processor and the number of its sections.
    const SHORT: [u8; 4] = [0, 0, 0xff, 0xff];
    let Some(bench) = bench() else { return };
    let library = std::fs::read(bench.prefix.join("lib/rheed_stream.lib")).expect("it is shipped");
    let underscore = if bench.processor == "i686" { "_" } else { "" };
    let mut named = BTreeSet::new();
    let mut at = b"!<arch>\n".len();
    while at < library.len() {
        let (header, content) = library[at..].split_at(60);
        let field = |at: std::ops::Range<usize>| String::from_utf8_lossy(&header[at]).trim().to_owned();
        let bytes: usize = field(48..58).parse().expect("a length");
        assert!(["", "0"].contains(&field(16..28).as_str()), "it has the time at which it was made");
        if let Some(texts) = content[..bytes].strip_prefix(&SHORT).map(|rest| &rest[16..]) {
            let texts = String::from_utf8_lossy(texts);
            let (function, dll) = texts.split_once('\0').expect("two names");
            assert_eq!(dll.trim_end_matches('\0'), "rheed_stream.dll");
            named.insert(function.strip_prefix(underscore).expect("as C calls it on 32 bits").to_owned());
        }
        at += 60 + bytes.next_multiple_of(2);
    }
    assert_eq!(named, promised());
}

#[test]
fn a_linker_of_msvcs_kind_takes_the_import_library() {
    let Some(bench) = bench() else { return };
    for command in ["clang", "lld-link"] {
        if !support::is_command(command) {
            return support::skip("the import library for MSVC", &format!("no {command} in PATH"));
        }
    }
    let workshop = Workshop::new();
    let file = |name: &str| workshop.path().join(name);
    let source = root().join("tests/wine/without_libraries.c");
    let mut clang = Command::new("clang");
    let target = format!("--target={}-pc-windows-msvc", bench.processor);
    clang.args([&target, "-ffreestanding", "-mno-stack-arg-probe", "-c"]).arg(source);
    clang.arg("-I").arg(bench.prefix.join("include")).arg("-o").arg(file("program.obj")).must_succeed();
    // Windows' own import library, of the one function that the program calls.
    let decoration = if bench.processor == "i686" { "@4" } else { "" };
    let names = workshop.write("kernel32.def", &format!("LIBRARY kernel32.dll\nEXPORTS\nExitProcess{decoration}\n"));
    let mut dlltool = Command::new(bench.tool(DLLTOOL));
    dlltool.arg("--kill-at").arg("--input-def").arg(names).arg("--output-lib").arg(file("kernel32.lib")).must_succeed();
    let mut link = Command::new("lld-link");
    link.args(["/nologo", "/opt:ref,icf", "/safeseh:no", "/entry:start", "/subsystem:console", "/nodefaultlib"])
        .arg(file("program.obj"));
    link.arg(bench.prefix.join("lib/rheed_stream.lib")).arg(file("kernel32.lib")).arg("/out:program.exe");
    link.current_dir(workshop.path()).must_succeed();
    let ended = run(&bench.wrap(&workshop, &file("program.exe")), [""; 0]);
    assert_eq!(ended.status.code(), Some(42), "{ended:?}");
}

#[test]
fn every_example_streams_from_windows() {
    let Some(bench) = bench() else { return };
    let arguments: [(&str, &[&str], u64); 5] = [
        ("hello.cpp", &[], 90),
        ("camera_callback.c", &["--seconds", "1", "--fps", "60", "--width", "120", "--height", "80"], 60),
        ("zero_copy.c", &["60", "60"], 60),
        ("push_chunk.c", &["3"], 180),
        ("oscillation.c", &["--seconds", "5", "pace=off"], 300),
    ];
    for (name, arguments, frames) in arguments {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = bench.build(&workshop, &root().join("examples_c").join(name), Linked::Shared);
        let options = with_windows_paths(service::options(&service, &workshop));
        run(&program, arguments.iter().map(|argument| argument.to_string()).chain(options)).well();
        assert_eq!(service::only_stream(&service).frames(), frames, "{name}");
    }
    let workshop = Workshop::new();
    bench.build(&workshop, &root().join("examples_c/replay_raw.c"), Linked::Shared);
}

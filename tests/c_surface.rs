//! The interface from C, as a host would use it: each program in `tests/c` plays one, compiled as C99 and as C++17.

mod support;

use std::net::{SocketAddr, TcpListener};
use support::checker::Checker;
use support::spool::entries;
use support::{Dialect, Linked, Workshop, root, run};

/// A stream that needs no network, whose spool lies in the test's folder.
fn without_service(workshop: &Workshop) -> Vec<String> {
    vec![
        "endpoint=none".into(),
        format!("spool_dir={}", workshop.spool().display()),
        "log_file=none".into(),
        "clock_sync=off".into(),
    ]
}

/// Where nobody answers.
fn silent_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has free ports")
}

/// Compiles a host in both languages, runs it with these options beside its spool, and expects it to be content.
#[track_caller]
fn is_kept(host: &str, options: &[&str]) {
    let source = root().join("tests/c").join(host).with_extension("c");
    // A checker looks at what the program does, which is the same in both.
    let dialects = if Checker::wanted().is_some() { 1 } else { 2 };
    for dialect in [Dialect::c("c99"), Dialect::cpp("c++17")].into_iter().take(dialects) {
        let workshop = Workshop::new();
        let program = workshop.build(&dialect, &source, Linked::Shared);
        let ended = run(&program, without_service(&workshop).iter().map(String::as_str).chain(options.iter().copied()));
        assert!(ended.status.success(), "{host} as {dialect:?}: {}\n{}{}", ended.status, ended.out, ended.err);
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""), "the library prints nothing unasked");
    }
}

#[test]
fn every_host_is_played() {
    let suites = entries(&root().join("tests")).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs"));
    let tests: String = suites.map(|suite| std::fs::read_to_string(suite).expect("a test can be read")).collect();
    for host in std::fs::read_dir(root().join("tests/c")).expect("tests/c is there") {
        let host = host.expect("a folder can be read").path();
        let name = host.file_stem().expect("a file has a name").to_string_lossy();
        let is_header = host.extension().is_some_and(|extension| extension == "h");
        let is_played = [format!("\"{name}\""), format!("tests/c/{name}.c")].iter().any(|call| tests.contains(call));
        assert!(is_header || is_played, "no test plays {}", host.display());
    }
}

#[test]
fn wrong_arguments_are_codes_and_take_nothing() {
    is_kept("arguments", &["fps=10"]);
}

#[test]
fn stale_and_made_up_handles_are_refused_always() {
    is_kept("handles", &["fps=10"]);
}

#[test]
fn texts_are_terminated_and_cut_between_characters() {
    let source = root().join("tests/c/texts.c");
    let workshop = Workshop::new();
    let program = workshop.build(&Dialect::c("c99"), &source, Linked::Shared);
    let spool = format!("spool_dir={}", workshop.path().join("spül-外延-🔬").display());
    run(&program, ["fps=10", "endpoint=none", "log_file=none", "clock_sync=off", &spool]).well();
}

#[test]
fn a_wrong_option_is_named() {
    is_kept("messages", &[]);
}

#[test]
fn every_frame_is_counted_where_it_belongs() {
    is_kept("stats", &["fps=10"]);
}

#[test]
fn an_event_is_told_once() {
    is_kept("events", &["fps=10"]);
}

#[test]
fn of_a_window_nothing_else_is_read_and_of_every_four_frames_one_is_kept() {
    is_kept("window", &["fps=10"]);
}

#[test]
fn chunks_come_in_any_order_and_once() {
    is_kept("chunks", &["fps=10"]);
}

#[test]
fn a_source_may_end_its_run_in_any_way() {
    is_kept("run", &["fps=10"]);
}

#[test]
fn a_stream_ends_once_and_answers_until_it_is_freed() {
    is_kept("closing", &["fps=10"]);
}

#[test]
fn after_a_shutdown_the_library_starts_anew() {
    is_kept("shutdown", &["fps=10"]);
}

#[test]
fn a_handle_may_be_freed_under_calls_of_other_threads() {
    is_kept("freed_under_calls", &["fps=10"]);
}

#[test]
fn a_stream_that_is_attached_to_a_node_of_labview_ends_with_it_and_with_no_other() {
    is_kept("labview", &["fps=10"]);
}

#[test]
fn a_forked_child_is_told_and_the_parent_goes_on() {
    is_kept("fork", &["fps=10"]);
}

#[test]
fn a_forked_child_keeps_the_spool_from_nobody() {
    let workshop = Workshop::new();
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/fork_outlives.c"), Linked::Shared);
    let endpoint = format!("endpoint=http://{}", silent_address());
    let spool = format!("spool_dir={}", workshop.spool().display());
    run(&program, [&endpoint, "fps=10", "api_key=k", &spool, "log_file=none", "clock_sync=off"]).well();
}

#[test]
fn the_log_callback_hears_until_it_is_taken_off() {
    is_kept("log", &["fps=10"]);
}

#[test]
fn two_streams_do_not_mix() {
    is_kept("two_streams", &["fps=10"]);
}

#[test]
fn a_program_may_end_in_the_middle_of_everything() {
    is_kept("exit_without_free", &["fps=10"]);
}

#[test]
fn the_hosts_signals_are_left_alone() {
    is_kept("signals", &["fps=10"]);
}

#[test]
fn many_lives_leave_no_file_and_no_thread_behind() {
    is_kept("many_lives", &["fps=10"]);
}

/// Of a host that brings its own malloc.
#[track_caller]
fn allocates(host: &str) {
    if Checker::wanted().is_some() {
        return; // It is the checker's then, and cannot be the host's.
    }
    let workshop = Workshop::new();
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c").join(host).with_extension("c"), Linked::Shared);
    run(&program, without_service(&workshop).iter().map(String::as_str).chain(["fps=10"])).well();
}

#[test]
fn no_frame_costs_an_allocation_once_its_size_is_known_pushed_or_committed() {
    allocates("no_allocation");
}

#[test]
fn without_memory_for_slots_a_frame_is_refused_with_that_reason_and_the_next_one_taken() {
    allocates("memory_runs_out");
}

#[test]
fn an_acquired_slot_is_the_hosts_until_it_is_given_back_and_no_address_is_trusted() {
    is_kept("zero_copy", &["fps=10"]);
}

#[test]
fn every_frame_is_measured_in_each_region_and_read_by_whoever_polls() {
    is_kept("regions", &["fps=10"]);
}

#[test]
fn the_static_library_lives_the_same_life() {
    for host in ["stats.c", "fork.c", "shutdown.c"] {
        let workshop = Workshop::new();
        let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c").join(host), Linked::Static);
        run(&program, without_service(&workshop).iter().map(String::as_str).chain(["fps=10"])).well();
    }
}

#[test]
fn unloading_the_library_under_live_threads_is_survived() {
    let workshop = Workshop::new();
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/plugin_host.c"), Linked::No);
    let library = workshop.shared_library().display().to_string();
    run(&program, [library, "fps=10".into()].into_iter().chain(without_service(&workshop))).well();
}

#[test]
fn the_cpp_coat_owns_and_throws_as_it_says() {
    for dialect in [Dialect::cpp("c++17"), Dialect::cpp("c++20")] {
        let workshop = Workshop::new();
        let program = workshop.build(&dialect, &root().join("tests/c/wrapper.cpp"), Linked::Shared);
        run(&program, without_service(&workshop).iter().map(String::as_str).chain(["fps=10"])).well();
    }
}

#[test]
fn without_an_answer_frames_wait_and_nothing_is_lost() {
    let workshop = Workshop::new();
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/offline.c"), Linked::Shared);
    let endpoint = format!("endpoint=http://{}", silent_address());
    let spool = format!("spool_dir={}", workshop.spool().display());
    run(&program, ["fps=10", &endpoint, "api_key=k", &spool, "log_file=none", "clock_sync=off"]).well();
}

/// With an ingest service in the test's process.
#[cfg(feature = "receiver")]
mod served {
    use super::*;
    use support::{HANGS_AFTER, service, start};

    #[test]
    fn every_chunk_is_confirmed_and_told_once() {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/served.c"), Linked::Shared);
        // Under a checker it takes its time before it hears the first answer.
        let options = ["fps=10".into(), "connect_timeout_ms=100000".into()];
        run(&program, service::options(&service, &workshop).into_iter().chain(options)).well();
        let stream = service::only_stream(&service);
        assert_eq!(
            stream.chunks.iter().map(|chunk| (chunk.index, chunk.frames)).collect::<Vec<_>>(),
            [(0, 20), (1, 20), (2, 10)]
        );
        let expected: Vec<u8> = (0..50u8).flat_map(|shade| vec![shade; 32 * 16]).collect();
        assert!(service::pixels(&stream) == expected);
    }

    #[test]
    fn a_refusal_fails_at_once_and_leaves_nothing_behind() {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/refused.c"), Linked::Shared);
        let (key, others): (Vec<String>, Vec<String>) =
            service::options(&service, &workshop).into_iter().partition(|line| line.starts_with("api_key="));
        run(&program, key.into_iter().chain(others).chain(["fps=10".into()])).well();
        assert!(service.streams().is_empty(), "{:?}", service.streams());
    }

    #[test]
    fn nothing_of_an_aborted_stream_is_sent_any_more() {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/aborted.c"), Linked::Shared);
        let (spool, others): (Vec<String>, Vec<String>) =
            service::options(&service, &workshop).into_iter().partition(|line| line.starts_with("spool_dir="));
        let spool_after = format!("spool_dir={}", workshop.path().join("spool-after").display());
        run(&program, spool.into_iter().chain([spool_after]).chain(others).chain(["fps=10".into()])).well();
        let streams = service.streams();
        let aborted = streams.iter().find(|stream| stream.name == "aborted").expect("the stream was created");
        assert!(aborted.chunks.is_empty() && !aborted.ended, "{aborted:?}");
        assert!(streams.iter().filter(|stream| stream.name == "after").all(|stream| stream.ended));
    }

    #[test]
    fn a_stream_freed_without_finalize_is_uploaded_and_ended() {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/free_without_finalize.c"), Linked::Shared);
        let host = start(&program, service::options(&service, &workshop).into_iter().chain(["fps=10".into()]));
        let complete = service
            .wait_until(HANGS_AFTER, |service| service.streams().iter().any(|stream| stream.ended && stream.frames() == 25));
        let ended = host.finish().well();
        assert!(complete, "{:?}\n{}{}", service.streams(), ended.out, ended.err);
    }
}

/* A process that ends by one of many ways, in the middle of everything: with 0, at once, whatever the library is doing. The first
   argument names the way. Who waits for it for long is told what it is at. */
#define _GNU_SOURCE /* quick_exit */
#include "host.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static const char *way;
static rheed_stream streams[2];
static atomic_int pushed, has_asked;
static const char *_Atomic stage = "opening";

static int is(const char *name) { return strcmp(way, name) == 0; }

/* Says so a while before HANGS_AFTER of tests/support/mod.rs; it decides nothing. */
static void *watch(void *unused) {
    (void)unused;
    sleep(100);
    fprintf(stderr, "%s is still %s\n", way, stage);
    return NULL;
}

static void shut_down_at_exit(void) {
    stage = "shutting down at exit";
    CHECK(rheed_shutdown(-1) >= 0);
    stage = "leaving after it was shut down";
}

static void finalize_at_exit(void) {
    stage = "finalizing at exit";
    CHECK(!RHEED_FAILED(rheed_finalize(streams[0], 1)));
    CHECK_CODE(rheed_finalize(streams[0], -1), RHEED_OK);
    CHECK(stat_of(streams[0], RHEED_STAT_FRAMES_CONFIRMED) == 100);
    stage = "leaving after it was finalized";
}

static void ask_at_end_of_thread(void *stream) {
    CHECK(stat_of(*(rheed_stream *)stream, RHEED_STAT_FRAMES_ACCEPTED) > 0);
    CHECK_CODE(push_numbered(*(rheed_stream *)stream, (uint64_t)pushed++), RHEED_OK);
    CHECK(!RHEED_FAILED(rheed_flush(*(rheed_stream *)stream, 0)));
    has_asked = 1;
}

static void RHEED_CALL hear(void *user, int32_t level, const char *message) {
    (void)user, (void)level, (void)message;
    if (is("exit-in-log") && pushed > 50) exit(0);
    if (is("_exit-in-log") && pushed > 50) _exit(0);
}

/* Half of the frames have arrived, as far as their chunks are closed; the others are wherever they are when the end comes. */
static void push_one_of_many(rheed_stream stream, uint64_t number) {
    CHECK_CODE(push_numbered(stream, number), RHEED_OK);
    if (number != 50) return;
    stage = "flushing";
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
    stage = "pushing";
}

static int32_t RHEED_CALL source(void *user, rheed_stream stream, uint64_t index) {
    (void)user;
    push_one_of_many(stream, index);
    if (index == 99) exit(0);
    return 1;
}

static void *push_on(void *unused) {
    (void)unused;
    while (pushed <= 50) sched_yield(); /* Not far ahead of its uploads, which somebody has to wait for. */
    for (uint64_t at = 0;;) {
        const int32_t code = push_numbered(streams[1], at);
        CHECK(code == RHEED_OK || code == RHEED_E_QUEUE_FULL || code == RHEED_E_ABORTED);
        at += code == RHEED_OK;
    }
    return NULL;
}

static void *leave(void *unused) {
    (void)unused;
    while (is("end-of-the-main-thread") && !has_asked) sched_yield();
    exit(0);
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    way = argv[1];
    pthread_t pusher, leaver, watcher;
    pthread_key_t key;
    CHECK(pthread_create(&watcher, NULL, watch, NULL) == 0);
    if (is("shutdown-at-exit")) CHECK(atexit(shut_down_at_exit) == 0);
    CHECK_CODE(rheed_set_log(hear, NULL, 4), RHEED_OK);
    for (int at = 0; at < 2; at++) {
        char more[100]; /* The first stream bears the way's name. */
        snprintf(more, sizeof more, "chunk_size = 20\npace = off\nstream_name = %s%s\n", way, at == 0 ? "" : ", the other");
        streams[at] = open_stream(argc - 1, argv + 1, more);
    }
    if (is("finalize-at-exit")) CHECK(atexit(finalize_at_exit) == 0);
    if (is("exit-in-source")) {
        rheed_run(streams[0], source, NULL);
        return 1; /* Not reached. */
    }
    CHECK(pthread_create(&pusher, NULL, push_on, NULL) == 0);
    for (; pushed < 100; pushed++) push_one_of_many(streams[0], (uint64_t)pushed);

    stage = "leaving";
    if (is("exit-in-log") || is("_exit-in-log")) {
        for (;;) sched_yield();
    } else if (is("exit-on-a-thread")) {
        CHECK(pthread_create(&leaver, NULL, leave, NULL) == 0);
        for (;;) rheed_flush(streams[0], 1);
    } else if (is("end-of-the-main-thread")) {
        CHECK(pthread_key_create(&key, ask_at_end_of_thread) == 0);
        CHECK(pthread_setspecific(key, &streams[0]) == 0);
        CHECK(pthread_create(&leaver, NULL, leave, NULL) == 0);
        pthread_exit(NULL);
    } else if (is("_exit")) {
        _exit(0);
#ifndef _WIN32
    } else if (is("quick_exit")) {
        quick_exit(0);
#endif
    }
    return 0; /* "return", and what is done at exit. */
}

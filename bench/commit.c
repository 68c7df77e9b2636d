/*
 * How long rheed_commit keeps a camera's thread. The frames are in the slots before: a camera's DMA takes neither time nor cache of
 * the core that commits.
 *
 *     commit --frames FILE --width W --height H --rate 120 --seconds 5 [--flat-out 1] key=value ...
 *
 * Paced, the encoder sleeps when a frame is committed, and has to be woken: so each commit takes turns with the waking of a thread
 * that does nothing. Flat out a frame follows as soon as a slot is free, so that the encoder never sleeps.
 */
#define _GNU_SOURCE /* SCHED_BATCH */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

static const int64_t PAUSE_NS = 200000;

static sem_t woken;
static volatile int over;

static void *sleep_and_wake(void *nothing) {
    /* As the library's threads: it does not interrupt whoever wakes it. */
    const struct sched_param none = {0};
    MUST(sched_setscheduler(0, SCHED_BATCH, &none) == 0);
    while (!over) sem_wait(&woken);
    return nothing;
}

static int64_t timed_wake(void) {
    const int64_t begin = now_ns();
    MUST(sem_post(&woken) == 0);
    return now_ns() - begin;
}

static int64_t timed_commit(rheed_stream stream, void *slot, const frames *of, uint64_t number) {
    const int64_t begin = now_ns();
    const int32_t code = rheed_commit(stream, slot, of->width, of->height, 0, RHEED_FORMAT_MONO8, number, 0, 0);
    const int64_t took = now_ns() - begin;
    MUST(code == RHEED_OK);
    return took;
}

/* A frame into each slot; there it stays, since Mono8 is compressed from where it lies. */
static void fill_slots(rheed_stream stream, const frames *of) {
    enum { MOST_SLOTS = 4096 };
    static void *slots[MOST_SLOTS];
    size_t count = 0;
    while (count < MOST_SLOTS && rheed_acquire(stream, of->bytes, &slots[count]) == RHEED_OK) {
        memcpy(slots[count], frame_at(of, count), of->bytes);
        count++;
    }
    for (size_t at = 0; at < count; at++) MUST(rheed_discard(stream, slots[at]) == RHEED_OK);
}

int main(int argc, char **argv) {
    const frames of = load_frames(argc, argv);
    const double rate = argument(argc, argv, "--rate", 60), seconds = argument(argc, argv, "--seconds", 5);
    const int flat_out = argument(argc, argv, "--flat-out", 0) > 0;
    const size_t room = flat_out ? 200000 : (size_t)(rate * seconds) + 2;
    int64_t *commits = (int64_t *)malloc(room * sizeof(int64_t)), *wakes = (int64_t *)malloc(room * sizeof(int64_t));
    MUST(commits != NULL && wakes != NULL);

    pthread_t sleeper;
    MUST(sem_init(&woken, 0, 0) == 0 && pthread_create(&sleeper, NULL, sleep_and_wake, NULL) == 0);
    const rheed_stream stream = open_for_frames(argc, argv, of.bytes);
    fill_slots(stream, &of);
    const int64_t start = now_ns() + 100000000, end = start + (int64_t)(seconds * 1e9);
    size_t count = 0;
    for (int64_t due = start; due < end && count < room;) {
        void *slot = NULL;
        sleep_until(due);
        due = flat_out ? now_ns() : due + (int64_t)(1e9 / rate);
        const int32_t code = rheed_acquire(stream, of.bytes, &slot);
        MUST(code == RHEED_OK || code == RHEED_E_QUEUE_FULL);
        if (code != RHEED_OK) {
            due += PAUSE_NS;
            continue;
        }
        if (!flat_out && count % 2 == 0) wakes[count] = timed_wake();
        commits[count] = timed_commit(stream, slot, &of, count);
        if (!flat_out && count % 2 == 1) wakes[count] = timed_wake();
        count++;
    }
    MUST(rheed_finalize(stream, -1) == RHEED_OK);
    over = 1;
    MUST(sem_post(&woken) == 0);
    pthread_join(sleeper, NULL);

    printf("{");
    print_samples("commit_ns", commits, count, ", ");
    print_samples("wake_ns", wakes, flat_out ? 0 : count, "}\n");
    return 0;
}

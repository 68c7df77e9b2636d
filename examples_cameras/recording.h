/*
 * What the programs in this folder have in common: to copy along with one of them. Plain C, which C++ takes as well.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include <inttypes.h>
#include <rheed_stream.h>
#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t interrupted;

/* The first Ctrl-C ends the recording, the second one the program, also while it finalizes: what came is in the spool. */
static inline void on_interrupt(int number) {
    interrupted = number;
    signal(number, SIG_DFL);
}

static inline void end_when_interrupted(void) {
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
}

/* Waits so long for an event, and tells all there are. */
static inline void tell_events(rheed_stream stream, int32_t wait_ms) {
    char text[1024];
    for (;; wait_ms = 0) {
        int32_t kind = RHEED_EVENT_NONE;
        rheed_next_event(stream, wait_ms, &kind, NULL, NULL, text, sizeof text, NULL);
        if (kind == RHEED_EVENT_NONE) return;
        printf("  event: %s\n", text);
        fflush(stdout);
    }
}

/* Tells what is the matter, once. */
static inline void complain(rheed_stream stream, const char *what, int32_t about, int *is_told) {
    char text[1024] = "";
    if (*is_told) return;
    *is_told = 1;
    rheed_text(stream, about, text, sizeof text, NULL);
    fprintf(stderr, "%s: %s\n", what, text);
}

/*
 * Tells events, and why a frame was refused. Whether to go on: not on a stream that is closed, by whomever, since it takes nothing
 * more. And where no frame was ever taken none will be, since the format is wrong. Else it was an odd one, which does not end
 * the recording of a growth.
 */
static inline int goes_on(rheed_stream stream, int32_t wait_ms) {
    static int is_end_told, is_refusal_told;
    int64_t stats[RHEED_STAT_FRAMES_INCOMPLETE + 1] = {0};
    tell_events(stream, wait_ms);
    if (RHEED_FAILED(rheed_stats(stream, stats, RHEED_STAT_FRAMES_INCOMPLETE + 1, NULL)) ||
        stats[RHEED_STAT_STATE] >= RHEED_STATE_FINALIZING)
        return complain(stream, "the stream is closed, and takes no more frames", RHEED_TEXT_STATUS, &is_end_told), 0;
    if (stats[RHEED_STAT_FRAMES_REJECTED] == 0) return 1;
    complain(stream, "a frame is refused", RHEED_TEXT_LAST_ERROR, &is_refusal_told);
    return stats[RHEED_STAT_FRAMES_ACCEPTED] + stats[RHEED_STAT_FRAMES_DROPPED] != 0;
}

/* When no callback runs any more. 0 when the stream lost, dropped and refused no frame. */
static inline int finish(rheed_stream stream) {
    int64_t stats[RHEED_STAT_FRAMES_INCOMPLETE + 1] = {0};
    goes_on(stream, 0);
    fflush(stdout);
    const int32_t ended = rheed_finalize(stream, 60000);
    tell_events(stream, 0);
    rheed_stats(stream, stats, RHEED_STAT_FRAMES_INCOMPLETE + 1, NULL);
    printf("stream: %" PRId64 " taken, %" PRId64 " confirmed, %" PRId64 " lost, %" PRId64 " dropped, %" PRId64 " rejected, %" PRId64
           " missed, %" PRId64 " incomplete\n",
           stats[RHEED_STAT_FRAMES_ACCEPTED], stats[RHEED_STAT_FRAMES_CONFIRMED], stats[RHEED_STAT_FRAMES_LOST],
           stats[RHEED_STAT_FRAMES_DROPPED], stats[RHEED_STAT_FRAMES_REJECTED], stats[RHEED_STAT_FRAMES_MISSED],
           stats[RHEED_STAT_FRAMES_INCOMPLETE]);
    if (RHEED_FAILED(ended)) fprintf(stderr, "rheed_finalize: %d; what is not confirmed stays in the spool\n", (int)ended);
    rheed_free(stream);
    return RHEED_FAILED(ended) ||
           stats[RHEED_STAT_FRAMES_LOST] + stats[RHEED_STAT_FRAMES_DROPPED] + stats[RHEED_STAT_FRAMES_REJECTED] != 0;
}

#endif

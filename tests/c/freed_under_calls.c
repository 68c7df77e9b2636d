/* A handle is freed while other threads push, wait and ask with it: each call is done or refused, none crashes or hangs. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

/* Every code that such a call may answer; anything else is a broken promise. */
static int is_fair(int32_t code) {
    return code == RHEED_OK || code == RHEED_W_PENDING || code == RHEED_W_TRUNCATED || code == RHEED_E_HANDLE ||
           code == RHEED_E_CLOSED || code == RHEED_E_QUEUE_FULL;
}

static void *push_until_refused(void *stream) {
    int32_t code = RHEED_OK;
    for (uint64_t id = 0; code != RHEED_E_HANDLE; id++) {
        code = push_shade(*(rheed_stream *)stream, (int)id, id);
        CHECK(is_fair(code));
    }
    return NULL;
}

static void *ask_until_refused(void *stream) {
    int32_t code = RHEED_OK;
    int64_t values[STATS];
    char text[256];
    while (code != RHEED_E_HANDLE) {
        code = rheed_stats(*(rheed_stream *)stream, values, STATS, NULL);
        CHECK(is_fair(code));
        if (code == RHEED_OK) {
            CHECK(values[RHEED_STAT_FRAMES_ACCEPTED] == values[RHEED_STAT_FRAMES_CONFIRMED] + values[RHEED_STAT_FRAMES_LOST] +
                                                            values[RHEED_STAT_FRAMES_PENDING]);
        }
        CHECK(is_fair(rheed_text(*(rheed_stream *)stream, RHEED_TEXT_REPORT, text, sizeof text, NULL)));
    }
    return NULL;
}

static void *listen_until_refused(void *stream) {
    int32_t code = RHEED_OK;
    while (code != RHEED_E_HANDLE) {
        code = rheed_next_event(*(rheed_stream *)stream, -1, NULL, NULL, NULL, NULL, 0, NULL);
        CHECK(is_fair(code));
    }
    return NULL;
}

static void *flush_until_refused(void *stream) {
    int32_t code = RHEED_OK;
    while (code != RHEED_E_HANDLE) {
        code = rheed_flush(*(rheed_stream *)stream, -1);
        CHECK(is_fair(code));
    }
    return NULL;
}

static void *watch_until_refused(void *stream) {
    int32_t code = RHEED_OK, count = 0;
    uint64_t position = 0;
    double means[100];
    for (uint32_t x = 0; code != RHEED_E_HANDLE; x = (x + 1) % WIDTH) {
        code = rheed_region_set(*(rheed_stream *)stream, 0, x, 0, 1, 1);
        CHECK(is_fair(code));
        code = rheed_region_read(*(rheed_stream *)stream, 0, &position, NULL, NULL, NULL, means, NULL, NULL, 100, &count, NULL);
        CHECK(is_fair(code) || code == RHEED_E_ARGUMENT); /* Closed before one was set. */
    }
    return NULL;
}

int main(int argc, char **argv) {
    void *(*const callers[])(void *) = {push_until_refused, push_until_refused, ask_until_refused, listen_until_refused,
                                        flush_until_refused, watch_until_refused};
    enum { CALLERS = sizeof callers / sizeof callers[0] };
    for (int round = 0; round < 10; round++) {
        pthread_t threads[CALLERS];
        rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
        for (int at = 0; at < CALLERS; at++) CHECK(pthread_create(&threads[at], NULL, callers[at], &stream) == 0);
        while (stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) < 50 * round) {
        }
        if (round % 2 == 0) CHECK(is_fair(rheed_finalize(stream, 0)));
        CHECK_CODE(rheed_free(stream), RHEED_OK);
        for (int at = 0; at < CALLERS; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    }
    return 0;
}

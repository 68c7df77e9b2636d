/* Pull mode: how a source ends its run, and what it may do to its own stream while it is called. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

typedef struct {
    uint64_t calls, frames;
    pthread_t caller;
    int32_t inner;
} watch;

static int32_t pushed(watch *seen, rheed_stream stream, uint64_t index) {
    CHECK(index == seen->calls);
    CHECK(pthread_equal(seen->caller, pthread_self()));
    seen->calls++;
    return push_shade(stream, (int)index, index);
}

static int32_t RHEED_CALL ends_after_fifty(void *user, rheed_stream stream, uint64_t index) {
    CHECK_CODE(pushed((watch *)user, stream, index), RHEED_OK);
    return index + 1 < 50;
}

static int32_t RHEED_CALL ends_without_a_frame(void *user, rheed_stream stream, uint64_t index) {
    (void)stream, (void)index;
    ((watch *)user)->calls++;
    return 0;
}

static int32_t RHEED_CALL aborts_at_five(void *user, rheed_stream stream, uint64_t index) {
    CHECK_CODE(pushed((watch *)user, stream, index), RHEED_OK);
    return index < 5 ? 1 : -1;
}

static int32_t RHEED_CALL finalizes_inside(void *user, rheed_stream stream, uint64_t index) {
    watch *seen = (watch *)user;
    CHECK_CODE(pushed(seen, stream, index), RHEED_OK);
    if (index == 9) {
        seen->inner = rheed_finalize(stream, -1);
        CHECK_CODE(push_shade(stream, 1, 1), RHEED_E_CLOSED);
    }
    return 1;
}

static int32_t RHEED_CALL frees_inside(void *user, rheed_stream stream, uint64_t index) {
    watch *seen = (watch *)user;
    CHECK_CODE(pushed(seen, stream, index), RHEED_OK);
    if (index == 9) {
        seen->inner = rheed_free(stream);
        CHECK_CODE(push_shade(stream, 1, 1), RHEED_E_HANDLE);
    }
    return 1;
}

static int32_t RHEED_CALL aborts_inside(void *user, rheed_stream stream, uint64_t index) {
    watch *seen = (watch *)user;
    CHECK_CODE(pushed(seen, stream, index), RHEED_OK);
    if (index == 9) seen->inner = rheed_abort(stream);
    return 1;
}

static int32_t RHEED_CALL runs_inside(void *user, rheed_stream stream, uint64_t index) {
    watch *seen = (watch *)user;
    CHECK_CODE(pushed(seen, stream, index), RHEED_OK);
    seen->inner = rheed_run(stream, ends_without_a_frame, user);
    return 0;
}

static void *push_from_elsewhere(void *stream) {
    CHECK_CODE(push_shade(*(rheed_stream *)stream, 1, 1), RHEED_E_ARGUMENT);
    return NULL;
}

static int32_t RHEED_CALL meets_a_stranger(void *user, rheed_stream stream, uint64_t index) {
    pthread_t stranger;
    CHECK_CODE(pushed((watch *)user, stream, index), RHEED_OK);
    CHECK(pthread_create(&stranger, NULL, push_from_elsewhere, &stream) == 0);
    CHECK(pthread_join(stranger, NULL) == 0);
    return 0;
}

static int32_t RHEED_CALL asks_inside(void *user, rheed_stream stream, uint64_t index) {
    char text[1024];
    CHECK_CODE(pushed((watch *)user, stream, index), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == (int64_t)index + 1);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, NULL), RHEED_OK);
    return index < 3;
}

/* Runs a stream of its own on one source, to its answer. */
static watch run(int argc, char **argv, rheed_source source, int32_t expected, int64_t frames) {
    watch seen = {0, 0, pthread_self(), -99};
    rheed_stream stream = open_stream(argc, argv, "pace = off\nchunk_size = 20\n");
    const int32_t code = rheed_run(stream, source, &seen);
    CHECK_CODE(code, expected);
    if (source != frees_inside) {
        CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == frames);
        if (expected == RHEED_OK) {
            /* Everything is in the spool, the last chunk too. */
            CHECK(stat_of(stream, RHEED_STAT_CHUNKS_SEALED) == (frames + 19) / 20);
            CHECK(stat_of(stream, RHEED_STAT_QUEUE_FRAMES) == 0);
            CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
        }
        CHECK_CODE(rheed_free(stream), RHEED_OK);
    }
    return seen;
}

int main(int argc, char **argv) {
    CHECK(run(argc, argv, ends_after_fifty, RHEED_OK, 50).calls == 50);
    CHECK(run(argc, argv, ends_without_a_frame, RHEED_OK, 0).calls == 1);
    CHECK(run(argc, argv, aborts_at_five, RHEED_E_ABORTED, 6).calls == 6);
    CHECK_CODE(run(argc, argv, finalizes_inside, RHEED_E_CLOSED, 10).inner, RHEED_OK);
    CHECK_CODE(run(argc, argv, frees_inside, RHEED_E_CLOSED, 10).inner, RHEED_OK);
    CHECK_CODE(run(argc, argv, aborts_inside, RHEED_E_ABORTED, 10).inner, RHEED_OK);
    CHECK_CODE(run(argc, argv, runs_inside, RHEED_OK, 1).inner, RHEED_E_ARGUMENT);
    CHECK(run(argc, argv, meets_a_stranger, RHEED_OK, 1).calls == 1);
    CHECK(run(argc, argv, asks_inside, RHEED_OK, 4).calls == 4);
    return 0;
}

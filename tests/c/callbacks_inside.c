/* A callback may call anything: in a source and in a log callback every function answers what the header says, and none waits for
   itself. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { BEFORE = 45 };

static int count;
static char **arguments;
static const char *const options = "pace = off\nchunk_size = 20\n";

/* What a source does after it has pushed its frames; gives its answer. */
typedef int32_t (*deed)(rheed_stream stream);

static int32_t RHEED_CALL pushes_then_does(void *user, rheed_stream stream, uint64_t index) {
    if (index < BEFORE) {
        CHECK_CODE(push_numbered(stream, index), RHEED_OK);
        return 1;
    }
    deed what;
    memcpy(&what, user, sizeof what);
    return what(stream);
}

static int32_t flushes(rheed_stream stream) {
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
    return 0;
}

static int32_t finalizes(rheed_stream stream) {
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_run(stream, pushes_then_does, NULL), RHEED_E_CLOSED);
    return 0;
}

static int32_t frees(rheed_stream stream) {
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_E_HANDLE);
    return 0;
}

static int32_t finalizes_and_frees(rheed_stream stream) { return finalizes(stream) + frees(stream); }

static int32_t aborts(rheed_stream stream) {
    CHECK_CODE(rheed_abort(stream), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_E_ABORTED);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_E_ABORTED);
    return 1;
}

static int32_t shuts_down(rheed_stream stream) {
    CHECK_CODE(rheed_shutdown(-1), RHEED_W_PENDING); /* The open chunk is left in the spool. */
    CHECK_CODE(push_numbered(stream, 1), RHEED_E_ABORTED);
    return 1;
}

static int32_t runs(rheed_stream stream) {
    CHECK_CODE(rheed_run(stream, pushes_then_does, NULL), RHEED_E_ARGUMENT);
    return 0;
}

static int32_t pushes_a_chunk(rheed_stream stream) {
    const unsigned char pixels[FRAME_BYTES] = {0};
    CHECK_CODE(rheed_push_chunk(stream, 9, pixels, FRAME_BYTES, 1, WIDTH, HEIGHT, 0, 0), RHEED_E_ARGUMENT);
    return 0;
}

static int32_t listens(rheed_stream stream) {
    int32_t kind = RHEED_EVENT_NONE;
    while (kind != RHEED_EVENT_CHUNK_CONFIRMED) {
        CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, NULL, NULL, 0, NULL), RHEED_OK);
    }
    return 0;
}

static int32_t streams_another(rheed_stream stream) {
    const deed inner = flushes;
    rheed_stream other = open_stream(count, arguments, options);
    CHECK(other != stream);
    CHECK_CODE(rheed_run(other, pushes_then_does, (void *)&inner), RHEED_OK);
    CHECK_CODE(rheed_finalize(other, -1), RHEED_OK);
    CHECK_CODE(rheed_free(other), RHEED_OK);
    return 0;
}

static void run(deed what, int32_t expected, int32_t finalized) {
    rheed_stream stream = open_stream(count, arguments, options);
    CHECK_CODE(rheed_run(stream, pushes_then_does, &what), expected);
    CHECK_CODE(rheed_finalize(stream, -1), finalized);
    if (finalized != RHEED_E_HANDLE) CHECK_CODE(rheed_free(stream), RHEED_OK);
}

/* What a log callback does at its first call. */
typedef struct {
    atomic_int calls;
    rheed_stream stream;
    int deed, done;
} listener;

enum { PUSHES, FLUSHES, FINALIZES, FREES, ABORTS, SHUTS_DOWN, SETS_ANOTHER, OPENS, DEEDS };

static void RHEED_CALL ignore(void *user, int32_t level, const char *message) { (void)user, (void)level, (void)message; }

static void RHEED_CALL does(void *user, int32_t level, const char *message) {
    listener *const me = (listener *)user;
    (void)level;
    if (strstr(message, "frame 44:") == NULL || me->calls++ > 0) return;
    switch (me->deed) {
    case PUSHES:
        for (uint64_t at = BEFORE; at < 3 * BEFORE; at++) CHECK_CODE(push_numbered(me->stream, at), RHEED_OK);
        break;
    case FLUSHES: CHECK_CODE(rheed_flush(me->stream, -1), RHEED_OK); break;
    case FINALIZES: CHECK_CODE(rheed_finalize(me->stream, -1), RHEED_OK); break;
    case FREES: CHECK_CODE(rheed_free(me->stream), RHEED_OK); break;
    case ABORTS: CHECK_CODE(rheed_abort(me->stream), RHEED_OK); break;
    case SHUTS_DOWN: CHECK_CODE(rheed_shutdown(-1), RHEED_E_ARGUMENT); break;
    case SETS_ANOTHER: CHECK_CODE(rheed_set_log(ignore, NULL, 4), RHEED_OK); break;
    case OPENS: {
        rheed_stream other = open_stream(count, arguments, options);
        CHECK_CODE(push_numbered(other, 0), RHEED_OK);
        CHECK_CODE(rheed_finalize(other, -1), RHEED_OK);
        CHECK_CODE(rheed_free(other), RHEED_OK);
        break;
    }
    default: CHECK(0);
    }
    me->calls = 1000000;
}

static void log_and_do(int what) {
    listener me = {0, 0, what, 0};
    me.stream = open_stream(count, arguments, options);
    CHECK_CODE(rheed_set_log(does, &me, 4), RHEED_OK);
    for (uint64_t at = 0; at < BEFORE; at++) CHECK_CODE(push_numbered(me.stream, at), RHEED_OK);
    while (me.calls < 1000000) sched_yield();
    const int32_t ended = rheed_finalize(me.stream, -1);
    CHECK_CODE(ended, what == FREES ? RHEED_E_HANDLE : what == ABORTS ? RHEED_E_ABORTED : RHEED_OK);
    CHECK_CODE(rheed_set_log(NULL, NULL, 0), RHEED_OK);
    if (what != FREES) CHECK_CODE(rheed_free(me.stream), RHEED_OK);
}

int main(int argc, char **argv) {
    count = argc, arguments = argv;
    run(flushes, RHEED_OK, RHEED_OK);
    run(finalizes, RHEED_E_CLOSED, RHEED_OK);
    run(frees, RHEED_E_CLOSED, RHEED_E_HANDLE);
    run(finalizes_and_frees, RHEED_E_CLOSED, RHEED_E_HANDLE);
    run(aborts, RHEED_E_ABORTED, RHEED_E_ABORTED);
    run(runs, RHEED_OK, RHEED_OK);
    run(pushes_a_chunk, RHEED_OK, RHEED_OK);
    run(listens, RHEED_OK, RHEED_OK);
    run(streams_another, RHEED_OK, RHEED_OK);
    run(shuts_down, RHEED_E_ABORTED, RHEED_E_ABORTED);
    for (int what = 0; what < DEEDS; what++) log_and_do(what);
    return 0;
}

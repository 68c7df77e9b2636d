/* Shutdown: before anything, over open streams, twice; a new init works, and finds what the old one left. */
#define _POSIX_C_SOURCE 200809L
#include "tasks.h"

#include <sched.h>

/* A thread that was joined still shows for a moment. One that never ends makes this hang, which the test sees. */
static void all_threads_end(void) {
    while (threads() > 1) sched_yield();
}

int main(int argc, char **argv) {
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    CHECK(threads() == 1); /* Nothing is started before the first init. */

    rheed_stream first = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 20; at++) CHECK_CODE(push_shade(first, at, (uint64_t)at), RHEED_OK);
    CHECK(threads() > 1);
    CHECK(!RHEED_FAILED(rheed_shutdown(-1)));
    all_threads_end(); /* The library may be unloaded. */

    CHECK_CODE(push_shade(first, 1, 1), RHEED_E_ABORTED);
    CHECK_CODE(rheed_finalize(first, -1), RHEED_E_ABORTED);
    CHECK(stat_of(first, RHEED_STAT_FRAMES_ACCEPTED) == 20);
    CHECK(!RHEED_FAILED(rheed_shutdown(-1)));

    rheed_stream second = open_stream(argc, argv, "");
    CHECK(second != first);
    CHECK_CODE(push_shade(second, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_finalize(second, -1), RHEED_OK);
    CHECK(stat_of(second, RHEED_STAT_FRAMES_ACCEPTED) == 1);
    CHECK(stat_of(first, RHEED_STAT_FRAMES_ACCEPTED) == 20);
    CHECK_CODE(rheed_free(first), RHEED_OK);
    CHECK_CODE(rheed_free(second), RHEED_OK);
    CHECK(!RHEED_FAILED(rheed_shutdown(-1)));
    all_threads_end();
    return 0;
}

/* What a camera's thread executes for a frame, counted by callgrind: calls of each kind between two of its dumps, named after them.
 * Callgrind collects inside the library's calls, and inside copy_frame, which copies as much and does nothing else. */
#include "host.h"

#include <valgrind/callgrind.h>

enum { SMALL = 64, LARGE = 512, COUNTED = 100, BETWEEN = 3000 };

static unsigned char pixels[LARGE * LARGE], copied[COUNTED][SMALL * SMALL + 64], copied_large[4][LARGE * LARGE];

/* Not inlined, nor its copy: callgrind knows it by its name. */
__attribute__((noinline)) void copy_frame(void *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
}

static void push(rheed_stream stream, uint32_t side) {
    const uint64_t size = (uint64_t)side * side;
    CHECK_CODE(rheed_push(stream, pixels, size, side, side, 0, RHEED_FORMAT_MONO8, RHEED_NO_FRAME_ID, 0, 0), RHEED_OK);
}

static void lend_and_commit(rheed_stream stream, uint32_t side) {
    const size_t size = (size_t)side * side;
    void *slot = NULL;
    CHECK_CODE(rheed_acquire(stream, size, &slot), RHEED_OK);
    memset(slot, 1, size);
    CHECK_CODE(rheed_commit(stream, slot, side, side, 0, RHEED_FORMAT_MONO8, RHEED_NO_FRAME_ID, 0, 0), RHEED_OK);
}

/* All that waits is dealt with first: then there is room, and the encoder sleeps. */
static void count(rheed_stream stream, void give(rheed_stream, uint32_t), uint32_t side, const char *name) {
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
    CALLGRIND_ZERO_STATS;
    for (int call = 0; call < COUNTED; call++) give(stream, side);
    CALLGRIND_DUMP_STATS_AT(name);
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 1000\nwhen_full = block\n");
    for (size_t at = 0; at < sizeof pixels; at++) pixels[at] = (unsigned char)(at * at >> 7);
    push(stream, SMALL);

    count(stream, push, SMALL, "push");
    count(stream, lend_and_commit, SMALL, "acquire and commit");
    for (int call = 0; call < BETWEEN; call++) push(stream, SMALL);
    count(stream, push, SMALL, "push after many");
    count(stream, lend_and_commit, SMALL, "acquire and commit after many");
    for (int32_t region = 0; region < 8; region++) CHECK_CODE(rheed_region_set(stream, region, 0, 0, SMALL, SMALL), RHEED_OK);
    count(stream, push, SMALL, "push with regions");
    count(stream, lend_and_commit, SMALL, "acquire and commit with regions");
    push(stream, LARGE);
    count(stream, push, LARGE, "push large");

    CALLGRIND_ZERO_STATS;
    for (int call = 0; call < COUNTED; call++) copy_frame(copied[call], pixels, SMALL * SMALL);
    CALLGRIND_DUMP_STATS_AT("copy");
    CALLGRIND_ZERO_STATS;
    for (int call = 0; call < COUNTED; call++) copy_frame(copied_large[call % 4], pixels, LARGE * LARGE);
    CALLGRIND_DUMP_STATS_AT("copy large");
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

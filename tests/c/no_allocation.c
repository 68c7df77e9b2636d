/* No frame costs an allocation once its size is known, pushed or committed, taken or refused, nor does watching a region: this
 * program's malloc counts. For glibc. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <errno.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

/* Of this thread alone: the library's own threads may allocate. */
static __thread int counting, allocations;

void *malloc(size_t size) {
    allocations += counting;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    allocations += counting;
    return __libc_calloc(count, size);
}

void *realloc(void *former, size_t size) {
    allocations += counting;
    return __libc_realloc(former, size);
}

int posix_memalign(void **place, size_t alignment, size_t size) {
    allocations += counting;
    *place = __libc_memalign(alignment, size);
    return *place == NULL ? ENOMEM : 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
    allocations += counting;
    return __libc_memalign(alignment, size);
}

/* So that nothing about a call can be known when this is compiled. */
static volatile int one = 1;

enum { SIDE = 256 };

static unsigned char pixels[SIDE * SIDE * 2];

static int32_t push(rheed_stream stream, uint64_t size, uint32_t format) {
    return rheed_push(stream, pixels, size, SIDE, SIDE, 0, format, RHEED_NO_FRAME_ID, 0, 0);
}

static int32_t commit(rheed_stream stream, void *slot, uint32_t height, uint32_t format) {
    return rheed_commit(stream, slot, SIDE, height, 0, format, RHEED_NO_FRAME_ID, 0, 0);
}

static uint32_t deep(int number) {
    return number % 4 < 2 ? RHEED_FORMAT_MONO12P : RHEED_FORMAT_MONO16;
}

/* Acquires, and commits or discards; tells what acquire answered. */
static int32_t film(rheed_stream stream, int number) {
    void *slot = NULL;
    const int32_t code = rheed_acquire(stream, sizeof pixels, &slot);
    if (code != RHEED_OK) return code;
    memcpy(slot, pixels, sizeof pixels);
    CHECK_CODE(commit(stream, slot, 3 * SIDE, RHEED_FORMAT_MONO8), RHEED_E_ARGUMENT);
    if (number % 5 == 4) {
        CHECK_CODE(rheed_discard(stream, slot), RHEED_OK);
    } else {
        CHECK_CODE(commit(stream, slot, SIDE, number % 2 ? deep(number) : RHEED_FORMAT_MONO8), RHEED_OK);
    }
    CHECK_CODE(rheed_discard(stream, slot), RHEED_E_ARGUMENT);
    return code;
}

int main(int argc, char **argv) {
    counting = one;
    void *volatile kept = malloc(10);
    counting = 0;
    CHECK(allocations == 1); /* It does count. */
    free(kept);

    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\nqueue_bytes = 1MiB\n");
    for (size_t at = 0; at < sizeof pixels; at++) pixels[at] = (unsigned char)(rand() >> 4); /* Slow to encode. */
    CHECK_CODE(push(stream, sizeof pixels, RHEED_FORMAT_MONO8), RHEED_OK);
    uint64_t position = 0;
    int32_t readings = 0;
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, SIDE, SIDE), RHEED_OK);

    int taken = 0, full = 0, rejected = 0;
    allocations = 0;
    counting = 1;
    while (taken < 50 || full < 50) {
        const int32_t code = push(stream, sizeof pixels, taken < 5 ? deep(taken) : RHEED_FORMAT_MONO8);
        taken += code == RHEED_OK;
        full += code == RHEED_E_QUEUE_FULL;
        if (code != RHEED_OK && code != RHEED_E_QUEUE_FULL) break;
        rejected += push(stream, 1, RHEED_FORMAT_MONO8) == RHEED_E_ARGUMENT;
        counting = 0; /* Who sets and reads regions may wait for the encoder, and the first such wait allocates. */
        CHECK_CODE(rheed_region_set(stream, 0, (uint32_t)taken % 2, 0, SIDE - 1, SIDE), RHEED_OK);
        CHECK_CODE(rheed_region_read(stream, 0, &position, NULL, NULL, NULL, NULL, NULL, NULL, 1000, &readings, NULL), RHEED_OK);
        counting = 1;
    }
    counting = 0;
    CHECK(taken >= 50 && full >= 50 && rejected == taken + full);
    if (allocations != 0) fprintf(stderr, "%d allocations over %d frames taken, %d dropped and %d rejected\n", allocations, taken, full, rejected);
    CHECK(allocations == 0);

    while (film(stream, 0) != RHEED_OK) { /* The size is known from here on. */
    }
    taken = full = 0;
    counting = 1;
    while (taken < 50 || full < 50) {
        const int32_t code = film(stream, taken);
        taken += code == RHEED_OK;
        full += code == RHEED_E_QUEUE_FULL;
        if (code != RHEED_OK && code != RHEED_E_QUEUE_FULL) break;
    }
    counting = 0;
    CHECK(taken >= 50 && full >= 50);
    if (allocations != 0) fprintf(stderr, "%d allocations over %d slots acquired, %d not\n", allocations, taken, full);
    CHECK(allocations == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* Where less is kept, neither. */
    stream = open_stream(argc, argv, "when_full = block\nroi = 3, 5, 250, 240\nbin = 2\ndecimate = 2\nframe_bytes = 131072\n");
    allocations = 0;
    counting = 1;
    for (taken = 0; taken < 100 && push(stream, sizeof pixels, taken % 4 < 2 ? deep(taken) : RHEED_FORMAT_YUYV) == RHEED_OK; taken++) {
        CHECK_CODE(film(stream, taken % 4), RHEED_OK);
        CHECK_CODE(commit(stream, pixels, SIDE, RHEED_FORMAT_MONO8), RHEED_E_ARGUMENT);
        CHECK_CODE(push(stream, 3 * SIDE * SIDE, RHEED_FORMAT_BAYER_RG8), RHEED_E_FORMAT);
    }
    counting = 0;
    CHECK(taken == 100 && allocations == 0);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_LEFT_OUT) == 100);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

/* A push allocates nothing once the frame size is known, taken or refused: this program's malloc counts. For glibc. */
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

int main(int argc, char **argv) {
    counting = one;
    void *volatile kept = malloc(10);
    counting = 0;
    CHECK(allocations == 1); /* It does count. */
    free(kept);

    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\nqueue_bytes = 1MiB\n");
    for (size_t at = 0; at < sizeof pixels; at++) pixels[at] = (unsigned char)(rand() >> 4); /* Slow to encode. */
    CHECK_CODE(push(stream, sizeof pixels, RHEED_FORMAT_MONO8), RHEED_OK);

    int taken = 0, full = 0, rejected = 0;
    allocations = 0;
    counting = 1;
    while (taken < 50 || full < 50) {
        const int32_t code = push(stream, sizeof pixels, taken < 5 ? RHEED_FORMAT_MONO16 : RHEED_FORMAT_MONO8);
        taken += code == RHEED_OK;
        full += code == RHEED_E_QUEUE_FULL;
        if (code != RHEED_OK && code != RHEED_E_QUEUE_FULL) break;
        rejected += push(stream, 1, RHEED_FORMAT_MONO8) == RHEED_E_ARGUMENT;
    }
    counting = 0;
    CHECK(taken >= 50 && full >= 50 && rejected == taken + full);
    if (allocations != 0) fprintf(stderr, "%d allocations over %d frames taken, %d dropped and %d rejected\n", allocations, taken, full, rejected);
    CHECK(allocations == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

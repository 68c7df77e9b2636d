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

int main(int argc, char **argv) {
    counting = one;
    void *volatile kept = malloc(10);
    counting = 0;
    CHECK(allocations == 1); /* It does count. */
    free(kept);

    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\nqueue_bytes = 1048576\n");
    for (int at = 0; at < 50; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);

    unsigned char pixels[FRAME_BYTES * 2] = {1};
    int taken = 0, full = 0;
    allocations = 0;
    counting = 1;
    for (uint64_t id = 50; id < 5000; id++) {
        const int32_t code = rheed_push(stream, pixels, FRAME_BYTES, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, id, 0, 0);
        taken += code == RHEED_OK;
        full += code == RHEED_E_QUEUE_FULL;
        taken += rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO16, RHEED_NO_FRAME_ID, 0, 0) == RHEED_OK;
        if (rheed_push(stream, pixels, 1, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, RHEED_NO_FRAME_ID, 0, 0) != RHEED_E_ARGUMENT) break;
    }
    counting = 0;
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_REJECTED) == 4950);
    CHECK(taken > 0 && taken + full >= 4950);
    if (allocations != 0) fprintf(stderr, "%d allocations over %d frames taken, %d refused\n", allocations, taken, full);
    CHECK(allocations == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

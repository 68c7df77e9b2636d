/* Slots that are acquired: whatever a host does with them is taken or refused, and nobody loses memory that a camera writes to. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

enum { QUEUE = 1 << 20, LARGE = QUEUE / 16 };

static void *acquired(rheed_stream stream, uint64_t size) {
    void *pixels = NULL;
    CHECK_CODE(rheed_acquire(stream, size, &pixels), RHEED_OK);
    CHECK(pixels != NULL && (uintptr_t)pixels % 64 == 0);
    memset(pixels, (int)size, size); /* All of it is there. */
    return pixels;
}

static int32_t commit(rheed_stream stream, void *pixels) {
    return rheed_commit(stream, pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, RHEED_NO_FRAME_ID, 0, 0);
}

static void is_no_slot(rheed_stream stream, void *address) {
    CHECK_CODE(commit(stream, address), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_discard(stream, address), RHEED_E_ARGUMENT);
}

static void *at(void *base, intptr_t offset) {
    return (void *)((intptr_t)base + offset);
}

static void only_an_acquired_slot_is_one(rheed_stream stream, rheed_stream other) {
    unsigned char own[FRAME_BYTES] = {0};
    void *const slot = acquired(stream, FRAME_BYTES), *const others = acquired(other, FRAME_BYTES);
    void *const wrong[] = {NULL, own, at(NULL, 1), at(NULL, -1), at(NULL, 4096), at(slot, 1), at(slot, -1), at(slot, 64),
                           at(slot, FRAME_BYTES), at(slot, QUEUE), at(slot, -QUEUE), others};
    for (size_t which = 0; which < sizeof wrong / sizeof wrong[0]; which++) is_no_slot(stream, wrong[which]);
    is_no_slot(other, slot);

    char text[1024];
    CHECK_CODE(rheed_text(other, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "rheed_acquire") != NULL);

    CHECK_CODE(commit(stream, slot), RHEED_OK);
    is_no_slot(stream, slot);
    CHECK_CODE(rheed_discard(other, others), RHEED_OK);
    is_no_slot(other, others);
}

static void what_is_wrong_with_an_acquire_is_said(rheed_stream stream) {
    const uint64_t sizes[] = {0, QUEUE + 1, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX};
    const int64_t rejected = stat_of(stream, RHEED_STAT_FRAMES_REJECTED);
    for (size_t which = 0; which < sizeof sizes / sizeof sizes[0]; which++) {
        void *pixels = &pixels;
        CHECK_CODE(rheed_acquire(stream, sizes[which], &pixels), RHEED_E_ARGUMENT);
        CHECK(pixels == NULL);
        CHECK_CODE(rheed_acquire(stream, sizes[which], NULL), RHEED_E_ARGUMENT);
    }
    CHECK_CODE(rheed_acquire(stream, FRAME_BYTES, NULL), RHEED_E_ARGUMENT);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_REJECTED) == rejected + 11);

    void *pixels = &pixels;
    CHECK_CODE(rheed_acquire(0, FRAME_BYTES, &pixels), RHEED_E_HANDLE);
    CHECK(pixels == NULL);
    CHECK_CODE(rheed_acquire(0, FRAME_BYTES, NULL), RHEED_E_HANDLE);
}

static void a_refused_commit_leaves_the_slot_acquired(rheed_stream stream) {
    unsigned char *const slot = (unsigned char *)acquired(stream, FRAME_BYTES);
    const int64_t accepted = stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED), rejected = stat_of(stream, RHEED_STAT_FRAMES_REJECTED);
    const uint64_t id = RHEED_NO_FRAME_ID;
    CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT + 1, 0, 0, id, 0, 0), RHEED_E_ARGUMENT); /* The slot may have room. */
    CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO12, id, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, WIDTH - 1, 0, id, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_commit(stream, slot, 0, HEIGHT, 0, 0, id, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, 0, 0, id, 0, 2), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, 0, RHEED_FORMAT_BAYER_RG8, id, 0, 0), RHEED_E_FORMAT);
    CHECK_CODE(rheed_push_chunk(stream, 0, slot, FRAME_BYTES, 1, WIDTH, HEIGHT, 0, 0), RHEED_E_ARGUMENT); /* It takes frames. */
    memset(slot, 3, FRAME_BYTES);
    CHECK_CODE(commit(stream, slot), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == accepted + 1);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_REJECTED) == rejected + 7);
}

static void discarded_slots_can_be_acquired_again(rheed_stream stream) {
    void *slots[QUEUE / LARGE], *pixels = slots;
    const int64_t accepted = stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED), dropped = stat_of(stream, RHEED_STAT_FRAMES_DROPPED);
    for (int round = 0; round < 3; round++) {
        for (int slot = 0; slot < QUEUE / LARGE; slot++) slots[slot] = acquired(stream, LARGE);
        CHECK_CODE(rheed_acquire(stream, LARGE, &pixels), RHEED_E_QUEUE_FULL);
        CHECK(pixels == NULL);
        CHECK_CODE(push_shade(stream, 1, RHEED_NO_FRAME_ID), RHEED_E_QUEUE_FULL);
        for (int slot = 0; slot < QUEUE / LARGE; slot++) CHECK_CODE(rheed_discard(stream, slots[slot]), RHEED_OK);
    }
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == accepted);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_DROPPED) == dropped + 6);
    CHECK(stat_of(stream, RHEED_STAT_QUEUE_FRAMES) <= 1);
}

/* A slot that several threads commit or discard at once. */
enum { RIVALS = 4, RACES = 200 };

typedef struct {
    rheed_stream stream;
    void *slot;
    pthread_barrier_t *start;
    int discards;
} rival;

static void *race(void *argument) {
    const rival *of = (const rival *)argument;
    pthread_barrier_wait(of->start);
    const int32_t code = of->discards ? rheed_discard(of->stream, of->slot) : commit(of->stream, of->slot);
    CHECK(code == RHEED_OK || code == RHEED_E_ARGUMENT);
    return code == RHEED_OK ? argument : NULL;
}

static void one_of_several_at_once_has_the_slot(rheed_stream stream) {
    for (int round = 0; round < RACES; round++) {
        pthread_t threads[RIVALS];
        rival rivals[RIVALS];
        pthread_barrier_t start;
        int winners = 0;
        void *const slot = acquired(stream, FRAME_BYTES);
        CHECK(pthread_barrier_init(&start, NULL, RIVALS) == 0);
        for (int which = 0; which < RIVALS; which++) {
            const rival one = {stream, slot, &start, round % 3 == which % 3};
            rivals[which] = one;
            CHECK(pthread_create(&threads[which], NULL, race, &rivals[which]) == 0);
        }
        for (int which = 0; which < RIVALS; which++) {
            void *won = NULL;
            CHECK(pthread_join(threads[which], &won) == 0);
            winners += won != NULL;
        }
        CHECK(winners == 1);
        pthread_barrier_destroy(&start);
    }
}

/* A camera writes on after the stream has ended in any way. */
enum ending { FINALIZED, ABORTED, FREED, SHUT_DOWN, ENDINGS };

static void a_camera_may_write_on(int argc, char **argv, enum ending ending) {
    rheed_stream stream = open_stream(argc, argv, "queue_bytes = 1MiB\n");
    void *const small = acquired(stream, FRAME_BYTES), *const large = acquired(stream, LARGE); /* Of two pools. */
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
    int32_t refused = RHEED_E_CLOSED;
    switch (ending) {
    case FINALIZED:
        CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
        break;
    case ABORTED:
        refused = RHEED_E_ABORTED;
        CHECK_CODE(rheed_abort(stream), RHEED_OK);
        break;
    case SHUT_DOWN:
        refused = RHEED_E_ABORTED;
        CHECK(!RHEED_FAILED(rheed_shutdown(-1)));
        break;
    default:
        break;
    }
    memset(small, 7, FRAME_BYTES);
    memset(large, 7, LARGE);
    if (ending != FREED) {
        void *pixels = small;
        CHECK_CODE(rheed_acquire(stream, FRAME_BYTES, &pixels), refused);
        CHECK(pixels == NULL);
        CHECK_CODE(commit(stream, small), refused);
        CHECK_CODE(rheed_discard(stream, at(small, 1)), RHEED_E_ARGUMENT);
        CHECK_CODE(rheed_discard(stream, small), RHEED_OK);
        CHECK_CODE(rheed_discard(stream, small), RHEED_E_ARGUMENT);
    }
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    if (ending == SHUT_DOWN) CHECK(!RHEED_FAILED(rheed_shutdown(-1)));

    rheed_stream next = open_stream(argc, argv, ""); /* In the place of the freed one, and not it. */
    memset(large, 8, LARGE);
    CHECK(((unsigned char *)large)[LARGE - 1] == 8);
    CHECK_CODE(commit(stream, large), RHEED_E_HANDLE);
    CHECK_CODE(commit(next, large), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_discard(next, large), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_discard(stream, at(large, 64)), RHEED_E_HANDLE);
    CHECK_CODE(rheed_discard(stream + 1, large), RHEED_E_HANDLE);
    CHECK_CODE(rheed_discard(0, large), RHEED_E_HANDLE);
    CHECK_CODE(rheed_free(next), RHEED_OK); /* Another free does not forget it. */
    memset(large, 9, LARGE);
    if (ending == FREED) CHECK_CODE(rheed_discard(stream, small), RHEED_OK);
    CHECK_CODE(rheed_discard(stream, large), RHEED_OK);
    CHECK_CODE(rheed_discard(stream, large), RHEED_E_HANDLE);
    CHECK_CODE(rheed_discard(stream, small), RHEED_E_HANDLE);
}

/* Cameras that are not told of the end: what they hold is theirs until they give it back. */
static void *film(void *argument) {
    const rheed_stream stream = *(const rheed_stream *)argument;
    for (unsigned number = 0;; number++) {
        const uint64_t size = FRAME_BYTES + (number % 50 == 49 ? number : 0u); /* Now and then another pool. */
        void *pixels = NULL;
        const int32_t code = rheed_acquire(stream, size, &pixels);
        if (code == RHEED_E_HANDLE) return NULL;
        if (code != RHEED_OK) {
            if (code != RHEED_E_QUEUE_FULL && code != RHEED_E_CLOSED) CHECK_CODE(code, RHEED_E_ABORTED);
            continue;
        }
        memset(pixels, (int)number, size);
        const int32_t taken = number % 3 == 0 ? RHEED_E_CLOSED : commit(stream, pixels);
        if (taken != RHEED_OK) {
            /* With slots of two sizes, more frames may wait for the encoder than the queue has places. */
            const int of_the_end = taken == RHEED_E_CLOSED || taken == RHEED_E_ABORTED || taken == RHEED_E_HANDLE;
            if (!of_the_end) CHECK_CODE(taken, RHEED_E_QUEUE_FULL);
            memset(pixels, (int)number, size);
            CHECK_CODE(rheed_discard(stream, pixels), RHEED_OK);
        }
    }
}

static void streams_end_under_cameras(int argc, char **argv) {
    enum { CAMERAS = 4 };
    for (int round = 0; round < 12; round++) {
        pthread_t cameras[CAMERAS];
        rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\nqueue_bytes = 1MiB\n");
        for (int which = 0; which < CAMERAS; which++) CHECK(pthread_create(&cameras[which], NULL, film, &stream) == 0);
        while (stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) < 20 * round) {
        }
        if (round % 4 == 1) CHECK(!RHEED_FAILED(rheed_finalize(stream, 0)));
        if (round % 4 == 2) CHECK_CODE(rheed_abort(stream), RHEED_OK);
        if (round % 4 == 3) CHECK(!RHEED_FAILED(rheed_shutdown(-1)));
        CHECK_CODE(rheed_free(stream), RHEED_OK);
        for (int which = 0; which < CAMERAS; which++) CHECK(pthread_join(cameras[which], NULL) == 0);
    }
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "queue_bytes = 1MiB\n"), other = open_stream(argc, argv, "");
    only_an_acquired_slot_is_one(stream, other);
    what_is_wrong_with_an_acquire_is_said(stream);
    a_refused_commit_leaves_the_slot_acquired(stream);
    one_of_several_at_once_has_the_slot(stream);
    CHECK_CODE(rheed_finalize(other, -1), RHEED_OK);
    CHECK_CODE(rheed_free(other), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_LOST) == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    stream = open_stream(argc, argv, "queue_bytes = 1MiB\nframe_bytes = 64KiB\n");
    discarded_slots_can_be_acquired_again(stream);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    for (int ending = 0; ending < ENDINGS; ending++) a_camera_may_write_on(argc, argv, (enum ending)ending);
    streams_end_under_cameras(argc, argv);

    /* One that is never given back does not keep the process from ending. */
    stream = open_stream(argc, argv, "");
    acquired(stream, FRAME_BYTES);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

/* Stale, freed and made-up handles: RHEED_E_HANDLE from every function and every thread, whatever came after them. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

static int32_t RHEED_CALL never_called(void *user, rheed_stream stream, uint64_t index) {
    (void)user, (void)stream, (void)index;
    CHECK(!"a source was called on a handle that is not open");
    return 0;
}

static void is_refused(rheed_stream handle) {
    unsigned char pixels[FRAME_BYTES] = {0};
    int64_t values[STATS];
    int32_t number = 0;
    int64_t wide = 0;
    char text[64];

    CHECK_CODE(push_shade(handle, 1, 1), RHEED_E_HANDLE);
    CHECK_CODE(rheed_push(handle, NULL, 0, 0, 0, 0, 0, 0, 0, 0), RHEED_E_HANDLE);
    CHECK_CODE(rheed_push_chunk(handle, 0, pixels, FRAME_BYTES, 1, WIDTH, HEIGHT, 0, 0), RHEED_E_HANDLE);
    void *slot = pixels;
    CHECK_CODE(rheed_acquire(handle, FRAME_BYTES, &slot), RHEED_E_HANDLE);
    CHECK(slot == NULL);
    CHECK_CODE(rheed_commit(handle, pixels, WIDTH, HEIGHT, 0, 0, 0, 0, 0), RHEED_E_HANDLE);
    CHECK_CODE(rheed_discard(handle, pixels), RHEED_E_HANDLE);
    CHECK_CODE(rheed_run(handle, never_called, NULL), RHEED_E_HANDLE);
    void *node = NULL;
    CHECK_CODE(rheed_labview_attach(handle, &node), RHEED_E_HANDLE);
    CHECK_CODE(rheed_labview_attach(handle, NULL), RHEED_E_HANDLE);
    CHECK_CODE(rheed_flush(handle, -1), RHEED_E_HANDLE);
    CHECK_CODE(rheed_finalize(handle, -1), RHEED_E_HANDLE);
    CHECK_CODE(rheed_abort(handle), RHEED_E_HANDLE);
    CHECK_CODE(rheed_free(handle), RHEED_E_HANDLE);
    CHECK_CODE(rheed_stats(handle, values, STATS, &number), RHEED_E_HANDLE);
    CHECK_CODE(rheed_text(handle, RHEED_TEXT_STATUS, text, sizeof text, &number), RHEED_E_HANDLE);
    CHECK_CODE(rheed_next_event(handle, -1, &number, &wide, &wide, text, sizeof text, &number), RHEED_E_HANDLE);
    CHECK_CODE(rheed_region_set(handle, 0, 0, 0, 1, 1), RHEED_E_HANDLE);
    CHECK_CODE(rheed_region_set(handle, 99, 0, 0, 1, 0), RHEED_E_HANDLE);
    uint64_t position = 0;
    CHECK_CODE(rheed_region_read(handle, 0, &position, NULL, NULL, NULL, NULL, NULL, NULL, 1, &number, &wide), RHEED_E_HANDLE);
    CHECK_CODE(rheed_region_read(handle, 0, &position, NULL, NULL, NULL, NULL, NULL, NULL, -1, &number, &wide), RHEED_E_HANDLE);
}

static void *is_refused_on_a_thread(void *handle) {
    is_refused(*(rheed_stream *)handle);
    return NULL;
}

int main(int argc, char **argv) {
    /* Before the first init there is nothing to look anything up in. */
    is_refused(0);
    is_refused(UINT64_MAX);

    rheed_stream first = open_stream(argc, argv, "");
    rheed_stream second = open_stream(argc, argv, "");
    CHECK(first != second);
    CHECK(first > ((uint64_t)1 << 32) && first < ((uint64_t)1 << 53));
    CHECK((rheed_stream)(double)first == first);

    const rheed_stream made_up[] = {0, 1, 2, (uint32_t)first, first ^ ((uint64_t)1 << 40), first ^ ((uint64_t)1 << 60), first + 12345,
                                    (uint64_t)1 << 32, ((uint64_t)1 << 53) - 1, (uint64_t)1 << 63, UINT64_MAX};
    for (size_t at = 0; at < sizeof made_up / sizeof made_up[0]; at++) {
        if (made_up[at] != first && made_up[at] != second) is_refused(made_up[at]);
    }

    CHECK_CODE(rheed_finalize(first, -1), RHEED_OK);
    CHECK_CODE(rheed_free(first), RHEED_OK);
    is_refused(first);

    /* Its place may be taken again, its number never. */
    for (int round = 0; round < 20; round++) {
        rheed_stream later = open_stream(argc, argv, "");
        CHECK(later != first);
        is_refused(first);
        CHECK_CODE(rheed_free(later), RHEED_OK);
        is_refused(later);
    }

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, is_refused_on_a_thread, &first) == 0);
    CHECK(pthread_join(thread, NULL) == 0);

    CHECK_CODE(push_shade(second, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_finalize(second, -1), RHEED_OK);
    CHECK_CODE(rheed_free(second), RHEED_OK);
    CHECK(!RHEED_FAILED(rheed_shutdown(-1)));
    is_refused(second);
    return 0;
}

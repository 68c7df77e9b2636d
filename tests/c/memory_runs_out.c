/* Memory runs out: slots for larger frames cannot be had, nor room for a region's readings. The frame is refused with that reason,
 * and taken when memory is back; so is the region. For glibc. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <errno.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);

static volatile int none_left;

/* Comes before libc's for the library too: a region's readings. */
void *malloc(size_t size) {
    if (none_left && size >= 1 << 20) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_malloc(size);
}

/* Slots are zeroed memory. */
void *calloc(size_t count, size_t size) {
    if (none_left && count * size >= 1 << 20) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}

static void memory_is_named(rheed_stream stream) {
    char text[1024];
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "no memory") != NULL);
    int32_t kind = RHEED_EVENT_NONE;
    do {
        CHECK(rheed_next_event(stream, 0, &kind, NULL, NULL, text, sizeof text, NULL) >= 0);
        CHECK(kind != RHEED_EVENT_NONE);
    } while (kind != RHEED_EVENT_QUEUE_FULL);
    CHECK(strstr(text, "no memory") != NULL);
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "");
    void *slot = NULL;
    none_left = 1;
    CHECK_CODE(push_shade(stream, 1, RHEED_NO_FRAME_ID), RHEED_E_QUEUE_FULL);
    memory_is_named(stream);
    CHECK_CODE(rheed_acquire(stream, FRAME_BYTES, &slot), RHEED_E_QUEUE_FULL);
    CHECK(slot == NULL);
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 1, 1), RHEED_E_INTERNAL);
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 0, 0), RHEED_OK);
    none_left = 0;
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 1, 1), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, RHEED_NO_FRAME_ID), RHEED_OK);
    none_left = 1;
    CHECK_CODE(rheed_acquire(stream, 2 * FRAME_BYTES, &slot), RHEED_E_QUEUE_FULL);
    CHECK_CODE(push_shade(stream, 2, RHEED_NO_FRAME_ID), RHEED_OK); /* The slots that there are serve on. */
    none_left = 0;
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 2 && stat_of(stream, RHEED_STAT_FRAMES_DROPPED) == 3);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

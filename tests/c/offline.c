/* Nobody answers at the endpoint: the stream opens with a remark, takes frames, and waits with nothing lost. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

static int32_t ended_with;

static void *finalize_forever(void *stream) {
    ended_with = rheed_finalize(*(rheed_stream *)stream, -1);
    return NULL;
}

int main(int argc, char **argv) {
    rheed_stream stream = 0;
    char message[1024];
    CHECK_CODE(rheed_init(options_of(argc, argv, "chunk_size = 20\n"), &stream, message, sizeof message), RHEED_OK);
    CHECK(message[0] != '\0');
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_OFFLINE);
    CHECK(stat_of(stream, RHEED_STAT_HEALTH) == RHEED_HEALTH_LOOK);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_DATA_ID, message, sizeof message, NULL), RHEED_W_PENDING);
    CHECK(message[0] == '\0');
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LOCAL_ID, message, sizeof message, NULL), RHEED_OK);
    CHECK(message[0] != '\0');

    int32_t kind = RHEED_EVENT_NONE;
    while (kind != RHEED_EVENT_OFFLINE) {
        CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, NULL, message, sizeof message, NULL), RHEED_OK);
        CHECK(kind != RHEED_EVENT_NONE);
    }
    for (int at = 0; at < 50; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, 0), RHEED_W_PENDING);
    CHECK_CODE(rheed_finalize(stream, 0), RHEED_W_PENDING);
    CHECK_CODE(rheed_finalize(stream, 50), RHEED_W_PENDING);
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_E_CLOSED);
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_FINALIZING);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_PENDING) == 50);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_LOST) == 0);

    pthread_t waiting;
    CHECK(pthread_create(&waiting, NULL, finalize_forever, &stream) == 0);
    CHECK_CODE(rheed_abort(stream), RHEED_OK);
    CHECK(pthread_join(waiting, NULL) == 0);
    CHECK_CODE(ended_with, RHEED_E_ABORTED);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_PENDING) == 50);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_W_PENDING); /* Frames are left in the spool. */
    return 0;
}

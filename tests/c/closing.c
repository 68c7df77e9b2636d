/* The end of a stream: finalize, flush, abort, free, and what the handle of a spool refuses. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>

static void *finalize_too(void *stream) {
    CHECK_CODE(rheed_finalize(*(rheed_stream *)stream, -1), RHEED_OK);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;

    /* Twice, and from two threads: each gets the answer. */
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 25; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK); /* The open chunk is not waited for. */
    CHECK(stat_of(stream, RHEED_STAT_CHUNKS_SEALED) == 1);
    CHECK(pthread_create(&thread, NULL, finalize_too, &stream) == 0);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_CODE(rheed_finalize(stream, 0), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, 0), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_FINALIZED);
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_E_CLOSED);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* A stream without a frame ends like any other. */
    stream = open_stream(argc, argv, "");
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_CHUNKS_SEALED) == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* After an abort: questions are answered, nothing else. */
    stream = open_stream(argc, argv, "");
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_abort(stream), RHEED_OK);
    CHECK_CODE(rheed_abort(stream), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, 2), RHEED_E_ABORTED);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_E_ABORTED);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_E_ABORTED);
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_ABORTED);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 1);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* The handle of a spool takes no frames and is not finalized. */
    char message[1024];
    rheed_stream spool = 0;
    CHECK_CODE(rheed_resume(options_of(argc, argv, ""), &spool, message, sizeof message), RHEED_OK);
    CHECK_CODE(push_shade(spool, 1, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_finalize(spool, -1), RHEED_E_ARGUMENT);
    CHECK(!RHEED_FAILED(rheed_text(spool, RHEED_TEXT_REPORT, NULL, 0, NULL)));
    CHECK_CODE(rheed_free(spool), RHEED_OK);

    /* One that does not exist is told. */
    CHECK_CODE(rheed_resume("endpoint = none\nspool_dir = /nowhere/at/all\n", &spool, message, sizeof message), RHEED_E_NOT_FOUND);
    CHECK(spool == 0 && strstr(message, "nowhere") != NULL);
    return 0;
}

/* Whole chunks: any order, each index once, never mixed with single frames; wrong sizes take nothing. */
#include "host.h"

enum { COUNT = 20, CHUNK_BYTES = COUNT * FRAME_BYTES };

static unsigned char frames[CHUNK_BYTES * 2];

static int32_t push(rheed_stream stream, uint64_t index, uint64_t size, uint32_t count) {
    return rheed_push_chunk(stream, index, frames, size, count, WIDTH, HEIGHT, RHEED_FORMAT_MONO8, 0);
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");

    CHECK_CODE(rheed_push_chunk(stream, 0, NULL, CHUNK_BYTES, COUNT, WIDTH, HEIGHT, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(push(stream, 0, CHUNK_BYTES - 1, COUNT), RHEED_E_ARGUMENT);
    CHECK_CODE(push(stream, 0, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(push(stream, 0, CHUNK_BYTES + FRAME_BYTES, COUNT + 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_push_chunk(stream, 0, frames, CHUNK_BYTES, COUNT, 0, HEIGHT, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_push_chunk(stream, 0, frames, CHUNK_BYTES, COUNT, WIDTH, HEIGHT, 12345, 0), RHEED_E_FORMAT);
    CHECK_CODE(rheed_push_chunk(stream, 0, frames, CHUNK_BYTES, COUNT, UINT32_MAX, UINT32_MAX, 0, 0), RHEED_E_ARGUMENT);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 0);

    CHECK_CODE(push(stream, 1, CHUNK_BYTES, COUNT), RHEED_OK);
    CHECK_CODE(push(stream, 1, CHUNK_BYTES, COUNT), RHEED_E_ARGUMENT); /* An index comes once. */
    CHECK_CODE(push(stream, 0, CHUNK_BYTES, COUNT), RHEED_OK);
    CHECK_CODE(rheed_push_chunk(stream, 2, frames, 2 * CHUNK_BYTES, COUNT, WIDTH, HEIGHT, RHEED_FORMAT_MONO16, 0), RHEED_OK);
    CHECK_CODE(push(stream, 3, 7 * FRAME_BYTES, 7), RHEED_OK); /* The last one may be short. */
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 3 * COUNT + 7);
    CHECK(stat_of(stream, RHEED_STAT_CHUNKS_SEALED) == 4); /* Sealed when push_chunk returns. */

    CHECK_CODE(push_shade(stream, 1, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(push(stream, 4, CHUNK_BYTES, COUNT), RHEED_E_CLOSED);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* The other way round. */
    stream = open_stream(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
    CHECK_CODE(push(stream, 0, CHUNK_BYTES, COUNT), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 1);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

/* Statistics: every frame is counted where it belongs, at once, and one snapshot adds up. */
#include "host.h"

int main(int argc, char **argv) {
    int64_t values[STATS + 4];
    int32_t needed = 0;
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");

    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_SPOOLING);
    CHECK(stat_of(stream, RHEED_STAT_LAST_FRAME_AGE_MS) == -1);
    CHECK(stat_of(stream, RHEED_STAT_LAST_CONFIRMED_AGE_MS) == -1);

    unsigned char pixels[FRAME_BYTES] = {7};
    int64_t accepted = 0;
    for (uint64_t id = 1; id <= 50; id++) {
        if (id > 20 && id <= 25) continue; /* The camera loses five frames. */
        const uint32_t flags = id == 30 ? RHEED_FRAME_INCOMPLETE : 0;
        CHECK_CODE(rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, 0, id, 0, flags), RHEED_OK);
        accepted++;
        CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == accepted); /* Current when push returns. */
    }
    CHECK_CODE(rheed_push(stream, pixels, 1, WIDTH, HEIGHT, 0, 0, 51, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_BAYER_RG8, 51, 0, 0), RHEED_E_FORMAT);

    CHECK_CODE(rheed_stats(stream, values, STATS, &needed), RHEED_OK);
    CHECK(needed >= STATS);
    CHECK(values[RHEED_STAT_FRAMES_ACCEPTED] == 45);
    CHECK(values[RHEED_STAT_FRAMES_ACCEPTED] == values[RHEED_STAT_FRAMES_CONFIRMED] + values[RHEED_STAT_FRAMES_LOST] +
                                                    values[RHEED_STAT_FRAMES_PENDING]);
    CHECK(values[RHEED_STAT_FRAMES_REJECTED] == 2);
    CHECK(values[RHEED_STAT_FRAMES_MISSED] == 5);
    CHECK(values[RHEED_STAT_FRAMES_INCOMPLETE] == 1);
    CHECK(values[RHEED_STAT_FRAMES_DROPPED] == 0);
    CHECK(values[RHEED_STAT_FRAMES_LOST] == 0);
    CHECK(values[RHEED_STAT_BYTES_RAW] == 45 * FRAME_BYTES);
    CHECK(values[RHEED_STAT_LAST_FRAME_AGE_MS] >= 0);
    CHECK(values[RHEED_STAT_DISK_FREE_BYTES] > 0);
    CHECK(values[RHEED_STAT_BYTES_SENT] == 0);

    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_stats(stream, values, STATS, NULL), RHEED_OK);
    CHECK(values[RHEED_STAT_STATE] == RHEED_STATE_FINALIZED);
    CHECK(values[RHEED_STAT_CHUNKS_SEALED] == 3);
    CHECK(values[RHEED_STAT_CHUNKS_PENDING] == 3);
    CHECK(values[RHEED_STAT_FRAMES_PENDING] == 45); /* In the spool: there is no service to confirm them. */
    CHECK(values[RHEED_STAT_QUEUE_FRAMES] == 0);
    CHECK(values[RHEED_STAT_BYTES_SHARDS] > 0);
    CHECK(values[RHEED_STAT_SPOOL_BYTES] > 0);

    /* A caller with fewer places gets the first ones; places beyond the last are left alone. */
    int64_t few[3] = {-77, -77, -77};
    CHECK_CODE(rheed_stats(stream, few, 2, NULL), RHEED_OK);
    CHECK(few[0] == RHEED_STATE_FINALIZED && few[1] != -77 && few[2] == -77);
    for (int at = 0; at < STATS + 4; at++) values[at] = -77;
    CHECK_CODE(rheed_stats(stream, values, STATS + 4, &needed), RHEED_OK);
    for (int at = needed; at < STATS + 4; at++) CHECK(values[at] == -77);

    CHECK_CODE(push_shade(stream, 1, 99), RHEED_E_CLOSED);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 45);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

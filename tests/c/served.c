/* A stream with its service: it gets its id, every chunk is confirmed and told once, and the end is the end. */
#include "host.h"

int main(int argc, char **argv) {
    int confirmed[3] = {0, 0, 0}, connected = 0, finalized = 0;
    int32_t kind = -1;
    int64_t value = -1;
    char id[1024], text[1024];
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_DATA_ID, id, sizeof id, NULL), RHEED_OK);
    CHECK(strlen(id) == 36);
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_STREAMING);

    for (int at = 0; at < 50; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_CHUNKS_CONFIRMED) == 2);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == 40);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_PENDING) == 10);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_FINALIZED);
    CHECK(stat_of(stream, RHEED_STAT_HEALTH) == RHEED_HEALTH_GOOD);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == 50);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_PENDING) == 0);
    CHECK(stat_of(stream, RHEED_STAT_BYTES_SENT) == stat_of(stream, RHEED_STAT_BYTES_SHARDS));
    CHECK(stat_of(stream, RHEED_STAT_LAST_CONFIRMED_AGE_MS) >= 0);

    for (;;) {
        CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, &value, text, sizeof text, NULL), RHEED_OK);
        if (kind == RHEED_EVENT_NONE) break;
        CHECK(!finalized); /* The last event of all. */
        connected += kind == RHEED_EVENT_CONNECTED;
        finalized += kind == RHEED_EVENT_FINALIZED;
        if (kind == RHEED_EVENT_CHUNK_CONFIRMED) {
            CHECK(value >= 0 && value < 3);
            confirmed[value]++;
        }
    }
    CHECK(connected == 1 && finalized == 1);
    for (int at = 0; at < 3; at++) CHECK(confirmed[at] == 1);

    CHECK_CODE(rheed_text(stream, RHEED_TEXT_DATA_ID, text, sizeof text, NULL), RHEED_OK);
    CHECK(strcmp(text, id) == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

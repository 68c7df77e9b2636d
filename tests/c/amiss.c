/* Everything that can go amiss with frames, in known chunks: counted, told as events, in the report chunk by chunk. */
#include "host.h"

enum { CHUNK = 20 };

static rheed_stream stream;
static uint64_t next_id = 1;

static void push_flagged(uint32_t flags) {
    static const unsigned char pixels[FRAME_BYTES];
    CHECK_CODE(rheed_push(stream, pixels, sizeof pixels, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, next_id++, 0, flags), RHEED_OK);
}

static void push(int count) {
    while (count-- > 0) push_flagged(0);
}

static int confirmed;

/* Takes an event; says of each chunk what is told. */
static int32_t take(int64_t *value) {
    int32_t kind = -1;
    char text[1024];
    CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, value, text, sizeof text, NULL), RHEED_OK);
    if (kind == RHEED_EVENT_CHUNK_CONFIRMED) {
        printf("%s\n", text);
        confirmed++;
    }
    return kind;
}

/* Until one of that kind comes; its value. */
static int64_t await(int32_t wanted) {
    int64_t value = -1;
    for (int32_t kind = -1; kind != wanted;) {
        kind = take(&value);
        CHECK(kind != RHEED_EVENT_NONE);
    }
    return value;
}

int main(int argc, char **argv) {
    static const char *const amiss[] = {
        "\"chunk\":1,\"dropped\":0,\"frames\":20,\"incomplete\":2,\"missed\":3,\"rejected\":0,\"stalls\":0",
        "\"chunk\":2,\"dropped\":0,\"frames\":20,\"incomplete\":0,\"missed\":0,\"rejected\":2,\"stalls\":0",
        "\"chunk\":3,\"dropped\":0,\"frames\":20,\"incomplete\":0,\"missed\":0,\"rejected\":0,\"stalls\":1",
        "\"chunk\":4,\"dropped\":2,\"frames\":20,\"incomplete\":0,\"missed\":0,\"rejected\":0,\"stalls\":0",
        "\"chunk\":6,\"dropped\":0,\"frames\":20,\"incomplete\":0,\"missed\":5,\"rejected\":0,\"stalls\":0",
        "\"chunk\":8,\"dropped\":0,\"frames\":7,\"incomplete\":0,\"missed\":1,\"rejected\":0,\"stalls\":0",
    };
    char text[65536];
    stream = open_stream(argc, argv, "chunk_size = 20\nstall_timeout_ms = 2500\nqueue_bytes = 1 MiB\n");

    push(CHUNK); /* Chunk 0: all is well. */

    push(5); /* Chunk 1: three frames are missed, right behind its first ones, and two are incomplete. */
    next_id += 3;
    push(13);
    push_flagged(RHEED_FRAME_INCOMPLETE);
    push_flagged(RHEED_FRAME_INCOMPLETE);

    /* Chunk 2: two are rejected, before its first frame, as it happens. */
    CHECK_CODE(rheed_push(stream, text, 3, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, next_id++, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_push(stream, text, FRAME_BYTES, WIDTH, HEIGHT, 0, RHEED_FORMAT_RGB8 + 99, next_id++, 0, 0), RHEED_E_FORMAT);
    push(CHUNK);

    push(10); /* Chunk 3: the camera stands still in its middle. */
    CHECK(await(RHEED_EVENT_CAMERA_STALLED) >= 2500);
    CHECK(stat_of(stream, RHEED_STAT_CAMERA_STALLS) == 1 && stat_of(stream, RHEED_STAT_HEALTH) == RHEED_HEALTH_LOOK);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "THE CAMERA STANDS STILL") != NULL);
    push(1);
    CHECK(await(RHEED_EVENT_CAMERA_BACK) >= 2500);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "STANDS STILL") == NULL);
    push(9);

    push(2); /* Chunk 4: all slots are lent, and two frames find none; the camera did not lose them. */
    void *slots[4096];
    int lent = 0;
    while (rheed_acquire(stream, 4096, &slots[lent]) == RHEED_OK) CHECK(++lent < 4096);
    CHECK_CODE(push_shade(stream, 1, next_id++), RHEED_E_QUEUE_FULL);
    while (lent > 0) CHECK_CODE(rheed_discard(stream, slots[--lent]), RHEED_OK);
    push(18);

    next_id = 90000000000u; /* Chunk 5: the counter is set, twice. */
    push(3);
    next_id = 65536 - 27;
    push(CHUNK - 3);

    push(10); /* Chunk 6: it wraps, and five are missed meanwhile. */
    CHECK(next_id == 65536);
    next_id = 6;
    push(10);

    next_id = 0; /* Chunk 7: a restart. */
    push(CHUNK);

    push(3); /* Chunk 8: one is missed, one is late and was not missed after all. */
    next_id += 2;
    push(3);
    next_id -= 4;
    push(1);

    /* Behind the last chunk. */
    next_id += 3;
    CHECK_CODE(rheed_push(stream, NULL, FRAME_BYTES, WIDTH, HEIGHT, 0, RHEED_FORMAT_MONO8, next_id, 0, 0), RHEED_E_ARGUMENT);

    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 8 * CHUNK + 7);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_DROPPED) == 2);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_REJECTED) == 3);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_MISSED) == 3 + 5 + 1);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_INCOMPLETE) == 2);
    CHECK(stat_of(stream, RHEED_STAT_CAMERA_STALLS) == 1);

    CHECK_CODE(rheed_text(stream, RHEED_TEXT_REPORT, text, sizeof text, NULL), RHEED_OK);
    const char *at = strstr(text, "\"chunks_amiss\":[{");
    CHECK(at != NULL);
    for (size_t chunk = 0; chunk < sizeof amiss / sizeof *amiss; chunk++) {
        at = strstr(at, amiss[chunk]);
        if (at == NULL) {
            fprintf(stderr, "%s\nis not where it should be in\n%s\n", amiss[chunk], text);
            return 1;
        }
    }
    CHECK(strchr(at, '}')[1] == ']'); /* And no others. */
    CHECK(strstr(text, "\"amiss_since_last_chunk\":{\"dropped\":0,\"incomplete\":0,\"missed\":0,\"rejected\":1,\"stalls\":0}") != NULL);
    CHECK(strstr(text, "\"camera_stalls\":1") != NULL);

    while (confirmed < 9) {
        int64_t value;
        const int32_t kind = take(&value);
        CHECK(kind != RHEED_EVENT_NONE && kind != RHEED_EVENT_CAMERA_STALLED);
    }
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

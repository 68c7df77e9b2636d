/* Events: each is told once, in order, with its time and value; waiting for one ends when there is one or never can be. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>
#include <time.h>

static int64_t missed_value;
static int told[32];

/* Takes an event that has to be there or come. */
static int32_t take(rheed_stream stream, int32_t timeout_ms) {
    int32_t kind = -1, needed = 0;
    int64_t time_ns = 0, value = -1;
    char text[1024] = "unset";
    CHECK_CODE(rheed_next_event(stream, timeout_ms, &kind, &time_ns, &value, text, sizeof text, &needed), RHEED_OK);
    CHECK(needed == (int32_t)strlen(text) + 1);
    if (kind != RHEED_EVENT_NONE) {
        const int64_t away_ns = (int64_t)time(NULL) * 1000000000 - time_ns;
        CHECK(away_ns < (int64_t)3600 * 1000000000 && away_ns > -(int64_t)3600 * 1000000000);
        CHECK(text[0] != '\0');
        CHECK(kind > 0 && kind < 32);
        told[kind]++;
        if (kind == RHEED_EVENT_FRAMES_MISSED) missed_value = value;
    }
    return kind;
}

static void *wait_for_an_event(void *stream) {
    int32_t kind = -1;
    const int32_t code = rheed_next_event(*(rheed_stream *)stream, -1, &kind, NULL, NULL, NULL, 0, NULL);
    CHECK(code == RHEED_E_ABORTED || code == RHEED_E_HANDLE || code == RHEED_OK);
    return NULL;
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "");
    while (take(stream, 0) != RHEED_EVENT_NONE) {
    }

    /* A gap in the ids is told, with its size; the next look finds nothing. */
    for (uint64_t id = 1; id <= 5; id++) CHECK_CODE(push_shade(stream, 1, id), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, 13), RHEED_OK);
    while (told[RHEED_EVENT_FRAMES_MISSED] == 0) CHECK(take(stream, -1) != RHEED_EVENT_NONE);
    CHECK(missed_value == 7);
    while (take(stream, 0) != RHEED_EVENT_NONE) {
    }
    CHECK(told[RHEED_EVENT_FRAMES_MISSED] == 1);
    CHECK(take(stream, 30) == RHEED_EVENT_NONE);

    /* A text that does not fit is cut; the event is told all the same, and only once. */
    int32_t kind = 0, needed = 0;
    char small[4];
    for (uint64_t id = 14; id <= 27; id++) CHECK_CODE(push_shade(stream, 1, id), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK); /* The chunk is full and sealed: the next gap is told at once again. */
    CHECK_CODE(push_shade(stream, 1, 40), RHEED_OK);
    CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, NULL, small, sizeof small, &needed), RHEED_W_TRUNCATED);
    CHECK(kind == RHEED_EVENT_FRAMES_MISSED && strlen(small) == 3 && needed > 4);
    CHECK(take(stream, 0) == RHEED_EVENT_NONE);

    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    while (take(stream, 0) != RHEED_EVENT_NONE) {
    }
    CHECK(told[RHEED_EVENT_FINALIZED] == 1);
    CHECK(take(stream, -1) == RHEED_EVENT_NONE); /* The stream is over: there will be none. */
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* Whoever waits is woken by abort and by free. */
    for (int by_free = 0; by_free <= 1; by_free++) {
        pthread_t waiting;
        stream = open_stream(argc, argv, "");
        while (take(stream, 0) != RHEED_EVENT_NONE) {
        }
        CHECK(pthread_create(&waiting, NULL, wait_for_an_event, &stream) == 0);
        rheed_stream handle = stream;
        CHECK_CODE(by_free ? rheed_free(handle) : rheed_abort(handle), RHEED_OK);
        CHECK(pthread_join(waiting, NULL) == 0);
        if (!by_free) CHECK_CODE(rheed_free(handle), RHEED_OK);
    }
    return 0;
}

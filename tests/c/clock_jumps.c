/* The computer's clock is set by a day, forward and back, in the middle of a stream: all arrives, ages stay ages, and nothing that
   was set aside goes before its time. The first argument is the spool's folder. It begins when its standard input ends, and tells
   for each chunk by how much the clock had been set when its first frame came. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "process.h"

#include <stdatomic.h>
#include <time.h>

enum { DAY = 86400, HOUR_MS = 3600 * 1000 };

static atomic_int set_by;

/* Comes before libc's for the library too. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*get)(clockid_t, struct timespec *);
    find_next("clock_gettime", &get);
    const int answer = get(clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec += set_by;
    return answer;
}

/* The chunks in the spool that the service has refused. */
static int set_aside(const char *spool, const char *id) {
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/set-aside/%s", spool, id);
    return entries_of(folder);
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    const char *const spool = argv[1], *const options = "chunk_size = 20\nspool_retention_s = 3600\n";
    argc--, argv++;
    char id[64];
    rheed_stream stream = open_stream(argc, argv, options);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LOCAL_ID, id, sizeof id, NULL), RHEED_OK);
    /* Its first chunk is refused for good. */
    uint64_t at = 0;
    for (; at < 20; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_W_LOSS);
    const int aside = set_aside(spool, id);
    CHECK(aside > 0);
    while (getchar() != EOF) {}

    static const int jumps[] = {DAY, -DAY, 0, -DAY, DAY};
    for (int jump = 0; jump < 5; jump++) {
        for (int frame = 0; frame < 50; frame++, at++) {
            if (frame == 25) set_by = jumps[jump];
            if (at % 20 == 0) printf("%d\n", set_by);
            CHECK_CODE(push_numbered(stream, at), RHEED_OK);
            const int64_t age = stat_of(stream, RHEED_STAT_LAST_FRAME_AGE_MS);
            CHECK(age >= 0 && age < HOUR_MS);
        }
        CHECK_CODE(rheed_flush(stream, -1), RHEED_W_LOSS);
        const int64_t confirmed = stat_of(stream, RHEED_STAT_LAST_CONFIRMED_AGE_MS);
        CHECK(confirmed >= 0 && confirmed < HOUR_MS);
        /* Another stream: what is old is looked for. */
        rheed_stream other = open_stream(argc, argv, options);
        for (uint64_t frame = 0; frame < 5; frame++) CHECK_CODE(push_numbered(other, frame), RHEED_OK);
        CHECK_CODE(rheed_finalize(other, -1), RHEED_OK);
        CHECK_CODE(rheed_free(other), RHEED_OK);
        CHECK(set_aside(spool, id) == aside);
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_W_LOSS);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == (int64_t)at - 20);
    CHECK(set_aside(spool, id) == aside);
    return 0;
}

/* After an abort this process sends nothing more of that stream, however long it lives on and streams to the same service.
   The first argument is the aborted stream's spool, the second one the spool of those that come after it. */
#include "host.h"

/* Enough lives after the abort for anything that still has hold of the stream to show itself. */
enum { LIVES_AFTER = 40 };

int main(int argc, char **argv) {
    CHECK(argc > 3);
    char *spools[2] = {argv[1], argv[2]};
    argv[2] = spools[0];
    rheed_stream aborted = open_stream(argc - 1, argv + 1, "chunk_size = 20\nstream_name = aborted\n");
    for (int at = 0; at < 15; at++) CHECK_CODE(push_shade(aborted, at, (uint64_t)at), RHEED_OK);
    CHECK_CODE(rheed_abort(aborted), RHEED_OK);

    argv[2] = spools[1];
    for (int life = 0; life < LIVES_AFTER; life++) {
        rheed_stream stream = open_stream(argc - 1, argv + 1, "chunk_size = 20\nstream_name = after\n");
        CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
        CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
        CHECK_CODE(rheed_free(stream), RHEED_OK);
    }
    CHECK(stat_of(aborted, RHEED_STAT_STATE) == RHEED_STATE_ABORTED);
    CHECK(stat_of(aborted, RHEED_STAT_FRAMES_CONFIRMED) == 0);
    CHECK(stat_of(aborted, RHEED_STAT_FRAMES_PENDING) == 15);
    CHECK_CODE(rheed_free(aborted), RHEED_OK);
    return 0;
}

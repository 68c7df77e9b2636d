/* SIGPIPE kills whoever has not asked otherwise, and this host has not: its connections are cut again and again, its console is a
   pipe that nobody reads, and it lives. The first argument is the number of streams, the second that of chunks for each. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { CHUNK = 20, MOST_STREAMS = 256, SIDE = 32 };

static rheed_stream streams[MOST_STREAMS];

int main(int argc, char **argv) {
    CHECK(argc > 3);
    const int count = atoi(argv[1]), chunks = atoi(argv[2]);
    CHECK(count > 0 && count <= MOST_STREAMS);
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR); /* It may have been inherited as ignored. */
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);

    unsigned char *pixels = (unsigned char *)calloc(SIDE, SIDE);
    CHECK(pixels != NULL);
    for (int at = 0; at < count; at++) streams[at] = open_stream(argc - 2, argv + 2, "chunk_size = 20\nverbosity = 4\n");
    for (int frame = 0; frame < chunks * CHUNK; frame++) {
        for (int at = 0; at < count; at++) {
            fill_numbered(pixels, (size_t)SIDE * SIDE, (uint64_t)frame);
            CHECK_CODE(rheed_push(streams[at], pixels, (uint64_t)SIDE * SIDE, SIDE, SIDE, 0, 0, (uint64_t)frame, 0, 0), RHEED_OK);
        }
    }
    for (int at = 0; at < count; at++) {
        CHECK_CODE(rheed_finalize(streams[at], -1), RHEED_OK);
        CHECK_CODE(rheed_free(streams[at]), RHEED_OK);
    }
    free(pixels);
    return 0;
}

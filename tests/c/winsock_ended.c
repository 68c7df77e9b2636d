/* A program that ends Winsock more often than it began it, as a component of it may do that is unloaded: for the whole process. The
   stream goes on. For Windows. */
#include <winsock2.h>

#include "host.h"

enum { FRAMES = 200 };

int main(int argc, char **argv) {
    int ended = 0;
    /* Of a connection that was ended so Wine tells nothing: then the time is over some day. */
    const rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\nrequest_timeout_ms = 3000\n");
    for (uint64_t at = 0; at < FRAMES; at++) {
        CHECK_CODE(push_numbered(stream, at), RHEED_OK);
        if (at % 50 == 25) WSACleanup(); /* Once too often. */
        if (at == 100) {
            CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
            while (WSACleanup() == 0) ended++; /* And as often as it goes. */
            CHECK(WSAGetLastError() == WSANOTINITIALISED && ended > 0);
        }
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == FRAMES);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    return 0;
}

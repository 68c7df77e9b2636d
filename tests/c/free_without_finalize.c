/* A program that frees its stream without finalizing it, and lives on: until its standard input is closed. */
#include "host.h"

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 25; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    while (getchar() != EOF) {
    }
    return 0;
}

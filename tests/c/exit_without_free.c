/* A program that ends in the middle of everything, its log callback still set: the library's threads do not stop it, and
   call nothing that is gone. */
#include "host.h"

static void RHEED_CALL ignore(void *user, int32_t level, const char *message) {
    (void)user, (void)level, (void)message;
}

int main(int argc, char **argv) {
    CHECK_CODE(rheed_set_log(ignore, NULL, 4), RHEED_OK);
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 200; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    return 0;
}

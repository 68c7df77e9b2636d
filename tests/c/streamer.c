/* A plain program: it streams numbered frames until its standard input is closed, says how many lie on the disk,
   and finalizes. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_int is_over;

static void *wait_for_the_end(void *unused) {
    (void)unused;
    while (getchar() != EOF) {
    }
    is_over = 1;
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    uint64_t taken = 0;
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\nwhen_full = block\nqueue_bytes = 1048576\n");
    CHECK(pthread_create(&thread, NULL, wait_for_the_end, NULL) == 0);
    while (!is_over) {
        CHECK_CODE(push_numbered(stream, taken), RHEED_OK);
        taken++;
        if (taken % 25 > 0) continue;
        CHECK_CODE(rheed_flush(stream, -1), RHEED_OK); /* Otherwise it would be far ahead of its uploads, which no camera is. */
        printf("written %d\n", (int)taken); /* They are confirmed, or in the open chunk's file, and outlive this process. */
        fflush(stdout);
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    printf("finalized %d\n", (int)taken);
    return 0;
}

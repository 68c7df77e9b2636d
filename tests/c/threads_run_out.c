/* Threads run out: the system has so many and no more. An init that gets too few says so and leaves nothing behind; the first
   that gets enough makes a stream that lives on just those; and a second stream is refused its thread without harm to it. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

/* How many more threads the system has; below 0: as many as anybody wants. */
static atomic_int left = -1;
static atomic_int refused;

/* Comes before libc's for the library too. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    find_next("pthread_create", &create);
    if (left == 0) {
        refused++;
        return EAGAIN;
    }
    if (left > 0) left--;
    return create(thread, attributes, body, argument);
}

/* Opens a stream, or finds the lack of threads named. */
static rheed_stream try_to_open(const char *options) {
    rheed_stream stream = 0;
    char message[1024] = "";
    const int32_t code = rheed_init(options, &stream, message, sizeof message);
    if (code != RHEED_OK) {
        CHECK_CODE(code, RHEED_E_INTERNAL);
        CHECK(stream == 0);
        CHECK(strstr(message, "thread") != NULL && strstr(message, strerror(EAGAIN)) != NULL);
    }
    return stream;
}

int main(int argc, char **argv) {
    const char *options = options_of(argc, argv, "chunk_size = 20\n");
    rheed_stream stream = 0;
    int wanted = 0;
    for (; stream == 0; wanted++) {
        left = wanted;
        stream = try_to_open(options);
        CHECK(stream != 0 || left == 0);
    }
    CHECK(wanted > 4 && refused >= wanted - 1);

    left = 0;
    for (uint64_t at = 0; at < 250; at++) {
        CHECK_CODE(push_numbered(stream, at), RHEED_OK);
        if (at % 50 == 49) {
            CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
            CHECK(try_to_open(options) == 0);
        }
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == 250);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    while (threads() > 1) sched_yield(); /* A thread of an init that failed makes this hang, which the test sees. */

    left = -1;
    stream = try_to_open(options);
    for (uint64_t at = 0; at < 50; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    return 0;
}

/* A child that lives on after its parent's death does not keep the spool from whoever comes next. The first argument is the
   endpoint of the one who comes next: what was recorded without one is taken up by any. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <sys/wait.h>
#include <unistd.h>

/* Records twenty frames, forks a child that lives until `until` is closed, and dies without a word. */
static void recorder(int argc, char **argv, int until) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 20; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
    const pid_t forked = fork();
    CHECK(forked >= 0);
    if (forked == 0) {
        char byte;
        CHECK(read(until, &byte, 1) == 0);
    }
    _exit(0);
}

int main(int argc, char **argv) {
    int ends[2], status = -1;
    CHECK(pipe(ends) == 0);
    const pid_t parent = fork();
    CHECK(parent >= 0);
    if (parent == 0) {
        close(ends[1]);
        argv[1] = (char *)"endpoint=none";
        recorder(argc, argv, ends[0]);
    }
    CHECK(waitpid(parent, &status, 0) == parent);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    char message[1024];
    rheed_stream spool = 0;
    CHECK_CODE(rheed_resume(options_of(argc, argv, ""), &spool, message, sizeof message), RHEED_OK);
    int32_t kind = RHEED_EVENT_NONE;
    int64_t value = 0;
    while (kind != RHEED_EVENT_TAKEN_UP) {
        CHECK_CODE(rheed_next_event(spool, -1, &kind, NULL, &value, NULL, 0, NULL), RHEED_OK);
        CHECK(kind != RHEED_EVENT_NONE);
    }
    CHECK(value == 20);
    CHECK(stat_of(spool, RHEED_STAT_FRAMES_ACCEPTED) == 20);
    CHECK_CODE(rheed_free(spool), RHEED_OK);
    close(ends[1]); /* Only now may the grandchild end. */
    return 0;
}

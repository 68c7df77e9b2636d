/* Open files run out. An init that gets too few says so and leaves none open; in the middle of a stream frames wait or are refused
   with the reason, whichever comes, and all that were taken arrive when there are files again. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST_FILES = 256 };

static int taken[MOST_FILES];
static int taken_count;

/* Takes all files that the system has for this process but so many. */
static void leave(int files) {
    for (int file; (file = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken[taken_count++] = file;
    CHECK(errno == EMFILE);
    while (files-- > 0 && taken_count > 0) close(taken[--taken_count]);
}

static void give_back(void) {
    while (taken_count > 0) close(taken[--taken_count]);
}

/* Pushes frames that are taken, trying again while the spool is refused its files. Answers how many were refused. */
static int push_taken(rheed_stream stream, uint64_t from, uint64_t to) {
    int refused = 0;
    for (uint64_t at = from; at < to;) {
        const int32_t code = push_numbered(stream, at);
        CHECK(code == RHEED_OK || code == RHEED_E_DISK_FULL || code == RHEED_E_QUEUE_FULL);
        if (code == RHEED_OK) at++;
        else refused++, sched_yield();
    }
    return refused;
}

/* With so few files left that a frame is refused sooner or later. */
static uint64_t push_until_refused(rheed_stream stream, uint64_t at) {
    char text[1024] = "";
    int32_t code, kind;
    while ((code = push_numbered(stream, at)) == RHEED_OK || code == RHEED_E_QUEUE_FULL) {
        at += code == RHEED_OK;
        CHECK(at < 1000000);
    }
    CHECK_CODE(code, RHEED_E_DISK_FULL);
    while (strstr(text, strerror(EMFILE)) == NULL) {
        CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, NULL, text, sizeof text, NULL), RHEED_OK);
    }
    CHECK(kind == RHEED_EVENT_DISK_LOW || kind == RHEED_EVENT_OFFLINE);
    return at;
}

int main(int argc, char **argv) {
    const struct rlimit limit = {MOST_FILES, MOST_FILES};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const char *options = options_of(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(rheed_finalize(open_stream(argc, argv, ""), -1), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    const int before = open_files(); /* What a process keeps for good it has after its first stream. */
    rheed_stream stream = 0;
    int tries = 0;
    for (; stream == 0; tries++) {
        char message[1024] = "";
        leave(tries);
        const int32_t code = rheed_init(options, &stream, message, sizeof message);
        give_back();
        if (code == RHEED_OK && message[0] == '\0') break;
        CHECK(strstr(message, strerror(EMFILE)) != NULL);
        CHECK(code == RHEED_OK || code == RHEED_E_INTERNAL || code == RHEED_E_SPOOL || code == RHEED_E_NETWORK);
        /* Without a file for a connection the service is out of reach: no failure, but this stream is not the one wanted. */
        if (code == RHEED_OK) {
            CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
            CHECK_CODE(rheed_free(stream), RHEED_OK);
            stream = 0;
        }
        CHECK(rheed_shutdown(-1) >= 0);
        while (open_files() > before) sched_yield(); /* One that stays open makes this hang, which the test sees. */
    }
    CHECK(tries > 5);

    uint64_t at = 0;
    for (int files = 0; files < 8; files++) {
        push_taken(stream, at, at + 33);
        at += 33;
        leave(files);
        if (files == 0) at = push_until_refused(stream, at);
        else (void)!rheed_flush(stream, 20); /* Whatever is under way is under way with what is left. */
        give_back();
        push_taken(stream, at, at + 33);
        at += 33;
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == (int64_t)at);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    printf("%d\n", (int)at);
    return 0;
}

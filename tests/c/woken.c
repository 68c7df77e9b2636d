/* Calls that wait, each on a stream that does not get on: free, abort, shutdown and the procedures of LabVIEW's nodes from another
   thread end each with the code that the header gives. The first argument is that call, the second the spool's folder. */
#define _GNU_SOURCE /* gettid */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDE = 700 };

typedef struct {
    const char *name;
    int32_t (*call)(rheed_stream);
    rheed_stream stream;
    int32_t when_freed, answer;
    pthread_t thread;
    atomic_int id;
} waiter;

static unsigned char large[SIDE * SIDE];

static int32_t push_large(rheed_stream stream) { return rheed_push(stream, large, sizeof large, SIDE, SIDE, 0, 0, 0, 0, 0); }

static int32_t RHEED_CALL slow_source(void *user, rheed_stream stream, uint64_t index) {
    (void)user;
    return push_numbered(stream, index) + 1;
}

static int32_t run(rheed_stream stream) { return rheed_run(stream, slow_source, NULL); }

static int32_t flush(rheed_stream stream) { return rheed_flush(stream, -1); }

static int32_t finalize(rheed_stream stream) { return rheed_finalize(stream, -1); }

static int32_t listen_on(rheed_stream stream) {
    int32_t kind = RHEED_EVENT_OFFLINE, code = RHEED_OK;
    while (code == RHEED_OK && kind != RHEED_EVENT_NONE) {
        code = rheed_next_event(stream, -1, &kind, NULL, NULL, NULL, 0, NULL);
    }
    return code;
}

static void *wait_there(void *argument) {
    waiter *const me = (waiter *)argument;
    me->id = (int)gettid();
    me->answer = me->call(me->stream);
    return NULL;
}

/* The file of a stream's first chunk. */
static void first_chunk(char *path, size_t size, const char *spool, rheed_stream stream) {
    char id[64];
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LOCAL_ID, id, sizeof id, NULL), RHEED_OK);
    snprintf(path, size, "%s/streams/%s/c0000000000.part", spool, id);
}

/* Until its first frame is in the file: a head has 72 bytes. */
static void is_written(const char *spool, rheed_stream stream) {
    char path[1024];
    first_chunk(path, sizeof path, spool, stream);
    struct stat facts = {0};
    while (stat(path, &facts) != 0 || facts.st_size <= 72) sched_yield();
}

/* Until the thread sleeps in its call. */
static void sleeps(const waiter *me) {
    char line[512] = "", path[64];
    const char *state = NULL;
    while (state == NULL || strncmp(state, ") S", 3) != 0) {
        sched_yield();
        if (me->id == 0) continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", me->id);
        FILE *stat = fopen(path, "r");
        CHECK(stat != NULL); /* It has returned: nothing kept it. */
        CHECK(fgets(line, sizeof line, stat) != NULL);
        fclose(stat);
        state = strrchr(line, ')');
    }
}

int main(int argc, char **argv) {
    CHECK(argc > 3);
    const char *const way = argv[1], *const spool = argv[2];
    argc -= 2, argv += 2;
    waiter waiters[] = {
        {"flush", flush, 0, RHEED_W_PENDING, 1, 0, 0},     {"finalize", finalize, 0, RHEED_W_PENDING, 1, 0, 0},
        {"next_event", listen_on, 0, RHEED_OK, 1, 0, 0},   {"push", push_large, 0, RHEED_E_CLOSED, 1, 0, 0},
        {"run", run, 0, RHEED_E_CLOSED, 1, 0, 0},
    };
    enum { WAITERS = sizeof waiters / sizeof waiters[0] };
    int pipe_end = -1;
    void *node = NULL;
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    fill_numbered(large, sizeof large, 0);

    for (int at = 0; at < WAITERS; at++) {
        waiter *const one = &waiters[at];
        one->stream = open_stream(argc, argv, one->call == run ? "chunk_size = 20\n" : "chunk_size = 20\nwhen_full = block\n"
                                                                                       "queue_bytes = 1048576\n");
        CHECK_CODE(rheed_labview_attach(one->stream, &node), RHEED_OK);
        if (one->call == push_large) {
            /* A disk that does not answer: the chunk's file is a pipe that nobody reads. */
            char path[1024];
            first_chunk(path, sizeof path, spool, one->stream);
            CHECK(mkfifo(path, 0600) == 0);
            pipe_end = open(path, O_RDONLY | O_NONBLOCK);
            CHECK(pipe_end >= 0);
            for (int slot = 0; slot < 2; slot++) CHECK_CODE(push_large(one->stream), RHEED_OK);
        } else if (one->call != run) {
            for (uint64_t frame = 0; frame < 25; frame++) CHECK_CODE(push_numbered(one->stream, frame), RHEED_OK);
        }
        CHECK(pthread_create(&one->thread, NULL, wait_there, one) == 0);
    }
    for (int at = 0; at < WAITERS; at++) {
        sleeps(&waiters[at]);
        if (waiters[at].call == run) is_written(spool, waiters[at].stream);
    }

    const int frees = strcmp(way, "free") == 0 || strcmp(way, "labview_unreserve") == 0;
    if (strcmp(way, "shutdown") == 0) {
        CHECK_CODE(rheed_shutdown(0), RHEED_W_PENDING);
    } else if (strncmp(way, "labview_", 8) == 0) {
        CHECK_CODE(frees ? rheed_labview_unreserve(&node) : rheed_labview_abort(&node), RHEED_OK);
    } else {
        for (int at = 0; at < WAITERS; at++) {
            CHECK_CODE(frees ? rheed_free(waiters[at].stream) : rheed_abort(waiters[at].stream), RHEED_OK);
        }
    }
    for (int at = 0; at < WAITERS; at++) {
        waiter *const one = &waiters[at];
        CHECK(pthread_join(one->thread, NULL) == 0);
        const int32_t expected = frees ? one->when_freed : RHEED_E_ABORTED;
        /* Whoever asks for the next event of a freed stream learns that there is none, or that the handle is gone. */
        const int is_gone = one->answer == RHEED_E_HANDLE && one->call == listen_on && expected == RHEED_OK;
        if (one->answer != expected && !is_gone) {
            fprintf(stderr, "%s during %s: %s\n", way, one->name, rheed_strerror(one->answer));
            return 1;
        }
    }
    close(pipe_end); /* The disk fails now, and the process ends as it is. */
    return 0;
}

/* A forked child: every call but the static answers says so at once; the parent goes on as if nothing had been. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <sys/wait.h>
#include <unistd.h>

static int32_t RHEED_CALL never_called(void *user, rheed_stream stream, uint64_t index) {
    (void)user, (void)stream, (void)index;
    return -1;
}

static void RHEED_CALL ignore(void *user, int32_t level, const char *message) {
    (void)user, (void)level, (void)message;
}

static void child(rheed_stream stream, void *slot, const char *options) {
    unsigned char pixels[FRAME_BYTES] = {0};
    int64_t values[STATS];
    rheed_stream other = 0;
    int32_t number = 0;
    char text[64];
    CHECK_CODE(rheed_init(options, &other, text, sizeof text), RHEED_E_FORKED);
    CHECK_CODE(rheed_resume(options, &other, text, sizeof text), RHEED_E_FORKED);
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_E_FORKED);
    CHECK_CODE(rheed_push_chunk(stream, 0, pixels, FRAME_BYTES, 1, WIDTH, HEIGHT, 0, 0), RHEED_E_FORKED);
    void *other_slot = slot;
    CHECK_CODE(rheed_acquire(stream, FRAME_BYTES, &other_slot), RHEED_E_FORKED);
    CHECK(other_slot == NULL);
    CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, 0, 0, 0, 0, 0), RHEED_E_FORKED);
    CHECK_CODE(rheed_discard(stream, slot), RHEED_E_FORKED);
    CHECK_CODE(rheed_run(stream, never_called, NULL), RHEED_E_FORKED);
    CHECK_CODE(rheed_flush(stream, -1), RHEED_E_FORKED);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_E_FORKED);
    CHECK_CODE(rheed_abort(stream), RHEED_E_FORKED);
    CHECK_CODE(rheed_free(stream), RHEED_E_FORKED);
    CHECK_CODE(rheed_shutdown(-1), RHEED_E_FORKED);
    CHECK_CODE(rheed_stats(stream, values, STATS, &number), RHEED_E_FORKED);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, &number), RHEED_E_FORKED);
    CHECK_CODE(rheed_next_event(stream, -1, &number, NULL, NULL, text, sizeof text, NULL), RHEED_E_FORKED);
    CHECK_CODE(rheed_set_log(ignore, NULL, 4), RHEED_E_FORKED);
    uint64_t position = 0;
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 1, 1), RHEED_E_FORKED);
    CHECK_CODE(rheed_region_read(stream, 0, &position, NULL, NULL, NULL, NULL, NULL, NULL, 1, &number, NULL), RHEED_E_FORKED);
    void *node = NULL;
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_E_FORKED);
    CHECK_CODE(rheed_labview_init(options, &other, text, sizeof text, &node), RHEED_E_FORKED);
    CHECK_CODE(rheed_labview_attach(stream, &node), RHEED_E_FORKED);
    CHECK_CODE(rheed_labview_abort(&node), RHEED_E_FORKED);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_E_FORKED);
    CHECK(node == NULL);
    CHECK(rheed_version()[0] != '\0');
    CHECK(rheed_abi() == RHEED_ABI);
    CHECK(rheed_strerror(RHEED_E_FORKED)[0] != '\0');
}

/* Under LeakSanitizer: what only the parent's threads knew of looks lost in a child, which has none of them. */
static int is_child;
#ifdef __cplusplus
extern "C"
#endif
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return is_child; }

/* Forks, and waits until the child has found everything as promised. */
static void fork_once(rheed_stream stream, void *slot, const char *options, int by_exit) {
    int status = -1;
    fflush(NULL);
    const pid_t forked = fork();
    CHECK(forked >= 0);
    if (forked == 0) {
        is_child = 1;
        child(stream, slot, options);
        if (by_exit) exit(0); /* What is done at exit runs in the child as well. */
        _exit(0);
    }
    CHECK(waitpid(forked, &status, 0) == forked);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, WIDTH, HEIGHT), RHEED_OK);
    for (int at = 0; at < 60; at++) {
        void *slot = NULL;
        CHECK_CODE(rheed_acquire(stream, FRAME_BYTES, &slot), RHEED_OK);
        memset(slot, at, FRAME_BYTES);
        if (at % 20 == 10) fork_once(stream, slot, options_of(argc, argv, ""), at > 20);
        CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, 0, 0, (uint64_t)at, 0, 0), RHEED_OK);
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED) == 60);
    CHECK(stat_of(stream, RHEED_STAT_CHUNKS_SEALED) == 3);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_LOST) == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

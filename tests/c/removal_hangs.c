/* The disk hangs while it removes the file of a chunk that is confirmed: who waits for the service does not wait for that; who waits
   for the stream's end does, or, with "shutdown" as the first argument, for that of the library. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "process.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int hangs = 1, arrived, removed;

/* Comes before libc's for the library too. */
int unlink(const char *path) {
    int (*remove_it)(const char *);
    find_next("unlink", &remove_it);
    if (strstr(path, ".shard") != NULL) {
        pthread_mutex_lock(&lock);
        arrived = 1;
        pthread_cond_broadcast(&changed);
        while (hangs) pthread_cond_wait(&changed, &lock);
        const int answer = remove_it(path);
        removed = 1;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        return answer;
    }
    return remove_it(path);
}

static void wait_for(const int *flag) {
    pthread_mutex_lock(&lock);
    while (!*flag) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void go_on(void) {
    pthread_mutex_lock(&lock);
    hangs = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    CHECK(argc > 1);
    const int shuts_down = strcmp(argv[1], "shutdown") == 0;
    argc--, argv++;
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (uint64_t at = 0; at < 20; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_flush(stream, 60000), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == 20);
    wait_for(&arrived);

    if (shuts_down) {
        CHECK_CODE(rheed_shutdown(300), RHEED_W_PENDING);
        go_on();
        wait_for(&removed);
        return 0;
    }
    CHECK_CODE(rheed_finalize(stream, 300), RHEED_W_PENDING);
    go_on();
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

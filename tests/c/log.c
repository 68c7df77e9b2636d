/* The log callback: gets what is told, with its user pointer; what it may and may not do; and it stops when it is told to. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>
#include <sched.h>

typedef struct {
    pthread_mutex_t lock;
    int calls, running, takes_itself_off, shuts_down;
} listener;

static void RHEED_CALL listen_in(void *user, int32_t level, const char *message) {
    listener *to = (listener *)user;
    pthread_mutex_lock(&to->lock);
    CHECK(level >= 1 && level <= 4);
    CHECK(message != NULL && message[0] != '\0');
    CHECK(strchr(message, '\n') == NULL && strchr(message, '\r') == NULL);
    CHECK(to->running == 0); /* One call at a time. */
    to->running = 1;
    to->calls++;
    const int takes_itself_off = to->takes_itself_off, shuts_down = to->shuts_down;
    pthread_mutex_unlock(&to->lock);
    if (takes_itself_off) CHECK_CODE(rheed_set_log(NULL, NULL, 0), RHEED_OK);
    if (shuts_down) CHECK_CODE(rheed_shutdown(-1), RHEED_E_ARGUMENT);
    pthread_mutex_lock(&to->lock);
    to->running = 0;
    pthread_mutex_unlock(&to->lock);
}

static int calls_of(listener *to) {
    pthread_mutex_lock(&to->lock);
    const int calls = to->calls;
    pthread_mutex_unlock(&to->lock);
    return calls;
}

/* Messages come in their own time. */
static void has_heard(listener *to) {
    while (calls_of(to) == 0) sched_yield();
}

/* A stream's life, about which there is something to tell. */
static void live(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    for (int at = 0; at < 25; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at * 2), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

int main(int argc, char **argv) {
    listener first = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, 1};
    listener second = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, 0};
    listener third = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 1, 0};

    CHECK_CODE(rheed_set_log(listen_in, &first, 4), RHEED_OK);
    live(argc, argv);
    has_heard(&first);
    CHECK_CODE(rheed_set_log(listen_in, &second, 4), RHEED_OK);
    const int of_first = calls_of(&first);
    live(argc, argv);
    has_heard(&second);
    CHECK_CODE(rheed_set_log(NULL, NULL, 0), RHEED_OK);
    const int of_second = calls_of(&second);
    CHECK(calls_of(&first) == of_first);
    live(argc, argv);
    CHECK(calls_of(&second) == of_second);

    CHECK_CODE(rheed_set_log(listen_in, &third, 4), RHEED_OK);
    live(argc, argv);
    has_heard(&third);
    CHECK_CODE(rheed_set_log(NULL, NULL, 0), RHEED_OK);
    CHECK(calls_of(&third) == 1);

    CHECK_CODE(rheed_set_log(listen_in, &second, 0), RHEED_OK); /* Verbosity 0: nothing. */
    live(argc, argv);
    CHECK_CODE(rheed_set_log(NULL, NULL, 0), RHEED_OK);
    CHECK(calls_of(&second) == of_second);
    return 0;
}

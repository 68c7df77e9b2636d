/* Signals come as fast as they can be sent, with handlers that do not restart what they interrupt: every call does what it does
   without them, and no handler runs on a thread of the library. */
#define _GNU_SOURCE /* setitimer */
#include "host.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>

enum { FRAMES = 400, HOSTS = 3 };

static _Thread_local volatile sig_atomic_t is_hosts;
static atomic_int handled, strayed, over;
static pthread_t hosts[HOSTS];
static const int numbers[] = {SIGUSR1, SIGCHLD, SIGALRM, SIGUSR2};

static void handle(int number) {
    (void)number;
    handled++;
    if (!is_hosts) strayed++;
}

static void *storm(void *unused) {
    is_hosts = 1;
    for (unsigned at = 0; !over; at++) {
        for (int host = 0; host < HOSTS; host++) CHECK(pthread_kill(hosts[host], numbers[at % 4]) == 0);
        CHECK(kill(getpid(), numbers[at / 4 % 4]) == 0); /* To whoever does not block it. */
    }
    (void)unused;
    return NULL;
}

static int32_t RHEED_CALL source(void *user, rheed_stream stream, uint64_t index) {
    (void)user;
    CHECK_CODE(push_numbered(stream, index), RHEED_OK);
    return index + 1 < FRAMES;
}

/* A stream's life under the storm. */
static void live(int argc, char **argv, int runs) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 40\npace = off\nwhen_full = block\nqueue_bytes = 1048576\n");
    if (runs) {
        CHECK_CODE(rheed_run(stream, source, NULL), RHEED_OK);
    } else {
        for (uint64_t at = 0; at < FRAMES; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    }
    CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    int32_t kind = -1;
    while (kind != RHEED_EVENT_NONE) CHECK_CODE(rheed_next_event(stream, -1, &kind, NULL, NULL, NULL, 0, NULL), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == FRAMES);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

static int count;
static char **arguments;
static sigset_t all_numbers;

static void *live_there(void *runs) {
    is_hosts = 1;
    CHECK(pthread_sigmask(SIG_UNBLOCK, &all_numbers, NULL) == 0);
    for (int round = 0; round < 2; round++) live(count, arguments, runs != NULL);
    while (!over) sched_yield(); /* It is a target as long as the storm lasts. */
    return NULL;
}

int main(int argc, char **argv) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle; /* Without SA_RESTART. */
    CHECK(sigemptyset(&all_numbers) == 0);
    for (int at = 0; at < 4; at++) {
        CHECK(sigaction(numbers[at], &action, NULL) == 0);
        CHECK(sigaddset(&all_numbers, numbers[at]) == 0);
    }
    const struct itimerval interval = {{0, 500}, {0, 500}};
    CHECK(setitimer(ITIMER_REAL, &interval, NULL) == 0);

    count = argc, arguments = argv, is_hosts = 1;
    pthread_t stormer;
    hosts[0] = pthread_self();
    /* They are told from the library's as soon as they take signals. */
    CHECK(pthread_sigmask(SIG_BLOCK, &all_numbers, NULL) == 0);
    for (int at = 1; at < HOSTS; at++) CHECK(pthread_create(&hosts[at], NULL, live_there, at % 2 ? argv : NULL) == 0);
    CHECK(pthread_create(&stormer, NULL, storm, NULL) == 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &all_numbers, NULL) == 0);
    for (int round = 0; round < 2; round++) live(argc, argv, round);
    over = 1;
    CHECK(pthread_join(stormer, NULL) == 0);
    for (int at = 1; at < HOSTS; at++) CHECK(pthread_join(hosts[at], NULL) == 0);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    CHECK(strayed == 0);
    printf("%d\n", (int)handled);
    return 0;
}

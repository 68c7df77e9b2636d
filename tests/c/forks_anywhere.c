/* A host that forks wherever it happens to be: in a source, in a log callback, while other threads push. No child harms its
   parent, whether it returns from the callback, ends by exit, or runs another program, which may stream into the same spool. */
#define _GNU_SOURCE /* environ */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAMES = 120 };

static atomic_int forked_in_log;
static atomic_int child_of_log;
static pid_t parent;

static void ends_well(pid_t child) {
    int status = -1;
    CHECK(child > 0);
    while (waitpid(child, &status, 0) != child) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum { MOST_FILES = 1024 };
static char is_hosts[MOST_FILES];

/* Whether a program that the host runs gets that file. */
static int is_inherited(int number) {
    const int flags = fcntl(number, F_GETFD);
    return flags != -1 && (flags & FD_CLOEXEC) == 0;
}

/* None that is not the host's own. */
static void nothing_is_inherited(void) {
    for (int number = 0; number < MOST_FILES; number++) CHECK(is_hosts[number] || !is_inherited(number));
}

/* Forks at its fifth call; the child goes on as if it were the parent, and gives the answer that it is told to give. */
static int32_t RHEED_CALL forks(void *user, rheed_stream stream, uint64_t index) {
    const int32_t code = push_numbered(stream, index);
    if (getpid() != parent) return *(int32_t *)user;
    CHECK_CODE(code, RHEED_OK);
    if (index == 5) {
        const pid_t child = fork();
        if (child == 0) {
            CHECK_CODE(push_numbered(stream, index), RHEED_E_FORKED);
            return *(int32_t *)user;
        }
        ends_well(child);
    }
    return index + 1 < FRAMES;
}

static void RHEED_CALL forks_once(void *user, int32_t level, const char *message) {
    (void)user, (void)level, (void)message;
    if (!atomic_exchange(&forked_in_log, 1)) {
        const pid_t child = fork();
        if (child != 0) child_of_log = (int)child; /* The child returns into a library that is not there any more. */
    }
}

static void *push_all(void *stream) {
    for (uint64_t at = 0; at < FRAMES; at++) CHECK_CODE(push_numbered(*(rheed_stream *)stream, at), RHEED_OK);
    return NULL;
}

int main(int argc, char **argv) {
    parent = getpid();
    for (int number = 0; number < MOST_FILES; number++) is_hosts[number] = (char)is_inherited(number);
    const int is_child = strcmp(argv[1], "child") == 0;
    const char *options = "chunk_size = 20\nwhen_full = block\npace = off\n";
    if (is_child) argc--, argv++;

    if (!is_child) {
        /* In a source. */
        for (int32_t answer = -1; answer <= 2; answer++) {
            rheed_stream stream = open_stream(argc, argv, options);
            const int32_t code = rheed_run(stream, forks, &answer);
            if (getpid() != parent) exit(code == RHEED_E_FORKED ? 0 : 1);
            CHECK_CODE(code, RHEED_OK);
            CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
            CHECK_CODE(rheed_free(stream), RHEED_OK);
        }
    }

    /* In a log callback, beside threads that push. */
    enum { PUSHERS = 3 };
    rheed_stream streams[PUSHERS];
    pthread_t pushers[PUSHERS];
    if (!is_child) CHECK_CODE(rheed_set_log(forks_once, NULL, 4), RHEED_OK);
    for (int at = 0; at < PUSHERS; at++) {
        streams[at] = open_stream(argc, argv, options);
        CHECK(pthread_create(&pushers[at], NULL, push_all, &streams[at]) == 0);
    }
    for (int round = 0; round < (is_child ? 0 : 20); round++) {
        const pid_t child = fork();
        if (child == 0) {
            CHECK_CODE(push_numbered(streams[0], 1), RHEED_E_FORKED);
            CHECK_CODE(rheed_shutdown(-1), RHEED_E_FORKED);
            if (round % 2) exit(0);
            _exit(0);
        }
        ends_well(child);
        nothing_is_inherited();
    }

    /* Another program, on the same spool at the same time; by fork and exec, and without a fork's handlers. */
    if (!is_child) {
        char *arguments[64] = {argv[0], (char *)"child"};
        for (int at = 1; at <= argc; at++) arguments[at + 1] = argv[at];
        pid_t executed = fork(), spawned = 0;
        if (executed == 0) {
            execv("/proc/self/exe", arguments);
            _exit(1);
        }
        CHECK(posix_spawn(&spawned, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
        ends_well(executed);
        ends_well(spawned);
        while (child_of_log == 0) sched_yield();
        ends_well((pid_t)child_of_log);
    }
    for (int at = 0; at < PUSHERS; at++) {
        CHECK(pthread_join(pushers[at], NULL) == 0);
        CHECK_CODE(rheed_finalize(streams[at], -1), RHEED_OK);
    }
    CHECK_CODE(rheed_set_log(NULL, NULL, 0), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    return 0;
}

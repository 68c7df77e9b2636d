/* The host's signals are the host's: no handler is set, none is taken away, and no signal is delivered to a thread of the
   library. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

enum { SIGNALS = 32 };

/* Where a signal goes. */
static void dispositions(void (*handlers[SIGNALS])(int)) {
    for (int signal = 1; signal < SIGNALS; signal++) {
        struct sigaction action;
        CHECK(sigaction(signal, NULL, &action) == 0);
        handlers[signal] = action.sa_handler;
    }
}

/* The signals that a thread of this process blocks: bit 0 is signal 1. */
static unsigned long long blocked(const char *thread) {
    char line[256];
    unsigned long long mask = 0;
    snprintf(line, sizeof line, "/proc/self/task/%.32s/status", thread);
    FILE *status = fopen(line, "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL) sscanf(line, "SigBlk: %llx", &mask);
    fclose(status);
    return mask;
}

static int library_threads_block_everything(void) {
    unsigned long long all = 0;
    for (int signal = 1; signal < SIGNALS; signal++) {
        if (signal != SIGKILL && signal != SIGSTOP) all |= 1ull << (signal - 1);
    }
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == (int)getpid()) continue;
        CHECK((blocked(task->d_name) & all) == all);
        count++;
    }
    closedir(tasks);
    return count;
}

int main(int argc, char **argv) {
    void (*before[SIGNALS])(int) = {0}, (*after[SIGNALS])(int) = {0};
    char self[32];
    snprintf(self, sizeof self, "%ld", (long)getpid());
    dispositions(before);
    const unsigned long long own_before = blocked(self);

    rheed_stream stream = open_stream(argc, argv, "");
    for (int at = 0; at < 50; at++) CHECK_CODE(push_shade(stream, at, (uint64_t)at), RHEED_OK);
    CHECK(library_threads_block_everything() > 0);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);

    dispositions(after);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECK(blocked(self) == own_before);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return 0;
}

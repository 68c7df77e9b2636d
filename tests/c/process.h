/* What a host can see of its own process on Linux: threads, open files, and what it is told when one thing after another is
   refused. */
#ifndef PROCESS_H
#define PROCESS_H

#include "host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sched.h>

/* Entries of a folder of /proc: `fd` are the open files (one more while it is read), `task` the threads. */
static inline int entries_of(const char *folder) {
    int count = 0;
    DIR *opened = opendir(folder);
    CHECK(opened != NULL);
    for (struct dirent *entry; (entry = readdir(opened)) != NULL;) count += entry->d_name[0] != '.';
    closedir(opened);
    return count;
}

static inline int threads(void) { return entries_of("/proc/self/task"); }

static inline int open_files(void) { return entries_of("/proc/self/fd") - 1; }

/* The function that this program's own of the same name stands before. ISO C knows no way from an object's address to a
   function's; POSIX wants it to work. */
static inline void find_next(const char *name, void *function) {
    void *const address = dlsym(RTLD_NEXT, name);
    CHECK(address != NULL);
    memcpy(function, &address, sizeof address);
}

#endif

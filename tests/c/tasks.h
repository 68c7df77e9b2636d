/* What a host can see of its own process: how many threads it has, how many open files. */
#ifndef TASKS_H
#define TASKS_H

#include "host.h"

#ifdef _WIN32
#include <windows.h>

#include <tlhelp32.h>

static inline int threads(void) {
    int count = 0;
    const DWORD me = GetCurrentProcessId();
    const HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    CHECK(all != INVALID_HANDLE_VALUE);
    THREADENTRY32 one;
    one.dwSize = sizeof one;
    for (BOOL found = Thread32First(all, &one); found; found = Thread32Next(all, &one)) count += one.th32OwnerProcessID == me;
    CloseHandle(all);
    return count;
}

/* Everything has a handle here: files, threads, what they wait for. */
static inline int open_files(void) {
    DWORD count = 0;
    CHECK(GetProcessHandleCount(GetCurrentProcess(), &count));
    return (int)count;
}

#else
#include <dirent.h>

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
#endif

#endif

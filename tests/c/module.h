/* A shared library that a host loads while it runs, on either system: load_module, find_in, unload_module. */
#ifndef MODULE_H
#define MODULE_H

#include "host.h"

#ifdef _WIN32
#include <windows.h>

typedef HMODULE module;

static inline module load_module(const char *path) { return LoadLibraryA(path); }

static inline int unload_module(module loaded) { return FreeLibrary(loaded); }

static inline void find_in(module loaded, const char *name, void *function) {
    const FARPROC address = GetProcAddress(loaded, name);
    CHECK(address != NULL);
    memcpy(function, &address, sizeof address);
}

#else
#include <dlfcn.h>

typedef void *module;

static inline module load_module(const char *path) {
    const module loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (loaded == NULL) fprintf(stderr, "%s\n", dlerror());
    return loaded;
}

static inline int unload_module(module loaded) { return dlclose(loaded) == 0; }

/* ISO C knows no way from an object's address to a function's; POSIX wants it to work. */
static inline void find_in(module loaded, const char *name, void *function) {
    void *const address = dlsym(loaded, name);
    CHECK(address != NULL);
    memcpy(function, &address, sizeof address);
}
#endif

#endif

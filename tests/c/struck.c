/*
 * The night of night.c, struck by SIGKILL at its Nth step: a call that changes the disk or sends to the network.
 *
 *     STRUCK_AT=N              the step; 0: none, and their number is printed at the end
 *     STRUCK_HOW=before        killed instead of the call
 *     STRUCK_HOW=half          killed when half of the bytes are written or sent; other calls are no steps then
 *     STRUCK_HOW=after         killed when the call is done
 *
 * A program's own functions go before the C library's, for the shared library too.
 */
#define _GNU_SOURCE

#include "night.c"

#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static long steps;

static int how_is(const char *how) {
    const char *wanted = getenv("STRUCK_HOW");
    return wanted != NULL && strcmp(wanted, how) == 0;
}

static void strike(void) {
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* Counts a step, and says whether it is the one. */
static int is_struck(void) {
    const char *at = getenv("STRUCK_AT");
    const int is_it = __atomic_add_fetch(&steps, 1, __ATOMIC_SEQ_CST) == (at == NULL ? 0 : atol(at));
    if (is_it && how_is("before")) {
        strike();
    }
    return is_it;
}

/* A step that is done or not. */
static long step(long number, long a, long b, long c, long d) {
    if (how_is("half")) {
        return syscall(number, a, b, c, d);
    }
    const int is_it = is_struck();
    const long result = syscall(number, a, b, c, d);
    if (is_it) {
        strike();
    }
    return result;
}

/* A step that may be half done. */
static ssize_t step_of_bytes(int file, const void *bytes, size_t size, int flags) {
    struct stat facts;
    if (fstat(file, &facts) != 0 || !(S_ISREG(facts.st_mode) || S_ISSOCK(facts.st_mode))) {
        return syscall(SYS_write, file, bytes, size);
    }
    const int is_it = is_struck();
    const size_t part = is_it && how_is("half") ? size / 2 : size;
    const ssize_t result = S_ISSOCK(facts.st_mode) ? syscall(SYS_sendto, file, bytes, part, flags, NULL, 0)
                                                   : syscall(SYS_write, file, bytes, part);
    if (is_it) {
        strike();
    }
    return result;
}

ssize_t write(int file, const void *bytes, size_t size) {
    return step_of_bytes(file, bytes, size, 0);
}

ssize_t send(int file, const void *bytes, size_t size, int flags) {
    return step_of_bytes(file, bytes, size, flags);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (!how_is("half")) {
        return (ssize_t)step(SYS_writev, file, (long)parts, count, 0);
    }
    if (is_struck()) {
        (void)!syscall(SYS_write, file, parts[0].iov_base, count > 1 ? parts[0].iov_len : parts[0].iov_len / 2);
        strike();
    }
    return syscall(SYS_writev, file, parts, count);
}

int open64(const char *name, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const int mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
    va_end(more);
    if ((flags & O_CREAT) == 0) {
        return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
    }
    return (int)step(SYS_openat, AT_FDCWD, (long)name, flags, mode);
}

int rename(const char *from, const char *to) {
    return (int)step(SYS_renameat, AT_FDCWD, (long)from, AT_FDCWD, (long)to);
}

int unlink(const char *name) {
    return (int)step(SYS_unlinkat, AT_FDCWD, (long)name, 0, 0);
}

int rmdir(const char *name) {
    return (int)step(SYS_unlinkat, AT_FDCWD, (long)name, AT_REMOVEDIR, 0);
}

int mkdir(const char *name, mode_t mode) {
    return (int)step(SYS_mkdirat, AT_FDCWD, (long)name, (long)mode, 0);
}

int ftruncate64(int file, off64_t length) {
    return (int)step(SYS_ftruncate, file, length, 0, 0);
}

int fsync(int file) {
    return (int)step(SYS_fsync, file, 0, 0, 0);
}

__attribute__((destructor)) static void tell(void) {
    printf("%ld\n", steps);
}

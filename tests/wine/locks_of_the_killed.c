/* Wine 8 kills a process's other threads as it ends, also while they hold locks of Wine's own, and then waits for these itself,
   for ever: one of a hundred programs that end in the middle of everything. Windows kills none that is inside its kernel. This
   stands before pthread_mutex_lock: who waits for a lock whose holder is dead gets it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_flag is_passing_on = ATOMIC_FLAG_INIT;

static void pass_on_from_the_dead(pthread_mutex_t *mutex) {
    if (atomic_flag_test_and_set(&is_passing_on)) return;
    const int holder = mutex->__data.__owner;
    if (holder != 0 && syscall(SYS_tgkill, getpid(), holder, 0) != 0 && errno == ESRCH) {
        mutex->__data.__owner = (int)syscall(SYS_gettid); /* Who may unlock it. */
        mutex->__data.__count = mutex->__data.__count > 0;
        pthread_mutex_unlock(mutex);
    }
    atomic_flag_clear(&is_passing_on);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        const int result = pthread_mutex_timedlock(mutex, &until);
        if (result != ETIMEDOUT) return result;
        pass_on_from_the_dead(mutex);
    }
}

/* A host that changes what a process has once: its folder, locale, time zone, environment and file mask, after its streams were
   opened with paths that begin where it was. The environment is read in rheed_init, on its caller's thread, and nowhere else. */
#define _GNU_SOURCE /* RTLD_NEXT */
#ifdef _WIN32
#include "host.h"
/* The system locks the environment there, and files have no masks. */
#define setenv(name, value, overwrites) _putenv_s(name, value)
#define unsetenv(name) _putenv_s(name, "")
#define umask(mask)
#else
#include "process.h"

#include <sys/stat.h>
#endif

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int may_read;
static atomic_int is_over;

#ifndef _WIN32
/* Come before libc's for the library too: what reads the environment while another thread changes it may crash. */
char *getenv(const char *name) {
    char *(*get)(const char *);
    find_next("getenv", &get);
    if (!may_read) {
        fprintf(stderr, "%s is read from the environment\n", name);
        abort();
    }
    return get(name);
}
#endif

static rheed_stream open_here(int argc, char **argv, const char *more) {
    may_read = 1;
    rheed_stream stream = open_stream(argc, argv, more);
    may_read = 0;
    return stream;
}

static void *change_everything(void *unused) {
    static const char *const zones[] = {"UTC", "Asia/Kathmandu", "America/St_Johns", ":/no/such/zone"};
    (void)unused;
    char name[32];
    for (unsigned at = 0; !is_over; at++) {
        CHECK(setenv("TZ", zones[at % 4], 1) == 0);
        snprintf(name, sizeof name, "RHEED_TEST_%u", at % 512); /* The table of the environment moves as it grows. */
        CHECK(at / 512 % 2 ? unsetenv(name) == 0 : setenv(name, "value", 1) == 0);
        tzset();
    }
    return NULL;
}

int main(int argc, char **argv) {
    /* The first argument is the folder in which it begins, the second a locale with a decimal comma in it, "" where there is none. */
    CHECK(argc > 3);
    const char *const folder = argv[1], *const comma = argv[2];
    argc -= 2, argv += 2;
    char half[16];
    CHECK(chdir(folder) == 0);
    if (comma[0] != '\0') {
        CHECK(setenv("LOCPATH", folder, 1) == 0);
        CHECK(setlocale(LC_ALL, comma) != NULL);
        snprintf(half, sizeof half, "%.1f", 0.5);
        CHECK(strcmp(half, "0,5") == 0);
    }
    umask(0);
    const char *more = "chunk_size = 30\nrotations_per_min = 7.5\nlog_file = here.log\nverbosity = 0\n";
    rheed_stream stream = open_here(argc, argv, more);
    CHECK(chdir("/") == 0);

    pthread_t changer;
    CHECK(pthread_create(&changer, NULL, change_everything, NULL) == 0);
    for (uint64_t at = 0; at < 500; at++) {
        CHECK_CODE(push_numbered(stream, at), RHEED_OK);
        if (at % 50 == 0) {
            char text[65536];
            CHECK(rheed_text(stream, RHEED_TEXT_REPORT, text, sizeof text, NULL) >= 0);
            CHECK(rheed_text(stream, RHEED_TEXT_STATUS, text, sizeof text, NULL) >= 0);
            CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
        }
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    is_over = 1;
    CHECK(pthread_join(changer, NULL) == 0);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    return 0;
}

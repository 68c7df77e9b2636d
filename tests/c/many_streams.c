/* Many streams at once, each opened, fed, finalized and freed by a thread of its own. The first argument is their number, the
   second that of the frames of each. */
#define _POSIX_C_SOURCE 200809L
#include "tasks.h"

#include <pthread.h>

enum { SIDE = 64, MOST = 1024 };

static int count, frames;
static char **arguments;
static pthread_barrier_t all_open;

/* The memory that it had at most; Linux's getrusage would count its parent's, too. */
static long peak_mb(void) {
#ifdef _WIN32
    return 0; /* Not told here. */
#else
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL && sscanf(line, "VmHWM: %ld", &kib) != 1) continue;
    CHECK(fclose(status) == 0 && kib > 0);
    return kib / 1024;
#endif
}

static void *live(void *name) {
    unsigned char pixels[SIDE * SIDE];
    char more[128];
    snprintf(more, sizeof more, "chunk_size = 50\nqueue_bytes = 1048576\nwhen_full = block\nstream_name = %s\n", (char *)name);
    char options[16384];
    options[0] = '\0';
    for (char **line = arguments; *line != NULL; line++) strcat(strcat(options, utf8_of(*line)), "\n");
    strcat(options, more);
    rheed_stream stream = 0;
    char message[1024];
    const int32_t code = rheed_init(options, &stream, message, sizeof message);
    if (code != RHEED_OK) fprintf(stderr, "%s\n", message);
    CHECK_CODE(code, RHEED_OK);
    pthread_barrier_wait(&all_open);
    for (uint64_t at = 0; at < (uint64_t)frames; at++) {
        fill_numbered(pixels, sizeof pixels, at);
        CHECK_CODE(rheed_push(stream, pixels, sizeof pixels, SIDE, SIDE, 0, 0, at, 0, 0), RHEED_OK);
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_CONFIRMED) == frames);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    return NULL;
}

int main(int argc, char **argv) {
    static pthread_t hosts[MOST];
    static char names[MOST][16];
    CHECK(argc > 3);
    count = atoi(argv[1]), frames = atoi(argv[2]), arguments = argv + 3;
    CHECK(count > 0 && count <= MOST);
    CHECK(pthread_barrier_init(&all_open, NULL, (unsigned)count + 1) == 0);
    for (int at = 0; at < count; at++) {
        snprintf(names[at], sizeof names[at], "%d", at);
        CHECK(pthread_create(&hosts[at], NULL, live, names[at]) == 0);
    }
    pthread_barrier_wait(&all_open);
    int most_threads = 0, most_files = 0;
    for (int at = 0; at < count; at++) {
        const int of_library = threads() - (count - at) - 1;
        if (of_library > most_threads) most_threads = of_library;
        if (open_files() > most_files) most_files = open_files();
        CHECK(pthread_join(hosts[at], NULL) == 0);
    }
    printf("%d threads of the library, %d open files, %ld MB at most\n", most_threads, most_files, peak_mb());
    CHECK_CODE(rheed_shutdown(-1), RHEED_OK);
    return 0;
}

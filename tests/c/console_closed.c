/* A host without a console has closed descriptors 0 to 2, and a part of it still prints: not into a file or a connection of the
   library. The last argument is a file in which it says what it found. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <fcntl.h>
#include <unistd.h>

/* Where what is printed to that number goes; "" where nowhere. */
static void place_of(int number, char *place, size_t size) {
    char link[64];
    const int flags = fcntl(number, F_GETFL);
    place[0] = '\0';
    if (flags == -1 || (flags & O_ACCMODE) == O_RDONLY) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    const ssize_t length = readlink(link, place, size - 1);
    place[length < 0 ? 0 : length] = '\0';
}

static void print_everywhere(void) {
    for (int number = 0; number < 3; number++) (void)!write(number, "what somebody prints\n", 21);
}

int main(int argc, char **argv) {
    FILE *found = fopen(argv[argc - 1], "w");
    CHECK(found != NULL && fileno(found) > 2);
    for (int number = 0; number < 3; number++) close(number);
    rheed_stream stream = open_stream(argc - 1, argv, "chunk_size = 20\n");
    for (uint64_t at = 0; at < 200; at++) {
        print_everywhere();
        CHECK_CODE(push_numbered(stream, at), RHEED_OK);
        if (at % 20 == 5) CHECK_CODE(rheed_flush(stream, -1), RHEED_OK);
        if (at == 100) {
            for (int number = 0; number < 3; number++) close(number);
        }
        for (int number = 0; number < 3; number++) {
            char place[1024];
            place_of(number, place, sizeof place);
            /* Of what is opened after that, files are kept from these numbers, connections are not: docs/operations.md. */
            if (at >= 100 && strncmp(place, "socket:", 7) == 0) continue;
            if (strcmp(place, "/dev/null") != 0 && place[0] != '\0') fprintf(found, "%d is %s\n", number, place);
        }
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK(fclose(found) == 0);
    return 0;
}

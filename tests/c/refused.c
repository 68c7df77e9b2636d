/* What the service refuses fails at once and says why: a wrong key, no key, a sample that does not exist. The
   first argument is the line with the right key. */
#include "host.h"

/* Opens with one line more, which must fail like that. */
static void fails(int argc, char **argv, const char *more, int32_t expected, const char *word) {
    rheed_stream stream = 77;
    char message[1024];
    CHECK_CODE(rheed_init(options_of(argc, argv, more), &stream, message, sizeof message), expected);
    CHECK(stream == 0);
    if (strstr(message, word) == NULL) {
        fprintf(stderr, "the message does not speak of %s: %s\n", word, message);
        exit(1);
    }
}

int main(int argc, char **argv) {
    fails(argc - 1, argv + 1, "", RHEED_E_AUTH, "key");
    fails(argc - 1, argv + 1, "api_key = wrong\n", RHEED_E_AUTH, "key");
    fails(argc, argv, "physical_sample = 00000000-0000-4000-8000-000000000000\n", RHEED_E_NOT_FOUND, "00000000");
    return 0;
}

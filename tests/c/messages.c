/* Options: a wrong one is told by its key, in a message that fits any buffer; and what is right is taken as it stands. */
#include "host.h"

/* The options and the key that the message has to name. */
static const char *const wrong[][2] = {
    {"chunk_size = 20\n", "fps"},
    {"fps = 10\nfps = 10\n", "fps"},
    {"fps = ten\n", "fps"},
    {"fps = 12,5\n", "fps"},
    {"fps = 0\n", "fps"},
    {"fps = -1\n", "fps"},
    {"fps = nan\n", "fps"},
    {"fps = inf\n", "fps"},
    {"fps =\n", "fps"},
    {"fps = 10 # frames a second\n", "fps"},
    {"fps = 10\nchunk_size = 19\n", "chunk_size"},
    {"fps = 10\nchunk_size = 20.5\n", "chunk_size"},
    {"fps = 10\nchunksize = 20\n", "chunksize"},
    {"fps = 10\nFPS = 10\n", "FPS"},
    {"fps = 10\nwhen_full = wait\n", "when_full"},
    {"fps = 10\nclock_sync = maybe\n", "clock_sync"},
    {"fps = 10\npace = fast\n", "pace"},
    {"fps = 10\nverbosity = 5\n", "verbosity"},
    {"fps = 10\nqueue_bytes = -5\n", "queue_bytes"},
    {"fps = 10\nqueue_bytes = 99999999999999999999999\n", "queue_bytes"},
    {"fps = 10\nsignificant_bits = 17\n", "significant_bits"},
    {"fps = 10\nrotations_per_min = -3\n", "rotations_per_min"},
    {"fps = 10\nnonsense\n", "has no `=`"},
};

static void wrong_options_name_their_key(int argc, char **argv) {
    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++) {
        rheed_stream stream = 77;
        char message[1024], small[16];
        const char *options = options_of(argc, argv, wrong[at][0]);
        const int32_t code = rheed_init(options, &stream, message, sizeof message);
        if (code != RHEED_E_OPTION || stream != 0 || strstr(message, wrong[at][1]) == NULL) {
            fprintf(stderr, "%s -> %d, %s\n", wrong[at][0], (int)code, message);
            exit(1);
        }
        memset(small, 0x55, sizeof small);
        CHECK_CODE(rheed_init(options, &stream, small, sizeof small - 1), RHEED_E_OPTION);
        CHECK(memchr(small, '\0', sizeof small - 1) != NULL && small[sizeof small - 1] == 0x55);
        CHECK(strncmp(message, small, strlen(small)) == 0);
    }
}

static void endpoints_are_checked(void) {
    rheed_stream stream = 0;
    char message[1024];
    CHECK_CODE(rheed_init("fps = 10\nendpoint = not a url\n", &stream, message, sizeof message), RHEED_E_OPTION);
    CHECK(strstr(message, "endpoint") != NULL);
    CHECK_CODE(rheed_init("fps = 10\napi_key = k\nendpoint = http://192.0.2.1/\n", &stream, message, sizeof message),
               RHEED_E_OPTION);
    CHECK(strstr(message, "allow_http") != NULL);
}

/* A byte order mark, line ends of Windows, comments, blank lines, tabs; `=` and `#` within a value; a name beyond ASCII. */
static void right_options_are_taken_as_they_stand(int argc, char **argv) {
    static char options[16384];
    rheed_stream stream = 0;
    char message[1024];
    snprintf(options, sizeof options,
             "\xEF\xBB\xBF# written with an editor of Windows\r\n\r\n  # indented\r\n\tfps\t=  12.5 \r\n%s"
             "stream_name = GaAs #3, \xCE\xB1 = 2\xC2\xB0\\new\r\n", options_of(argc, argv, ""));
    CHECK_CODE(rheed_init(options, &stream, message, sizeof message), RHEED_OK);
    CHECK(message[0] == '\0');
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

int main(int argc, char **argv) {
    wrong_options_name_their_key(argc, argv);
    endpoints_are_checked();
    right_options_are_taken_as_they_stand(argc, argv);
    return 0;
}

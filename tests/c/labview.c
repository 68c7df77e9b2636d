/* What LabVIEW does: it keeps a pointer's worth of data for every node, calls the procedures of its Callbacks tab from threads of
   its own, and lets nodes attach streams. Each stream belongs to one node and ends with it, and no other does. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <pthread.h>
#include <time.h>

enum { FRAMES = 25, NODES = 4, ROUNDS = 200 };

static int says(rheed_stream stream, const char *words) {
    char text[1024];
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
    return strstr(text, words) != NULL;
}

static void nodes_have_numbers_of_their_own(void) {
    void *first = NULL, *second = NULL, *copy, *nothing = NULL, *made_up = &first;
    CHECK_CODE(rheed_labview_reserve(&first), RHEED_OK);
    CHECK_CODE(rheed_labview_reserve(&second), RHEED_OK);
    CHECK(first != NULL && second != NULL && first != second);
    void *const kept = first;
    CHECK_CODE(rheed_labview_reserve(&first), RHEED_OK);
    CHECK(first == kept); /* Two top-level VIs run that come to the node. */
    CHECK_CODE(rheed_labview_unreserve(&first), RHEED_OK);
    CHECK(first == kept);
    copy = first; /* A VI is copied with its data. */
    CHECK_CODE(rheed_labview_reserve(&copy), RHEED_OK);
    CHECK(copy != first && copy != second);

    CHECK_CODE(rheed_labview_abort(&first), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&first), RHEED_OK);
    CHECK(first == NULL);
    CHECK_CODE(rheed_labview_unreserve(&first), RHEED_OK);
    CHECK_CODE(rheed_labview_abort(&first), RHEED_OK);
    first = kept; /* Left behind somewhere. */
    CHECK_CODE(rheed_labview_abort(&first), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_unreserve(&first), RHEED_E_ARGUMENT);
    CHECK(first == kept);
    CHECK_CODE(rheed_labview_reserve(&first), RHEED_OK);
    CHECK(first != kept);
    CHECK_CODE(rheed_labview_abort(&made_up), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_unreserve(&made_up), RHEED_E_ARGUMENT);

    CHECK_CODE(rheed_labview_reserve(NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_abort(NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_unreserve(NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_attach(12345, &nothing), RHEED_E_HANDLE);
    CHECK_CODE(rheed_labview_unreserve(&first), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&second), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&copy), RHEED_OK);
}

static void a_node_that_is_not_reserved_takes_no_stream(rheed_stream stream) {
    void *node = NULL, *stale;
    CHECK_CODE(rheed_labview_attach(stream, NULL), RHEED_E_ARGUMENT);
    CHECK(says(stream, "instance is NULL"));
    CHECK_CODE(rheed_labview_attach(stream, &node), RHEED_E_ARGUMENT);
    CHECK(says(stream, "rheed_labview_reserve"));
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    stale = node;
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &stale), RHEED_E_ARGUMENT);
    CHECK_CODE(push_shade(stream, 1, RHEED_NO_FRAME_ID), RHEED_OK); /* It goes on. */
}

static void the_last_node_has_the_stream(int argc, char **argv) {
    void *before = NULL, *after = NULL;
    rheed_stream stream = open_stream(argc, argv, ""), other = open_stream(argc, argv, "");
    CHECK_CODE(rheed_labview_reserve(&before), RHEED_OK);
    CHECK_CODE(rheed_labview_reserve(&after), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &before), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(other, &before), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &after), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &after), RHEED_OK);
    /* One that cannot take it leaves it where it is. */
    void *nobody = NULL;
    CHECK_CODE(rheed_labview_attach(stream, &nobody), RHEED_E_ARGUMENT);

    CHECK_CODE(rheed_labview_abort(&before), RHEED_OK);
    CHECK_CODE(push_shade(other, 1, 1), RHEED_E_ABORTED);
    CHECK_CODE(rheed_labview_unreserve(&before), RHEED_OK);
    CHECK_CODE(push_shade(other, 1, 1), RHEED_E_HANDLE);
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&after), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, 2), RHEED_E_HANDLE);
}

static void a_node_of_two_top_level_vis_ends_with_the_later_one(int argc, char **argv) {
    void *node = NULL;
    rheed_stream stream = open_stream(argc, argv, "");
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &node), RHEED_OK);
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK(node == NULL);
    CHECK_CODE(push_shade(stream, 1, 2), RHEED_E_HANDLE);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK); /* Once too often. */
}

static void *opening_node;

/* LabVIEW, which ends the VI under its init. */
static void *end_the_vi(void *delay) {
    void *instance = opening_node; /* The node still has the number. */
    const struct timespec pause = {0, *(const int *)delay * 200000};
    nanosleep(&pause, NULL);
    CHECK_CODE(rheed_labview_unreserve(&instance), RHEED_OK);
    return NULL;
}

static void a_stream_is_opened_and_attached_in_one_call_or_not_at_all(int argc, char **argv) {
    void *node = NULL, *stale;
    char message[1024];
    rheed_stream stream = 77;
    const char *options = options_of(argc, argv, "");
    CHECK_CODE(rheed_labview_init(options, &stream, message, sizeof message, NULL), RHEED_E_ARGUMENT);
    CHECK(stream == 0 && strstr(message, "instance is NULL") != NULL);
    stream = 77;
    CHECK_CODE(rheed_labview_init(options, &stream, message, sizeof message, &node), RHEED_E_ARGUMENT);
    CHECK(stream == 0 && strstr(message, "rheed_labview_reserve") != NULL);
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    stale = node;
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_init(options, &stream, message, sizeof message, &stale), RHEED_E_ARGUMENT);

    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_init(NULL, &stream, message, sizeof message, &node), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_init(options, NULL, message, sizeof message, &node), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_init(options, &stream, NULL, 1, &node), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_init(options, &stream, message, -1, &node), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_labview_init("fps = many", &stream, message, sizeof message, &node), RHEED_E_OPTION);
    CHECK(strstr(message, "fps") != NULL);
    CHECK_CODE(rheed_labview_init(options, &stream, message, sizeof message, &node), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(push_shade(stream, 1, 2), RHEED_E_HANDLE);

    /* Whichever comes first, no stream is left behind that no node ends. */
    for (int round = 0; round < ROUNDS / 10; round++) {
        pthread_t ender;
        opening_node = NULL;
        CHECK_CODE(rheed_labview_reserve(&opening_node), RHEED_OK);
        node = opening_node;
        CHECK(pthread_create(&ender, NULL, end_the_vi, &round) == 0);
        const int32_t code = rheed_labview_init(options, &stream, message, sizeof message, &node);
        CHECK(pthread_join(ender, NULL) == 0);
        CHECK(code == RHEED_OK || (code == RHEED_E_ARGUMENT && stream == 0));
        CHECK_CODE(rheed_stats(stream, NULL, 0, NULL), RHEED_E_HANDLE);
    }
}

static void what_the_vi_has_ended_itself_stays_ended(int argc, char **argv) {
    void *node = NULL;
    rheed_stream finalized = open_stream(argc, argv, ""), freed = open_stream(argc, argv, "");
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(finalized, &node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(freed, &node), RHEED_OK);
    CHECK_CODE(push_shade(finalized, 1, 1), RHEED_OK);
    CHECK_CODE(rheed_finalize(finalized, -1), RHEED_OK);
    CHECK_CODE(rheed_free(freed), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(freed, &node), RHEED_E_HANDLE);
    CHECK_CODE(rheed_labview_abort(&node), RHEED_OK);
    CHECK(stat_of(finalized, RHEED_STAT_STATE) == RHEED_STATE_FINALIZED);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(rheed_free(finalized), RHEED_E_HANDLE);
}

static void after_a_shutdown_nodes_still_free_their_streams(int argc, char **argv) {
    void *node = NULL;
    rheed_stream stream = open_stream(argc, argv, "");
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &node), RHEED_OK);
    CHECK(!RHEED_FAILED(rheed_shutdown(-1)));
    CHECK_CODE(rheed_labview_abort(&node), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_STATE) == RHEED_STATE_ABORTED);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_E_HANDLE);
}

/* A VI that is run, aborted and closed without ever freeing a stream: what it pushed is in the spool. */
static void a_vi_that_is_closed_leaves_its_frames(int argc, char **argv) {
    char message[1024];
    void *node = NULL;
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n"), spool = 0;
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(stream, &node), RHEED_OK);
    for (uint64_t at = 0; at < FRAMES; at++) CHECK_CODE(push_numbered(stream, at), RHEED_OK);
    CHECK_CODE(rheed_labview_abort(&node), RHEED_OK);
    CHECK(stat_of(stream, RHEED_STAT_FRAMES_PENDING) == FRAMES && stat_of(stream, RHEED_STAT_FRAMES_LOST) == 0);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(rheed_stats(stream, NULL, 0, NULL), RHEED_E_HANDLE);

    /* The handle of a spool is ended in the same way. */
    CHECK_CODE(rheed_resume(options_of(argc, argv, ""), &spool, message, sizeof message), RHEED_OK);
    CHECK_CODE(rheed_labview_reserve(&node), RHEED_OK);
    CHECK_CODE(rheed_labview_attach(spool, &node), RHEED_OK);
    CHECK_CODE(rheed_labview_unreserve(&node), RHEED_OK);
    CHECK_CODE(rheed_flush(spool, 0), RHEED_E_HANDLE);
}

static void *shared_nodes[NODES];
static rheed_stream shared[NODES];

static void *run_vis(void *argument) {
    const int32_t self = *(const int32_t *)argument;
    for (int round = 0; round < ROUNDS; round++) {
        const int at = (round * 7 + self) % NODES;
        int32_t code;
        switch (round % 4) {
        case 0: code = rheed_labview_attach(shared[(at + self) % NODES], &shared_nodes[at]); break;
        case 1: code = rheed_labview_abort(&shared_nodes[at]); break;
        case 2: code = push_shade(shared[at], at, RHEED_NO_FRAME_ID); break;
        default: code = rheed_next_event(shared[at], 0, NULL, NULL, NULL, NULL, 0, NULL); break;
        }
        /* Whatever comes first; nothing else. */
        CHECK(code == RHEED_OK || code == RHEED_E_ABORTED || code == RHEED_E_QUEUE_FULL || code == RHEED_E_HANDLE ||
              code == RHEED_E_ARGUMENT);
    }
    return NULL;
}

static void *end_vis(void *argument) {
    (void)argument;
    for (int at = 0; at < NODES; at++) {
        void *instance = shared_nodes[at]; /* The others go on with the number of a node that is gone. */
        CHECK_CODE(rheed_labview_unreserve(&instance), RHEED_OK);
    }
    return NULL;
}

static void nodes_may_end_under_calls_of_other_threads(int argc, char **argv) {
    int32_t selves[3] = {0, 1, 2};
    for (int game = 0; game < 5; game++) {
        pthread_t players[3], ender;
        for (int at = 0; at < NODES; at++) {
            shared_nodes[at] = NULL;
            CHECK_CODE(rheed_labview_reserve(&shared_nodes[at]), RHEED_OK);
            shared[at] = open_stream(argc, argv, "");
            CHECK_CODE(rheed_labview_attach(shared[at], &shared_nodes[at]), RHEED_OK);
        }
        for (int at = 0; at < 3; at++) CHECK(pthread_create(&players[at], NULL, run_vis, &selves[at]) == 0);
        CHECK(pthread_create(&ender, NULL, end_vis, NULL) == 0);
        for (int at = 0; at < 3; at++) CHECK(pthread_join(players[at], NULL) == 0);
        CHECK(pthread_join(ender, NULL) == 0);
        /* Each was attached to one node at every moment, and all nodes are over. */
        for (int at = 0; at < NODES; at++) CHECK_CODE(rheed_stats(shared[at], NULL, 0, NULL), RHEED_E_HANDLE);
    }
}

int main(int argc, char **argv) {
    nodes_have_numbers_of_their_own(); /* Before the first init, as LabVIEW does it. */
    rheed_stream stream = open_stream(argc, argv, "");
    a_node_that_is_not_reserved_takes_no_stream(stream);
    the_last_node_has_the_stream(argc, argv);
    a_node_of_two_top_level_vis_ends_with_the_later_one(argc, argv);
    a_stream_is_opened_and_attached_in_one_call_or_not_at_all(argc, argv);
    what_the_vi_has_ended_itself_stays_ended(argc, argv);
    a_vi_that_is_closed_leaves_its_frames(argc, argv);
    nodes_may_end_under_calls_of_other_threads(argc, argv);
    CHECK_CODE(push_shade(stream, 1, RHEED_NO_FRAME_ID), RHEED_OK); /* Of no node: nobody has touched it. */
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    after_a_shutdown_nodes_still_free_their_streams(argc, argv);
    return 0;
}

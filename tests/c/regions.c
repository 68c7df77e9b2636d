/* The brightness of regions, beside what a plain loop makes of the same pixels: every frame is there once, in order, under its id
 * and time, with its flags, whoever reads and however regions come, move and go meanwhile. */
#define _POSIX_C_SOURCE 200809L
#include "host.h"

#include <math.h>
#include <pthread.h>

enum { REGIONS = 8, KEPT = 16384, FRAMES = 3000, MANY = KEPT + 1000 };

typedef struct {
    uint32_t x, y, width, height;
} region;

static const region ALL[REGIONS] = {{0, 0, WIDTH, HEIGHT}, {0, 0, 1, 1}, {WIDTH - 1, HEIGHT - 1, 1, 1}, {3, 2, 20, 9},
                                    {5, 0, 17, HEIGHT},    {0, 7, WIDTH, 1}, {11, 0, 1, HEIGHT},          {1, 1, 30, 14}};

typedef struct {
    int64_t time_ns;
    uint64_t frame_id;
    uint32_t flags;
    double mean;
    int32_t maximum;
    int64_t sum;
} reading;

static int64_t time_of(uint64_t number) { return INT64_C(1700000000000000000) + (int64_t)number * 8333333; }

/* Some are incomplete, also behind one another. */
static uint32_t flags_of(uint64_t number) { return number % 7 < 2 || number % 13 == 5 ? RHEED_FRAME_INCOMPLETE : 0; }

static int32_t push_at(rheed_stream stream, uint64_t number, uint32_t width, uint32_t height) {
    unsigned char pixels[4 * FRAME_BYTES];
    CHECK((size_t)width * height <= sizeof pixels);
    fill_numbered(pixels, (size_t)width * height, number);
    return rheed_push(stream, pixels, (uint64_t)width * height, width, height, 0, RHEED_FORMAT_MONO8, number, time_of(number), flags_of(number));
}

/* Whether that is the reading of frame `number`, of such a width, by the plain loop. */
static int is_of(const reading *one, const region *of, uint64_t number, uint32_t width, uint32_t height) {
    unsigned char pixels[4 * FRAME_BYTES];
    int64_t sum = 0;
    int32_t maximum = 0;
    if (one->frame_id != number || one->time_ns != time_of(number) || one->flags != flags_of(number)) return 0;
    if (of->x + of->width > width || of->y + of->height > height) return isnan(one->mean) && one->maximum == -1 && one->sum == -1;
    fill_numbered(pixels, (size_t)width * height, number);
    for (uint32_t row = of->y; row < of->y + of->height; row++) {
        for (uint32_t column = of->x; column < of->x + of->width; column++) {
            const int32_t value = pixels[row * width + column];
            sum += value;
            if (value > maximum) maximum = value;
        }
    }
    return one->sum == sum && one->maximum == maximum && one->mean == (double)sum / (of->width * of->height);
}

static int32_t set(rheed_stream stream, int32_t number, const region *to) {
    return rheed_region_set(stream, number, to->x, to->y, to->width, to->height);
}

/* At most so many new readings. */
static int32_t read_some(rheed_stream stream, int32_t number, uint64_t *position, reading *into, int32_t most, int64_t *missed) {
    enum { MOST = 700 }; /* More than one piece of those in which the library copies. */
    int64_t times[MOST], sums[MOST];
    uint64_t ids[MOST];
    uint32_t flags[MOST];
    double means[MOST];
    int32_t maxima[MOST], count = 77;
    if (most > MOST) most = MOST;
    CHECK_CODE(rheed_region_read(stream, number, position, times, ids, flags, means, maxima, sums, most, &count, missed), RHEED_OK);
    CHECK(count >= 0 && count <= most);
    for (int32_t at = 0; at < count; at++) {
        const reading one = {times[at], ids[at], flags[at], means[at], maxima[at], sums[at]};
        into[at] = one;
    }
    return count;
}

/* How many there are, of all that is kept. */
static int32_t count_of(rheed_stream stream, int32_t number) {
    int32_t count = 77;
    uint64_t position = 0;
    CHECK_CODE(rheed_region_read(stream, number, &position, NULL, NULL, NULL, NULL, NULL, NULL, INT32_MAX, &count, NULL), RHEED_OK);
    return count;
}

/* Waits until every frame that was pushed is dealt with, and so measured. */
static void await_all(rheed_stream stream) { CHECK_CODE(rheed_flush(stream, -1), RHEED_OK); }

static void arguments(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    uint64_t position = 0;
    int32_t count = 77;
    int64_t missed = 77;
    char text[1024];
#define READ(region, position, capacity, count) \
    rheed_region_read(stream, region, position, NULL, NULL, NULL, NULL, NULL, NULL, capacity, count, &missed)

    /* Before the first frame whatever can be a frame's is taken. */
    CHECK_CODE(rheed_region_set(stream, -1, 0, 0, 1, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 8, 0, 0, 1, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, INT32_MIN, 0, 0, 0, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 1, 0), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 0, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 0, 65535, 0, 1, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(0, &position, 1, &count), RHEED_E_ARGUMENT);
    CHECK(position == 0 && count == 0 && missed == 0);
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, 65535, 65535), RHEED_OK);
    CHECK_CODE(rheed_region_set(stream, 0, 0, 0, WIDTH + 1, HEIGHT), RHEED_OK);
    CHECK_CODE(rheed_region_set(stream, 1, 7, 7, 0, 0), RHEED_OK); /* There was none. */
    CHECK_CODE(READ(0, &position, 1, &count), RHEED_OK);
    CHECK(position == 0 && count == 0 && missed == 0);

    /* From then on it has to lie in frames like the last one. */
    CHECK_CODE(push_at(stream, 0, WIDTH, HEIGHT), RHEED_OK);
    await_all(stream);
    CHECK_CODE(rheed_region_set(stream, 1, 0, 0, WIDTH + 1, HEIGHT), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "33 x 16 pixels at 0, 0") != NULL && strstr(text, "32 x 16 pixels") != NULL);
    CHECK_CODE(rheed_region_set(stream, 1, 1, 0, WIDTH, HEIGHT), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 1, 0, HEIGHT, 1, 1), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_region_set(stream, 1, 0, UINT32_MAX, 1, 2), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(1, &position, 1, &count), RHEED_E_ARGUMENT);
    CHECK_CODE(set(stream, 1, &ALL[0]), RHEED_OK);

    CHECK_CODE(READ(8, &position, 1, &count), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(-1, &position, 1, &count), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(1, NULL, 1, &count), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(1, &position, 1, NULL), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(1, &position, -1, &count), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(1, &position, INT32_MIN, &count), RHEED_E_ARGUMENT);
    CHECK(position == 0);
    position = 1000;
    CHECK_CODE(READ(1, &position, 1, &count), RHEED_E_ARGUMENT);
    CHECK(position == 1000 && count == 0 && missed == 0);
    CHECK_CODE(rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL), RHEED_OK);
    CHECK(strstr(text, "position is 1000") != NULL);
    position = 0;
    CHECK_CODE(READ(1, &position, 0, &count), RHEED_OK);
    CHECK(count == 0);

    /* What is not wanted is not written, whatever else is. */
    for (uint64_t number = 1; number < 20; number++) CHECK_CODE(push_at(stream, number, WIDTH, HEIGHT), RHEED_OK);
    await_all(stream);
    double means[20] = {0};
    int32_t maxima[20] = {0};
    CHECK_CODE(rheed_region_read(stream, 1, &position, NULL, NULL, NULL, means, NULL, NULL, 5, &count, NULL), RHEED_OK);
    CHECK(count == 5 && means[4] > 0.0 && means[5] == 0.0);
    CHECK_CODE(rheed_region_read(stream, 1, &position, NULL, NULL, NULL, NULL, maxima, NULL, 20, &count, NULL), RHEED_OK);
    CHECK(count == 14 && maxima[13] > 0 && maxima[14] == 0 && position == 20);

    /* The end: no region any more, but what was read. */
    const uint64_t last = position;
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(set(stream, 1, &ALL[3]), RHEED_E_CLOSED);
    CHECK_CODE(rheed_region_set(stream, 1, 0, 0, 0, 0), RHEED_E_CLOSED);
    position = last - 3;
    CHECK_CODE(READ(1, &position, 20, &count), RHEED_OK);
    CHECK(count == 3 && position == last);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
    CHECK_CODE(set(stream, 1, &ALL[3]), RHEED_E_HANDLE);
    count = 77;
    CHECK_CODE(READ(1, &position, 20, &count), RHEED_E_HANDLE);
    CHECK(count == 0);

    stream = open_stream(argc, argv, "");
    CHECK_CODE(set(stream, 1, &ALL[3]), RHEED_OK);
    CHECK_CODE(rheed_abort(stream), RHEED_OK);
    CHECK_CODE(set(stream, 2, &ALL[3]), RHEED_E_ABORTED);
    position = 0;
    CHECK_CODE(READ(1, &position, 20, &count), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    /* Handles that are given no single frames. */
    CHECK_CODE(rheed_resume(options_of(argc, argv, ""), &stream, text, sizeof text), RHEED_OK);
    CHECK_CODE(set(stream, 1, &ALL[3]), RHEED_E_ARGUMENT);
    CHECK_CODE(READ(1, &position, 20, &count), RHEED_E_ARGUMENT);
    CHECK_CODE(rheed_free(stream), RHEED_OK);

    unsigned char pixels[FRAME_BYTES] = {0};
    stream = open_stream(argc, argv, "");
    CHECK_CODE(set(stream, 1, &ALL[3]), RHEED_OK);
    CHECK_CODE(rheed_push_chunk(stream, 0, pixels, sizeof pixels, 1, WIDTH, HEIGHT, 0, 0), RHEED_OK);
    CHECK_CODE(set(stream, 2, &ALL[3]), RHEED_E_ARGUMENT);
    CHECK(count_of(stream, 1) == 0);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

/* Who polls a region from its beginning until that frame has come. */
typedef struct {
    rheed_stream stream;
    int32_t number;
    uint64_t until;
} poller;

static void *poll_all(void *argument) {
    const poller *of = (const poller *)argument;
    reading some[700];
    uint64_t position = 0, next = 0;
    int64_t missed = 77;
    while (next < of->until) {
        const int32_t count = read_some(of->stream, of->number, &position, some, 1 + (int32_t)(next % 699), &missed);
        CHECK(missed == 0);
        for (int32_t at = 0; at < count; at++, next++) CHECK(is_of(&some[at], &ALL[of->number], next, WIDTH, HEIGHT));
        CHECK(position == next);
    }
    return NULL;
}

/* Pushed and committed as fast as they are taken, and polled by two readers for each of the regions. */
static void full_rate(int argc, char **argv) {
    rheed_stream stream = open_stream(argc, argv, "when_full = block\nchunk_size = 500\n");
    pthread_t threads[2 * REGIONS];
    poller pollers[2 * REGIONS];
    for (int32_t at = 0; at < REGIONS; at++) CHECK_CODE(set(stream, at, &ALL[at]), RHEED_OK);
    for (int32_t at = 0; at < 2 * REGIONS; at++) {
        const poller of = {stream, at % REGIONS, FRAMES};
        pollers[at] = of;
        CHECK(pthread_create(&threads[at], NULL, poll_all, &pollers[at]) == 0);
    }
    for (uint64_t number = 0; number < FRAMES; number++) {
        if (number % 3 != 0) {
            CHECK_CODE(push_at(stream, number, WIDTH, HEIGHT), RHEED_OK);
            continue;
        }
        void *slot = NULL;
        CHECK_CODE(rheed_acquire(stream, FRAME_BYTES, &slot), RHEED_OK);
        fill_numbered((unsigned char *)slot, FRAME_BYTES, number);
        CHECK_CODE(rheed_commit(stream, slot, WIDTH, HEIGHT, 0, 0, number, time_of(number), flags_of(number)), RHEED_OK);
    }
    for (int32_t at = 0; at < 2 * REGIONS; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

/* More frames than are kept: those that nobody read are counted, the others are there, also after the end. */
static void overrun(int argc, char **argv) {
    static reading all[KEPT];
    rheed_stream stream = open_stream(argc, argv, "when_full = block\nchunk_size = 5000\n");
    const region *const of = &ALL[3];
    CHECK_CODE(set(stream, 3, of), RHEED_OK);
    for (uint64_t number = 0; number < MANY; number++) {
        if (number == MANY / 2) CHECK_CODE(set(stream, 4, &ALL[4]), RHEED_OK);
        CHECK_CODE(push_at(stream, number, WIDTH, HEIGHT), RHEED_OK);
    }
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);

    uint64_t position = 100;
    int32_t count = 0, begin = 0;
    int64_t missed = 77;
    CHECK_CODE(rheed_region_read(stream, 3, &position, NULL, NULL, NULL, NULL, NULL, NULL, 0, &count, &missed), RHEED_OK);
    CHECK(position == MANY - KEPT && missed == MANY - KEPT - 100 && count == 0);
    position = 0;
    do {
        count = read_some(stream, 3, &position, &all[begin], 700, &missed);
        CHECK(missed == (begin == 0 ? MANY - KEPT : 0));
        begin += count;
    } while (count != 0);
    CHECK(begin == KEPT && position == MANY);
    for (int at = 0; at < KEPT; at++) CHECK(is_of(&all[at], of, (uint64_t)(MANY - KEPT + at), WIDTH, HEIGHT));

    /* A region that came later has missed nothing. */
    position = 0;
    count = read_some(stream, 4, &position, all, 700, &missed);
    CHECK(count == 700 && missed == 0 && all[0].frame_id <= MANY / 2);
    for (int at = 0; at < 700; at++) CHECK(is_of(&all[at], &ALL[4], all[0].frame_id + (uint64_t)at, WIDTH, HEIGHT));
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

/* A region that is set, moved and taken away: of each place there is what was pushed since, and nothing else. */
static void moves(int argc, char **argv) {
    reading some[700];
    uint64_t number = 0, kept_position = 0;
    int64_t missed = 77;
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(set(stream, 7, &ALL[0]), RHEED_OK); /* One that stays. */
    for (int round = 0; round < 40; round++) {
        const region *const to = &ALL[round % REGIONS];
        const int frames = 1 + round % 7;
        uint64_t position = 0;
        int32_t count = 0;
        CHECK_CODE(set(stream, 6, to), RHEED_OK);
        for (int at = 0; at < frames; at++, number++) {
            if (at == 3) CHECK_CODE(set(stream, 6, to), RHEED_OK); /* Where it is: nothing changes. */
            CHECK_CODE(push_at(stream, number, WIDTH, HEIGHT), RHEED_OK);
        }
        await_all(stream);
        CHECK(read_some(stream, 6, &position, some, 700, &missed) == frames && missed == 0 && position == number);
        for (int at = 0; at < frames; at++) CHECK(is_of(&some[at], to, number - (uint64_t)(frames - at), WIDTH, HEIGHT));
        if (round % 3 == 0) { /* One reader stays away meanwhile. */
            const uint64_t begin = kept_position;
            const int32_t read = read_some(stream, 7, &kept_position, some, 700, &missed);
            CHECK(missed == 0 && (uint64_t)read == number - begin && kept_position == number);
            for (int at = 0; at < read; at++) CHECK(is_of(&some[at], &ALL[0], begin + (uint64_t)at, WIDTH, HEIGHT));
        }
        if (round % 2 == 0) {
            CHECK_CODE(rheed_region_set(stream, 6, 0, 0, 0, 0), RHEED_OK);
            CHECK_CODE(rheed_region_read(stream, 6, &position, NULL, NULL, NULL, NULL, NULL, NULL, 1, &count, NULL), RHEED_E_ARGUMENT);
            CHECK_CODE(push_at(stream, number++, WIDTH, HEIGHT), RHEED_OK);
            await_all(stream);
        }
    }
    /* Without any region nothing is measured, and the count of what was stands still. */
    CHECK_CODE(rheed_region_set(stream, 7, 0, 0, 0, 0), RHEED_OK);
    CHECK_CODE(rheed_region_set(stream, 6, 0, 0, 0, 0), RHEED_OK);
    for (int at = 0; at < 9; at++) CHECK_CODE(push_at(stream, 1000 + (uint64_t)at, WIDTH, HEIGHT), RHEED_OK);
    await_all(stream);
    CHECK_CODE(set(stream, 7, &ALL[0]), RHEED_OK);
    CHECK_CODE(push_at(stream, 2000, WIDTH, HEIGHT), RHEED_OK);
    await_all(stream);
    CHECK(read_some(stream, 7, &kept_position, some, 700, &missed) == 1 && missed == 0);
    CHECK(kept_position == number + 1 && is_of(&some[0], &ALL[0], 2000, WIDTH, HEIGHT));
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

/* Frames of other sizes: a region is measured where it lies in them, and else said not to. */
static void sizes(int argc, char **argv) {
    static const uint32_t SIDES[][2] = {{WIDTH, HEIGHT}, {20, 16}, {40, 20}, {WIDTH, 10}, {23, 11}, {22, 11}};
    enum { SIZES = sizeof SIDES / sizeof SIDES[0] };
    const region *const of = &ALL[3]; /* Up to column 22 and row 10, both included. */
    reading some[700];
    uint64_t position = 0;
    rheed_stream stream = open_stream(argc, argv, "chunk_size = 20\n");
    CHECK_CODE(set(stream, 5, of), RHEED_OK);
    for (uint64_t at = 0; at < 5 * SIZES; at++) {
        CHECK_CODE(push_at(stream, at, SIDES[at % SIZES][0], SIDES[at % SIZES][1]), RHEED_OK);
    }
    await_all(stream);
    CHECK(read_some(stream, 5, &position, some, 700, NULL) == 5 * SIZES);
    for (uint64_t at = 0; at < 5 * SIZES; at++) {
        CHECK(is_of(&some[at], of, at, SIDES[at % SIZES][0], SIDES[at % SIZES][1]));
        CHECK((some[at].sum == -1) == (at % SIZES == 1 || at % SIZES == 3 || at % SIZES == 5));
    }
    CHECK_CODE(set(stream, 4, &ALL[0]), RHEED_E_ARGUMENT); /* It does not lie in the last one. */
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

static int over; /* By way of the compiler's atomics, which C99 and C++ share. */

typedef struct {
    rheed_stream stream;
    uint64_t first, step;
} camera;

static void *film(void *argument) {
    const camera *of = (const camera *)argument;
    for (uint64_t number = of->first; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); number += of->step) {
        CHECK_CODE(push_at(of->stream, number, WIDTH, HEIGHT), RHEED_OK);
    }
    return NULL;
}

/* Two cameras push, and a region is moved meanwhile: whatever is read is of the place where it is said to be. */
static void in_the_middle_of_it(int argc, char **argv) {
    enum { CAMERAS = 2, ROUNDS = 300 };
    reading some[700];
    pthread_t threads[CAMERAS];
    camera cameras[CAMERAS];
    rheed_stream stream = open_stream(argc, argv, "when_full = block\nchunk_size = 500\n");
    for (uint64_t at = 0; at < CAMERAS; at++) {
        const camera of = {stream, at, CAMERAS};
        cameras[at] = of;
        CHECK(pthread_create(&threads[at], NULL, film, &cameras[at]) == 0);
    }
    int64_t read = 0;
    for (int round = 0; round < ROUNDS || read < 10000; round++) {
        const region *const to = &ALL[(round * 5 + 3) % REGIONS];
        uint64_t position = 0, last[CAMERAS] = {0};
        CHECK_CODE(set(stream, 6, to), RHEED_OK);
        for (int look = 0; look < 1 + round % 50; look++) {
            int64_t missed = 77;
            const int32_t count = read_some(stream, 6, &position, some, 700, &missed);
            CHECK(missed == 0);
            for (int32_t at = 0; at < count; at++) {
                const uint64_t number = some[at].frame_id, of = number % CAMERAS;
                CHECK(is_of(&some[at], to, number, WIDTH, HEIGHT));
                CHECK(last[of] == 0 || number == last[of] + CAMERAS); /* Each frame of a camera once, and none is left out. */
                last[of] = number;
            }
            read += count;
        }
        if (round % 4 == 3) CHECK_CODE(rheed_region_set(stream, 6, 0, 0, 0, 0), RHEED_OK);
    }
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int at = 0; at < CAMERAS; at++) CHECK(pthread_join(threads[at], NULL) == 0);
    CHECK_CODE(rheed_finalize(stream, -1), RHEED_OK);
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

/* A source sets a region, and has read of its former frames. */
static int32_t RHEED_CALL watches(void *user, rheed_stream stream, uint64_t index) {
    int *const read = (int *)user;
    if (index == 0) CHECK_CODE(set(stream, 0, &ALL[0]), RHEED_OK);
    CHECK_CODE(push_at(stream, index, WIDTH, HEIGHT), RHEED_OK);
    *read = count_of(stream, 0);
    return *read < 10;
}

static void in_a_run(int argc, char **argv) {
    int read = 0;
    rheed_stream stream = open_stream(argc, argv, "pace = off\n");
    CHECK_CODE(rheed_run(stream, watches, &read), RHEED_OK);
    CHECK(read >= 10);
    CHECK(count_of(stream, 0) == stat_of(stream, RHEED_STAT_FRAMES_ACCEPTED));
    CHECK_CODE(rheed_free(stream), RHEED_OK);
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    full_rate(argc, argv);
    overrun(argc, argv);
    moves(argc, argv);
    sizes(argc, argv);
    in_the_middle_of_it(argc, argv);
    in_a_run(argc, argv);
    return 0;
}

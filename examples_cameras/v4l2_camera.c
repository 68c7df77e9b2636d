/*
 * A camera with a driver in Linux, by V4L2: the loop that waits for a buffer pushes it and gives it back.
 *
 *     v4l2_camera [--device /dev/video0] [--format GREY] [--size 640x480] [--fps 30] [--seconds 10] [key=value ...]
 *
 * The driver has the last word on format, size and rate. Each key=value becomes a line of the stream's options
 * (docs/options.md). Ends after so many seconds (0: never), at Ctrl-C, or when the camera is gone; with 0 when the stream lost,
 * dropped and refused no frame.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <rheed_stream.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 8 };

static const struct {
    uint32_t v4l2, pfnc;
} formats[] = {
    {V4L2_PIX_FMT_GREY, RHEED_FORMAT_MONO8},  {V4L2_PIX_FMT_Y10, RHEED_FORMAT_MONO10}, {V4L2_PIX_FMT_Y12, RHEED_FORMAT_MONO12},
    {V4L2_PIX_FMT_Y14, RHEED_FORMAT_MONO14},  {V4L2_PIX_FMT_Y16, RHEED_FORMAT_MONO16}, {V4L2_PIX_FMT_YUYV, RHEED_FORMAT_YUYV},
    {V4L2_PIX_FMT_UYVY, RHEED_FORMAT_UYVY},
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) { interrupted = signal; }

/* A driver may be interrupted by a signal at any time. */
static int ask(int camera, unsigned long request, void *argument) {
    int answer;
    do answer = ioctl(camera, request, argument);
    while (answer < 0 && errno == EINTR && !interrupted);
    return answer;
}

static int failed(const char *what) { return perror(what), 1; }

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Unix time of capture. Drivers stamp by the clock that runs since the computer started. 0: by none that is known. */
static int64_t captured_at(const struct v4l2_buffer *buffer) {
    if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) return 0;
    const int64_t stamp = (int64_t)buffer->timestamp.tv_sec * 1000000000 + (int64_t)buffer->timestamp.tv_usec * 1000;
    return nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC) + stamp;
}

int main(int argc, char **argv) {
    const char *device = "/dev/video0";
    char options[8192] = "", text[1024], fourcc[5] = "GREY";
    double seconds = 10.0, fps = 30.0;
    uint32_t width = 640, height = 480, pfnc = 0;
    for (int at = 1; at < argc; at++) {
        const size_t used = strlen(options);
        if (strncmp(argv[at], "--", 2) != 0) snprintf(options + used, sizeof options - used, "%s\n", argv[at]);
        else if (at + 1 == argc) return fprintf(stderr, "%s: a value is missing\n", argv[at]), 2;
        else if (strcmp(argv[at], "--device") == 0) device = argv[++at];
        else if (strcmp(argv[at], "--format") == 0) snprintf(fourcc, sizeof fourcc, "%-4s", argv[++at]);
        else if (strcmp(argv[at], "--size") == 0) sscanf(argv[++at], "%" SCNu32 "x%" SCNu32, &width, &height);
        else if (strcmp(argv[at], "--fps") == 0) fps = atof(argv[++at]);
        else if (strcmp(argv[at], "--seconds") == 0) seconds = atof(argv[++at]);
        else return fprintf(stderr, "%s: is none of --device, --format, --size, --fps, --seconds\n", argv[at]), 2;
    }

    const int camera = open(device, O_RDWR | O_NONBLOCK);
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_streamparm rate = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_requestbuffers wanted = {.count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    struct v4l2_pix_format *picture = &format.fmt.pix;
    if (camera < 0 || ask(camera, VIDIOC_G_FMT, &format) < 0) return failed(device);
    picture->width = width, picture->height = height, picture->field = V4L2_FIELD_NONE, picture->bytesperline = 0;
    picture->pixelformat = v4l2_fourcc(fourcc[0], fourcc[1], fourcc[2], fourcc[3]);
    if (ask(camera, VIDIOC_S_FMT, &format) < 0) return failed("VIDIOC_S_FMT");
    for (size_t at = 0; at < sizeof formats / sizeof formats[0]; at++) {
        if (formats[at].v4l2 == picture->pixelformat) pfnc = formats[at].pfnc;
    }
    if (pfnc == 0) return fprintf(stderr, "the driver has none of GREY Y10 Y12 Y14 Y16 YUYV UYVY for %s\n", fourcc), 1;
    rate.parm.capture.timeperframe = (struct v4l2_fract){1000, (uint32_t)(fps * 1000.0)};
    if (ask(camera, VIDIOC_S_PARM, &rate) == 0 && rate.parm.capture.timeperframe.numerator != 0)
        fps = (double)rate.parm.capture.timeperframe.denominator / rate.parm.capture.timeperframe.numerator;

    void *mapped[BUFFERS];
    if (ask(camera, VIDIOC_REQBUFS, &wanted) < 0) return failed("VIDIOC_REQBUFS");
    for (uint32_t at = 0; at < wanted.count && at < BUFFERS; at++) {
        struct v4l2_buffer buffer = {.index = at, .type = wanted.type, .memory = wanted.memory};
        if (ask(camera, VIDIOC_QUERYBUF, &buffer) < 0) return failed("VIDIOC_QUERYBUF");
        mapped[at] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera, (off_t)buffer.m.offset);
        if (mapped[at] == MAP_FAILED || ask(camera, VIDIOC_QBUF, &buffer) < 0) return failed("the driver's buffers");
    }

    rheed_stream stream;
    snprintf(options + strlen(options), sizeof options - strlen(options), "fps = %.3f\n", fps);
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) return fprintf(stderr, "%s\n", text), 1;
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    if (ask(camera, VIDIOC_STREAMON, &wanted.type) < 0) return failed("VIDIOC_STREAMON");

    const double end = seconds > 0.0 ? (double)nanoseconds(CLOCK_MONOTONIC) + seconds * 1e9 : 1e30;
    uint64_t buffers = 0, damaged = 0, failures = 0;
    while (!interrupted && (double)nanoseconds(CLOCK_MONOTONIC) < end) {
        struct v4l2_buffer buffer = {.type = wanted.type, .memory = wanted.memory};
        struct pollfd ready = {.fd = camera, .events = POLLIN};
        if (poll(&ready, 1, 200) <= 0) continue;
        if (ask(camera, VIDIOC_DQBUF, &buffer) < 0) {
            if (errno == EAGAIN) continue;         /* None is there after all. */
            if (errno == EIO && ++failures && poll(NULL, 0, 10) == 0) continue; /* No signal, for a frame or for longer. */
            failed("the camera is gone");
            break;
        }
        const int is_damaged = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0; /* Filled in part: the rest is an older picture's. */
        buffers++, damaged += is_damaged != 0;
        const int32_t pushed = rheed_push(stream, mapped[buffer.index], is_damaged ? buffer.length : buffer.bytesused, picture->width,
                                          picture->height, picture->bytesperline, pfnc, buffer.sequence, captured_at(&buffer),
                                          is_damaged ? RHEED_FRAME_INCOMPLETE : 0);
        if (pushed == RHEED_E_FORMAT || pushed == RHEED_E_ARGUMENT || ask(camera, VIDIOC_QBUF, &buffer) < 0) break;
    }
    rheed_text(stream, RHEED_TEXT_LAST_ERROR, text, sizeof text, NULL);
    if (text[0] != '\0') fprintf(stderr, "%s\n", text);
    ask(camera, VIDIOC_STREAMOFF, &wanted.type);
    close(camera);

    const int32_t ended = rheed_finalize(stream, 60000);
    int64_t stats[RHEED_STAT_FPS_MILLI + 1] = {0};
    rheed_stats(stream, stats, RHEED_STAT_FPS_MILLI + 1, NULL);
    printf("driver: %" PRIu64 " buffers, %" PRIu64 " damaged, %" PRIu64 " failures\n", buffers, damaged, failures);
    printf("stream: %" PRId64 " taken, %" PRId64 " confirmed, %" PRId64 " lost, %" PRId64 " dropped, %" PRId64 " rejected, %" PRId64
           " missed, %" PRId64 " incomplete\n", stats[RHEED_STAT_FRAMES_ACCEPTED], stats[RHEED_STAT_FRAMES_CONFIRMED],
           stats[RHEED_STAT_FRAMES_LOST], stats[RHEED_STAT_FRAMES_DROPPED], stats[RHEED_STAT_FRAMES_REJECTED],
           stats[RHEED_STAT_FRAMES_MISSED], stats[RHEED_STAT_FRAMES_INCOMPLETE]);
    const int64_t missing = stats[RHEED_STAT_FRAMES_LOST] + stats[RHEED_STAT_FRAMES_DROPPED] + stats[RHEED_STAT_FRAMES_REJECTED];
    return RHEED_FAILED(ended) || missing != 0;
}

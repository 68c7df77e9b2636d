/*
 * A camera with a driver in Linux, by V4L2: the loop that waits for a buffer pushes it and gives it back.
 *
 *     v4l2_camera [--device /dev/video0] [--format GREY] [--size 640x480] [--fps 60] [--seconds 10] [key=value ...]
 *
 * The driver has the last word on format, size and rate; --fps is what it is asked for. Each key=value becomes a line of the stream's options
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "recording.h"

enum { BUFFERS = 8, RESTARTS = 10 };

static const struct {
    uint32_t v4l2, pfnc;
} formats[] = {
    {V4L2_PIX_FMT_GREY, RHEED_FORMAT_MONO8},  {V4L2_PIX_FMT_Y10, RHEED_FORMAT_MONO10}, {V4L2_PIX_FMT_Y12, RHEED_FORMAT_MONO12},
    {V4L2_PIX_FMT_Y14, RHEED_FORMAT_MONO14},  {V4L2_PIX_FMT_Y16, RHEED_FORMAT_MONO16}, {V4L2_PIX_FMT_YUYV, RHEED_FORMAT_YUYV},
    {V4L2_PIX_FMT_UYVY, RHEED_FORMAT_UYVY},
};

static int ask(int camera, unsigned long request, void *argument) {
    int answer;
    do answer = ioctl(camera, request, argument); /* A signal may interrupt it at any time. */
    while (answer < 0 && errno == EINTR && !interrupted);
    return answer;
}

/* All buffers are the driver's, and it fills them. After EIO none comes back, and it is begun anew. */
static int begin(int camera, struct v4l2_requestbuffers *wanted) {
    struct v4l2_buffer buffer = {.type = wanted->type, .memory = wanted->memory};
    for (; buffer.index < wanted->count; buffer.index++)
        if (ask(camera, VIDIOC_QBUF, &buffer) < 0) return -1;
    return ask(camera, VIDIOC_STREAMON, &wanted->type);
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
    double seconds = 10.0, fps = 0.0;
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
    struct v4l2_fract *period = &rate.parm.capture.timeperframe;
    *period = (struct v4l2_fract){1000, (uint32_t)(fps * 1000.0)};
    if (ask(camera, fps > 0.0 ? VIDIOC_S_PARM : VIDIOC_G_PARM, &rate) == 0 && period->numerator != 0)
        fps = (double)period->denominator / period->numerator;
    if (fps <= 0.0) return fprintf(stderr, "the driver does not tell its rate: give it by --fps\n"), 1;

    void *mapped[BUFFERS];
    if (ask(camera, VIDIOC_REQBUFS, &wanted) < 0) return failed("VIDIOC_REQBUFS");
    if (wanted.count > BUFFERS) wanted.count = BUFFERS;
    for (uint32_t at = 0; at < wanted.count; at++) {
        struct v4l2_buffer buffer = {.index = at, .type = wanted.type, .memory = wanted.memory};
        if (ask(camera, VIDIOC_QUERYBUF, &buffer) < 0) return failed("VIDIOC_QUERYBUF");
        mapped[at] = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera, (off_t)buffer.m.offset);
        if (mapped[at] == MAP_FAILED) return failed("the driver's buffers");
    }
    if (begin(camera, &wanted) < 0) return failed("VIDIOC_STREAMON"); /* Before there is a stream: it would stay empty. */

    rheed_stream stream;
    snprintf(options + strlen(options), sizeof options - strlen(options), "fps = %.3f\n", fps);
    if (RHEED_FAILED(rheed_init(options, &stream, text, sizeof text))) return fprintf(stderr, "%s\n", text), 1;
    end_when_interrupted();

    const double end = seconds > 0.0 ? (double)nanoseconds(CLOCK_MONOTONIC) + seconds * 1e9 : 1e30;
    const uint64_t whole = (uint64_t)picture->bytesperline * (picture->height - 1) + picture->width * (pfnc >> 16 & 0xff) / 8;
    uint64_t buffers = 0, damaged = 0, failures = 0;
    for (int in_a_row = 0; !interrupted && goes_on(stream, 0) && (double)nanoseconds(CLOCK_MONOTONIC) < end;) {
        struct v4l2_buffer buffer = {.type = wanted.type, .memory = wanted.memory};
        struct pollfd ready = {.fd = camera, .events = POLLIN};
        if (poll(&ready, 1, 200) <= 0) continue;
        if (ask(camera, VIDIOC_DQBUF, &buffer) < 0) {
            if (errno == EAGAIN || errno == EINTR) continue; /* None is there after all, or Ctrl-C. */
            if (errno == EIO && ++failures != 0 && in_a_row++ < RESTARTS) {
                failed("the driver begins anew"); /* No signal, for a frame or for longer. */
                poll(NULL, 0, 100);
                if (ask(camera, VIDIOC_STREAMOFF, &wanted.type) == 0 && begin(camera, &wanted) == 0) continue;
            }
            failed("the camera is gone");
            break;
        }
        /* Filled in part, or not at all: the rest is an older picture's. */
        const int is_damaged = (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0 || buffer.bytesused < whole;
        buffers++, damaged += is_damaged != 0, in_a_row = 0;
        rheed_push(stream, mapped[buffer.index], is_damaged ? buffer.length : buffer.bytesused, picture->width,
                   picture->height, picture->bytesperline, pfnc, buffer.sequence, captured_at(&buffer),
                   is_damaged ? RHEED_FRAME_INCOMPLETE : 0);
        if (ask(camera, VIDIOC_QBUF, &buffer) < 0) break;
    }
    ask(camera, VIDIOC_STREAMOFF, &wanted.type);
    close(camera);

    printf("driver: %" PRIu64 " buffers, %" PRIu64 " damaged, %" PRIu64 " failures\n", buffers, damaged, failures);
    return finish(stream);
}

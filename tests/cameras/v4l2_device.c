/*
 * A V4L2 driver in a library that is preloaded: it answers for /dev/video77 what linux/videodev2.h says a driver answers.
 *
 * STAND_IN tells what it has: "GREY 33x16 40 60": the format it insists on, the size, the bytes of a row, frames until the plug
 * is pulled. Each frame, by its number from 0, is: the 7th damaged, behind the 11th two are lost, before the 5th DQBUF says
 * EAGAIN, before the 9th EIO, and goes on so until all is stopped, queued and started anew. MISHAP adds one: "silence", EIO for good;
 * "empty", the 20th has no byte; "odd", of the 20th the driver says that its buffer is too small; "bandwidth", it cannot start;
 * "rateless", it knows of no rate. "none": all frames come without any of this. Pixels are (column + row + number) as the format has them; what pads the rows is 0xEE. The descriptor
 * is a file in memory, so that the kernel itself maps and closes it. Stamps are of an hour ago.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 8, PERIOD_MS = 4 };

static struct {
    int descriptor;
    char fourcc[5];
    unsigned width, height, row_bytes, frames;
    unsigned count, sequence, number, queued[MOST], waiting;
    int is_streaming, has_hiccuped, is_stuck;
    unsigned char *memory;
} camera = {.descriptor = -1};

static unsigned frame_bytes(void) { return camera.row_bytes * camera.height; }

static unsigned buffer_bytes(void) { return (frame_bytes() + 4095u) / 4096u * 4096u; }

int open(const char *path, int flags, ...) {
    static int (*systems)(const char *, int, ...);
    va_list more;
    va_start(more, flags);
    const int mode = va_arg(more, int);
    va_end(more);
    if (systems == NULL) *(void **)&systems = dlsym(RTLD_NEXT, "open");
    const char *told = getenv("STAND_IN");
    if (told == NULL || strcmp(path, "/dev/video77") != 0) return systems(path, flags, mode);
    if (sscanf(told, "%4s %ux%u %u %u", camera.fourcc, &camera.width, &camera.height, &camera.row_bytes, &camera.frames) != 5) abort();
    while (strlen(camera.fourcc) < 4) strcat(camera.fourcc, " ");
    return camera.descriptor = memfd_create("camera", 0);
}

static int is_played(const char *mishap) { return getenv("MISHAP") != NULL && strcmp(getenv("MISHAP"), mishap) == 0; }

static void draw(unsigned char *pixels) {
    memset(pixels, 0xEE, frame_bytes());
    for (unsigned y = 0; y < camera.height; y++) {
        for (unsigned x = 0; x < camera.width; x++) {
            unsigned char *row = pixels + y * camera.row_bytes;
            const unsigned value = x + y + camera.sequence;
            if (strcmp(camera.fourcc, "GREY") == 0) row[x] = (unsigned char)value;
            else if (strcmp(camera.fourcc, "YUYV") == 0) row[2 * x] = (unsigned char)(16u + value % 220u), row[2 * x + 1] = 128;
            else if (strcmp(camera.fourcc, "UYVY") == 0) row[2 * x + 1] = (unsigned char)(16u + value % 220u), row[2 * x] = 128;
            else if (camera.fourcc[0] == 'Y') {
                const unsigned bits = (unsigned)atoi(camera.fourcc + 1), deep = (value & 255u) << (bits - 8);
                row[2 * x] = (unsigned char)deep, row[2 * x + 1] = (unsigned char)(deep >> 8);
            }
        }
    }
}

/* Hands the oldest queued buffer over. */
static int give(struct v4l2_buffer *buffer) {
    if (camera.is_stuck) return errno = EIO, -1;
    if (camera.number == camera.frames) return errno = ENODEV, -1;
    if (camera.waiting == 0) return errno = EAGAIN, -1;
    if ((camera.number == 5 || camera.number == 9) && !camera.has_hiccuped && !is_played("none")) {
        camera.has_hiccuped = 1;
        camera.is_stuck = camera.number == 9;
        return errno = camera.number == 5 ? EAGAIN : EIO, -1;
    }
    camera.has_hiccuped = 0;
    const unsigned index = camera.queued[0];
    memmove(camera.queued, camera.queued + 1, --camera.waiting * sizeof camera.queued[0]);
    draw(camera.memory + index * buffer_bytes());
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int is_damaged = camera.number == 7 && !is_played("none");
    *buffer = (struct v4l2_buffer){.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    buffer->length = buffer_bytes();
    buffer->bytesused = is_damaged ? frame_bytes() / 2 : frame_bytes();
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | (is_damaged ? V4L2_BUF_FLAG_ERROR : 0);
    if (camera.number == 20 && is_played("empty")) buffer->bytesused = 0;
    if (camera.number == 20 && is_played("odd")) buffer->bytesused = buffer->length = 10;
    buffer->sequence = camera.sequence;
    buffer->timestamp.tv_sec = now.tv_sec - 3600; /* Of a computer that started a while ago: below 0 otherwise. */
    buffer->timestamp.tv_usec = now.tv_nsec / 1000;
    camera.sequence += camera.number == 11 && !is_played("none") ? 3 : 1;
    camera.number++;
    return 0;
}

static int answer(unsigned long request, void *argument) {
    struct v4l2_format *format = argument;
    struct v4l2_buffer *buffer = argument;
    struct v4l2_requestbuffers *wanted = argument;
    switch (request) {
    case VIDIOC_QUERYCAP:
        ((struct v4l2_capability *)argument)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
        format->fmt.pix.width = camera.width, format->fmt.pix.height = camera.height;
        format->fmt.pix.bytesperline = camera.row_bytes, format->fmt.pix.sizeimage = frame_bytes();
        format->fmt.pix.pixelformat = v4l2_fourcc(camera.fourcc[0], camera.fourcc[1], camera.fourcc[2], camera.fourcc[3]);
        return 0;
    case VIDIOC_S_PARM:
    case VIDIOC_G_PARM:
        if (is_played("rateless")) return errno = ENOTTY, -1;
        ((struct v4l2_streamparm *)argument)->parm.capture.timeperframe = (struct v4l2_fract){PERIOD_MS, 1000};
        return 0;
    case VIDIOC_REQBUFS:
        wanted->count = camera.count = wanted->count > 4 ? 4 : wanted->count; /* A driver may have fewer. */
        if (ftruncate(camera.descriptor, (off_t)camera.count * buffer_bytes()) != 0) return -1;
        camera.memory = mmap(NULL, camera.count * buffer_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, camera.descriptor, 0);
        return camera.memory == MAP_FAILED ? -1 : 0;
    case VIDIOC_QUERYBUF:
        if (buffer->index >= camera.count) return errno = EINVAL, -1;
        buffer->length = buffer_bytes(), buffer->m.offset = buffer->index * buffer_bytes();
        return 0;
    case VIDIOC_QBUF:
        for (unsigned at = 0; at < camera.waiting; at++)
            if (camera.queued[at] == buffer->index) return errno = EINVAL, -1;
        camera.queued[camera.waiting++] = buffer->index;
        return 0;
    case VIDIOC_STREAMON:
        if (is_played("bandwidth")) return errno = ENOSPC, -1;
        if (camera.waiting == 0) return errno = EINVAL, -1;
        camera.is_stuck = camera.number == 9 && is_played("silence");
        return camera.is_streaming = 1, 0;
    case VIDIOC_STREAMOFF: return camera.is_streaming = 0, camera.waiting = 0, 0;
    case VIDIOC_DQBUF: return camera.is_streaming ? give(buffer) : (errno = EINVAL, -1);
    default: return errno = ENOTTY, -1;
    }
}

int ioctl(int descriptor, unsigned long request, ...) {
    static int (*systems)(int, unsigned long, ...);
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (systems == NULL) *(void **)&systems = dlsym(RTLD_NEXT, "ioctl");
    if (descriptor != camera.descriptor || descriptor < 0) return systems(descriptor, request, argument);
    return answer(request, argument);
}

int poll(struct pollfd *descriptors, nfds_t count, int timeout_ms) {
    static int (*systems)(struct pollfd *, nfds_t, int);
    if (systems == NULL) *(void **)&systems = dlsym(RTLD_NEXT, "poll");
    if (count != 1 || camera.descriptor < 0 || descriptors->fd != camera.descriptor) return systems(descriptors, count, timeout_ms);
    systems(NULL, 0, PERIOD_MS);
    descriptors->revents = POLLIN;
    return 1;
}

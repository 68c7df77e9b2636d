/* Plays IMAQdx to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

static int at = -1, running = 1, timeouts;

/* The buffer that is asked for, or the oldest one behind it that is still there. */
IMAQdxError IMAQdxGetImage(IMAQdxSession id, Image *image, IMAQdxBufferNumberMode mode, uInt32 desiredBufferNumber,
                           uInt32 *actualBufferNumber) {
    (void)id, (void)image;
    if (mode != IMAQdxBufferNumberModeBufferNumber || (at == 2 && timeouts++ == 0)) return IMAQdxErrorTimeout;
    at++;
    while (at < FRAMES && numbers[at] < desiredBufferNumber) at++;
    *actualBufferNumber = (uInt32)numbers[at];
    running = at < FRAMES - 1;
    draw12(numbers[at], WIDTH + PADDING);
    return IMAQdxErrorSuccess;
}

int imaqGetImageInfo(const Image *image, ImageInfo *info) {
    (void)image;
    memset(info, 0, sizeof *info);
    info->imageType = IMAQ_IMAGE_U16;
    info->xRes = WIDTH, info->yRes = HEIGHT, info->pixelsPerLine = WIDTH + PADDING;
    info->imageStart = pixels16;
    return 1;
}

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    grab(stream, 1, NULL, &running);
    return finish(stream, FRAMES);
}

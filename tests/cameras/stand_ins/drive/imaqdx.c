/* Plays IMAQdx to the fragment of its page. */
#include "drive.h"
#include "fragment.h"
#include <stdarg.h>

static int at = -1, running = 1, timeouts;
static IMAQdxOverwriteMode overwrite_mode = IMAQdxOverwriteModeFail;

IMAQdxError IMAQdxSetAttribute(IMAQdxSession id, const char *name, IMAQdxValueType type, ...) {
    va_list value;
    (void)id, (void)type;
    va_start(value, type);
    if (strcmp(name, IMAQdxAttributeOverwriteMode) == 0) overwrite_mode = (IMAQdxOverwriteMode)va_arg(value, unsigned);
    va_end(value);
    return IMAQdxErrorSuccess;
}

/* The buffer that is asked for, or the oldest one behind it that is still there. */
IMAQdxError IMAQdxGetImage(IMAQdxSession id, Image *image, IMAQdxBufferNumberMode mode, uInt32 desiredBufferNumber,
                           uInt32 *actualBufferNumber) {
    (void)id, (void)image;
    if (mode != IMAQdxBufferNumberModeBufferNumber || (at == 2 && timeouts++ == 0)) return IMAQdxErrorTimeout;
    if (is_lost(at + 1)) return IMAQdxErrorCameraRemoved;
    if (number_of(at + 1) > desiredBufferNumber && desiredBufferNumber > 0 && overwrite_mode != IMAQdxOverwriteModeGetOldest)
        return IMAQdxErrorBufferNotAvailable;
    at++;
    while (at < FRAMES && number_of(at) < desiredBufferNumber) at++;
    *actualBufferNumber = (uInt32)number_of(at);
    running = at < FRAMES - 1;
    take();
    draw12(number_of(at), WIDTH + PADDING);
    return IMAQdxErrorSuccess;
}

int imaqGetImageInfo(const Image *image, ImageInfo *info) {
    (void)image;
    memset(info, 0, sizeof *info);
    info->imageType = is_played("colour") ? IMAQ_IMAGE_RGB : IMAQ_IMAGE_U16;
    info->xRes = WIDTH, info->yRes = HEIGHT, info->pixelsPerLine = WIDTH + PADDING;
    info->imageStart = pixels16;
    return 1;
}

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    grab(stream, 1, NULL, &running);
    return finish(stream, NONE_TO_GIVE_BACK);
}

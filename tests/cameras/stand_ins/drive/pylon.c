/* Plays pylon's C API to the fragment of its page. */
#include "drive.h"
#include "fragment.h"

static int at, given_back, running = 1;

/* Out of step once, as wait objects are; the last result is that of a grab that was cancelled. */
GENAPIC_RESULT PylonWaitObjectWait(PYLON_WAITOBJECT_HANDLE object, uint32_t timeout_ms, _Bool *result) {
    static int calls;
    (void)object, (void)timeout_ms;
    if (is_lost(at)) return (GENAPIC_RESULT)0xE1000009;
    return *result = calls++ != 3, GENAPI_E_OK;
}

GENAPIC_RESULT PylonStreamGrabberRetrieveResult(PYLON_STREAMGRABBER_HANDLE grabber, PylonGrabResult_t *result, _Bool *ready) {
    (void)grabber;
    memset(result, 0, sizeof *result);
    *ready = 1;
    if (at == FRAMES) return result->Status = Canceled, running = 0, GENAPI_E_OK;
    draw8(number_of(at), WIDTH + PADDING);
    result->pBuffer = pixels8, result->PayloadSize = at == DAMAGED ? WIDTH : sizeof pixels8;
    result->Status = at == DAMAGED ? Failed : Grabbed;
    result->PixelType = is_played("packed") ? PixelType_Mono12p : PixelType_Mono8;
    result->SizeX = WIDTH, result->SizeY = HEIGHT, result->PaddingX = PADDING;
    result->BlockID = number_of(at), result->TimeStamp = ticks(125000000);
    at++;
    return GENAPI_E_OK;
}

GENAPIC_RESULT PylonStreamGrabberQueueBuffer(PYLON_STREAMGRABBER_HANDLE grabber, PYLON_STREAMBUFFER_HANDLE buffer,
                                             const void *context) {
    (void)grabber, (void)buffer, (void)context;
    return given_back++, GENAPI_E_OK;
}

int main(int argc, char **argv) {
    const rheed_stream stream = open_stream(argc, argv);
    grab(stream, NULL, NULL, sizeof pixels8, &running);
    return finish(stream, given_back - (at == FRAMES)); /* Without the cancelled one. */
}

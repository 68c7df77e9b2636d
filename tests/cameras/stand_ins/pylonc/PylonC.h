/*
 * A stand-in for Basler's pylon C API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t GENAPIC_RESULT;
#define GENAPI_E_OK 0
typedef struct stand_in_grabber *PYLON_STREAMGRABBER_HANDLE;
typedef struct stand_in_wait_object *PYLON_WAITOBJECT_HANDLE;
typedef struct stand_in_buffer *PYLON_STREAMBUFFER_HANDLE;

typedef enum { UndefinedGrabStatus = -1, Idle, Queued, Grabbed, Canceled, Failed } EPylonGrabStatus;
typedef enum { PayloadType_Undefined = -1, PayloadType_Image } EPylonPayloadType;
typedef enum { PixelType_Undefined = -1, PixelType_Mono8 = 0x01080001, PixelType_Mono12 = 0x01100005, PixelType_Mono12p = 0x010C0047 } EPylonPixelType;

typedef struct {
    const void *Context;
    PYLON_STREAMBUFFER_HANDLE hBuffer;
    const void *pBuffer;
    EPylonGrabStatus Status;
    unsigned int FrameNr;
    EPylonPayloadType PayloadType;
    EPylonPixelType PixelType;
    uint64_t TimeStamp;
    int SizeX;
    int SizeY;
    int OffsetX;
    int OffsetY;
    int PaddingX; /* Bytes. */
    int PaddingY;
    uint64_t PayloadSize;
    unsigned int ErrorCode;
    uint64_t BlockID;
} PylonGrabResult_t;

GENAPIC_RESULT PylonWaitObjectWait(PYLON_WAITOBJECT_HANDLE object, uint32_t timeout_ms, _Bool *result);
GENAPIC_RESULT PylonStreamGrabberRetrieveResult(PYLON_STREAMGRABBER_HANDLE grabber, PylonGrabResult_t *result, _Bool *ready);
GENAPIC_RESULT PylonStreamGrabberQueueBuffer(PYLON_STREAMGRABBER_HANDLE grabber, PYLON_STREAMBUFFER_HANDLE buffer,
                                             const void *context);

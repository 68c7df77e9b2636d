/*
 * A stand-in for Allied Vision's Vimba X C API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

#include <stdint.h>

#define VMB_CALL
typedef void *VmbHandle_t;
typedef int8_t VmbBool_t;
typedef int32_t VmbError_t;
typedef uint32_t VmbPixelFormat_t;
typedef int32_t VmbFrameStatus_t;
typedef uint32_t VmbFrameFlags_t;
typedef uint32_t VmbPayloadType_t;
typedef uint32_t VmbImageDimension_t;

typedef enum {
    VmbFrameStatusComplete = 0,
    VmbFrameStatusIncomplete = -1,
    VmbFrameStatusTooSmall = -2,
    VmbFrameStatusInvalid = -3
} VmbFrameStatusType;

typedef enum {
    VmbFrameFlagsNone = 0,
    VmbFrameFlagsDimension = 1,
    VmbFrameFlagsOffset = 2,
    VmbFrameFlagsFrameID = 4,
    VmbFrameFlagsTimestamp = 8,
    VmbFrameFlagsImageData = 16,
    VmbFrameFlagsPayloadType = 32,
    VmbFrameFlagsChunkDataPresent = 64
} VmbFrameFlagsType;

typedef struct VmbFrame {
    void *buffer;
    uint32_t bufferSize;
    void *context[4];
    VmbFrameStatus_t receiveStatus;
    uint64_t frameID;
    uint64_t timestamp;
    uint8_t *imageData;
    VmbFrameFlags_t receiveFlags;
    VmbPixelFormat_t pixelFormat;
    VmbImageDimension_t width;
    VmbImageDimension_t height;
    VmbImageDimension_t offsetX;
    VmbImageDimension_t offsetY;
    VmbPayloadType_t payloadType;
    VmbBool_t chunkDataPresent;
} VmbFrame_t;

typedef void(VMB_CALL *VmbFrameCallback)(const VmbHandle_t camera, const VmbHandle_t stream, VmbFrame_t *frame);
VmbError_t VMB_CALL VmbCaptureFrameQueue(VmbHandle_t handle, const VmbFrame_t *frame, VmbFrameCallback callback);

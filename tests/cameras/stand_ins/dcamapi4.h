/*
 * A stand-in for Hamamatsu's DCAM-API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

typedef int int32; /* A long on Windows, where that has 32 bits. */
typedef unsigned int _ui32;

/* Failures have the highest bit: in C the enumeration is unsigned. */
typedef enum DCAMERR {
    DCAMERR_ABORT = (int)0x80000102,
    DCAMERR_TIMEOUT = (int)0x80000106,
    DCAMERR_LOSTFRAME = (int)0x80000301,
    DCAMERR_LOSTCAMERA_STAND_IN = (int)0x80000801, /* One of the many others. */
    DCAMERR_MISSINGFRAME_TROUBLE = (int)0x80000f06,
    DCAMERR_SUCCESS = 1
} DCAMERR;
typedef enum DCAM_PIXELTYPE { DCAM_PIXELTYPE_MONO8 = 1, DCAM_PIXELTYPE_MONO16 = 2, DCAM_PIXELTYPE_NONE = 0 } DCAM_PIXELTYPE;
typedef enum DCAMWAIT_EVENT { DCAMWAIT_CAPEVENT_TRANSFERRED = 1, DCAMWAIT_CAPEVENT_FRAMEREADY = 2 } DCAMWAIT_EVENT;
typedef struct tag_dcam *HDCAM;
typedef struct DCAMWAIT *HDCAMWAIT;

typedef struct DCAM_TIMESTAMP {
    _ui32 sec;
    int32 microsec;
} DCAM_TIMESTAMP;

typedef struct DCAMCAP_TRANSFERINFO {
    int32 size;
    int32 iKind;
    int32 nNewestFrameIndex;
    int32 nFrameCount;
} DCAMCAP_TRANSFERINFO;

typedef struct DCAMBUF_FRAME {
    int32 size;
    int32 iKind;
    int32 option;
    int32 iFrame;
    void *buf;
    int32 rowbytes;
    DCAM_PIXELTYPE type;
    int32 width;
    int32 height;
    int32 left;
    int32 top;
    DCAM_TIMESTAMP timestamp;
    int32 framestamp;
    int32 camerastamp;
} DCAMBUF_FRAME;

typedef struct DCAMWAIT_START {
    int32 size;
    int32 eventhappened;
    int32 eventmask;
    int32 timeout;
} DCAMWAIT_START;

DCAMERR dcamwait_start(HDCAMWAIT wait, DCAMWAIT_START *param);
DCAMERR dcamcap_transferinfo(HDCAM camera, DCAMCAP_TRANSFERINFO *param);
DCAMERR dcambuf_lockframe(HDCAM camera, DCAMBUF_FRAME *frame);

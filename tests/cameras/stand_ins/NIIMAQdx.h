/*
 * A stand-in for NI's IMAQdx, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

#include "nivision.h"

typedef unsigned int uInt32;
typedef uInt32 IMAQdxSession;
typedef enum {
    IMAQdxErrorSuccess = 0,
    IMAQdxErrorCameraRemoved = (int)0xBFF6900C,
    IMAQdxErrorBufferNotAvailable = (int)0xBFF69013,
    IMAQdxErrorTimeout = (int)0xBFF6901B
} IMAQdxError;
typedef enum { IMAQdxValueTypeU32 = 0 } IMAQdxValueType;
typedef enum { IMAQdxOverwriteModeGetOldest = 0, IMAQdxOverwriteModeFail = 2, IMAQdxOverwriteModeGetNewest = 3 } IMAQdxOverwriteMode;
#define IMAQdxAttributeOverwriteMode "AcquisitionAttributes::OverwriteMode"
typedef enum {
    IMAQdxBufferNumberModeNext,
    IMAQdxBufferNumberModeLast,
    IMAQdxBufferNumberModeBufferNumber
} IMAQdxBufferNumberMode;

IMAQdxError IMAQdxGetImage(IMAQdxSession id, Image *image, IMAQdxBufferNumberMode mode, uInt32 desiredBufferNumber,
                           uInt32 *actualBufferNumber);
IMAQdxError IMAQdxSetAttribute(IMAQdxSession id, const char *name, IMAQdxValueType type, ...);

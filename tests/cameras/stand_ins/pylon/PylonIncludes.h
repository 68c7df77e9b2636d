/*
 * A stand-in for Basler's pylon C++ API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace Pylon {

enum EPixelType { PixelType_Undefined = -1, PixelType_Mono8 = 0x01080001, PixelType_Mono12 = 0x01100005, PixelType_Mono12p = 0x010C0047 };

class CGrabResultData {
public:
    virtual ~CGrabResultData() = default;
    virtual bool GrabSucceeded() const = 0;
    virtual EPixelType GetPixelType() const = 0;
    virtual uint32_t GetWidth() const = 0;
    virtual uint32_t GetHeight() const = 0;
    virtual bool GetStride(size_t &stride_bytes) const = 0;
    virtual void *GetBuffer() const = 0;
    virtual size_t GetPayloadSize() const = 0;
    virtual size_t GetBufferSize() const = 0;
    virtual uint64_t GetBlockID() const = 0;
    virtual uint64_t GetTimeStamp() const = 0;
};

class CGrabResultPtr {
public:
    explicit CGrabResultPtr(const CGrabResultData *data) : data_(data) {}
    const CGrabResultData *operator->() const { return data_; }

private:
    const CGrabResultData *data_;
};

class CInstantCamera {};

class CImageEventHandler {
public:
    virtual ~CImageEventHandler() = default;
    virtual void OnImageGrabbed(CInstantCamera &, const CGrabResultPtr &) {}
};

} // namespace Pylon

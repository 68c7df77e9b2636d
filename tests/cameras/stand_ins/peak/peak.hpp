/*
 * A stand-in for IDS peak's C++ API, written for the tests of rheed-stream: the names, types and values that its maker publishes, as far
 * as the page's fragment uses them, and nothing else. No part of the SDK; it has not met it.
 */
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace peak::core {

class Exception : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class TimeoutException : public Exception {
public:
    using Exception::Exception;
};

class AbortedException : public Exception {
public:
    using Exception::Exception;
};

class Timeout {
public:
    Timeout(std::uint64_t milliseconds) : milliseconds_(milliseconds) {}
    operator std::uint64_t() const { return milliseconds_; }

private:
    std::uint64_t milliseconds_;
};

class Buffer {
public:
    virtual ~Buffer() = default;
    virtual void *BasePtr() const = 0;
    virtual std::size_t Size() const = 0;
    virtual std::size_t Width() const = 0;
    virtual std::size_t Height() const = 0;
    virtual std::uint64_t PixelFormat() const = 0;
    virtual std::uint64_t FrameID() const = 0;
    virtual std::uint64_t Timestamp_ns() const = 0;
    virtual bool IsIncomplete() const = 0;
};

class DataStream {
public:
    virtual ~DataStream() = default;
    virtual std::shared_ptr<Buffer> WaitForFinishedBuffer(Timeout timeout) = 0;
    virtual void QueueBuffer(const std::shared_ptr<Buffer> &buffer) = 0;
};

} // namespace peak::core

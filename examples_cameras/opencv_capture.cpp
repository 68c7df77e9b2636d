/*
 * A camera or a video file by OpenCV's VideoCapture: read, push.
 *
 *     opencv_capture [NUMBER | FILE] [--fps 30] [--seconds 10] [--raw] [key=value ...]
 *
 * NUMBER is a camera's, 0 the first. --fps is for cameras that do not tell their rate, --raw for pictures as the driver has them,
 * not made blue, green and red. Each key=value becomes a line of the stream's options (docs/options.md). Ends with the file, after so many seconds (0: never), or at Ctrl-C; with 0 when the stream
 * lost, dropped and refused no frame.
 */
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <opencv2/videoio.hpp>
#include <rheed_stream.hpp>
#include <string>

#include "recording.h"

namespace {

/* What a matrix holds. 0: it is no single picture, as a coded one, whose matrix is a row of bytes, or one with its colours below. */
std::uint32_t format_of(const cv::Mat &picture, const cv::VideoCapture &capture, bool is_raw) {
    const int fourcc = static_cast<int>(capture.get(cv::CAP_PROP_FOURCC));
    const auto is = [&](const char(&name)[5]) { return fourcc == cv::VideoWriter::fourcc(name[0], name[1], name[2], name[3]); };
    const double width = capture.get(cv::CAP_PROP_FRAME_WIDTH), height = capture.get(cv::CAP_PROP_FRAME_HEIGHT); /* 0: not told. */
    if (is_raw && ((width > 0.0 && picture.cols != width) || (height > 0.0 && picture.rows != height))) return 0;
    switch (picture.type()) {
    case CV_8UC1: return RHEED_FORMAT_MONO8;
    case CV_16UC1: return RHEED_FORMAT_MONO16;
    case CV_8UC2: return is("YUYV") ? RHEED_FORMAT_YUYV : is("UYVY") ? RHEED_FORMAT_UYVY : 0;
    case CV_8UC3: return is_raw && is("RGB3") ? RHEED_FORMAT_RGB8 : RHEED_FORMAT_BGR8;
    default: return 0;
    }
}

/* OpenCV hands over no frame numbers: what was lost between two reads is not seen. And no time: a frame is stamped now. */
std::int32_t push(rheed::Stream &stream, const cv::Mat &picture, std::uint32_t format) {
    rheed::Frame frame{};
    frame.pixels = picture.data;
    frame.width = static_cast<std::uint32_t>(picture.cols);
    frame.height = static_cast<std::uint32_t>(picture.rows);
    frame.stride_bytes = static_cast<std::uint32_t>(picture.step[0]); // A part of a picture has the rows of the whole.
    frame.size_bytes = picture.step[0] * (frame.height - 1) + picture.elemSize() * frame.width;
    frame.pixel_format = format;
    frame.frame_id = RHEED_NO_FRAME_ID;
    return stream.push(frame);
}

} // namespace

int main(int argc, char **argv) {
    std::string source = "0", options;
    double fps = 0.0, seconds = 10.0;
    bool is_raw = false, is_refused = false;
    for (int at = 1; at < argc; ++at) {
        const std::string word = argv[at];
        if (word == "--fps" && at + 1 < argc) fps = std::atof(argv[++at]);
        else if (word == "--seconds" && at + 1 < argc) seconds = std::atof(argv[++at]);
        else if (word == "--raw") is_raw = true;
        else if (word.find('=') != std::string::npos) options += word + "\n";
        else source = word;
    }

    const bool is_camera = source.find_first_not_of("0123456789") == std::string::npos;
    cv::VideoCapture capture;
    if (is_camera) capture.open(std::stoi(source));
    else capture.open(source);
    if (!capture.isOpened()) {
        std::cerr << source << ": OpenCV finds no camera or video there\n";
        return 1;
    }
    if (is_raw) capture.set(cv::CAP_PROP_CONVERT_RGB, 0);
    if (is_camera && fps > 0.0) capture.set(cv::CAP_PROP_FPS, fps);
    const double told = capture.get(cv::CAP_PROP_FPS);
    if (told > 0.0) fps = told;
    if (fps <= 0.0) {
        std::cerr << source << ": OpenCV does not tell its rate: give it by --fps\n";
        return 1;
    }
    options += "fps = " + std::to_string(fps) + "\n";
    end_when_interrupted();

    try {
        std::string remark;
        auto stream = rheed::Stream::open(options, &remark);
        if (!remark.empty()) std::cout << remark << "\n";

        cv::Mat picture;
        std::uint64_t read = 0;
        const auto next = [&] {
            if (interrupted) return false;
            if (!capture.read(picture)) {
                if (is_camera) std::cerr << source << ": the camera is gone\n";
                return false;
            }
            ++read;
            const std::uint32_t format = format_of(picture, capture, is_raw);
            is_refused = format == 0;
            if (is_refused) {
                std::cerr << "a frame of type " << cv::typeToString(picture.type()) << ", " << picture.cols << " x " << picture.rows
                          << ", is not one picture of intensities or colours: let OpenCV convert it, without --raw\n";
                return false;
            }
            push(stream, picture, format);
            return goes_on(stream.handle(), 0) != 0;
        };
        if (is_camera) { // It has the pace; the loop does nothing but read and push, since OpenCV keeps but a few frames.
            const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
            while ((seconds <= 0.0 || std::chrono::steady_clock::now() < end) && next()) {}
        } else { // A file has none: the library asks for a frame when its time has come.
            stream.run([&](std::uint64_t) { return next(); });
        }

        std::cout << "opencv: " << read << " read" << std::endl;
        const int code = finish(stream.release());
        return code != 0 || is_refused;
    } catch (const rheed::Error &error) {
        std::cerr << "rheed-stream: " << error.what() << " (" << error.code() << ")\n";
        return 1;
    }
}

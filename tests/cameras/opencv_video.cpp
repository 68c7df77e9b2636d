/*
 * Writes a video, and as raw bytes the pictures that OpenCV reads from it again: blue, green, red.
 *
 *     opencv_video VIDEO RAW FRAMES FPS
 */
#include <cstdlib>
#include <fstream>
#include <opencv2/videoio.hpp>

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    const cv::Size size(66, 48);
    {
        cv::VideoWriter writer(argv[1], cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), std::atof(argv[4]), size);
        if (!writer.isOpened()) return 3;
        cv::Mat picture(size, CV_8UC3);
        for (int frame = 0; frame < std::atoi(argv[3]); ++frame) {
            for (int y = 0; y < size.height; ++y) {
                for (int x = 0; x < size.width; ++x) {
                    picture.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<unsigned char>(4 * y), static_cast<unsigned char>(3 * x),
                                                            static_cast<unsigned char>(2 * frame));
                }
            }
            writer.write(picture);
        }
    }
    std::ofstream raw(argv[2], std::ios::binary);
    cv::VideoCapture capture(argv[1]);
    for (cv::Mat picture; capture.read(picture);) {
        raw.write(reinterpret_cast<const char *>(picture.data), static_cast<std::streamsize>(3 * picture.total()));
    }
    return raw.good() ? 0 : 4;
}

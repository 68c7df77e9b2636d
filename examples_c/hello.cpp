/*
 * The smallest whole program, in C++17: open, push, finalize.
 *
 *     hello [key=value ...]
 *
 * Each key=value becomes a line of the stream's options (docs/options.md).
 */
#include "rheed_stream.hpp"

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char **argv) {
    std::string options = "fps = 30\n";
    for (int at = 1; at < argc; ++at) {
        options.append(argv[at]).append("\n");
    }
    try {
        std::string remark;
        auto stream = rheed::Stream::open(options, &remark);
        std::cout << "rheed-stream " << rheed::version() << ", stream " << stream.data_id() << "\n";
        if (!remark.empty()) {
            std::cout << remark << "\n";
        }

        constexpr std::uint32_t width = 320, height = 240;
        std::vector<std::uint8_t> pixels(width * height);
        for (std::uint64_t index = 0; index < 90; ++index) {
            pixels.assign(pixels.size(), static_cast<std::uint8_t>(index));
            rheed::Frame frame{pixels.data(), pixels.size(), width, height};
            frame.frame_id = index;
            stream.push_or_throw(frame); // In a camera's callback: push, which answers a code and never throws.
        }

        const auto outcome = stream.finalize();
        while (const auto event = stream.next_event()) {
            std::cout << "event: " << event->text << "\n";
        }
        std::cout << stream.status() << "\n";
        return outcome == rheed::Outcome::done ? 0 : 1;
    } catch (const rheed::Error &error) {
        std::cerr << "rheed-stream: " << error.what() << " (" << error.code() << ")\n";
        return 1;
    }
}

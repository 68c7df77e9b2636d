/* Calls the library and nothing else, not even a C library's: MSVC's is not to be had where the tests run. Ends with 42. */
#include "rheed_stream.h"

__declspec(dllimport) void __stdcall ExitProcess(unsigned code);

void start(void) {
    rheed_stream stream = 0;
    char message[64];
    const int is_refused = rheed_init("nonsense", &stream, message, sizeof message) == RHEED_E_OPTION;
    ExitProcess(rheed_abi() == RHEED_ABI && is_refused ? 42 : 1);
}

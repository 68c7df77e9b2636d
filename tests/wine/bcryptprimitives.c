/* Windows has this library, and Wine 8 has not: it lies beside the hosts of the tests, and is never shipped. */
#include <windows.h>

/* RtlGenRandom's real name. */
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T bytes) { return SystemFunction036(data, (ULONG)bytes); }

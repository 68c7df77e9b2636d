/* Reads what the properties of a file show in Explorer: the version in numbers, and the texts that are named. */
#include <stdio.h>
#include <windows.h>

int main(int argc, char **argv) {
    static char resource[8192];
    VS_FIXEDFILEINFO *numbers;
    UINT bytes;
    if (argc < 2 || !GetFileVersionInfoA(argv[1], 0, sizeof resource, resource)) return 1;
    if (!VerQueryValueA(resource, "\\", (void **)&numbers, &bytes) || bytes < sizeof *numbers) return 2;
    if (numbers->dwFileVersionMS != numbers->dwProductVersionMS || numbers->dwFileVersionLS != numbers->dwProductVersionLS) return 3;
    printf("%d.%d.%d.%d\n", HIWORD(numbers->dwFileVersionMS), LOWORD(numbers->dwFileVersionMS), HIWORD(numbers->dwFileVersionLS),
           LOWORD(numbers->dwFileVersionLS));
    for (int at = 2; at < argc; at++) {
        char key[256], *text;
        snprintf(key, sizeof key, "\\StringFileInfo\\040904B0\\%s", argv[at]);
        if (!VerQueryValueA(resource, key, (void **)&text, &bytes)) return 4;
        printf("%s\n", text);
    }
    return 0;
}

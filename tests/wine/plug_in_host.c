/* Loads the plug-in, lets it stream, and unloads it (`unload`) or just ends. */
#include "../c/module.h"

int main(int argc, char **argv) {
    CHECK(argc > 1);
    const module plug_in = load_module("plug_in.dll");
    CHECK(plug_in != NULL);
    void (*begin)(int, char **);
    find_in(plug_in, "begin", &begin);
    begin(argc - 1, argv + 1);
    if (strcmp(argv[1], "unload") == 0) CHECK(unload_module(plug_in));
    return 0;
}

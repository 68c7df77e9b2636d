/* Built by each of these small projects, in their own way: says which library it runs with. */
#include <rheed_stream.h>

#include <stdio.h>

int main(void) {
    printf("%s\n", rheed_version());
    return rheed_abi() == RHEED_ABI ? 0 : 1;
}

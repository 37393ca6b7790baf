/* Prints the layout as `upload-response layout` does, from the structs. */
#include <stdio.h>

#include <upload_response.h>

int main(void) {
#define PRINT_STRUCT(s, bytes) \
    printf("%-12s %-20s %6s %5zu  %-13s %s\n", #s, "", "", sizeof(struct ur_shm_##s), "", "structure");
#define PRINT_WORD(s, name, at, bytes, writer, meaning) \
    printf("%-12s %-20s %6zu %5zu  %-13s %s\n", #s, #name, offsetof(struct ur_shm_##s, name), \
           sizeof(((struct ur_shm_##s *)0)->name), writer, meaning);
    UR__LAYOUT(PRINT_STRUCT, PRINT_WORD)
    printf("\nlayouts %d to %d, hash %#016llx\n", UR__LAYOUT_MIN, UR__LAYOUT_MAX,
           (unsigned long long)ur__layout_hash());
    return 0;
}

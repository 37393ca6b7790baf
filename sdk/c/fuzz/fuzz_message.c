/* Attach messages: nothing outside the packet is read, and what is accepted comes
 * back from an encoding of it. */
#include <upload_response.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ur__message m, n;
    uint8_t again[UR__MAX_MESSAGE];
    if (ur__decode(&m, data, size) != UR__MESSAGE_OK) {
        return 0;
    }
    size_t length = ur__encode(&m, again);
    if (length == 0) {
        return 0; /* all keys of the type are written: it may be longer than it was */
    }
    if (ur__decode(&n, again, length) != UR__MESSAGE_OK || n.kind != m.kind || n.layout_hash != m.layout_hash || n.pool.length != m.pool.length) {
        abort();
    }
    return 0;
}

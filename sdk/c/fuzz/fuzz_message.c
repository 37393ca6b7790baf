/* Attach messages: nothing outside the packet is read, and an accepted packet
 * survives encoding and decoding, key by key. */
#include <upload_response.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same(const struct ur__key *key, const struct ur__message *m, const struct ur__message *n) {
    const char *at = (const char *)m + key->at, *other = (const char *)n + key->at;
    ur_str s, t;
    if (key->most != 0) {
        return memcmp(at, other, sizeof(uint64_t)) == 0;
    }
    memcpy(&s, at, sizeof s);
    memcpy(&t, other, sizeof t);
    return s.length == t.length && (s.length == 0 || memcmp(s.data, t.data, s.length) == 0);
}

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
    if (ur__decode(&n, again, length) != UR__MESSAGE_OK || n.kind != m.kind) {
        abort();
    }
    for (size_t i = 0; i < UR__KEYS; i++) {
        if (!same(&ur__keys[i], &m, &n)) {
            abort();
        }
    }
    return 0;
}

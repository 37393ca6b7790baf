/* Answers {"sha256":"...","bytes":N}, computed where the body lies in shared
 * memory. */
#include "common.h"
#include "sha256.h"

/* Hashes the whole body. */
static int hash_body(ur_link *link, ur_request r, struct sha256 *h) {
    ur_slot slot;
    int err;
    while ((err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind != UR_END) {
        if (slot.kind == UR_BODY) {
            sha256_add(h, slot.data, slot.length);
        }
        (void)ur_release(link, r, slot.number);
    }
    return err;
}

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    struct sha256 h;
    char hex[65], text[160];
    (void)s;
    sha256_init(&h);
    if (hash_body(link, r, &h) != 0) {
        (void)ur_abort(link, r);
        return;
    }
    unsigned long long bytes = h.bytes;
    sha256_end(&h, hex);
    (void)snprintf(text, sizeof text, "{\"sha256\":\"%s\",\"bytes\":%llu}\n", hex, bytes);
    answer(link, r, 200, "application/json", text);
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    s.serve = serve;
    return run_worker(&s) != 0;
}

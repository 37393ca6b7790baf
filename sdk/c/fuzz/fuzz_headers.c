/* Headers frames and header lists: nothing outside the input is read, an
 * accepted input survives encoding and decoding, and its text is no longer than its
 * frame. */
#include <upload_response.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checks the head as ur_next_flat returns it. */
static void check_text(const uint8_t *data, const struct ur__head *h) {
    struct ur__lane lane;
    memset(&lane, 0, sizeof lane);
    lane.head = *h;
    lane.frame = data;
    char *text = (char *)malloc(h->length);
    size_t length = ur__copy_flat(&lane, text);
    size_t head = h->method.length + h->scheme.length + h->authority.length + h->path.length + 4;
    if (length < head || ur__flat(text + head, length - head).count != h->count) {
        abort();
    }
    free(text);
}

static void check_list(const uint8_t *data, size_t size, size_t at, size_t count) {
    ur_header *fields = (ur_header *)calloc(count + 1, sizeof *fields);
    struct ur__cursor c = ur__cursor_at(data, size);
    c.at = at;
    for (size_t i = 0; i < count; i++) {
        fields[i] = ur__field(&c);
    }
    size_t length = ur__list_size(ur__array(fields, count));
    if (c.fault != UR__OK || length == 0) {
        abort();
    }
    uint8_t *again = (uint8_t *)malloc(length);
    if (ur__put_list(again, ur__array(fields, count)) != again + length) {
        abort();
    }
    c = ur__cursor_at(again, length);
    if (ur__skip_fields(&c) != count || c.fault != UR__OK || c.at != length) {
        abort();
    }
    free(again);
    free(fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ur__head h;
    unsigned status;
    ur_slot slot;
    ur_header field;
    size_t at = 0;
    if (ur__parse_request(&h, data, size) == UR__OK) {
        check_list(data, size, h.fields_at, h.count);
        check_text(data, &h);
    }
    if (ur__parse_response(&h, &status, data, size) == UR__OK) {
        check_list(data, size, h.fields_at, h.count);
    }
    memset(&slot, 0, sizeof slot);
    slot.kind = UR_TRAILERS;
    slot.data = data;
    slot.length = size;
    while (size > 0 && ur_trailer(&slot, &at, &field) == 0) {
        if (field.name.length == 0) {
            abort();
        }
    }
    return 0;
}

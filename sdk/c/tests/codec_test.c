/* The codec: properties that hold for all input, at the edge of memory that cannot
 * be touched. The golden vectors are compared by tests/csdk. */
#include <upload_response.h>

#include "guard.h"

static uint64_t seed = 88172645463325252;

static uint64_t next_random(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static int within(const char *set, int c) { return c != 0 && strchr(set, c) != NULL; }

/* What each class says, from the text of the RFCs. */
static void classes_are_those_of_the_standards(void) {
    for (int c = 0; c < 256; c++) {
        int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), alnum = letter || (c >= '0' && c <= '9');
        unsigned class = ur__class((uint8_t)c);
        CHECK(!(class & UR__NOT_TOKEN) == (alnum || within("!#$%&'*+-.^_`|~", c)));
        CHECK(!(class & UR__NOT_VALUE) == (c == '\t' || (c >= ' ' && c != 0x7f)));
        CHECK(!(class & UR__NOT_PATH) == (c > ' ' && c != 0x7f));
        CHECK(!(class & UR__NOT_SCHEME) == (alnum || within("+-.", c)));
        CHECK(!(class & UR__NOT_AUTHORITY) == (alnum || within("-._~!$&'()*+,;=%:@[]", c)));
        CHECK(!!(class & UR__UPPER) == (c >= 'A' && c <= 'Z'));
    }
}

static void varints_come_back(void) {
    for (int i = 0; i < 100000; i++) {
        uint64_t n = next_random() >> (next_random() % 64);
        uint8_t *b = guarded(ur__varint_size(n));
        CHECK(ur__put_varint(b, n) == b + ur__varint_size(n));
        struct ur__cursor c = ur__cursor_at(b, ur__varint_size(n));
        CHECK(ur__varint(&c) == n && c.fault == UR__OK && c.at == c.length);
    }
}

/* A random header list whose encoding ends at the guard decodes to itself. */
static void header_lists_come_back(void) {
    static char names[64][40], values[64][300];
    for (int round = 0; round < 2000; round++) {
        ur_header fields[64];
        size_t count = next_random() % 64;
        for (size_t i = 0; i < count; i++) {
            size_t name = 1 + next_random() % 39, value = next_random() % 299;
            for (size_t k = 0; k < name; k++) {
                names[i][k] = "ABCxyz-_09"[next_random() % 10];
            }
            memset(values[i], (int)(' ' + next_random() % 90), value);
            fields[i].name.data = names[i];
            fields[i].name.length = name;
            fields[i].value.data = values[i];
            fields[i].value.length = value;
        }
        size_t size = 18 + ur__list_size(ur__array(fields, count));
        uint8_t *b = guarded(size);
        CHECK(ur__put_response(b, 7, 1, 204, ur__array(fields, count)) == b + size);
        struct ur__head h;
        unsigned status;
        CHECK(ur__parse_response(&h, &status, b, size) == UR__OK && status == 204 && h.stream_id == 7 &&
              h.count == count && h.length == size);
        struct ur__cursor c = ur__cursor_at(b, size);
        c.at = h.fields_at;
        for (size_t i = 0; i < count; i++) {
            ur_header f = ur__field(&c);
            CHECK(f.value.length == fields[i].value.length && memcmp(f.value.data, values[i], f.value.length) == 0);
            CHECK(f.name.length == fields[i].name.length);
            for (size_t k = 0; k < f.name.length; k++) {
                CHECK((uint8_t)f.name.data[k] == ur__lower((uint8_t)names[i][k]));
            }
        }
    }
}

/* A valid frame with random bytes in it is decoded or refused, within its bounds. */
static void damage_is_found_or_harmless(void) {
    /* clang-format off */
    static const char frame[] = "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x01\x01\x04POST\x04http\x09localhost\x05/path"
                                "\x02\x04host\x09localhost\x01" "a\x03" "bcd";
    /* clang-format on */
    for (int round = 0; round < 200000; round++) {
        size_t size = sizeof frame - 1 - (next_random() % 4 == 0 ? next_random() % 40 : 0);
        uint8_t *b = guarded_copy(frame, size);
        for (uint64_t n = next_random() % 4; n > 0; n--) {
            b[next_random() % size] = (uint8_t)next_random();
        }
        struct ur__head h;
        if (ur__parse_request(&h, b, size) == UR__OK) {
            CHECK(h.length <= size && h.fields_at <= size && h.path.length > 0 && h.method.length > 0);
        }
    }
}

static void bad_fields_are_not_encoded(void) {
    static const struct {
        ur_header f;
        int good;
    } rows[] = {
        {{UR_LIT("a"), UR_LIT("")}, 1},     {{UR_LIT(""), UR_LIT("x")}, 0},         {{UR_LIT("a b"), UR_LIT("x")}, 0},
        {{UR_LIT("a"), UR_LIT("x\ry")}, 0}, {{UR_LIT("a"), UR_LIT("x\ny")}, 0},     {{UR_LIT("a"), {"x\0y", 3}}, 0},
        {{UR_LIT("a:"), UR_LIT("x")}, 0},   {{UR_LIT("a"), UR_LIT("\tx \xff")}, 1}, {{UR_LIT("\xe4"), UR_LIT("x")}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK((ur__list_size(ur__array(&rows[i].f, 1)) != 0) == rows[i].good);
    }
}

static void random_packets_are_harmless(void) {
    static const char packet[] = "\x82\xa1t\xa3" "bye\xa6reason\xa9" "any\xc3\xa9 text";
    for (int round = 0; round < 200000; round++) {
        size_t size = sizeof packet - 1;
        uint8_t *b = guarded_copy(packet, size);
        for (uint64_t n = next_random() % 6; n > 0; n--) {
            b[next_random() % size] = (uint8_t)next_random();
        }
        struct ur__message m;
        if (ur__decode(&m, b, size) == UR__MESSAGE_OK) {
            uint8_t again[UR__MAX_MESSAGE];
            CHECK(ur__encode(&m, again) > 0);
        }
    }
}

int main(void) {
    classes_are_those_of_the_standards();
    varints_come_back();
    header_lists_come_back();
    damage_is_found_or_harmless();
    bad_fields_are_not_encoded();
    random_packets_are_harmless();
    printf("codec_test: ok\n");
    return 0;
}

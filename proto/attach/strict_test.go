package attach

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// packet returns the MessagePack map of keys and values that alternate, announced as one of
// len(pairs)/2 keys.
func packet(t *testing.T, pairs ...any) []byte {
	t.Helper()
	b := []byte{0xde, 0, byte(len(pairs) / 2)}
	for _, v := range pairs {
		one, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, one...)
	}
	return b
}

// The rules of Message, a row for each. A drain stands for the messages with numbers, a bye
// for those with strings.
func TestAMessageThatBreaksARuleIsRefusedByKey(t *testing.T) {
	keys := []any{typeKey, "bye"}
	for i := range maxKeys {
		keys = append(keys, "new"+strings.Repeat("x", i), true)
	}
	for name, c := range map[string]struct {
		packet []byte
		err    error
		key    string
	}{
		"no type":           {packet(t, "reason", "x"), ErrMessageType, typeKey},
		"unknown type":      {packet(t, typeKey, "ping"), ErrMessageType, typeKey},
		"type twice":        {packet(t, typeKey, "bye", typeKey, "bye"), ErrMessageFormat, typeKey},
		"key twice":         {packet(t, typeKey, "bye", "reason", "x", "reason", "x"), ErrMessageFormat, "reason"},
		"uint for a string": {packet(t, typeKey, "bye", "reason", uint8(1)), ErrMessageFormat, "reason"},
		"bin for a string":  {packet(t, typeKey, "bye", "reason", []byte("x")), ErrMessageFormat, "reason"},
		"bool for a string": {packet(t, typeKey, "bye", "reason", true), ErrMessageFormat, "reason"},
		"not UTF-8":         {packet(t, typeKey, "bye", "reason", "\xff"), ErrMessageFormat, "reason"},
		"string for a uint": {packet(t, typeKey, "drain", "deadline_ms", "1"), ErrMessageFormat, "deadline_ms"},
		"bool for a uint":   {packet(t, typeKey, "drain", "deadline_ms", true), ErrMessageFormat, "deadline_ms"},
		"bin for a uint":    {packet(t, typeKey, "drain", "deadline_ms", []byte{1}), ErrMessageFormat, "deadline_ms"},
		"nil for a uint":    {packet(t, typeKey, "drain", "deadline_ms", nil), ErrMessageFormat, "deadline_ms"},
		"float for a uint":  {packet(t, typeKey, "drain", "deadline_ms", 1.0), ErrMessageFormat, "deadline_ms"},
		"negative":          {packet(t, typeKey, "drain", "deadline_ms", int8(-1)), ErrMessageFormat, "deadline_ms"},
		"over 16 bits":      {packet(t, typeKey, "error", "layout_min", 1<<16), ErrMessageFormat, "layout_min"},
		"over 32 bits":      {packet(t, typeKey, "hello", "pid", 1<<32), ErrMessageFormat, "pid"},
		"nested map":        {packet(t, typeKey, "bye", "new", map[string]string{}), ErrMessageFormat, "new"},
		"nested array":      {packet(t, typeKey, "bye", "new", []string{}), ErrMessageFormat, "new"},
		"key of a number":   {packet(t, uint8(1), "x"), ErrMessageFormat, ""},
		"too many keys":     {packet(t, keys...), ErrMessageFormat, ""},
		"bytes after it":    {append(packet(t, typeKey, "bye"), 0xc0), ErrMessageFormat, ""},
		"no map":            {[]byte("\x92\xa1t\xa3bye"), ErrMessageFormat, ""},
		"too long":          {append(packet(t, typeKey, "bye"), make([]byte, MaxMessage)...), ErrMessageTooLong, ""},
		"cut off":           {packet(t, typeKey, "bye", "reason", "x")[:12], io.ErrUnexpectedEOF, ""},
	} {
		_, err := Decode(c.packet)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error is %v, want %v", name, err, c.err)
			continue
		}
		if e := new(MessageError); errors.As(err, &e) && e.Key != c.key {
			t.Errorf("%s: %v; want it to be about %q", name, err, c.key)
		}
	}
}

func TestWhatAMessageMayHaveOrLackIsAccepted(t *testing.T) {
	keys := []any{typeKey, "drain", "deadline_ms", uint16(7)}
	for i := range maxKeys - 2 {
		keys = append(keys, "new"+strings.Repeat("x", i), true)
	}
	for name, c := range map[string]struct {
		packet []byte
		want   uint64
	}{
		"missing key":        {packet(t, typeKey, "drain"), 0},
		"type at the end":    {packet(t, "deadline_ms", uint8(7), typeKey, "drain"), 7},
		"positive signed":    {packet(t, typeKey, "drain", "deadline_ms", int64(7)), 7},
		"longer form":        {packet(t, typeKey, "drain", "deadline_ms", uint64(7)), 7},
		"largest":            {packet(t, typeKey, "drain", "deadline_ms", uint64(1<<64-1)), 1<<64 - 1},
		"unknown keys":       {packet(t, typeKey, "drain", "a", "x", "b", true, "c", []byte{1}, "d", uint8(1)), 0},
		"unknown key twice":  {packet(t, typeKey, "drain", "new", "x", "new", uint8(1)), 0},
		"all keys there are": {packet(t, keys...), 7},
	} {
		m, err := Decode(c.packet)
		drain, ok := m.(*Drain)
		if err != nil || !ok || drain.DeadlineMS != c.want {
			t.Errorf("%s: %+v, %v; want a drain of %d", name, m, err, c.want)
		}
	}
}

func TestAMessageIsWrittenInTheOrderOfItsStruct(t *testing.T) {
	for _, m := range []Message{new(Hello), new(Welcome), new(Refusal), new(Drain), new(Bye)} {
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		all, err := parseMap(b)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, e := range all {
			got = append(got, e.key)
		}
		want = append(want, typeKey)
		for key := range fieldsOf(m) {
			want = append(want, key)
		}
		if !slices.Equal(got, want) || slices.Contains(want, "") {
			t.Errorf("%s: keys %q, want %q", m.Type(), got, want)
		}
	}
}

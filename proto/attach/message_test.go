package attach

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// A messageVector is one object of the arrays in ../testdata/attach, which every
// SDK reads.
//
// hex is one packet. Either error is there, a name out of messageErrors, with
// the key that it is about, if there is one; or type and fields are, which it
// decodes to: numbers are uints, of up to 64 bits, more than a double can hold.
// canonical is false if encoding what was decoded gives other bytes.
type messageVector struct {
	Name      string
	Hex       hexBytes
	Type      string
	Fields    map[string]any
	Canonical *bool
	Error     string
	Key       string
}

// messageErrors are the names of errors in the vectors.
var messageErrors = map[string]error{
	"truncated": io.ErrUnexpectedEOF,
	"too-long":  ErrMessageTooLong,
	"type":      ErrMessageType,
	"format":    ErrMessageFormat,
}

// UnmarshalJSON keeps numbers exact.
func (v *messageVector) UnmarshalJSON(b []byte) error {
	type plain messageVector
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	return dec.Decode((*plain)(v))
}

func messageVectors(tb testing.TB) []messageVector {
	return readVectors[messageVector](tb, "../testdata/attach/*.json")
}

// vectorFields returns m as the fields of a vector.
func vectorFields(m Message) map[string]any {
	fields := map[string]any{}
	for key, field := range fieldsOf(m) {
		if field.CanUint() {
			fields[key] = json.Number(strconv.FormatUint(field.Uint(), 10))
		} else {
			fields[key] = field.String()
		}
	}
	return fields
}

func TestMessageVectorsDecodeToWhatTheySay(t *testing.T) {
	for _, v := range messageVectors(t) {
		t.Run(v.Type+"/"+v.Name, func(t *testing.T) {
			m, err := Decode(v.Hex)
			if v.Error != "" {
				checkMessageError(t, err, &v)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Type() != v.Type {
				t.Errorf("type is %q, want %q", m.Type(), v.Type)
			}
			if got := vectorFields(m); !reflect.DeepEqual(got, v.Fields) {
				t.Errorf("decoded to\n%v, want\n%v", got, v.Fields)
			}
		})
	}
}

func checkMessageError(t *testing.T, err error, v *messageVector) {
	t.Helper()
	want, known := messageErrors[v.Error]
	if !known {
		t.Fatalf("no such error: %s", v.Error)
	}
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	var e *MessageError
	if v.Key != "" && (!errors.As(err, &e) || e.Key != v.Key || !strings.Contains(err.Error(), v.Key)) {
		t.Errorf("error %v does not name key %q", err, v.Key)
	}
}

func TestMessageVectorsEncodeToTheirBytes(t *testing.T) {
	for _, v := range messageVectors(t) {
		m, err := Decode(v.Hex)
		if err != nil {
			continue
		}
		got, err := Encode(m)
		if err != nil {
			t.Errorf("%s %q: %v", v.Type, v.Name, err)
		}
		canonical := v.Canonical == nil || *v.Canonical
		if same := bytes.Equal(got, v.Hex); same != canonical {
			t.Errorf("%s %q: encoded to\n%x from\n%x: same is %v, want %v",
				v.Type, v.Name, got, []byte(v.Hex), same, canonical)
		}
	}
}

func TestEveryProperPrefixOfAMessageIsTruncated(t *testing.T) {
	for _, v := range messageVectors(t) {
		if v.Error != "" {
			continue
		}
		for n := range len(v.Hex) {
			if _, err := Decode(v.Hex[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s %q: the first %d of %d bytes give %v", v.Type, v.Name, n, len(v.Hex), err)
			}
		}
	}
}

func TestAMessageFillsAPacketAndNoMore(t *testing.T) {
	fits := func(n int) ([]byte, error) { return Encode(&Bye{Reason: strings.Repeat("x", n)}) }
	const around = MaxMessage - len("_t___bye_reason___") // one _ for each byte of MessagePack
	b, err := fits(around + 1)
	if err != nil || len(b) != MaxMessage {
		t.Fatalf("%d bytes, %v; want %d", len(b), err, MaxMessage)
	}
	if _, err := Decode(b); err != nil {
		t.Error(err)
	}
	if _, err := fits(around + 2); !errors.Is(err, ErrMessageTooLong) {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := Decode(append(b, 0)); !errors.Is(err, ErrMessageTooLong) {
		t.Errorf("a packet of one byte more: %v", err)
	}
}

func TestAStringThatIsNotUTF8IsNotSent(t *testing.T) {
	var e *MessageError
	if _, err := Encode(&Bye{Reason: "\xff"}); !errors.As(err, &e) || e.Key != "reason" {
		t.Errorf("error is %v", err)
	}
}

func TestDecodedMessagesRetainNothingOfThePacket(t *testing.T) {
	b, err := Encode(&Bye{Reason: "restarting"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if got := m.(*Bye).Reason; got != "restarting" {
		t.Errorf("reason became %q", got)
	}
}

func TestAnAnnouncedLengthIsNotAllocated(t *testing.T) {
	packet := []byte("\x81\xa1t\xdb\xff\xff\xff\xff") // t: a string of 4 GiB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const times = 100
	for range times {
		_, _ = Decode(packet)
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / times; got > 4096 {
		t.Errorf("%d bytes allocated for a packet of %d", got, len(packet))
	}
}

package proto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// A vector is one object of the arrays in testdata/hpks, which every SDK reads.
//
// hex is the input; kind is what it is parsed as: "request", "response",
// "body", "end" or "fields", the last being a header list alone. Either error
// is there, a name out of vectorErrors, or the fields that it decodes to are:
// version is the number on the wire, and the value of a key that ends in _hex
// is bytes. consumed is the length of what was parsed, if that is less than the
// input. canonical is false if encoding what was decoded gives other bytes.
//
// Stream ids are numbers of up to 64 bits, more than a double can hold.
type vector struct {
	Name      string
	Kind      string
	Hex       hexBytes
	Error     string
	Consumed  int
	Canonical *bool

	StreamID  uint64 `json:"stream_id"`
	Version   Version
	Method    string
	Scheme    string
	Authority string
	Path      string
	PathHex   hexBytes `json:"path_hex"`
	Status    uint16
	Body      string
	BodyHex   hexBytes `json:"body_hex"`
	Fields    []struct {
		Name     string
		Value    string
		ValueHex hexBytes `json:"value_hex"`
	}
}

// vectorErrors are the names of errors in the vectors.
var vectorErrors = map[string]error{
	"truncated":       io.ErrUnexpectedEOF,
	"magic":           ErrMagic,
	"stream-version":  ErrStreamVersion,
	"frame-type":      ErrFrameType,
	"kind":            ErrKind,
	"http-version":    ErrVersion,
	"varint":          ErrVarint,
	"length":          ErrLength,
	"too-many-fields": ErrTooManyFields,
	"method":          ErrMethod,
	"scheme":          ErrScheme,
	"authority":       ErrAuthority,
	"path":            ErrPath,
	"status":          ErrStatus,
	"name":            ErrName,
	"value":           ErrValue,
	"end-flags":       ErrEndFlags,
}

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	decoded, err := hex.DecodeString(s)
	*h = decoded
	return err
}

func readVectors[V any](tb testing.TB, glob string) []V {
	tb.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		tb.Fatalf("no files %s: %v", glob, err)
	}
	var all []V
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		var some []V
		if err := dec.Decode(&some); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}

func hpksVectors(tb testing.TB) []vector {
	return readVectors[vector](tb, "testdata/hpks/*.json")
}

func (v *vector) valid() bool { return v.Error == "" }

// frame is the part of the input that is the frame.
func (v *vector) frame() []byte {
	if v.Consumed > 0 {
		return v.Hex[:v.Consumed]
	}
	return v.Hex
}

// either is for the keys that a vector has in plain or in hex.
func either(plain string, inHex hexBytes) string {
	if inHex != nil {
		return string(inHex)
	}
	return plain
}

func (v *vector) fields() []Field {
	fields := []Field{}
	for _, f := range v.Fields {
		fields = append(fields, Field{f.Name, either(f.Value, f.ValueHex)})
	}
	return fields
}

// Each kind of frame is decoded into one of these.
type (
	bodyFrame struct {
		streamID uint64
		body     string
	}
	endFrame struct{ streamID uint64 }
)

// want is the message in the vector.
func (v *vector) want() any {
	switch v.Kind {
	case "request":
		return Request{v.StreamID, v.Version, v.Method, v.Scheme, v.Authority, either(v.Path, v.PathHex), v.fields()}
	case "response":
		return Response{v.StreamID, v.Version, v.Status, v.fields()}
	case "body":
		return bodyFrame{v.StreamID, either(v.Body, v.BodyHex)}
	case "end":
		return endFrame{v.StreamID}
	}
	return v.fields()
}

// parseKind parses b as the kind of a vector.
func parseKind(kind string, b []byte) (any, int, error) {
	switch kind {
	case "request":
		r := Request{Fields: []Field{}}
		n, err := r.Parse(b)
		return r, n, err
	case "response":
		r := Response{Fields: []Field{}}
		n, err := r.Parse(b)
		return r, n, err
	case "body":
		id, body, n, err := ParseBody(b)
		return bodyFrame{id, string(body)}, n, err
	case "end":
		id, n, err := ParseEnd(b)
		return endFrame{id}, n, err
	case "fields":
		fields, n, err := ParseFields(b, []Field{})
		return fields, n, err
	}
	panic("unknown kind " + kind)
}

// appendDecoded encodes what parseKind returned.
func appendDecoded(dst []byte, decoded any) ([]byte, error) {
	switch d := decoded.(type) {
	case Request:
		return AppendRequest(dst, &d)
	case Response:
		return AppendResponse(dst, &d)
	case bodyFrame:
		return AppendBody(dst, d.streamID, []byte(d.body)), nil
	case endFrame:
		return AppendEnd(dst, d.streamID), nil
	}
	return AppendFields(dst, decoded.([]Field))
}

func TestVectorsDecodeToWhatTheySay(t *testing.T) {
	for _, v := range hpksVectors(t) {
		t.Run(v.Kind+"/"+v.Name, func(t *testing.T) {
			got, n, err := parseKind(v.Kind, v.Hex)
			if !v.valid() {
				want, known := vectorErrors[v.Error]
				if !known {
					t.Fatalf("no such error: %s", v.Error)
				}
				if !errors.Is(err, want) {
					t.Errorf("error is %v, want %v", err, want)
				}
				if n != 0 {
					t.Errorf("consumed %d bytes of what it refused", n)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n != len(v.frame()) {
				t.Errorf("consumed %d bytes, want %d", n, len(v.frame()))
			}
			if !reflect.DeepEqual(got, v.want()) {
				t.Errorf("decoded to\n%+v, want\n%+v", got, v.want())
			}
		})
	}
}

func TestVectorsEncodeToTheirBytes(t *testing.T) {
	for _, v := range hpksVectors(t) {
		if !v.valid() {
			continue
		}
		t.Run(v.Kind+"/"+v.Name, func(t *testing.T) {
			got, err := appendDecoded([]byte("before"), v.want())
			if err != nil {
				t.Fatal(err)
			}
			got, hadPrefix := bytes.CutPrefix(got, []byte("before"))
			if !hadPrefix {
				t.Fatal("what was in dst is gone")
			}
			canonical := v.Canonical == nil || *v.Canonical
			if same := bytes.Equal(got, v.Hex); same != canonical {
				t.Errorf("encoded to\n%x from\n%x: same is %v, want %v", got, []byte(v.Hex), same, canonical)
			}
		})
	}
}

func TestEveryProperPrefixOfAFrameIsTruncated(t *testing.T) {
	for _, v := range hpksVectors(t) {
		if !v.valid() {
			continue
		}
		for n := range len(v.frame()) {
			if _, _, err := parseKind(v.Kind, v.frame()[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s %q: the first %d of %d bytes give %v", v.Kind, v.Name, n, len(v.frame()), err)
			}
		}
	}
}

func TestEveryErrorHasAVector(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range hpksVectors(t) {
		seen[v.Error] = true
	}
	for name := range vectorErrors {
		if !seen[name] {
			t.Errorf("no vector fails with %q", name)
		}
	}
}

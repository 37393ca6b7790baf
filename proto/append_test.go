package proto

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

type badRequest struct {
	change func(*Request)
	err    error
	offset int
}

func badRequests() map[string]badRequest {
	// The smallest frame: head 14, kind, version, and a byte of length before
	// each of method "GET" at 17, scheme at 21, authority at 22, path at 23.
	return map[string]badRequest{
		"no version":       {func(r *Request) { r.Version = 0 }, ErrVersion, 15},
		"version 4":        {func(r *Request) { r.Version = 4 }, ErrVersion, 15},
		"no method":        {func(r *Request) { r.Method = "" }, ErrMethod, 16},
		"method":           {func(r *Request) { r.Method = "G\n" }, ErrMethod, 18},
		"scheme":           {func(r *Request) { r.Scheme = "a:" }, ErrScheme, 22},
		"authority":        {func(r *Request) { r.Authority = "a b" }, ErrAuthority, 23},
		"path":             {func(r *Request) { r.Path = "/ " }, ErrPath, 24},
		"too many fields":  {func(r *Request) { r.Fields = make([]Field, MaxFields+1) }, ErrTooManyFields, 23},
		"empty name":       {func(r *Request) { r.Fields = []Field{{"", "v"}} }, ErrName, 25},
		"name":             {func(r *Request) { r.Fields = []Field{{"a:", "v"}} }, ErrName, 26},
		"name too long":    {func(r *Request) { r.Fields = []Field{{strings.Repeat("a", 65536), "v"}} }, ErrName, 27},
		"value":            {func(r *Request) { r.Fields = []Field{{"a", "v\r\nb: c"}} }, ErrValue, 28},
		"second of fields": {func(r *Request) { r.Fields = []Field{{"a", "v"}, {"b", "\x00"}} }, ErrValue, 31},
	}
}

func TestWhatDoesNotEncodeLeavesDstAsItWas(t *testing.T) {
	for name, c := range badRequests() {
		r := Request{Version: HTTP11, Method: "GET", Path: ""}
		c.change(&r)
		for _, capacity := range []int{6, 4096} {
			dst := append(make([]byte, 0, capacity), "before"...)
			got, err := AppendRequest(dst, &r)
			var e *FormatError
			if !errors.Is(err, c.err) || !errors.As(err, &e) {
				t.Errorf("%s: error is %v, want %v", name, err, c.err)
				continue
			}
			if e.Offset != c.offset {
				t.Errorf("%s: %v; want it at byte %d", name, err, c.offset)
			}
			if string(got) != "before" || &got[0] != &dst[0] || cap(got) != cap(dst) {
				t.Errorf("%s: dst is not as it was", name)
			}
		}
	}
}

func TestAnErrorTellsWhichFieldItIsAbout(t *testing.T) {
	_, err := AppendResponse(nil, &Response{
		Version: HTTP11, Status: 200,
		Fields: []Field{{"Set-Cookie", "a=1\nb=2"}},
	})
	const want = `proto: bad header value at byte 34: byte 0x0a in "Set-Cookie"`
	if err == nil || err.Error() != want {
		t.Errorf("error reads\n%v, want\n%s", err, want)
	}
}

func TestATrailerThatDoesNotEncodeLeavesDstAsItWas(t *testing.T) {
	got, err := AppendFields([]byte("before"), []Field{{"a", "b"}, {"c", "\r"}})
	if string(got) != "before" || !errors.Is(err, ErrValue) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAStatusBeyondThreeDigitsDoesNotEncode(t *testing.T) {
	for _, status := range []uint16{0, 99, 1000, 65535} {
		got, err := AppendResponse(nil, &Response{Version: HTTP11, Status: status})
		if !errors.Is(err, ErrStatus) || got != nil {
			t.Errorf("%d: %x, %v", status, got, err)
		}
	}
}

func TestNamesAreLowerCasedInTheFrameAlone(t *testing.T) {
	r := Request{Version: HTTP11, Method: "GET", Path: "/", Fields: []Field{{"X-Request-ID", "A"}}}
	frame, err := AppendRequest(nil, &r)
	if err != nil || !bytes.Contains(frame, []byte("\x0cx-request-id\x01A")) {
		t.Errorf("frame is %q, %v", frame, err)
	}
	if r.Fields[0].Name != "X-Request-ID" {
		t.Errorf("the caller's name became %q", r.Fields[0].Name)
	}
}

func TestSizeIsTheLengthOfTheFrame(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16383, 16384, 1 << 20} {
		long := strings.Repeat("v", n)
		r := Request{Version: HTTP11, Method: "GET", Path: "/" + long, Fields: []Field{{"a", long}}}
		frame, err := AppendRequest(nil, &r)
		if err != nil || len(frame) != r.Size() {
			t.Errorf("request of %d: %d bytes, %v; Size says %d", n, len(frame), err, r.Size())
		}
		p := Response{Version: HTTP11, Status: 200, Fields: r.Fields}
		frame, err = AppendResponse(nil, &p)
		if err != nil || len(frame) != p.Size() {
			t.Errorf("response of %d: %d bytes, %v; Size says %d", n, len(frame), err, p.Size())
		}
	}
}

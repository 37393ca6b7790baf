package proto

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestTheLargestHeaderListsGoThrough(t *testing.T) {
	for _, n := range []int{127, 128, MaxFields} {
		want := make([]Field, n)
		for i := range want {
			want[i] = Field{Name: "a"}
		}
		list, err := AppendFields(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, consumed, err := ParseFields(list, nil)
		if err != nil || consumed != len(list) || !reflect.DeepEqual(got, want) {
			t.Errorf("%d fields: %d of %d bytes consumed, %v", n, consumed, len(list), err)
		}
	}
}

func TestLongPiecesGoThrough(t *testing.T) {
	for _, n := range []int{127, 128, 16383, 16384, maxName} {
		want := []Field{{strings.Repeat("n", n), strings.Repeat("v", n)}}
		list, err := AppendFields(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := ParseFields(list, nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("name and value of %d bytes: %v", n, err)
		}
	}
}

func TestANameOf65536BytesIsRefused(t *testing.T) {
	list := appendUvarint(nil, 1)
	list = appendPiece(list, strings.Repeat("n", maxName+1))
	list = appendPiece(list, "")
	if _, _, err := ParseFields(list, nil); !errors.Is(err, ErrName) {
		t.Errorf("error is %v", err)
	}
}

func TestParseUsesTheArrayOfFieldsAgain(t *testing.T) {
	frame, err := AppendRequest(nil, typicalRequest())
	frame = mustFrame(t, frame, err)
	array := make([]Field, 3, 20)
	r := Request{Fields: array}
	if _, err := r.Parse(frame); err != nil {
		t.Fatal(err)
	}
	if &r.Fields[0] != &array[0] {
		t.Error("another array was allocated")
	}
}

func TestFieldsOfAnEarlierParseAreNotKeptInMemory(t *testing.T) {
	long, err := AppendRequest(nil, typicalRequest())
	long = mustFrame(t, long, err)
	short, err := AppendRequest(nil, &Request{Version: HTTP11, Method: "GET", Fields: []Field{{"a", "b"}}})
	short = mustFrame(t, short, err)
	for name, second := range map[string][]byte{"a shorter one": short, "a broken one": long[:len(long)-1]} {
		var r Request
		if _, err := r.Parse(long); err != nil {
			t.Fatal(err)
		}
		_, _ = r.Parse(second)
		for i, f := range r.Fields[len(r.Fields):cap(r.Fields)] {
			if f != (Field{}) {
				t.Errorf("after %s, entry %d past the end is %v", name, i, f)
			}
		}
	}
}

func TestWhatDoesNotParseLeavesNothingBehind(t *testing.T) {
	frame, err := AppendRequest(nil, typicalRequest())
	frame = mustFrame(t, frame, err)
	var r Request
	if _, err := r.Parse(frame); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Parse(frame[:len(frame)-1]); n != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%d, %v", n, err)
	}
	if len(r.Fields) != 0 {
		t.Errorf("%d fields are left", len(r.Fields))
	}
	r.Fields = nil
	if !reflect.DeepEqual(r, Request{}) {
		t.Errorf("left: %+v", r)
	}
}

func TestTheBodyAliasesTheFrameAndCannotGrowIntoIt(t *testing.T) {
	frame := AppendEnd(AppendBody(nil, 1, []byte("hello")), 1)
	_, body, n, err := ParseBody(frame)
	if err != nil {
		t.Fatal(err)
	}
	if &body[0] != &frame[n-len(body)] {
		t.Error("the body was copied")
	}
	_ = append(body, "XXXX"...)
	if _, _, err := ParseEnd(frame[n:]); err != nil {
		t.Errorf("an append to the body reached the next frame: %v", err)
	}
}

func TestTheFrameTypeIsToldFromSixBytes(t *testing.T) {
	for _, want := range []FrameType{FrameHeaders, FrameBody, FrameEnd} {
		head := appendHead(nil, want, 1)[:6]
		if got, err := ParseFrameType(head); got != want || err != nil {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
		for n := range head {
			if _, err := ParseFrameType(head[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	for text, want := range map[string]error{
		"HPK1\x01\x01": ErrMagic, "HPKS\x02\x01": ErrStreamVersion,
		"HPKS\x01\x00": ErrFrameType, "HPKS\x01\x04": ErrFrameType,
	} {
		if got, err := ParseFrameType([]byte(text)); got != 0 || !errors.Is(err, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestNumbersReadAsWords(t *testing.T) {
	for got, want := range map[string]string{
		HTTP11.String(): "HTTP/1.1", HTTP2.String(): "HTTP/2",
		HTTP3.String(): "HTTP/3", Version(9).String(): "Version(9)",
		FrameHeaders.String(): "headers", FrameBody.String(): "body", FrameEnd.String(): "end",
		FrameType(9).String(): "FrameType(9)",
		KindRequest.String():  "request", KindResponse.String(): "response", Kind(9).String(): "Kind(9)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

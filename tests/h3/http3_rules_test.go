package h3_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// rule is something that a client must not do, and the error that it costs.
type rule struct {
	name   string
	words  saying
	want   http3.ErrCode
	stream bool // the error is one of the stream; a 400 will do as well (RFC 9114 section 4.1.2)
	known  *known
}

// Errors of QPACK (RFC 9204 section 6).
const (
	errDecompression http3.ErrCode = 0x200
	errEncoderStream http3.ErrCode = 0x201
	errDecoderStream http3.ErrCode = 0x202
)

func rules() []rule {
	const unexpected, message = http3.ErrCodeFrameUnexpected, http3.ErrCodeMessageError
	request := func(b ...[]byte) saying { return saying{request: slices.Concat(b...)} }
	control := func(b ...[]byte) saying { return saying{control: [][]byte{slices.Concat(b...)}} }
	uni := func(b ...byte) saying { return saying{streams: [][]byte{b}} }
	return []rule{
		// RFC 9114 section 4.1: a request is HEADERS, and DATA behind it.
		{name: "DATA before HEADERS", words: request(frame(rawclient.FrameData, 'x'), get()), want: unexpected},
		{name: "DATA behind trailers", words: request(get(), headers("x-a", "b"), frame(rawclient.FrameData, 'x')),
			want: unexpected, known: &lateFrames},
		{name: "HEADERS behind trailers", words: request(get(), headers("x-a", "b"), headers("x-c", "d")),
			want: unexpected, known: &lateFrames},
		{name: "a request that ends at once", words: saying{request: []byte{}},
			want: http3.ErrCodeRequestIncomplete, stream: true},
		{name: "a request that ends in its HEADERS", words: request(get()[:5]),
			want: http3.ErrCodeRequestIncomplete, stream: true},
		{name: "CANCEL_PUSH in a request", words: request(frame(rawclient.FrameCancelPush, 0), get()), want: unexpected,
			known: &skippedPush},
		{name: "SETTINGS in a request", words: request(settings(), get()), want: unexpected},
		{name: "GOAWAY in a request", words: request(frame(rawclient.FrameGoAway, 0), get()), want: unexpected},
		{name: "MAX_PUSH_ID in a request", words: request(frame(rawclient.FrameMaxPushID, 1), get()), want: unexpected,
			known: &skippedPush},
		{name: "PUSH_PROMISE in a request", words: request(frame(rawclient.FramePushPromise, 0), get()),
			want: unexpected, known: &skippedPush},
		{name: "SETTINGS behind HEADERS", words: request(get(), settings()), want: unexpected},
		{name: "PRIORITY of HTTP/2", words: request(frame(2, 0), get()), want: unexpected},
		{name: "PING of HTTP/2", words: request(frame(6, 0), get()), want: unexpected},
		{name: "WINDOW_UPDATE of HTTP/2", words: request(frame(8, 0), get()), want: unexpected},
		{name: "CONTINUATION of HTTP/2", words: request(frame(9, 0), get()), want: unexpected},

		// RFC 9114 sections 4.2 and 4.3.
		{name: "a doubled pseudo-field", words: request(get(":method", "GET")), want: message, stream: true},
		{name: "no method", words: request(headers(":scheme", "https", ":authority", "test", ":path", "/")),
			want: message, stream: true},
		{name: "no scheme", words: request(headers(":method", "GET", ":authority", "test", ":path", "/")),
			want: message, stream: true, known: &unseenScheme},
		{name: "no path", words: request(headers(":method", "GET", ":scheme", "https", ":authority", "test")),
			want: message, stream: true},
		{name: "no authority", words: request(headers(":method", "GET", ":scheme", "https", ":path", "/")),
			want: message, stream: true},
		{name: "a pseudo-field that nobody knows", words: request(get(":foo", "bar")), want: message, stream: true},
		{name: "a pseudo-field of responses", words: request(get(":status", "200")), want: message, stream: true},
		{name: "a pseudo-field behind a field", words: request(headers(":method", "GET", ":scheme", "https",
			":authority", "test", "foo", "bar", ":path", "/")), want: message, stream: true},
		{name: "a pseudo-field in trailers", words: request(get(), headers(":path", "/")), want: message, stream: true},
		{name: "a name in capitals", words: request(get("Foo", "bar")), want: message, stream: true},
		{name: "Connection", words: request(get("connection", "close")), want: message, stream: true},
		{name: "TE of other than trailers", words: request(get("te", "gzip")), want: message, stream: true},
		{name: "a length that is not the body's",
			words: request(get("content-length", "5"), frame(rawclient.FrameData, 'x')), want: message, stream: true},

		// RFC 9114 sections 6.2 and 7.2: the control stream.
		{name: "a control stream that does not begin with SETTINGS",
			words: control(frame(rawclient.FrameMaxPushID, 1), settings()), want: http3.ErrCodeMissingSettings,
			known: &skippedPush},
		{name: "a control stream that ends",
			words: saying{ended: [][]byte{append([]byte{rawclient.StreamControl}, settings()...)}, control: [][]byte{}},
			want:  http3.ErrCodeClosedCriticalStream},
		{name: "two control streams", words: saying{control: [][]byte{settings(), settings()}},
			want: http3.ErrCodeStreamCreationError},
		{name: "DATA on the control stream", words: control(settings(), frame(rawclient.FrameData)), want: unexpected},
		{name: "HEADERS on the control stream", words: control(settings(), frame(rawclient.FrameHeaders)),
			want: unexpected},
		{name: "PUSH_PROMISE on the control stream", words: control(settings(), frame(rawclient.FramePushPromise, 0)),
			want: unexpected, known: &skippedPush},
		{name: "two SETTINGS", words: control(settings(), settings()), want: unexpected},
		{name: "a setting of HTTP/2", words: control(settings(2, 200)), want: http3.ErrCodeSettingsError,
			known: &looseSettings},
		{name: "SETTINGS that break off", words: control(frame(rawclient.FrameSettings, 6)),
			want: http3.ErrCodeFrameError, known: &looseSettings},
		{name: "a frame of HTTP/2 on the control stream", words: control(settings(), frame(2, 0)), want: unexpected},
		{name: "MAX_PUSH_ID that goes back",
			words: control(settings(), frame(rawclient.FrameMaxPushID, 5), frame(rawclient.FrameMaxPushID, 4)),
			want:  http3.ErrCodeIDError, known: &skippedPush},
		{name: "CANCEL_PUSH of what was never allowed", words: control(settings(), frame(rawclient.FrameCancelPush, 5)),
			want: http3.ErrCodeIDError, known: &skippedPush},
		{name: "a push stream from the client", words: uni(rawclient.StreamPush, 0),
			want: http3.ErrCodeStreamCreationError},

		// RFC 9204.
		{name: "an index beyond the static table",
			words: request(frame(rawclient.FrameHeaders, append(get()[2:], 0xff, 0x24)...)), want: errDecompression,
			known: &resetOnly},
		{name: "an index into an empty dynamic table",
			words: request(frame(rawclient.FrameHeaders, append(get()[2:], 0x80)...)), want: errDecompression,
			known: &resetOnly},
		{name: "a field section that needs insertions", words: request(frame(rawclient.FrameHeaders, 0x02, 0x00, 0x80)),
			want: errDecompression, known: &resetOnly},
		{name: "a field section that breaks off", words: request(frame(rawclient.FrameHeaders, get()[2:8]...)),
			want: errDecompression, known: &resetOnly},
		{name: "a dynamic table that is too large",
			words: uni(rawclient.StreamEncoder, 0x3f, 0xe1, 0xc7, 0xaf, 0xa0, 0x25), want: errEncoderStream,
			known: &unreadQPACK},
		{name: "an insertion without a table", words: uni(rawclient.StreamEncoder, 0xc0, 0x01, 'x'),
			want: errEncoderStream, known: &unreadQPACK},
		{name: "an Insert Count Increment of 0", words: uni(rawclient.StreamDecoder, 0x00), want: errDecoderStream,
			known: &unreadQPACK},
		{name: "an acknowledgment of what was not sent", words: uni(rawclient.StreamDecoder, 0x84),
			want: errDecoderStream, known: &unreadQPACK},
		{name: "two encoder streams",
			words: saying{streams: [][]byte{{rawclient.StreamEncoder}, {rawclient.StreamEncoder}}},
			want:  http3.ErrCodeStreamCreationError},
		{name: "two decoder streams",
			words: saying{streams: [][]byte{{rawclient.StreamDecoder}, {rawclient.StreamDecoder}}},
			want:  http3.ErrCodeStreamCreationError},
		{name: "an encoder stream that ends", words: saying{ended: [][]byte{{rawclient.StreamEncoder}}},
			want: http3.ErrCodeClosedCriticalStream, known: &unreadQPACK},
		{name: "a decoder stream that ends", words: saying{ended: [][]byte{{rawclient.StreamDecoder}}},
			want: http3.ErrCodeClosedCriticalStream, known: &unreadQPACK},
	}
}

// check returns what is wrong with what came of a rule that was broken. Errors that
// say less are always allowed (RFC 9114 section 8.1).
func (r *rule) check(got said) error {
	codes := []http3.ErrCode{r.want, http3.ErrCodeGeneralProtocolError, http3.ErrCodeInternalError}
	switch {
	case got.closed != nil && slices.Contains(codes, http3.ErrCode(got.closed.ErrorCode)):
		return nil
	case r.stream && got.closed == nil &&
		(got.status == "400" || got.reset != nil && slices.Contains(codes, http3.ErrCode(got.reset.ErrorCode))):
		return nil
	}
	return fmt.Errorf("%v, want %v", got, r.want)
}

// patience is how long to wait for the end of the connection.
func (r *rule) patience() time.Duration {
	if r.stream || r.known != nil {
		return silence
	}
	return harness.Patience
}

func TestWhoBreaksTheRulesOfHTTP3IsToldWhich(t *testing.T) {
	s := harness.Start(t, nil)
	s.StartWorker(t, "answer")
	e, rules := s.Secure(t), rules()
	got := make([]said, len(rules))
	concurrently(len(rules), func(i int) { got[i] = say(t, e, &rules[i].words, rules[i].patience()) })
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) { judge(t, r.known, r.check(got[i])) })
	}
}

// The parts of the protocol that are there to be ignored are ignored (RFC 9114 sections
// 6.2.3, 7.2.4.1 and 7.2.8).
func TestWhatAClientOfHTTP3MaySayIsNoError(t *testing.T) {
	s := harness.Start(t, nil)
	s.StartWorker(t, "answer")
	e := s.Secure(t)
	reserved := frame(rawclient.FrameReserved, 'x')
	var all sync.WaitGroup
	for name, words := range map[string]saying{
		"a request":           {request: get()},
		"a body and trailers": {request: slices.Concat(get(), frame(rawclient.FrameData, 'x'), headers("x-a", "b"))},
		"reserved frames": {request: slices.Concat(reserved, get(), reserved,
			frame(rawclient.FrameData, 'x'), reserved)},
		"an empty frame":    {request: slices.Concat(get(), frame(rawclient.FrameData))},
		"reserved settings": {request: get(), control: [][]byte{settings(0x21, 1, 0x1f*7+0x21, 2)}},
		"reserved control": {request: get(),
			control: [][]byte{slices.Concat(settings(), reserved, frame(rawclient.FrameGoAway, 0))}},
		"a reserved stream": {request: get(), streams: [][]byte{{rawclient.FrameReserved, 'x'}}},
		"streams of QPACK": {request: get(),
			streams: [][]byte{{rawclient.StreamEncoder}, {rawclient.StreamDecoder}}},
		"no table":       {request: get(), streams: [][]byte{{rawclient.StreamEncoder, 0x20}}},
		"TE of trailers": {request: get("te", "trailers")},
		"a Host as well": {request: get("host", "test")},
		"settings after all": {request: get(), control: [][]byte{},
			streams: [][]byte{slices.Concat([]byte{rawclient.StreamControl}, settings())}},
		"a length that is true": {request: slices.Concat(get("content-length", "1"), frame(rawclient.FrameData, 'x'))},
	} {
		all.Go(func() {
			if got := say(t, e, &words, silence); got.status != "200" || got.closed != nil || got.reset != nil {
				t.Errorf("%s: %v", name, got)
			}
		})
	}
	all.Wait()
}

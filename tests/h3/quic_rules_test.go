package h3_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// Errors of QUIC (RFC 9000 section 20.1) and, from cryptoError on, alerts of TLS (RFC
// 8446 section 6).
const (
	errInternal       = 0x01
	errFlowControl    = 0x03
	errStreamLimit    = 0x04
	errStreamState    = 0x05
	errFinalSize      = 0x06
	errFrameEncoding  = 0x07
	errParameter      = 0x08
	errProtocol       = 0x0a
	errCryptoExceeded = 0x0d

	cryptoError            = 0x100
	alertUnexpectedMessage = cryptoError + 10
	alertHandshakeFailure  = cryptoError + 40
	alertInternal          = cryptoError + 80
	alertMissingExtension  = cryptoError + 109
	alertNoProtocol        = cryptoError + 120
)

// transportRule is something that a client of QUIC must not do.
type transportRule struct {
	name    string
	manners manners
	want    []uint64
	known   *known
}

// with returns manners that have one parameter more, or another value of it.
func with(id uint64, value []byte) manners {
	return manners{parameters: func(list []parameter) []parameter {
		list = slices.DeleteFunc(list, func(p parameter) bool { return p.id == id })
		return append(list, parameter{id, value})
	}}
}

// transportRules returns them. The case of h3spec that is about 0-RTT is not among
// them: the server does not offer it.
func transportRules() []transportRule {
	frames := func(b ...[]byte) manners { return manners{frames: slices.Concat(b...)} }
	const tooMany = 1<<60 + 1
	stream := func(id, offset uint64, data string) []byte {
		return append(varints(0x0e, id, offset, uint64(len(data))), data...)
	}
	connectionID := func(sequence, retire uint64, length byte) []byte {
		return slices.Concat(varints(0x18, sequence, retire), []byte{length}, make([]byte, int(length)+16))
	}
	keyUpdate, endOfEarlyData := []byte{24, 0, 0, 1, 1}, []byte{5, 0, 0, 0}
	return []transportRule{
		// RFC 9000 sections 7.3, 7.4 and 18.2.
		{name: "no source connection id among the parameters", want: []uint64{errParameter},
			manners: manners{parameters: func(list []parameter) []parameter {
				return slices.DeleteFunc(list, func(p parameter) bool { return p.id == 0x0f })
			}}},
		{name: "another source connection id", manners: with(0x0f, []byte("DUMMY")), want: []uint64{errParameter}},
		{name: "an original destination connection id", manners: with(0x00, []byte("DUMMY")),
			want: []uint64{errParameter}},
		{name: "a preferred address", manners: with(0x0d, make([]byte, 4+2+16+2+1+4+16)), want: []uint64{errParameter}},
		{name: "a retry source connection id", manners: with(0x10, []byte("DUMMY")), want: []uint64{errParameter}},
		{name: "a stateless reset token", manners: with(0x02, make([]byte, 16)), want: []uint64{errParameter}},
		{name: "too small a datagram", manners: with(0x03, varints(1090)), want: []uint64{errParameter}},
		{name: "too large an exponent of the delay", manners: with(0x0a, varints(30)), want: []uint64{errParameter}},
		{name: "too long a delay", manners: with(0x0b, varints(1<<15)), want: []uint64{errParameter}},
		{name: "too many streams of two directions", manners: with(0x08, varints(tooMany)),
			want: []uint64{errParameter}},
		{name: "too many streams of one direction", manners: with(0x09, varints(tooMany)),
			want: []uint64{errParameter}},
		{name: "one connection id only", manners: with(0x0e, varints(1)), want: []uint64{errParameter}},
		{name: "a parameter twice", want: []uint64{errParameter},
			manners: manners{parameters: func(list []parameter) []parameter { return append(list, list[0]) }}},
		{name: "a number that breaks off", manners: with(0x04, []byte{0x80}), want: []uint64{errParameter}},

		// Sections 12.4 and 17.2.
		{name: "a frame that nobody knows", manners: frames(varints(0x20)), want: []uint64{errFrameEncoding}},
		{name: "a frame that breaks off", manners: frames(varints(0x04, 0)), want: []uint64{errFrameEncoding}},
		{name: "no frames", manners: manners{frames: []byte{}}, want: []uint64{errProtocol}},
		{name: "reserved bits in the Handshake", manners: manners{bits: 0x0c}, want: []uint64{errProtocol}},
		{name: "reserved bits after it", manners: manners{shortBits: 0x18}, want: []uint64{errProtocol}},
		{name: "PATH_CHALLENGE in the Handshake", manners: manners{handshake: append([]byte{0x1a}, "01234567"...)},
			want: []uint64{errProtocol}, known: &wrongPacket},
		{name: "STREAM in the Handshake", manners: manners{handshake: stream(0, 0, "x")}, want: []uint64{errProtocol},
			known: &wrongPacket},

		// Sections 4 and 19.
		{name: "a stream beyond its window", manners: frames(stream(0, 100_000_000, "x")),
			want: []uint64{errFlowControl}},
		{name: "a stream beyond the limit", manners: frames(stream(1_000_000_000, 0, "x")),
			want: []uint64{errStreamLimit}},
		{name: "a stream of another length than it said",
			manners: frames(append(varints(0x0f, 0, 0, 1), 'x'), stream(0, 1, "y")), want: []uint64{errFinalSize}},
		{name: "an acknowledgment of what was not sent", manners: frames(varints(0x02, 1000, 0, 0, 0)),
			want: []uint64{errProtocol}},
		{name: "RESET_STREAM of a stream of the server's", manners: frames(varints(0x04, 3, 0, 0)),
			want: []uint64{errStreamState}},
		{name: "STOP_SENDING of a stream that is not there", manners: frames(varints(0x05, 101, 0)),
			want: []uint64{errStreamState}},
		{name: "CRYPTO far ahead", manners: frames(cryptoFrame(10<<20, []byte("x"))),
			want: []uint64{errCryptoExceeded}},
		{name: "NEW_TOKEN", manners: frames(varints(0x07, 5), []byte("DUMMY")), want: []uint64{errProtocol}},
		{name: "STREAM of a stream that is not there", manners: frames(stream(1, 0, "x")),
			want: []uint64{errStreamState}},
		{name: "STREAM of a stream of the server's", manners: frames(stream(3, 0, "x")),
			want: []uint64{errStreamState}},
		{name: "MAX_STREAM_DATA of a stream that is not there", manners: frames(varints(0x11, 101, 1<<20)),
			want: []uint64{errStreamState}},
		{name: "MAX_STREAM_DATA of a stream of the client's", manners: frames(varints(0x11, 2, 1<<20)),
			want: []uint64{errStreamState}},
		{name: "MAX_STREAMS that is too large", manners: frames(varints(0x12, tooMany)),
			want: []uint64{errFrameEncoding}},
		{name: "STREAMS_BLOCKED that is too large", manners: frames(varints(0x16, tooMany)),
			want: []uint64{errFrameEncoding, errStreamLimit}},
		{name: "NEW_CONNECTION_ID that retires later ones", manners: frames(connectionID(1, 10, 8)),
			want: []uint64{errFrameEncoding}},
		{name: "NEW_CONNECTION_ID of none", manners: frames(connectionID(1, 0, 0)), want: []uint64{errFrameEncoding}},
		{name: "NEW_CONNECTION_ID of too long a one", manners: frames(connectionID(1, 0, 21)),
			want: []uint64{errFrameEncoding}},
		{name: "RETIRE_CONNECTION_ID of one that was not given", manners: frames(varints(0x19, 1000)),
			want: []uint64{errProtocol}},
		{name: "HANDSHAKE_DONE", manners: frames(varints(0x1e)), want: []uint64{errProtocol}},

		// RFC 9001 sections 6 and 8.
		{name: "KeyUpdate in the Handshake",
			manners: manners{finished: func(b []byte) []byte { return slices.Concat(b, keyUpdate) }},
			want:    []uint64{alertUnexpectedMessage}},
		{name: "KeyUpdate after it", manners: frames(cryptoFrame(0, keyUpdate)),
			want: []uint64{alertUnexpectedMessage}},
		{name: "EndOfEarlyData",
			manners: manners{finished: func(b []byte) []byte { return slices.Concat(endOfEarlyData, b) }},
			want:    []uint64{alertUnexpectedMessage}},
		{name: "another protocol", manners: manners{alpn: "dummy"}, want: []uint64{alertNoProtocol}},
		{name: "no parameters", manners: manners{hello: withoutParameters}, want: []uint64{alertMissingExtension}},
	}
}

// withoutParameters makes the extension with the parameters one that nobody knows, as
// which drafts had it.
func withoutParameters(hello []byte) []byte {
	hello = bytes.Clone(hello)
	at := bytes.LastIndex(hello, []byte{0x00, 0x39})
	copy(hello[at:], []byte{0xff, 0xa5})
	return hello
}

// check returns what is wrong with what came of a rule that was broken. Errors that
// say less are always allowed (RFC 9000 section 20.1, RFC 9001 section 4.8).
func (r *transportRule) check(closed *uint64, err error) error {
	switch {
	case err != nil:
		return err
	case closed == nil:
		return fmt.Errorf("nothing, want %#x", r.want)
	}
	allowed := []uint64{errProtocol, errInternal}
	if r.want[0] >= cryptoError {
		allowed = []uint64{alertHandshakeFailure, alertInternal}
	}
	if !slices.Contains(append(allowed, r.want...), *closed) {
		return fmt.Errorf("error %#x, want %#x", *closed, r.want)
	}
	return nil
}

func TestWhoBreaksTheRulesOfQUICIsToldWhich(t *testing.T) {
	s := harness.Start(t, nil)
	e, rules := s.Secure(t), transportRules()
	problems := make([]error, len(rules))
	concurrently(len(rules), func(i int) {
		problems[i] = rules[i].check(behave(e, &rules[i].manners,
			harness.Patience))
	})
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) { judge(t, r.known, problems[i]) })
	}
}

// The client that breaks the rules keeps those that it is not to break.
func TestAClientOfQUICThatKeepsTheRulesIsLetBe(t *testing.T) {
	s := harness.Start(t, nil)
	if closed, err := behave(s.Secure(t), &manners{}, silence); err != nil || closed != nil {
		t.Errorf("closed %v, %v", closed, err)
	}
}

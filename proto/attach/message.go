package attach

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// MaxMessage is the longest attach message, in bytes.
const MaxMessage = 4096

// maxKeys is the most keys that a message may have, known or not: it bounds
// what a reader of hostile input keeps in hand.
const maxKeys = 64

// typeKey is the key that names the message.
const typeKey = "t"

// The errors of the attach messages. They arrive inside a *MessageError: match
// them with errors.Is.
var (
	// ErrMessageTooLong is returned when a message has more than MaxMessage
	// bytes.
	ErrMessageTooLong = errors.New("message too long")

	// ErrMessageType is returned when a message is of a type that this
	// version does not know. The message itself may be in order.
	ErrMessageType = errors.New("unknown message type")

	// ErrMessageFormat is returned when a message breaks any other rule of
	// Message.
	ErrMessageFormat = errors.New("malformed message")
)

// MessageError says what is wrong with a message, and with which of its keys.
type MessageError struct {
	Err  error  // one of the errors above
	Key  string // empty if it is not about one key
	What string // what a person needs to know
}

func (e *MessageError) Error() string {
	s := "attach: " + e.Err.Error()
	if e.Key != "" {
		s += ": key " + quote(e.Key)
	}
	return s + ": " + e.What
}

func (e *MessageError) Unwrap() error { return e.Err }

// quote makes s fit for a log line: escaped, and cut if it is long.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

// Message is what goes over the attach socket, one to a packet: *Hello,
// *Welcome, *Refusal, *Drain or *Bye.
//
// A message is one MessagePack map of at most 64 keys, and nothing after it. Its
// keys are strings, and its values are of four types only, so that it can be
// read without a MessagePack library:
//
//	uint    an integer of any MessagePack format that is not negative
//	string  UTF-8
//	bin     bytes
//	bool
//
// There are no maps or arrays within it, no floats, no nil and no extension
// types. Key "t", a string, is the type of the message, and is written first.
// A key that the reader does not know is ignored; one that is missing leaves
// the zero value; one of the reader's that is there twice, or whose value is of
// another type or too large, makes the message malformed. The writer writes all
// keys of its version, in the order in which they are documented, each number
// in its shortest form.
type Message interface {
	// Type returns the value of key "t".
	Type() string

	keys() []key
}

// A key is a place in a message: at points to a uint16, uint32, uint64 or
// string in it.
type key struct {
	name string
	at   any
}

// newMessage returns an empty message of type t, or nil.
func newMessage(t string) Message {
	for _, m := range []Message{new(Hello), new(Welcome), new(Refusal), new(Drain), new(Bye)} {
		if m.Type() == t {
			return m
		}
	}
	return nil
}

// Encode returns m as one packet. It fails with a *MessageError if m would be
// longer than MaxMessage or has a string that is not UTF-8.
func Encode(m Message) ([]byte, error) {
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	enc.UseCompactInts(true)
	t, keys := m.Type(), m.keys()
	if err := enc.EncodeMapLen(1 + len(keys)); err != nil {
		return nil, err
	}
	for _, k := range append([]key{{typeKey, &t}}, keys...) {
		if err := k.encode(enc); err != nil {
			return nil, err
		}
	}
	if b.Len() > MaxMessage {
		return nil, &MessageError{Err: ErrMessageTooLong, What: countBytes(b.Len())}
	}
	return b.Bytes(), nil
}

// encode writes the name of k and its value, in the shortest form.
func (k *key) encode(enc *msgpack.Encoder) error {
	if err := enc.EncodeString(k.name); err != nil {
		return err
	}
	if s, ok := k.at.(*string); ok && !utf8.ValidString(*s) {
		return malformed(k.name, "not UTF-8")
	}
	return enc.Encode(k.at)
}

// Decode returns the message in the packet b, of which it retains nothing. It
// checks the form only: see Hello.Validate for the content.
//
// It fails with a *MessageError of ErrMessageTooLong, ErrMessageType or
// ErrMessageFormat, or with io.ErrUnexpectedEOF if b was cut off.
func Decode(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return nil, &MessageError{Err: ErrMessageTooLong, What: countBytes(len(b))}
	}
	pairs, err := parsePairs(b)
	if err != nil {
		return nil, err
	}
	var name string
	if err := pairs.store(key{typeKey, &name}); err != nil {
		return nil, err
	}
	m := newMessage(name)
	if m == nil {
		return nil, &MessageError{Err: ErrMessageType, Key: typeKey, What: quote(name)}
	}
	for _, k := range m.keys() {
		if err := pairs.store(k); err != nil {
			return nil, err
		}
	}
	return m, nil
}

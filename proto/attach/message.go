package attach

import (
	"bytes"
	"iter"
	"reflect"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// MaxMessage is the length of the longest message, in bytes.
const MaxMessage = 4096

// typeKey is the key that names the message.
const typeKey = "t"

// Message is what one packet on the worker socket holds: *Hello, *Welcome, *Refusal,
// *Drain or *Bye.
//
// A message is one MessagePack map of at most 64 keys, with nothing after it. Keys are
// strings. Values have one of four types, so that an SDK can read them without a
// MessagePack library:
//
//	uint    a non-negative integer in any MessagePack format
//	string  UTF-8
//	bin     bytes
//	bool
//
// There are no nested maps or arrays, floats, nils or extension types. Key "t", a
// string, is the type of the message, and is written first. The tags of the structs
// name the other keys.
//
// A reader ignores keys that it does not know, and takes the zero value for those that
// are missing. A known key that occurs twice, has a value of another type, or has a
// number that is too large makes the message malformed. A writer writes all keys of
// its version, in the order of the struct, each number in its shortest form.
type Message interface {
	// Type returns the value of key "t".
	Type() string
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

// fieldsOf yields the key and the field of each key of m, in the order of the struct.
// A field is a string or an unsigned integer, and can be set.
func fieldsOf(m Message) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		v := reflect.ValueOf(m).Elem()
		for i := range v.NumField() {
			if !yield(v.Type().Field(i).Tag.Get("msgpack"), v.Field(i)) {
				return
			}
		}
	}
}

// Encode returns m as one packet. It fails with a *MessageError if m would be longer
// than MaxMessage or has a string that is not UTF-8.
func Encode(m Message) ([]byte, error) {
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	if err := enc.EncodeMapLen(1 + reflect.TypeOf(m).Elem().NumField()); err != nil {
		return nil, err
	}
	if err := encode(enc, typeKey, reflect.ValueOf(m.Type())); err != nil {
		return nil, err
	}
	for key, field := range fieldsOf(m) {
		if err := encode(enc, key, field); err != nil {
			return nil, err
		}
	}
	if b.Len() > MaxMessage {
		return nil, &MessageError{Err: ErrMessageTooLong, What: countBytes(b.Len())}
	}
	return b.Bytes(), nil
}

// encode writes a key and its value in the shortest form.
func encode(enc *msgpack.Encoder, key string, value reflect.Value) error {
	if err := enc.EncodeString(key); err != nil {
		return err
	}
	if value.CanUint() {
		return enc.EncodeUint(value.Uint())
	}
	if !utf8.ValidString(value.String()) {
		return malformed(key, "not UTF-8")
	}
	return enc.EncodeString(value.String())
}

// Decode returns the message in the packet b and retains nothing of b. It checks only
// the form: Hello.Validate checks the content.
//
// It fails with a *MessageError of ErrMessageTooLong, ErrMessageType or
// ErrMessageFormat, or with io.ErrUnexpectedEOF if b was cut off.
func Decode(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return nil, &MessageError{Err: ErrMessageTooLong, What: countBytes(len(b))}
	}
	all, err := parseMap(b)
	if err != nil {
		return nil, err
	}
	var name string
	if err := all.store(typeKey, reflect.ValueOf(&name).Elem()); err != nil {
		return nil, err
	}
	m := newMessage(name)
	if m == nil {
		return nil, &MessageError{Err: ErrMessageType, Key: typeKey, What: quote(name)}
	}
	for key, field := range fieldsOf(m) {
		if err := all.store(key, field); err != nil {
			return nil, err
		}
	}
	return m, nil
}

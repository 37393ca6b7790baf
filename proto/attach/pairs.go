package attach

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// A pair is one entry of a message as it came. The value is a uint64, string,
// []byte or bool.
type pair struct {
	key   string
	value any
}

type pairs []pair

// parsePairs reads one flat map that takes up all of b. It allocates by what
// is in b, not by what b announces.
func parsePairs(b []byte) (pairs, error) {
	p := pairParser{in: bytes.NewReader(b)}
	p.dec = msgpack.NewDecoder(p.in)
	all, err := p.pairs()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return all, err
}

// A pairParser is a msgpack decoder that knows how much there is left to read.
type pairParser struct {
	in  *bytes.Reader
	dec *msgpack.Decoder
}

func (p *pairParser) pairs() (pairs, error) {
	n, err := p.mapLen()
	if err != nil {
		return nil, err
	}
	var all pairs
	for range n {
		next, err := p.pair()
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if rest := p.in.Len(); rest > 0 {
		return nil, malformed("", countBytes(rest)+" after its end")
	}
	return all, nil
}

func (p *pairParser) mapLen() (int, error) {
	code, err := p.dec.PeekCode()
	if err != nil {
		return 0, err
	}
	if !msgpcode.IsFixedMap(code) && code != msgpcode.Map16 && code != msgpcode.Map32 {
		return 0, malformed("", "not a map")
	}
	n, err := p.dec.DecodeMapLen()
	if err == nil && n > maxKeys {
		err = malformed("", strconv.Itoa(n)+" keys")
	}
	return n, err
}

func (p *pairParser) pair() (pair, error) {
	code, err := p.dec.PeekCode()
	if err != nil {
		return pair{}, err
	}
	if !msgpcode.IsString(code) {
		return pair{}, malformed("", "a key that is no string")
	}
	key, err := p.string("")
	if err != nil {
		return pair{}, err
	}
	value, err := p.value(key)
	return pair{key, value}, err
}

func (p *pairParser) value(key string) (any, error) {
	code, err := p.dec.PeekCode()
	if err != nil {
		return nil, err
	}
	switch {
	case code <= msgpcode.PosFixedNumHigh, code >= msgpcode.Uint8 && code <= msgpcode.Uint64:
		return p.dec.DecodeUint64()
	case code >= msgpcode.NegFixedNumLow, code >= msgpcode.Int8 && code <= msgpcode.Int64:
		return p.signed(key)
	case msgpcode.IsString(code):
		return p.string(key)
	case msgpcode.IsBin(code):
		return p.bytes()
	case code == msgpcode.False, code == msgpcode.True:
		return p.dec.DecodeBool()
	}
	return nil, malformed(key, fmt.Sprintf("MessagePack code 0x%02x, where only uint, string, bin and bool are in use", code))
}

func (p *pairParser) signed(key string) (any, error) {
	n, err := p.dec.DecodeInt64()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, malformed(key, strconv.FormatInt(n, 10)+" is negative")
	}
	return uint64(n), nil
}

func (p *pairParser) string(key string) (string, error) {
	b, err := p.bytes()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", malformed(key, "not UTF-8")
	}
	return string(b), nil
}

func (p *pairParser) bytes() ([]byte, error) {
	n, err := p.dec.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	if n > p.in.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	return b, p.dec.ReadFull(b)
}

// store puts the value of k's name, if there is one, where k points to.
func (all pairs) store(k key) error {
	stored := false
	for _, p := range all {
		if p.key != k.name {
			continue
		}
		if stored {
			return malformed(k.name, "there twice")
		}
		if err := k.set(p.value); err != nil {
			return err
		}
		stored = true
	}
	return nil
}

func (k *key) set(value any) error {
	switch at := k.at.(type) {
	case *uint16:
		n, err := k.uint(value, math.MaxUint16)
		*at = uint16(n)
		return err
	case *uint32:
		n, err := k.uint(value, math.MaxUint32)
		*at = uint32(n)
		return err
	case *uint64:
		n, err := k.uint(value, math.MaxUint64)
		*at = n
		return err
	case *string:
		s, ok := value.(string)
		if !ok {
			return malformed(k.name, typeName(value)+" where a string belongs")
		}
		*at = s
		return nil
	}
	panic("proto: key " + k.name + " is of no type that a message has")
}

func (k *key) uint(value any, most uint64) (uint64, error) {
	n, ok := value.(uint64)
	if !ok {
		return 0, malformed(k.name, typeName(value)+" where a uint belongs")
	}
	if n > most {
		return 0, malformed(k.name, strconv.FormatUint(n, 10)+" is more than "+strconv.FormatUint(most, 10))
	}
	return n, nil
}

func typeName(value any) string {
	switch value.(type) {
	case uint64:
		return "a uint"
	case string:
		return "a string"
	case []byte:
		return "a bin"
	}
	return "a bool"
}

func malformed(key, what string) error {
	return &MessageError{Err: ErrMessageFormat, Key: key, What: what}
}

func countBytes(n int) string { return strconv.Itoa(n) + " bytes" }

package attach

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// maxKeys is the most keys that a message may have, known or not. It bounds what a
// reader of hostile input holds in memory.
const maxKeys = 64

// parseMap reads a flat map that takes up all of b. What it allocates depends on the
// length of b, not on the lengths that b announces.
func parseMap(b []byte) (entries, error) {
	p := mapParser{in: bytes.NewReader(b)}
	p.dec = msgpack.NewDecoder(p.in)
	all, err := p.entries()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return all, err
}

// A mapParser is a msgpack decoder that knows how many bytes remain. The decoder's own
// Decode would convert between types, accept nil, and keep the last of two equal keys.
type mapParser struct {
	in  *bytes.Reader
	dec *msgpack.Decoder
}

func (p *mapParser) entries() (entries, error) {
	n, err := p.mapLen()
	if err != nil {
		return nil, err
	}
	var all entries
	for range n {
		next, err := p.entry()
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

func (p *mapParser) mapLen() (int, error) {
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

func (p *mapParser) entry() (entry, error) {
	code, err := p.dec.PeekCode()
	if err != nil {
		return entry{}, err
	}
	if !msgpcode.IsString(code) {
		return entry{}, malformed("", "a key that is no string")
	}
	key, err := p.string("")
	if err != nil {
		return entry{}, err
	}
	value, err := p.value(key)
	return entry{key, value}, err
}

func (p *mapParser) value(key string) (any, error) {
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
	return nil, malformed(key, fmt.Sprintf("MessagePack code 0x%02x is not a uint, string, bin or bool", code))
}

func (p *mapParser) signed(key string) (any, error) {
	n, err := p.dec.DecodeInt64()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, malformed(key, strconv.FormatInt(n, 10)+" is negative")
	}
	return uint64(n), nil
}

func (p *mapParser) string(key string) (string, error) {
	b, err := p.bytes()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", malformed(key, "not UTF-8")
	}
	return string(b), nil
}

func (p *mapParser) bytes() ([]byte, error) {
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

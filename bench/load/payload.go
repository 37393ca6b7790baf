package load

import "fmt"

// payloadBytes is the length of the piece that bodies repeat.
const payloadBytes = 1 << 20

// Payload is the piece that bodies repeat. It must not be changed.
var Payload = newPayload()

// newPayload returns bytes that differ from one cache line to the next. Workers in other
// languages make the same bytes.
func newPayload() []byte {
	p := make([]byte, payloadBytes)
	for i := range p {
		p[i] = byte(uint32(i) * 2654435761 >> 13)
	}
	return p
}

// lineBytes is the length of a cache line.
const lineBytes = 64

// Checksum reads a byte of every cache line of a body: bytes 0, 64, 128 and so on. It
// is an io.Writer.
type Checksum struct {
	Bytes int64
	Sum   uint64
}

// Write adds the next bytes of the body.
func (c *Checksum) Write(p []byte) (int, error) {
	sum := c.Sum
	for i := int(-c.Bytes & (lineBytes - 1)); i < len(p); i += lineBytes {
		sum += uint64(p[i])
	}
	c.Sum = sum
	c.Bytes += int64(len(p))
	return len(p), nil
}

// String is what a worker answers to an upload.
func (c *Checksum) String() string { return fmt.Sprintf("%d %d\n", c.Bytes, c.Sum) }

// ChecksumOf returns the checksum of size bytes of payload.
func ChecksumOf(size int64) Checksum {
	var one, all Checksum
	_, _ = one.Write(Payload)
	whole := size / payloadBytes
	all = Checksum{Bytes: whole * payloadBytes, Sum: uint64(whole) * one.Sum}
	_, _ = all.Write(Payload[:size%payloadBytes])
	return all
}

// check compares the checksum with the one that is expected.
func (c *Checksum) check(size int64) error {
	if want := ChecksumOf(size); *c != want {
		return fmt.Errorf("%d bytes with the sum %d came, want %d with %d", c.Bytes, c.Sum, want.Bytes, want.Sum)
	}
	return nil
}

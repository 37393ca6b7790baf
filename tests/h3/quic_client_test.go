package h3_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// levels are those at which there are packets, in the order of their types.
const (
	levelInitial = iota
	levelHandshake
	levelShort
	levelCount
)

func levelOf(l tls.QUICEncryptionLevel) int {
	switch l {
	case tls.QUICEncryptionLevelInitial:
		return levelInitial
	case tls.QUICEncryptionLevelHandshake:
		return levelHandshake
	}
	return levelShort
}

// quicClient is a client that has one connection, and acknowledges nothing.
type quicClient struct {
	manners     *manners
	conn        net.Conn
	tls         *tls.QUICConn
	destination []byte
	source      []byte

	read, write [levelCount]*packetKeys
	next        [levelCount]uint64 // packet number
	sent        [levelCount]uint64 // bytes of CRYPTO
	got         [levelCount]uint64 // likewise
	over        bool               // the handshake is, for us
	done        bool               // likewise for the server
	closed      *uint64
}

// behave opens a connection and behaves. It returns the error with which the server
// closes the connection, or nil if it says nothing for so long.
func behave(e *harness.Secure, m *manners, patience time.Duration) (closed *uint64, err error) {
	conn, err := net.Dial("udp", e.Addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := &quicClient{manners: m, conn: conn, destination: make([]byte, 8), source: make([]byte, 8)}
	_, _ = rand.Read(c.destination) // never fails
	_, _ = rand.Read(c.source)
	if err := c.start(e); err != nil {
		return nil, err
	}
	defer c.tls.Close()
	for c.closed == nil && !c.over {
		if err := c.receive(harness.Patience); err != nil {
			return nil, fmt.Errorf("during the handshake: %w", err)
		}
	}
	if c.closed == nil {
		if err := c.misbehave(); err != nil {
			return nil, err
		}
	}
	for c.closed == nil {
		if err := c.receive(patience); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	if c.closed == nil && !c.done {
		return nil, errors.New("the server has not confirmed the handshake")
	}
	return c.closed, nil
}

func (c *quicClient) start(e *harness.Secure) (err error) {
	if c.write[levelInitial], err = initialKeys(c.destination, "client in"); err != nil {
		return err
	}
	if c.read[levelInitial], err = initialKeys(c.destination, "server in"); err != nil {
		return err
	}
	alpn := http3.NextProtoH3
	if c.manners.alpn != "" {
		alpn = c.manners.alpn
	}
	c.tls = tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{
		RootCAs: e.Roots, ServerName: "127.0.0.1", NextProtos: []string{alpn}, MinVersion: tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519}, // so that the ClientHello fits a packet
	}})
	c.tls.SetTransportParameters(c.parameters())
	if err := c.tls.Start(context.Background()); err != nil {
		return err
	}
	return c.react()
}

func (c *quicClient) parameters() (b []byte) {
	list := []parameter{
		{0x01, varints(30_000)}, {0x04, varints(1 << 20)}, {0x05, varints(1 << 18)}, {0x06, varints(1 << 18)},
		{0x07, varints(1 << 18)},
		{0x08, varints(10)}, {0x09, varints(10)}, {0x0f, c.source},
	}
	if c.manners.parameters != nil {
		list = c.manners.parameters(list)
	}
	for _, p := range list {
		b = append(append(b, varints(p.id, uint64(len(p.value)))...), p.value...)
	}
	return b
}

// react does what package tls wants done.
func (c *quicClient) react() (err error) {
	for err == nil {
		event := c.tls.NextEvent()
		level := levelOf(event.Level)
		switch event.Kind {
		case tls.QUICNoEvent:
			return nil
		case tls.QUICSetReadSecret:
			c.read[level], err = newPacketKeys(event.Suite, event.Data)
		case tls.QUICSetWriteSecret:
			c.write[level], err = newPacketKeys(event.Suite, event.Data)
		case tls.QUICWriteData:
			err = c.sendCrypto(level, event.Data)
		case tls.QUICHandshakeDone:
			c.over = true
		}
	}
	return err
}

func (c *quicClient) sendCrypto(level int, data []byte) error {
	var more []byte
	switch {
	case level == levelInitial && c.manners.hello != nil:
		data = c.manners.hello(data)
	case level == levelHandshake:
		if c.manners.finished != nil {
			data = c.manners.finished(data)
		}
		more = c.manners.handshake
	}
	offset := c.sent[level]
	c.sent[level] += uint64(len(data))
	return c.send(level, append(cryptoFrame(offset, data), more...))
}

// misbehave sends the packet after the handshake.
func (c *quicClient) misbehave() error {
	frames := c.manners.frames
	if frames == nil {
		frames = []byte{1}
	}
	return c.send(levelShort, frames)
}

// leastDatagram is how long a datagram with an Initial packet has to be.
const leastDatagram = 1200

// send sends one packet, alone in its datagram.
func (c *quicClient) send(level int, payload []byte) error {
	number := c.next[level]
	c.next[level]++
	if level == levelInitial && len(payload) < leastDatagram-100 {
		payload = append(payload, make([]byte, leastDatagram-100-len(payload))...) // PADDING
	}
	header := c.header(level, len(payload))
	if level == levelInitial {
		if missing := leastDatagram - len(header) - len(payload) - 16; missing > 0 {
			payload = append(payload, make([]byte, missing)...)
			header = c.header(level, len(payload))
		}
	}
	header = binary.BigEndian.AppendUint32(header, uint32(number))
	_, err := c.conn.Write(c.write[level].seal(header, number, payload))
	return err
}

// header returns that of a packet (RFC 9000 section 17), up to its number.
func (c *quicClient) header(level, size int) []byte {
	if level == levelShort {
		return append([]byte{0x40 | c.manners.shortBits | numberBytes - 1}, c.destination...)
	}
	first := byte(0xc0 | numberBytes - 1)
	if level == levelHandshake {
		first |= 0x20 | c.manners.bits
	}
	b := binary.BigEndian.AppendUint32([]byte{first}, 1)
	b = append(append(b, byte(len(c.destination))), c.destination...)
	b = append(append(b, byte(len(c.source))), c.source...)
	if level == levelInitial {
		b = append(b, 0) // no token
	}
	return quicvarint.AppendWithLen(b, uint64(numberBytes+size+16), 2)
}

// receive takes in a datagram.
func (c *quicClient) receive(patience time.Duration) error {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	b := make([]byte, 2048)
	n, err := c.conn.Read(b)
	if err != nil {
		return err
	}
	for b = b[:n]; len(b) > 0 && err == nil; {
		b, err = c.receivePacket(b)
	}
	return err
}

// receivePacket takes in the first packet of a datagram, and returns the rest.
func (c *quicClient) receivePacket(b []byte) (rest []byte, err error) {
	level, at, end := levelShort, 1+len(c.source), len(b)
	if b[0]&0x80 != 0 {
		if level, at, end, err = c.longHeader(b); err != nil {
			return nil, err
		}
	}
	if c.read[level] == nil {
		return b[end:], nil
	}
	payload, err := c.read[level].open(b[:end], at)
	if err != nil {
		return b[end:], nil // a stateless reset, or damaged
	}
	frames, err := parseFrames(payload)
	if err != nil {
		return nil, err
	}
	c.done = c.done || frames.done
	if frames.closed != nil {
		c.closed = frames.closed
		return nil, nil
	}
	return b[end:], c.receiveCrypto(level, frames.crypto)
}

// longHeader reads a long header. It returns where the packet's number is, and where
// the packet ends.
func (c *quicClient) longHeader(b []byte) (level, at, end int, err error) {
	r := &frameReader{b: b[5:]}
	level = int(b[0] >> 5 & 1)
	if size := r.bytes(1); size != nil {
		r.bytes(uint64(size[0]))
	}
	if size := r.bytes(1); size != nil {
		c.destination = append([]byte(nil), r.bytes(uint64(size[0]))...)
	}
	if b[0]&0x10 != 0 || binary.BigEndian.Uint32(b[1:]) != 1 {
		return 0, 0, 0, errors.New("neither an Initial packet nor one of the Handshake")
	}
	if level == levelInitial {
		r.bytes(r.number())
	}
	size := r.number()
	at = len(b) - len(r.b)
	r.bytes(size)
	return level, at, len(b) - len(r.b), r.err
}

// receiveCrypto hands on what is next. What comes before its time comes again, since
// it is not acknowledged.
func (c *quicClient) receiveCrypto(level int, pieces map[uint64][]byte) error {
	for offset, data := range pieces {
		if offset > c.got[level] || offset+uint64(len(data)) <= c.got[level] {
			continue
		}
		data = data[c.got[level]-offset:]
		c.got[level] += uint64(len(data))
		levels := []tls.QUICEncryptionLevel{
			tls.QUICEncryptionLevelInitial, tls.QUICEncryptionLevelHandshake, tls.QUICEncryptionLevelApplication,
		}
		if err := c.tls.HandleData(levels[level], data); err != nil {
			return err
		}
	}
	return c.react()
}

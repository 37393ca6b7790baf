package h3_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"hash"
)

// packetKeys protects packets of one direction and one level (RFC 9001 section 5).
type packetKeys struct {
	aead   cipher.AEAD
	header cipher.Block
	iv     []byte
}

// suites are the hash of each cipher suite, and the length of its keys.
var suites = map[uint16]struct {
	hash func() hash.Hash
	key  int
}{
	tls.TLS_AES_128_GCM_SHA256: {sha256.New, 16},
	tls.TLS_AES_256_GCM_SHA384: {sha512.New384, 32},
}

func newPacketKeys(suite uint16, secret []byte) (*packetKeys, error) {
	s, ok := suites[suite]
	if !ok {
		return nil, fmt.Errorf("cipher suite %#x is not one of this client", suite)
	}
	k := &packetKeys{iv: expandLabel(s.hash, secret, "quic iv", 12)}
	block, err := aes.NewCipher(expandLabel(s.hash, secret, "quic key", s.key))
	if err != nil {
		return nil, err
	}
	if k.header, err = aes.NewCipher(expandLabel(s.hash, secret, "quic hp", s.key)); err != nil {
		return nil, err
	}
	k.aead, err = cipher.NewGCM(block)
	return k, err
}

// expandLabel is HKDF-Expand-Label (RFC 8446 section 7.1).
func expandLabel(hash func() hash.Hash, secret []byte, label string, length int) []byte {
	label = "tls13 " + label
	info := append(binary.BigEndian.AppendUint16(nil, uint16(length)), byte(len(label)))
	info = append(append(info, label...), 0)
	out, err := hkdf.Expand(hash, secret, string(info), length)
	if err != nil {
		panic(err) // the lengths are ours
	}
	return out
}

// initialSalt is that of version 1 (RFC 9001 section 5.2).
var initialSalt = []byte{
	0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
	0xbb, 0x7f, 0x0a,
}

// initialKeys returns the keys of Initial packets, which everybody can know.
func initialKeys(destination []byte, label string) (*packetKeys, error) {
	secret, err := hkdf.Extract(sha256.New, destination, initialSalt)
	if err != nil {
		return nil, err
	}
	return newPacketKeys(tls.TLS_AES_128_GCM_SHA256, expandLabel(sha256.New, secret, label, crypto.SHA256.Size()))
}

// numberBytes is the length of the packet numbers that we send: the longest, with
// which a packet without a payload still has a sample.
const numberBytes = 4

// seal protects a packet whose header ends in its number.
func (k *packetKeys) seal(header []byte, number uint64, payload []byte) []byte {
	at := len(header) - numberBytes
	packet := k.aead.Seal(header, k.nonce(number), payload, header)
	k.mask(packet, at, numberBytes)
	return packet
}

// open returns the payload of a packet whose number is at a place. Numbers are small
// here, and so all there.
func (k *packetKeys) open(packet []byte, at int) ([]byte, error) {
	if len(packet) < at+4+aes.BlockSize {
		return nil, fmt.Errorf("a packet of %d bytes", len(packet))
	}
	size := k.mask(packet, at, 0)
	number := uint64(0)
	for _, b := range packet[at : at+size] {
		number = number<<8 | uint64(b)
	}
	return k.aead.Open(nil, k.nonce(number), packet[at+size:], packet[:at+size])
}

func (k *packetKeys) nonce(number uint64) []byte {
	nonce := append([]byte(nil), k.iv...)
	for i := range 8 {
		nonce[len(nonce)-1-i] ^= byte(number >> (8 * i))
	}
	return nonce
}

// mask protects a header, or lays it open again (RFC 9001 section 5.4), and returns
// the length of the packet number. With size 0 the first byte tells, when it is open.
func (k *packetKeys) mask(packet []byte, at, size int) int {
	var mask [aes.BlockSize]byte
	k.header.Encrypt(mask[:], packet[at+4:at+4+aes.BlockSize])
	bits := byte(0x1f)
	if packet[0]&0x80 != 0 {
		bits = 0x0f
	}
	packet[0] ^= mask[0] & bits
	if size == 0 {
		size = int(packet[0]&3) + 1
	}
	for i := range size {
		packet[at+i] ^= mask[1+i]
	}
	return size
}

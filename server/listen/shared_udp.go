package listen

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// SharedUDP is a UDP socket for QUIC that can pass to another process while connections go on.
// One process at a time reads the socket, the latest; all may write. The connection ids that a
// process gives out begin with its own prefix: packets with the prefix of a predecessor are
// passed to it through a socket pair, together with their addresses.
//
//	client --> UDP socket --> latest process --> its own connections
//	                              |
//	                              +-- socket pair --> predecessor --> its own connections
//
// The first packets of a connection have an id that the client has chosen: they belong to the
// latest process, unless the one before it has seen others of them, see handshakes.
type SharedUDP struct {
	*net.UDPConn
	packets *ipv4.PacketConn
	prefix  Prefix

	older   atomic.Pointer[[]*Forward] // predecessors that still run
	through atomic.Pointer[net.UnixConn]
	mu      sync.Mutex // guards the deadlines of the two sockets
	frame   []byte     // what came through the socket pair; only ReadBatch uses it

	handshakes handshakes
	left       chan struct{} // closed when ReadBatch does not read the socket any more
	leftTo     *net.UnixConn // of ReadBatch: to whom it has left the socket
}

// prefixLength and idLength are those of connection ids, in bytes.
const (
	prefixLength = 4
	idLength     = 12
)

// Prefix is how the connection ids begin that a process gives out.
type Prefix [prefixLength]byte

// String returns the prefix as text, see [ParsePrefix].
func (p Prefix) String() string { return hex.EncodeToString(p[:]) }

// ParsePrefix reads the text of a prefix.
func ParsePrefix(text string) (p Prefix, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != prefixLength {
		return p, fmt.Errorf("%q is no prefix of connection ids", text)
	}
	return Prefix(b), nil
}

// Forward leads to a predecessor.
type Forward struct {
	Prefix Prefix
	socket *net.UnixConn
	frame  []byte

	handshakes map[string]bool // ids of clients whose connections it is making; nil: not known yet
}

// NewForward makes one of the descriptor of a socket pair, which is closed.
func NewForward(prefix Prefix, file *os.File) (*Forward, error) {
	c, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is no socket pair", c), c.Close())
	}
	return &Forward{Prefix: prefix, socket: socket}, nil
}

// Duplicate returns another descriptor of the socket pair. Release: Close.
func (f *Forward) Duplicate() (*os.File, error) { return duplicate(f.socket) }

// NewSharedUDP returns a socket that passes packets on to predecessors, and owns both from now
// on. Release: Close.
func NewSharedUDP(socket *net.UDPConn, older []*Forward) *SharedUDP {
	u := &SharedUDP{UDPConn: socket, packets: ipv4.NewPacketConn(socket)}
	_, _ = rand.Read(u.prefix[:]) // it never fails
	u.older.Store(&older)
	return u
}

// Prefix returns how the ids of our connections begin.
func (u *SharedUDP) Prefix() Prefix { return u.prefix }

// Older returns the predecessors that still run.
func (u *SharedUDP) Older() []*Forward { return *u.older.Load() }

// NewConnectionID returns an id by which packets find their way here.
func (u *SharedUDP) NewConnectionID() []byte {
	id := make([]byte, idLength)
	copy(id, u.prefix[:])
	_, _ = rand.Read(id[prefixLength:])
	return id
}

// ConnectionIDLength returns the length of all ids.
func (u *SharedUDP) ConnectionIDLength() int { return idLength }

// pairBuffer is how much of what a predecessor has not read may lie in a socket pair.
const pairBuffer = 4 << 20

// NewPair returns the two ends of a socket pair: one for HandOver, and one for the successor.
// Release: Close of each.
func NewPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	_ = unix.SetsockoptInt(fds[1], unix.SOL_SOCKET, unix.SO_SNDBUF, pairBuffer) // the kernel gives what it may
	_ = unix.SetsockoptInt(fds[1], unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, pairBuffer)
	file := os.NewFile(uintptr(fds[0]), "socket pair")
	defer file.Close()
	theirs = os.NewFile(uintptr(fds[1]), "socket pair")
	c, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return c.(*net.UnixConn), theirs, nil
}

// HandOver leaves the socket to a successor: from now on packets come through the end of a
// socket pair. When it returns, nobody reads the socket here. Release: TakeBack, or Close.
func (u *SharedUDP) HandOver(through *net.UnixConn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.left = make(chan struct{})
	u.through.Store(through)
	_ = u.UDPConn.SetReadDeadline(past) // ends the read that waits
	select {
	case <-u.left:
	case <-time.After(leaveTime): // nobody reads at all
	}
}

// leaveTime bounds how long HandOver waits for a read to end.
const leaveTime = time.Second

// leave tells the successor what it has to know, once.
func (u *SharedUDP) leave(through *net.UnixConn) {
	if u.leftTo != through {
		u.leftTo = through
		u.handshakes.tell(through)
		close(u.left)
	}
}

// TakeBack undoes HandOver, when the successor has ended.
func (u *SharedUDP) TakeBack() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if through := u.through.Swap(nil); through != nil {
		_ = u.UDPConn.SetReadDeadline(time.Time{})
		_ = through.Close()
	}
}

var past = time.Unix(1, 0)

// SetReadDeadline is for package quic-go, which ends a read with it.
func (u *SharedUDP) SetReadDeadline(t time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if through := u.through.Load(); through != nil {
		return through.SetReadDeadline(t)
	}
	return u.UDPConn.SetReadDeadline(t)
}

// Close closes the socket here, and the ways to predecessors and from a successor.
func (u *SharedUDP) Close() error {
	err := u.UDPConn.Close()
	if through := u.through.Load(); through != nil {
		err = errors.Join(err, through.Close())
	}
	for _, f := range u.Older() {
		_ = f.socket.Close()
	}
	return err
}

// ReadBatch reads packets for our own connections: package quic-go calls it in place of
// recvmmsg(2).
func (u *SharedUDP) ReadBatch(list []ipv4.Message, flags int) (int, error) {
	for {
		through := u.through.Load()
		if through != nil {
			u.leave(through)
			n, err := u.readForwarded(through, list)
			if errors.Is(err, io.EOF) { // the successors have ended
				u.TakeBack()
			} else if n > 0 || err != nil && u.through.Load() == through {
				return n, err
			}
			continue
		}
		n, err := u.packets.ReadBatch(list, flags)
		if err != nil && u.through.Load() == nil {
			return n, err
		}
		if err == nil {
			if n = u.keepOurs(list[:n]); n > 0 {
				u.handshakes.note(list[:n], u.prefix)
				return n, nil
			}
		}
	}
}

// keepOurs passes on what is for predecessors, and returns how many packets are left at the
// beginning of the list. The buffers stay where they are.
func (u *SharedUDP) keepOurs(list []ipv4.Message) (kept int) {
	older := u.Older()
	if len(older) == 0 {
		return len(list)
	}
	for i := range list {
		m := &list[i]
		f := find(older, m.Buffers[0][:m.N])
		if f != nil {
			if !f.pass(m) {
				u.drop(f)
			}
			continue
		}
		if kept != i {
			to := &list[kept]
			copy(to.Buffers[0], m.Buffers[0][:m.N])
			copy(to.OOB, m.OOB[:m.NN])
			to.N, to.NN, to.Addr, to.Flags = m.N, m.NN, m.Addr, m.Flags
		}
		kept++
	}
	return kept
}

// drop forgets a predecessor that has ended.
func (u *SharedUDP) drop(gone *Forward) {
	rest := slices.DeleteFunc(slices.Clone(u.Older()), func(f *Forward) bool { return f == gone })
	u.older.Store(&rest)
	_ = gone.socket.Close()
}

// Where the id of the destination is in a packet (RFC 9000 section 17): behind the first byte,
// and in packets with a long header behind the version and the length of the id.
const (
	longHeader     = 0x80
	shortID        = 1
	longIDLength   = 5
	longID         = 6
	longestAddress = 64
)

// find returns the predecessor to which a packet belongs, or nil.
func find(older []*Forward, packet []byte) *Forward {
	at := shortID
	if len(packet) > longID && packet[0]&longHeader != 0 {
		at = longID
		if packet[longIDLength] != idLength {
			return findHandshake(older, clientID(packet))
		}
	}
	if len(packet) < at+idLength {
		return nil
	}
	id := Prefix(packet[at : at+prefixLength])
	for _, f := range older {
		if f.Prefix == id {
			return f
		}
	}
	if at == longID {
		return findHandshake(older, clientID(packet))
	}
	return nil
}

// findHandshake returns the predecessor that is making a connection with an id of the client's.
func findHandshake(older []*Forward, id []byte) *Forward {
	for _, f := range older {
		if f.handshakes == nil {
			f.learn()
		}
		if f.handshakes[string(id)] {
			return f
		}
	}
	return nil
}

// pass sends a packet to the predecessor, with the address of the client and what the kernel
// has said of it: two lengths of one byte, then the three. It returns false if the predecessor
// is gone. One that does not keep up loses packets, as it would at the socket.
func (f *Forward) pass(m *ipv4.Message) bool {
	addr, ok := m.Addr.(*net.UDPAddr)
	if !ok || m.NN > 255 {
		return true
	}
	address, err := addr.AddrPort().MarshalBinary()
	if err != nil || len(address) > longestAddress {
		return true
	}
	f.frame = append(f.frame[:0], byte(len(address)), byte(m.NN))
	f.frame = append(append(append(f.frame, address...), m.OOB[:m.NN]...), m.Buffers[0][:m.N]...)
	raw, err := f.socket.SyscallConn()
	if err != nil {
		return false
	}
	var failure error
	err = raw.Control(func(fd uintptr) {
		failure = unix.Sendto(int(fd), f.frame, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
	})
	return err == nil && !errors.Is(failure, unix.EPIPE) && !errors.Is(failure, unix.ECONNRESET) &&
		!errors.Is(failure, unix.ENOTCONN)
}

// readForwarded reads a packet that the successor passes on.
func (u *SharedUDP) readForwarded(through *net.UnixConn, list []ipv4.Message) (int, error) {
	if u.frame == nil {
		u.frame = make([]byte, 1<<16)
	}
	n, err := through.Read(u.frame)
	if err != nil {
		return 0, err
	}
	m, frame := &list[0], u.frame[:n]
	if len(frame) < 2 || len(frame) < 2+int(frame[0])+int(frame[1]) {
		return 0, nil
	}
	address, oob := frame[2:2+frame[0]], frame[2+int(frame[0]):][:frame[1]]
	packet := frame[2+len(address)+len(oob):]
	var from netip.AddrPort
	if from.UnmarshalBinary(address) != nil || len(packet) > len(m.Buffers[0]) || len(oob) > len(m.OOB) {
		return 0, nil
	}
	m.N, m.NN, m.Flags = copy(m.Buffers[0], packet), copy(m.OOB, oob), 0
	m.Addr = net.UDPAddrFromAddrPort(from)
	return 1, nil
}

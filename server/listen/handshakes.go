package listen

import (
	"net"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// recentIDs is how many ids that clients have chosen a process remembers.
const recentIDs = 512

// longestID is the longest connection id, in bytes (RFC 9000 section 17.2).
const longestID = 20

// handshakes remembers the ids that clients have chosen for connections which are just being
// made. A process tells them to its successor: the first packets of a connection are often two,
// and neither process could do anything with one of them.
type handshakes struct {
	mu   sync.Mutex
	ids  [recentIDs][1 + longestID]byte // with the length in front
	next int
}

// note remembers the ids of the packets with long headers, apart from those that we have chosen.
func (h *handshakes) note(list []ipv4.Message, ours Prefix) {
	for i := range list {
		id := clientID(list[i].Buffers[0][:list[i].N])
		if id == nil || len(id) == 1+idLength && Prefix(id[1:]) == ours {
			continue
		}
		h.mu.Lock()
		if last := &h.ids[(h.next+recentIDs-1)%recentIDs]; string(last[:len(id)]) != string(id) {
			h.ids[h.next] = [1 + longestID]byte{}
			copy(h.ids[h.next][:], id)
			h.next = (h.next + 1) % recentIDs
		}
		h.mu.Unlock()
	}
}

// clientID returns the id of the destination in a packet with a long header, with its length in
// front, or nil.
func clientID(packet []byte) []byte {
	if len(packet) < longID || packet[0]&longHeader == 0 {
		return nil
	}
	n := int(packet[longIDLength])
	if n == 0 || n > longestID || len(packet) < longID+n {
		return nil
	}
	return packet[longIDLength : longID+n]
}

// tell sends the ids to a successor, through the socket pair.
func (h *handshakes) tell(through *net.UnixConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var message []byte
	for i := range h.ids {
		message = append(message, h.ids[i][:]...)
	}
	_, _ = through.Write(message) // nothing lies there yet; without it, handshakes take longer
}

// learn reads what the predecessor has told before it left the socket.
func (f *Forward) learn() {
	f.handshakes = map[string]bool{}
	raw, err := f.socket.SyscallConn()
	if err != nil {
		return
	}
	message := make([]byte, recentIDs*(1+longestID))
	n := 0
	_ = raw.Control(func(fd uintptr) { n, _, err = unix.Recvfrom(int(fd), message, unix.MSG_DONTWAIT) })
	for ; err == nil && n > longestID; n -= 1 + longestID {
		if length := int(message[0]); length > 0 && length <= longestID {
			f.handshakes[string(message[:1+length])] = true
		}
		message = message[1+longestID:]
	}
}
